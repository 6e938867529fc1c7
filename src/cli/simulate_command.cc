// gw simulate: a scenario's factory under its generated workload.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/file_use.h"
#include "cli/physics_setup.h"
#include "cli/run_files.h"
#include "spec/scenario.h"
#include "workload/generator.h"

namespace gw {
namespace {

struct Options {
  std::string scenario;
  std::string policy;
  double days = 0;
  std::uint64_t seed = 0;
  bool seed_given = false;
  bool no_faults = false;
  bool no_shift = false;
  std::string physics;    ///< on or off; empty: as the scenario says.
  std::string placement;  ///< Empty: as the policy has it.
  std::uint64_t check_every = 0;
  RunFiles files;
};

Result<ExitCode> simulate(const AppContext& context, const Options& options) {
  FileUse use;
  use.reads(options.scenario);
  use.writes(options.files.journal);
  use.writes(options.files.decisions);
  use.writes_run(options.files.out);
  if (const Result<void> apart = use.check(); !apart) return std::unexpected(apart.error());
  spec::Checked<spec::Scenario> scenario = spec::read_scenario(options.scenario);
  if (!scenario) {
    for (const spec::Diagnostic& diagnostic : scenario.error()) print_error(context, diagnostic.text());
    return ExitCode::failed;
  }
  if (scenario->mix.tenants.empty())
    return fail(fmt::format(
        "{}: no tenant has a `load`, so there is no work to simulate; add `tenants` and `workload`, "
        "or replay a recorded workload with gw replay --fleet",
        options.scenario));
  if (options.days > 0)
    scenario->mix.duration =
        Nanoseconds{static_cast<std::int64_t>(options.days * 86400.0) * kNanosecondsPerSecond};
  const Result<std::unique_ptr<twin::PhysicsSetup>> physics = physics_setup(*scenario);
  if (!physics) return fail(fmt::format("{}: {}", options.scenario, physics.error().message));
  if (const Result<void> sized = size_work(physics->get(), *scenario); !sized)
    return fail(fmt::format("{}: {}", options.scenario, sized.error().message));
  if (options.physics == "on" && *physics == nullptr)
    return fail(
        fmt::format("{}: no class says what its jobs compute, so there is nothing to time; give one "
                    "`work` (docs/physics-twin.md)",
                    options.scenario));
  twin::TwinOptions run;
  if (options.physics.empty() ? scenario->physics : options.physics == "on") run.physics = physics->get();
  run.name = scenario->title;
  run.seed = options.seed_given ? options.seed : scenario->seed;
  run.policy = scenario->policy;
  if (!options.policy.empty()) run.policy = *policy_by_name(options.policy);
  if (!options.placement.empty())
    run.policy.placement =
        options.placement == "first-fit" ? PlacementKind::kFirstFit : PlacementKind::kSmallestSpan;
  if (!options.no_faults) run.faults = scenario->faults;
  run.reservations = scenario->reservations;
  run.power = scenario->power;
  run.check_every = options.check_every;
  RunInput input;
  input.generated = true;
  input.law = scenario->law;
  run.date = scenario->date;
  for (const JobClass& job_class : scenario->mix.classes) run.class_facts.push_back(job_class.law);
  const bool flexible = std::any_of(scenario->mix.classes.begin(), scenario->mix.classes.end(),
                                    [](const JobClass& job_class) { return job_class.flexible_share > 0; });
  if (options.no_shift) run.power.shift = false;
  if (run.power.shift && !run.power.energy.empty() && flexible) {
    input.unshifted = [&scenario, run]() -> Result<twin::RunSummary> {
      twin::TwinOptions other = run;
      other.power.shift = false;
      const std::unique_ptr<workload::JobStream> jobs =
          workload::make_generator(scenario->mix, scenario->fleet, scenario->tenants, run.seed);
      return twin::run_twin(scenario->fleet, *jobs, other);
    };
  }
  const std::unique_ptr<workload::JobStream> stream =
      workload::make_generator(scenario->mix, scenario->fleet, scenario->tenants, run.seed);
  return run_with_files(context, scenario->fleet, *stream, run, options.files, input, scenario->mix.duration);
}

}  // namespace

void add_simulate_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("simulate", "Run a scenario's factory under its generated workload");
  command->group(kGroupRun);
  command->add_option("SCENARIO", options->scenario, "The scenario's YAML file")
      ->required()
      ->type_name("FILE");
  std::vector<std::string> policies;
  for (const PolicyName& policy : policy_names()) policies.emplace_back(policy.name);
  command->add_option("--policy", options->policy, "How to decide (default: what the scenario says)")
      ->check(CLI::IsMember(policies));
  command->add_option("--days", options->days, "Days of workload (default: what the scenario says)")
      ->check(number(0.01, 36500))
      ->type_name("DAYS");
  CLI::Option* seed = command
                          ->add_option("--seed", options->seed,
                                       "Seed of workload and failures (default: what the scenario says)")
                          ->check(whole_number(0, kAnyWhole))
                          ->type_name("N");
  command->add_flag("--no-faults", options->no_faults, "Let no node fail");
  command->add_flag("--no-shift", options->no_shift, "Let no job wait for a cheaper or greener hour");
  command
      ->add_option(
          "--physics", options->physics,
          "Whether jobs of classes with `work` run as fast as physics says for their place (default: "
          "what the scenario says)")
      ->check(CLI::IsMember({"on", "off"}))
      ->type_name("WHETHER");
  command
      ->add_option("--placement", options->placement,
                   "Which nodes: the first free ones, or the smallest part of the fabric (default: what the "
                   "policy says)")
      ->check(CLI::IsMember({"first-fit", "smallest-span"}))
      ->type_name("KIND");
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
  command
      ->add_option("--check", options->check_every, "Check every invariant of the core after each N-th pass")
      ->check(whole_number(0, kAnyWhole))
      ->type_name("N");
  command->footer(
      "Examples:\n"
      "  gw simulate scenarios/german-industrial-ai-cloud.yaml --out out/german\n"
      "  gw simulate scenarios/small-cluster.yaml --policy easy --days 7 --json");
  set_action(*command, context, [options, seed, &context] {
    options->seed_given = seed->count() > 0;
    return simulate(context, *options);
  });
}

}  // namespace gw
