// Tabulates log-normal mixtures; see generator_quantile_table.h.
#include "workload/generator_quantile_table.h"

#include <algorithm>

#include "base/check.h"
#include "base/math.h"

namespace gw::workload {
namespace {

constexpr double kSigmaMin = 0.01;  // A fixed value is a log-normal this narrow.
constexpr int kStepsPerCell = 4;    // Of the midpoint rule over ln(value).

/// Probability density over ln(value), up to a constant factor.
double density(std::span<const DurationComponent> components, double factor, double log_value) {
  double sum = 0;
  for (const DurationComponent& component : components) {
    if (component.share <= 0) continue;
    const double sigma = std::max(component.sigma, kSigmaMin);
    const double z = (log_value - stable_log(component.median_s * factor)) / sigma;
    if (z > -25 && z < 25) sum += component.share / sigma * stable_exp(-0.5 * z * z);
  }
  return sum;
}

double nearest_to_medians(std::span<const DurationComponent> components, double factor, double low,
                          double high) {
  double largest = 0;
  double median = low;
  for (const DurationComponent& component : components) {
    if (component.share <= largest) continue;
    largest = component.share;
    median = component.median_s * factor;
  }
  return std::clamp(median, low, high);
}

}  // namespace

QuantileTable::QuantileTable(std::span<const DurationComponent> components, double factor, double low,
                             double high) {
  GW_CHECK(low > 0 && low <= high && factor > 0);
  const double log_low = stable_log(low);
  const double width = (stable_log(high) - log_low) / kCells;
  bound_.resize(kCells + 1);
  cumulative_.assign(kCells + 1, 0);
  for (std::size_t cell = 0; cell <= kCells; ++cell)
    bound_[cell] = stable_exp(log_low + width * static_cast<double>(cell));
  bound_.front() = low;
  bound_.back() = high;

  for (std::size_t cell = 0; cell < kCells; ++cell) {
    double mass = 0;
    for (int step = 0; step < kStepsPerCell; ++step) {
      const double offset = static_cast<double>(cell) + (step + 0.5) / kStepsPerCell;
      mass += density(components, factor, log_low + width * offset);
    }
    cumulative_[cell + 1] = cumulative_[cell] + mass * width / kStepsPerCell;
  }
  const double total = cumulative_.back();
  if (total > 1e-12) {
    for (double& value : cumulative_) value /= total;
  } else {
    const double point = nearest_to_medians(components, factor, low, high);
    std::fill(bound_.begin(), bound_.end(), point);
    for (std::size_t cell = 0; cell <= kCells; ++cell) cumulative_[cell] = static_cast<double>(cell) / kCells;
  }
  cumulative_.back() = 1;

  first_.resize(kCells);
  std::size_t cell = 0;
  for (std::size_t step = 0; step < kCells; ++step) {
    while (cell + 1 < kCells && cumulative_[cell + 1] <= static_cast<double>(step) / kCells) ++cell;
    first_[step] = cell;
  }
}

double QuantileTable::quantile(double u) const {
  GW_CHECK(u >= 0 && u <= 1);
  const auto step = std::min(static_cast<std::size_t>(u * kCells), kCells - 1);
  std::size_t cell = first_[step];
  while (cell + 1 < kCells && cumulative_[cell + 1] <= u) ++cell;
  const double probability = cumulative_[cell + 1] - cumulative_[cell];
  if (probability <= 0) return bound_[cell];
  const double share = std::clamp((u - cumulative_[cell]) / probability, 0.0, 1.0);
  return bound_[cell] + share * (bound_[cell + 1] - bound_[cell]);
}

}  // namespace gw::workload
