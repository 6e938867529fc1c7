// Works out what a batch script needs on each node: nodes, tasks, GPUs, cores and memory depend on each
// other.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "spec/job_check.h"
#include "spec/sbatch_builder.h"

namespace gw::spec {

namespace {

/// Nodes with more GPUs are rare: who asks for more without saying how many nodes may not mean one.
constexpr std::int64_t kUsualGpusPerNode = 8;

}  // namespace

void SbatchBuilder::finish() {
  command_line_wins();
  nodes_and_tasks();
  if (findings_.errors() == 0) gpus();
  if (findings_.errors() == 0) cpus();
  if (findings_.errors() == 0) memory_in_all();
  priority();
  if (findings_.errors() > 0) return;
  for (const JobProblem& problem : check_job(job_)) report(problem.key, problem.message);
}

/// Where several options count the same thing, those of the command line replace the script's.
void SbatchBuilder::command_line_wins() {
  const auto prefer = [](auto&... wished) {
    const bool on_command_line = ((wished && wished->use.place.on_command_line) || ...);
    const auto drop = [](auto& one) {
      if (one && !one->use.place.on_command_line) one.reset();
    };
    if (on_command_line) (drop(wished), ...);
  };
  prefer(mem_, mem_per_cpu_, mem_per_gpu_);
  prefer(gpus_, gpus_per_node_, gpus_per_task_, gres_);
  prefer(cpus_per_task_, cpus_per_gpu_);
}

/// Tasks in all, where an option says so, else 0.
std::int64_t SbatchBuilder::tasks_in_all() {
  if (ntasks_) return ntasks_->value;
  if (ntasks_per_node_ || !gpus_ || !gpus_per_task_ || gpus_per_task_->value.count == 0) return 0;
  if (gpus_->value.count % gpus_per_task_->value.count == 0)
    return gpus_->value.count / gpus_per_task_->value.count;
  findings_.error(gpus_->use.place, fmt::format("{} is no multiple of {}", gpus_->use.written(),
                                                gpus_per_task_->use.written()));
  return 0;
}

void SbatchBuilder::nodes_and_tasks() {
  const std::int64_t tasks = tasks_in_all();
  const SbatchUse* const said = ntasks_ ? &ntasks_->use
                                : gpus_ ? &gpus_->use
                                        : nullptr;  // Where `tasks` stems from.
  std::int64_t nodes = nodes_ ? nodes_->value.least : 1;
  const bool range = nodes_ && nodes_->value.most > nodes;
  std::int64_t per_node = ntasks_per_node_ ? ntasks_per_node_->value : 1;
  if (nodes_) set("nodes", nodes_->use);
  if (range) set("nodes_max", nodes_->use);
  if (ntasks_per_node_) set("tasks_per_node", ntasks_per_node_->use);
  if (tasks > 0) {
    if (!ntasks_per_node_) set("tasks_per_node", *said);
    if (range) {
      findings_.error(said->place,
                      fmt::format("{} does not say how many are on each of {}; write {}", said->written(),
                                  nodes_->use.written(), ntasks_ ? "--ntasks-per-node" : "--gpus-per-node"));
    } else if (nodes_ && tasks % nodes != 0) {
      findings_.error(said->place,
                      fmt::format("{} does not spread evenly over {} nodes; write --ntasks-per-node",
                                  said->written(), nodes));
    } else if (nodes_ && ntasks_per_node_ && tasks / nodes > per_node) {
      findings_.error(said->place, fmt::format("{} does not fit on {} nodes with {}", said->written(), nodes,
                                               ntasks_per_node_->use.written()));
    } else if (nodes_) {
      per_node = tasks / nodes;
    } else if (ntasks_per_node_ && tasks > per_node) {
      if (tasks % per_node != 0)
        findings_.error(said->place, fmt::format("{} does not fill whole nodes with {}; say --nodes too",
                                                 said->written(), ntasks_per_node_->use.written()));
      nodes = tasks / per_node;
      set("nodes", *said);
    } else {
      per_node = tasks;
      if (tasks > 1 && !ntasks_per_node_)
        findings_.warning(said->place,
                          fmt::format("{} without --nodes is planned on one node; say --nodes to spread it",
                                      said->written()));
    }
  }
  job_.nodes =
      static_cast<std::uint32_t>(std::min<std::int64_t>(nodes, std::numeric_limits<std::uint32_t>::max()));
  if (range) job_.nodes_max = static_cast<std::uint32_t>(nodes_->value.most);
  job_.tasks_per_node =
      static_cast<std::uint32_t>(std::min<std::int64_t>(per_node, std::numeric_limits<std::uint32_t>::max()));
}

// --- GPUs ---

void SbatchBuilder::gpus() {
  gpus_of(gpus_per_node_, gpus_per_node_ ? std::optional(gpus_per_node_->value.count) : std::nullopt);
  gpus_of(gres_, gres_ ? std::optional(gres_->value.count) : std::nullopt);
  if (gpus_per_task_) {
    gpus_of(gpus_per_task_,
            product("gpus", gpus_per_task_->use, gpus_per_task_->value.count, job_.tasks_per_node));
  }
  if (!gpus_) return;
  const std::int64_t count = gpus_->value.count;
  if (job_.nodes_max != 0) {
    findings_.error(gpus_->use.place,
                    fmt::format("{} does not say how many are on each of {}; write --gpus-per-node",
                                gpus_->use.written(), nodes_->use.written()));
    return;
  }
  if (count % job_.nodes != 0) {
    findings_.error(gpus_->use.place,
                    fmt::format("{} does not spread evenly over {} nodes; write --gpus-per-node",
                                gpus_->use.written(), job_.nodes));
    return;
  }
  if (job_.nodes == 1 && !nodes_ && count > job_limits::kGpusPerNode) {
    findings_.error(gpus_->use.place,
                    fmt::format("{} without --nodes is planned on one node, which has at most {}; say "
                                "--nodes too",
                                gpus_->use.written(), job_limits::kGpusPerNode));
    return;
  }
  if (job_.nodes == 1 && !nodes_ && count > kUsualGpusPerNode)
    findings_.warning(gpus_->use.place,
                      fmt::format("{} without --nodes is planned on one node; say --nodes to spread it",
                                  gpus_->use.written()));
  gpus_of(gpus_, count / job_.nodes);
}

/// Takes in that `wished` asks for so many GPUs on each node, which must be what others ask for.
void SbatchBuilder::gpus_of(const Wished<SbatchGpus>& wished, std::optional<std::int64_t> per_node) {
  if (!wished || !per_node) return;
  const std::string& type = wished->value.type;
  if (!counted_gpus_) {
    counted_gpus_ = wished->use;
    set("gpus", wished->use);
    set("gpu_types", wished->use);
    job_.gpus = static_cast<std::uint32_t>(
        std::min<std::int64_t>(*per_node, std::numeric_limits<std::uint32_t>::max()));
  } else if (*per_node != std::int64_t{job_.gpus}) {
    findings_.error(wished->use.place,
                    fmt::format("{} asks for {} GPUs on each node, {} for {}; keep one",
                                wished->use.written(), *per_node, counted_gpus_->written(), job_.gpus));
  }
  if (type.empty()) return;
  if (!job_.gpu_types.empty() && job_.gpu_types.front() != type) {
    findings_.error(wished->use.place, fmt::format("{} asks for another type of GPU than {}; keep one",
                                                   wished->use.written(), counted_gpus_->written()));
  }
  job_.gpu_types = {type};
}

// --- Cores and memory ---

/// a * b, or the largest number after reporting that it is too much.
std::int64_t SbatchBuilder::product(std::string_view key, const SbatchUse& use, std::int64_t a,
                                    std::int64_t b) {
  std::int64_t result = 0;
  if (!__builtin_mul_overflow(a, b, &result)) return result;
  findings_.error(use.place,
                  fmt::format("{} comes to more \"{}\" on each node than there can be", use.written(), key));
  return std::numeric_limits<std::int64_t>::max();
}

void SbatchBuilder::cpus() {
  if (cpus_per_task_ && cpus_per_gpu_) {
    findings_.error(cpus_per_gpu_->use.place,
                    "--cpus-per-task and --cpus-per-gpu exclude each other; keep one");
    return;
  }
  std::int64_t cores = 0;
  if (cpus_per_task_) {
    set("cpus", cpus_per_task_->use);
    cores = product("cpus", cpus_per_task_->use, cpus_per_task_->value, job_.tasks_per_node);
  } else if (cpus_per_gpu_) {
    set("cpus", cpus_per_gpu_->use);
    if (job_.gpus == 0)
      findings_.error(cpus_per_gpu_->use.place,
                      fmt::format("{} needs GPUs; say --gpus-per-node too", cpus_per_gpu_->use.written()));
    cores = product("cpus", cpus_per_gpu_->use, cpus_per_gpu_->value, job_.gpus);
  } else if (job_.gpus == 0 && (ntasks_ || ntasks_per_node_) &&
             std::uint64_t{job_.nodes} * job_.tasks_per_node > 1) {
    cores = job_.tasks_per_node;  // As in Slurm, where no one says otherwise. With GPUs, one core would be a
                                  // trap.
  }
  if (findings_.errors() > 0) return;
  const SbatchUse* const use = cpus_per_task_  ? &cpus_per_task_->use
                               : cpus_per_gpu_ ? &cpus_per_gpu_->use
                                               : nullptr;
  job_.cpu_milli = use != nullptr ? product("cpus", *use, cores, 1000) : cores * 1000;
}

void SbatchBuilder::memory_in_all() {
  const bool too_many = mem_ ? mem_per_cpu_ || mem_per_gpu_ : mem_per_cpu_ && mem_per_gpu_;
  if (too_many) {
    const SbatchUse& last = mem_per_gpu_ ? mem_per_gpu_->use : mem_per_cpu_ ? mem_per_cpu_->use : mem_->use;
    findings_.error(last.place, "--mem, --mem-per-cpu and --mem-per-gpu exclude each other; keep one");
    return;
  }
  if (mem_) {
    set("memory", mem_->use);
    job_.memory_mib = mem_->value;
  } else if (mem_per_cpu_) {
    set("memory", mem_per_cpu_->use);
    const std::int64_t cores = job_.cpu_milli > 0 ? job_.cpu_milli / 1000 : job_.tasks_per_node;
    job_.memory_mib = product("memory", mem_per_cpu_->use, mem_per_cpu_->value, cores);
  } else if (mem_per_gpu_) {
    set("memory", mem_per_gpu_->use);
    if (job_.gpus == 0)
      findings_.error(mem_per_gpu_->use.place,
                      fmt::format("{} needs GPUs; say --gpus-per-node too", mem_per_gpu_->use.written()));
    job_.memory_mib = product("memory", mem_per_gpu_->use, mem_per_gpu_->value, job_.gpus);
  }
}

// --- The rest ---

void SbatchBuilder::priority() {
  if (!priority_ && !nice_) return;
  const std::int64_t value = (priority_ ? priority_->value : 0) - (nice_ ? nice_->value : 0);
  if (value < std::numeric_limits<std::int32_t>::min() || value > std::numeric_limits<std::int32_t>::max()) {
    findings_.error(
        nice_ ? nice_->use.place : priority_->use.place,
        fmt::format("a priority of {} is out of range: it must be from {} to {}", value,
                    std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
    return;
  }
  job_.priority = static_cast<std::int32_t>(value);
}

/// A problem of the finished job, at the option that set that key.
void SbatchBuilder::report(const std::string& key, const std::string& message) {
  const std::string_view outer = std::string_view(key).substr(0, key.find('.'));
  for (auto place = places_.rbegin(); place != places_.rend(); ++place) {
    if (place->first != outer) continue;
    findings_.error(place->second.place, fmt::format("{}: {}", place->second.written(), message));
    return;
  }
  findings_.error({}, message);
}

}  // namespace gw::spec
