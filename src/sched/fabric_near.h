// How near two nodes of a pool are to each other in the fabric.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "sched/capacity_index.h"

namespace gw::sched {

/// The vertex of a level that holds the node.
[[nodiscard]] inline std::uint32_t vertex_of(const PoolFabric::Level& level, std::uint32_t node) {
  return static_cast<std::uint32_t>(std::upper_bound(level.first.begin(), level.first.end(), node) -
                                    level.first.begin() - 1);
}

/// The smallest level with both nodes in one vertex.
[[nodiscard]] inline std::size_t level_between(const PoolFabric& fabric, std::uint32_t a, std::uint32_t b) {
  std::size_t level = 0;
  while (vertex_of(fabric.levels[level], a) != vertex_of(fabric.levels[level], b)) ++level;
  return level;
}

}  // namespace gw::sched
