// ArrivalClock: turns evenly flowing time into the daily and weekly rhythm of arrivals, by rescaling time.
#pragma once

#include <array>
#include <cstddef>

#include "model/workload_mix.h"

namespace gw::workload {

/// Maps operational time (in which arrivals have rate 1 per unit) to the run's own time. The intensity is
/// constant inside each of the week's 168 hours and has mean 1 over the week (Çinlar's inversion: exact,
/// nothing is thinned).
class ArrivalClock {
 public:
  static constexpr std::size_t kHours = 168;

  /// The run's zero lies at `start_hour` (local) of `start_weekday` (0 = Monday). A rhythm that is zero
  /// everywhere counts as flat.
  ArrivalClock(const Rhythm& rhythm, std::uint32_t start_weekday, double start_hour);

  /// Hours since the run's zero at which the cumulative intensity reaches `operational_h` >= 0; never
  /// decreases.
  [[nodiscard]] double hours_at(double operational_h) const;
  /// Intensity in that hour of the week, relative to the mean.
  [[nodiscard]] double intensity(std::size_t hour_of_week) const {
    return cumulative_[hour_of_week + 1] - cumulative_[hour_of_week];
  }

 private:
  std::array<double, kHours + 1> cumulative_{};  ///< From Monday 00:00; the last is 168.
  double start_h_ = 0;                           ///< Of the week, at the run's zero.
  double start_operational_h_ = 0;
};

}  // namespace gw::workload
