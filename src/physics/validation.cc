// Errors and their summaries.
#include "physics/validation.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace gw::physics {

namespace {

/// The quantile 0.975 of Student's t (Abramowitz and Stegun, table 26.10); beyond it their expansion 26.7.5,
/// right to three digits.
double student_t(std::size_t freedom) {
  constexpr std::array kQuantiles = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                     2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
  if (freedom <= kQuantiles.size()) return kQuantiles[freedom - 1];
  constexpr double kNormal = 1.959964;
  return kNormal + (kNormal * kNormal * kNormal + kNormal) / 4 / static_cast<double>(freedom);
}

}  // namespace

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

MeanInterval mean_interval(const std::vector<double>& sizes) {
  double mean = 0;
  for (const double size : sizes) mean += size / static_cast<double>(sizes.size());
  if (sizes.size() < 2) return {mean, mean};
  double squares = 0;
  for (const double size : sizes) squares += (size - mean) * (size - mean);
  const auto count = static_cast<double>(sizes.size());
  const double error = std::sqrt(squares / (count - 1) / count);
  const double reach = student_t(sizes.size() - 1) * error;
  return {std::max(0.0, mean - reach), mean + reach};
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
    const MeanInterval interval = mean_interval(sizes);
    summary.mean_low = interval.low;
    summary.mean_high = interval.high;
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
  row.cell = cell;
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
