// Who may make others leave, and how often it is tried.
#include "sched/preemptor.h"

#include <algorithm>

namespace gw::sched {
namespace {

constexpr Nanoseconds kRetry = minutes(1);

}  // namespace

void Preemptor::begin(State& state, Instant now) {
  searches_ = 0;
  std::erase_if(retry_, [&](const auto& entry) {
    const Job* job = state.jobs.find(entry.first);
    return job == nullptr || !job->waits || entry.second <= now;
  });
}

bool Preemptor::is_entitled(const State& state, const Job& job) const {
  const std::vector<std::uint32_t>& pools = state.classes[job.shape_class].pools;
  return state.policy.preempts_by_reclaim() && state.quota.in_use() &&
         std::any_of(pools.begin(), pools.end(), [&](std::uint32_t pool) {
           return state.quota.is_entitled(job.request.tenant, state.quota_amount(job, pool));
         });
}

bool Preemptor::may_try(const State& state, const Job& job, Instant now) const {
  if (state.policy.preemption == PreemptionKind::kNone || searches_ >= kMostSearches) return false;
  if (state.preemptible_running() == 0) return false;
  const auto retry = retry_.find(job.id);
  if (retry != retry_.end() && retry->second > now) return false;
  return (state.policy.preempts_by_priority() && job.request.priority > state.least_preemptible_priority()) ||
         is_entitled(state, job);
}

bool Preemptor::make_room(State& state, Job& job, Instant now, Plan& plan) {
  ++searches_;
  Instant again;
  std::optional<VictimSearch::Answer> answer = search_.find(state, job, now, again);
  if (answer) {
    state.claim(job, std::move(answer->placement), answer->victims, now, plan);
    return true;
  }
  retry_[job.id] = std::max(now + kRetry, again == Instant::max() ? Instant{} : again);
  if (again != Instant::max()) state.wake_at(retry_[job.id]);
  return false;
}

void Preemptor::reclaim(State& state, Instant now, const std::function<bool(Job&)>& try_it) {
  if (!state.policy.preempts_by_reclaim() || !state.quota.in_use() || state.preemptible_running() == 0)
    return;
  int looks = 0;
  state.pending.scan(
      JobId{},
      [&](TenantId tenant) {
        PendingQueue::Bounds bounds;
        if (!tenant.valid()) return bounds;
        bool owed = false;
        for (TenantId up = tenant; up != TenantId{0} && !owed; up = state.quota.parent(up))
          owed = state.quota.is_owed(up);
        if (!owed) bounds.free = -1;
        return bounds;
      },
      [&](JobId id) {
        ++looks;
        Job& job = state.jobs[id];
        return may_try(state, job, now) && is_entitled(state, job) && try_it(job);
      },
      [&] { return looks >= kMostLooks || searches_ >= kMostSearches; });
}

void Preemptor::save(ByteWriter& out) const {
  out.u64(retry_.size());
  for (const auto& [job, when] : retry_) {
    out.u64(job.value());
    out.i64(when.count());
  }
}

bool Preemptor::restore(ByteReader& in) {
  retry_.clear();
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    const JobId job{in.u32()};
    retry_[job] = Instant{in.i64()};
  }
  return in.ok();
}

}  // namespace gw::sched
