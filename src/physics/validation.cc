// Errors and their summaries.
#include "physics/validation.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace gw::physics {

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

ReportBuilder::ReportBuilder(std::string heading) { report_.heading = std::move(heading); }

void ReportBuilder::add_to(std::vector<Named>& list, const std::string& name, const Comparison& row) {
  auto found = std::find_if(list.begin(), list.end(), [&](const Named& each) { return each.name == name; });
  if (found == list.end()) found = list.insert(list.end(), Named{name, {}, {}, {}});
  found->errors.push_back(row.error);
  found->null_errors.push_back(row.null_error);
  const auto holds = [](double low, double high, double value) { return low <= value && value <= high; };
  if (row.measured_low < row.measured_high) {
    const double null_predicted = row.measured * (1 + row.null_error);
    ++found->counts.with_interval;
    found->counts.inside += holds(row.measured_low, row.measured_high, row.predicted);
    found->counts.null_inside += holds(row.measured_low, row.measured_high, null_predicted);
  }
  if (row.predicted_low < row.predicted_high) {
    ++found->counts.with_prediction;
    found->counts.covered += holds(row.predicted_low, row.predicted_high, row.measured);
  }
}

std::vector<ErrorSummary> ReportBuilder::summaries(const std::vector<Named>& list) {
  std::vector<ErrorSummary> summaries;
  for (const Named& each : list) {
    ErrorSummary summary = each.counts;
    summary.name = each.name;
    summary.points = each.errors.size();
    const auto count = static_cast<double>(summary.points);
    std::vector<double> sizes;
    for (std::size_t i = 0; i < each.errors.size(); ++i) {
      const double size = std::abs(each.errors[i]);
      const double null_size = std::abs(each.null_errors[i]);
      sizes.push_back(size);
      summary.mean += size / count;
      summary.bias += each.errors[i] / count;
      summary.max = std::max(summary.max, size);
      summary.null_mean += null_size / count;
      summary.null_max = std::max(summary.null_max, null_size);
    }
    summary.median = median_of(std::move(sizes));
    summaries.push_back(std::move(summary));
  }
  return summaries;
}

void ReportBuilder::add(const std::string& group, const std::string& cell, const std::string& total,
                        Comparison row) {
  add_to(groups_, group, row);
  add_to(cells_, cell, row);
  add_to(totals_, total, row);
  report_.rows.push_back(std::move(row));
}

void ReportBuilder::leave_out(const std::string& reason) {
  const auto found = std::find_if(report_.left_out.begin(), report_.left_out.end(),
                                  [&](const LeftOut& each) { return each.reason == reason; });
  if (found == report_.left_out.end())
    report_.left_out.push_back({reason, 1});
  else
    ++found->rows;
}

void ReportBuilder::note(std::string sentence) { report_.notes.push_back(std::move(sentence)); }

ValidationReport ReportBuilder::finish() && {
  report_.groups = summaries(groups_);
  report_.cells = summaries(cells_);
  report_.totals = summaries(totals_);
  std::stable_sort(report_.rows.begin(), report_.rows.end(), [](const Comparison& a, const Comparison& b) {
    return std::abs(a.error) > std::abs(b.error);
  });
  return std::move(report_);
}

}  // namespace gw::physics
