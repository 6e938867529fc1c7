// Draws time limits; see generator_limit.h.
#include "workload/generator_limit.h"

#include <algorithm>
#include <array>

namespace gw::workload {
namespace {

constexpr double kMinute = 60;
constexpr double kHour = 3600;
constexpr double kDay = 86400;
constexpr double kShortestLimit = kMinute;
constexpr double kExactPadding = 1.05;  // Those who know their job still leave a little room.
constexpr double kFactorMax = 1000;

constexpr std::array kRoundValues = {
    5 * kMinute, 10 * kMinute, 15 * kMinute, 20 * kMinute, 30 * kMinute, kHour,     2 * kHour,  3 * kHour,
    4 * kHour,   6 * kHour,    8 * kHour,    12 * kHour,   18 * kHour,   kDay,      36 * kHour, 2 * kDay,
    3 * kDay,    4 * kDay,     5 * kDay,     7 * kDay,     10 * kDay,    14 * kDay, 21 * kDay,  30 * kDay};

/// Smallest multiple of `unit` that is at least `value`.
double round_up(double value, double unit) {
  const double below = static_cast<double>(static_cast<std::int64_t>(value / unit)) * unit;
  return below >= value ? below : below + unit;
}

QuantileTable factor_table(const LimitModel& model) {
  const DurationComponent component{std::max(model.median_factor, 1.0), model.sigma, 1};
  return {std::span(&component, 1), 1, 1, kFactorMax};
}

}  // namespace

double round_limit_up(double wish_s) {
  const auto value = std::lower_bound(kRoundValues.begin(), kRoundValues.end(), wish_s);
  return value != kRoundValues.end() ? *value : round_up(wish_s, 10 * kDay);
}

LimitLaw::LimitLaw(const LimitModel& model)
    : exact_share_(std::clamp(model.exact_share, 0.0, 1.0)),
      default_share_(std::clamp(model.default_share, 0.0, 1.0 - exact_share_)),
      default_s_(round_up(std::max(std::min(model.default_s, model.max_s), kShortestLimit), 1)),
      max_s_(round_up(std::max(model.max_s, kShortestLimit), 1)),
      factor_(factor_table(model)) {}

LimitHabit LimitLaw::draw(Rng& rng) const {
  LimitHabit habit;
  const double kind = rng.uniform();
  if (kind < exact_share_)
    habit.kind = LimitHabit::Kind::kExact;
  else if (kind < exact_share_ + default_share_)
    habit.kind = LimitHabit::Kind::kDefault;
  habit.factor = factor_.quantile(rng.uniform());
  habit.unnoticed = habit.kind == LimitHabit::Kind::kDefault && rng.chance(kUnnoticedOverrun);
  return habit;
}

double LimitLaw::limit_s(const LimitHabit& habit, double duration_s) const {
  double limit = 0;
  if (habit.kind == LimitHabit::Kind::kExact)
    limit = round_up(duration_s * kExactPadding, kMinute);
  else if (habit.kind == LimitHabit::Kind::kDefault && (duration_s <= default_s_ || habit.unnoticed))
    limit = default_s_;
  else
    limit = round_limit_up(duration_s * habit.factor);
  return std::min(std::max(limit, kShortestLimit), max_s_);
}

double LimitLaw::overrun_probability(double duration_s) const {
  return duration_s > default_s_ ? default_share_ * kUnnoticedOverrun : 0;
}

}  // namespace gw::workload
