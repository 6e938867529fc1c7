// What quotas, budgets and claims change in the state.
#include <algorithm>
#include <bit>

#include "base/check.h"
#include "sched/state.h"

namespace gw::sched {

QuotaTree::Amount State::quota_amount(std::int64_t gpu_milli, std::uint32_t pool) const {
  const PoolQuota& terms = quota_of_pool_[pool];
  return {terms.resource, gpu_milli, gpu_milli * terms.equivalent_milli / 1000, false};
}

QuotaTree::Amount State::quota_amount(const Job& job, std::uint32_t pool) const {
  QuotaTree::Amount amount = quota_amount(job.request.shape.total_gpu_milli(), pool);
  amount.preemptible = job.request.preemptible;
  return amount;
}

QuotaTree::Answer State::quota_bar(const Job& job) const {
  QuotaTree::Answer bar;
  if (!quota.in_use()) return bar;
  for (const std::uint32_t pool : classes[job.shape_class].pools) {
    bar = quota.permits(job.request.tenant, quota_amount(job, pool), job.id);
    if (bar.ok()) return bar;
  }
  return bar;
}

bool State::quota_lets(const Job& job) {
  if (!quota.in_use()) return true;
  const std::int64_t milli = job.request.shape.total_gpu_milli();
  barred_.resize(quota.tenants());
  Barred& known = barred_[job.request.tenant.value()];
  Barred::Mark& mark = job.request.preemptible ? known.preemptible : known.fixed;
  if (milli > 0 && !thorough) {
    if (milli >= mark.milli && stands(mark)) return false;
    if (milli >= known.preemptible.milli && stands(known.preemptible)) return false;
  }
  const std::vector<std::uint32_t>& fitting = classes[job.shape_class].pools;
  QuotaTree::Answer bar;
  bool alike = true;
  for (const std::uint32_t pool : fitting) {
    const QuotaTree::Answer here = quota.permits(job.request.tenant, quota_amount(job, pool), job.id);
    if (here.ok()) return true;
    alike = alike && (pool == fitting.front() || (here.at == bar.at && here.resource == bar.resource));
    bar = here;
  }
  // One that may run on some GPUs only, or stands behind another, says nothing about the others.
  if (milli == 0 || bar.bar == QuotaTree::Bar::kBehind || job.request.shape.gpu_types != 0 ||
      fitting.size() < gpu_pools_)
    return false;
  if (stands(mark) && mark.milli <= milli) return false;
  mark.milli = milli;
  mark.version = quota.version();
  mark.at = alike ? bar.at : TenantId{0};
  mark.resource = alike ? bar.resource : kAllGpus;
  mark.until_freed =
      quota.freed_milli(mark.at, mark.resource) + (alike ? std::max<std::int64_t>(1, bar.lacks_milli) : 1);
  return false;
}

std::int64_t State::quota_room(TenantId tenant) const {
  const std::int64_t least = std::max<std::int64_t>(1, classes.least_milli());
  const auto below_mark = [&](const Barred::Mark& mark) -> std::int64_t {
    if (mark.milli == INT64_MAX || !stands(mark)) return INT64_MAX;
    return mark.milli <= least ? 0 : (mark.milli - least + 999) / 1000;
  };
  const auto below_lent = [&](bool preemptible) {
    const std::int64_t lent = quota.most_gpu_milli(quota.most_milli_below(quota.top(tenant), preemptible));
    return lent == INT64_MAX ? lent : (lent + 999) / 1000;
  };
  const bool marked = tenant.value() < barred_.size();
  std::int64_t room = marked ? below_mark(barred_[tenant.value()].preemptible) : INT64_MAX;
  if (room == 0) return 0;
  if (room == INT64_MAX) room = std::min(quota.room_gpus(tenant), below_lent(true));
  if (classes.borrowing_tags() != 0) return room;
  // Nobody waits who is asked less than those that cannot be preempted.
  if (marked) room = std::min(room, below_mark(barred_[tenant.value()].fixed));
  return std::min(room, below_lent(false));
}

bool State::fixed_barred(TenantId tenant) const {
  const std::int64_t least = std::max<std::int64_t>(1, classes.least_milli());
  if (tenant.value() < barred_.size() && barred_[tenant.value()].fixed.milli <= least &&
      stands(barred_[tenant.value()].fixed))
    return true;
  return quota.most_gpu_milli(quota.most_milli_below(quota.top(tenant), false)) < least;
}

void State::list_for_quota(const Job& job) {
  waiting_by_age_.emplace(job.waits_since, job.id);
  wants_of(job).insert(job.request.shape.total_gpu_milli());
  quota.wait(job.request.tenant, asked_milli(job));
}

void State::unlist_for_quota(const Job& job) {
  waiting_by_age_.erase({job.waits_since, job.id});
  wants_of(job).erase(job.request.shape.total_gpu_milli());
  quota.wait(job.request.tenant, -asked_milli(job));
}

std::int64_t State::asked_milli(const Job& job) const {
  const std::vector<std::uint32_t>& fitting = classes[job.shape_class].pools;
  std::int64_t least = fitting.empty() ? 0 : INT64_MAX;
  for (const std::uint32_t pool : fitting) least = std::min(least, quota_amount(job, pool).all_milli);
  return least;
}

LeastOf<std::int64_t>& State::wants_of(const Job& job) {
  const TenantId top = quota.top(job.request.tenant);
  if (top.value() >= wants_.size()) wants_.resize(quota.tenants());
  Wants& wants = wants_[top.value()];
  return job.request.preemptible ? wants.preemptible : wants.fixed;
}

bool State::quota_may_let(TenantId top) const {
  if (!quota.in_use() || top.value() >= wants_.size()) return true;
  const auto may = [&](const LeastOf<std::int64_t>& wants, bool preemptible) {
    return !wants.empty() && wants.least() <= quota.most_gpu_milli(quota.most_milli_below(top, preemptible));
  };
  const Wants& wants = wants_[top.value()];
  return may(wants.fixed, false) || may(wants.preemptible, true);
}

bool State::quota_leaves_all(const Job& job) const {
  const std::vector<std::uint32_t>& fitting = classes[job.shape_class].pools;
  return !quota.in_use() || std::all_of(fitting.begin(), fitting.end(), [&](std::uint32_t pool) {
    return quota.permits(job.request.tenant, quota_amount(job, pool), job.id).ok();
  });
}

void State::note_owed(TenantId tenant) {
  if (!pending.by_tenant()) return;
  for (; tenant != TenantId{0}; tenant = quota.parent(tenant))
    pending.fair_share().set_owed(tenant, quota.is_owed(tenant));
}

void State::change_quota(TenantId tenant, const QuotaTree::Amount& amount, bool start) {
  if (!quota.in_use()) return;
  start ? quota.start(tenant, amount) : quota.stop(tenant, amount);
  note_owed(tenant);
}

void State::reserve_quota(const Job& job, std::uint32_t pool) {
  quota.reserve(job.request.tenant, quota_amount(job, pool));
}

void State::release_quota(const Job& job, std::uint32_t pool) {
  quota.release(job.request.tenant, quota_amount(job, pool));
}

void State::set_full_capacity() {
  std::vector<std::int64_t> capacity(quota.resources());
  for (std::size_t pool = 0; pool < pools.size(); ++pool) {
    const std::int64_t all = std::int64_t{pools[pool]->nodes()} * pools[pool]->gpus_per_node() * 1000;
    capacity[kAllGpus] += all * quota_of_pool_[pool].equivalent_milli / 1000;
    if (quota_of_pool_[pool].resource != kAllGpus) capacity[quota_of_pool_[pool].resource] += all;
  }
  for (std::size_t resource = 0; resource < capacity.size(); ++resource)
    unused_quota.set_capacity(static_cast<QuotaResource>(resource), capacity[resource]);
}

void State::refresh_quota(Instant now) {
  if (!quota.in_use()) return;
  std::vector<std::int64_t> capacity(quota.resources());
  for (std::size_t pool = 0; pool < pools.size(); ++pool) {
    const std::int64_t up =
        (std::int64_t{pools[pool]->nodes()} * pools[pool]->gpus_per_node() - pools[pool]->down_gpus()) * 1000;
    capacity[kAllGpus] += up * quota_of_pool_[pool].equivalent_milli / 1000;
    if (quota_of_pool_[pool].resource != kAllGpus) capacity[quota_of_pool_[pool].resource] += up;
  }
  for (std::size_t resource = 0; resource < capacity.size(); ++resource)
    quota.set_capacity(static_cast<QuotaResource>(resource), capacity[resource]);
  if (quota.has_shares()) {
    for (const std::uint32_t tenant : quota.share_out()) {
      if (tenant != 0 && pending.by_tenant())
        pending.fair_share().set_owed(TenantId{tenant}, quota.is_owed(TenantId{tenant}));
    }
  }
  // Small jobs of a tenant must not keep its large one from its quota for ever.
  constexpr int kMostLooks = 32;
  int looks = 0;
  QuotaTree::Stops stops;
  for (const auto& [since, id] : waiting_by_age_) {
    if (now - since <= policy.patience || ++looks > kMostLooks) break;
    const Job& job = jobs[id];
    QuotaTree::Answer bar;
    for (const std::uint32_t pool : classes[job.shape_class].pools) {
      bar = quota.permits(job.request.tenant, quota_amount(job, pool), id, false);
      if (bar.ok()) break;
    }
    if (bar.bar == QuotaTree::Bar::kLimit) stops.emplace_back(bar.at, id);
  }
  quota.set_stops(std::move(stops));
}

std::string State::check_quota() const {
  if (!quota.in_use()) return {};
  if (!quota.check()) return "sums of quotas are wrong";
  std::vector<std::int64_t> waiting(quota.has_shares() ? quota.tenants() : 0);
  QuotaTree fresh(quota.resources() - 1);
  for (std::uint32_t tenant = 1; tenant < quota.tenants(); ++tenant)
    fresh.add_tenant(quota.parent(TenantId{tenant}));
  fresh.set_budget(TenantId{0}, BudgetState::kOpen);
  jobs.for_each([&](const Job& job) {
    if (job.waits && !waiting.empty()) waiting[job.request.tenant.value()] += asked_milli(job);
    if (job.running && !job.leaving) fresh.start(job.request.tenant, quota_amount(job, job.placement.pool));
    if (job.claims) fresh.start(job.request.tenant, quota_amount(job, claims.at(job.id).placement.pool));
  });
  for (const auto& [id, resize] : resizes) {
    const std::uint32_t pool = resize.placement.pool;
    fresh.start(jobs[id].request.tenant, quota_amount(jobs[id], pool, node_count(resize.placement)));
  }
  for (std::uint32_t tenant = 0; tenant < quota.tenants(); ++tenant) {
    if (!waiting.empty() && waiting[tenant] != quota.waiting_milli(TenantId{tenant}))
      return "what a tenant's waiting jobs ask for is miscounted";
    for (std::size_t resource = 0; resource < quota.resources(); ++resource) {
      const auto which = static_cast<QuotaResource>(resource);
      if (quota.used_milli(TenantId{tenant}, which) != fresh.used_milli(TenantId{tenant}, which))
        return "a tenant's use is miscounted";
    }
  }
  return {};
}

void State::apply_quota(const Event& event, Instant now, Plan& plan) {
  if (!quota.in_use()) {
    set_structured();
    // What runs and waits already counts from now on.
    quota.set_budget(TenantId{0}, BudgetState::kOpen);
    jobs.for_each([&](const Job& job) {
      if (job.waits) list_for_quota(job);
      if (job.running && !job.leaving) quota.start(job.request.tenant, quota_amount(job, job.placement.pool));
      if (job.claims) quota.start(job.request.tenant, quota_amount(job, claims.at(job.id).placement.pool));
    });
    for (const auto& [id, resize] : resizes) {
      const std::uint32_t pool = resize.placement.pool;
      quota.start(jobs[id].request.tenant, quota_amount(jobs[id], pool, node_count(resize.placement)));
    }
  }
  changes.released = true;  // A pass looks at all.
  changes.irregular = true;
  if (event.kind == EventKind::kTenantQuota) {
    quota.set_terms(event.tenant, event.resource, event.terms);
    unused_quota.set_terms(event.tenant, event.resource, event.terms);
    note_owed(event.tenant);
    return;
  }
  quota.set_budget(event.tenant, event.budget);
  if (event.budget != BudgetState::kStopAll) return;
  std::vector<JobId> stopped;
  jobs.for_each([&](const Job& job) {
    if (!job.running || (job.leaving && !resizes.contains(job.id))) return;
    TenantId up = job.request.tenant;
    while (up != event.tenant && up != TenantId{0}) up = quota.parent(up);
    if (up == event.tenant) stopped.push_back(job.id);
  });
  std::sort(stopped.begin(), stopped.end());
  for (const JobId id : stopped) {
    drop_resize(id);
    if (!jobs[id].leaving) leave_now(jobs[id], JobId{}, now, plan);
  }
}

void State::count_preemptible(const Job& job, int sign) {
  if (!job.request.preemptible) return;
  preemptible_milli_ += sign * job.request.shape.total_gpu_milli();
  const auto at = preemptible_priorities_.try_emplace(job.request.priority, 0U).first;
  at->second += static_cast<std::uint32_t>(sign);
  if (at->second == 0) preemptible_priorities_.erase(at);
}

void State::list_victim(Job& job) {
  if (victims_in_.empty() || !job.request.preemptible) return;
  job.victim_slot = victims_in_[job.placement.pool].add(job, quota.top(job.request.tenant));
}

void State::unlist_victim(Job& job) {
  if (victims_in_.empty() || !job.request.preemptible) return;
  victims_in_[job.placement.pool].remove(job, quota.top(job.request.tenant),
                                         std::exchange(job.victim_slot, VictimIndex::kNone));
}

void State::set_started(Job& job, Instant when) {
  unlist_victim(job);
  job.started = when;
  list_victim(job);
}

std::string State::check_victims() const {
  if (victims_in_.empty()) return {};
  std::vector<std::size_t> count(victims_in_.size());
  bool right = true;
  jobs.for_each([&](const Job& job) {
    if (!job.running || job.leaving || !job.request.preemptible) return;
    ++count[job.placement.pool];
    right =
        right && victims_in_[job.placement.pool].holds(job, quota.top(job.request.tenant), job.victim_slot);
  });
  for (std::size_t pool = 0; pool < count.size(); ++pool) {
    if (!right || victims_in_[pool].size() != count[pool])
      return "a job that could be made to leave is not listed as it runs";
  }
  return {};
}

void State::mark_leaving(Job& job) {
  GW_CHECK(job.running && !job.leaving);
  count_preemptible(job, -1);
  unlist_victim(job);
  job.leaving = true;
  change_quota(job.request.tenant, quota_amount(job, job.placement.pool), false);
}

/// Tells a running job to go. From now on its quota is free and its end is the end of its grace.
void State::leave_now(Job& job, JobId for_job, Instant now, Plan& plan) {
  mark_leaving(job);
  EndProfile& profile = running[job.placement.pool];
  const std::int64_t milli = job.request.shape.total_gpu_milli();
  profile.erase(job.expected_end, job.id);
  job.expected_end = std::min(job.expected_end, now + policy.grace);
  profile.insert({job.expected_end, job.id,
                  static_cast<std::uint32_t>(std::max<std::int64_t>(1, (milli + 999) / 1000))});
  plan.preemptions.push_back({job.id, for_job});
}

/// Closes the place of a claim to everyone else, and keeps the power that the job will draw there beside
/// those who do not leave for it.
void State::close_for(const Job& job, const Placement& placement, const std::vector<JobId>& leaving) {
  Pool& pool = *pools[placement.pool];
  if (power.tracked()) {
    for (const JobId id : leaving) count_leaving(jobs[id], placement, +1);
  }
  for (const Piece& piece : placement.pieces) {
    const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      pool.close(node, Closure::kClaimed);
      if (!power.tracked()) continue;
      const std::uint32_t at = pool.fleet_node(node).value();
      power.set_closed(at, true);
      power.set_claim(at, power.increment(at, job.request, gpus, PowerTree::kFull));
    }
  }
  if (power.limited()) darken();
}

void State::claim(Job& job, Placement placement, const std::vector<JobId>& victims, Instant now, Plan& plan,
                  const std::vector<Shrink>& shrinks) {
  GW_CHECK(job.waits && !victims.empty());
  dequeue(job);
  job.claims = true;
  for (const JobId victim : victims) {
    const auto shrink =
        std::find_if(shrinks.begin(), shrinks.end(), [&](const Shrink& each) { return each.job == victim; });
    if (shrink == shrinks.end() || !may_return(shrink->rest)) {
      leave_now(jobs[victim], job.id, now, plan);
    } else {
      tell_to_resize(jobs[victim], shrink->rest, job.id, now, plan);
    }
  }
  change_quota(job.request.tenant, quota_amount(job, placement.pool), true);
  close_for(job, placement, victims);
  ++node_changes;
  claims.emplace(job.id, Claim{std::move(placement), victims});
  // Reservations that counted on those nodes are made anew.
  changes.released = changes.irregular = changes.nodes = true;
}

Job* State::put_claiming(JobId id, const JobRequest& request, Instant since, Claim claim) {
  Job* job = admit(id, request, since);
  if (job == nullptr) return nullptr;
  job->claims = true;
  change_quota(request.tenant, quota_amount(*job, claim.placement.pool), true);
  close_for(*job, claim.placement, claim.victims);
  claims.emplace(id, std::move(claim));
  return job;
}

void State::open_place(const Placement& placement) {
  Pool& pool = *pools[placement.pool];
  for (const Piece& piece : placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      pool.reopen(node, Closure::kClaimed);
      if (!power.tracked()) continue;
      const std::uint32_t of_fleet = pool.fleet_node(node).value();
      power.set_closed(of_fleet, pool.is_closed_for_all(node));
      power.end_claim(of_fleet);
    }
  }
}

void State::drop_claim(JobId id) {
  const auto at = claims.find(id);
  GW_CHECK(at != claims.end());
  Job& job = jobs[id];
  const Placement& placement = at->second.placement;
  open_place(placement);
  change_quota(job.request.tenant, quota_amount(job, placement.pool), false);
  job.claims = false;
  ++node_changes;
  changes.released = changes.irregular = changes.nodes = true;
  claims.erase(at);
}

/// The node is lost, or nothing new may start there: whoever claims it waits again.
void State::break_claim(std::uint32_t pool, std::uint32_t node) {
  for (const auto& [id, claim] : claims) {
    if (claim.placement.pool != pool ||
        std::none_of(claim.placement.pieces.begin(), claim.placement.pieces.end(), [&](const Piece& piece) {
          return piece.node <= node && node < piece.node + piece.count;
        }))
      continue;
    Job& job = jobs[id];
    std::optional<Placement> rest;
    if (claim.victims.empty()) rest = rest_of(job, claim.placement, node);
    drop_claim(id);
    rest ? claim_free(job, std::move(*rest)) : enqueue(job);
    return;  // A node is claimed by one.
  }
  for (const auto& [id, resize] : resizes) {
    if (resize.placement.pool != pool ||
        std::none_of(resize.placement.pieces.begin(), resize.placement.pieces.end(), [&](const Piece& piece) {
          return piece.node <= node && node < piece.node + piece.count;
        }))
      continue;
    drop_resize(id);  // It goes, and waits again.
    return;
  }
}

void State::victim_left(JobId victim) {
  for (auto& [id, claim] : claims) {
    const auto at = std::lower_bound(claim.victims.begin(), claim.victims.end(), victim);
    if (at == claim.victims.end() || *at != victim) continue;
    claim.victims.erase(at);
    return;
  }
}

void State::start_claimed(Instant now, Plan& plan) {
  std::vector<JobId> ready;
  for (const auto& [id, claim] : claims) {
    if (claim.victims.empty()) ready.push_back(id);
  }
  for (const JobId id : ready) {
    Placement placement = claims.at(id).placement;
    drop_claim(id);
    Job& job = jobs[id];
    if (!windows_admit(job, placement, now)) {  // A victim took too long, or a window has come between.
      enqueue(job);
      continue;
    }
    GW_CHECK(pools[placement.pool]->is_free(job.request.shape, placement, Closure::kWindow));
    if (power.limited() && !has_power(job, placement, {}, {}, false)) {  // A cap has fallen meanwhile.
      std::optional<Placement> fewer = within_power(job, placement);
      if (!fewer) {
        enqueue(job);
        continue;
      }
      placement = std::move(*fewer);
      set_size(job, node_count(placement));
    }
    change_quota(job.request.tenant, quota_amount(job, placement.pool), true);
    occupy(job, std::move(placement), now + job.request.limit, now);
    plan.starts.push_back({id, job.placement});
  }
  // What is left of their nodes must not be had for more than the feeds can carry.
  if (!ready.empty() && power.limited()) darken();
}

}  // namespace gw::sched
