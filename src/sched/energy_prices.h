// EnergyPrices: what energy costs at each feed over time, and for whom starts are put off.
//
// A job that is flexible and has a deadline waits outside of the queue while it is dearer to start it now
// than later, as long as its deadline allows; see docs/policies.md, "Prices and carbon".
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/price_curve.h"
#include "sched/power_tree.h"

namespace gw::sched {

class EnergyPrices {
 public:
  /// What waiting must save of the cost of a start at once, in thousandths.
  static constexpr std::int64_t kWorth = 20;
  /// Of the time that is kept between the end of the limit and the deadline, the part that is always there.
  static constexpr Nanoseconds kLeastMargin = minutes(15);
  static constexpr std::int64_t kLimitPart = 20;  ///< ... and a twentieth of the limit,
  static constexpr Nanoseconds kLongestWait = days(365);
  static constexpr std::int64_t kWaits = 2;  ///< and so many times what others wait of late.

  [[nodiscard]] bool in_use() const { return !curves_.empty(); }
  /// In place of what the feed had; an empty curve takes it away.
  void set(FeedId feed, PriceCurve curve);
  [[nodiscard]] const std::map<FeedId, PriceCurve>& curves() const { return curves_; }
  /// The curve for nodes below which the feed is the lowest that has one; null: it has none.
  [[nodiscard]] const PriceCurve* find(FeedId feed) const;

  /// For a memory of what follows from the curves alone: mean curves of pools.
  [[nodiscard]] const PriceCurve* known(const std::vector<std::uint32_t>& pools) const;
  const PriceCurve& know(const std::vector<std::uint32_t>& pools, PriceCurve curve);

  /// A job that is not put off has started after so long.
  void note_wait(Nanoseconds wait) { mean_wait_ += (std::min(wait, kLongestWait) - mean_wait_) / 16; }
  [[nodiscard]] Nanoseconds mean_wait() const { return mean_wait_; }
  void set_mean_wait(Nanoseconds wait) { mean_wait_ = wait; }
  /// A job has ended that had such a limit.
  void note_run(Nanoseconds ran, Nanoseconds limit) {
    const auto part = std::clamp<std::int64_t>(
        ran.count() / std::max<std::int64_t>(limit.count() / 1'000'000, 1), 0, 1'000'000);
    run_ppm_ += (part - run_ppm_) / 16;
  }
  /// The mean part of their limits that jobs have run of late, in millionths.
  [[nodiscard]] std::int64_t run_ppm() const { return run_ppm_; }
  void set_run_ppm(std::int64_t ppm) { run_ppm_ = ppm; }
  /// How long a job with that limit is taken to run when its cost is weighed; its limit is what its deadline
  /// is held against.
  [[nodiscard]] Nanoseconds expected_run(Nanoseconds limit) const {
    return std::min(std::max(limit / 1'000'000 * run_ppm_, minutes(1)), limit);
  }
  /// How long before its deadline a job with that limit should end by it.
  [[nodiscard]] Nanoseconds margin(Nanoseconds limit) const {
    return std::max(kLeastMargin, limit / kLimitPart) + mean_wait_ * kWaits;
  }

  // Jobs that are put off, by when they join the queue.
  std::set<std::pair<Instant, JobId>> put_off;

 private:
  std::map<FeedId, PriceCurve> curves_;
  std::map<std::vector<std::uint32_t>, PriceCurve> means_;
  Nanoseconds mean_wait_;
  std::int64_t run_ppm_ = 1'000'000;
};

}  // namespace gw::sched
