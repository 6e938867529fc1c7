// `gw bench policies`: recorded workloads under several policies, one table, and whether the default keeps
// what it promises against EASY and against priority with age.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/file_use.h"
#include "cli/run_files.h"
#include "cli/text_table.h"
#include "report/progress.h"
#include "report/text.h"
#include "twin/twin.h"
#include "workload/trace.h"

namespace gw {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kDefault = "gigawerk";
constexpr std::string_view kEasy = "easy";
constexpr std::string_view kPriorityAge = "priority-easy";
/// The default, where tenants reclaim to their fair shares: from jobs that can be preempted, which recorded
/// ones cannot. So all are taken to be, and to keep checkpoints.
constexpr std::string_view kReclaim = "gigawerk+reclaim";
constexpr Nanoseconds kCheckpointInterval = minutes(30);
constexpr Nanoseconds kRestart = minutes(5);
/// Of the fair-share error of priority with age, what the default may have.
constexpr double kErrorShare = 1.0 / 3;

struct Options {
  std::vector<std::string> logs;  ///< FILE or FILE@N.
  std::vector<std::string> policies{std::string(kEasy), std::string(kPriorityAge), std::string(kDefault),
                                    std::string(kReclaim)};
  bool json = false;
  bool markdown = false;
};

struct Log {
  std::string path;
  std::uint32_t processors = 0;
  [[nodiscard]] std::string name() const { return std::filesystem::path(path).filename().string(); }
};

struct Row {
  std::string policy;
  twin::RunSummary summary;
};

struct Measured {
  Log log;
  std::size_t tenants = 0;
  std::vector<Row> rows;

  [[nodiscard]] const twin::RunSummary* of(std::string_view policy) const {
    const auto at = std::ranges::find(rows, policy, &Row::policy);
    return at == rows.end() ? nullptr : &at->summary;
  }
};

/// `FILE@N`: on N processors.
Result<Log> read_log(const std::string& text) {
  Log log{text, 0};
  const std::size_t at = text.rfind('@');
  if (at == std::string::npos) return log;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + at + 1, end, log.processors);
  if (error != std::errc() || stop != end || log.processors == 0 || log.processors > kMostProcessors)
    return fail(fmt::format("{}: behind @ stands on how many processors to run the log, from 1 to {}", text,
                            kMostProcessors));
  log.path.resize(at);
  return log;
}

/// The jobs of another stream, which can be preempted.
class Preemptible final : public workload::JobStream {
 public:
  explicit Preemptible(workload::JobStream& jobs) : jobs_(jobs) {}
  Result<bool> next(TraceJob& job) override {
    Result<bool> more = jobs_.next(job);
    job.request.preemptible = true;
    job.request.checkpoint_interval = kCheckpointInterval;
    return more;
  }
  [[nodiscard]] const TenantTree& tenants() const override { return jobs_.tenants(); }
  [[nodiscard]] const std::vector<std::string>& gpu_types() const override { return jobs_.gpu_types(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return jobs_.classes(); }
  [[nodiscard]] const workload::RowCounts& counts() const override { return jobs_.counts(); }

 private:
  workload::JobStream& jobs_;
};

Result<twin::RunSummary> run(const std::string& policy, std::uint32_t processors, workload::JobStream& jobs,
                             report::ProgressLine& progress) {
  twin::TwinOptions run;
  run.on_progress = [&](std::uint64_t done, Instant now) { progress.update(-1.0, done, now); };
  if (policy != kReclaim) {
    run.policy = *policy_by_name(policy);
    return twin::run_twin(flat_fleet(processors), jobs, run);
  }
  run.policy = *policy_by_name(kDefault);
  run.policy.reclaim_to = ReclaimTarget::kFairShare;
  run.faults.restart_time = kRestart;
  Preemptible preemptible(jobs);
  return twin::run_twin(flat_fleet(processors), preemptible, run);
}

Result<Measured> measure(const Options& options, Log log, report::ProgressLine& progress) {
  Measured measured;
  for (const std::string& policy : options.policies) {
    if (policy == kReclaim && measured.tenants == 1) continue;  // It has nobody to reclaim from.
    workload::TraceOptions reading;
    reading.flat = true;
    Result<std::unique_ptr<workload::TraceStream>> stream = workload::open_trace(log.path, reading);
    if (!stream) return std::unexpected(stream.error());
    const Result<std::uint32_t> processors =
        processors_for(log.path, (*stream)->info(), log.processors, fmt::format("write {}@N", log.path));
    if (!processors) return std::unexpected(processors.error());
    log.processors = *processors;
    Result<twin::RunSummary> summary = run(policy, log.processors, **stream, progress);
    if (!summary) return std::unexpected(summary.error());
    measured.tenants = summary->tenants.size();
    measured.rows.push_back({policy, std::move(*summary)});
  }
  measured.log = std::move(log);
  return measured;
}

/// What the default promises; none where the policies that it is compared with were not run.
struct Verdict {
  std::string text;
  bool holds = false;
};

std::vector<Verdict> verdicts(const Measured& measured, std::string_view policy) {
  std::vector<Verdict> all;
  const twin::RunSummary* own = measured.of(policy);
  if (own == nullptr) return all;
  if (const twin::RunSummary* easy = measured.of(kEasy)) {
    // What the tables show: a hundredth of a percent, a minute.
    constexpr double kSameShare = 5e-5;
    constexpr double kSameWait_s = 60;
    all.push_back({fmt::format("utilisation {:.2f} % against {:.2f} % of {}", 100 * own->useful_utilization,
                               100 * easy->useful_utilization, kEasy),
                   own->useful_utilization >= easy->useful_utilization - kSameShare});
    all.push_back({fmt::format("p90 wait {} against {} of {}", report::format_duration(own->wait_s.p90),
                               report::format_duration(easy->wait_s.p90), kEasy),
                   own->wait_s.p90 <= easy->wait_s.p90 + kSameWait_s});
  }
  const twin::RunSummary* age = measured.of(kPriorityAge);
  if (age != nullptr && measured.tenants > 1)
    all.push_back({fmt::format("fair-share error {:.2f} % against a third of {:.2f} % of {}",
                               100 * own->fair_share.misallocated_share,
                               100 * age->fair_share.misallocated_share, kPriorityAge),
                   own->fair_share.misallocated_share <= kErrorShare * age->fair_share.misallocated_share});
  return all;
}

std::vector<std::string> cells(const Measured& measured, const Row& row) {
  const twin::RunSummary& summary = row.summary;
  return {fmt::format("{}, {}", measured.log.name(), with_thousands(measured.log.processors)),
          row.policy,
          fmt::format("{:.2f}", 100 * summary.useful_utilization),
          fmt::format("{:.1f}", summary.wait_s.mean / 60),
          fmt::format("{:.1f}", summary.wait_s.p50 / 60),
          fmt::format("{:.1f}", summary.wait_s.p90 / 60),
          fmt::format("{:.2f}", summary.slowdown.mean),
          measured.tenants > 1 ? fmt::format("{:.2f}", 100 * summary.fair_share.misallocated_share)
                               : std::string(),
          row.policy == kReclaim ? with_thousands(summary.jobs.preemptions) : std::string(),
          row.policy == kReclaim ? with_thousands(std::llround(summary.gpu_hours.lost)) : std::string()};
}

/// What kReclaim assumes, below a table.
std::string assumed(const Options& options) {
  if (std::ranges::find(options.policies, kReclaim) == options.policies.end()) return {};
  return fmt::format(
      "\n{}: every job can be preempted, keeps checkpoints every {}, and loses {} when it starts again.\n"
      "Work that is lost counts as no utilisation.\n",
      kReclaim, report::format_duration(to_seconds(kCheckpointInterval)),
      report::format_duration(to_seconds(kRestart)));
}

Json measured_json(const Measured& measured) {
  Json json = {{"log", measured.log.name()},
               {"processors", measured.log.processors},
               {"tenants", measured.tenants},
               {"policies", Json::array()},
               {"promises", Json::array()}};
  for (const auto& [policy, summary] : measured.rows)
    json["policies"].push_back({{"policy", policy},
                                {"jobs", summary.jobs.finished},
                                {"utilization", summary.utilization},
                                {"useful_utilization", summary.useful_utilization},
                                {"wait_mean_s", summary.wait_s.mean},
                                {"wait_p50_s", summary.wait_s.p50},
                                {"wait_p90_s", summary.wait_s.p90},
                                {"bounded_slowdown_mean", summary.slowdown.mean},
                                {"fair_share_error", summary.fair_share.misallocated_share},
                                {"preemptions", summary.jobs.preemptions},
                                {"lost_gpu_hours", summary.gpu_hours.lost}});
  for (const std::string_view policy : {kDefault, kReclaim}) {
    for (const Verdict& each : verdicts(measured, policy))
      json["promises"].push_back({{"policy", policy}, {"promise", each.text}, {"kept", each.holds}});
  }
  return json;
}

Result<ExitCode> bench_policies(const AppContext& context, const Options& options) {
  std::vector<Log> logs;
  FileUse use;
  for (const std::string& text : options.logs) {
    Result<Log> log = read_log(text);
    if (!log) return std::unexpected(log.error());
    if (log->path == "-") return fail("-: the log is read more than once; give it as a file");
    use.reads(log->path);
    logs.push_back(std::move(*log));
  }
  if (const Result<void> apart = use.check(); !apart) return std::unexpected(apart.error());
  report::ProgressLine progress(context.progress);
  Json json = Json::array();
  TextTable table("llrrrrrrrr");
  const std::vector<std::string> head{"LOG, N",      "POLICY",    "UTILISATION %", "MEAN WAIT MIN",
                                      "P50",         "P90",       "MEAN SLOWDOWN", "ERROR %",
                                      "PREEMPTIONS", "LOST GPU H"};
  table.add(head);
  std::string markdown =
      "| log, N | policy | utilisation % | mean wait min | p50 | p90 | mean bounded slowdown | error % | "
      "preemptions | lost GPU-hours |\n"
      "|---|---|---|---|---|---|---|---|---|---|\n";
  std::map<std::string_view, std::string> promises;
  for (const Log& log : logs) {
    const Result<Measured> measured = measure(options, log, progress);
    progress.clear();
    if (!measured) return std::unexpected(measured.error());
    json.push_back(measured_json(*measured));
    for (const Row& row : measured->rows) {
      const std::vector<std::string> fields = cells(*measured, row);
      markdown += '|';
      for (const std::string& field : fields) markdown += fmt::format(" {} |", field);
      markdown += '\n';
      table.add(fields);
    }
    for (const std::string_view policy : {kDefault, kReclaim}) {
      for (const Verdict& each : verdicts(*measured, policy))
        promises[policy] +=
            fmt::format("{}  {}, {}: {}\n", each.holds ? "kept  " : "missed", measured->log.name(),
                        with_thousands(measured->log.processors), each.text);
    }
  }
  if (options.json) {
    fmt::print("{}\n", json_out(json));
  } else {
    fmt::print("{}{}", options.markdown ? markdown : table.text(), assumed(options));
    for (const auto& [policy, text] : promises) fmt::print("\nWhat {} promises:\n{}", policy, text);
  }
  if (std::fflush(stdout) != 0) return fail("cannot write to standard output");
  return ExitCode::ok;
}

}  // namespace

void add_bench_policies_command(CLI::App& bench, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = bench.add_subcommand(
      "policies", "Recorded workloads under several policies, and what the default promises");
  command
      ->add_option(
          "LOG", options->logs,
          "Recorded workloads; FILE@N runs one on N one-processor nodes (default: what its header says)")
      ->required()
      ->type_name("FILE");
  std::vector<std::string> policies;
  for (const PolicyName& policy : policy_names()) policies.emplace_back(policy.name);
  policies.emplace_back(kReclaim);
  command->add_option("--policies", options->policies, "Which policies, with commas between them")
      ->delimiter(',')
      ->check(CLI::IsMember(policies))
      ->type_name("NAMES")
      ->capture_default_str();
  command->add_flag("--markdown", options->markdown, "Print the table as Markdown");
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  gw bench policies theta_2022.swf@4360 lublin_256.swf philly.csv@720\n"
      "  gw bench policies philly.csv@560 --policies easy,gigawerk --markdown");
  set_action(*command, context, [options, &context] { return bench_policies(context, *options); });
}

}  // namespace gw
