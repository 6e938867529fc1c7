// Pending: all waiting jobs in the policy's order, as one queue (static orders) or one queue a tenant (fair
// share).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "model/policy.h"
#include "sched/fair_share.h"
#include "sched/job_table.h"
#include "sched/pending_queue.h"

namespace gw::sched {

/// The static part of a job's place in the order of `policy`; smaller is sooner, ties go to the smaller job
/// id.
std::int64_t order_key(const PolicyConfig& policy, const JobRequest& request);

class Pending {
 public:
  explicit Pending(const PolicyConfig& policy) : policy_(policy), fair_(policy), queues_(1), below_(1) {}

  void add_tenant(TenantId parent, std::uint32_t weight);
  [[nodiscard]] std::uint32_t tenants() const { return fair_.tenants(); }
  void insert(const Job& job);
  void erase(const Job& job);
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::int64_t waiting_gpu_milli() const { return waiting_gpu_milli_; }
  [[nodiscard]] bool by_tenant() const { return policy_.order == OrderKind::kFairShare; }
  [[nodiscard]] FairShare& fair_share() { return fair_; }
  [[nodiscard]] const FairShare& fair_share() const { return fair_; }

  /// The first job in the order, as of the last charge; none if nothing waits.
  [[nodiscard]] JobId first() const;

  /// In a static order: the first job behind `after` (none: from the front) that meets `bounds` and `accept`.
  template <class Accept>
  [[nodiscard]] JobId find_after(const Job* after, const PendingQueue::Bounds& bounds,
                                 Accept&& accept) const {
    const PendingQueue& queue = queues_[0];
    if (size_ == 0) return JobId{};
    PendingQueue::Cursor at = queue.begin();
    if (after != nullptr) at = queue.lower_bound(after->key, JobId{after->id.value() + 1});
    for (at = queue.find(at, bounds); !queue.at_end(at); at = queue.find(queue.after(at), bounds)) {
      if (accept(queue.job(at))) return queue.job(at);
    }
    return JobId{};
  }

  /// How a scan under fair share comes past tenants without a look at each of their jobs; as here, it does
  /// not.
  struct EnterAll {
    bool operator()(TenantId) const { return true; }
  };
  struct NoBounds {
    PendingQueue::Bounds operator()() const { return {}; }
  };
  /// Calls try_start(job id) -> bool for jobs in order that meet bounds(tenant) until stop() holds; in a
  /// static order they are asked for no tenant. A started job must have been erased through `erase_started`
  /// by the caller. `bounds` is asked again after every call. Under fair share, none of the jobs below a
  /// child of the root for which enter(child) does not hold is looked at, nor any tenant's of whose jobs none
  /// could meet widest(), which no bounds(tenant) may exceed.
  template <class Bounds, class TryStart, class Stop, class Enter = EnterAll, class Widest = NoBounds>
  void scan(JobId after, Bounds&& bounds, TryStart&& try_start, Stop&& stop, Enter&& enter = {},
            Widest&& widest = {});

  /// Under fair share: what jobs of the tenant and of those below it ask for at the least.
  [[nodiscard]] const PendingQueue::Summary& below(TenantId tenant) const;
  /// Under fair share: since when the job of the tenant itself waits that waits longest; Instant::max() if
  /// none does.
  [[nodiscard]] Instant oldest(TenantId tenant) const;

 private:
  template <class Bounds, class TryStart, class Stop>
  void scan_queue(PendingQueue& queue, TenantId tenant, PendingQueue::Cursor from, std::int64_t last_key,
                  Bounds&& bounds, TryStart&& try_start, Stop&& stop);
  [[nodiscard]] PendingQueue& queue_of(TenantId tenant) { return queues_[by_tenant() ? tenant.value() : 0]; }

  PolicyConfig policy_;
  FairShare fair_;
  std::vector<PendingQueue> queues_;
  struct Below {
    bool known = false;
    bool oldest_known = false;
    PendingQueue::Summary summary;
    Instant oldest;  ///< Of the tenant itself.
  };
  mutable std::vector<Below> below_;  ///< By tenant, under fair share; found out when asked for.
  void forget_below(TenantId tenant);
  std::map<std::int64_t, std::uint32_t> keys_;  ///< Fair share: waiting jobs by key (minus priority).
  std::size_t size_ = 0;
  std::int64_t waiting_gpu_milli_ = 0;
  mutable std::vector<TenantId> ordered_;  ///< Reused by scans.
  struct Visit {
    std::uint64_t scan = 0;  ///< The scan for which the rest is valid.
    bool done = false;       ///< Nothing more in this queue could start.
    JobId last;              ///< The last job looked at.
  };
  std::vector<Visit> visits_;  ///< By tenant.
  std::uint64_t scans_ = 0;
};

template <class Bounds, class TryStart, class Stop>
void Pending::scan_queue(PendingQueue& queue, TenantId tenant, PendingQueue::Cursor from,
                         std::int64_t last_key, Bounds&& bounds, TryStart&& try_start, Stop&& stop) {
  PendingQueue::Cursor at = from;
  while (!stop()) {
    at = queue.find(at, bounds(tenant));
    if (queue.at_end(at) || queue.key(at) > last_key) return;
    const std::int64_t key = queue.key(at);
    const JobId job = queue.job(at);
    if (try_start(job)) {
      at = queue.lower_bound(key, job);  // It has left; the next one stands where it stood.
    } else {
      at = queue.after(at);
    }
  }
}

template <class Bounds, class TryStart, class Stop, class Enter, class Widest>
void Pending::scan(JobId after, Bounds&& bounds, TryStart&& try_start, Stop&& stop, Enter&& enter,
                   Widest&& widest) {
  if (size_ == 0 || stop()) return;
  if (!by_tenant()) {
    PendingQueue& queue = queues_[0];
    PendingQueue::Cursor from = queue.begin();
    if (after.valid()) from = queue.lower_bound(0, JobId{after.value() + 1});  // FIFO keys are all 0.
    scan_queue(queue, TenantId{}, from, INT64_MAX, bounds, try_start, stop);
    return;
  }
  visits_.resize(queues_.size());
  for (auto priority = keys_.begin(); priority != keys_.end() && !stop();) {
    const std::int64_t key = priority->first;
    ++scans_;
    bool started = true;
    while (started && !stop()) {  // A start moves its tenant back.
      started = false;
      const auto visit_tenant = [&](TenantId tenant) {
        PendingQueue& queue = queues_[tenant.value()];
        Visit& visit = visits_[tenant.value()];
        if (visit.scan != scans_) visit = {scans_, false, JobId{}};
        if (visit.done) return true;
        if (!below(tenant).may_meet(widest()) || bounds(tenant).free < 0) return visit.done = true;
        const PendingQueue::Cursor from =
            keys_.size() == 1 && !visit.last.valid()
                ? queue.begin()
                : queue.lower_bound(key, visit.last.valid() ? JobId{visit.last.value() + 1} : JobId{0});
        scan_queue(
            queue, tenant, from, key, bounds,
            [&](JobId job) {
              visit.last = job;
              return started = try_start(job);
            },
            [&] { return started || stop(); });
        visit.done = !started;
        return visit.done && !stop();
      };
      fair_.for_each_waiting(visit_tenant,
                             [&](TenantId child) { return below(child).may_meet(widest()) && enter(child); });
    }
    priority = keys_.upper_bound(key);
  }
}

}  // namespace gw::sched
