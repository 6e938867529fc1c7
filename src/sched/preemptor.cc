// Who may make others leave, and how often it is tried.
#include "sched/preemptor.h"

#include <algorithm>
#include <utility>

#include "sched/codec.h"

namespace gw::sched {
namespace {

constexpr Nanoseconds kRetry = minutes(1);

}  // namespace

void Preemptor::begin(const State& state, Instant now) {
  searches_ = 0;
  regained_.refresh(state);
  std::erase_if(retry_, [&](const auto& entry) { return entry.second <= now; });
  if (rests_until_ <= now && failures_ >= kMostFailures) failures_ = 0;
}

bool Preemptor::is_entitled(const State& state, const Job& job) const {
  const std::vector<std::uint32_t>& pools = state.classes[job.shape_class].pools;
  return state.policy.preempts_by_reclaim() && state.quota.in_use() &&
         std::any_of(pools.begin(), pools.end(), [&](std::uint32_t pool) {
           return state.quota.is_entitled(job.request.tenant, state.quota_amount(job, pool));
         });
}

bool Preemptor::may_preempt(const State& state, const Job& job) const {
  if (state.policy.preemption == PreemptionKind::kNone) return false;
  if (!state.preemptible_running() || failures_ >= kMostFailures) return false;
  // Even if all of them left, would it be enough?
  if (state.free_gpus() * 1000 + state.preemptible_milli() < job.request.shape.total_gpu_milli())
    return false;
  return (state.policy.preempts_by_priority() && job.request.priority > state.least_preemptible_priority()) ||
         is_entitled(state, job);
}

bool Preemptor::may_try(const State& state, const Job& job, Instant now) const {
  if (searches_ >= kMostSearches) return false;
  if (!may_preempt(state, job) && !ShrinkSearch::may_try(state, job, regained_)) return false;
  const auto retry = retry_.find(kind_of(job));
  return retry == retry_.end() || retry->second <= now;
}

bool Preemptor::make_room(State& state, Job& job, Instant now, Plan& plan) {
  ++searches_;
  Instant again = Instant::max();
  const auto has_power = [&](const Placement& placement, const std::vector<JobId>& leave,
                             const std::vector<Shrink>& shrinks) {
    return !state.power.limited() || state.has_power(job, placement, leave, shrinks);
  };
  // It costs less that elastic jobs shrink than that any leaves.
  if (ShrinkSearch::may_try(state, job, regained_)) {
    std::optional<ShrinkSearch::Answer> answer = ShrinkSearch::find(state, job, regained_, now, again);
    if (answer && has_power(answer->placement, answer->jobs(), answer->shrinks)) {
      regained_.note(state, job, answer->placement.pool);
      state.claim(job, std::move(answer->placement), answer->jobs(), now, plan, answer->shrinks);
      return true;
    }
  }
  const bool preempts = may_preempt(state, job);
  if (preempts) {
    Instant later;
    std::optional<ShrinkSearch::Mixed> answer =
        ShrinkSearch::find_with_victims(state, job, regained_, now, search_, later);
    again = std::min(again, later);
    if (answer && has_power(answer->placement, answer->victims, answer->shrinks)) {
      failures_ = 0;
      regained_.note(state, job, answer->placement.pool);
      state.claim(job, std::move(answer->placement), answer->victims, now, plan, answer->shrinks);
      return true;
    }
  }
  Instant& retry = retry_[kind_of(job)];
  retry = std::max(now + kRetry, again == Instant::max() ? Instant{} : again);
  if (again != Instant::max()) state.wake_at(retry);
  if (!preempts) return false;
  if (++failures_ >= kMostFailures) rests_until_ = now + kRetry;
  return false;
}

void Preemptor::reclaim(State& state, Instant now, const std::function<bool(Job&)>& try_it) {
  if (!state.policy.preempts_by_reclaim() || !state.quota.in_use() ||
      (!state.preemptible_running() && state.resizable().empty()))
    return;
  int looks = 0;
  // What holds for all jobs of a tenant, until somebody is made to leave: is it or one above owed, and what
  // is the most that one could ask for within a guarantee, or within what it deserves?
  TenantId known;
  bool owed = false;
  std::int64_t most_milli = 0;
  const auto look_at = [&](TenantId tenant) {
    if (std::exchange(known, tenant) == tenant) return;
    owed = false;
    std::int64_t most = state.quota.share_left_milli(tenant);
    for (TenantId up = tenant; up != TenantId{0}; up = state.quota.parent(up)) {
      owed = owed || state.pending.fair_share().is_owed(up);
      for (std::size_t index = 0; index < state.quota.resources(); ++index) {
        const auto resource = static_cast<QuotaResource>(index);
        most = std::max(
            most, state.quota.terms(up, resource).guaranteed_milli - state.quota.used_milli(up, resource));
      }
    }
    most_milli = state.quota.most_gpu_milli(most);
  };
  state.pending.scan(
      JobId{},
      [&](TenantId tenant) {
        PendingQueue::Bounds bounds;
        if (!tenant.valid()) return bounds;
        look_at(tenant);
        if (!owed) {
          bounds.free = -1;
        } else if (!state.thorough) {
          // The queue counts a share of a GPU as a whole one.
          bounds.free =
              static_cast<std::int32_t>(std::clamp<std::int64_t>(most_milli / 1000 + 1, -1, INT32_MAX - 1));
        }
        return bounds;
      },
      [&](JobId id) {
        Job& job = state.jobs[id];
        const std::int64_t milli = job.request.shape.total_gpu_milli();
        if (milli == 0 || (state.pending.by_tenant() && milli > most_milli)) return false;
        ++looks;
        if (!may_try(state, job, now) || !is_entitled(state, job) || !try_it(job)) return false;
        known = TenantId{};
        return true;
      },
      [&] { return looks >= kMostLooks || searches_ >= kMostSearches || failures_ >= kMostFailures; },
      [&](TenantId top) { return state.thorough || state.pending.fair_share().any_owed(top); });
}

void Preemptor::save(const State& state, ByteWriter& out) const {
  out.u64(static_cast<std::uint64_t>(failures_));
  out.i64(rests_until_.count());
  out.u64(retry_.size());
  for (const auto& [kind, when] : retry_) {
    out.u64(kind.tenant.value());
    encode(out, kind.shape);
    out.i64(kind.priority);
    out.u64(kind.preemptible ? 1 : 0);
    out.i64(when.count());
  }
  regained_.save(state, out);
}

bool Preemptor::restore(const State& state, ByteReader& in, std::uint64_t format) {
  constexpr std::uint64_t kRegainedSince = 5;
  retry_.clear();
  failures_ = in.u8();
  rests_until_ = Instant{in.i64()};
  for (std::size_t left = in.count(); left > 0 && in.ok(); --left) {
    Kind kind;
    kind.tenant = TenantId{in.u32()};
    kind.shape = decode_shape(in);
    kind.priority = static_cast<std::int32_t>(in.i64());
    kind.preemptible = in.u64() != 0;
    retry_[kind] = Instant{in.i64()};
  }
  return in.ok() && failures_ <= kMostFailures && (format < kRegainedSince || regained_.restore(state, in));
}

}  // namespace gw::sched
