// Rounds shapes up to whole nodes and whole parts of the fabric.
#include "model/exclusive.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <tuple>
#include <vector>

namespace gw {
namespace {

/// The nodes of one kind in the largest vertices of a level.
struct Whole {
  std::uint32_t nodes = 0;
  bool mixed = false;  ///< Such a vertex has nodes of other kinds too.
};

Whole largest_vertex(const Fleet& fleet, std::uint16_t type, const Partition& level) {
  Whole largest;
  for (std::uint32_t vertex = 0; vertex < level.vertices(); ++vertex) {
    std::uint32_t nodes = 0;
    for (std::uint32_t node = level.begin(vertex); node < level.end(vertex); ++node)
      nodes += fleet.node_type_of[node] == type;
    if (nodes == 0 || nodes < largest.nodes) continue;
    const bool mixed = nodes < level.end(vertex) - level.begin(vertex);
    largest = {nodes, mixed || (nodes == largest.nodes && largest.mixed)};
  }
  return largest;
}

bool holds(const NodeType& type, const Shape& shape) {
  const bool of_type = shape.gpu_types == 0 ||
                       (type.gpu_type != NodeType::kNoGpu && ((shape.gpu_types >> type.gpu_type) & 1U) != 0);
  return of_type && shape.gpus <= type.gpus && (type.cpu_milli == 0 || shape.cpu_milli <= type.cpu_milli) &&
         (type.memory_mib == 0 || shape.memory_mib <= type.memory_mib);
}

}  // namespace

Result<Shape> exclusive_shape(const Shape& shape, const Fleet& fleet, int level) {
  std::vector<std::uint32_t> count(fleet.node_types.size());
  for (const std::uint16_t type : fleet.node_type_of) ++count[type];
  bool any_without = false;  // Are there nodes without GPUs?
  for (std::size_t type = 0; type < count.size(); ++type)
    any_without |= count[type] > 0 && fleet.node_types[type].gpus == 0;
  std::optional<std::tuple<std::uint64_t, std::uint64_t, Shape>> best;
  std::string why = "no kind of node of this fleet has what is asked for on each node";
  for (std::uint16_t index = 0; index < fleet.node_types.size(); ++index) {
    const NodeType& type = fleet.node_types[index];
    if (count[index] == 0 || !holds(type, shape)) continue;
    if (shape.gpus == 0 && type.gpus > 0 && any_without) continue;  // GPUs are too dear for that.
    Shape whole = shape;
    whole.gpus = type.gpus;
    whole.cpu_milli = type.cpu_milli > 0 ? type.cpu_milli : shape.cpu_milli;
    whole.memory_mib = type.memory_mib > 0 ? type.memory_mib : shape.memory_mib;
    if (type.gpus == 0 && type.cpu_milli == 0 && type.memory_mib == 0) {
      why = "nodes whose GPUs, CPUs and memory are not counted cannot be kept from others";
      continue;
    }
    if (type.gpus > 0 && type.gpu_type != NodeType::kNoGpu)
      whole.gpu_types = std::uint64_t{1} << type.gpu_type;
    Whole vertex;
    if (level >= 0) {
      vertex = largest_vertex(fleet, index, fleet.fabric[static_cast<std::size_t>(level)]);
      if (vertex.mixed) {
        why = fmt::format("a \"{}\" of this fleet has nodes of several kinds, and a job runs on one",
                          fleet.fabric[static_cast<std::size_t>(level)].level);
        continue;
      }
      whole.nodes = (shape.nodes + vertex.nodes - 1) / vertex.nodes * vertex.nodes;
      whole.segment_nodes = vertex.nodes;
      whole.segment_level = static_cast<std::uint8_t>(level);
    }
    bool only = true;
    for (std::uint16_t other = 0; other < fleet.node_types.size() && only; ++other) {
      const NodeType& each = fleet.node_types[other];
      if (other == index || count[other] == 0 || !holds(each, whole)) continue;
      only =
          each.gpus == type.gpus && (each.gpus > 0 || each.cpu_milli == type.cpu_milli) &&
          (level < 0 ||
           largest_vertex(fleet, other, fleet.fabric[static_cast<std::size_t>(level)]).nodes == vertex.nodes);
    }
    if (!only) {
      why =
          shape.gpus > 0
              ? "larger nodes would do as well and be shared; name the GPU type of the smaller ones"
              : "larger nodes would do as well and be shared; ask for as many CPUs as only the largest have";
      continue;
    }
    const std::uint64_t gpus = std::uint64_t{whole.nodes} * whole.gpus;
    if (!best || std::pair<std::uint64_t, std::uint64_t>{gpus, whole.nodes} <
                     std::pair{std::get<0>(*best), std::get<1>(*best)})
      best = {gpus, whole.nodes, whole};
  }
  if (!best) return fail("exclusive: " + why);
  return std::get<2>(*best);
}

}  // namespace gw
