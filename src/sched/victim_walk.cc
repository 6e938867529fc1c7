// The search for victims without a look at all of them: the jobs in the order of what they would lose for
// each GPU, until whatever is left must lose more than what has been found.
//
// What a job loses for a GPU grows equally fast for all until it saves its work, and jobs that save equally
// often come to that in turn: so the index has them in an order that stands (save_order.h), for each child of
// the root, and the walk goes by those orders together whose jobs may be asked to go. Who may is asked of a
// job when the walk has come to it.
//
// A node costs at least what the GPUs that it lacks lose if all belong to the job on it that has saved its
// work last. Nodes that are partly free are seen at the start, with the least that any job loses; full ones
// when a job on them is walked past. A heap has them by that bound, and by their cost once they have been
// looked at: so the cheapest is known when it has come up and the next job in the order loses more. The nodes
// are freed in the very order of free_nodes.
#include <algorithm>
#include <bit>
#include <functional>
#include <utility>

#include "base/check.h"
#include "sched/victim_search.h"

namespace gw::sched {
namespace {

constexpr std::int64_t kOut = -1;  ///< Counted as ready, or not to be had.

constexpr std::int64_t kLongest_s = std::int64_t{1} << 26;  // What lost_work would cut is longer.

/// What `gpus` GPUs on a node lose at least, in thousandths of GPU-seconds, if none of their jobs has saved
/// its work since then.
std::int64_t least_loss(const State& state, Nanoseconds since, std::uint32_t gpus) {
  // Rounded down also where it is less than nothing.
  const Nanoseconds more = since + state.policy.restart_estimate + seconds(1);
  return std::min(more.count() / kNanosecondsPerSecond - 1, kLongest_s) * 1000 * gpus;
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
  walks_.clear();
  ahead_.clear();
  offering_.clear();
  nodes_.clear();
  places_.clear();
  heap_.clear();
  cost_of_group_.clear();
  if (of_node_.size() < nodes.nodes()) of_node_.resize(nodes.nodes());
  if (of_slot_.size() < index.slots()) of_slot_.resize(index.slots());
  const bool fits = nodes.index(View::kOpen).total(need_.per_node) >= need_.count;
  bool any = false;
  SaveOrder::Moment moment{now};
  std::uint64_t unopened = 0;  // Those of more GPUs than are asked for lose more: mostly none is looked at.
  for (const VictimIndex::Branch& branch : index.branches()) {
    if (parts_at_root(state, taker, branch.top) && terms_below(state, taker, branch.top, pool_).none())
      continue;
    any = true;
    if (fits) break;  // Nobody need go, and yet it does not start.
    offering_.push_back(&branch);
    for (const VictimIndex::Branch::Order& order : branch.orders) {
      if (order.gpus > need_.per_node) {
        unopened |= std::uint64_t{1} << (order.gpus - 1);
        continue;
      }
      walks_.push_back({order.gpus, order.jobs.walk(moment)});
      line_up(state, static_cast<std::uint32_t>(walks_.size() - 1));
    }
    for (const std::uint32_t slot : branch.loose) {
      const VictimIndex::Entry& entry = index.entry(slot);
      if (entry.gpus == 0 && !entry.uneven) continue;  // Nothing comes free that is asked for.
      if (!entry.uneven) {
        ahead_.push_back({bound_by(state, slot, need_.per_node), entry.first_node, slot | kAlone});
      } else if (may_leave(state, taker, slot)) {  // Its nodes have no bound.
        for (const Piece& piece : state.jobs[entry.job].placement.pieces) {
          for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) see(node, 0);
        }
      }
    }
  }
  if (!any) return;
  index.for_each_started_after(now - state.policy.protected_run_time, [&](std::uint32_t slot) {
    const VictimIndex::Entry& entry = index.entry(slot);
    const Instant safe_until = entry.started + state.policy.protected_run_time;
    if (safe_until >= again) return false;
    if (!is_offered(state, taker, slot)) return true;
    const Job& job = state.jobs[entry.job];
    if (!may_be(state, taker, job, terms_of(state, taker, entry.tenant, pool_), pool_)) return true;
    again = safe_until;
    return false;
  });
  for (; unopened != 0; unopened &= unopened - 1) {
    const auto gpus = static_cast<std::uint32_t>(std::countr_zero(unopened)) + 1;
    ahead_.push_back({least_loss(state, -seconds(1), gpus) + 1, 0, gpus | kUnopened});
  }
  std::make_heap(ahead_.begin(), ahead_.end(), is_later);
  while (!ahead_.empty() && (is_unopened() || !may_leave(state, taker, next_ahead())))
    is_unopened() ? open_orders(state) : go_past(state);
}

bool VictimSearch::is_offered(State& state, const Job& taker, std::uint32_t slot) {
  const VictimIndex::Entry& entry = walked_->entry(slot);
  const Terms terms = terms_of(state, taker, entry.tenant, pool_);
  if (terms.none() || (terms.reclaim == 0 && entry.priority >= taker.request.priority)) return false;
  return regained_ == nullptr || !regained_->keeps(state, taker.request.tenant, regained_->of(entry.tenant),
                                                   entry.job, entry.started);
}

void VictimSearch::fix_terms(State& state, const Job& taker, TenantId top) {
  if (!state.quota.in_use()) return;  // Then they go by priority alone.
  if (fixed_.size() < state.quota.tenants()) fixed_.resize(state.quota.tenants());
  const auto fix = [&](const VictimIndex::Branch& branch) {
    if (std::exchange(fixed_[branch.top.value()], searches_) == searches_) return;
    if (parts_at_root(state, taker, branch.top) && terms_below(state, taker, branch.top, pool_).none())
      return;
    for (const TenantId tenant : branch.tenants) static_cast<void>(terms_of(state, taker, tenant, pool_));
  };
  if (top != state.quota.top(taker.request.tenant)) return fix(*walked_->branch(top));
  // What the taker may ask of anybody changes with what those beside it use.
  if (fixed_[top.value()] == searches_) return;
  for (const VictimIndex::Branch& branch : walked_->branches()) fix(branch);
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
  if (!may_leave(state, taker, slot)) return kNobody;
  const Terms terms = terms_of(state, taker, entry.tenant, pool_);
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
  return least_loss(state, entry.since(now_), std::max<std::uint32_t>(entry.gpus, missing)) +
         1;  // A share is more than that.
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

bool VictimSearch::may_be_beaten(std::int64_t cost, std::uint32_t node) const {
  if (ahead_.empty()) return false;
  const Ahead& next = ahead_.front();
  if (next.least != cost) return next.least < cost;
  // Of one order those that lose as much come by their first nodes, but beyond what is counted.
  return next.first_node <= node || cost > kLongest_s * 1000;
}

void VictimSearch::line_up(const State& state, std::uint32_t order) {
  const auto& [gpus, jobs] = walks_[order];
  if (jobs.over()) return;
  const std::int64_t least = least_loss(state, jobs.since(), std::max(gpus, need_.per_node)) + 1;
  ahead_.push_back({least, jobs.first_node(), order});
}

void VictimSearch::sink_front() {
  const Ahead moved = ahead_.front();
  std::size_t at = 0;
  for (std::size_t child = 1; child < ahead_.size(); child = 2 * at + 1) {
    if (child + 1 < ahead_.size() && is_later(ahead_[child], ahead_[child + 1])) ++child;
    if (!is_later(moved, ahead_[child])) break;
    ahead_[at] = ahead_[child];
    at = child;
  }
  ahead_[at] = moved;
}

void VictimSearch::go_past(const State& state) {
  const std::uint32_t which = ahead_.front().which;
  if ((which & kAlone) == 0) {
    walks_[which].jobs.next();
    line_up(state, which);
  }
  // The next in that order, if it is not over, or whoever is last.
  ahead_.front() = ahead_.back();
  ahead_.pop_back();
  if (!ahead_.empty()) sink_front();
}

void VictimSearch::open_orders(const State& state) {
  const std::uint32_t gpus = ahead_.front().which & ~kUnopened;
  std::pop_heap(ahead_.begin(), ahead_.end(), is_later);
  ahead_.pop_back();
  SaveOrder::Moment moment{now_};
  for (const VictimIndex::Branch* branch : offering_) {
    for (const VictimIndex::Branch::Order& order : branch->orders) {
      if (order.gpus != gpus) continue;
      walks_.push_back({order.gpus, order.jobs.walk(moment)});
      line_up(state, static_cast<std::uint32_t>(walks_.size() - 1));
      std::push_heap(ahead_.begin(), ahead_.end(), is_later);
    }
  }
}

void VictimSearch::walk_on(State& state, const Job& taker) {
  if (is_unopened()) return open_orders(state);
  const std::int64_t least = std::max<std::int64_t>(0, ahead_.front().least);
  const std::uint32_t slot = next_ahead();
  go_past(state);
  if (!may_leave(state, taker, slot)) return;
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
      walk_on(state, taker);
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
