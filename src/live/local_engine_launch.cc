// Launch records.
#include "live/local_engine_launch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "live/job_environment.h"
#include "live/job_output_pattern.h"
#include "live/local_engine_isolation.h"

namespace gw::live {
namespace {

using supervise::LaunchRecord;
using supervise::TaskRecord;
using Variables = std::vector<std::pair<std::string, std::string>>;

class RecordBuilder {
 public:
  RecordBuilder(const Launch& launch, const LaunchRules& rules, const LaunchSite& site)
      : launch_(launch), spec_(*launch.spec), rules_(rules), site_(site) {}

  Result<LaunchRecord> build() {
    if (Result<void> checked = check(); !checked) return std::unexpected(std::move(checked.error()));
    record_.job = launch_.id.job;
    record_.attempt = launch_.id.attempt;
    record_.identity = launch_.identity;
    record_.mark = site_.mark;
    record_.working_folder = spec_.working_folder;
    record_.separate_error = rules_.separate_error;
    record_.segment_bytes = rules_.segment_bytes;
    record_.output_cap_bytes = rules_.output_cap_bytes;
    set_command();
    set_times();
    set_account();
    set_limits();
    if (Result<void> set = set_tool(); !set) return std::unexpected(std::move(set.error()));
    const std::uint32_t nodes =
        spec_.launch == LaunchKind::kFirstNode ? 1 : static_cast<std::uint32_t>(launch_.nodes.size());
    const std::uint32_t per_node = spec_.launch == LaunchKind::kFirstNode ? 1 : spec_.tasks_per_node;
    for (std::uint32_t node = 0; node < nodes; ++node) {
      for (std::uint32_t rank = 0; rank < per_node; ++rank) {
        if (Result<void> added = add_task(node, rank); !added)
          return std::unexpected(std::move(added.error()));
      }
    }
    return std::move(record_);
  }

 private:
  static bool has_zero(const std::string& text) { return text.find('\0') != std::string::npos; }

  /// A zero byte would end the text where others think that it goes on.
  Result<void> check() const {
    if (launch_.nodes.empty() || spec_.tasks_per_node == 0) return fail("the job has no tasks");
    if (spec_.script.empty() && (spec_.command.empty() || spec_.command.front().empty()))
      return fail("the job has no command");
    if (!spec_.script.empty() && !spec_.script.starts_with("#!"))
      return fail("the script does not begin with #! and the path of its interpreter");
    bool zero = has_zero(spec_.working_folder) || has_zero(spec_.output) || has_zero(spec_.error) ||
                has_zero(spec_.image) || has_zero(spec_.name) || has_zero(launch_.user);
    for (const std::string& argument : spec_.command) zero = zero || has_zero(argument);
    for (const std::string& argument : spec_.arguments) zero = zero || has_zero(argument);
    if (zero) return fail("a zero byte stands in the job's command, its folders or its names");
    if (!spec_.working_folder.empty() && !spec_.working_folder.starts_with('/'))
      return fail(fmt::format("the working folder '{}' does not begin with /", spec_.working_folder));
    return {};
  }

  void set_command() {
    if (spec_.script.empty()) {
      record_.command = spec_.command;
    } else {
      record_.command = {(site_.folder / supervise::kScriptFile).string()};
    }
    record_.command.insert(record_.command.end(), spec_.arguments.begin(), spec_.arguments.end());
  }

  void set_times() {
    record_.limit_ns = std::max<std::int64_t>(launch_.limit.count(), 1);
    record_.grace_ns = std::max<std::int64_t>(spec_.grace.count(), 0);
    record_.warning_signal = spec_.warning.signal;
    record_.warning_before_ns = std::max<std::int64_t>(spec_.warning.before.count(), 0);
    record_.warn_every_process = spec_.warning.whole_group;
  }

  void set_account() {
    record_.change_user = site_.change_user;
    if (!site_.change_user) return;
    record_.user = site_.account.user;
    record_.group = site_.account.group;
    record_.groups = site_.account.groups;
    record_.no_new_privileges = rules_.no_new_privileges;
  }

  void set_limits() {
    const std::int64_t cpu_milli = total_cpu_milli(launch_);
    const std::int64_t memory_mib = total_memory_mib(launch_);
    const ControlGroups& groups = site_.groups;
    record_.open_files = site_.open_files;
    if (!groups.folder.empty()) {
      record_.control_group =
          (groups.folder / fmt::format("gw-{}.{}.{}", launch_.id.job, launch_.id.attempt, site_.mark))
              .string();
    }
    if (cpu_milli > 0 && groups.cpu) {
      constexpr std::int64_t kPeriodUs = 100'000;
      record_.cpu_max =
          fmt::format("{} {}", std::max<std::int64_t>(cpu_milli * kPeriodUs / 1000, 1000), kPeriodUs);
    } else {
      record_.cores = site_.cores;
    }
    if (memory_mib > 0) {
      record_.memory_bytes = static_cast<std::uint64_t>(memory_mib) << 20;
      record_.memory_by_group = groups.memory;
      if (!groups.memory)
        record_.note = fmt::format(
            "memory is limited for each process and looked at once a second for the job "
            "as a whole: {}",
            groups.missing);
    }
    record_.processes_max = rules_.processes_max;
    record_.processes_by_group = groups.processes;
  }

  [[nodiscard]] std::string inner_working_folder() const {
    return spec_.working_folder.empty() ? (site_.folder / supervise::kWorkFolder).string()
                                        : spec_.working_folder;
  }

  Result<void> set_tool() {
    if (spec_.isolation == Isolation::kBubblewrap) {
      tool_ = find_program(rules_.bubblewrap);
      if (tool_.empty())
        return fail(
            "the job wants a view of its own, but bwrap is not on this machine; install the package "
            "bubblewrap");
      record_.reach = supervise::SignalReach::kBelowTasks;
    } else if (spec_.isolation == Isolation::kContainer) {
      container_ = ContainerTool::kPodman;
      tool_ = find_program("podman");
      if (tool_.empty()) {
        container_ = ContainerTool::kDocker;
        tool_ = find_program("docker");
      }
      if (tool_.empty())
        return fail(
            "the job runs in a container, but neither podman nor docker is on this machine; install "
            "the package podman");
      record_.reach = supervise::SignalReach::kTasksOnly;
      // The container has the limit, not its client.
      record_.memory_bytes = 0;
      record_.note.clear();
      if (container_ == ContainerTool::kDocker && site_.change_user) {
        // docker's client asks a server that is root's: it is told the account, and files that it opened
        // itself would be opened by root.
        record_.change_user = false;
        if (!spec_.output.empty() || !spec_.error.empty())
          return fail(
              "with docker, a job under another account cannot name output files of its own; leave "
              "them out, or install the package podman");
      }
    }
    return {};
  }

  [[nodiscard]] JobPlace place() const {
    JobPlace place;
    place.account = site_.account.name;
    place.home = spec_.isolation == Isolation::kNone ? site_.account.home : inner_working_folder();
    place.shell = site_.account.shell;
    place.working_folder = inner_working_folder();
    place.mark = site_.mark;
    place.machine_gpus = static_cast<std::uint32_t>(rules_.gpus.size());
    for (const LocalGpu& gpu : rules_.gpus) place.gpu_names.push_back(gpu.name);
    place.end_unix =
        (site_.now_unix_ns + std::min(launch_.limit.count(), days(36'500).count())) / kNanosecondsPerSecond;
    return place;
  }

  [[nodiscard]] std::string file_of(const std::string& pattern, std::uint32_t node,
                                    std::uint32_t rank) const {
    OutputPatternValues values;
    values.job = launch_.id.job;
    values.array_job = launch_.array_job;
    values.array_index = launch_.array_index.value_or(0);
    values.name = spec_.name;
    values.node = launch_.nodes.front().node;
    values.user = launch_.user;
    values.rank = node * spec_.tasks_per_node + rank;
    return expand_output_pattern(pattern, values);
  }

  Result<void> add_task(std::uint32_t node, std::uint32_t rank) {
    TaskRecord task;
    if (!spec_.output.empty()) task.output = file_of(spec_.output, node, rank);
    if (!spec_.error.empty()) task.error = file_of(spec_.error, node, rank);
    Variables variables = job_environment(launch_, place(), node, rank);
    if (spec_.isolation != Isolation::kNone) {
      if (Result<void> put = isolate(task, variables, node, rank); !put) return put;
      variables = tool_variables();
    }
    std::vector<std::string> environment;
    for (const auto& [name, value] : variables) environment.push_back(name + '=' + value);
    if (record_.tasks.empty()) {
      record_.environment = std::move(environment);
    } else {  // The same names in the same order: only values differ.
      for (std::size_t index = 0; index < environment.size(); ++index) {
        if (environment[index] != record_.environment[index])
          task.environment.emplace_back(index, std::move(environment[index]));
      }
    }
    record_.tasks.push_back(std::move(task));
    return {};
  }

  /// For the tool itself, which runs outside of what it builds: nothing that the job's owner has chosen.
  [[nodiscard]] Variables tool_variables() const {
    Variables variables = {{"GIGAWERK_MARK", site_.mark},
                           {"HOME", site_.account.home},
                           {"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}};
    if (site_.change_user)
      variables.emplace_back("XDG_RUNTIME_DIR", fmt::format("/run/user/{}", site_.account.user));
    return variables;
  }

  Result<void> isolate(TaskRecord& task, const Variables& variables, std::uint32_t node, std::uint32_t rank) {
    IsolatedTask inner;
    inner.command = record_.command;
    inner.environment = variables;
    inner.working_folder = inner_working_folder();
    if (!spec_.script.empty()) inner.script = (site_.folder / supervise::kScriptFile).string();
    const std::uint64_t mask = launch_.nodes[node].gpu_mask;
    for (std::uint32_t index = 0; index < 64; ++index) {
      if ((mask >> index & 1U) != 0)
        inner.gpu_devices.push_back(index < rules_.gpus.size() ? rules_.gpus[index].device : index);
    }
    if (spec_.isolation == Isolation::kBubblewrap) {
      ViewOptions options;
      options.tool = tool_;
      options.read_only_folders = rules_.read_only_folders;
      options.writable_folders = rules_.writable_folders;
      options.network = rules_.network;
      options.shared_memory = spec_.tasks_per_node * launch_.nodes.size() > 1;
      IsolatedCommand view = view_command(inner, options);
      task.command = std::move(view.command);
      task.input = std::move(view.input);
      return {};
    }
    // Where programs and the home are, the image says, unless the job's owner has.
    std::erase_if(inner.environment, [&](const auto& variable) {
      const bool image_knows =
          variable.first == "PATH" || variable.first == "HOME" || variable.first == "SHELL";
      return image_knows && std::none_of(spec_.environment.begin(), spec_.environment.end(),
                                         [&](const auto& its) { return its.first == variable.first; });
    });
    ContainerOptions options;
    options.kind = container_;
    options.tool = tool_;
    options.name = fmt::format("gw-{}-{}-{}-{}", launch_.id.job, launch_.id.attempt,
                               node * spec_.tasks_per_node + rank, site_.mark.substr(0, 8));
    options.image = spec_.image;
    options.gpus = visible_gpus(mask, place().gpu_names);
    options.cpu_milli = launch_.nodes[node].cpu_milli / spec_.tasks_per_node;
    options.memory_mib = launch_.nodes[node].memory_mib / spec_.tasks_per_node;
    options.processes_max = rules_.processes_max;
    options.set_user = site_.change_user;
    options.user = site_.account.user;
    options.group = site_.account.group;
    Result<IsolatedCommand> container = container_command(inner, options);
    if (!container) return std::unexpected(std::move(container.error()));
    task.command = std::move(container->command);
    task.input = std::move(container->input);
    record_.cleanup.push_back(container_cleanup(options));
    return {};
  }

  const Launch& launch_;
  const JobSpec& spec_;
  const LaunchRules& rules_;
  const LaunchSite& site_;
  LaunchRecord record_;
  std::string tool_;
  ContainerTool container_ = ContainerTool::kPodman;
};

}  // namespace

namespace {

std::int64_t total(const Launch& launch, std::int64_t NodeShare::* share) {
  std::int64_t sum = 0;
  for (const NodeShare& node : launch.nodes) {
    if (node.*share <= 0) return 0;  // Without a limit on one, there is none on all.
    sum += node.*share;
  }
  return sum;
}

}  // namespace

std::int64_t total_cpu_milli(const Launch& launch) { return total(launch, &NodeShare::cpu_milli); }
std::int64_t total_memory_mib(const Launch& launch) { return total(launch, &NodeShare::memory_mib); }

Result<supervise::LaunchRecord> make_launch_record(const Launch& launch, const LaunchRules& rules,
                                                   const LaunchSite& site) {
  return RecordBuilder(launch, rules, site).build();
}

}  // namespace gw::live
