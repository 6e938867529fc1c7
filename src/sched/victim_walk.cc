// The search for victims without a look at all of them: the jobs in the order of what they would lose for
// each GPU, until whatever is left must lose more than what has been found.
//
// A node costs at least what the GPUs that it lacks lose if all belong to the job on it that has saved its
// work last. Nodes that are partly free are seen at the start, with the least that any job loses; full ones
// when a job on them is walked past. A heap has them by that bound, and by their cost once they have been
// looked at: so the cheapest is known when it has come up and the next job in the order loses more. The nodes
// are freed in the very order of free_nodes.
#include <algorithm>
#include <functional>
#include <span>
#include <utility>

#include "base/check.h"
#include "sched/victim_search.h"

namespace gw::sched {
namespace {

constexpr std::int64_t kOut = -1;  ///< Counted as ready, or not to be had.

/// What `gpus` GPUs on a node lose at least, in thousandths of GPU-seconds, if none of their jobs has saved
/// its work since then.
std::int64_t least_loss(const State& state, Nanoseconds since, std::uint32_t gpus) {
  constexpr std::int64_t kLongest_s = std::int64_t{1} << 26;  // What lost_work would cut is longer.
  const std::int64_t lost_s = (since + state.policy.restart_estimate).count() / kNanosecondsPerSecond;
  return std::min(lost_s, kLongest_s) * 1000 * gpus;
}

}  // namespace

bool VictimSearch::may_walk(const State& state, const Job& taker, std::uint32_t pool) const {
  const Shape& shape = taker.request.shape;
  return as_indexed_ && !state.thorough && !need_.side && !need_.anywhere && shape.gpu_milli == 0 &&
         !shape.is_grouped() && !(shape.level_required && shape.level != Shape::kAnyLevel) &&
         state.quota.permits(taker.request.tenant, state.quota_amount(taker, pool), taker.id).ok();
}

std::optional<VictimSearch::Answer> VictimSearch::find_by_walk(State& state, const Job& taker,
                                                               std::uint32_t pool, Instant now,
                                                               Instant& again) {
  const Pool& nodes = *state.pools[pool];
  forget_candidates(pool);
  begin_walk(state, taker, now, again);
  if (ahead_.empty() && nodes_.empty()) {
    walked_ = nullptr;
    return std::nullopt;
  }
  const std::int64_t least = least_loss(state, Nanoseconds{0}, 1);
  if (need_.per_node > 1)
    nodes.for_each_free(1, [&](std::uint32_t node) {
      const std::uint32_t free = nodes.free_count(node);
      if (free < need_.per_node && free + walked_->gpus_on(node) >= need_.per_node && nodes.takes_work(node))
        see(node, least * (need_.per_node - free) + 1);
    });
  std::optional<Answer> answer = find_between(state, taker, pool, 0, nodes.nodes());
  walked_ = nullptr;
  return answer;
}

void VictimSearch::begin_walk(State& state, const Job& taker, Instant now, Instant& again) {
  const Pool& nodes = *state.pools[pool_];
  VictimIndex& index = state.victims_in(pool_);
  now_ = now;
  walked_ = &index;
  ahead_.clear();
  nodes_.clear();
  places_.clear();
  heap_.clear();
  cost_of_group_.clear();
  if (of_node_.size() < nodes.nodes()) of_node_.resize(nodes.nodes());
  if (of_slot_.size() < index.slots()) of_slot_.resize(index.slots());
  const bool fits = nodes.index(View::kOpen).total(need_.per_node) >= need_.count;
  const auto list = [&](std::uint32_t slot, const Terms& terms, std::span<const Regained::Held> held) {
    const VictimIndex::Entry& entry = index.entry(slot);
    if (terms.reclaim == 0 && entry.priority >= taker.request.priority) return;
    if (!held.empty() && regained_->keeps(state, taker.request.tenant, held, entry.job, entry.started)) {
      of_slot_[slot] = {searches_, kNobody};
      return;
    }
    const Instant safe_until = entry.started + state.policy.protected_run_time;
    if (safe_until > now) {
      if (safe_until >= again) return;
      if (may_be(state, taker, state.jobs[entry.job], terms, pool_)) again = safe_until;
      return;
    }
    if (fits) return;  // Nobody need go, and yet it does not start.
    index.save(slot, now);
    if (entry.uneven) {  // Its nodes have no bound.
      for (const Piece& piece : state.jobs[entry.job].placement.pieces) {
        for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) see(node, 0);
      }
    } else if (entry.gpus > 0) {  // Else nothing comes free that is asked for.
      ahead_.push_back({bound_by(state, slot, need_.per_node), entry.first_node, slot});
    }
  };
  for (const TenantId top : index.tops()) {
    if (parts_at_root(state, taker, top) && terms_below(state, taker, top, pool_).none()) continue;
    for (const TenantId tenant : index.tenants(top)) {
      const Terms terms = terms_of(state, taker, tenant, pool_);
      if (terms.none()) continue;
      const std::span<const Regained::Held> held =
          regained_ != nullptr ? regained_->of(tenant) : std::span<const Regained::Held>{};
      for (const std::uint32_t slot : index.of(tenant)) list(slot, terms, held);
    }
  }
  std::make_heap(ahead_.begin(), ahead_.end(), std::greater<>());
}

void VictimSearch::see(std::uint32_t node, std::int64_t least) {
  Seen& seen = of_node_[node];
  if (seen.search == searches_) return;
  seen = {searches_, static_cast<std::uint32_t>(nodes_.size())};
  nodes_.push_back({node, kSeen, 0});
  cost_of_group_.push_back(least);
  heap_.emplace_back(least, node);
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

std::uint32_t VictimSearch::candidate_in(State& state, const Job& taker, std::uint32_t slot) {
  Seen& seen = of_slot_[slot];
  if (std::exchange(seen.search, searches_) == searches_) return seen.what;
  seen.what = kNobody;
  const VictimIndex::Entry& entry = walked_->entry(slot);
  if (entry.started + state.policy.protected_run_time > now_) return kNobody;
  // Known since the walk began, when nobody had been chosen yet; as is who keeps its place.
  const Terms terms = terms_of(state, taker, entry.tenant, pool_);
  if (terms.none()) return kNobody;
  const Job& job = state.jobs[entry.job];
  if (!may_be(state, taker, job, terms, pool_)) return kNobody;
  seen.what = static_cast<std::uint32_t>(candidates_.size());
  add_candidate(state, job, now_);
  return seen.what;
}

void VictimSearch::look_at(State& state, const Job& taker, std::uint32_t node) {
  Group& group = nodes_[of_node_[node].what];
  group.from = static_cast<std::uint32_t>(places_.size());
  walked_->for_each_on(node, [&](std::uint32_t slot, std::uint16_t gpus) {
    const std::uint32_t candidate = candidate_in(state, taker, slot);
    if (candidate == kNobody) return;
    const bool part = candidates_[candidate].job->request.shape.gpu_milli != 0;
    places_.push_back({candidate, gpus, part, candidates_[candidate].share});
  });
  group.to = static_cast<std::uint32_t>(places_.size());
  if (group.to - group.from > 1)
    std::sort(places_.begin() + group.from, places_.end(),
              [&](const OnNode& a, const OnNode& b) { return is_cheaper(a.candidate, b.candidate); });
}

std::int64_t VictimSearch::bound_by(const State& state, std::uint32_t slot, std::uint32_t missing) const {
  const VictimIndex::Entry& entry = walked_->entry(slot);
  if (entry.uneven) return 0;
  const Nanoseconds since = now_ > entry.saved ? now_ - entry.saved : Nanoseconds{0};
  return least_loss(state, since, std::max(entry.gpus, missing)) + 1;  // A share is more than that.
}

std::int64_t VictimSearch::bound_of(const State& state, const Job& taker, std::uint32_t node) {
  const std::uint32_t free = state.pools[pool_]->free_count(node);
  const std::uint32_t missing = need_.per_node - std::min(free, need_.per_node);
  std::uint32_t gpus_there = 0;
  std::int64_t least = INT64_MAX;
  walked_->for_each_on(node, [&](std::uint32_t slot, std::uint16_t gpus) {
    const VictimIndex::Entry& entry = walked_->entry(slot);
    const Terms terms = terms_of(state, taker, entry.tenant, pool_);
    if (gpus == 0 || terms.none() || (terms.reclaim == 0 && entry.priority >= taker.request.priority)) return;
    if (entry.started + state.policy.protected_run_time > now_) return;
    gpus_there += gpus;
    least = std::min(least, bound_by(state, slot, missing));
  });
  return gpus_there >= missing ? least : INT64_MAX;
}

void VictimSearch::walk_on(const State& state) {
  const auto [least, first, slot] = ahead_.front();
  std::pop_heap(ahead_.begin(), ahead_.end(), std::greater<>());
  ahead_.pop_back();
  const Pool& nodes = *state.pools[pool_];
  for (const Piece& piece : state.jobs[walked_->entry(slot).job].placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      if (nodes.free_count(node) == 0 && walked_->gpus_on(node) >= need_.per_node && nodes.takes_work(node))
        see(node, least);
    }
  }
}

bool VictimSearch::free_nodes_by_walk(State& state, const Job& taker, std::uint32_t pool) {
  const Pool& nodes = *state.pools[pool];
  const Shape& shape = taker.request.shape;
  groups_ = {};
  std::uint32_t ready = ready_ = static_cast<std::uint32_t>(nodes.index(View::kOpen).total(need_.per_node));
  const auto push = [&](std::int64_t cost, std::uint32_t node) {
    heap_.emplace_back(cost, node);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  };
  // With others barred than the last time, or for the first.
  const auto begin = [&](std::uint32_t group) {
    const std::int64_t cost = cost_of(nodes, shape, nodes_[group], nullptr);
    const bool in = cost != INT64_MAX && !is_ready(nodes, nodes_[group].node);
    cost_of_group_[group] = in ? cost : kOut;
    if (in) push(cost, nodes_[group].node);
  };
  if (!places_.empty()) {
    heap_.clear();
    for (std::uint32_t group = 0; group < nodes_.size(); ++group) {
      if (nodes_[group].from >= kBounded) {
        if (cost_of_group_[group] != kOut) push(cost_of_group_[group], nodes_[group].node);
      } else {
        begin(group);
      }
    }
  }
  std::vector<std::uint32_t> who;
  const auto renew = [&](std::uint32_t node) {
    see(node, 0);
    const std::uint32_t group = of_node_[node].what;
    if (nodes_[group].from >= kBounded) {
      look_at(state, taker, node);
      begin(group);
      return;
    }
    if (cost_of_group_[group] == kOut) return;
    const std::int64_t now = cost_of(nodes, shape, nodes_[group], nullptr);
    if (now == cost_of_group_[group]) return;
    cost_of_group_[group] = now == INT64_MAX ? kOut : now;
    if (now != INT64_MAX) push(now, node);
  };
  while (ready < need_.count) {
    while (heap_.empty() ? !ahead_.empty() : may_be_beaten(heap_.front().first, heap_.front().second))
      walk_on(state);
    if (heap_.empty()) return false;
    const auto [known, node] = heap_.front();
    const std::uint32_t group = of_node_[node].what;
    if (cost_of_group_[group] == known && nodes_[group].from >= kBounded) {
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      heap_.pop_back();
      if (nodes_[group].from == kSeen) {
        nodes_[group].from = kBounded;
        const std::int64_t least = bound_of(state, taker, node);
        cost_of_group_[group] = least == INT64_MAX ? kOut : std::max(known, least);
        if (least != INT64_MAX) push(cost_of_group_[group], node);
        continue;
      }
      look_at(state, taker, node);
      begin(group);
      continue;
    }
    if (cost_of_group_[group] == known && cost_of(nodes, shape, nodes_[group], &who) != INT64_MAX &&
        !who.empty()) {
      for (const std::uint32_t candidate : who) {
        const bool goes = choose(state, taker, pool, candidate);
        for (const Piece& piece : candidates_[candidate].job->placement.pieces) {
          for (std::uint32_t other = piece.node; other < piece.node + piece.count; ++other) renew(other);
        }
        if (!goes) break;
      }
      continue;
    }
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
    if (cost_of_group_[group] != known) continue;
    ready += cost_of(nodes, shape, nodes_[group], nullptr) == 0;
    cost_of_group_[group] = kOut;
  }
  return true;
}

}  // namespace gw::sched
