// Overlapping events as a list of changes.
#include "model/power_schedule.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace gw {

std::vector<CapStep> cap_steps(const Fleet& fleet, const PowerSchedule& schedule) {
  std::set<std::tuple<Instant, std::uint32_t, std::uint32_t>> moments;
  for (const CapEvent& event : schedule.events) {
    moments.emplace(event.at, event.level, event.vertex);
    if (event.until != Instant::max()) moments.emplace(event.until, event.level, event.vertex);
  }
  std::vector<CapStep> steps;
  for (const auto& [at, level, vertex] : moments) {
    Milliwatts cap = fleet.feed[level].capacity[vertex];
    for (const CapEvent& event : schedule.events) {
      if (event.level != level || event.vertex != vertex || at < event.at || at >= event.until) continue;
      cap = cap.count() == 0 ? event.cap : std::min(cap, event.cap);
    }
    steps.push_back({at, level, vertex, cap});
  }
  return steps;
}

}  // namespace gw
