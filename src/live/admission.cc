// Names to numbers.
#include "live/admission.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "model/exclusive.h"
#include "sched/events.h"

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
