// FleetSpec: a fleet as its file says it, with groups and counts; build_fleet turns it into the model's flat
// arrays.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/fleet.h"
#include "spec/catalog.h"
#include "spec/described.h"
#include "spec/diagnostic.h"

namespace gw::spec {

inline constexpr double kMaxCount = 20e6;  ///< Of anything that is counted in a fleet.

struct NodeGroupSpec {
  static constexpr std::string_view kRecord = "nodes";
  static constexpr std::string_view kHelp = "Equal nodes side by side.";
  Located<std::string> type;
  std::uint32_t count = 1;
  Mark at;
};

struct RackSpec {
  static constexpr std::string_view kRecord = "rack";
  static constexpr std::string_view kHelp = "One rack, or `count` equal ones.";
  std::string name;
  std::uint32_t count = 1;
  Milliwatts capacity;
  std::vector<NodeGroupSpec> nodes;
  Mark at;
};

struct RowSpec {
  static constexpr std::string_view kRecord = "row";
  static constexpr std::string_view kHelp = "One row of racks, or `count` equal ones.";
  std::string name;
  std::uint32_t count = 1;
  Milliwatts capacity;
  std::vector<RackSpec> racks;
  std::vector<NodeGroupSpec> nodes;
  Mark at;
};

struct HallSpec {
  static constexpr std::string_view kRecord = "hall";
  static constexpr std::string_view kHelp = "One hall, or `count` equal ones.";
  std::string name;
  std::uint32_t count = 1;
  Milliwatts capacity;
  std::vector<RowSpec> rows;
  std::vector<RackSpec> racks;
  std::vector<NodeGroupSpec> nodes;
  Mark at;
};

struct GridSpec {
  static constexpr std::string_view kRecord = "grid";
  static constexpr std::string_view kHelp = "The site's grid connection.";
  Milliwatts capacity;
  double tariff_eur_per_mwh = 0;
  double carbon_g_per_kwh = 0;
};

struct PositionSpec {
  static constexpr std::string_view kRecord = "position";
  static constexpr std::string_view kHelp = "Where the site stands (WGS 84).";
  double latitude_deg = 0;
  double longitude_deg = 0;
};

struct FabricLevelSpec {
  static constexpr std::string_view kRecord = "fabric_level";
  static constexpr std::string_view kHelp = "A network level: what one of its switches or domains connects.";
  std::string level;
  std::optional<std::uint32_t> nodes;
  std::optional<std::uint32_t> racks;
  std::optional<std::uint32_t> rows;
  std::optional<std::uint32_t> halls;
  std::string within;  ///< Groups begin anew in each of these; empty: only in each site.
  double uplink_gbit_s = 0;
  Mark at;
};

struct SiteSpec {
  static constexpr std::string_view kRecord = "site";
  static constexpr std::string_view kHelp = "A place with one grid connection, under one set of laws.";
  std::string name;
  std::string operator_name;
  std::string country;
  std::vector<std::string> jurisdictions;
  std::string operator_country;
  std::vector<std::string> parent_countries;
  std::vector<std::string> certifications;
  std::optional<PositionSpec> position;
  double pue = 1;
  GridSpec grid;
  std::vector<FabricLevelSpec> fabric;
  std::vector<HallSpec> halls;
  std::vector<RowSpec> rows;
  std::vector<RackSpec> racks;
  std::vector<NodeGroupSpec> nodes;
  Mark at;
};

struct FleetSpec {
  static constexpr std::string_view kRecord = "fleet";
  static constexpr std::string_view kHelp = "All machines: sites > halls > rows > racks > nodes.";
  std::string name;
  std::string operator_name;
  std::string operator_country;
  std::vector<std::string> parent_countries;
  std::vector<FabricLevelSpec> fabric;
  std::vector<SiteSpec> sites;
  std::vector<GpuEntry> gpu_types;
  std::vector<NodeEntry> node_types;
  Mark at;
};

struct FleetLimits {
  std::uint64_t nodes = 20'000'000;
};

/// The fleet that `spec` describes, with the types it uses from `catalog` or its own lists. Reports what
/// cannot be to `findings`; the result means something only if nothing failed.
Fleet build_fleet(const FleetSpec& spec, const Catalog& catalog, const FleetLimits& limits,
                  Findings& findings);

}  // namespace gw::spec
