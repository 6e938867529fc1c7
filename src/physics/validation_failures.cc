// Counts, times and shares of the model of failures beside published ones.
#include "physics/validation_failures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "physics/goodput.h"

namespace gw::physics {

namespace {

using Quantity = PublishedFailure::Quantity;
using Bound = PublishedFailure::Bound;

// Of a checkpoint that a row on goodput says nothing of.
constexpr double kAssumedPauseSeconds = 10;
constexpr double kAssumedBehindSeconds = 60;
constexpr double kBytesPerParameter = 14;      // Weights in 16 bits; master weights and two moments in 32.
constexpr double kNullBytesPerParameter = 16;  // All four in 32 bits.
constexpr std::uint64_t kSeed = 1;

GoodputInput goodput_of(double mtbf_s, double gpus) {
  GoodputInput input;
  input.mtbf_s = mtbf_s;
  input.pause_s = kAssumedPauseSeconds;
  input.behind_s = kAssumedBehindSeconds;
  input.recovery = usual_recovery(gpus);
  input.recovery.read_s = kAssumedBehindSeconds;
  input.interval_s = best_interval(input);
  return input;
}

/// Rates that a quantity is computed from: those of the model or of the null model.
struct Rates {
  JobFailures failures;
  double bytes_per_parameter = 0;
};

double counted_per_hour(const JobFailures& failures, const std::vector<FailureCause>& causes) {
  if (causes.empty()) return failures.total_per_hour();
  double total = 0;
  for (const FailureCause cause : causes) total += failures.per_hour[static_cast<std::size_t>(cause)];
  return total;
}

double value_of(const PublishedFailure& row, const Rates& rates) {
  const JobFailures& failures = rates.failures;
  const double counted = counted_per_hour(failures, row.causes);
  switch (row.quantity) {
    case Quantity::kCount:
      return counted * 24 * row.days;
    case Quantity::kMtbf:
      return 1 / counted;
    case Quantity::kNodeRate:
      return counted * 24 * 1000 / row.setting.nodes();
    case Quantity::kNodesTaken:
      return failures.nodes_per_hour() * 24 * row.days;
    case Quantity::kShare:
      return 100 * counted / failures.total_per_hour();
    case Quantity::kGoodput:
      return 100 * time_shares(goodput_of(failures.mtbf_s(), row.setting.gpus)).useful;
    case Quantity::kDetection:
      return usual_recovery(row.setting.gpus).detect_s / 60;
    case Quantity::kCatchUp: {
      const GoodputInput input = goodput_of(failures.mtbf_s(), row.setting.gpus);
      return (input.recovery.restart_s + input.recovery.read_s + input.interval_s / 2) / 60;
    }
    case Quantity::kCheckpoint:
      return rates.bytes_per_parameter * row.parameters;
  }
  return 0;
}

double error_of(const PublishedFailure& row, double predicted) {
  if (row.bound == Bound::kAtLeast && predicted >= row.measured) return 0;
  if (row.bound == Bound::kAtMost && predicted <= row.measured) return 0;
  return predicted / row.measured - 1;
}

/// What lies about the prediction where rates make it.
Estimate predicted_interval(const PublishedFailure& row, const JobFailures& failures, double predicted) {
  if (row.bound != Bound::kNone) return {};
  if (row.quantity == Quantity::kCount || row.quantity == Quantity::kNodesTaken)
    return count_interval(predicted, failures.sigma, kSeed);
  if (row.quantity != Quantity::kMtbf && row.quantity != Quantity::kNodeRate) return {};
  const Estimate mtbf = mtbf_interval(failures);
  return {predicted, predicted * mtbf.low / mtbf.expected, predicted * mtbf.high / mtbf.expected};
}

struct Named {
  const char* cell;
  const char* unit;
};

Named named(const PublishedFailure& row) {
  switch (row.quantity) {
    case Quantity::kCount:
      return row.causes.empty() ? Named{"interruptions in all", "interruptions"}
                                : Named{"interruptions by cause", "interruptions"};
    case Quantity::kMtbf:
      return {"time between interruptions", "h"};
    case Quantity::kNodeRate:
      return {"rate per node", "per 1000 node-days"};
    case Quantity::kNodesTaken:
      return {"nodes taken out", "nodes"};
    case Quantity::kShare:
      return {"shares of causes", "%"};
    case Quantity::kGoodput:
      return {"goodput", "%"};
    case Quantity::kDetection:
    case Quantity::kCatchUp:
      return {"recovery", "min"};
    case Quantity::kCheckpoint:
      return {"checkpoints", "bytes"};
  }
  return {"", ""};
}

/// Interruptions per GPU-hour of rows that count all of a job's or node's.
double median_rate(const std::vector<PublishedFailure>& rows) {
  std::vector<double> rates;
  for (const PublishedFailure& row : rows) {
    if (!row.reason.empty() || row.bound != Bound::kNone || !row.causes.empty()) continue;
    if (row.quantity == Quantity::kCount)
      rates.push_back(row.measured / (row.days * 24 * row.setting.gpus));
    else if (row.quantity == Quantity::kMtbf)
      rates.push_back(1 / (row.measured * row.setting.gpus));
    else if (row.quantity == Quantity::kNodeRate)
      rates.push_back(row.measured / (1000 * 24 * row.setting.gpus_per_node));
  }
  return median_of(std::move(rates));
}

}  // namespace

ValidationReport validate_failures(const std::vector<PublishedFailure>& rows) {
  ReportBuilder report("Failures: error of the model, and of one median rate per GPU-hour");
  const double rate = median_rate(rows);
  for (const PublishedFailure& row : rows) {
    if (!row.reason.empty()) {
      report.leave_out(row.reason);
      continue;
    }
    const JobFailures failures = job_failures(row.setting);
    JobFailures alike;
    alike.per_hour.fill(rate * row.setting.gpus / kFailureCauses);
    const double predicted = value_of(row, {failures, kBytesPerParameter});
    const Estimate interval = predicted_interval(row, failures, predicted);
    const Named name = named(row);
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = row.what;
    comparison.why = row.bound == Bound::kAtLeast  ? "at least"
                     : row.bound == Bound::kAtMost ? "at most"
                                                   : row.assumed;
    comparison.unit = name.unit;
    comparison.measured = row.measured;
    comparison.predicted = predicted;
    comparison.error = error_of(row, predicted);
    comparison.null_error = rate > 0 ? error_of(row, value_of(row, {alike, kNullBytesPerParameter})) : -1;
    comparison.measured_low = row.low;
    comparison.measured_high = row.high;
    comparison.predicted_low = interval.low;
    comparison.predicted_high = interval.high;
    report.add(row.group, name.cell, "all of failures", std::move(comparison));
  }
  report.note(
      "Rates by cause on Hopper are the Llama 3 405B run's own counts: errors of that group say only that "
      "the "
      "arithmetic is right. The factor of Ampere and the spread between sites are from four clusters here.");
  return std::move(report).finish();
}

}  // namespace gw::physics
