// PriceCurve: what energy costs over time, as steps; and the cheapest time to use it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace gw {

/// From `from` on a kilowatt-hour costs so many millionths of the currency: EUR/MWh times 1,000. May be
/// negative. Where carbon counts, its price is in it.
struct PriceStep {
  Instant from;
  std::int64_t price = 0;
  friend bool operator==(const PriceStep&, const PriceStep&) = default;
};

/// Ascending in time. The first step holds before its time too, the last one for ever; empty: no price.
using PriceCurve = std::vector<PriceStep>;

inline constexpr std::size_t kMostPriceSteps = 1'000'000;
inline constexpr std::int64_t kMostPrice = 1'000'000'000'000;  ///< Of a step, either way: a million a kWh.

/// Empty if the curve makes sense, else what is wrong with it.
std::string_view price_problem(const PriceCurve& curve);

/// The curve must not be empty.
std::int64_t price_at(const PriceCurve& curve, Instant when);
/// The mean price from `from` to `to` > `from`, in double: for reports.
double mean_price(const PriceCurve& curve, Instant from, Instant to);

/// When something that draws equally much for `length` should begin, from `earliest` to `latest`, to cost
/// least; the first of equal times. `earliest` where the best time saves less than `worth` thousandths of
/// what it costs to begin at once.
Instant cheapest_start(const PriceCurve& curve, Instant earliest, Instant latest, Nanoseconds length,
                       std::int64_t worth);

/// The mean of curves, weighted; curves with a weight of 0 have no part in it.
PriceCurve mean_curve(const std::vector<const PriceCurve*>& curves, const std::vector<std::int64_t>& weights);

}  // namespace gw
