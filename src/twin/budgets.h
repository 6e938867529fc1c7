// Budgets: what tenants have used of their month, and when they will have used it up.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/tenant.h"
#include "sched/events.h"

namespace gw::twin {

/// Exact: the use of each tenant with a budget grows at a rate that is known, so the instant in which it is
/// used up is computed, not polled for. A month is 30 days from the run's zero.
class Budgets {
 public:
  static constexpr Nanoseconds kMonth = days(30);

  /// `tenants` may grow while the run goes on, and must outlive the meter.
  explicit Budgets(const TenantTree& tenants) : tenants_(tenants) {}

  /// To be called once for each tenant, in order.
  void add(TenantId tenant, Instant now);
  [[nodiscard]] bool in_use() const { return !meters_.empty(); }
  void started(TenantId tenant, std::int64_t gpu_milli, Instant now) { change(tenant, gpu_milli, now); }
  void stopped(TenantId tenant, std::int64_t gpu_milli, Instant now) { change(tenant, -gpu_milli, now); }

  /// When a budget is used up or the month turns; Instant::max() if neither matters.
  [[nodiscard]] Instant next_due() const;
  /// Appends what follows at `now`.
  void take(Instant now, std::vector<sched::Event>& events);
  /// Is a tenant held back now, so that only the next month lets its jobs start?
  [[nodiscard]] bool any_spent() const { return spent_ > 0; }

 private:
  __extension__ using Wide = __int128;
  struct Meter {
    Wide most = 0;  ///< GPU-milli x ns in a month.
    Wide used = 0;
    std::int64_t rate = 0;  ///< GPU-milli that run now.
    Instant counted_to;
    Instant due = Instant::max();
    BudgetAction action = BudgetAction::kStopNew;
    bool spent = false;
  };
  void change(TenantId tenant, std::int64_t milli, Instant now);
  void settle(TenantId tenant, Meter& meter, Instant now);

  const TenantTree& tenants_;
  std::map<TenantId, Meter> meters_;
  std::set<std::pair<Instant, TenantId>> due_;  ///< Of meters that will be used up.
  Instant month_ends_ = Instant{} + kMonth;
  int spent_ = 0;
};

}  // namespace gw::twin
