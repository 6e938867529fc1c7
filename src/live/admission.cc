// Names to numbers, and sentences about what is impossible.
#include "live/admission.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "model/exclusive.h"

namespace gw::live {
namespace {

constexpr std::size_t kMostTasks = 1'000'000;

std::vector<std::string> known_gpu_types(const Fleet& fleet) {
  std::vector<std::string> names;
  for (const GpuType& type : fleet.gpu_types) names.push_back(type.name);
  return names;
}

}  // namespace

std::expected<JobRequest, Refusal> request_of(const JobSpec& spec, const Fleet& fleet) {
  JobRequest request;
  Shape& shape = request.shape;
  shape.nodes = spec.nodes;
  shape.gpus = spec.gpus;
  shape.gpu_milli = spec.gpu_milli;
  shape.cpu_milli = spec.cpu_milli;
  shape.memory_mib = spec.memory_mib;
  for (const std::string& name : spec.gpu_types) {
    const auto at = std::find_if(fleet.gpu_types.begin(), fleet.gpu_types.end(),
                                 [&](const GpuType& type) { return type.name == name; });
    if (at == fleet.gpu_types.end())
      return std::unexpected(Refusal{
          422, "unknown_gpu_type",
          fleet.gpu_types.empty() ? fmt::format("this factory has no GPU type \"{}\": it has no GPUs", name)
                                  : fmt::format("this factory has no GPU type \"{}\"; it has: {}", name,
                                                fmt::join(known_gpu_types(fleet), ", "))});
    shape.gpu_types |= std::uint64_t{1} << (at - fleet.gpu_types.begin());
  }
  const auto level_of = [&](const std::string& name) -> std::expected<std::uint8_t, Refusal> {
    const int level = fleet.fabric_level(name);
    if (level >= 0) return static_cast<std::uint8_t>(level);
    std::vector<std::string> known;
    for (const Partition& each : fleet.fabric) known.push_back(each.level);
    return std::unexpected(Refusal{
        422, "unknown_level",
        fmt::format("this factory has no fabric level \"{}\"; it has: {}", name, fmt::join(known, ", "))});
  };
  if (spec.segment_nodes != 0) {
    const std::expected<std::uint8_t, Refusal> level =
        spec.segment_level.empty() ? std::uint8_t{0} : level_of(spec.segment_level);
    if (!level) return std::unexpected(level.error());
    shape.segment_nodes = spec.segment_nodes;
    shape.segment_level = *level;
  }
  if (!spec.spread_level.empty() && spec.spread_level != "node") {
    const auto level = level_of(spec.spread_level);
    if (!level) return std::unexpected(level.error());
    shape.spread_level = *level;
    shape.spread_required = spec.spread_required;
  }
  if (!spec.level.empty()) {
    const int level = fleet.fabric_level(spec.level);
    if (level < 0 && spec.level != "node") {
      std::vector<std::string> known{"node"};
      for (const Partition& each : fleet.fabric) known.push_back(each.level);
      return std::unexpected(Refusal{422, "unknown_level",
                                     fmt::format("this factory has no fabric level \"{}\"; it has: {}",
                                                 spec.level, fmt::join(known, ", "))});
    }
    if (level < 0 && spec.nodes > 1)
      return std::unexpected(
          Refusal{422, "impossible", fmt::format("{} nodes do not fit into one node", spec.nodes)});
    if (level >= 0) {
      shape.level = static_cast<std::uint8_t>(level);
      shape.level_required = spec.level_required;
    }
  }
  if (!spec.exclusive_level.empty()) {
    int level = -1;
    if (spec.exclusive_level != "node") {
      const auto found = level_of(spec.exclusive_level);
      if (!found) return std::unexpected(found.error());
      level = *found;
    }
    const Result<Shape> whole = exclusive_shape(shape, fleet, level);
    if (!whole) return std::unexpected(Refusal{422, "impossible", whole.error().message});
    shape = *whole;
  }
  if (spec.nodes_max != 0) {
    request.nodes_min = shape.nodes;
    request.nodes_max = spec.nodes_max;
  }
  request.limit = spec.limit;
  request.priority = spec.priority;
  request.checkpoint_interval = spec.checkpoint_interval;
  request.preemptible = spec.preemptible;
  request.keep_on_failure = spec.keep_on_failure;
  if (const std::string_view problem = sched::request_problem(request); !problem.empty())
    return std::unexpected(Refusal{422, "bad_request", std::string(problem)});
  return request;
}

std::optional<Refusal> impossibility(const Shape& shape, const Fleet& fleet, const sched::State& state) {
  if (state.could_ever_fit(shape)) return std::nullopt;
  if (Shape anywhere = shape; shape.zones != 0) {
    anywhere.zones = 0;
    if (state.could_ever_fit(anywhere))
      return Refusal{
          422, "rule",
          "no part of the factory where the rules allow this job is large enough for it; ask for "
          "fewer nodes or GPUs, or leave out a wish of its own (gw audit list says which rules narrow it)"};
  }
  // Which nodes come into question at all, and the most that one of them has.
  std::uint32_t nodes = 0;
  std::uint64_t gpus = 0;
  std::uint32_t most_gpus = 0;
  std::int64_t most_cpu = 0, most_memory = 0;
  std::vector<std::uint32_t> count(fleet.node_types.size());
  for (const std::uint16_t type : fleet.node_type_of) ++count[type];
  std::uint32_t largest_pool = 0;
  for (std::size_t index = 0; index < count.size(); ++index) {
    const NodeType& type = fleet.node_types[index];
    if (count[index] == 0) continue;
    if (shape.gpu_types != 0 &&
        (type.gpu_type == NodeType::kNoGpu || ((shape.gpu_types >> type.gpu_type) & 1U) == 0))
      continue;
    nodes += count[index];
    largest_pool = std::max(largest_pool, count[index]);
    gpus = std::max(gpus, std::uint64_t{count[index]} * type.gpus);
    most_gpus = std::max(most_gpus, type.gpus);
    most_cpu = std::max(most_cpu, type.cpu_milli);
    most_memory = std::max(most_memory, type.memory_mib);
  }
  const auto refuse = [](std::string message) { return Refusal{422, "impossible", std::move(message)}; };
  if (nodes == 0) return refuse("this factory has no node with a GPU of the types asked for");
  if (shape.gpu_milli != 0 && most_gpus == 0) return refuse("this factory has no GPUs");
  if (shape.nodes == 0 && shape.gpus > gpus)
    return refuse(fmt::format("{} GPUs are asked for; there are {} of one kind", shape.gpus, gpus));
  if (shape.nodes != 0 && shape.gpus > most_gpus)
    return refuse(most_gpus == 0 ? std::string("GPUs are asked for; this factory has none that fit")
                                 : fmt::format("{} GPUs per node are asked for; the largest node has {}",
                                               shape.gpus, most_gpus));
  if (shape.nodes > largest_pool)
    return refuse(fmt::format("{} nodes are asked for; there are {} of one kind", shape.nodes, largest_pool));
  if (shape.cpu_milli > most_cpu && most_cpu > 0)
    return refuse(fmt::format("{:g} CPUs per node are asked for; the largest node has {:g}",
                              static_cast<double>(shape.cpu_milli) / 1000,
                              static_cast<double>(most_cpu) / 1000));
  if (shape.memory_mib > most_memory && most_memory > 0)
    return refuse(fmt::format("{} MiB of memory per node are asked for; the largest node has {} MiB",
                              shape.memory_mib, most_memory));
  if (shape.level_required)
    return refuse(
        fmt::format("no \"{}\" of this factory is large enough; ask for fewer nodes or leave the level "
                    "preferred, not required",
                    fleet.fabric[shape.level].level));
  if (shape.segment_nodes > 1)
    return refuse(fmt::format("this factory has no {} blocks of {} nodes inside one \"{}\" each",
                              shape.nodes / shape.segment_nodes, shape.segment_nodes,
                              fleet.fabric[shape.segment_level].level));
  if (shape.spread_required)
    return refuse(fmt::format("{} nodes cannot be spread evenly over the \"{}\" of this factory", shape.nodes,
                              fleet.fabric[shape.spread_level].level));
  return refuse("no kind of node here has all of that: GPUs, CPUs and memory together");
}

std::expected<std::vector<std::uint32_t>, Refusal> array_indices(const ArraySpec& array) {
  std::vector<std::uint32_t> indices;
  for (const ArrayRange& range : array.ranges) {
    if (range.step == 0 || range.last < range.first)
      return std::unexpected(Refusal{422, "bad_array", "a range of the array makes no sense"});
    if ((std::uint64_t{range.last} - range.first) / range.step + 1 + indices.size() > kMostTasks)
      return std::unexpected(
          Refusal{422, "bad_array", fmt::format("an array may have at most {} tasks", kMostTasks)});
    for (std::uint64_t index = range.first; index <= range.last; index += range.step)
      indices.push_back(static_cast<std::uint32_t>(index));
  }
  std::sort(indices.begin(), indices.end());
  if (indices.empty()) return std::unexpected(Refusal{422, "bad_array", "the array has no tasks"});
  if (const auto twice = std::adjacent_find(indices.begin(), indices.end()); twice != indices.end())
    return std::unexpected(
        Refusal{422, "bad_array", fmt::format("index {} stands twice in the array", *twice)});
  return indices;
}

}  // namespace gw::live
