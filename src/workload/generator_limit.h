// How users choose time limits: rounded, padded, copied from the default, and seldom right.
//
// Sources: Mu'alem and Feitelson, IEEE TPDS 12(6), 2001 (estimates are several times the run time, its share
// of the estimate nearly uniform); Tsafrir, Etsion and Feitelson, "Modeling user runtime estimates", JSSPP
// 2005 (some twenty round values make up about 90 % of all estimates; the largest allowed value is among the
// most used).
#pragma once

#include "base/rng.h"
#include "model/workload_mix.h"
#include "workload/generator_quantile_table.h"

namespace gw::workload {

/// Share of users on the default limit who do not notice that their job needs longer, so that it is cut
/// there.
inline constexpr double kUnnoticedOverrun = 0.25;

/// Smallest round value that is at least `wish_s`: 5, 10, 15, 20, 30 min, 1, 2, 3, 4, 6, 8, 12, 18, 24, 36,
/// 48, 72 h, 4, 5, 7, 10, 14, 21, 30 days, then whole tens of days.
double round_limit_up(double wish_s);

/// A user's habit, drawn once per submission and shared by the tasks of a burst.
struct LimitHabit {
  enum class Kind : std::uint8_t { kExact, kDefault, kPadded };
  Kind kind = Kind::kPadded;
  double factor = 1;       ///< Of limit over duration, before rounding; >= 1.
  bool unnoticed = false;  ///< On the default limit: too short goes unnoticed.
};

class LimitLaw {
 public:
  explicit LimitLaw(const LimitModel& model);

  LimitHabit draw(Rng& rng) const;
  /// The limit asked by a user of this habit for a job that would run `duration_s`; whole seconds, >= 60 s
  /// and at most the model's max. Shorter than the duration only by an unnoticed default or by the max.
  [[nodiscard]] double limit_s(const LimitHabit& habit, double duration_s) const;
  /// Probability that the default limit is asked although the job needs longer.
  [[nodiscard]] double overrun_probability(double duration_s) const;
  [[nodiscard]] double default_s() const { return default_s_; }
  [[nodiscard]] double max_s() const { return max_s_; }

 private:
  double exact_share_;
  double default_share_;
  double default_s_;
  double max_s_;
  QuantileTable factor_;
};

}  // namespace gw::workload
