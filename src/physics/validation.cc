// Errors and their summaries.
#include "physics/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "physics/memory.h"

namespace gw::physics {

namespace {

double median_of(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

class Collector {
 public:
  void add(const std::string& name, const Comparison& row) {
    for (Named& each : all_) {
      if (each.name != name) continue;
      each.errors.push_back(row.error);
      each.null_errors.push_back(row.null_error);
      return;
    }
    all_.push_back({name, {row.error}, {row.null_error}});
  }

  [[nodiscard]] std::vector<ErrorSummary> summaries() const {
    std::vector<ErrorSummary> summaries;
    for (const Named& each : all_) {
      ErrorSummary summary;
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

 private:
  struct Named {
    std::string name;
    std::vector<double> errors;
    std::vector<double> null_errors;
  };
  std::vector<Named> all_;
};

template <class Row>
void count_left_out(const std::vector<Row>& rows, ValidationReport& report) {
  for (const Row& row : rows) {
    if (row.reason.empty()) continue;
    const auto found = std::find_if(report.left_out.begin(), report.left_out.end(),
                                    [&](const LeftOut& each) { return each.reason == row.reason; });
    if (found == report.left_out.end())
      report.left_out.push_back({row.reason, 1});
    else
      ++found->rows;
  }
}

void sort_rows(ValidationReport& report) {
  std::stable_sort(report.rows.begin(), report.rows.end(), [](const Comparison& a, const Comparison& b) {
    return std::abs(a.error) > std::abs(b.error);
  });
}

std::string cell_of(const PublishedTraining& row) {
  return fmt::format("{} {}{}", row.gpu.name, precision_name(row.precision),
                     row.shape.mixture() ? " MoE" : "");
}

/// The largest parts of a step, for a reader who asks why.
std::string parts_of(const StepTime& time) {
  struct Part {
    const char* name;
    double seconds;
  };
  std::array parts = {Part{"products", time.products},
                      Part{"attention", time.attention},
                      Part{"element-wise", time.elementwise},
                      Part{"output layer", time.logits},
                      Part{"recomputation", time.recompute},
                      Part{"host", time.host},
                      Part{"tensor", time.tensor},
                      Part{"context", time.context},
                      Part{"expert", time.expert},
                      Part{"pipeline", time.pipeline},
                      Part{"data", time.data},
                      Part{"imbalance", time.imbalance},
                      Part{"bubble", time.bubble},
                      Part{"optimizer", time.optimizer},
                      Part{"stragglers", time.stragglers}};
  std::stable_sort(parts.begin(), parts.end(),
                   [](const Part& a, const Part& b) { return a.seconds > b.seconds; });
  std::string text;
  for (std::size_t i = 0; i < 3; ++i)
    text +=
        fmt::format("{}{} {:.0f} %", i == 0 ? "" : ", ", parts[i].name, 100 * parts[i].seconds / time.total);
  return text;
}

}  // namespace

ValidationReport validate_training(const std::vector<PublishedTraining>& rows,
                                   const Calibration& calibration) {
  ValidationReport report;
  count_left_out(rows, report);
  const auto rate = [](const PublishedTraining& row) {
    return row.global_batch * row.sequence * row.shape.training_flops_per_token(row.sequence) /
           (row.measured_s * row.layout.gpus());
  };
  std::map<std::string, std::vector<double>> rates;
  for (const PublishedTraining& row : rows) {
    if (row.reason.empty()) rates[cell_of(row)].push_back(rate(row));
  }
  std::map<std::string, double> medians;
  for (const auto& [cell, values] : rates) medians[cell] = median_of(values);
  Collector groups;
  Collector cells;
  Collector totals;
  for (const PublishedTraining& row : rows) {
    if (!row.reason.empty()) continue;
    const StepTime time = step_time(row.run(), calibration);
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = fmt::format("{}, {:.0f} x {}, {}", row.model, row.layout.gpus(), row.gpu.name,
                                  precision_name(row.precision));
    comparison.why = parts_of(time);
    if (!row.assumed.empty()) comparison.why += "; assumed " + row.assumed;
    comparison.measured_s = row.measured_s;
    comparison.predicted_s = time.total;
    comparison.error = time.total / row.measured_s - 1;
    comparison.null_error = rate(row) / medians[cell_of(row)] - 1;
    groups.add(row.group + (row.shape.mixture() ? " MoE" : ""), comparison);
    cells.add(cell_of(row), comparison);
    totals.add(row.shape.mixture() ? "MoE, all groups" : "dense, all groups", comparison);
    const Stack& stack = stacks()[static_cast<std::size_t>(row.stack)];
    if (!training_memory(row.shape, row.layout, row.sequence, row.precision, row.gpu, stack).fits()) {
      ++report.does_not_fit;
      if (!row.recompute_known) ++report.unsaid;
    }
    report.rows.push_back(std::move(comparison));
  }
  report.groups = groups.summaries();
  report.cells = cells.summaries();
  report.totals = totals.summaries();
  sort_rows(report);
  return report;
}

ValidationReport validate_collectives(const std::vector<PublishedCollective>& rows) {
  ValidationReport report;
  count_left_out(rows, report);
  Collector groups;
  Collector cells;
  Collector totals;
  for (const PublishedCollective& row : rows) {
    if (!row.reason.empty()) continue;
    const double seconds = collective_seconds(row.collective, row.bytes, row.members, row.fabric);
    Fabric ideal = row.fabric;
    ideal.scaleup = {};
    ideal.network = {};
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = fmt::format("{} of {:.0f} bytes, {:.0f} GPUs", collective_name(row.collective),
                                  row.bytes, row.members.gpus);
    comparison.why = row.fabric_name;
    comparison.measured_s = row.measured_s;
    comparison.predicted_s = seconds;
    comparison.error = seconds / row.measured_s - 1;
    comparison.null_error =
        collective_seconds(row.collective, row.bytes, row.members, ideal) / row.measured_s - 1;
    groups.add(row.group, comparison);
    constexpr double kLarge = 64e6;
    constexpr double kSmall = 1e6;
    const char* band = row.bytes >= kLarge  ? "64 MB and more"
                       : row.bytes < kSmall ? "under 1 MB"
                                            : "1 to 64 MB";
    cells.add(fmt::format("{}, {}", collective_name(row.collective), band), comparison);
    totals.add("all operations", comparison);
    report.rows.push_back(std::move(comparison));
  }
  report.groups = groups.summaries();
  report.cells = cells.summaries();
  report.totals = totals.summaries();
  sort_rows(report);
  return report;
}

}  // namespace gw::physics
