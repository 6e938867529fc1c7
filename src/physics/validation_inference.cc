// Throughputs of the serving model beside published ones.
#include "physics/validation_inference.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

namespace gw::physics {

namespace {

std::string null_cell(const PublishedInference& row) {
  return fmt::format("{} {:.3g}", serving_cell(row), row.active_parameters);
}

/// The largest parts of a decoding pass, for a reader who asks why.
std::string parts_of(const ServingState& state, const ServingLoad& load) {
  struct Part {
    const char* name;
    double seconds;
  };
  const PassTime& time = state.decode;
  std::array parts = {Part{"products", time.dense},      Part{"experts", time.experts},
                      Part{"cache", time.cache},         Part{"element-wise", time.elementwise},
                      Part{"output layer", time.output}, Part{"communication", time.communication},
                      Part{"launches", time.launches},   Part{"host", time.host}};
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return a.seconds > b.seconds; });
  std::string text =
      fmt::format("{:.0f} at once, prompts {:.0f} %", load.sequences, 100 * state.prompt_share);
  for (std::size_t i = 0; i < 3; ++i)
    text += fmt::format(", {} {:.0f} %", parts[i].name,
                        100 * (1 - state.prompt_share) * parts[i].seconds / time.total);
  return text;
}

std::string total_of(const PublishedInference& row) {
  const bool narrow = row.weights == WeightFormat::kNvfp4 || row.weights == WeightFormat::kMxfp4;
  const char* kind = row.shape.mixture() || narrow ? "MoE or 4-bit" : "dense";
  return fmt::format("{}, {}", kind, row.offline ? "offline" : "fixed number at once");
}

}  // namespace

void note_repeats(const std::map<std::string, std::vector<double>>& repeats, ReportBuilder& report) {
  struct Spread {
    std::size_t configurations = 0;
    std::vector<double> errors;
  };
  std::map<std::string, Spread> groups;
  for (const auto& [name, values] : repeats) {
    if (values.size() < 2) continue;
    Spread& spread = groups[name.substr(0, name.find('\n'))];
    ++spread.configurations;
    for (const double value : values) spread.errors.push_back(std::abs(median_of(values) / value - 1));
  }
  for (const auto& [group, spread] : groups) {
    double mean = 0;
    for (const double error : spread.errors) mean += error / static_cast<double>(spread.errors.size());
    report.note(
        fmt::format("{}: {} rows repeat {} configurations and lie {:.1f} % (at most {:.1f} %) from the "
                    "median of their own: "
                    "what a row does not tell, below which no model of configurations comes",
                    group, spread.errors.size(), spread.configurations, 100 * mean,
                    100 * std::ranges::max(spread.errors)));
  }
}

ValidationReport validate_inference(const std::vector<PublishedInference>& rows,
                                    const ServingCalibration& calibration) {
  ReportBuilder report(
      "Serving throughput: error of the model, and of the median tokens/s per GPU type, numbers and active "
      "parameters");
  std::map<std::string, std::vector<double>> rates;
  for (const PublishedInference& row : rows) {
    if (row.reason.empty() && !row.limited()) rates[null_cell(row)].push_back(row.measured);
  }
  std::map<std::string, std::vector<double>> repeats;  // By configuration, its group first.
  std::map<std::string, double> medians;
  for (const auto& [cell, values] : rates) medians[cell] = median_of(values);
  for (const PublishedInference& row : rows) {
    if (!row.reason.empty()) {
      report.leave_out(row.reason);
      continue;
    }
    if (row.limited()) {
      report.leave_out("the most within latency limits: compared as serving latency");
      continue;
    }
    repeats[fmt::format("{}\n{} {} {}\n{} {} {} {} {} {}", row.group, null_cell(row), row.model, row.scenario,
                        row.layout.tensor, row.layout.data, row.layout.expert, row.input, row.output,
                        row.sequences)]
        .push_back(row.measured);
    const ServingLoad load = row.load(calibration);
    const ServingState state = steady_state(row.deployment(), load, calibration);
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = fmt::format("{}, {:.0f} x {}, {}, {:.0f} in, {:.0f} out", row.model, row.layout.gpus(),
                                  row.gpu.name, weight_format_name(row.weights), load.input, load.output);
    comparison.why = parts_of(state, load);
    if (!row.assumed.empty()) comparison.why += "; assumed " + row.assumed;
    comparison.unit = "tokens/s";
    comparison.measured = row.measured;
    comparison.predicted = state.tokens_s_gpu;
    comparison.error = state.tokens_s_gpu / row.measured - 1;
    comparison.null_error = medians[null_cell(row)] / row.measured - 1;
    report.add(row.group + (row.shape.mixture() ? " MoE" : ""), serving_cell(row), total_of(row),
               std::move(comparison));
  }
  note_repeats(repeats, report);
  return std::move(report).finish();
}

}  // namespace gw::physics
