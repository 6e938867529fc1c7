// Changes of a request for people, for the command line and for programs.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>

#include "serve/advisor.h"
#include "spec/job_text.h"

namespace gw::serve {
namespace {

std::vector<std::string> type_names(const Fleet& fleet, std::uint64_t types) {
  std::vector<std::string> names;
  for (std::size_t type = 0; type < fleet.gpu_types.size(); ++type) {
    if (((types >> type) & 1U) != 0) names.push_back(fleet.gpu_types[type].name);
  }
  return names;
}

std::string count_text(std::int64_t count, std::string_view one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

/// `2 nodes with 8 GPUs each`.
std::string place_text(const Shape& shape) {
  return fmt::format("{} with {} each", count_text(shape.nodes, "node"), count_text(shape.gpus, "GPU"));
}

void add_size(const Shape& before, const Shape& after, ChangeWords& words) {
  if (after.nodes != before.nodes) {
    words.set["nodes"] = after.nodes;
    words.options = fmt::format("--nodes {}", after.nodes);
    words.text = fmt::format("{} instead of {}", count_text(after.nodes, "node"), before.nodes);
    if (before.gpus > 0)
      words.text += fmt::format(" ({} GPUs instead of {})", after.total_gpu_milli() / 1000,
                                before.total_gpu_milli() / 1000);
    return;
  }
  const char* where = before.nodes == 0 ? " in all" : before.nodes > 1 ? " on each node" : "";
  words.text = fmt::format("{} instead of {}{}", count_text(after.gpus, "GPU"), before.gpus, where);
  if (before.nodes == 0) {  // There is no option for it: the job file says so.
    words.set["gpus_anywhere"] = after.gpus;
    if (after.cpu_milli > 0) words.set["cpus"] = api::thousandths(after.cpu_milli);
    if (after.memory_mib > 0) words.set["memory"] = spec::memory_text(after.memory_mib);
    return;
  }
  words.set["gpus"] = after.gpus;
  words.options = fmt::format("--gpus {}", after.gpus);
}

}  // namespace

ChangeWords words_of(const Fleet& fleet, twin::ChangeKind kind, const JobRequest& before,
                     const JobRequest& after) {
  ChangeWords words;
  const Shape& shape = after.shape;
  switch (kind) {
    case twin::ChangeKind::kGpuTypes: {
      const std::vector<std::string> names = type_names(fleet, shape.gpu_types);
      words.set["gpu_types"] = names;
      for (const std::string& name : names)
        words.options += (words.options.empty() ? "--gpu-type " : " --gpu-type ") + name;
      words.text = fmt::format("{} too, not only {}",
                               fmt::join(type_names(fleet, shape.gpu_types & ~before.shape.gpu_types), ", "),
                               fmt::join(type_names(fleet, before.shape.gpu_types), ", "));
      return words;
    }
    case twin::ChangeKind::kLevel:
      words.set["within_required"] = false;
      words.text = fmt::format("within one {} preferred, not required", fleet.fabric[shape.level].level);
      return words;
    case twin::ChangeKind::kSpread:
      words.set["nodes"] = shape.nodes;
      words.set["gpus"] = shape.gpus;
      if (shape.cpu_milli > 0) words.set["cpus"] = api::thousandths(shape.cpu_milli);
      if (shape.memory_mib > 0) words.set["memory"] = spec::memory_text(shape.memory_mib);
      words.options = fmt::format("--nodes {} --gpus {}", shape.nodes, shape.gpus);
      if (shape.cpu_milli > 0)
        words.options += fmt::format(" --cpus {:g}", static_cast<double>(shape.cpu_milli) / 1000);
      if (shape.memory_mib > 0) words.options += fmt::format(" --mem {}M", shape.memory_mib);
      words.text = fmt::format("{} instead of {}", place_text(shape), place_text(before.shape));
      return words;
    case twin::ChangeKind::kPreemptible:
      words.set["preemptible"] = true;
      words.options = "--preemptible";
      words.text = "preemptible: it may be stopped for others";
      return words;
    case twin::ChangeKind::kZones: {
      const auto zone = static_cast<std::size_t>(std::countr_zero(shape.zones & ~before.shape.zones));
      words.text =
          fmt::format("also in {}, which its residency, excluded jurisdictions or certifications rule out",
                      fleet.zones[zone].name);
      return words;  // Which of its wishes to change, and how, is for its owner to say.
    }
    case twin::ChangeKind::kCpu:
      words.set["cpus"] = api::thousandths(shape.cpu_milli);
      words.options = fmt::format("--cpus {:g}", static_cast<double>(shape.cpu_milli) / 1000);
      words.text = fmt::format("{:g} CPUs instead of {:g}{}", static_cast<double>(shape.cpu_milli) / 1000,
                               static_cast<double>(before.shape.cpu_milli) / 1000,
                               shape.nodes > 1 ? " on each node" : "");
      return words;
    case twin::ChangeKind::kMemory:
      words.set["memory"] = spec::memory_text(shape.memory_mib);
      words.options = fmt::format("--mem {}M", shape.memory_mib);
      words.text =
          fmt::format("{} of memory instead of {}{}", spec::memory_text(shape.memory_mib),
                      spec::memory_text(before.shape.memory_mib), shape.nodes > 1 ? " on each node" : "");
      return words;
    case twin::ChangeKind::kLimit:
      words.set["limit"] = spec::span_text(after.limit);
      words.options = fmt::format("--time {}", spec::span_text(after.limit));
      words.text = fmt::format("a time limit of {} instead of {}", spec::span_text(after.limit),
                               spec::span_text(before.limit));
      return words;
    case twin::ChangeKind::kSize:
      add_size(before.shape, shape, words);
      return words;
  }
  return words;
}

}  // namespace gw::serve
