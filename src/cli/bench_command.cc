// `gw bench`: measures gw's own answers against what came. `gw bench eta`: forecasts of starts.
#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/app.h"
#include "cli/bench_eta.h"
#include "cli/commands.h"
#include "cli/file_use.h"
#include "cli/job_tap.h"
#include "cli/job_values.h"
#include "cli/run_files.h"
#include "cli/text_table.h"
#include "files/output_file.h"
#include "report/progress.h"
#include "spec/scenario.h"
#include "twin/eta_bench.h"
#include "twin/twin.h"
#include "workload/node_list.h"
#include "workload/trace.h"
#include "workload/user_limits.h"

namespace gw {
namespace {

struct Options {
  std::string trace;
  std::string fleet;
  std::uint32_t processors = 0;
  std::string policy;
  std::string format;
  std::string limits = "auto";
  double faster = 1;
  std::uint64_t samples = 1000;
  std::string every;
  std::uint32_t members = 100;
  std::uint64_t seed = 1;
  std::string out;
  bool json = false;
};

/// What the trace is replayed on and under.
struct Machine {
  Fleet fleet;
  PolicyConfig policy;
  FaultSpec faults;
  std::optional<TenantTree> tenants;
};

Result<Machine> machine_for(const Options& options, const workload::TraceInfo& info) {
  Machine machine;
  if (std::filesystem::path(options.fleet).extension() == ".csv") {
    Result<Fleet> listed = workload::read_node_list(options.fleet);
    if (!listed) return std::unexpected(listed.error());
    machine.fleet = std::move(*listed);
  } else if (!options.fleet.empty()) {
    spec::Checked<spec::Scenario> scenario = spec::read_scenario(options.fleet);
    if (!scenario) return fail(spec::diagnostics_text(scenario.error()));
    machine.fleet = std::move(scenario->fleet);
    machine.policy = scenario->policy;
    machine.faults = scenario->faults;
    if (scenario->tenants.size() > 1) machine.tenants = std::move(scenario->tenants);
  } else {
    const Result<std::uint32_t> processors =
        processors_for(options.trace, info, options.processors, "give --procs N or --fleet FILE");
    if (!processors) return std::unexpected(processors.error());
    machine.fleet = flat_fleet(*processors);
  }
  if (!options.policy.empty()) machine.policy = *policy_by_name(options.policy);
  return machine;
}

Result<std::unique_ptr<workload::TraceStream>> open(const Options& options) {
  workload::TraceOptions reading;
  reading.flat = options.fleet.empty();
  if (!options.format.empty()) reading.format = workload::trace_format_by_name(options.format);
  return workload::open_trace(options.trace, reading);
}

/// Whether nearly all limits of the log are the run times themselves: then they are no limits that users
/// gave, and whoever saw them would see the future.
Result<bool> limits_are_run_times(const Options& options) {
  Result<std::unique_ptr<workload::TraceStream>> stream = open(options);
  if (!stream) return std::unexpected(stream.error());
  std::uint64_t jobs = 0, equal = 0;
  TraceJob job;
  for (;;) {
    const Result<bool> more = (*stream)->next(job);
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    ++jobs;
    if (job.request.limit <= std::max(job.truth.run_time, seconds(1))) ++equal;
  }
  return jobs > 0 && equal * 10 >= jobs * 9;
}

/// Replays the whole trace with `bench` at the journal's place.
Result<void> replay(const Options& options, const Machine& machine, bool draw_limits, twin::EtaBench& bench) {
  Result<std::unique_ptr<workload::TraceStream>> stream = open(options);
  if (!stream) return std::unexpected(stream.error());
  workload::UserLimits limited(**stream, {options.faster, draw_limits, options.seed});
  JobTapOptions tapping;
  if (machine.tenants) tapping.tenants = &*machine.tenants;
  JobTap jobs(limited, machine.fleet, tapping, &bench);
  twin::TwinOptions run;
  run.policy = machine.policy;
  run.faults = machine.faults;
  run.seed = options.seed;
  run.store = &jobs;
  const Result<twin::RunSummary> summary = twin::run_twin(machine.fleet, jobs, run);
  if (!summary) return std::unexpected(summary.error());
  return {};
}

double now_s() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Result<ExitCode> bench_eta(const AppContext& context, const Options& options) {
  const double begun = now_s();
  if (options.trace == "-") return fail("-: the log is read more than once; give it as a file");
  FileUse use;
  use.reads(options.trace);
  use.reads(options.fleet);
  use.writes(options.out);
  if (const Result<void> apart = use.check(); !apart) return std::unexpected(apart.error());
  Nanoseconds every{0};
  if (!options.every.empty()) {
    const Result<Nanoseconds> span = parse_job_time(options.every);
    if (!span) return fail("--every: " + span.error().message);
    every = *span;
  }
  Result<std::unique_ptr<workload::TraceStream>> stream = open(options);
  if (!stream) return std::unexpected(stream.error());
  const Result<Machine> machine = machine_for(options, (*stream)->info());
  if (!machine) return std::unexpected(machine.error());
  stream->reset();
  Result<bool> draw = options.limits == "users";
  if (options.limits == "auto") draw = limits_are_run_times(options);
  if (!draw) return std::unexpected(draw.error());

  twin::EtaBench counting(machine->fleet, machine->policy, {});
  if (Result<void> done = replay(options, *machine, *draw, counting); !done)
    return std::unexpected(done.error());

  EtaBenchReport report;
  report.trace = std::filesystem::path(options.trace).filename().string();
  report.policy = machine->policy.name;
  report.fleet = options.fleet.empty() ? fmt::format("{} processors", machine->fleet.gpus())
                                       : std::filesystem::path(options.fleet).filename().string();
  report.limits = *draw ? "drawn as users choose them (the log's are the run times themselves)" : "the log's";
  report.faster = options.faster;
  report.members_most = options.members;
  report::ProgressLine progress(context.progress);
  twin::EtaBenchOptions asking;
  asking.forecast.seed = options.seed;
  asking.forecast.most_members = options.members;
  asking.samples = options.samples;
  asking.waiting = counting.counts().waiting;
  asking.every = every;
  std::uint64_t asked = 0;
  const double wanted = static_cast<double>(std::min(options.samples, asking.waiting));
  asking.on_answers = [&](double wall_s, std::size_t samples, Instant now) {
    report.forecasts_wall_s += wall_s;
    report.slowest_s = std::max(report.slowest_s, wall_s);
    asked += samples;
    progress.update(every > Nanoseconds{0} ? -1.0 : static_cast<double>(asked) / wanted, asked, now);
  };
  asking.wall_s = now_s;
  twin::EtaBench bench(machine->fleet, machine->policy, std::move(asking));
  if (Result<void> done = replay(options, *machine, *draw, bench); !done)
    return std::unexpected(done.error());
  progress.clear();
  report.counts = bench.counts();
  report.samples = bench.samples();
  report.wall_s = now_s() - begun;
  if (!options.out.empty()) {
    Result<files::OutputFile> file = files::OutputFile::open(options.out);
    if (!file) return std::unexpected(file.error());
    file->write(eta_csv(report));
    if (Result<void> done = file->commit(); !done) return std::unexpected(done.error());
  }
  fmt::print("{}", options.json ? json_out(eta_json(report)) + "\n" : eta_text(report));
  if (std::fflush(stdout) != 0) return fail("cannot write to standard output");
  return ExitCode::ok;
}

void add_bench_eta_command(CLI::App& bench, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = bench.add_subcommand(
      "eta", "Replay a recorded workload and compare forecasts of starts with what came");
  command->add_option("TRACE", options->trace, "The recorded workload")->required()->type_name("FILE");
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
  std::vector<std::string> policies;
  for (const PolicyName& policy : policy_names()) policies.emplace_back(policy.name);
  command
      ->add_option("--policy", options->policy,
                   "How the factory decides (default: gigawerk, or what the fleet file says)")
      ->check(CLI::IsMember(policies));
  std::vector<std::string> formats;
  for (const workload::TraceFormatName& format : workload::trace_format_names())
    formats.emplace_back(format.name);
  command
      ->add_option("--format", options->format, "The log's format (default: found out from its first lines)")
      ->check(CLI::IsMember(formats));
  command
      ->add_option(
          "--limits", options->limits,
          "Time limits: the log's, drawn as users choose them, or drawn only where the log's are the "
          "run times themselves")
      ->check(CLI::IsMember({"auto", "log", "users"}))
      ->capture_default_str();
  command
      ->add_option("--faster", options->faster,
                   "Jobs arrive this many times as fast, for a log whose machine was seldom full")
      ->check(number(0.01, 1000))
      ->type_name("FACTOR")
      ->capture_default_str();
  CLI::Option* sample =
      command->add_option("--sample", options->samples, "Ask for N of the jobs that do not start at once")
          ->check(whole_number(1, 100'000'000))
          ->type_name("N")
          ->capture_default_str();
  command
      ->add_option("--every", options->every,
                   "Instead, ask for the first that waits in each SPAN, such as 6h")
      ->type_name("SPAN")
      ->excludes(sample);
  command->add_option("--members", options->members, "Futures that are simulated for an answer, at most")
      ->check(whole_number(2, 10'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--seed", options->seed, "Seed of all that is drawn")
      ->check(whole_number(0, kAnyWhole))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("-o,--out", options->out, "Write each question, its answers and the truth as CSV")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  gw bench eta theta_2022.swf --policy easy\n"
      "  gw bench eta NASA-iPSC-1993-3.1-cln.swf --faster 2 -o samples.csv");
  set_action(*command, context, [options, &context] { return bench_eta(context, *options); });
}

}  // namespace

void add_bench_command(CLI::App& app, AppContext& context) {
  CLI::App* bench = app.add_subcommand("bench", "Measure gw's own answers against what came");
  bench->group(kGroupRun);
  bench->require_subcommand(1);
  add_bench_eta_command(*bench, context);
  add_bench_policies_command(*bench, context);
}

}  // namespace gw
