// Fits gang sizes to pools of nodes; see generator_shape.h.
#include "workload/generator_shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "model/exclusive.h"

namespace gw::workload {
namespace {

/// The nodes of one kind in one zone.
struct Pool {
  std::uint16_t node_type = 0;
  std::uint32_t zone = 0;
  std::uint32_t nodes = 0;
  std::uint32_t gpus_per_node = 0;
  [[nodiscard]] std::uint64_t gpus() const { return std::uint64_t{nodes} * gpus_per_node; }
  [[nodiscard]] bool holds(std::uint32_t gang_nodes, std::uint32_t gpus_on_each) const {
    return gang_nodes <= nodes && gpus_on_each <= gpus_per_node;
  }
};

std::vector<Pool> gpu_pools(const Fleet& fleet) {
  const std::size_t zones = std::max<std::size_t>(1, fleet.zones.size());
  std::vector<Pool> pools(fleet.node_types.size() * zones);
  for (std::size_t kind = 0; kind < pools.size(); ++kind) {
    const auto type = static_cast<std::uint16_t>(kind / zones);
    pools[kind] = {type, static_cast<std::uint32_t>(kind % zones), 0, fleet.node_types[type].gpus};
  }
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node)
    ++pools[fleet.node_type_of[node] * zones + fleet.zone_of(NodeId{node})].nodes;
  std::erase_if(pools, [](const Pool& pool) { return pool.gpus() == 0; });
  return pools;
}

/// The pools that will do, best first.
std::vector<Pool> wanted_pools(const JobClass& job_class, const Fleet& fleet) {
  const std::vector<Pool> pools = gpu_pools(fleet);
  if (job_class.gpu_types.empty()) return pools;
  std::vector<Pool> wanted;
  for (const std::string& name : job_class.gpu_types) {
    for (const Pool& pool : pools) {
      const std::uint32_t type = fleet.node_types[pool.node_type].gpu_type;
      if (type != NodeType::kNoGpu && fleet.gpu_types[type].name == name) wanted.push_back(pool);
    }
  }
  return wanted;
}

/// Most nodes of `pool` under one vertex of the fabric level.
std::uint32_t widest_vertex(const Fleet& fleet, const Pool& pool, const Partition& level) {
  std::uint32_t widest = 0;
  for (std::uint32_t vertex = 0; vertex < level.vertices(); ++vertex) {
    std::uint32_t nodes = 0;
    for (std::uint32_t node = level.begin(vertex); node < level.end(vertex); ++node)
      nodes += fleet.node_type_of[node] == pool.node_type && fleet.zone_of(NodeId{node}) == pool.zone;
    widest = std::max(widest, nodes);
  }
  return widest;
}

void set_level(const JobClass& job_class, const Fleet& fleet, const Pool& pool, Shape& shape) {
  int level = job_class.level.empty() ? -1 : fleet.fabric_level(job_class.level);
  if (level < 0) return;
  if (job_class.level_required) {
    const int last = static_cast<int>(fleet.fabric.size()) - 1;
    while (level < last && widest_vertex(fleet, pool, fleet.fabric[level]) < shape.nodes) ++level;
  }
  shape.level = static_cast<std::uint8_t>(level);
  shape.level_required = job_class.level_required;
}

/// Blocks, spread and exclusive use, as far as the pool can give them.
void set_groups(const JobClass& job_class, const Fleet& fleet, const Pool& pool, Shape& shape) {
  const int spread = job_class.spread.empty() ? -1 : fleet.fabric_level(job_class.spread);
  if (spread >= 0 && shape.nodes > 1) {
    shape.spread_level = static_cast<std::uint8_t>(spread);
    shape.spread_required = job_class.spread_required;
  }
  const std::uint32_t block = job_class.segment;
  if (block > 1 && shape.nodes >= block && widest_vertex(fleet, pool, fleet.fabric[0]) >= block) {
    const std::uint32_t rounded = (shape.nodes + block - 1) / block * block;
    shape.nodes = rounded <= pool.nodes ? rounded : shape.nodes / block * block;
    shape.segment_nodes = block;
    shape.segment_level = 0;
  }
  if (job_class.exclusive.empty()) return;
  const int level = job_class.exclusive == "node" ? -1 : fleet.fabric_level(job_class.exclusive);
  if (level < 0 && job_class.exclusive != "node") return;
  if (const Result<Shape> whole = exclusive_shape(shape, fleet, level)) shape = *whole;
}

}  // namespace

Result<Shape> fit_shape(const JobClass& job_class, const Fleet& fleet, std::uint32_t gpus) {
  const std::vector<Pool> pools = wanted_pools(job_class, fleet);
  if (pools.empty()) {
    if (job_class.gpu_types.empty())
      return fail(fmt::format("fleet `{}` has no GPUs to run jobs on", fleet.name));
    std::vector<std::string> present;
    for (const GpuType& type : fleet.gpu_types) present.push_back(type.name);
    return fail(
        fmt::format("job class `{}` runs on GPU type {}, but fleet `{}` has {}; add the type to the class "
                    "or the nodes to the fleet",
                    job_class.name, fmt::join(job_class.gpu_types, " or "), fleet.name,
                    present.empty() ? "none" : fmt::format("{}", fmt::join(present, ", "))));
  }
  const auto nodes_for = [](const Pool& pool, std::uint64_t size) {
    return static_cast<std::uint32_t>((size + pool.gpus_per_node - 1) / pool.gpus_per_node);
  };
  gpus = std::max(gpus, 1U);
  auto pool = std::find_if(pools.begin(), pools.end(),
                           [&](const Pool& each) { return nodes_for(each, gpus) <= each.nodes; });
  if (pool == pools.end()) {
    pool = std::max_element(pools.begin(), pools.end(),
                            [](const Pool& left, const Pool& right) { return left.gpus() < right.gpus(); });
    gpus = static_cast<std::uint32_t>(std::bit_floor(pool->gpus()));
  }
  Shape shape;
  shape.nodes = nodes_for(*pool, gpus);
  shape.gpus = shape.nodes == 1 ? std::min(gpus, pool->gpus_per_node) : pool->gpus_per_node;

  double cpu_milli = job_class.cpu_milli_per_gpu * shape.gpus;
  double memory_mib = job_class.memory_mib_per_gpu * shape.gpus;
  for (const Pool& other : pools) {
    if (!other.holds(shape.nodes, shape.gpus)) continue;
    if (shape.nodes > 1 && other.gpus_per_node != shape.gpus) continue;
    const NodeType& type = fleet.node_types[other.node_type];
    if (!job_class.gpu_types.empty()) shape.gpu_types |= std::uint64_t{1} << type.gpu_type;
    if (type.cpu_milli > 0) cpu_milli = std::min(cpu_milli, static_cast<double>(type.cpu_milli));
    if (type.memory_mib > 0) memory_mib = std::min(memory_mib, static_cast<double>(type.memory_mib));
  }
  shape.cpu_milli = static_cast<std::int64_t>(cpu_milli);
  shape.memory_mib = static_cast<std::int64_t>(memory_mib);
  set_level(job_class, fleet, *pool, shape);
  set_groups(job_class, fleet, *pool, shape);
  return shape;
}

}  // namespace gw::workload
