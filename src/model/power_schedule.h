// PowerSchedule: what happens to the caps of feeds while a simulation runs, and how fast it must be met.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/fleet.h"

namespace gw {

/// A grid event, a failed feed, a cooling fault: from `at` until `until` the feed carries no more than `cap`.
struct CapEvent {
  Instant at;
  Instant until = Instant::max();
  std::uint32_t level = 0;  ///< Index into Fleet::feed.
  std::uint32_t vertex = 0;
  Milliwatts cap;      ///< IT power.
  std::string reason;  ///< For reports.
  friend bool operator==(const CapEvent&, const CapEvent&) = default;
};

struct PowerSchedule {
  std::vector<CapEvent> events;
  /// A feed may be above its cap for so long after a drop: what is agreed with the grid.
  Nanoseconds reaction = seconds(30);
  /// From the decision until clocks and stopped jobs show in the draw.
  Nanoseconds delay = seconds(5);
};

/// A feed's cap from an instant on; 0 = not limited.
struct CapStep {
  Instant at;
  std::uint32_t level = 0;
  std::uint32_t vertex = 0;
  Milliwatts cap;
  friend bool operator==(const CapStep&, const CapStep&) = default;
};

/// The events as changes of caps, in order of time, level and vertex: of events at the same time the lowest
/// cap holds, and never more than the fleet's own.
std::vector<CapStep> cap_steps(const Fleet& fleet, const PowerSchedule& schedule);

}  // namespace gw
