// Takes in sbatch's options one by one.
#include "spec/sbatch_builder.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <limits>

#include "spec/job_check.h"
#include "spec/job_text.h"

namespace gw::spec {

template <class T>
std::optional<T> SbatchBuilder::good(const SbatchUse& use, Result<T> value) {
  if (value) return std::move(*value);
  findings_.error(use.place, fmt::format("{}: {}", use.written(), value.error().message));
  return std::nullopt;
}

void SbatchBuilder::wish(Wished<std::int64_t>& wished, const SbatchUse& use, Result<std::int64_t> value) {
  if (const std::optional<std::int64_t> number = good(use, std::move(value))) wished = {*number, use};
}

void SbatchBuilder::wish(Wished<SbatchNodes>& wished, const SbatchUse& use, Result<SbatchNodes> value) {
  if (const std::optional<SbatchNodes> nodes = good(use, std::move(value))) wished = {*nodes, use};
}

void SbatchBuilder::wish(Wished<SbatchGpus>& wished, const SbatchUse& use, Result<SbatchGpus> value) {
  if (std::optional<SbatchGpus> gpus = good(use, std::move(value))) wished = {std::move(*gpus), use};
}

void SbatchBuilder::not_supported(const SbatchUse& use, std::string_view why) {
  findings_.unsupported(use.place, fmt::format("{} is not supported: {}", use.written(), why));
}

void SbatchBuilder::apply(const SbatchUse& use) {
  switch (use.option->id) {
    case SbatchId::kUnsupported:
      return not_supported(use, use.option->note);
    case SbatchId::kAccount:
    case SbatchId::kChdir:
    case SbatchId::kComment:
    case SbatchId::kError:
    case SbatchId::kExport:
    case SbatchId::kJobName:
    case SbatchId::kOpenMode:
    case SbatchId::kOutput:
      return apply_text(use);
    case SbatchId::kCpusPerGpu:
    case SbatchId::kCpusPerTask:
    case SbatchId::kGpus:
    case SbatchId::kGpusPerNode:
    case SbatchId::kGpusPerTask:
    case SbatchId::kGres:
    case SbatchId::kMem:
    case SbatchId::kMemPerCpu:
    case SbatchId::kMemPerGpu:
    case SbatchId::kNodes:
    case SbatchId::kNtasks:
    case SbatchId::kNtasksPerNode:
    case SbatchId::kExclusive:
    case SbatchId::kSegment:
    case SbatchId::kReservation:
    case SbatchId::kSpreadJob:
    case SbatchId::kSwitches:
    case SbatchId::kTresPerNode:
    case SbatchId::kTresPerTask:
      return apply_resources(use);
    case SbatchId::kArray:
    case SbatchId::kBegin:
    case SbatchId::kDependency:
    case SbatchId::kHold:
    case SbatchId::kNice:
    case SbatchId::kNoRequeue:
    case SbatchId::kPriority:
    case SbatchId::kRequeue:
    case SbatchId::kSignal:
    case SbatchId::kTime:
      return apply_times(use);
    case SbatchId::kHelp:
    case SbatchId::kIgnorePbs:
    case SbatchId::kParsable:
    case SbatchId::kQuiet:
    case SbatchId::kTestOnly:
    case SbatchId::kVerbose:
    case SbatchId::kVersion:
    case SbatchId::kWait:
    case SbatchId::kWrap:
      return apply_client(use);
  }
}

// --- Texts ---

void SbatchBuilder::apply_text(const SbatchUse& use) {
  switch (use.option->id) {
    case SbatchId::kAccount:
      set("tenant", use);
      job_.tenant = use.value;
      break;
    case SbatchId::kChdir:
      chdir(use);
      break;
    case SbatchId::kComment:
      set("comment", use);
      job_.comment = use.value;
      break;
    case SbatchId::kError:
      set("error", use);
      path(use, job_.error);
      break;
    case SbatchId::kExport:
      if (std::optional<SbatchExport> wanted = good(use, sbatch_export(use.value)))
        result_.environment = std::move(*wanted);
      break;
    case SbatchId::kJobName:
      set("name", use);
      job_.name = use.value;
      break;
    case SbatchId::kOpenMode:
      if (use.value.starts_with('t') || use.value.starts_with('T')) {
        not_supported(use,
                      "files are appended to, by each task and each try; put %j into the name, or begin the "
                      "script with `: > FILE`");
      } else if (!use.value.starts_with('a') && !use.value.starts_with('A')) {
        findings_.error(use.place, fmt::format("{}: write append", use.written()));
      }
      break;
    default:
      set("output", use);
      path(use, job_.output);
  }
}

/// A file name of --output or --error.
void SbatchBuilder::path(const SbatchUse& use, std::string& out) {
  out = use.value;
  if (use.value.empty()) findings_.error(use.place, fmt::format("--{} names no file", use.option->name));
  if (use.value.find('\\') != std::string_view::npos)
    findings_.error(use.place,
                    fmt::format("{}: backslashes in names of files are not supported", use.written()));
  if (!use.place.on_command_line &&
      (use.value.find('$') != std::string_view::npos || use.value.starts_with('~')))
    findings_.warning(
        use.place,
        fmt::format("{}: no shell reads `#SBATCH` lines, so $ and ~ stand for themselves", use.written()));
}

void SbatchBuilder::chdir(const SbatchUse& use) {
  set("working_folder", use);
  if (use.value.starts_with('/')) {
    job_.working_folder = use.value;
    return;
  }
  if (use.value.empty() || context_.working_folder.empty()) {
    findings_.error(use.place, fmt::format("{}: write an absolute path", use.written()));
    return;
  }
  if (!use.place.on_command_line && (use.value.starts_with('$') || use.value.starts_with('~'))) {
    findings_.error(
        use.place,
        fmt::format("{}: no shell reads `#SBATCH` lines, so $ and ~ stand for themselves; write an "
                    "absolute path",
                    use.written()));
    return;
  }
  const std::filesystem::path folder = std::filesystem::path(context_.working_folder) / use.value;
  job_.working_folder = folder.lexically_normal().string();
  if (job_.working_folder.size() > 1 && job_.working_folder.ends_with('/')) job_.working_folder.pop_back();
}

// --- Resources ---

void SbatchBuilder::apply_resources(const SbatchUse& use) {
  constexpr std::int64_t kMostTasks = std::int64_t{job_limits::kNodes} * job_limits::kTasksPerNode;
  constexpr std::int64_t kMostCpus = job_limits::kCpuMilli / 1000;
  switch (use.option->id) {
    case SbatchId::kNodes:
      return wish(nodes_, use, sbatch_nodes(use.value));
    case SbatchId::kNtasks:
      return wish(ntasks_, use, sbatch_count(use.value, 1, kMostTasks));
    case SbatchId::kNtasksPerNode:
      return wish(ntasks_per_node_, use, sbatch_count(use.value, 1, job_limits::kTasksPerNode));
    case SbatchId::kCpusPerTask:
      return wish(cpus_per_task_, use, sbatch_count(use.value, 1, kMostCpus));
    case SbatchId::kCpusPerGpu:
      return wish(cpus_per_gpu_, use, sbatch_count(use.value, 1, kMostCpus));
    case SbatchId::kGpus:
      return wish(gpus_, use, sbatch_gpus(use.value));
    case SbatchId::kGpusPerNode:
      return wish(gpus_per_node_, use, sbatch_gpus(use.value));
    case SbatchId::kGpusPerTask:
      return wish(gpus_per_task_, use, sbatch_gpus(use.value));
    case SbatchId::kGres:
    case SbatchId::kTresPerNode:
      return gres(use);
    case SbatchId::kTresPerTask:
      return tres_per_task(use);
    case SbatchId::kExclusive:
      if (!use.value.empty())
        return not_supported(use,
                             "only whole nodes are; `exclusive` in a job file names parts of the network");
      job_.exclusive_level = "node";
      return;
    case SbatchId::kSegment:
      if (const std::optional<std::int64_t> count = good(use, sbatch_count(use.value, 1, 1'000'000)))
        job_.segment_nodes = static_cast<std::uint32_t>(*count);
      return;
    case SbatchId::kReservation:
      if (use.value.find(',') != std::string::npos)
        return not_supported(use, "a job names one reservation; keep one of them");
      job_.reservation = use.value;
      return;
    case SbatchId::kSpreadJob:
      job_.spread_level = "leaf";
      return;
    case SbatchId::kSwitches: {
      const std::string_view value = use.value;
      const std::size_t at = value.find('@');
      const std::optional<std::int64_t> count = good(use, sbatch_count(value.substr(0, at), 0, 1'000'000));
      if (!count) return;
      if (*count != 1)
        return not_supported(use, "only 1 is; `within` in a job file names larger parts of the network");
      job_.level = "leaf";
      if (at != std::string_view::npos)
        findings_.warning(
            use.place, fmt::format("{}: the job takes what is nearest when it starts; it does not wait for "
                                   "one switch",
                                   use.written()));
      return;
    }
    default:
      return memory(use);
  }
}

void SbatchBuilder::gres(const SbatchUse& use) {
  if (use.value == "none") {
    gres_.reset();
    return;
  }
  Wished<SbatchGpus> found;
  for (const SbatchResource& resource : sbatch_resources(use.value)) {
    if (resource.name != "gpu") {
      not_supported(use, fmt::format("there is no resource \"{}\", only gpu", shown(resource.name)));
    } else if (found) {
      findings_.error(
          use.place,
          fmt::format("{}: a job's GPUs are all of one kind here; ask for one, or list alternatives "
                      "as `gpu_types` in a job file",
                      use.written()));
      return;
    } else {
      wish(found, use, resource.value.empty() ? SbatchGpus{} : sbatch_gpus(resource.value));
    }
  }
  if (found) gres_ = std::move(found);
}

void SbatchBuilder::tres_per_task(const SbatchUse& use) {
  for (const SbatchResource& resource : sbatch_resources(use.value)) {
    if (resource.name == "gpu") {
      wish(gpus_per_task_, use, resource.value.empty() ? SbatchGpus{} : sbatch_gpus(resource.value));
    } else if (resource.name == "cpu") {
      wish(cpus_per_task_, use, sbatch_count(resource.value, 1, job_limits::kCpuMilli / 1000));
    } else {
      not_supported(use, fmt::format("there is no resource \"{}\", only cpu and gpu", shown(resource.name)));
    }
  }
}

void SbatchBuilder::memory(const SbatchUse& use) {
  Wished<std::int64_t>& wished = use.option->id == SbatchId::kMem         ? mem_
                                 : use.option->id == SbatchId::kMemPerCpu ? mem_per_cpu_
                                                                          : mem_per_gpu_;
  wish(wished, use, sbatch_memory(use.value));
  if (!wished || wished->value != 0) return;
  wished.reset();
  not_supported(use, "all memory of a node cannot be asked for; say how much");
}

// --- Times and order ---

void SbatchBuilder::apply_times(const SbatchUse& use) {
  switch (use.option->id) {
    case SbatchId::kArray:
      if (std::optional<ArraySpec> array = good(use, parse_array(use.value))) job_.array = std::move(*array);
      break;
    case SbatchId::kBegin: {
      using std::chrono::system_clock;
      const std::int64_t now =
          context_.now_unix ? *context_.now_unix : system_clock::to_time_t(system_clock::now());
      if (const std::optional<std::int64_t> begin = good(use, sbatch_begin(use.value, now)))
        job_.begin_unix = begin;
      break;
    }
    case SbatchId::kDependency:
      dependencies(use);
      break;
    case SbatchId::kHold:
      job_.hold = true;
      break;
    case SbatchId::kNice:
      wish(nice_, use, use.has_value ? sbatch_count(use.value, -2147483645, 2147483645) : 100);
      break;
    case SbatchId::kNoRequeue:
      job_.requeue = false;
      break;
    case SbatchId::kPriority:
      if (use.value == "TOP" || use.value == "top") {
        not_supported(use, "a place in front of all others is the operator's to give");
      } else {
        wish(priority_, use, sbatch_count(use.value, 0, std::numeric_limits<std::int32_t>::max()));
      }
      break;
    case SbatchId::kRequeue:
      job_.requeue = true;
      if (use.has_value) not_supported(use, "a job that waits again keeps its place in the order");
      break;
    case SbatchId::kSignal:
      signal(use);
      break;
    default:
      set("limit", use);
      if (const std::optional<Nanoseconds> limit = good(use, sbatch_time(use.value))) job_.limit = *limit;
  }
}

void SbatchBuilder::dependencies(const SbatchUse& use) {
  const std::optional<SbatchDependencies> wanted = good(use, sbatch_dependencies(use.value));
  if (!wanted) return;
  set("depends", use);
  job_.dependencies = wanted->jobs;
  job_.any_dependency = wanted->any && !wanted->jobs.empty();
  for (const std::string& text : wanted->unsupported)
    not_supported(
        use, fmt::format("there is no dependency {}; write afterok, afternotok, afterany or after and the "
                         "numbers of whole jobs",
                         shown(text)));
}

void SbatchBuilder::signal(const SbatchUse& use) {
  const std::optional<SbatchSignal> wanted = good(use, sbatch_signal(use.value));
  if (!wanted) return;
  set("warning", use);
  job_.warning = {wanted->signal, seconds(wanted->before_s), !wanted->shell_only};
  if (!wanted->shell_only)
    findings_.warning(use.place,
                      fmt::format("{0}: the script's shell gets the signal too, which ends it unless it says "
                                  "for example `trap : {1}` or starts the program with exec",
                                  use.written(), signal_text(wanted->signal)));
  if (wanted->within_reservation)
    not_supported(use, "R: has no meaning, as reservations are made by Gigawerk itself");
}

// --- For the submitting program ---

void SbatchBuilder::apply_client(const SbatchUse& use) {
  SbatchClient& client = result_.client;
  switch (use.option->id) {
    case SbatchId::kIgnorePbs:
      ignores_pbs_ = true;
      break;
    case SbatchId::kParsable:
      client.parsable = true;
      break;
    case SbatchId::kQuiet:
      client.quiet = true;
      break;
    case SbatchId::kTestOnly:
      client.test_only = true;
      break;
    case SbatchId::kVerbose:
      client.verbose = true;
      break;
    case SbatchId::kVersion:
      client.version = true;
      break;
    case SbatchId::kWait:
      client.wait = true;
      break;
    case SbatchId::kWrap:
      if (use.place.on_command_line) {
        wrap_ = use;
      } else {
        findings_.error(use.place, "--wrap belongs on the command line; this is a script already");
      }
      break;
    default:
      client.help = true;
  }
}

}  // namespace gw::spec
