// Power of the model beside published power.
#include "physics/validation_power.h"

#include <fmt/format.h>

#include <map>
#include <utility>

namespace gw::physics {

ValidationReport validate_power(const std::vector<PublishedPower>& rows, const PowerConstants& constants) {
  ReportBuilder report("Power: error of the model, and of the median share of the nameplate per GPU type");
  const auto cell_of = [](const PublishedPower& row) {
    return row.gpu.name.empty() ? std::string(quantity_name(row.quantity))
                                : fmt::format("{}, {}", quantity_name(row.quantity), row.gpu.name);
  };
  // A PUE has no nameplate: its null model is the median itself.
  const auto share_of = [](const PublishedPower& row) {
    return row.nameplate > 0 ? row.measured / row.nameplate : row.measured;
  };
  std::map<std::string, std::vector<double>> shares;
  for (const PublishedPower& row : rows) {
    if (row.reason.empty()) shares[cell_of(row)].push_back(share_of(row));
  }
  std::map<std::string, double> medians;
  for (const auto& [cell, values] : shares) medians[cell] = median_of(values);
  for (const PublishedPower& row : rows) {
    if (!row.reason.empty()) {
      report.leave_out(row.reason);
      continue;
    }
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = row.what;
    comparison.why = row.assumed;
    comparison.unit = row.quantity == PowerQuantity::kPue ? "" : "W";
    comparison.measured = row.measured;
    comparison.predicted = predicted_power(row, constants);
    comparison.error = comparison.predicted / row.measured - 1;
    comparison.null_error = medians[cell_of(row)] / share_of(row) - 1;
    report.add(row.group, cell_of(row), std::string(quantity_name(row.quantity)), std::move(comparison));
  }
  return std::move(report).finish();
}

}  // namespace gw::physics
