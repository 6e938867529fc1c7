// Whom a guarantee keeps in the place that it has won back.
#include "sched/regained.h"

#include <algorithm>
#include <optional>

namespace gw::sched {
namespace {

bool is_below(const QuotaTree& quota, TenantId tenant, TenantId above) {
  while (tenant != above && tenant != TenantId{0}) tenant = quota.parent(tenant);
  return tenant == above;
}

/// Has the tenant a guarantee of what the amount is of, and is it within it with that?
bool is_within(const QuotaTree& quota, TenantId tenant, const QuotaTree::Amount& amount) {
  bool any = false;
  const auto within = [&](QuotaResource resource, std::int64_t milli) {
    const std::int64_t due = quota.due_milli(tenant, resource);
    any = any || due > 0;
    return due == 0 || quota.used_milli(tenant, resource) + milli <= due;
  };
  return within(kAllGpus, amount.all_milli) &&
         (amount.type == kAllGpus || within(amount.type, amount.type_milli)) && any;
}

bool is_that(const Regained::Held& held, const Job& job) {
  return job.running && !job.leaving && job.started == held.started;
}

void add(std::vector<std::int64_t>& milli, const QuotaTree::Amount& amount) {
  milli[kAllGpus] += amount.all_milli;
  if (amount.type != kAllGpus) milli[amount.type] += amount.type_milli;
}

}  // namespace

void Regained::note(const State& state, const Job& job, std::uint32_t pool) {
  if (!state.quota.in_use() || !job.request.preemptible) return;
  const QuotaTree::Amount amount = state.quota_amount(job, pool);
  for (TenantId up = job.request.tenant; up != TenantId{0}; up = state.quota.parent(up)) {
    if (!is_within(state.quota, up, amount)) continue;
    claiming_.insert_or_assign(job.id, up);
    return;
  }
}

void Regained::refresh(const State& state) {
  forget_ended(state);
  std::erase_if(claiming_, [&](const auto& entry) {
    const Job* job = state.jobs.find(entry.first);
    if (job == nullptr || (!job->claims && !job->running)) return true;  // It has lost its claim.
    if (!job->running) return false;
    hold(state, *job, entry.second);
    return true;
  });
}

void Regained::hold(const State& state, const Job& job, TenantId within) {
  held_.resize(state.quota.tenants());
  kept_.resize(state.quota.tenants());
  const Held held{job.id, job.started, within, state.quota_amount(job, job.placement.pool)};
  std::vector<Held>& jobs = held_[job.request.tenant.value()];
  const auto at = std::lower_bound(jobs.begin(), jobs.end(), job.id,
                                   [](const Held& each, JobId id) { return each.job < id; });
  at != jobs.end() && at->job == job.id ? void(*at = held) : void(jobs.insert(at, held));
  Kept& kept = kept_[within.value()];
  kept.milli.resize(state.quota.resources());
  add(kept.milli, held.amount);
  const auto tenant = std::lower_bound(kept.tenants.begin(), kept.tenants.end(), job.request.tenant);
  if (tenant == kept.tenants.end() || *tenant != job.request.tenant)
    kept.tenants.insert(tenant, job.request.tenant);
}

/// Sums up those that still have their places.
void Regained::recount(const State& state, Kept& kept, TenantId within) const {
  std::fill(kept.milli.begin(), kept.milli.end(), 0);
  bool ended = false;
  for (const TenantId tenant : kept.tenants) {
    for (const Held& held : held_[tenant.value()]) {
      if (held.within != within) continue;
      const Job* job = state.jobs.find(held.job);
      if (job != nullptr && is_that(held, *job)) {
        add(kept.milli, held.amount);
      } else {
        ended = true;
      }
    }
  }
  if (ended && (stale_.empty() || stale_.back() != within)) stale_.push_back(within);
}

void Regained::forget_ended(const State& state) {
  for (const TenantId within : stale_) {
    std::erase_if(kept_[within.value()].tenants, [&](TenantId tenant) {
      std::vector<Held>& jobs = held_[tenant.value()];
      std::erase_if(jobs, [&](const Held& held) {
        const Job* job = state.jobs.find(held.job);
        return held.within == within && (job == nullptr || !is_that(held, *job));
      });
      return std::none_of(jobs.begin(), jobs.end(), [&](const Held& held) { return held.within == within; });
    });
  }
  stale_.clear();
}

bool Regained::stands(const State& state, TenantId within) const {
  Kept& kept = kept_[within.value()];
  const auto fits = [&] {
    bool any = false;
    for (std::size_t index = 0; index < kept.milli.size(); ++index) {
      const auto resource = static_cast<QuotaResource>(index);
      const std::int64_t due = state.quota.due_milli(within, resource);
      if (kept.milli[index] == 0 || due == 0) continue;
      if (kept.milli[index] + state.quota.fixed_milli(within, resource) > due) return false;
      any = true;
    }
    return any;
  };
  if (fits()) return true;
  recount(state, kept, within);
  return fits();
}

bool Regained::keeps(const State& state, TenantId taker, const Held& held, const Job& job) const {
  return is_that(held, job) && !is_below(state.quota, taker, held.within) && stands(state, held.within);
}

bool Regained::keeps(const State& state, TenantId taker, std::span<const Held> held, JobId job,
                     Instant started) const {
  const auto at = std::lower_bound(held.begin(), held.end(), job,
                                   [](const Held& each, JobId id) { return each.job < id; });
  return at != held.end() && at->job == job && at->started == started &&
         !is_below(state.quota, taker, at->within) && stands(state, at->within);
}

bool Regained::covers(const State& state, TenantId taker, const Job& job) const {
  const std::span<const Held> jobs = of(job.request.tenant);
  const auto at = std::lower_bound(jobs.begin(), jobs.end(), job.id,
                                   [](const Held& each, JobId id) { return each.job < id; });
  return at != jobs.end() && at->job == job.id && keeps(state, taker, *at, job);
}

/// What is of no account any more is left out: equal states have equal snapshots.
void Regained::save(const State& state, ByteWriter& out) const {
  std::vector<std::pair<JobId, TenantId>> claiming;
  for (const auto& entry : claiming_) {
    const Job* job = state.jobs.find(entry.first);
    if (job != nullptr && job->claims) claiming.push_back(entry);
  }
  std::vector<Held> held;
  for (const std::vector<Held>& jobs : held_) {
    std::copy_if(jobs.begin(), jobs.end(), std::back_inserter(held), [&](const Held& each) {
      const Job* job = state.jobs.find(each.job);
      return job != nullptr && is_that(each, *job);
    });
  }
  out.u64(claiming.size());
  for (const auto& [id, within] : claiming) {
    out.u64(id.value());
    out.u64(within.value());
  }
  out.u64(held.size());
  for (const Held& each : held) {
    out.u64(each.job.value());
    out.u64(each.within.value());
  }
}

bool Regained::restore(const State& state, ByteReader& in) {
  const auto read = [&](auto&& is_one) -> std::pair<const Job*, TenantId> {
    const Job* job = state.jobs.find(JobId{in.u32()});
    const TenantId within{in.u32()};
    const bool sound = in.ok() && job != nullptr && is_one(*job) && within != TenantId{0} &&
                       within.value() < state.quota.tenants() &&
                       is_below(state.quota, job->request.tenant, within);
    return {sound ? job : nullptr, within};
  };
  for (std::size_t left = in.count(); left > 0; --left) {
    const auto [job, within] = read([](const Job& each) { return each.claims; });
    if (job == nullptr) return false;
    claiming_[job->id] = within;
  }
  for (std::size_t left = in.count(); left > 0; --left) {
    const auto [job, within] = read([](const Job& each) { return each.running && !each.leaving; });
    if (job == nullptr) return false;
    hold(state, *job, within);
  }
  return in.ok();
}

}  // namespace gw::sched
