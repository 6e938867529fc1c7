// The site that benchmarks of deciding run on.
#pragma once

#include <algorithm>

#include "model/fleet.h"

namespace gw::bench {

/// `size` nodes in each vertex; the last may have fewer.
inline Partition even_level(const char* name, std::uint32_t size, std::uint32_t nodes) {
  Partition partition{name, {0}};
  while (partition.first.back() < nodes)
    partition.first.push_back(std::min(nodes, partition.first.back() + size));
  return partition;
}

/// Nodes of 8 GPUs; racks (or what `lowest` calls them) of 4 nodes, leaves of 8 racks, spines of 16 leaves,
/// the site: four fabric levels.
inline Fleet site_of(std::uint32_t gpus, const char* lowest = "rack") {
  Fleet fleet = flat_fleet(gpus / 8, 8);
  const std::uint32_t nodes = fleet.nodes();
  fleet.fabric = {even_level(lowest, 4, nodes), even_level("leaf", 32, nodes),
                  even_level("spine", 512, nodes), even_level("site", nodes, nodes)};
  return fleet;
}

}  // namespace gw::bench
