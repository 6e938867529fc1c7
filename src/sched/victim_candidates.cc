// The search for victims: who could go, what they lose, and what a node costs that they are on.
#include <algorithm>
#include <bit>
#include <map>
#include <utility>

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

void VictimSearch::forget_candidates(std::uint32_t pool) {
  ++searches_;
  candidates_.clear();
  by_cost_.clear();
  chosen_.clear();
  pool_ = pool;
}

VictimSearch::Terms VictimSearch::ask_terms(const State& state, const Job& taker, TenantId holder,
                                            std::uint32_t pool) const {
  const TenantId mine = taker.request.tenant;
  const QuotaResource type = state.quota_resource(pool);
  Terms terms;
  if (state.policy.preempts_by_reclaim())
    terms.reclaim = state.quota.reclaimable_milli(mine, holder, state.quota_amount(taker, pool), type);
  terms.displace = state.policy.preempts_by_priority() &&
                   taker.request.priority > state.least_preemptible_priority() &&
                   state.quota.may_displace(mine, holder, type);
  return terms;
}

bool VictimSearch::parts_at_root(const State& state, const Job& taker, TenantId top) {
  return state.quota.in_use() && top != TenantId{0} && top != state.quota.top(taker.request.tenant);
}

VictimSearch::Terms VictimSearch::terms_below(const State& state, const Job& taker, TenantId top,
                                              std::uint32_t pool) {
  return terms_up_to(state, taker, top, top, pool);
}

/// What is asked of the taker is the same for all whose top is another, so it is asked once of each kind of
/// top; of the holders it is that each up to the top borrows, and uses more than it deserves, or does not.
VictimSearch::Terms VictimSearch::terms_up_to(const State& state, const Job& taker, TenantId holder,
                                              TenantId top, std::uint32_t pool) {
  const QuotaTree& quota = state.quota;
  const QuotaResource type = state.quota_resource(pool);
  std::int64_t beyond = INT64_MAX;
  for (TenantId up = holder;; up = quota.parent(up)) {
    if (!quota.borrows(up, type)) return {};
    if (quota.has_shares()) beyond = std::min(beyond, -quota.share_left_milli(up));
    if (up == top) break;
  }
  Known& known = parted_[beyond > 0 ? 1 : 0];
  if (std::exchange(known.search, searches_) != searches_)
    known.terms = ask_terms(state, taker, holder, pool);
  Terms terms = known.terms;
  if (terms.reclaim > 0 && terms.reclaim != INT64_MAX) terms.reclaim = beyond;
  return terms;
}

VictimSearch::Terms VictimSearch::terms_of(const State& state, const Job& taker, TenantId tenant,
                                           std::uint32_t pool) {
  const QuotaTree& quota = state.quota;
  if (of_tenant_.size() < quota.tenants()) of_tenant_.resize(quota.tenants());
  Known& known = of_tenant_[tenant.value()];
  if (std::exchange(known.search, searches_) == searches_) return known.terms;
  const TenantId top = quota.top(tenant);
  known.terms = parts_at_root(state, taker, top) ? terms_up_to(state, taker, tenant, top, pool)
                                                 : ask_terms(state, taker, tenant, pool);
  return known.terms;
}

bool VictimSearch::may_be(const State& state, const Job& taker, const Job& job, const Terms& terms,
                          std::uint32_t pool) const {
  if (terms.displace && job.request.priority < taker.request.priority) return true;
  return terms.reclaim == INT64_MAX ||
         (terms.reclaim > 0 && state.quota_amount(job, pool).all_milli <= terms.reclaim);
}

void VictimSearch::add_candidate(const State& state, const Job& job, Instant now) {
  Candidate candidate{};
  candidate.job = &job;
  candidate.id = job.id;
  candidate.cost = lost_work(state, job, now);
  candidate.share = candidate.cost / std::max(nodes_of(job), 1U) + 1;
  candidates_.push_back(candidate);
}

void VictimSearch::collect(State& state, const Job& taker, std::uint32_t pool, Instant now, Instant& again) {
  forget_candidates(pool);
  const VictimIndex& index = state.victims_in(pool);
  for (const VictimIndex::Branch& branch : index.branches()) {
    if (parts_at_root(state, taker, branch.top) && terms_below(state, taker, branch.top, pool).none())
      continue;
    for (const TenantId tenant : branch.tenants) {
      const Terms terms = terms_of(state, taker, tenant, pool);
      if (terms.none()) continue;
      for (const std::uint32_t slot : index.of(tenant)) {
        const Job& job = state.jobs[index.entry(slot).job];
        if (!may_be(state, taker, job, terms, pool)) continue;
        if (regained_ != nullptr && regained_->covers(state, taker.request.tenant, job)) continue;
        const Instant safe_until = job.started + state.policy.protected_run_time;
        if (safe_until > now) {
          again = std::min(again, safe_until);
          continue;
        }
        add_candidate(state, job, now);
      }
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
  if (walked_ != nullptr)
    return of_node_[node].search == searches_ ? nodes_[of_node_[node].what] : Group{node, 0, 0};
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
