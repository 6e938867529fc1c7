// Overlapping events as a list of changes.
#include "model/power_schedule.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace gw {

PriceCurve EnergyCurve::expand(Nanoseconds since_midnight, Instant until) const {
  if (daily.empty()) return steps;
  PriceCurve curve;
  const auto parts = static_cast<std::int64_t>(daily.size());
  Instant midnight = Instant{} - since_midnight;
  for (; midnight < until && curve.size() < kMostPriceSteps - daily.size(); midnight = midnight + days(1)) {
    for (std::int64_t part = 0; part < parts; ++part) {
      const Instant from = midnight + days(1) * part / parts;
      const std::int64_t value = daily[static_cast<std::size_t>(part)];
      if (!curve.empty() && curve.back().price == value) continue;
      if (from <= Instant{}) curve.clear();  // It is over before zero, but for the last one.
      curve.push_back({std::max(from, Instant{}), value});
    }
  }
  return curve;
}

PriceCurve priced_curve(const PriceCurve& price, const PriceCurve& carbon, double euros_per_tonne) {
  std::set<Instant> times;
  for (const PriceStep& step : price) times.insert(step.from);
  for (const PriceStep& step : carbon) times.insert(step.from);
  PriceCurve both;
  for (const Instant when : times) {
    // A milligram at so many euros a tonne is a thousandth of as many millionths of euros.
    const double more =
        carbon.empty() ? 0 : static_cast<double>(price_at(carbon, when)) * euros_per_tonne / 1000;
    both.push_back({when, (price.empty() ? 0 : price_at(price, when)) + static_cast<std::int64_t>(more)});
  }
  return both;
}

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
