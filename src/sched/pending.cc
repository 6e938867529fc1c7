// Keys of the orders and the bookkeeping of waiting jobs.
#include "sched/pending.h"

#include <algorithm>

#include "base/check.h"

namespace gw::sched {
namespace {

std::int32_t cut(std::int64_t value) {
  return static_cast<std::int32_t>(
      std::min<std::int64_t>(value, std::numeric_limits<std::int32_t>::max() - 1));
}

/// from - count * worth, cut to the largest and smallest numbers.
std::int64_t minus_times(std::int64_t from, std::int64_t count, std::int64_t worth) {
  std::int64_t product;
  std::int64_t difference;
  if (!__builtin_mul_overflow(count, worth, &product) && !__builtin_sub_overflow(from, product, &difference))
    return difference;
  return (count < 0) == (worth < 0) ? std::numeric_limits<std::int64_t>::min()
                                    : std::numeric_limits<std::int64_t>::max();
}

}  // namespace

std::int64_t order_key(const PolicyConfig& policy, const JobRequest& request) {
  switch (policy.order) {
    case OrderKind::kFifo:
      return 0;
    case OrderKind::kShortestFirst:
      return request.limit.count();
    // Waiting longer and a higher priority are worth the same currency, so the order never changes while
    // waiting.
    case OrderKind::kPriorityAge:
      return minus_times(request.submit.count(), request.priority, policy.age_per_priority.count());
    case OrderKind::kFairShare:
      return -std::int64_t{request.priority};
  }
  GW_CHECK(false);
}

void Pending::add_tenant(TenantId parent, std::uint32_t weight) {
  fair_.add_tenant(parent, weight);
  if (!by_tenant()) return;
  queues_.emplace_back();
  below_.emplace_back();
}

void Pending::forget_below(TenantId tenant) {
  below_[tenant.value()].oldest_known = false;
  for (;; tenant = fair_.parent(tenant)) {
    below_[tenant.value()].known = false;
    if (tenant == TenantId{0}) return;
  }
}

const PendingQueue::Summary& Pending::below(TenantId tenant) const {
  Below& entry = below_[tenant.value()];
  if (!entry.known) {
    entry.summary = queues_[tenant.value()].summary();
    for (const TenantId child : fair_.waiting_children(tenant)) entry.summary.add(below(child));
    entry.known = true;
  }
  return entry.summary;
}

Instant Pending::oldest(TenantId tenant) const {
  Below& entry = below_[tenant.value()];
  if (!entry.oldest_known) {
    entry.oldest = queues_[tenant.value()].oldest();
    entry.oldest_known = true;
  }
  return entry.oldest;
}

void Pending::insert(const Job& job) {
  PendingQueue& queue = queue_of(job.request.tenant);
  if (by_tenant()) {
    if (queue.empty()) fair_.set_waiting(job.request.tenant, true);
    ++keys_[job.key];
  }
  const std::int64_t milli = job.request.shape.total_gpu_milli();
  queue.insert({job.key, job.id, cut((milli + 999) / 1000),
                cut(job.request.limit.count() / kNanosecondsPerSecond),
                static_cast<std::uint8_t>(job.shape_class % 64), job.waits_since});
  if (by_tenant()) forget_below(job.request.tenant);
  ++size_;
  waiting_gpu_milli_ += milli;
}

void Pending::erase(const Job& job) {
  PendingQueue& queue = queue_of(job.request.tenant);
  queue.erase(job.key, job.id);
  --size_;
  waiting_gpu_milli_ -= job.request.shape.total_gpu_milli();
  if (!by_tenant()) return;
  forget_below(job.request.tenant);
  if (queue.empty()) fair_.set_waiting(job.request.tenant, false);
  const auto at = keys_.find(job.key);
  if (--at->second == 0) keys_.erase(at);
}

JobId Pending::first() const {
  if (size_ == 0) return JobId{};
  if (!by_tenant()) return queues_[0].job(queues_[0].begin());
  if (keys_.size() == 1) {
    const PendingQueue& queue = queues_[fair_.first().value()];
    return queue.job(queue.begin());
  }
  fair_.ordered(ordered_);
  const std::int64_t best = keys_.begin()->first;
  for (const TenantId tenant : ordered_) {
    const PendingQueue& queue = queues_[tenant.value()];
    if (queue.key(queue.begin()) == best) return queue.job(queue.begin());
  }
  GW_CHECK(false);
}

}  // namespace gw::sched
