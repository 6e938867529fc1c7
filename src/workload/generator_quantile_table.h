// QuantileTable: a truncated mixture of log-normals, tabulated once, then drawn by one table look-up per
// value.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "model/workload_mix.h"

namespace gw::workload {

/// The density is constant inside each of kCells cells whose bounds grow geometrically from `low` to `high`,
/// so both tails keep their resolution. What is drawn and what is integrated are the same law: expectations
/// are those of the values drawn, not of an ideal that the table approximates.
class QuantileTable {
 public:
  static constexpr std::size_t kCells = 512;

  /// The mixture with every median multiplied by `factor`, cut to [low, high] and renormalised. 0 < low <=
  /// high. Where the interval holds (almost) no mass, the law is the bound nearest to the medians.
  QuantileTable(std::span<const DurationComponent> components, double factor, double low, double high);

  /// The value below which the share `u` in [0, 1] of all values lies; does not decrease with u.
  [[nodiscard]] double quantile(double u) const;

  /// E[f(value)]: Simpson's rule in every cell.
  template <class Function>
  [[nodiscard]] double expect(Function f) const {
    double sum = 0;
    for (std::size_t cell = 0; cell < kCells; ++cell) {
      const double probability = cumulative_[cell + 1] - cumulative_[cell];
      if (probability <= 0) continue;
      const double left = bound_[cell];
      const double right = bound_[cell + 1];
      sum += probability * (f(left) + 4 * f((left + right) / 2) + f(right)) / 6;
    }
    return sum;
  }

 private:
  std::vector<double> bound_;       ///< kCells + 1 cell bounds, ascending.
  std::vector<double> cumulative_;  ///< Probability below each bound; 0 first, 1 last.
  std::vector<std::size_t> first_;  ///< For the i-th of kCells equal steps of u: the first cell to look at.
};

}  // namespace gw::workload
