// Folds equal neighbours of the feed tree and sums what they hold.
#include "spec/fleet_outline.h"

#include <algorithm>

namespace gw::spec {

namespace {

/// For each vertex of each feed level, a number that equal vertices of the level share.
std::vector<std::vector<std::uint32_t>> equal_kinds(const Fleet& fleet) {
  std::vector<std::vector<std::uint32_t>> kinds(fleet.feed.size());
  for (std::size_t level = 0; level < fleet.feed.size(); ++level) {
    const FeedLevel& feed = fleet.feed[level];
    std::map<std::vector<std::int64_t>, std::uint32_t> known;
    std::uint32_t child = 0;
    for (std::uint32_t vertex = 0; vertex < feed.partition.vertices(); ++vertex) {
      std::vector<std::int64_t> content{feed.capacity[vertex].count()};
      const auto add = [&content](std::int64_t kind) {  // Run-length encoded: kind, count, kind, count, ...
        if (content.size() > 2 && content[content.size() - 2] == kind) {
          ++content.back();
        } else {
          content.push_back(kind);
          content.push_back(1);
        }
      };
      if (level == 0) {
        for (std::uint32_t node = feed.partition.begin(vertex); node < feed.partition.end(vertex); ++node)
          add(fleet.node_type_of[node]);
      } else {
        const Partition& below = fleet.feed[level - 1].partition;
        for (; child < below.vertices() && below.begin(child) < feed.partition.end(vertex); ++child)
          add(kinds[level - 1][child]);
      }
      const auto next = static_cast<std::uint32_t>(known.size());
      kinds[level].push_back(known.try_emplace(std::move(content), next).first->second);
    }
  }
  return kinds;
}

class Outliner {
 public:
  explicit Outliner(const Fleet& fleet) : fleet_(fleet), kinds_(equal_kinds(fleet)) {}

  /// The vertices of `level` in the nodes [begin, end).
  std::vector<FleetPart> outline(std::size_t level, std::uint32_t begin, std::uint32_t end) const {
    const FeedLevel& feed = fleet_.feed[level];
    std::vector<FleetPart> parts;
    std::uint32_t vertex = feed.partition.vertex_of(NodeId{begin});
    const bool is_site = level + 1 == fleet_.feed.size();
    std::uint32_t last_kind = 0;
    for (; vertex < feed.partition.vertices() && feed.partition.begin(vertex) < end; ++vertex) {
      const std::uint32_t kind = kinds_[level][vertex];
      if (!parts.empty() && kind == last_kind && !is_site) {
        ++parts.back().count;
        continue;
      }
      last_kind = kind;
      FleetPart& part = parts.emplace_back();
      part.level = feed.partition.level;
      if (vertex < feed.names.size()) part.name = feed.names[vertex];
      part.capacity = feed.capacity[vertex];
      part.first_node = feed.partition.begin(vertex);
      part.end_node = feed.partition.end(vertex);
      part.totals = fleet_totals(fleet_, part.first_node, part.end_node);
      if (level > 0) part.parts = outline(level - 1, part.first_node, part.end_node);
    }
    return parts;
  }

 private:
  const Fleet& fleet_;
  std::vector<std::vector<std::uint32_t>> kinds_;
};

std::uint64_t racks_between(const Fleet& fleet, std::uint32_t begin, std::uint32_t end) {
  for (const FeedLevel& level : fleet.feed) {
    if (level.partition.level != "rack" || begin >= end) continue;
    return level.partition.vertex_of(NodeId{end - 1}) - level.partition.vertex_of(NodeId{begin}) + 1;
  }
  return 0;
}

double pue_of(const Fleet& fleet, std::uint32_t node) {
  if (fleet.sites.empty()) return 1;
  const int level = fleet.fabric_level("site");
  const std::size_t site =
      level < 0 ? 0 : fleet.fabric[static_cast<std::size_t>(level)].vertex_of(NodeId{node});
  return fleet.sites[std::min(site, fleet.sites.size() - 1)].pue;
}

}  // namespace

FleetTotals fleet_totals(const Fleet& fleet, std::uint32_t begin, std::uint32_t end) {
  FleetTotals totals;
  totals.racks = racks_between(fleet, begin, end);
  const int site_level = fleet.fabric_level("site");
  for (std::uint32_t from = begin; from < end;) {
    // One site at a time: each has its own PUE.
    std::uint32_t to = end;
    if (site_level >= 0) {
      const Partition& sites = fleet.fabric[static_cast<std::size_t>(site_level)];
      to = std::min(end, sites.end(sites.vertex_of(NodeId{from})));
    }
    std::vector<std::uint64_t> count(fleet.node_types.size());
    for (std::uint32_t node = from; node < to; ++node) ++count[fleet.node_type_of[node]];
    double power_mw = 0;
    for (std::size_t index = 0; index < count.size(); ++index) {
      if (count[index] == 0) continue;
      const NodeType& type = fleet.node_types[index];
      const auto nodes = static_cast<double>(count[index]);
      totals.nodes += count[index];
      totals.nodes_by_type[type.name] += count[index];
      totals.gpus += count[index] * type.gpus;
      power_mw += nodes * static_cast<double>(type.power_max.count());
      totals.power_idle_mw += nodes * static_cast<double>(type.power_idle.count());
      if (type.gpus == 0) continue;
      const GpuType gpu = type.gpu_type == NodeType::kNoGpu ? GpuType{} : fleet.gpu_types[type.gpu_type];
      const double gpus = nodes * type.gpus;
      totals.gpus_by_type[gpu.name] += count[index] * type.gpus;
      totals.dense_bf16_tflops += gpus * gpu.dense_bf16_tflops;
      totals.dense_fp8_tflops += gpus * gpu.dense_fp8_tflops;
      totals.dense_fp4_tflops += gpus * gpu.dense_fp4_tflops;
      totals.memory_bytes += gpus * static_cast<double>(gpu.memory.count());
    }
    totals.power_max_mw += power_mw;
    totals.facility_max_mw += power_mw * pue_of(fleet, from);
    from = to;
  }
  return totals;
}

std::vector<FleetPart> fleet_outline(const Fleet& fleet) {
  if (fleet.feed.empty() || fleet.nodes() == 0) return {};
  return Outliner(fleet).outline(fleet.feed.size() - 1, 0, fleet.nodes());
}

}  // namespace gw::spec
