// Random fleets, shapes and workloads from a seed, for property tests of the core and of all that stands on
// it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "model/fleet.h"
#include "model/job.h"
#include "model/policy.h"

namespace gw::sched::random_case {

/// Small fleets on purpose: exact fits, ties and full vertices are where placement goes wrong.
struct FleetWish {
  std::uint32_t most_nodes = 40;
  std::uint32_t most_types = 3;
  bool side_resources = true;  ///< Some node types track CPU and memory.
  bool one_gpu_nodes = true;   ///< Some node types have a single GPU.
};

inline Fleet random_fleet(Rng& rng, const FleetWish& wish = {}) {
  Fleet fleet;
  fleet.name = "random";
  for (const char* name : {"b200", "h100", "l40s"}) {
    GpuType type;
    type.name = name;
    fleet.gpu_types.push_back(type);
  }
  static constexpr std::uint32_t kGpus[] = {4, 8, 8, 16, 2, 64, 1, 1, 0};
  const auto types = static_cast<std::uint32_t>(rng.between(1, wish.most_types));
  for (std::uint32_t index = 0; index < types; ++index) {
    NodeType type;
    type.name = "type-" + std::to_string(index);
    do {
      type.gpus = kGpus[rng.below(std::size(kGpus))];
    } while ((type.gpus == 1 && !wish.one_gpu_nodes) || (index == 0 && type.gpus == 0));
    type.gpu_type = type.gpus == 0 ? NodeType::kNoGpu : static_cast<std::uint32_t>(rng.below(3));
    if (type.gpus > 0 && rng.chance(0.2)) type.gpu_type = NodeType::kNoGpu;  // Processors of no type.
    if (wish.side_resources && rng.chance(0.6)) type.cpu_milli = 1000 * rng.between(4, 128);
    if (wish.side_resources && rng.chance(0.6)) type.memory_mib = 1024 * rng.between(4, 512);
    fleet.node_types.push_back(type);
  }
  const auto nodes = static_cast<std::uint32_t>(rng.between(1, wish.most_nodes));
  std::uint16_t type = 0;
  for (std::uint32_t node = 0; node < nodes; ++node) {
    if (rng.chance(0.2)) type = static_cast<std::uint16_t>(rng.below(types));
    fleet.node_type_of.push_back(type);
  }
  Partition level{"nodes", {}};
  for (std::uint32_t node = 0; node <= nodes; ++node) level.first.push_back(node);
  static constexpr const char* kNames[] = {"nvlink", "leaf", "spine"};
  const auto levels = static_cast<std::uint32_t>(rng.below(4));
  for (std::uint32_t index = 0; index < levels; ++index) {
    Partition next{kNames[index], {0}};
    for (std::size_t at = 0; at + 1 < level.first.size();) {
      at = std::min(at + static_cast<std::size_t>(rng.between(1, 5)), level.first.size() - 1);
      next.first.push_back(level.first[at]);
    }
    fleet.fabric.push_back(next);
    level = next;
  }
  fleet.fabric.push_back(Partition{"site", {0, nodes}});
  return fleet;
}

struct ShapeWish {
  bool fractions = true;
  bool anywhere = true;
  bool without_gpus = true;
  bool side_resources = true;
  bool levels = true;  ///< Wishes for a fabric level, some of them required.
  bool gpu_types = true;
};

/// A shape that makes sense, though not always one that `fleet` could hold.
inline Shape random_shape(Rng& rng, const Fleet& fleet, const ShapeWish& wish = {}) {
  Shape shape;
  const NodeType& type = fleet.node_types[fleet.node_type_of[rng.below(fleet.nodes())]];
  const std::uint32_t gpus = std::max(type.gpus, 1U);
  const auto size = [&](std::uint32_t most) {  // Small ones, all of it, and what lies between.
    if (rng.chance(0.15)) return most;
    return static_cast<std::uint32_t>(rng.between(1, rng.chance(0.5) ? std::min(most, 3U) : most));
  };
  const double form = rng.uniform();
  if (wish.fractions && form < 0.15) {
    shape.gpu_milli =
        static_cast<std::uint32_t>(rng.chance(0.5) ? 250 * rng.between(1, 3) : rng.between(1, 999));
  } else if (wish.anywhere && form < 0.35) {
    shape.nodes = 0;
    shape.gpus = size(static_cast<std::uint32_t>(std::max<std::uint64_t>(1, fleet.gpus())));
  } else if (wish.without_gpus && form < 0.42) {
    shape.nodes = size(std::min(fleet.nodes(), 4U));
  } else {
    shape.nodes = rng.chance(0.5) ? 1 : size(fleet.nodes());
    shape.gpus = size(gpus);
  }
  const auto side = [&](std::int64_t of_node) -> std::int64_t {
    if (of_node == 0 || rng.chance(0.4)) return 0;
    if (rng.chance(0.4)) return of_node * std::min(shape.gpus, gpus) / gpus;  // Its GPUs' share.
    return rng.between(1, of_node);
  };
  if (wish.side_resources) {
    shape.cpu_milli = side(type.cpu_milli);
    shape.memory_mib = side(type.memory_mib);
  }
  if (wish.levels && rng.chance(0.3)) {
    shape.level = static_cast<std::uint8_t>(rng.below(fleet.fabric.size()));
    shape.level_required = rng.chance(0.6);
  }
  if (wish.gpu_types && rng.chance(0.2)) shape.gpu_types = rng.between(1, 7);
  return shape;
}

}  // namespace gw::sched::random_case
