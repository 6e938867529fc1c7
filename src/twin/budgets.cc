// Metering of monthly budgets.
#include "twin/budgets.h"

#include <algorithm>
#include <utility>

namespace gw::twin {

void Budgets::add(TenantId tenant, Instant now) {
  const Budget& budget = tenants_[tenant].budget;
  if (budget.gpu_milli_hours == 0) return;
  Meter meter;
  meter.most = Wide{budget.gpu_milli_hours} * hours(1).count();
  meter.action = budget.action;
  meter.counted_to = now;
  meters_.emplace(tenant, meter);
}

/// Brings the use up to `now` and finds anew when it will be used up.
void Budgets::settle(TenantId tenant, Meter& meter, Instant now) {
  meter.used += Wide{meter.rate} * (now - meter.counted_to).count();
  meter.counted_to = now;
  due_.erase({meter.due, tenant});
  meter.due = Instant::max();
  if (meter.spent || meter.rate == 0) return;
  const Wide left = meter.most - meter.used;
  const Wide span = left <= 0 ? 0 : (left + meter.rate - 1) / meter.rate;
  if (span > (sched::kLastInstant - now).count()) return;
  meter.due = now + Nanoseconds{static_cast<std::int64_t>(span)};
  due_.emplace(meter.due, tenant);
}

void Budgets::change(TenantId tenant, std::int64_t milli, Instant now) {
  if (meters_.empty() || milli == 0) return;
  for (;; tenant = tenants_[tenant].parent) {
    const auto at = meters_.find(tenant);
    if (at != meters_.end()) {
      settle(tenant, at->second, now);
      at->second.rate += milli;
      settle(tenant, at->second, now);
    }
    if (tenant == TenantTree::root()) return;
  }
}

Instant Budgets::next_due() const {
  if (meters_.empty()) return Instant::max();
  const Instant first = due_.empty() ? Instant::max() : due_.begin()->first;
  return spent_ > 0 || first != Instant::max() ? std::min(first, month_ends_) : Instant::max();
}

void Budgets::take(Instant now, std::vector<sched::Event>& events) {
  // Months in which nothing happened are skipped; use before the turn belongs to the month before.
  while (!meters_.empty() && month_ends_ <= now) {
    for (auto& [tenant, meter] : meters_) {
      meter.used = 0;
      meter.counted_to = std::max(meter.counted_to, month_ends_);
      if (std::exchange(meter.spent, false) && meter.action != BudgetAction::kWarn) {
        --spent_;
        events.push_back(sched::Event::tenant_budget(tenant, BudgetState::kOpen));
      }
      settle(tenant, meter, meter.counted_to);
    }
    month_ends_ = month_ends_ + kMonth;
  }
  while (!due_.empty() && due_.begin()->first <= now) {
    const TenantId tenant = due_.begin()->second;
    Meter& meter = meters_.at(tenant);
    meter.spent = true;
    settle(tenant, meter, now);
    if (meter.action == BudgetAction::kWarn) continue;
    ++spent_;
    events.push_back(sched::Event::tenant_budget(
        tenant, meter.action == BudgetAction::kStopAll ? BudgetState::kStopAll : BudgetState::kStopNew));
  }
}

}  // namespace gw::twin
