// Sums of rates.
#include "live/budget_meter.h"

#include <algorithm>

#include "live/ledger.h"

namespace gw::live {
namespace {

__extension__ using Wide = __int128;

constexpr Wide kHour = Wide{3600} * kNanosecondsPerSecond;
/// A micro-euro in the meter's own unit of price.
constexpr Wide kMicroEuro = kHour * 1000;
/// A millionth of a GPU-second in the meter's own unit of GPU time.
constexpr Wide kMicroGpuSecond = 1'000'000;

Wide share(std::int64_t amount, Wide unit, std::uint32_t percent) {
  return (Wide{amount} * unit * percent + 99) / 100;
}

}  // namespace

void BudgetMeter::begin_month(const Book& book, const Prices& prices) {
  in_use_ = changed_ = true;
  month_ = month_of(book.unix_ns(book.now));
  begin_ = Instant{month_begin_unix_ns(month_) - book.origin_unix_ns};
  end_ = Instant{month_begin_unix_ns(month_ + 1) - book.origin_unix_ns};
  rows_.assign(book.tenants.size(), Row{});
  running_.clear();
  for (const auto& [number, job] : book.jobs) {
    if (job.attempt) start(book, prices, *job.attempt);
  }
}

void BudgetMeter::add(const Book& book, const Running& running, int sign) {
  changed_ = true;
  rows_.resize(std::max(rows_.size(), book.tenants.size()));
  for (TenantId at = running.tenant; at.valid(); at = book.tenants[at.value()].record.parent) {
    Row& row = rows_[at.value()];
    row.rate.gpu += sign * running.gpu;
    row.rate.price += sign * running.price;
    row.offset.gpu += sign * Wide{running.gpu} * running.since.count();
    row.offset.price += sign * Wide{running.price} * running.since.count();
  }
}

BudgetMeter::Running BudgetMeter::running_of(const Book& book, const Prices& prices,
                                             const AttemptRecord& attempt) const {
  return {attempt.tenant, attempt.gpu_milli, price_rate(book, prices, attempt),
          std::max(attempt.started, begin_)};
}

void BudgetMeter::start(const Book& book, const Prices& prices, const AttemptRecord& attempt) {
  if (!in_use_) return;
  stop(book, attempt.id.job);
  add(book, running_.emplace(attempt.id.job, running_of(book, prices, attempt)).first->second, +1);
}

void BudgetMeter::stop(const Book& book, std::uint64_t job) {
  const auto at = running_.find(job);
  if (at == running_.end()) return;
  add(book, at->second, -1);
  running_.erase(at);
}

void BudgetMeter::post(const Book& book, const TransferRecord& transfer) {
  if (!in_use_ || transfer.to <= begin_) return;
  const UsageRow part = part_of(transfer, begin_, Instant::max());
  changed_ = true;
  rows_.resize(std::max(rows_.size(), book.tenants.size()));
  for (TenantId at = transfer.tenant; at.valid(); at = book.tenants[at.value()].record.parent) {
    rows_[at.value()].posted.gpu += Wide{part.micro_gpu_s} * kMicroGpuSecond;
    rows_[at.value()].posted.price += Wide{part.price.count()} * kMicroEuro;
  }
}

BudgetMeter::Use BudgetMeter::use(TenantId tenant, Instant now) const {
  if (tenant.value() >= rows_.size()) return {};
  const Row& row = rows_[tenant.value()];
  return {row.posted.gpu + row.rate.gpu * now.count() - row.offset.gpu,
          row.posted.price + row.rate.price * now.count() - row.offset.price};
}

BudgetMeter::Spent BudgetMeter::spent(TenantId tenant, Instant now) const {
  const Use used = use(tenant, now);
  return {static_cast<std::int64_t>(used.gpu / kHour), static_cast<std::int64_t>(used.price / kMicroEuro)};
}

bool BudgetMeter::has_spent(TenantId tenant, const Budget& budget, std::uint32_t percent, Instant now) const {
  const Use used = use(tenant, now);
  return (budget.gpu_milli_hours > 0 && used.gpu >= share(budget.gpu_milli_hours, kHour, percent)) ||
         (budget.micro_euros > 0 && used.price >= share(budget.micro_euros, kMicroEuro, percent));
}

Instant BudgetMeter::spent_at(TenantId tenant, const Budget& budget, std::uint32_t percent,
                              Instant now) const {
  if (has_spent(tenant, budget, percent, now)) return now;
  if (tenant.value() >= rows_.size()) return Instant::max();
  const Row& row = rows_[tenant.value()];
  const Use used = use(tenant, now);
  Wide soonest = Instant::max().count();
  const auto reach = [&](Wide most, Wide already, Wide rate) {
    if (rate > 0) soonest = std::min(soonest, now.count() + (most - already + rate - 1) / rate);
  };
  if (budget.gpu_milli_hours > 0)
    reach(share(budget.gpu_milli_hours, kHour, percent), used.gpu, row.rate.gpu);
  if (budget.micro_euros > 0)
    reach(share(budget.micro_euros, kMicroEuro, percent), used.price, row.rate.price);
  return Instant{static_cast<std::int64_t>(soonest)};
}

bool BudgetMeter::check(const Book& book, const Prices& prices) const {
  if (!in_use_) return true;
  BudgetMeter fresh;
  fresh.in_use_ = true;
  fresh.begin_ = begin_;
  fresh.rows_.resize(rows_.size());
  for (const auto& [number, job] : book.jobs) {
    if (job.attempt) fresh.start(book, prices, *job.attempt);
  }
  for (std::size_t tenant = 0; tenant < rows_.size(); ++tenant) {
    const Row &a = rows_[tenant], &b = fresh.rows_[tenant];
    if (a.rate.gpu != b.rate.gpu || a.rate.price != b.rate.price || a.offset.gpu != b.offset.gpu ||
        a.offset.price != b.offset.price)
      return false;
  }
  return running_.size() == fresh.running_.size();
}

}  // namespace gw::live
