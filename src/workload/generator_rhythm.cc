// Inverts the cumulative weekly intensity; see generator_rhythm.h.
#include "workload/generator_rhythm.h"

#include <algorithm>

#include "base/check.h"

namespace gw::workload {

ArrivalClock::ArrivalClock(const Rhythm& rhythm, std::uint32_t start_weekday, double start_hour) {
  GW_CHECK(rhythm.hour.size() == 24 && rhythm.weekday.size() == 7);
  for (std::size_t hour = 0; hour < kHours; ++hour) {
    const double intensity = std::max(0.0, rhythm.weekday[hour / 24] * rhythm.hour[hour % 24]);
    cumulative_[hour + 1] = cumulative_[hour] + intensity;
  }
  const double total = cumulative_.back();
  for (std::size_t hour = 0; hour <= kHours; ++hour) {
    const auto flat = static_cast<double>(hour);
    cumulative_[hour] = total > 0 ? cumulative_[hour] / total * kHours : flat;
  }
  cumulative_.back() = kHours;

  start_h_ = 24.0 * (start_weekday % 7) + std::clamp(start_hour, 0.0, 24.0);
  if (start_h_ >= kHours) start_h_ -= kHours;
  const auto hour = static_cast<std::size_t>(start_h_);
  start_operational_h_ = cumulative_[hour] + (start_h_ - static_cast<double>(hour)) * intensity(hour);
}

double ArrivalClock::hours_at(double operational_h) const {
  const double position = start_operational_h_ + operational_h;
  const auto week = static_cast<double>(static_cast<std::int64_t>(position / kHours));
  const double rest = position - week * kHours;
  const auto above = std::upper_bound(cumulative_.begin(), cumulative_.end(), rest);
  if (above == cumulative_.end()) return (week + 1) * kHours - start_h_;
  const auto hour = static_cast<std::size_t>(above - cumulative_.begin()) - 1;
  const double inside = (rest - cumulative_[hour]) / intensity(hour);
  return std::max(0.0, week * kHours + static_cast<double>(hour) + inside - start_h_);
}

}  // namespace gw::workload
