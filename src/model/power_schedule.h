// PowerSchedule: what happens to the caps of feeds while a simulation runs, and how fast it must be met.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/fleet.h"
#include "model/price_curve.h"

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

/// What a quantity of energy is, over time: at its steps, or the same each day.
struct EnergyCurve {
  PriceCurve steps;                 ///< Empty where it is daily.
  std::vector<std::int64_t> daily;  ///< Equal parts of a day, from midnight on.

  [[nodiscard]] bool empty() const { return steps.empty() && daily.empty(); }
  /// As steps from zero until `until`; `midnight` is the last one that is not after zero. After `until` the
  /// last step holds.
  [[nodiscard]] PriceCurve expand(Nanoseconds since_midnight, Instant until) const;
};

/// Prices and carbon of a site's energy: facility energy, which is IT energy times the PUE.
struct SiteEnergy {
  std::uint32_t level = 0;  ///< Of its feed, as in CapEvent.
  std::uint32_t vertex = 0;
  double pue = 1;
  EnergyCurve price;   ///< Millionths of euros a kWh: EUR/MWh times 1,000.
  EnergyCurve carbon;  ///< Milligrams of CO2 a kWh: g/kWh times 1,000.
};

/// Both as one price: carbon counts at `euros_per_tonne`.
PriceCurve priced_curve(const PriceCurve& price, const PriceCurve& carbon, double euros_per_tonne);

struct PowerSchedule {
  std::vector<SiteEnergy> energy;  ///< Of sites that have a curve.
  bool shift = true;               ///< Flexible jobs wait for cheaper hours.
  /// What carbon counts for in that.
  double euros_per_tonne = 0;
  /// Until when daily curves are written out; the last hour holds from then on.
  Instant energy_until = Instant{} + days(366);
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
