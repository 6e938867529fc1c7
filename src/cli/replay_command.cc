// gw replay: a recorded workload through the scheduler core in the twin.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <memory>

#include "cli/commands.h"
#include "cli/file_use.h"
#include "cli/physics_setup.h"
#include "cli/run_files.h"
#include "spec/scenario.h"
#include "workload/node_list.h"
#include "workload/trace.h"

namespace gw {
namespace {

struct Options {
  std::string trace;
  std::string fleet;
  std::uint32_t processors = 0;
  std::string policy;
  std::string format;
  std::string date;
  bool strict = false;
  bool physics = false;
  std::uint64_t seed = 1;
  std::uint64_t check_every = 0;
  std::vector<std::string> gpu_types;  ///< FROM=TO.
  RunFiles files;
};

/// `--gpu-type FROM=TO` as a table; TO must be a type of the fleet or `any`.
Result<std::map<std::string, std::string>> gpu_type_changes(const std::vector<std::string>& given,
                                                            const Fleet& fleet) {
  std::vector<std::string> known{std::string(kAnyGpuType)};
  for (const GpuType& type : fleet.gpu_types) known.push_back(type.name);
  std::map<std::string, std::string> changes;
  for (const std::string& change : given) {
    const std::size_t equals = change.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == change.size())
      return fail(fmt::format("--gpu-type {}: write FROM=TO, such as V100=any", change));
    const std::string from = change.substr(0, equals), to = change.substr(equals + 1);
    if (std::find(known.begin(), known.end(), to) == known.end())
      return fail(fmt::format("--gpu-type {}: the fleet has no GPU type \"{}\"; one of: {}", change, to,
                              fmt::join(known, ", ")));
    if (const auto [at, is_new] = changes.emplace(from, to); !is_new && at->second != to)
      return fail(fmt::format("--gpu-type {}: {} becomes {} already; keep one", change, from, at->second));
  }
  return changes;
}

Result<ExitCode> replay(const AppContext& context, const Options& options) {
  if (options.trace.ends_with(".yaml") || options.trace.ends_with(".yml"))
    return fail(fmt::format("{}: a scenario, not a recorded log; run it with gw simulate {}", options.trace,
                            options.trace));
  FileUse use;
  use.reads(options.trace);
  use.reads(options.fleet);
  use.writes(options.files.journal);
  use.writes(options.files.decisions);
  use.writes_run(options.files.out);
  if (const Result<void> apart = use.check(); !apart) return std::unexpected(apart.error());
  workload::TraceOptions reading;
  reading.strict = options.strict;
  reading.flat = options.fleet.empty();
  if (!options.format.empty()) reading.format = workload::trace_format_by_name(options.format);
  Result<std::unique_ptr<workload::TraceStream>> stream = workload::open_trace(options.trace, reading);
  if (!stream) return std::unexpected(stream.error());
  twin::TwinOptions run;
  run.name = std::filesystem::path(options.trace).filename().string();
  run.seed = options.seed;
  run.check_every = options.check_every;
  Fleet fleet;
  std::unique_ptr<twin::PhysicsSetup> physics;
  RunInput input;
  TenantTree tenants;
  input.flat = options.fleet.empty();
  if (std::filesystem::path(options.fleet).extension() == ".csv") {
    Result<Fleet> listed = workload::read_node_list(options.fleet);
    if (!listed) return std::unexpected(listed.error());
    fleet = std::move(*listed);
  } else if (!options.fleet.empty()) {
    spec::Checked<spec::Scenario> scenario = spec::read_scenario(options.fleet);
    if (!scenario) {
      for (const spec::Diagnostic& diagnostic : scenario.error()) print_error(context, diagnostic.text());
      return ExitCode::failed;
    }
    if (options.physics) {
      Result<std::unique_ptr<twin::PhysicsSetup>> made = physics_setup(*scenario);
      if (!made) return std::unexpected(made.error());
      physics = std::move(*made);
    }
    fleet = std::move(scenario->fleet);
    input.law = std::move(scenario->law);
    run.date = scenario->date;
    run.policy = scenario->policy;
    run.faults = scenario->faults;
    if (scenario->tenants.size() > 1) {
      tenants = std::move(scenario->tenants);
      input.tap.tenants = &tenants;
      input.tenants_file = std::filesystem::path(options.fleet).filename().string();
    }
  } else {
    const Result<std::uint32_t> processors = processors_for(
        options.trace, (*stream)->info(), options.processors, "give --procs N or --fleet FILE");
    if (!processors) return std::unexpected(processors.error());
    fleet = flat_fleet(*processors);
  }
  if (options.physics && physics == nullptr)
    return fail(
        fmt::format("{}: --physics: no class says what its jobs compute; give one of the log's classes "
                    "`work` under `classes` (docs/physics-twin.md)",
                    options.fleet));
  run.physics = physics.get();
  if (!options.policy.empty()) {
    const std::optional<PolicyConfig> policy = policy_by_name(options.policy);
    GW_CHECK(policy.has_value());
    run.policy = *policy;
  }
  Result<std::map<std::string, std::string>> gpu_types = gpu_type_changes(options.gpu_types, fleet);
  if (!gpu_types) return std::unexpected(gpu_types.error());
  input.tap.gpu_types = std::move(*gpu_types);
  if (!options.date.empty()) {
    run.date = parse_day(options.date);
    if (!run.date) return fail(fmt::format("--date {}: write a day such as 2027-01-04", options.date));
  }
  return run_with_files(context, fleet, **stream, run, options.files, input, Nanoseconds{0});
}

}  // namespace

void add_replay_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("replay", "Run a recorded workload through the scheduler and show what happened");
  command->group(kGroupRun);
  command->add_option("TRACE", options->trace, "The recorded workload; - reads standard input")
      ->required()
      ->type_name("FILE");
  CLI::Option* fleet = command
                           ->add_option("--fleet", options->fleet,
                                        "Run on the fleet (with policy, faults and tenants' weights) of this "
                                        "YAML file, or on a node list (.csv)")
                           ->type_name("FILE");
  command
      ->add_option("--procs", options->processors,
                   "Run on N identical one-processor nodes (default: what the log's header says)")
      ->check(whole_number(1, kMostProcessors))
      ->type_name("N")
      ->excludes(fleet);
  command
      ->add_option("--gpu-type", options->gpu_types,
                   "Run jobs that ask for GPU type FROM on TO of the fleet, or on any; may be repeated")
      ->type_name("FROM=TO")
      ->needs(fleet)
      ->expected(1)
      ->take_all();
  std::vector<std::string> policies;
  for (const PolicyName& policy : policy_names()) policies.emplace_back(policy.name);
  command
      ->add_option("--policy", options->policy,
                   "How to decide (default: gigawerk, or what the fleet file says)")
      ->check(CLI::IsMember(policies));
  command
      ->add_option("--date", options->date,
                   "Day of the log's first second, for rules that have dates (default: all are in force)")
      ->type_name("DAY")
      ->needs(fleet);
  command
      ->add_flag("--physics", options->physics,
                 "Jobs of the log's classes that the fleet file gives `work` run as fast as physics says for "
                 "their place; what the log says is then their time at their best")
      ->needs(fleet);
  std::vector<std::string> formats;
  for (const workload::TraceFormatName& format : workload::trace_format_names())
    formats.emplace_back(format.name);
  command
      ->add_option("--format", options->format, "The log's format (default: found out from its first lines)")
      ->check(CLI::IsMember(formats));
  command->add_flag("--strict", options->strict,
                    "Refuse a log with rows that make no sense instead of counting them");
  command
      ->add_option("--out", options->files.out,
                   "Write report.json, report.html and jobs.csv into this folder")
      ->type_name("DIR");
  command
      ->add_option("--journal", options->files.journal,
                   "Write every event and plan to this file, for `gw journal verify`")
      ->type_name("FILE");
  command
      ->add_option("--decisions", options->files.decisions,
                   "Write what the rules said of every job to this file, for `gw audit verify`")
      ->type_name("FILE");
  command->add_flag("--json", options->files.json, "Print the summary as JSON");
  command->add_option("--seed", options->seed, "Seed of simulated failures")
      ->check(whole_number(0, kAnyWhole))
      ->type_name("N");
  command
      ->add_option("--check", options->check_every, "Check every invariant of the core after each N-th pass")
      ->check(whole_number(0, kAnyWhole))
      ->type_name("N");
  command->footer(
      "Examples:\n"
      "  gw replay NASA-iPSC-1993-3.1-cln.swf --policy easy\n"
      "  gw replay philly.csv --procs 2496 --policy easy --out out/philly\n"
      "  gw replay openb_pod_list_default.csv --fleet openb_node_list_all_node.csv\n"
      "  gw replay pai_task_table.csv --fleet fleet.yaml --gpu-type V100=h100 --gpu-type MISC=any\n"
      "  sacct -aP -o JobID,Submit,Start,End,Timelimit,AllocTRES,User,Account | gw replay - --fleet "
      "fleet.yaml");
  set_action(*command, context, [options, &context] { return replay(context, *options); });
}

}  // namespace gw
