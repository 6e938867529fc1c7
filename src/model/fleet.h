// Fleet: the machines that a run decides over, as flat arrays that hold 1,000,000 GPUs in a few megabytes.
//
// Nodes are numbered in depth-first order of the site, so every hall, row, rack, NVLink domain, leaf and
// spine is a contiguous range of node ids. Both trees over the nodes (fabric and feed) are lists of such
// partitions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/units.h"

namespace gw {

/// An accelerator type of the catalog. Rates are dense (no sparsity), in TFLOP/s per GPU; 0 = not published.
struct GpuType {
  std::string name;   ///< Stable key, e.g. `b200`.
  std::string title;  ///< As the vendor writes it.
  std::string vendor;
  double dense_bf16_tflops = 0;
  double dense_fp8_tflops = 0;
  double dense_fp4_tflops = 0;
  Bytes memory;
  double memory_tb_s = 0;      ///< HBM or GDDR bandwidth, TB/s.
  double scaleup_gbyte_s = 0;  ///< NVLink or like, GB/s per GPU in one direction.
  std::uint32_t scaleup_domain_gpus = 1;
  Milliwatts power_max;  ///< TDP of one GPU.
  Milliwatts power_idle;
  std::int64_t equivalent_milli =
      1000;  ///< What one counts for in quotas, in thousandths of a GPU-equivalent.
  std::string source;
  /// The least share of the power that its work draws above idle to which its clocks may be capped, and how
  /// fast that work goes then; 1000: its clocks cannot be capped.
  std::uint32_t power_floor_permille = 1000;
  std::uint32_t floor_speed_permille = 1000;

  /// How fast work goes at that share of its power: linear down to the floor, which is on the safe side of
  /// the cube root that dynamic power gives.
  [[nodiscard]] std::uint32_t speed_permille(std::uint32_t power_permille) const;
};

inline constexpr std::int64_t kMostEquivalentMilli = 1'000'000;

/// A kind of server. All nodes of one kind in one zone form a pool: a gang runs inside one pool.
struct NodeType {
  static constexpr std::uint32_t kNoGpu = 0xffffffffU;
  std::string name;
  std::uint32_t gpu_type = kNoGpu;  ///< Index into Fleet::gpu_types, or kNoGpu.
  std::uint32_t gpus = 0;           ///< At most 64.
  std::int64_t cpu_milli = 0;       ///< Thousandths of a core; 0 = not tracked (never binds).
  std::int64_t memory_mib = 0;      ///< 0 = not tracked (never binds).
  Milliwatts power_max;             ///< The whole node at full load.
  Milliwatts power_idle;
  std::string source;
};

/// One level of a tree over the nodes: vertex v holds the nodes [first[v], first[v + 1]).
struct Partition {
  std::string level;  ///< `rack`, `leaf`, `site`, ...
  std::vector<std::uint32_t>
      first;  ///< Ascending; front() == 0, back() == number of nodes; size() == vertices + 1.

  [[nodiscard]] std::uint32_t vertices() const {
    return first.empty() ? 0 : static_cast<std::uint32_t>(first.size() - 1);
  }
  [[nodiscard]] std::uint32_t begin(std::uint32_t vertex) const { return first[vertex]; }
  [[nodiscard]] std::uint32_t end(std::uint32_t vertex) const { return first[vertex + 1]; }
  /// The vertex that holds `node`: O(log vertices).
  [[nodiscard]] std::uint32_t vertex_of(NodeId node) const;
};

/// Where a part of the fleet stands and which law it answers to.
struct Site {
  std::string name;
  std::string operator_name;
  std::string country;                          ///< ISO 3166-1 alpha-2.
  std::vector<std::string> jurisdictions;       ///< Whose courts can compel the operator: `DE`, `EU`, ...
  std::vector<std::string> operator_countries;  ///< Of the operator, then of its parents; empty: not known.
  std::vector<std::string> certifications;      ///< `bsi-c5`, `iso-27001`, ...
  double latitude_deg = 0;
  double longitude_deg = 0;
  double pue = 1.0;          ///< Facility power over IT power.
  Milliwatts grid_capacity;  ///< Of the grid connection, facility side; 0 = not given.
  double tariff_eur_per_mwh = 0;
  double carbon_g_per_kwh = 0;
};

/// A part of the fleet that is all the same before the law (law.h): what rules can see of it.
struct Zone {
  std::string name;                             ///< Of its sites and what tells it apart; for people.
  std::string country;                          ///< Empty: not known.
  std::vector<std::string> jurisdictions;       ///< Ascending.
  std::vector<std::string> operator_countries;  ///< Ascending.
  std::vector<std::string> certifications;      ///< Ascending.
  bool by_chip = false;                         ///< Some rule tells GPU types apart.
  std::vector<std::string> gpu_types;           ///< With `by_chip`: of its nodes; ascending.
  /// With `by_chip`: the largest total processing performance among its GPUs; -1 = some is not published.
  std::int64_t performance = 0;
  std::vector<std::string> covered_by;  ///< Of the rules that cover a part of the fleet, those; ascending.

  /// Equal before the law: everything but the name.
  [[nodiscard]] bool same_facts(const Zone& other) const;
};

/// A level of the feed tree (rack, row, hall, site) with the IT power each vertex may draw; 0 = not limited.
struct FeedLevel {
  Partition partition;
  std::vector<Milliwatts> capacity;  ///< One per vertex.
  std::vector<std::string> names;    ///< One per vertex, or empty: numbered from 1 inside the level above.
};

inline constexpr std::uint32_t kMostZones = 63;  ///< Bit 63 of Shape::zones is a zone that no node is in.

/// Everything about the machines. Invariants are checked by `check_fleet`.
struct Fleet {
  std::string name;
  std::vector<GpuType> gpu_types;
  std::vector<NodeType> node_types;
  std::vector<Site> sites;
  std::vector<std::uint16_t> node_type_of;  ///< Per node, index into node_types.
  /// Smallest span first (e.g. nvlink, leaf, spine, site, fleet); each level nests in the next; the last has
  /// one vertex that holds every node. A single node is below the first level and is not listed.
  std::vector<Partition> fabric;
  /// Per fabric level and vertex: what its links to the level above carry in one direction, Gbit/s; 0 = not
  /// given, as all are where this is empty.
  std::vector<std::vector<double>> uplink_gbit_s;
  /// Smallest first (rack, row, hall, site); may be empty.
  std::vector<FeedLevel> feed;
  /// At most kMostZones; empty: the fleet is not divided. A gang runs inside one zone.
  std::vector<Zone> zones;
  std::vector<std::uint8_t> zone_of_node;  ///< Per node, index into `zones`; empty: all in zone 0.
  /// What the nodes are called, unique; empty: by their place in the feed tree.
  std::vector<std::string> node_names;

  [[nodiscard]] std::uint32_t nodes() const { return static_cast<std::uint32_t>(node_type_of.size()); }
  [[nodiscard]] std::uint32_t zone_of(NodeId node) const {
    return zone_of_node.empty() ? 0 : zone_of_node[node.value()];
  }
  [[nodiscard]] const NodeType& type_of(NodeId node) const { return node_types[node_type_of[node.value()]]; }
  [[nodiscard]] std::uint64_t gpus() const;
  /// Index of the fabric level with that name, or -1.
  [[nodiscard]] int fabric_level(const std::string& level) const;
  /// Its path: `munich/hall-2/row-01/rack-03`, as in the names of its nodes.
  [[nodiscard]] std::string feed_name(std::uint32_t level, std::uint32_t vertex) const;
  /// The feed of that name, or of that end of a name where only one has it (`hall-2`, `site/hall-2`).
  struct FeedAt {
    std::uint32_t level = 0;
    std::uint32_t vertex = 0;
  };
  [[nodiscard]] std::optional<FeedAt> find_feed(std::string_view path) const;
  /// Its own name, else `munich/hall-2/row-01/rack-03/node-2`, from the feed tree; `node-17` where there is
  /// neither.
  [[nodiscard]] std::string node_name(NodeId node) const;
};

/// Empty when every invariant of `fleet` holds, else what is wrong (for tests and for readers' last line).
std::string check_fleet(const Fleet& fleet);

/// N identical nodes with `processors_per_node` processors (as GPUs of no type) in one flat fabric: the
/// setting of studies on Standard Workload Format logs.
Fleet flat_fleet(std::uint32_t nodes, std::uint32_t processors_per_node = 1);

}  // namespace gw
