// Searches what replicas serve within limits, and sets gaps between tokens beside measured ones.
#include "physics/validation_latency.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "base/math.h"
#include "physics/serving_search.h"
#include "physics/validation_inference.h"

namespace gw::physics {

namespace {

// Requests under way at once come and go this many times in a simulated queue.
constexpr double kTurns = 6;
constexpr std::size_t kMostRequests = 12'000;
constexpr std::uint64_t kSeed = 1;

std::string lower_scenario(const PublishedInference& row) {
  return row.scenario == "Interactive" ? "interactive" : "server";
}

std::string limited_cell(const PublishedInference& row) {
  return fmt::format("{} {} {}", serving_cell(row), row.shape.name, row.scenario);
}

/// The most tokens for each GPU that the limits allow, with the layout that throughput rows are compared with
/// and any batch limit; where that layout is too slow, with any layout of a node.
ServingSearchResult served_within(const PublishedInference& row, const ServingCalibration& calibration) {
  const ServingLoad load = row.load(calibration);
  ServingSearchOptions options;
  options.base = row.deployment();
  options.targets = row.limits;
  options.keep = 1;
  options.apart = false;
  options.gpus_max = std::max(8U, static_cast<std::uint32_t>(row.layout.gpus()));
  options.tensor = row.layout.tensor;
  options.data = row.layout.data;
  options.expert = row.layout.expert;
  options.load = {std::max(1.0, load.input),
                  load.output,
                  load.spread,
                  kSeed,
                  std::max(1U, static_cast<std::uint32_t>(row.system_gpus / row.layout.gpus())),
                  std::clamp<std::size_t>(static_cast<std::size_t>(kTurns * load.sequences), kSearchRequests,
                                          kMostRequests)};
  ServingSearchResult result = search_serving(options, calibration);
  if (!result.best.empty()) return result;
  options.tensor = options.data = options.expert = 0;
  return search_serving(options, calibration);
}

/// What was served within limits, and how far the model is from it.
struct Served {
  std::string scenario;
  std::string cell;   // GPU type and numbers,
  std::string model;  // and shape.
  double work = 0;    // Tokens per second and GPU times active parameters.
  double error = 0;
};

/// A sentence on what other configurations tell: the null model's cells hold little but repeats of the row.
void note_others(const std::vector<Served>& served, ReportBuilder& report) {
  std::map<std::string, std::array<std::vector<double>, 2>> errors;  // Of the others and of the model.
  for (const Served& each : served) {
    std::vector<double> same_gpu;
    std::vector<double> same_model;
    for (const Served& other : served) {
      if (other.scenario != each.scenario) continue;
      if (other.cell == each.cell && other.model != each.model) same_gpu.push_back(other.work);
      if (other.cell != each.cell && other.model == each.model) same_model.push_back(other.work);
    }
    const std::vector<double>& others = same_gpu.empty() ? same_model : same_gpu;
    if (others.empty()) continue;
    errors[each.scenario][0].push_back(std::abs(median_of(others) / each.work - 1));
    errors[each.scenario][1].push_back(std::abs(each.error));
  }
  const auto mean = [](const std::vector<double>& values) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum / static_cast<double>(values.size());
  };
  for (const auto& [scenario, both] : errors)
    report.note(fmt::format(
        "{}: the null model knows each row's own configuration. Without it (the median tokens/s times active "
        "parameters of other models on that GPU type and numbers, where there are none of that model on "
        "others) it "
        "errs by {:.1f} % over {} rows, this model over the same by {:.1f} %.",
        scenario, 100 * mean(both[0]), both[0].size(), 100 * mean(both[1])));
}

std::string gap_cell(const PublishedInference& row) {
  // Within a factor of two of the number at once of each GPU.
  const double each = std::max(1.0, row.sequences / row.layout.gpus());
  return fmt::format("{} {:.0f}", serving_cell(row), std::floor(stable_log2(each)));
}

}  // namespace

ValidationReport validate_latency(const std::vector<PublishedInference>& rows,
                                  const ServingCalibration& calibration) {
  ReportBuilder report(
      "Serving latency: error of the most that is served within latency limits and of the time between "
      "tokens; "
      "beside it the median per GPU type, numbers and model, or per number of requests at once");
  std::map<std::string, std::vector<double>> served;
  std::map<std::string, std::vector<double>> gaps;
  std::vector<Served> served_rows;
  std::map<std::string, std::vector<double>> repeats;  // Of served ones, by group and configuration.
  for (const PublishedInference& row : rows) {
    if (!row.reason.empty()) continue;
    if (row.limited()) {
      served[limited_cell(row)].push_back(row.measured);
      repeats[fmt::format("{}, {}\n{} {}", row.group, lower_scenario(row), limited_cell(row), row.engine)]
          .push_back(row.measured);
    }
    if (row.gap_p50_s > 0) gaps["p50 " + gap_cell(row)].push_back(row.gap_p50_s);
    if (row.gap_p99_s > 0) gaps["p99 " + gap_cell(row)].push_back(row.gap_p99_s);
  }
  // Many rows repeat one configuration.
  std::map<std::string, ServingSearchResult> found;
  for (const PublishedInference& row : rows) {
    if (!row.reason.empty()) continue;
    const std::string kind = row.shape.mixture() ? "MoE" : "dense";
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = fmt::format("{}, {}, {}", row.model, row.gpu.name, weight_format_name(row.weights));
    if (row.limited()) {
      const std::string key = fmt::format("{} {} {}", limited_cell(row), row.engine, row.system_gpus);
      auto known = found.find(key);
      if (known == found.end()) known = found.emplace(key, served_within(row, calibration)).first;
      if (known->second.best.empty()) {
        report.leave_out("no layout keeps the latency limits, says the model");
        continue;
      }
      const ServingCandidate& best = known->second.best.front();
      comparison.what += ", " + lower_scenario(row);
      comparison.why = fmt::format(
          "tensor {}, data {}, expert {}, {:.0f} at once, p99 {:.2f} s to the first token, {:.0f} ms between "
          "tokens; {}",
          best.pool.deployment.layout.tensor, best.pool.deployment.layout.data,
          best.pool.deployment.layout.expert, best.queue.sequences, best.queue.first_token.p99,
          1e3 * best.queue.per_token.p99, best.pool.sequences_max > 0 ? "batch limit" : "no batch limit");
      comparison.unit = "tokens/s";
      comparison.measured = row.measured;
      comparison.predicted = best.tokens_s_gpu;
      comparison.error = comparison.predicted / row.measured - 1;
      comparison.null_error = median_of(served[limited_cell(row)]) / row.measured - 1;
      served_rows.push_back({lower_scenario(row), serving_cell(row), row.shape.name,
                             row.measured * row.active_parameters, comparison.error});
      report.add(fmt::format("{}, {}{}", row.group, lower_scenario(row), row.shape.mixture() ? " MoE" : ""),
                 serving_cell(row), fmt::format("{}, {}", lower_scenario(row), kind), std::move(comparison));
      continue;
    }
    const ServingLoad load = row.load(calibration);
    const auto gap = [&](const char* name, double measured, double share) {
      if (measured <= 0) return;
      Comparison each = comparison;
      each.what += fmt::format(", {:.0f} at once, {}", row.sequences, name);
      each.measured = measured;
      each.predicted = token_gap(row.deployment(), load, share, calibration);
      each.error = each.predicted / measured - 1;
      each.null_error = median_of(gaps[fmt::format("{} {}", name, gap_cell(row))]) / measured - 1;
      report.add(fmt::format("{} {}{}", row.group, name, row.shape.mixture() ? " MoE" : ""),
                 serving_cell(row), fmt::format("time between tokens, {}, {}", name, kind), std::move(each));
    };
    gap("p50", row.gap_p50_s, 0.5);
    gap("p99", row.gap_p99_s, 0.99);
  }
  note_repeats(repeats, report);
  note_others(served_rows, report);
  return std::move(report).finish();
}

}  // namespace gw::physics
