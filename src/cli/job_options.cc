// Job options to a JobSpec, by the readers that job files use.
#include "cli/job_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "spec/job_text.h"
#include "spec/unit_text.h"

extern char** environ;

namespace gw {
namespace {

/// `4`, `h100:4`, `0.5` of one.
Result<void> apply_gpus(const std::string& text, JobSpec& spec) {
  const std::size_t colon = text.find(':');
  const std::string count = colon == std::string::npos ? text : text.substr(colon + 1);
  if (colon != std::string::npos) spec.gpu_types = {text.substr(0, colon)};
  const std::optional<double> number = spec::parse_number(count);
  if (!number || *number < 0 || *number > 1e6 || (*number >= 1 && *number != std::floor(*number)))
    return fail(fmt::format(
        "--gpus {}: write a number of GPUs per node (4), a share of one (0.5), perhaps with a type "
        "(h100:4)",
        text));
  spec.gpus = 0;
  spec.gpu_milli = 0;
  if (*number > 0 && *number < 1) {
    spec.gpu_milli = static_cast<std::uint32_t>(std::lround(*number * 1000));
  } else {
    spec.gpus = static_cast<std::uint32_t>(*number);
  }
  return {};
}

/// `2h`, `90`, `1-12:00:00`: with a unit, or as Slurm writes times.
Result<Nanoseconds> parse_limit(const std::string& text) {
  if (const std::optional<double> amount = spec::parse_amount(text, spec::Unit::kNanoseconds);
      amount && *amount >= 1e9 && *amount < 4e18)
    return Nanoseconds{static_cast<std::int64_t>(*amount)};
  std::vector<std::int64_t> parts;
  std::int64_t days = 0;
  std::string rest = text;
  if (const std::size_t dash = rest.find('-'); dash != std::string::npos) {
    days = std::atoll(rest.substr(0, dash).c_str());
    rest = rest.substr(dash + 1);
  }
  const bool digits =
      !text.empty() && text.find_first_not_of("0123456789:-") == std::string::npos && text.size() < 20;
  for (std::size_t at = 0; at <= rest.size();) {
    const std::size_t colon = std::min(rest.find(':', at), rest.size());
    parts.push_back(std::atoll(rest.substr(at, colon - at).c_str()));
    at = colon + 1;
  }
  std::int64_t total = -1;
  if (digits && text.find('-') != std::string::npos) {  // days-hours[:minutes[:seconds]]
    if (parts.size() <= 3) {
      parts.resize(3);
      total = days * 86400 + parts[0] * 3600 + parts[1] * 60 + parts[2];
    }
  } else if (digits) {  // minutes, minutes:seconds, hours:minutes:seconds
    if (parts.size() == 1) total = parts[0] * 60;
    if (parts.size() == 2) total = parts[0] * 60 + parts[1];
    if (parts.size() == 3) total = parts[0] * 3600 + parts[1] * 60 + parts[2];
  }
  if (total <= 0 || total > 4'000'000'000)
    return fail(fmt::format(
        "--time {}: write 90s, 30min, 2h, 1d, or as Slurm does: minutes, hh:mm:ss, d-hh:mm", text));
  return seconds(total);
}

}  // namespace

void add_job_options(CLI::App& command, JobOptions& options) {
  command.add_option("-g,--gpus", options.gpus, "GPUs per node: 4, h100:4, or a share of one: 0.5")
      ->type_name("GPUS");
  command.add_option("--gpu-type", options.gpu_types, "Any of these GPU types; may be repeated")
      ->type_name("TYPE")
      ->expected(1)
      ->take_all();
  command.add_option("-N,--nodes", options.nodes, "Nodes (default: 1)")
      ->check(whole_number(1, 1'000'000))
      ->type_name("N");
  command.add_option("--tasks-per-node", options.tasks, "Processes per node (default: 1)")
      ->check(whole_number(1, 100'000))
      ->type_name("N");
  command.add_option("-c,--cpus", options.cpus, "CPUs per node (default: one a task where it has no GPUs)")
      ->check(number(0.001, 1e6))
      ->type_name("CPUS");
  command.add_option("-m,--mem", options.memory, "Memory per node: 16 GiB (default: not limited)")
      ->type_name("SIZE");
  command.add_option("-t,--time", options.time, "Time limit: 90s, 2h, 1-12:00 (default: the server's)")
      ->type_name("TIME");
  command.add_option("--tenant", options.tenant, "Whose job it is: org/project (default: the token's)")
      ->type_name("PATH");
  command.add_option("-J,--name", options.name, "What it is called (default: the command)")
      ->type_name("NAME");
  command
      .add_option("--within", options.level,
                  "Smallest part of the fabric that should hold all nodes, such as leaf")
      ->type_name("LEVEL");
  command.add_option("-a,--array", options.array, "Indices of a job array: 0-99, 1,3,5, 0-99%10")
      ->type_name("RANGES");
  command
      .add_option("-d,--depends", options.depends,
                  "Wait for another job: afterok:12, afterany:12, afternotok:12, after:12; may be repeated")
      ->type_name("KIND:JOB")
      ->expected(1)
      ->take_all();
  command.add_option("--begin", options.begin, "Not before this time, such as 2026-12-01T08:00:00Z")
      ->type_name("TIME");
  command.add_option("--signal", options.signal, "Signal before the limit: USR1@5min")
      ->type_name("SIGNAL@TIME");
  command.add_option("--priority", options.priority, "Larger is sooner")
      ->check(CLI::Range(-1'000'000, 1'000'000))
      ->type_name("N")
      ->each([&options](const std::string&) { options.priority_given = true; });
  command.add_option("-D,--chdir", options.workdir, "Folder to run in (default: this one)")->type_name("DIR");
  command
      .add_option("--export", options.export_names,
                  "Environment that the job gets: ALL (the default), NONE, or NAME,NAME=value,...")
      ->type_name("NAMES");
  command.add_option("-e,--env", options.environment, "Set a variable; may be repeated")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  command.add_option("--isolation", options.isolation, "How it is kept apart from the machine")
      ->check(CLI::IsMember({"none", "bubblewrap", "container"}));
  command.add_option("--image", options.image, "Run in a container of this image")->type_name("IMAGE");
  command.add_flag("--hold", options.hold, "Wait until gw release");
  command.add_flag("--no-requeue", options.no_requeue, "Do not run again after a failure of the machine");
  command.add_flag("--preemptible", options.preemptible, "May be stopped for others");
}

Result<void> apply_job_options(const JobOptions& options, JobSpec& spec) {
  if (!options.name.empty()) spec.name = options.name;
  if (!options.tenant.empty()) spec.tenant = options.tenant;
  if (!options.gpus.empty()) {
    if (Result<void> done = apply_gpus(options.gpus, spec); !done) return done;
    if (spec.nodes == 0) spec.nodes = 1;
  }
  if (!options.gpu_types.empty()) spec.gpu_types = options.gpu_types;
  if (options.nodes > 0) spec.nodes = options.nodes;
  if (options.tasks > 0) spec.tasks_per_node = options.tasks;
  if (!options.cpus.empty()) spec.cpu_milli = std::llround(std::atof(options.cpus.c_str()) * 1000);
  if (!options.memory.empty()) {
    const std::optional<double> mib = spec::parse_amount(options.memory, spec::Unit::kMebibytes);
    if (!mib || *mib < 1 || *mib > 1e12)
      return fail(
          fmt::format("--mem {}: write an amount with its unit, such as 16 GiB or 500MB", options.memory));
    spec.memory_mib = static_cast<std::int64_t>(std::ceil(*mib));
  }
  if (!options.time.empty()) {
    const Result<Nanoseconds> limit = parse_limit(options.time);
    if (!limit) return std::unexpected(limit.error());
    spec.limit = *limit;
  }
  if (!options.level.empty()) spec.level = options.level;
  if (!options.array.empty()) {
    Result<ArraySpec> array = spec::parse_array(options.array);
    if (!array) return fail(fmt::format("--array {}: {}", options.array, array.error().message));
    spec.array = std::move(*array);
  }
  for (const std::string& text : options.depends) {
    const Result<Dependency> dependency = spec::parse_dependency(text);
    if (!dependency) return fail(fmt::format("--depends {}: {}", text, dependency.error().message));
    spec.dependencies.push_back(*dependency);
  }
  if (!options.begin.empty()) {
    const Result<std::int64_t> begin = spec::parse_time_point(options.begin);
    if (!begin) return fail(fmt::format("--begin {}: {}", options.begin, begin.error().message));
    spec.begin_unix = *begin;
  }
  if (!options.signal.empty()) {
    const std::size_t at = options.signal.find('@');
    const Result<int> signal = spec::parse_signal(options.signal.substr(0, at));
    if (!signal) return fail(fmt::format("--signal {}: {}", options.signal, signal.error().message));
    spec.warning.signal = *signal;
    spec.warning.before = minutes(1);
    if (at != std::string::npos) {
      const std::optional<double> before =
          spec::parse_amount(options.signal.substr(at + 1), spec::Unit::kNanoseconds);
      if (!before || *before < 1e9 || *before > 4e18)
        return fail(fmt::format("--signal {}: write for example USR1@5min", options.signal));
      spec.warning.before = Nanoseconds{static_cast<std::int64_t>(*before)};
    }
  }
  if (options.priority_given) spec.priority = options.priority;
  if (!options.workdir.empty()) spec.working_folder = options.workdir;
  if (!options.image.empty()) {
    spec.image = options.image;
    spec.isolation = Isolation::kContainer;
  }
  if (options.isolation == "bubblewrap") spec.isolation = Isolation::kBubblewrap;
  if (options.isolation == "container") spec.isolation = Isolation::kContainer;
  if (options.isolation == "none") spec.isolation = Isolation::kNone;
  if (spec.isolation == Isolation::kContainer && spec.image.empty())
    return fail("--isolation container needs --image");
  if (options.hold) spec.hold = true;
  if (options.no_requeue) spec.requeue = false;
  if (options.preemptible) spec.preemptible = true;
  for (const std::string& pair : options.environment) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(fmt::format("--env {}: write NAME=VALUE", pair));
    std::erase_if(spec.environment, [&](const auto& each) { return each.first == pair.substr(0, equals); });
    spec.environment.emplace_back(pair.substr(0, equals), pair.substr(equals + 1));
  }
  std::sort(spec.environment.begin(), spec.environment.end());
  return {};
}

Result<void> add_environment(const std::string& export_names, JobSpec& spec) {
  std::map<std::string, std::string> variables;
  const auto is_name = [](std::string_view name) {
    return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
           std::all_of(name.begin(), name.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
           });
  };
  const auto own =
      [](std::string_view name) {  // Of this program and of the surroundings that the job leaves.
        return name.starts_with("GIGAWERK_") || name.starts_with("SLURM_") || name == "_" ||
               name == "SHLVL" || name == "OLDPWD" || name == "PWD";
      };
  bool all = export_names.empty();
  std::vector<std::string> wanted;
  for (std::size_t at = 0; at < export_names.size();) {
    const std::size_t comma = std::min(export_names.find(',', at), export_names.size());
    const std::string word = export_names.substr(at, comma - at);
    at = comma + 1;
    if (word == "ALL") {
      all = true;
    } else if (word != "NONE" && word != "NIL") {
      wanted.push_back(word);
    }
  }
  for (char** entry = environ; all && *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = pair.substr(0, equals);
    if (is_name(name) && !own(name)) variables[std::string(name)] = pair.substr(equals + 1);
  }
  for (const std::string& word : wanted) {
    const std::size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    if (!is_name(name))
      return fail(fmt::format("--export {}: \"{}\" is no variable's name", export_names, name));
    if (equals != std::string::npos) {
      variables[name] = word.substr(equals + 1);
    } else if (const char* value = std::getenv(name.c_str())) {
      variables[name] = value;
    }
  }
  for (const auto& [name, value] : spec.environment) variables[name] = value;
  spec.environment.assign(variables.begin(), variables.end());
  return {};
}

}  // namespace gw
