// PowerMeter: what each feed draws over time against its cap, while a run happens.
#pragma once

#include <vector>

#include "model/fleet.h"
#include "model/power_schedule.h"
#include "sched/power_tree.h"
#include "twin/quantile_sketch.h"
#include "twin/run_summary.h"
#include "twin/series.h"

namespace gw::twin {

/// Costs O(1) per feed whose draw or cap has changed. What falls by an order (clocks, a stopped job) shows
/// only once the schedule's delay has passed; all else at once.
class PowerMeter {
 public:
  PowerMeter(const Fleet& fleet, const PowerSchedule& schedule);

  /// After each pass; `ordered`: the plan caps clocks or stops jobs for the sake of caps.
  void advance(Instant now, const sched::PowerTree& power, bool ordered);
  /// Of the feeds that have ever had a cap that could bind; the run ends at `end`.
  [[nodiscard]] PowerSummary summarize(Instant end);
  /// Of the sites that have prices or carbon. To be asked after `summarize`, for the same end.
  [[nodiscard]] EnergySummary energy(Instant end);

 private:
  /// What a site's energy has cost and emitted, and was.
  struct Account {
    const SiteEnergy* site = nullptr;
    PriceCurve price, carbon;
    double kwh = 0, micro_euros = 0, milligrams = 0;
  };
  struct Feed {
    std::int32_t account = -1;  ///< Index, of a site that has one.
    Instant since;
    std::int64_t draw = 0;
    std::int64_t cap = 0;    ///< 0 = not limited.
    std::int64_t later = 0;  ///< What it draws from `later_at` on, where that is still to come.
    Instant later_at = Instant::max();
    Instant above_since = Instant::max();
    Int128 energy = 0;      ///< mW x ns
    Int128 cap_energy = 0;  ///< The same of the cap, while there is one,
    Int128 capped_ns = 0;   ///< for so long.
    Int128 above_ns = 0;
    std::int64_t longest_above_ns = 0;
    std::int64_t peak = 0;
    std::int64_t lowest_cap = 0;
    double peak_share = 0;  ///< Largest draw over cap, but for the time of reaction.
    bool bound = false;     ///< Its cap could bind at some time.
  };
  void run_to(Feed& feed, Instant now, bool is_top);
  void span(Feed& feed, Instant until, bool is_top);

  const Fleet* fleet_;
  const PowerSchedule* schedule_;
  std::vector<Account> accounts_;
  bool started_ = false;
  Instant begin_;
  std::vector<std::vector<Feed>> feeds_;  ///< By level and vertex; empty until the first call.
  BinnedSeries<2> series_;                ///< Draw and cap of the feeds of the last level together.
};

}  // namespace gw::twin
