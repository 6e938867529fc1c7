// Layout of the scores.
#include "cli/bench_eta.h"

#include <fmt/format.h>

#include "cli/text_table.h"
#include "report/text.h"

namespace gw {
namespace {

using Json = nlohmann::ordered_json;
using twin::Coverage;
using twin::EtaSample;
using twin::EtaScore;
using twin::PointError;

std::string percent_text(double share) { return fmt::format("{:.1f} %", 100 * share); }
std::string interval(const Coverage& coverage) {
  return fmt::format("{:.1f} to {:.1f}", 100 * coverage.low, 100 * coverage.high);
}
std::string span(double seconds) {
  return seconds < 0 ? "-" + report::format_duration(-seconds) : report::format_duration(seconds);
}

/// Of all jobs, those that start at once included: for them "now" is said, and it is true.
double with_trivial(const twin::EtaCounts& counts, double share) {
  const auto jobs = static_cast<double>(counts.at_once + counts.waiting);
  if (jobs == 0) return 0;
  return (static_cast<double>(counts.at_once) + static_cast<double>(counts.waiting) * share) / jobs;
}

Json coverage_json(const Coverage& coverage) {
  return {{"hits", coverage.hits}, {"share", coverage.share}, {"low", coverage.low}, {"high", coverage.high}};
}

Json error_json(const PointError& error) {
  return {{"median_absolute_s", error.median_absolute_s},
          {"mean_absolute_s", error.mean_absolute_s},
          {"bias_s", error.bias_s},
          {"median_bias_s", error.median_bias_s}};
}

Json score_json(const EtaScore& score) {
  return {{"name", score.name},
          {"samples", score.samples},
          {"median_wait_s", score.median_wait_s},
          {"p50", coverage_json(score.p50)},
          {"p90", coverage_json(score.p90)},
          {"error", error_json(score.error)},
          {"by_limits", error_json(score.by_limits)},
          {"error_ratio", score.error_ratio},
          {"median_spread_s", score.median_spread_s},
          {"ensemble_alone",
           {{"p50", coverage_json(score.raw_p50)},
            {"p90", coverage_json(score.raw_p90)},
            {"error", error_json(score.raw_error)},
            {"median_spread_s", score.raw_median_spread_s}}}};
}

}  // namespace

std::string eta_text(const EtaBenchReport& report) {
  const twin::EtaCounts& counts = report.counts;
  const EtaScore all = twin::score_of(report.samples, "all that wait");
  std::string text =
      fmt::format("{}, policy {}, {}; limits: {}{}\n", report::printable_name(report.trace), report.policy,
                  report::printable_name(report.fleet), report.limits,
                  report.faster == 1 ? "" : fmt::format("; arrivals {} times as fast", report.faster));
  text += fmt::format("{} jobs: {} started at once (\"now\" is said, and true), {} waited, {} rejected\n",
                      report::format_count(counts.submitted), report::format_count(counts.at_once),
                      report::format_count(counts.waiting), report::format_count(counts.rejected));
  if (all.samples == 0) return text + "No job waited, so there was nothing to ask.\n";
  text += fmt::format(
      "{} of those that waited were asked for when they came: {} members at most, {:.3f} s each, {:.2f} s at "
      "most\n\n",
      report::format_count(all.samples), report.members_most,
      report.forecasts_wall_s / static_cast<double>(all.samples), report.slowest_s);

  TextTable table("lrrrrrr");
  table.add({"", "said", "came by then", "95 % interval", "of all jobs", "ensemble alone"});
  table.add({"P50", "50 %", percent_text(all.p50.share), interval(all.p50),
             percent_text(with_trivial(counts, all.p50.share)), percent_text(all.raw_p50.share)});
  table.add({"P90", "90 %", percent_text(all.p90.share), interval(all.p90),
             percent_text(with_trivial(counts, all.p90.share)), percent_text(all.raw_p90.share)});
  text += table.text() + "\n";

  TextTable errors("lrrrrr");
  errors.add({"", "median error", "mean error", "bias", "median bias", "P90 - P50"});
  const auto row = [&](const char* name, const PointError& error, const std::string& spread) {
    errors.add({name, span(error.median_absolute_s), span(error.mean_absolute_s), span(error.bias_s),
                span(error.median_bias_s), spread});
  };
  row("P50", all.error, span(all.median_spread_s));
  row("ensemble alone", all.raw_error, span(all.raw_median_spread_s));
  row("EASY by limits", all.by_limits, "");
  text += errors.text();
  text += fmt::format("P50's median error is {:.2f} of that of EASY by limits\n\n", all.error_ratio);

  TextTable bands("lrrrrrrrr");
  bands.add({"foretold wait", "asked", "came by P50", "by P90", "median wait", "median error", "by limits",
             "ratio", "P90 - P50"});
  for (const EtaScore& score : twin::scores_by_band(report.samples)) {
    bands.add({score.name, report::format_count(score.samples), percent_text(score.p50.share),
               percent_text(score.p90.share), span(score.median_wait_s), span(score.error.median_absolute_s),
               span(score.by_limits.median_absolute_s), fmt::format("{:.2f}", score.error_ratio),
               span(score.median_spread_s)});
  }
  return text + bands.text();
}

nlohmann::ordered_json eta_json(const EtaBenchReport& report) {
  const EtaScore all = twin::score_of(report.samples, "waiting");
  Json json = {{"trace", report.trace},
               {"policy", report.policy},
               {"fleet", report.fleet},
               {"limits", report.limits},
               {"arrivals_faster", report.faster},
               {"jobs",
                {{"submitted", report.counts.submitted},
                 {"started_at_once", report.counts.at_once},
                 {"waited", report.counts.waiting},
                 {"rejected", report.counts.rejected}}},
               {"members_most", report.members_most},
               {"events", report.counts.events},
               {"waiting", score_json(all)},
               {"all_jobs",
                {{"p50_share", with_trivial(report.counts, all.p50.share)},
                 {"p90_share", with_trivial(report.counts, all.p90.share)}}},
               {"bands", Json::array()},
               {"run",
                {{"wall_s", report.wall_s},
                 {"forecasts_wall_s", report.forecasts_wall_s},
                 {"slowest_s", report.slowest_s}}}};
  for (const EtaScore& score : twin::scores_by_band(report.samples))
    json["bands"].push_back(score_json(score));
  return json;
}

std::string eta_csv(const EtaBenchReport& report) {
  std::string text =
      "job,tenant,gpus,limit_s,asked_s,waiting,members,reached,ensemble_p50_s,ensemble_p90_s,p50_s,p90_s,"
      "by_limits_s,started_s\n";
  for (const EtaSample& sample : report.samples) {
    const auto since = [&](Instant when) {
      return when == Instant::max() ? std::string() : fmt::format("{:.3f}", to_seconds(when - sample.asked));
    };
    text += fmt::format("{},{},{},{:.3f},{:.3f},{},{},{},{},{},{},{},{},{}\n", sample.job.value(),
                        sample.kind.tenant.value(), static_cast<double>(sample.kind.gpu_milli) / 1000,
                        to_seconds(sample.kind.limit), to_seconds(sample.asked), sample.waiting,
                        sample.raw.members, sample.raw.reached, since(sample.raw.p50), since(sample.raw.p90),
                        since(sample.told.p50), since(sample.told.p90), since(sample.by_limits),
                        since(sample.started));
  }
  return text;
}

}  // namespace gw
