// What is asked for against the most there is: in the factory, in the zones that the law leaves, in a
// reservation.
#include "live/impossible.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <utility>

#include "sched/windows.h"
#include "spec/job_text.h"

namespace gw::live {
namespace {

constexpr std::size_t kMostNamed = 3;

std::string names_text(std::vector<std::string> names) {
  const std::size_t more = names.size() > kMostNamed ? names.size() - kMostNamed : 0;
  names.resize(names.size() - more);
  return fmt::format("{}{}", fmt::join(names, ", "), more == 0 ? "" : fmt::format(" and {} more", more));
}

std::string types_text(std::uint64_t types, const Fleet& fleet) {
  std::vector<std::string> names;
  for (std::size_t type = 0; type < fleet.gpu_types.size(); ++type) {
    if (((types >> type) & 1U) != 0) names.push_back(fleet.gpu_types[type].name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// What the shape asks for and the zones that are open to it do not have. `place`: what they are called.
std::string shortage(const Shape& shape, const Fleet& fleet, std::string_view place) {
  // Nodes by kind and zone: a gang runs inside one of these.
  std::map<std::pair<std::uint16_t, std::uint32_t>, std::uint32_t> pools;
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) {
    const std::uint32_t zone = fleet.zone_of(NodeId{node});
    if (allowed_zone(shape, zone)) ++pools[{fleet.node_type_of[node], zone}];
  }
  std::uint64_t gpus = 0;
  std::uint32_t most_gpus = 0, largest_pool = 0;
  std::int64_t most_cpu = 0, most_memory = 0;
  for (const auto& [kind, count] : pools) {
    const NodeType& type = fleet.node_types[kind.first];
    if (shape.gpu_types != 0 &&
        (type.gpu_type == NodeType::kNoGpu || ((shape.gpu_types >> type.gpu_type) & 1U) == 0))
      continue;
    largest_pool = std::max(largest_pool, count);
    gpus = std::max(gpus, std::uint64_t{count} * type.gpus);
    most_gpus = std::max(most_gpus, type.gpus);
    most_cpu = std::max(most_cpu, type.cpu_milli);
    most_memory = std::max(most_memory, type.memory_mib);
  }
  if (largest_pool == 0)
    return fmt::format("{} has no node with a GPU of the types asked for ({})", place,
                       types_text(shape.gpu_types, fleet));
  if (shape.gpu_milli != 0 && most_gpus == 0) return fmt::format("{} has no GPUs", place);
  if (shape.nodes == 0 && shape.gpus > gpus)
    return fmt::format("{} GPUs are asked for; {} has {} of one kind", shape.gpus, place, gpus);
  if (shape.nodes != 0 && shape.gpus > most_gpus)
    return most_gpus == 0 ? fmt::format("GPUs are asked for; {} has none that fit", place)
                          : fmt::format("{} GPUs per node are asked for; the largest node of {} has {}",
                                        shape.gpus, place, most_gpus);
  if (shape.nodes > largest_pool)
    return fmt::format("{} nodes are asked for; {} has {} of one kind", shape.nodes, place, largest_pool);
  if (shape.cpu_milli > most_cpu && most_cpu > 0)
    return fmt::format("{:g} CPUs per node are asked for; the largest node of {} has {:g}",
                       static_cast<double>(shape.cpu_milli) / 1000, place,
                       static_cast<double>(most_cpu) / 1000);
  if (shape.memory_mib > most_memory && most_memory > 0)
    return fmt::format("{} MiB of memory per node are asked for; the largest node of {} has {} MiB",
                       shape.memory_mib, place, most_memory);
  if (shape.level_required)
    return fmt::format(
        "no \"{}\" of {} is large enough; ask for fewer nodes or leave the level preferred, not required",
        fleet.fabric[shape.level].level, place);
  if (shape.segment_nodes > 1)
    return fmt::format("{} has no {} blocks of {} nodes inside one \"{}\" each", place,
                       shape.nodes / shape.segment_nodes, shape.segment_nodes,
                       fleet.fabric[shape.segment_level].level);
  if (shape.spread_required)
    return fmt::format("{} nodes cannot be spread evenly over the \"{}\" of {}", shape.nodes,
                       fleet.fabric[shape.spread_level].level, place);
  return fmt::format("no kind of node of {} has all of that: GPUs, CPUs and memory together", place);
}

/// The GPU types with which the shape would fit where it may be; 0: with none.
std::uint64_t types_that_fit(Shape shape, const Fleet& fleet, const sched::State& state) {
  std::uint64_t types = 0;
  for (std::size_t type = 0; type < fleet.gpu_types.size(); ++type) {
    shape.gpu_types = std::uint64_t{1} << type;
    if (state.could_ever_fit(shape)) types |= shape.gpu_types;
  }
  return types;
}

/// The zones that are open to the shape are too small for it, and some that are closed are not.
std::string closed_by_law(const Shape& shape, const Fleet& fleet, const sched::State& state,
                          const LawDecision& decision, const Law& law) {
  const auto called = [&](const Objection& objection) {
    return (objection.by == Objection::By::kRule ? "rule " : "the job's ") +
           LawDecision::name_of(objection, law);
  };
  std::vector<std::string> binding, open;
  std::size_t nearest = decision.seen.size();
  for (std::size_t zone = 0; zone < decision.seen.size(); ++zone) {
    const std::vector<Objection>& objections = decision.objections[zone];
    if (objections.empty()) {
      open.push_back(decision.seen[zone].name);
      continue;
    }
    Shape there = shape;
    there.zones = std::uint64_t{1} << zone;
    if (!state.could_ever_fit(there)) continue;
    for (const Objection& objection : objections) {
      if (const std::string name = called(objection);
          std::find(binding.begin(), binding.end(), name) == binding.end())
        binding.push_back(name);
    }
    if (nearest == decision.seen.size() || objections.size() < decision.objections[nearest].size())
      nearest = zone;
  }
  std::string text = fmt::format(
      "{} close{} to this job every zone that could hold it; {} of {} zones {} open "
      "({}), and {}",
      fmt::join(binding, " and "), binding.size() == 1 ? "s" : "", open.size(), decision.seen.size(),
      open.size() == 1 ? "is" : "are", names_text(open),
      shortage(shape, fleet, open.size() == 1 ? "that one" : "what is open"));
  const std::uint64_t types = shape.gpu_types == 0 ? 0 : types_that_fit(shape, fleet, state);
  text += types != 0 ? fmt::format(". Ask for GPUs of type {}", types_text(types, fleet))
                     : std::string(". Ask for less");
  if (nearest == decision.seen.size()) return text;
  const Objection& objection = decision.objections[nearest].front();
  const std::size_t others = decision.objections[nearest].size() - 1;
  return text + fmt::format("; or: zone {}, which could hold it, {}{} ({}). {}", decision.seen[nearest].name,
                            objection.text, others == 0 ? "" : fmt::format(" (and {} more)", others),
                            called(objection), objection.change);
}

std::optional<Refusal> impossible_in(const Shape& shape, const Fleet& fleet, const sched::State& state,
                                     const LawDecision& decision, const Law& law, std::string_view place,
                                     std::string_view code) {
  if (state.could_ever_fit(shape)) return std::nullopt;
  if (Shape anywhere = shape; shape.zones != 0) {
    anywhere.zones = 0;
    if (state.could_ever_fit(anywhere))
      return Refusal{422, "rule", closed_by_law(shape, fleet, state, decision, law)};
    // What it lacks it lacks everywhere.
    return Refusal{422, std::string(code), shortage(anywhere, fleet, place)};
  }
  return Refusal{422, std::string(code), shortage(shape, fleet, place)};
}

Partition part_of(const Partition& whole, const std::vector<std::uint32_t>& nodes) {
  Partition part{whole.level, {0}};
  std::uint32_t vertex = 0;
  for (std::uint32_t index = 0; index < nodes.size(); ++index) {
    const std::uint32_t before = vertex;
    while (whole.end(vertex) <= nodes[index]) ++vertex;
    if (index > 0 && vertex != before) part.first.push_back(index);
  }
  part.first.push_back(static_cast<std::uint32_t>(nodes.size()));
  return part;
}

}  // namespace

std::optional<Refusal> impossibility(const Shape& shape, const Fleet& fleet, const sched::State& state,
                                     const LawDecision& decision, const Law& law) {
  return impossible_in(shape, fleet, state, decision, law, "this factory", "impossible");
}

Fleet part_of_fleet(const Fleet& fleet, const std::vector<NodeRun>& nodes) {
  std::vector<std::uint32_t> all;
  for (const NodeRun& run : nodes) {
    for (std::uint32_t node = 0; node < run.count; ++node) all.push_back(run.first.value() + node);
  }
  Fleet part;
  part.gpu_types = fleet.gpu_types;
  part.node_types = fleet.node_types;
  part.zones = fleet.zones;
  for (const std::uint32_t node : all) {
    part.node_type_of.push_back(fleet.node_type_of[node]);
    if (!fleet.zone_of_node.empty()) part.zone_of_node.push_back(fleet.zone_of_node[node]);
  }
  for (const Partition& level : fleet.fabric) part.fabric.push_back(part_of(level, all));
  return part;
}

std::optional<Refusal> outside_reservation(const std::string& name, const WindowTerms& terms,
                                           const JobRequest& request, Instant earliest, const Fleet& fleet,
                                           const LawDecision& decision, const Law& law) {
  const std::optional<sched::Windows::Time> next = sched::Windows::time_at(terms, earliest);
  const auto refuse = [](std::string message) {
    return Refusal{422, "reservation_too_short", std::move(message)};
  };
  if (!next)
    return refuse(fmt::format(
        "reservation {} is over before this job may begin; leave out --begin, or --reservation", name));
  Nanoseconds longest = next->to - std::max(next->from, earliest);
  if (sched::Windows::time_at(terms, next->to)) longest = std::max(longest, terms.length);
  if (request.limit > longest)
    return refuse(
        fmt::format("the job's limit is {}; reservation {} lasts {}{}: ask for at most that (--time)",
                    spec::span_text(request.limit), name, spec::span_text(longest),
                    longest < terms.length ? " from then on" : ""));
  if (terms.nodes.empty()) return std::nullopt;  // A changed fleet has none of them any more.
  const Fleet part = part_of_fleet(fleet, terms.nodes);
  const sched::State state(part, PolicyConfig{});
  return impossible_in(request.shape, part, state, decision, law, fmt::format("reservation {}", name),
                       "reservation_too_small");
}

}  // namespace gw::live
