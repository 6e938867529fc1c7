// The rules of a JobSpec, in the order of the keys of its file.
#include "spec/job_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "spec/described.h"
#include "spec/job_text.h"

namespace gw::spec {

std::string default_job_name(const JobSpec& job) {
  if (job.command.empty()) return "script";
  std::string_view program = job.command.front();
  program.remove_prefix(program.rfind('/') + 1);  // From 0 where there is none.
  if (program.empty() || program.size() > job_limits::kNameBytes || !is_text(Text::kLine, program))
    return "job";
  return std::string(program);
}

namespace {

namespace limits = job_limits;

class JobCheck {
 public:
  explicit JobCheck(const JobSpec& job) : job_(job) {}

  std::vector<JobProblem> run() {
    names();
    what_runs();
    environment();
    files();
    resources();
    times();
    others();
    return std::move(problems_);
  }

 private:
  void problem(std::string_view key, std::string message) {
    problems_.push_back({std::string(key), std::move(message)});
  }

  /// Says `"key" message` where `good` is false; gives `good`.
  template <class... Parts>
  bool need(bool good, std::string_view key, fmt::format_string<const Parts&...> message,
            const Parts&... parts) {
    if (!good) problem(key, fmt::format("\"{}\" {}", key, fmt::format(message, parts...)));
    return good;
  }

  bool text(std::string_view key, std::string_view value, Text kind, std::size_t bytes_max) {
    if (value.empty()) return true;
    if (!need(is_utf8(value), key, "is not UTF-8")) return false;
    return need(is_text(kind, value), key, "{}", text_wanted(kind)) &&
           need(value.size() <= bytes_max, key, "has {} bytes; at most {} are allowed", value.size(),
                bytes_max);
  }

  void names() {
    text("name", job_.name, Text::kLine, limits::kNameBytes);
    text("tenant", job_.tenant, Text::kTenantPath, limits::kPathBytes);
    text("comment", job_.comment, Text::kAny, limits::kCommentBytes);
  }

  void words(std::string_view key, const std::vector<std::string>& all) {
    need(all.size() <= limits::kWords, key, "has {} words; at most {} are allowed", all.size(),
         limits::kWords);
    std::size_t bytes = 0;
    for (const std::string& word : all) {
      bytes += word.size() + 1;
      if (!text(key, word, Text::kAny, word.size())) return;
    }
    need(bytes <= limits::kWordsBytes, key,
         "has {} bytes in all; at most {} are allowed. Put long texts into files", bytes,
         limits::kWordsBytes);
  }

  void what_runs() {
    if (job_.command.empty() && job_.script.empty()) {
      problem("command", "the job has nothing to run; write `command: [program, argument]` or `script:`");
    } else if (!job_.command.empty() && !job_.script.empty()) {
      problem("script", "\"command\" and \"script\" exclude each other; keep one");
    }
    if (!job_.command.empty()) {
      need(!job_.command.front().empty(), "command", "begins with an empty text; name a program");
      words("command", job_.command);
    }
    if (!job_.script.empty()) script();
    if (!job_.arguments.empty()) {
      need(!job_.script.empty(), "arguments", "belong to a script; write a command's into \"command\"");
      words("arguments", job_.arguments);
    }
  }

  void script() {
    if (!text("script", job_.script, Text::kAny, limits::kScriptBytes)) return;
    std::string_view first = job_.script;
    first = first.substr(0, first.find('\n'));
    if (!need(first.starts_with("#!") && first.find_first_not_of(" \t", 2) != std::string_view::npos,
              "script", "must begin with `#!` and an interpreter, for example `#!/bin/bash`"))
      return;
    need(!first.ends_with('\r'), "script",
         "has Windows line ends, which no interpreter finds; convert it with dos2unix");
  }

  void environment() {
    std::size_t bytes = 0;
    const std::string* before = nullptr;
    for (const auto& [name, value] : job_.environment) {
      if (!need(is_text(Text::kVariable, name), "environment", "has a name that {}",
                text_wanted(Text::kVariable)))
        return;
      if (!is_utf8(value) || !is_text(Text::kAny, value) ||
          name.size() + 1 + value.size() > limits::kVariableBytes) {
        text("environment." + name, value, Text::kAny, limits::kVariableBytes - name.size() - 1);
        return;
      }
      if (before != nullptr &&
          !need(*before < name, "environment", "must be in ascending order of names, each once"))
        return;
      before = &name;
      bytes += name.size() + value.size() + 2;
    }
    need(bytes <= limits::kEnvironmentBytes, "environment", "has {} bytes in all; at most {} are allowed",
         bytes, limits::kEnvironmentBytes);
  }

  void files() {
    if (text("working_folder", job_.working_folder, Text::kLine, limits::kPathBytes))
      need(job_.working_folder.empty() || job_.working_folder.front() == '/', "working_folder",
           "must be an absolute path: it begins with `/`");
    for (const auto& [key, pattern] :
         {std::pair<std::string_view, const std::string&>{"output", job_.output},
          std::pair<std::string_view, const std::string&>{"error", job_.error}}) {
      if (!text(key, pattern, Text::kLine, limits::kPathBytes)) continue;
      if (const std::string wrong = check_file_pattern(pattern); !wrong.empty())
        need(false, key, "{}", wrong);
    }
    text("image", job_.image, Text::kLine, limits::kImageBytes);
    if (job_.isolation == Isolation::kContainer)
      need(!job_.image.empty(), "image", "is missing: `isolation: container` needs one");
    else
      need(job_.image.empty(), "image", "needs `isolation: container`");
  }

  void resources() {
    const bool anywhere = job_.nodes == 0;
    if (anywhere) {
      need(job_.gpus >= 1 && job_.gpus <= limits::kGpusAnywhere, "gpus_anywhere",
           "must be a whole number from 1 to {}", limits::kGpusAnywhere);
      need(job_.gpu_milli == 0, "gpu_share", "is of one GPU; leave \"gpus_anywhere\" out");
      need(job_.tasks_per_node == 1, "tasks_per_node",
           "needs nodes that are equal; write \"nodes\" and \"gpus\" in place of \"gpus_anywhere\"");
    } else {
      need(job_.nodes <= limits::kNodes, "nodes", "must be a whole number from 1 to {}", limits::kNodes);
      need(job_.gpus <= limits::kGpusPerNode, "gpus", "must be a whole number from 0 to {} for each node",
           limits::kGpusPerNode);
    }
    if (job_.nodes_max != 0) {
      need(!anywhere, "nodes_max", "needs \"nodes\", the least that it can do with");
      need(job_.nodes_max > job_.nodes && job_.nodes_max <= limits::kNodes, "nodes_max",
           "must be a whole number from {} to {}", job_.nodes + std::uint64_t{1}, limits::kNodes);
      need(job_.gpu_milli == 0, "nodes_max", "excludes \"gpu_share\"; keep one");
      need(job_.segment_nodes == 0 && job_.spread_level.empty(), "nodes_max",
           "excludes \"segment\" and \"spread\": how such nodes lie depends on their number");
      need(job_.exclusive_level.empty() || job_.exclusive_level == "node", "nodes_max",
           "excludes \"exclusive\" parts of the network; `exclusive: node` will do");
      need(job_.requeue || job_.checkpoint_interval.count() == 0, "nodes_max",
           "needs \"requeue\" where it keeps checkpoints: it leaves and comes back to change its size");
    }
    if (job_.gpu_milli != 0) {
      need(job_.gpu_milli < 1000, "gpu_share", "must be from 0.001 to 0.999");
      need(job_.gpus == 0, "gpu_share", "excludes \"gpus\"; keep one");
      need(job_.nodes == 1, "gpu_share", "is of one GPU, so \"nodes\" must be 1");
    }
    gpu_types();
    need(job_.cpu_milli >= 0 && job_.cpu_milli <= limits::kCpuMilli, "cpus", "must be from 0 to {}",
         limits::kCpuMilli / 1000);
    need(job_.memory_mib >= 0 && job_.memory_mib <= limits::kMemoryMib, "memory", "must be from 0 to 1 EiB");
    need(job_.tasks_per_node >= 1 && job_.tasks_per_node <= limits::kTasksPerNode, "tasks_per_node",
         "must be a whole number from 1 to {}", limits::kTasksPerNode);
    text("within", job_.level, Text::kName, limits::kPathBytes);
    need(!job_.level_required || !job_.level.empty(), "within_required", "needs \"within\"");
    lie_of_nodes();
    legal_names("residency", job_.law.residency);
    legal_names("excluded_jurisdictions", job_.law.excluded_jurisdictions);
    legal_names("certifications", job_.law.certifications);
    legal_names("data", job_.law.data);
  }

  void legal_names(std::string_view key, const std::vector<std::string>& names) {
    if (!need(names.size() <= limits::kLegalNames, key, "must have at most {} items", limits::kLegalNames))
      return;
    for (auto name = names.begin(); name != names.end(); ++name) {
      if (!need(is_text(Text::kName, *name), key, "{}", text_wanted(Text::kName))) return;
      need(std::find(names.begin(), name, *name) == name, key, "has \"{}\" twice; keep one", *name);
    }
  }

  /// How its nodes lie to one another.
  void lie_of_nodes() {
    const bool gang = job_.nodes != 0 && job_.gpu_milli == 0;
    text("reservation", job_.reservation, Text::kName, limits::kPathBytes);
    text("segment_level", job_.segment_level, Text::kName, limits::kPathBytes);
    text("exclusive", job_.exclusive_level, Text::kName, limits::kPathBytes);
    text("spread", job_.spread_level, Text::kName, limits::kPathBytes);
    need(job_.segment_level.empty() || job_.segment_nodes != 0, "segment_level", "needs \"segment\"");
    need(!job_.spread_required || !job_.spread_level.empty(), "spread_required", "needs \"spread\"");
    need(job_.spread_level.empty() || job_.segment_nodes == 0, "spread", "excludes \"segment\"; keep one");
    need(job_.spread_level.empty() || gang, "spread", "needs \"nodes\" to spread");
    if (job_.segment_nodes != 0 && need(gang, "segment", "needs \"nodes\" that form blocks"))
      need(job_.nodes % job_.segment_nodes == 0, "segment", "must divide the {} nodes", job_.nodes);
    const bool whole = !job_.exclusive_level.empty();
    need(!whole || gang, "exclusive", "needs \"nodes\"");
    if (whole && job_.exclusive_level != "node") {
      need(job_.segment_nodes == 0, "exclusive", "makes blocks itself; leave \"segment\" out");
      need(job_.spread_level.empty(), "exclusive", "excludes \"spread\"; keep one");
    }
    need(!job_.keep_on_failure || job_.requeue, "keep_on_failure", "needs \"requeue\"");
  }

  void gpu_types() {
    if (job_.gpu_types.empty()) return;
    need(job_.gpus != 0 || job_.gpu_milli != 0, "gpu_types", "needs GPUs; write \"gpus\" too");
    if (!need(job_.gpu_types.size() <= limits::kGpuTypes, "gpu_types", "must have at most {} items",
              limits::kGpuTypes))
      return;
    for (auto type = job_.gpu_types.begin(); type != job_.gpu_types.end(); ++type) {
      if (!need(is_text(Text::kName, *type), "gpu_types", "{}", text_wanted(Text::kName))) return;
      need(std::find(job_.gpu_types.begin(), type, *type) == type, "gpu_types", "has \"{}\" twice; keep one",
           *type);
    }
  }

  void span(std::string_view key, Nanoseconds value, std::int64_t low, std::int64_t high) {
    if (value.count() % kNanosecondsPerSecond == 0 && value >= seconds(low) && value <= seconds(high)) return;
    need(false, key, "must be whole seconds from {} to {}", span_text(seconds(low)),
         span_text(seconds(high)));
  }

  void times() {
    span("limit", job_.limit, 0, limits::kLongestSeconds);
    span("grace", job_.grace, 0, limits::kLongestGraceSeconds);
    span("checkpoint_interval", job_.checkpoint_interval, 0, limits::kLongestSeconds);
    if (job_.warning.signal == 0) {
      need(job_.warning == WarningSignal{}, "warning.signal", "is missing");
    } else {
      need(is_signal(job_.warning.signal), "warning.signal", "is none that a process may be sent");
      span("warning.before", job_.warning.before, 1, limits::kLongestSeconds);
      need(job_.limit.count() == 0 || job_.warning.before < job_.limit, "warning.before",
           "must be shorter than the job's limit");
    }
    if (job_.begin_unix)
      need(*job_.begin_unix >= 0 && *job_.begin_unix <= kLastTimePoint, "begin",
           "must be a time from 1970 to 9999");
    if (job_.deadline_unix)
      need(*job_.deadline_unix >= 0 && *job_.deadline_unix <= kLastTimePoint, "deadline",
           "must be a time from 1970 to 9999");
    need(!job_.flexible || job_.deadline_unix.has_value(), "flexible", "needs \"deadline\"");
  }

  void others() {
    if (job_.array) array(*job_.array);
    need(job_.dependencies.size() <= limits::kDependencies, "depends",
         "must have at most {} items; wait for an array in place of its tasks", limits::kDependencies);
    for (const Dependency& dependency : job_.dependencies) {
      if (!need(dependency.job >= 1 && dependency.job <= kLargestJobNumber, "depends",
                "must name jobs by number, from 1"))
        break;
    }
    need(!job_.any_dependency || !job_.dependencies.empty(), "depends_any", "needs \"depends\"");
  }

  void array(const ArraySpec& array) {
    bool good = need(!array.ranges.empty(), "array", "has no tasks");
    for (const ArrayRange& range : array.ranges) {
      good = good && need(range.last <= kLargestArrayIndex && range.first <= range.last && range.step >= 1 &&
                              range == normal_range(range),
                          "array", "has a range that does not end on one of its own indices");
    }
    if (!good) return;
    const std::uint64_t tasks = array_tasks(array);
    if (!need(tasks <= kMostArrayTasks, "array", "has more than {} tasks; split it", kMostArrayTasks)) return;
    need(array.most_running <= kMostArrayTasks, "array", "lets at most {} tasks run at a time",
         kMostArrayTasks);
    if (const std::int64_t twice = repeated_index(array); twice >= 0)
      need(false, "array", "has task index {} twice; keep one", twice);
  }

  const JobSpec& job_;
  std::vector<JobProblem> problems_;
};

}  // namespace

std::vector<JobProblem> check_job(const JobSpec& job) { return JobCheck(job).run(); }

}  // namespace gw::spec
