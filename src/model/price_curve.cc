// Integrals over steps.
#include "model/price_curve.h"

#include <algorithm>

#include "base/check.h"

namespace gw {
namespace {

__extension__ typedef __int128 Int128;

/// The step that holds at `when`.
std::size_t step_at(const PriceCurve& curve, Instant when) {
  const auto after = std::upper_bound(curve.begin(), curve.end(), when,
                                      [](Instant at, const PriceStep& step) { return at < step.from; });
  return after == curve.begin() ? 0 : static_cast<std::size_t>(after - curve.begin()) - 1;
}

/// Price times nanoseconds.
Int128 cost_of(const PriceCurve& curve, Instant from, Instant to) {
  Int128 cost = 0;
  for (std::size_t step = step_at(curve, from); from < to; ++step) {
    const Instant end = step + 1 < curve.size() ? std::min(curve[step + 1].from, to) : to;
    cost += Int128{curve[step].price} * (end - from).count();
    from = end;
  }
  return cost;
}

}  // namespace

std::string_view price_problem(const PriceCurve& curve) {
  if (curve.size() > kMostPriceSteps) return "a price curve has too many steps";
  for (std::size_t step = 0; step < curve.size(); ++step) {
    if (curve[step].from < Instant{} || (step > 0 && curve[step].from <= curve[step - 1].from))
      return "the steps of a price curve are not in order of time";
    if (curve[step].price < -kMostPrice || curve[step].price > kMostPrice) return "a price makes no sense";
  }
  return {};
}

std::int64_t price_at(const PriceCurve& curve, Instant when) {
  GW_CHECK(!curve.empty());
  return curve[step_at(curve, when)].price;
}

double mean_price(const PriceCurve& curve, Instant from, Instant to) {
  GW_CHECK(!curve.empty() && from < to);
  return static_cast<double>(cost_of(curve, from, to)) / static_cast<double>((to - from).count());
}

Instant cheapest_start(const PriceCurve& curve, Instant earliest, Instant latest, Nanoseconds length,
                       std::int64_t worth) {
  if (curve.empty() || latest <= earliest || length <= Nanoseconds{0}) return earliest;
  // What it costs from `earliest` to each step that could matter.
  const std::size_t first = step_at(curve, earliest);
  std::size_t last = first;
  while (last + 1 < curve.size() && curve[last + 1].from < latest + length) ++last;
  // The first step holds before its time too.
  const auto begin_of = [&](std::size_t step) { return step == first ? earliest : curve[step].from; };
  std::vector<Int128> until(last - first + 1, 0);
  for (std::size_t step = first + 1; step <= last; ++step)
    until[step - first] = until[step - first - 1] +
                          Int128{curve[step - 1].price} * (curve[step].from - begin_of(step - 1)).count();
  const auto cost_to = [&](Instant when) {
    const std::size_t step = std::clamp(step_at(curve, when), first, last);
    return until[step - first] + Int128{curve[step].price} * (when - begin_of(step)).count();
  };
  const Int128 now = cost_to(earliest + length);
  Int128 best = now;
  Instant when = earliest;
  const auto consider = [&](Instant start) {
    if (start <= earliest || start > latest) return;
    const Int128 cost = cost_to(start + length) - cost_to(start);
    if (cost < best || (cost == best && start < when)) {
      best = cost;
      when = start;
    }
  };
  // Between such times the cost is linear in the start.
  for (std::size_t step = first; step <= last; ++step) {
    consider(curve[step].from);
    consider(curve[step].from - length);
  }
  consider(latest);
  const Int128 least = (now < 0 ? -now : now) / 1000 * worth;
  return now - best > 0 && now - best >= least ? when : earliest;
}

PriceCurve mean_curve(const std::vector<const PriceCurve*>& curves,
                      const std::vector<std::int64_t>& weights) {
  std::vector<Instant> times;
  Int128 whole = 0;
  for (std::size_t index = 0; index < curves.size(); ++index) {
    if (weights[index] == 0 || curves[index]->empty()) continue;
    whole += weights[index];
    for (const PriceStep& step : *curves[index]) times.push_back(step.from);
  }
  PriceCurve mean;
  if (whole == 0) return mean;
  std::sort(times.begin(), times.end());
  times.erase(std::unique(times.begin(), times.end()), times.end());
  for (const Instant time : times) {
    Int128 sum = 0;
    for (std::size_t index = 0; index < curves.size(); ++index) {
      if (weights[index] == 0 || curves[index]->empty()) continue;
      sum += Int128{weights[index]} * price_at(*curves[index], time);
    }
    mean.push_back({time, static_cast<std::int64_t>(sum / whole)});
  }
  return mean;
}

}  // namespace gw
