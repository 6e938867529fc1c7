// `gw workload describe`: the marginals of a recorded or generated workload.
#include <fmt/format.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/app.h"
#include "cli/text_table.h"
#include "cli/workload_command.h"
#include "report/text.h"
#include "workload/trace.h"

namespace gw {
namespace {

using workload::Marginals;
using workload::Tally;
using Json = nlohmann::ordered_json;

constexpr std::array kQuantiles = {0.05, 0.25, 0.5, 0.75, 0.9, 0.99};
constexpr std::array kOutcomeNames = {"completed", "failed", "cancelled", "timeout"};
constexpr std::array kWeekdays = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};

/// What was measured and under which names.
struct Description {
  Marginals marginals;
  std::vector<std::string> classes;
  std::string rows;  ///< On rows left out; empty when there are none.
};

/// Seconds from Monday 00:00 UTC to `unix_s`; 1970-01-01 was a Thursday.
std::int64_t into_week(std::int64_t unix_s) {
  const std::int64_t week = 7 * 86400;
  return ((unix_s + 3 * 86400) % week + week) % week;
}

bool is_scenario(const std::string& path) { return path.ends_with(".yaml") || path.ends_with(".yml"); }

Result<Description> describe(const std::string& path, const std::string& format,
                             const DemandOptions& demand) {
  if (is_scenario(path) && !format.empty())
    return fail(fmt::format("{}: --format is for recorded traces, this is a scenario; leave it out", path));
  if (!is_scenario(path) && (demand.days || demand.seed || demand.load))
    return fail(fmt::format(
        "{}: --days, --seed and --load are for a scenario (.yaml), a recorded trace is described as it "
        "is; leave them out",
        path));
  workload::MeasureOptions options;
  std::unique_ptr<workload::JobStream> jobs;
  if (is_scenario(path)) {
    const Result<spec::Scenario> scenario = read_demand(path, demand);
    if (!scenario) return std::unexpected(scenario.error());
    options.start_weekday = scenario->mix.start_weekday;
    options.start_hour = scenario->mix.start_hour;
    jobs = generated_jobs(*scenario);
  } else {
    workload::TraceOptions trace_options;
    if (!format.empty()) trace_options.format = workload::trace_format_by_name(format);
    Result<std::unique_ptr<workload::TraceStream>> trace = workload::open_trace(path, trace_options);
    if (!trace) return std::unexpected(trace.error());
    if (const auto zero = (*trace)->info().zero_unix_s) {
      options.start_weekday = static_cast<std::uint32_t>(into_week(*zero) / 86400);
      options.start_hour = static_cast<double>(into_week(*zero) % 86400) / 3600;
    }
    jobs = std::move(*trace);
  }
  Result<Marginals> marginals = workload::measure(*jobs, options);
  if (!marginals) return std::unexpected(marginals.error());
  Description result{std::move(*marginals), jobs->classes(), {}};
  for (const auto& [reason, skipped] : jobs->counts().skipped)
    result.rows += fmt::format("  left out   {:>10}  {} (first: {})\n", skipped.count,
                               report::printable_name(reason), report::printable_name(skipped.first));
  for (const auto& [reason, adjusted] : jobs->counts().adjusted)
    result.rows += fmt::format("  adjusted   {:>10}  {} (first: {})\n", adjusted.count,
                               report::printable_name(reason), report::printable_name(adjusted.first));
  return result;
}

/// Sizes in steps of powers of two, so that odd sizes do not fill the screen.
std::vector<double> size_steps(const Marginals& marginals) {
  std::vector<double> steps;
  const double largest =
      marginals.sizes.empty() ? 0 : static_cast<double>(marginals.sizes.rbegin()->first) / 1000;
  if (!marginals.sizes.empty() && marginals.sizes.begin()->first < 1000) steps.push_back(0.999);
  for (double step = 1; steps.empty() || steps.back() < largest; step *= 2) steps.push_back(step);
  return steps;
}

void print_text(const Description& description) {
  const Marginals& m = description.marginals;
  const double jobs = m.all.jobs;
  fmt::print("{:.0f} jobs in {}, {:.0f} GPUs offered on average\n", jobs,
             short_time(m.last_submit_s - m.first_submit_s), m.offered_gpus());
  fmt::print("{}", description.rows);
  if (jobs <= 0) return;
  fmt::print("\n{:<22}{:>10}{:>12}\n", "GPUs", "jobs", "GPU time");
  double last = 0;
  for (const double step : size_steps(m)) {
    const double share = m.jobs_up_to(step) - m.jobs_up_to(last);
    const double gpu_time = m.gpu_time_up_to(step) - m.gpu_time_up_to(last);
    const std::string name = step < 1                   ? "part of one"
                             : last < 0.99 && step == 1 ? "1"
                             : step - last <= 1         ? fmt::format("{:.0f}", step)
                                                        : fmt::format("{:.0f} to {:.0f}", last + 1, step);
    if (share > 0) fmt::print("{:<22}{:>10}{:>12}\n", name, percent(share), percent(gpu_time));
    last = step;
  }
  fmt::print("\n{:<12}", "quantile");
  for (const double u : kQuantiles) fmt::print("{:>10}", percent(u).substr(0, percent(u).find('.')) + " %");
  fmt::print("{:>10}\n{:<12}", "mean", "run time");
  for (const double u : kQuantiles) fmt::print("{:>10}", short_time(m.run.quantile(u)));
  fmt::print("{:>10}\n{:<12}", short_time(m.run_seconds / jobs), "limit");
  for (const double u : kQuantiles) fmt::print("{:>10}", short_time(m.limit.quantile(u)));
  fmt::print("\n\n{:<22}{:>10}{:>12}\n", "outcome", "jobs", "GPU time");
  for (std::size_t outcome = 0; outcome < kOutcomeNames.size(); ++outcome) {
    const Tally& tally = m.outcomes[outcome];
    if (tally.jobs > 0)
      fmt::print("{:<22}{:>10}{:>12}\n", kOutcomeNames[outcome], percent(tally.jobs / jobs),
                 percent(m.all.gpu_seconds > 0 ? tally.gpu_seconds / m.all.gpu_seconds : 0));
  }
  if (description.classes.size() > 1) {
    fmt::print("\n{:<32}{:>10}{:>12}\n", "class", "jobs", "GPU time");
    for (const auto& [index, tally] : m.classes)
      fmt::print("{:<32}{:>10}{:>12}\n", report::printable_name(description.classes[index]),
                 percent(tally.jobs / jobs),
                 percent(m.all.gpu_seconds > 0 ? tally.gpu_seconds / m.all.gpu_seconds : 0));
  }
  fmt::print("\nlimits: {} of jobs use one of the 20 most used values; run time over limit:\n",
             percent(m.most_used_limits(20)));
  for (std::size_t fifth = 0; fifth < 5; ++fifth) {
    double sum = 0;
    for (std::size_t index = 4 * fifth; index < 4 * fifth + 4; ++index) sum += m.accuracy[index];
    fmt::print("  {:>3} to {:>3} %{:>10}\n", 20 * fifth, 20 * (fifth + 1), percent(sum / jobs));
  }
  fmt::print("\njobs by hour of day, relative to the mean:\n ");
  for (std::size_t hour = 0; hour < 24; ++hour)
    fmt::print("{:>5.2f}{}", m.hour[hour] * 24 / jobs, hour == 11 ? "\n " : "");
  fmt::print("\njobs by weekday:\n ");
  for (std::size_t day = 0; day < 7; ++day)
    fmt::print(" {} {:.2f}", kWeekdays[day], m.weekday[day] * 7 / jobs);
  fmt::print("\nsubmitted together with another: {}\n", percent(m.submitted_with_another / jobs));
}

Json to_json(const Description& description) {
  const Marginals& m = description.marginals;
  const double jobs = m.all.jobs > 0 ? m.all.jobs : 1;
  const double gpu_seconds = m.all.gpu_seconds > 0 ? m.all.gpu_seconds : 1;
  Json json = {{"jobs", m.all.jobs},
               {"gpu_hours", m.all.gpu_seconds / 3600},
               {"offered_gpus", m.offered_gpus()},
               {"first_submit_s", m.first_submit_s},
               {"last_submit_s", m.last_submit_s},
               {"run_s", {{"mean", m.run_seconds / jobs}}}};
  for (const double u : kQuantiles) {
    const std::string name = fmt::format("p{:02.0f}", 100 * u);
    json["run_s"][name] = m.run.quantile(u);
    json["limit_s"][name] = m.limit.quantile(u);
  }
  const auto tally = [&](const Tally& each) {
    return Json{{"jobs", each.jobs / jobs}, {"gpu_time", each.gpu_seconds / gpu_seconds}};
  };
  for (const auto& [milli, each] : m.sizes) {
    Json row = tally(each);
    row["gpus"] = static_cast<double>(milli) / 1000;
    json["sizes"].push_back(row);
  }
  for (std::size_t outcome = 0; outcome < kOutcomeNames.size(); ++outcome)
    json["outcomes"][kOutcomeNames[outcome]] = tally(m.outcomes[outcome]);
  for (const auto& [index, each] : m.classes) json["classes"][description.classes[index]] = tally(each);
  for (const double count : m.hour) json["hour"].push_back(count * 24 / jobs);
  for (const double count : m.weekday) json["weekday"].push_back(count * 7 / jobs);
  for (const double count : m.accuracy) json["limit_accuracy"].push_back(count / jobs);
  json["most_used_20_limits"] = m.most_used_limits(20);
  json["submitted_together"] = m.submitted_with_another / jobs;
  return json;
}

}  // namespace

void add_workload_describe_command(CLI::App& workload, AppContext& context) {
  struct Options {
    std::string path;
    std::string format;
    bool json = false;
    DemandOptions demand;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      workload.add_subcommand("describe", "Sizes, run times, outcomes, limits and rhythm of jobs");
  command
      ->add_option("FILE", options->path, "A recorded trace, or a scenario (.yaml) whose jobs are generated")
      ->required()
      ->type_name("FILE");
  std::vector<std::string> formats;
  for (const workload::TraceFormatName& each : workload::trace_format_names())
    formats.emplace_back(each.name);
  command
      ->add_option("--format", options->format,
                   "Format of the trace; found out from its first lines if absent")
      ->check(CLI::IsMember(formats));
  command->add_flag("--json", options->json, "Print JSON");
  add_demand_options(*command, options->demand);
  set_action(*command, context, [options]() -> Result<ExitCode> {
    const Result<Description> description = describe(options->path, options->format, options->demand);
    if (!description) return std::unexpected(description.error());
    if (options->json)
      fmt::print("{}\n", json_out(to_json(*description)));
    else
      print_text(*description);
    return ExitCode::ok;
  });
}

}  // namespace gw
