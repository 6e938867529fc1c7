// FleetOutline: a fleet as a short tree, equal neighbours folded together, with totals at each level.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/fleet.h"

namespace gw::spec {

/// What a part of a fleet amounts to.
struct FleetTotals {
  std::uint64_t nodes = 0;
  std::uint64_t gpus = 0;
  std::uint64_t racks = 0;                            ///< 0 where the fleet does not tell racks.
  std::map<std::string, std::uint64_t> gpus_by_type;  ///< By type name; "" for GPUs of no type.
  std::map<std::string, std::uint64_t> nodes_by_type;
  double dense_bf16_tflops = 0;
  double dense_fp8_tflops = 0;
  double dense_fp4_tflops = 0;
  double memory_bytes = 0;     ///< Of the GPUs.
  double power_max_mw = 0;     ///< IT, all nodes at full load, in mW.
  double power_idle_mw = 0;    ///< IT, all nodes idle, in mW.
  double facility_max_mw = 0;  ///< power_max_mw times each site's PUE.
};

/// A site, hall, row or rack that `count` equal neighbours share.
struct FleetPart {
  std::string level;
  std::string name;  ///< Of the first; empty where unnamed.
  std::uint64_t count = 1;
  Milliwatts capacity;  ///< Of each; 0 = not limited.
  std::uint32_t first_node = 0;
  std::uint32_t end_node = 0;  ///< Of the first.
  FleetTotals totals;          ///< Of each.
  std::vector<FleetPart> parts;
};

/// Totals of the nodes [begin, end).
FleetTotals fleet_totals(const Fleet& fleet, std::uint32_t begin, std::uint32_t end);

/// The feed tree from the top, one part per run of equal neighbours. Neighbours are equal when their nodes,
/// capacities and all below are; names do not count, except that sites are never folded.
std::vector<FleetPart> fleet_outline(const Fleet& fleet);

}  // namespace gw::spec
