// Joules of a token of the model beside published ones.
#include "physics/validation_served_energy.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "physics/serving_power.h"

namespace gw::physics {

namespace {

std::string cell_of(const PublishedInference& row) {
  return fmt::format("J per token, {}{}", row.gpu.name, row.shape.mixture() ? " MoE" : "");
}

std::string null_cell(const PublishedInference& row) {
  return fmt::format("{} {} {:.3g}", row.gpu.name, weight_format_name(row.weights), row.active_parameters);
}

double measured_of(const PublishedInference& row) { return row.power_w_gpu / row.measured; }

}  // namespace

ValidationReport validate_served_energy(const std::vector<PublishedInference>& rows,
                                        const ServingCalibration& calibration,
                                        const PowerConstants& constants) {
  ReportBuilder report(
      "Energy of a served token, GPUs: error of the model, and of the median J per token per GPU type, "
      "numbers "
      "and active parameters");
  std::map<std::string, std::vector<double>> energies;
  for (const PublishedInference& row : rows) {
    if (row.reason.empty() && row.power_w_gpu > 0) energies[null_cell(row)].push_back(measured_of(row));
  }
  std::map<std::string, double> medians;
  for (const auto& [cell, values] : energies) medians[cell] = median_of(values);
  for (const PublishedInference& row : rows) {
    if (row.power_w_gpu <= 0) continue;  // A row of another subject.
    if (!row.reason.empty()) {
      report.leave_out(row.reason);
      continue;
    }
    const ServingLoad load = row.load(calibration);
    const ServingState state = steady_state(row.deployment(), load, calibration);
    const Watts power = gpu_power(constants, row.gpu, use_of(state));
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = fmt::format("{}, {:.0f} x {}, {}, {:.0f} at once", row.model, row.layout.gpus(),
                                  row.gpu.name, weight_format_name(row.weights), load.sequences);
    comparison.why = fmt::format("{:.0f} W of {:.0f} measured, {:.0f} tokens/s per GPU of {:.0f}",
                                 power.value(), row.power_w_gpu, state.tokens_s_gpu, row.measured);
    comparison.unit = "J";
    comparison.measured = measured_of(row);
    comparison.predicted = power.value() / state.tokens_s_gpu;
    comparison.error = comparison.predicted / comparison.measured - 1;
    comparison.null_error = medians[null_cell(row)] / comparison.measured - 1;
    report.add(row.group, cell_of(row), "J per token", std::move(comparison));
  }
  return std::move(report).finish();
}

}  // namespace gw::physics
