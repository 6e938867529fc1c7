// Job options to a JobSpec, by the readers that job files use.
#include "cli/job_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <filesystem>
#include <map>
#include <utility>

#include "cli/job_values.h"
#include "spec/job_text.h"
#include "spec/sbatch_values.h"
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
  if (colon == 0 || !number || *number < 0 || *number > 1e6 ||
      (*number >= 1 && *number != std::floor(*number)))
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

/// The value, or an Error that begins with the option as it was written.
template <class T>
Result<T> named(std::string_view option, std::string_view text, Result<T> value) {
  if (value) return value;
  return fail(fmt::format("{} {}: {}", option, text, value.error().message));
}

}  // namespace

void add_job_options(CLI::App& command, JobOptions& options) {
  command.add_option("-g,--gpus", options.gpus, "GPUs per node: 4, h100:4, or a share of one: 0.5")
      ->type_name("GPUS");
  command.add_option("--gpu-type", options.gpu_types, "Any of these GPU types; may be repeated")
      ->type_name("TYPE")
      ->expected(1)
      ->take_all();
  command
      .add_option(
          "-N,--nodes", options.nodes,
          "Nodes (default: 1); 4-16: as many of these as are free; one number leaves the nodes_max of a "
          "job file")
      ->type_name("N");
  command.add_option("--tasks-per-node", options.tasks, "Processes per node (default: 1)")
      ->check(whole_number(1, 100'000))
      ->type_name("N");
  command.add_option("-c,--cpus", options.cpus, "CPUs per node (default: one a task where it has no GPUs)")
      ->check(number(0.001, 1e6))
      ->type_name("CPUS");
  command.add_option("-m,--mem", options.memory, "Memory per node: 16G, 1.5 GiB (default: not limited)")
      ->type_name("SIZE");
  command
      .add_option("-t,--time", options.time,
                  "Time limit: 90s, 2h, 1-12:00, 30 (minutes) (default: the server's)")
      ->type_name("TIME");
  command.add_option("--tenant", options.tenant, "Whose job it is: org/project (default: the token's)")
      ->type_name("PATH");
  command.add_option("-J,--name", options.name, "What it is called (default: the command)")
      ->type_name("NAME");
  command
      .add_option("--within", options.level,
                  "Smallest part of the fabric that should hold all nodes, such as leaf")
      ->type_name("LEVEL");
  command
      .add_option("--spread", options.spread,
                  "Keep the nodes apart at this level of the fabric, for replicas")
      ->type_name("LEVEL");
  command.add_option("--reservation", options.reservation, "Run in this reservation, and nowhere else")
      ->type_name("NAME");
  command.add_option("-a,--array", options.array, "Indices of a job array: 0-99, 1,3,5, 0-99%10")
      ->type_name("RANGES");
  command
      .add_option("-d,--depends", options.depends,
                  "Wait for other jobs: afterok:12:13, afterany:12, afternotok:12, after:12; may be repeated")
      ->type_name("KIND:JOB")
      ->expected(1)
      ->take_all();
  command
      .add_option("--begin", options.begin, "Not before this time: 2026-12-01T08:00:00Z, now+1hour, 16:00")
      ->type_name("TIME");
  command
      .add_option("--deadline", options.deadline,
                  "It should have ended by then: 2026-12-02T08:00:00Z, now+12hours; what is late goes on")
      ->type_name("TIME");
  command.add_flag("--flexible", options.flexible,
                   "It may wait for a cheaper or greener hour, as far as its deadline allows");
  command.add_option("--signal", options.signal, "Signal before the limit: USR1@5min, USR1@60 (seconds)")
      ->type_name("SIGNAL@TIME");
  command.add_option("--priority", options.priority, "Larger is sooner")
      ->check(CLI::Range(-1'000'000, 1'000'000))
      ->type_name("N")
      ->each([&options](const std::string&) { options.priority_given = true; });
  command.add_option("-D,--chdir", options.workdir, "Folder to run in (default: this one)")->type_name("DIR");
  command
      .add_option("--export", options.export_names,
                  "Environment that the job gets: ALL (the default of commands and scripts; of job files: "
                  "NONE), or NAME,NAME=value,...")
      ->type_name("NAMES");
  command.add_option("-e,--env", options.environment, "Set a variable; may be repeated")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all();
  command.add_option("--isolation", options.isolation, "How it is kept apart from the machine")
      ->check(CLI::IsMember({"none", "bubblewrap", "container"}));
  command.add_option("--image", options.image, "Run in a container of this image")->type_name("IMAGE");
  const auto add_names = [&](const char* name, std::vector<std::string>& names, const char* help,
                             const char* type) {
    command.add_option(name, names, help)->type_name(type)->delimiter(',')->expected(1)->take_all();
  };
  add_names("--residency", options.residency,
            "Where code, data, checkpoints and outputs may be: EU, or DE,FR,CH", "COUNTRIES");
  add_names("--exclude-jurisdiction", options.excluded_jurisdictions, "Not on sites that answer to these: US",
            "COUNTRIES");
  add_names("--certification", options.certifications, "Only on sites that have all of these: bsi-c5",
            "NAMES");
  add_names("--data-class", options.data, "Classes of its data, for the factory's rules: personal", "NAMES");
  command.add_flag("--hold", options.hold, "Wait until gw release");
  command.add_flag("--no-requeue", options.no_requeue, "Do not run again after a failure of the machine");
  command.add_flag("--keep-on-failure", options.keep_on_failure,
                   "Where a node fails, keep the others and go on with a spare one near them");
  command.add_flag("--preemptible", options.preemptible, "May be stopped for others");
  command
      .add_option(
          "--checkpoint-interval", options.checkpoint_interval,
          "How often it saves what it needs to go on: 30min; one with a range of nodes then gets more or "
          "fewer while it runs")
      ->type_name("TIME");
}

Result<void> apply_job_options(const JobOptions& options, JobSpec& spec, bool keeps_most) {
  if (!options.name.empty()) spec.name = options.name;
  if (!options.tenant.empty()) spec.tenant = options.tenant;
  if (!options.gpus.empty()) {
    if (Result<void> done = apply_gpus(options.gpus, spec); !done) return done;
    if (spec.nodes == 0) spec.nodes = 1;
  }
  if (!options.gpu_types.empty()) spec.gpu_types = options.gpu_types;
  if (!options.nodes.empty()) {
    const Result<spec::SbatchNodes> nodes =
        named("--nodes", options.nodes, spec::sbatch_nodes(options.nodes));
    if (!nodes) return std::unexpected(nodes.error());
    spec.nodes = static_cast<std::uint32_t>(nodes->least);
    const bool one_number = options.nodes.find('-') == std::string::npos;
    if (!one_number || !keeps_most) {
      spec.nodes_max = nodes->most > nodes->least ? static_cast<std::uint32_t>(nodes->most) : 0;
    } else if (spec.nodes_max != 0 && spec.nodes > spec.nodes_max) {
      return fail(
          fmt::format("--nodes {0}: the file says nodes_max: {1}, and a job that takes what is free has its "
                      "least in nodes; write --nodes {0}-{2} for another range, --nodes {0}-{0} for exactly "
                      "{0}",
                      spec.nodes, spec.nodes_max, std::uint64_t{2} * spec.nodes));
    } else if (spec.nodes == spec.nodes_max) {
      spec.nodes_max = 0;
    }
  }
  if (!options.checkpoint_interval.empty()) {
    const Result<Nanoseconds> interval = named("--checkpoint-interval", options.checkpoint_interval,
                                               parse_job_time(options.checkpoint_interval));
    if (!interval) return std::unexpected(interval.error());
    spec.checkpoint_interval = *interval;
  }
  if (options.tasks > 0) spec.tasks_per_node = options.tasks;
  if (!options.cpus.empty()) spec.cpu_milli = std::llround(std::atof(options.cpus.c_str()) * 1000);
  if (!options.memory.empty()) {
    const Result<std::int64_t> mib = named("--mem", options.memory, parse_job_memory(options.memory));
    if (!mib) return std::unexpected(mib.error());
    spec.memory_mib = *mib;
  }
  if (!options.time.empty()) {
    const Result<Nanoseconds> limit = named("--time", options.time, parse_job_time(options.time));
    if (!limit) return std::unexpected(limit.error());
    spec.limit = *limit;
  }
  if (!options.level.empty()) spec.level = options.level;
  if (!options.spread.empty()) spec.spread_level = options.spread;
  if (!options.reservation.empty()) spec.reservation = options.reservation;
  if (!options.array.empty()) {
    Result<ArraySpec> array = spec::parse_array(options.array);
    if (!array) return fail(fmt::format("--array {}: {}", options.array, array.error().message));
    spec.array = std::move(*array);
  }
  if (!options.depends.empty()) {
    Result<JobDependencies> wanted = named("--depends", fmt::format("{}", fmt::join(options.depends, " ")),
                                           parse_job_dependencies(options.depends));
    if (!wanted) return std::unexpected(wanted.error());
    spec.dependencies = std::move(wanted->jobs);
    spec.any_dependency = wanted->any;
  }
  if (!options.begin.empty()) {
    const Result<std::int64_t> begin =
        named("--begin", options.begin, parse_job_begin(options.begin, std::time(nullptr)));
    if (!begin) return std::unexpected(begin.error());
    spec.begin_unix = *begin;
  }
  if (!options.deadline.empty()) {
    const Result<std::int64_t> deadline =
        named("--deadline", options.deadline, parse_job_begin(options.deadline, std::time(nullptr)));
    if (!deadline) return std::unexpected(deadline.error());
    spec.deadline_unix = *deadline;
  }
  if (options.flexible) spec.flexible = true;
  if (!options.signal.empty()) {
    const Result<WarningSignal> warning = named("--signal", options.signal, parse_job_signal(options.signal));
    if (!warning) return std::unexpected(warning.error());
    spec.warning = *warning;
  }
  if (options.priority_given) spec.priority = options.priority;
  if (!options.workdir.empty()) {
    std::error_code ignored;
    const std::string here = std::filesystem::current_path(ignored).string();
    Result<std::string> folder = named("--chdir", options.workdir, absolute_folder(options.workdir, here));
    if (!folder) return std::unexpected(folder.error());
    spec.working_folder = std::move(*folder);
  }
  if (!options.image.empty()) {
    spec.image = options.image;
    spec.isolation = Isolation::kContainer;
  }
  if (options.isolation == "bubblewrap") spec.isolation = Isolation::kBubblewrap;
  if (options.isolation == "container") spec.isolation = Isolation::kContainer;
  if (options.isolation == "none") spec.isolation = Isolation::kNone;
  if (spec.isolation == Isolation::kContainer && spec.image.empty())
    return fail("--isolation container needs --image");
  if (!options.residency.empty()) spec.law.residency = options.residency;
  if (!options.excluded_jurisdictions.empty())
    spec.law.excluded_jurisdictions = options.excluded_jurisdictions;
  if (!options.certifications.empty()) spec.law.certifications = options.certifications;
  if (!options.data.empty()) spec.law.data = options.data;
  if (options.hold) spec.hold = true;
  if (options.no_requeue) spec.requeue = false;
  if (options.preemptible) spec.preemptible = true;
  if (options.keep_on_failure) spec.keep_on_failure = true;
  return {};
}

namespace {

/// Of this program, and of the surroundings that the job leaves.
bool stays_here(std::string_view name) {
  return name.starts_with("GIGAWERK_") || name.starts_with("SLURM_") || name == "_" || name == "SHLVL" ||
         name == "OLDPWD" || name == "PWD";
}

bool is_variable(std::string_view name) {
  return !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
         });
}

}  // namespace

Result<void> apply_environment(const JobOptions& options, const spec::SbatchExport& of_file, JobSpec& spec) {
  spec::SbatchExport wanted = of_file;
  if (!options.export_names.empty()) {
    Result<spec::SbatchExport> given =
        named("--export", options.export_names, spec::sbatch_export(options.export_names));
    if (!given) return std::unexpected(given.error());
    wanted = std::move(*given);
  }
  // The lowest first.
  std::map<std::string, std::string> variables;
  for (char** entry = environ; wanted.all && *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = pair.substr(0, equals);
    if (is_variable(name) && !stays_here(name)) variables[std::string(name)] = pair.substr(equals + 1);
  }
  for (const std::string& name : wanted.names) {
    if (const char* value = std::getenv(name.c_str())) variables[name] = value;
  }
  for (const auto& [name, value] : spec.environment) variables[name] = value;
  for (const auto& [name, value] : wanted.values) variables[name] = value;
  for (const std::string& pair : options.environment) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos || !is_variable(pair.substr(0, equals)))
      return fail(fmt::format("--env {}: write NAME=VALUE", pair));
    variables[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  spec.environment.assign(variables.begin(), variables.end());
  return {};
}

void print_warnings(const AppContext& context, const client::Json& answer) {
  if (!answer.contains("warnings")) return;
  for (const client::Json& warning : answer.at("warnings"))
    print_error(context, "warning: " + warning.get<std::string>());
}

}  // namespace gw
