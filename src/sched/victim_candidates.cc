// The search for victims: who could go, what they lose, and what a node costs that they are on.
#include <algorithm>
#include <bit>
#include <map>

#include "sched/victim_search.h"

namespace gw::sched {
namespace {

std::uint32_t nodes_of(const Job& job) {
  std::uint32_t nodes = 0;
  for (const Piece& piece : job.placement.pieces) nodes += piece.count;
  return nodes;
}

}  // namespace

/// GPU-milliseconds in thousandths would overflow for large jobs that ran for months; seconds do not.
std::int64_t lost_work(const State& state, const Job& job, Instant now) {
  const Nanoseconds ran = now > job.started ? now - job.started : Nanoseconds{0};
  const Nanoseconds interval = job.request.checkpoint_interval;
  const Nanoseconds since = interval > Nanoseconds{0} ? ran - interval * (ran / interval) : ran;
  const std::int64_t lost_s = (since + state.policy.restart_estimate).count() / kNanosecondsPerSecond;
  const std::int64_t milli = std::max<std::int64_t>(1, job.request.shape.total_gpu_milli());
  std::int64_t cost;
  return __builtin_mul_overflow(milli, lost_s, &cost) ? INT64_MAX / 4 : std::min(cost, INT64_MAX / 4);
}

void VictimSearch::collect(State& state, const Job& taker, std::uint32_t pool, Instant now, Instant& again) {
  candidates_.clear();
  by_cost_.clear();
  chosen_.clear();
  pool_ = pool;
  const TenantId mine = taker.request.tenant;
  const QuotaTree& quota = state.quota;
  const QuotaTree::Amount takes = state.quota_amount(taker, pool);
  const QuotaResource type = state.quota_resource(pool);
  const bool outranks =
      state.policy.preempts_by_priority() && taker.request.priority > state.least_preemptible_priority();
  const TenantId own_top = quota.top(mine);
  // Jobs that take no more in all than this.
  const auto reclaimable = [&](TenantId tenant) {
    return state.policy.preempts_by_reclaim() ? quota.reclaimable_milli(mine, tenant, takes, type) : 0;
  };
  const auto may_displace = [&](TenantId tenant) {
    return outranks && quota.may_displace(mine, tenant, type);
  };
  const auto collect_of = [&](TenantId tenant, const std::vector<JobId>& jobs, std::int64_t reclaim,
                              bool displace) {
    if (reclaim == 0 && !displace) return;
    const std::span<const Regained::Held> held =
        regained_ != nullptr ? regained_->of(tenant) : std::span<const Regained::Held>{};
    auto at = held.begin();
    for (const JobId id : jobs) {
      const Job& job = state.jobs[id];
      if ((!displace || job.request.priority >= taker.request.priority) &&
          (reclaim == 0 || state.quota_amount(job, pool).all_milli > reclaim))
        continue;
      while (at != held.end() && at->job < id) ++at;
      if (at != held.end() && at->job == id && regained_->keeps(state, mine, *at, job)) continue;
      const Instant safe_until = job.started + state.policy.protected_run_time;
      if (safe_until > now) {
        again = std::min(again, safe_until);
        continue;
      }
      Candidate candidate{};
      candidate.job = &job;
      candidate.id = id;
      candidate.cost = lost_work(state, job, now);
      candidate.share = candidate.cost / std::max(nodes_of(job), 1U) + 1;
      candidates_.push_back(candidate);
    }
  };
  for (const auto& [top, tenants] : state.preemptible_in(pool)) {
    if (!quota.in_use() || top == own_top || top == TenantId{0}) {
      for (const auto& [tenant, jobs] : tenants)
        collect_of(tenant, jobs, reclaimable(tenant), may_displace(tenant));
      continue;
    }
    // Two that part at the root: what is asked of the taker, and of the other's top, is the same for all
    // below.
    const std::int64_t reclaim = reclaimable(top);
    const bool displace = may_displace(top);
    if (reclaim == 0 && !displace) continue;
    for (const auto& [tenant, jobs] : tenants) {
      if (quota.has_shares()) {  // No tenant is to fall below its own.
        collect_of(tenant, jobs, reclaimable(tenant), may_displace(tenant));
        continue;
      }
      TenantId up = tenant;
      while (up != top && quota.borrows(up, type)) up = quota.parent(up);
      if (up == top) collect_of(tenant, jobs, reclaim, displace);
    }
  }
  group_by_node(*state.pools[pool]);
}

/// By counting: it costs what the places are, and a look at one bit of each node.
void VictimSearch::group_by_node(const Pool& pool) {
  const auto each = [&](auto&& visit) {
    for (std::uint32_t index = 0; index < candidates_.size(); ++index) {
      const Candidate& candidate = candidates_[index];
      const bool part = candidate.job->request.shape.gpu_milli != 0;
      for (const Piece& piece : candidate.job->placement.pieces) {
        // A share of a GPU frees it only with the others on it; it counts once, which trying out corrects.
        const auto gpus = static_cast<std::uint16_t>(std::popcount(piece.gpu_mask));
        for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
          visit(node, OnNode{index, gpus, part, candidate.share});
      }
    }
  };
  if (starts_.size() < pool.nodes()) {
    starts_.assign(pool.nodes(), 0);
    touched_ = Bitmap(pool.nodes());
  }
  each([&](std::uint32_t node, const OnNode&) {
    if (starts_[node]++ == 0) touched_.set(node);
  });
  nodes_.clear();
  std::uint32_t sum = 0;
  for (std::uint32_t node = touched_.next(0); node != Bitmap::kNone; node = touched_.next(node + 1)) {
    const std::uint32_t count = std::exchange(starts_[node], sum);
    nodes_.push_back({node, sum, sum + count});
    sum += count;
  }
  places_.resize(sum);
  each([&](std::uint32_t node, const OnNode& place) { places_[starts_[node]++] = place; });
  for (const auto& [node, from, to] : nodes_) {
    starts_[node] = 0;
    touched_.clear(node);
    if (to - from > 1)
      std::sort(places_.begin() + from, places_.begin() + to,
                [&](const OnNode& a, const OnNode& b) { return is_cheaper(a.candidate, b.candidate); });
  }
}

std::uint32_t VictimSearch::make_groups(const Pool& pool, std::uint32_t first, std::uint32_t last) {
  const auto from =
      std::lower_bound(nodes_.begin(), nodes_.end(), first,
                       [](const Group& group, std::uint32_t node) { return group.node < node; });
  const auto to = std::lower_bound(from, nodes_.end(), last,
                                   [](const Group& group, std::uint32_t node) { return group.node < node; });
  if (need_.side) {  // Any node may have room for it once CPU or memory come free.
    all_.clear();
    auto at = from;
    for (std::uint32_t node = first; node < last; ++node) {
      const bool there = at != to && at->node == node;
      all_.push_back(there ? *at++ : Group{node, 0, 0});
    }
    groups_ = all_;
    return ready_ = 0;
  }
  groups_ = {from, to};
  if (first == 0 && last == pool.nodes())  // The index knows.
    return ready_ = static_cast<std::uint32_t>(pool.index(View::kOpen).total(need_.per_node));
  ready_ = 0;
  for (std::uint32_t node = first; node < last; ++node) ready_ += is_ready(pool, node);
  return ready_;
}

VictimSearch::Group VictimSearch::on_node(std::uint32_t node) const {
  const auto at =
      std::lower_bound(groups_.begin(), groups_.end(), node,
                       [](const Group& group, std::uint32_t which) { return group.node < which; });
  return at != groups_.end() && at->node == node ? *at : Group{node, 0, 0};
}

std::int64_t VictimSearch::cost_of(const Pool& pool, const Shape& shape, const Group& group,
                                   std::vector<std::uint32_t>* who) const {
  const auto [node, from, to] = group;
  if (who != nullptr) who->clear();
  if (!pool.takes_work(node)) return INT64_MAX;
  std::uint32_t free = pool.free_count(node);
  Pool::Side side;
  Pool::Side need;
  if (need_.side) {
    side = pool.side_free(node);
    need = Pool::side_on_node(shape, need_.per_node);
  }
  const auto enough = [&] { return free >= need_.per_node && (!need_.side || side.covers(need)); };
  std::map<std::uint64_t, std::uint32_t> shares;  // GPU mask -> thousandths that would come back.
  const auto leave_share = [&](const Job& job) {
    const std::uint64_t mask = job.placement.pieces.front().gpu_mask;
    const auto gpu = static_cast<std::uint32_t>(std::countr_zero(mask));
    const auto at = shares.try_emplace(mask, pool.partial_milli(node, gpu)).first;
    if ((at->second += job.request.shape.gpu_milli) == 1000) ++free;
  };
  const auto give = [&](const OnNode& place) {
    if (!place.part) free += place.gpus;
    if (!need_.side && !place.part) return;
    const Job& job = *candidates_[place.candidate].job;
    if (need_.side) {
      const Pool::Side back = Pool::side_on_node(job.request.shape, place.gpus);
      side.cpu_milli += back.cpu_milli;
      side.memory_mib += back.memory_mib;
    }
    if (place.part) leave_share(job);
  };
  if (!chosen_.empty()) {
    for (std::size_t at = from; at < to; ++at) {
      if (candidates_[places_[at].candidate].chosen) give(places_[at]);
    }
  }
  std::int64_t cost = 0;
  for (std::size_t at = from; at < to && !enough(); ++at) {  // Cheapest jobs first.
    const Candidate& candidate = candidates_[places_[at].candidate];
    if (candidate.chosen || candidate.dead || candidate.barred) continue;
    give(places_[at]);
    cost += places_[at].share;
    if (who != nullptr) who->push_back(places_[at].candidate);
  }
  return enough() ? cost : INT64_MAX;
}

}  // namespace gw::sched
