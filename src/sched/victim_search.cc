// The search for victims: quota first, then nodes, then whoever need not go stays.
#include "sched/victim_search.h"

#include <algorithm>

#include "base/check.h"

namespace gw::sched {
std::optional<VictimSearch::Answer> VictimSearch::find(State& state, const Job& taker, Instant now,
                                                       Instant& again, bool as_indexed) {
  again = Instant::max();
  as_indexed_ = as_indexed;
  std::optional<Answer> best;
  for (const std::uint32_t pool : state.classes[taker.shape_class].pools) {
    std::optional<Answer> answer = find_in(state, taker, pool, now, again);
    if (!answer) continue;
    if (!best || answer->lost_gpu_milli_s < best->lost_gpu_milli_s ||
        (answer->lost_gpu_milli_s == best->lost_gpu_milli_s && answer->victims.size() < best->victims.size()))
      best = std::move(answer);
  }
  return best;
}

bool VictimSearch::may_go(const State& state, const Job& taker, const Job& victim, std::uint32_t pool) const {
  const QuotaResource type = state.quota_resource(pool);
  if (state.policy.preempts_by_reclaim() &&
      state.quota.may_reclaim(taker.request.tenant, victim.request.tenant, state.quota_amount(taker, pool),
                              type, state.quota_amount(victim, pool).all_milli))
    return true;
  return state.policy.preempts_by_priority() && victim.request.priority < taker.request.priority &&
         state.quota.may_displace(taker.request.tenant, victim.request.tenant, type);
}

bool VictimSearch::choose(State& state, const Job& taker, std::uint32_t pool, std::uint32_t candidate) {
  Candidate& entry = candidates_[candidate];
  if (entry.chosen) return true;
  if (entry.dead || entry.barred || !may_go(state, taker, *entry.job, pool)) {
    if (!std::exchange(entry.dead, true)) dead_.push_back(candidate);
    return false;
  }
  if (walked_ != nullptr) fix_terms(state, taker, state.quota.top(entry.job->request.tenant));
  entry.chosen = true;
  chosen_.push_back(candidate);
  state.quota.stop(entry.job->request.tenant, state.quota_amount(*entry.job, pool));
  return true;
}

void VictimSearch::unchoose(State& state, std::uint32_t candidate) {
  Candidate& entry = candidates_[candidate];
  entry.chosen = false;
  std::erase(chosen_, candidate);
  state.quota.start(entry.job->request.tenant, state.quota_amount(*entry.job, pool_));
}

/// Chooses again what had been unchosen.
void VictimSearch::keep(State& state, std::uint32_t candidate) {
  candidates_[candidate].chosen = true;
  chosen_.push_back(candidate);
  state.quota.stop(candidates_[candidate].job->request.tenant,
                   state.quota_amount(*candidates_[candidate].job, pool_));
}

void VictimSearch::unchoose_all(State& state) {
  while (!chosen_.empty()) unchoose(state, chosen_.back());
  for (const std::uint32_t candidate : dead_) candidates_[candidate].dead = false;
  dead_.clear();
}

std::vector<std::uint32_t> VictimSearch::dearest_first() const {
  std::vector<std::uint32_t> order = chosen_;
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return is_cheaper(b, a); });
  return order;
}

bool VictimSearch::free_quota(State& state, const Job& taker, std::uint32_t pool) {
  const QuotaTree::Amount amount = state.quota_amount(taker, pool);
  std::uint32_t next = 0;
  TenantId barred_at;
  for (;;) {
    const QuotaTree::Answer bar = state.quota.permits(taker.request.tenant, amount, taker.id);
    if (bar.ok()) return true;
    if (bar.bar != QuotaTree::Bar::kLimit && bar.bar != QuotaTree::Bar::kLent) return false;
    if (by_cost_.empty()) {
      for (std::uint32_t index = 0; index < candidates_.size(); ++index) by_cost_.push_back(index);
      std::sort(by_cost_.begin(), by_cost_.end(),
                [&](std::uint32_t a, std::uint32_t b) { return is_cheaper(a, b); });
    }
    // The cheapest that is not chosen yet and counts against the same limit.
    if (std::exchange(barred_at, bar.at) != bar.at) next = 0;
    bool found = false;
    for (; next < by_cost_.size() && !found; ++next) {
      const Candidate& candidate = candidates_[by_cost_[next]];
      if (candidate.chosen) continue;
      TenantId up = candidate.job->request.tenant;
      while (up != bar.at && up != TenantId{0}) up = state.quota.parent(up);
      found = up == bar.at && choose(state, taker, pool, by_cost_[next]);
    }
    if (!found) return false;
  }
}

bool VictimSearch::free_nodes(State& state, const Job& taker, std::uint32_t pool, std::uint32_t first,
                              std::uint32_t last) {
  if (walked_ != nullptr) return free_nodes_by_walk(state, taker, pool);
  if (need_.anywhere) return free_anywhere(state, taker, pool, first, last);
  const Pool& nodes = *state.pools[pool];
  const Shape& shape = taker.request.shape;
  std::uint32_t ready = make_groups(nodes, first, last);
  // A heap by (cost, node); what no longer is what its node costs is passed over.
  constexpr std::int64_t kOut = -1;  ///< Counted as ready, or not to be had.
  std::vector<std::int64_t>& cost = cost_of_group_;
  std::vector<std::pair<std::int64_t, std::uint32_t>>& heap = heap_;
  cost.resize(groups_.size());
  heap.clear();
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    cost[group] = cost_of(nodes, shape, groups_[group], nullptr);
    if (cost[group] > 0 && cost[group] != INT64_MAX) {
      heap.emplace_back(cost[group], group);
      continue;
    }
    ready += cost[group] == 0 && !is_ready(nodes, groups_[group].node);
    cost[group] = kOut;
  }
  std::size_t left = heap.size();
  if (ready < need_.count && left + ready >= need_.count)
    std::make_heap(heap.begin(), heap.end(), std::greater<>());
  std::vector<std::uint32_t> who;
  const auto renew = [&](std::uint32_t node) {
    const auto at = std::lower_bound(groups_.begin(), groups_.end(), node,
                                     [](const Group& a, std::uint32_t b) { return a.node < b; });
    const auto group = static_cast<std::uint32_t>(at - groups_.begin());
    if (cost[group] == kOut) return;
    const std::int64_t now = cost_of(nodes, shape, *at, nullptr);
    if (now == cost[group]) return;
    cost[group] = now == INT64_MAX ? kOut : now;
    if (now == INT64_MAX) {
      --left;
      return;
    }
    heap.emplace_back(now, group);
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (ready < need_.count && left + ready >= need_.count) {
    const auto [known, group] = heap.front();
    if (cost[group] == known && cost_of(nodes, shape, groups_[group], &who) != INT64_MAX && !who.empty()) {
      for (const std::uint32_t candidate : who) {
        const bool goes = choose(state, taker, pool, candidate);
        for (const Piece& piece : candidates_[candidate].job->placement.pieces) {
          const std::uint32_t end = std::min(piece.node + piece.count, last);
          for (std::uint32_t other = std::max(piece.node, first); other < end; ++other) renew(other);
        }
        if (!goes) break;
      }
      continue;
    }
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
    if (cost[group] != known) continue;
    ready += cost_of(nodes, shape, groups_[group], nullptr) == 0;
    cost[group] = kOut;
    --left;
  }
  return ready >= need_.count;
}

bool VictimSearch::free_anywhere(State& state, const Job& taker, std::uint32_t pool, std::uint32_t first,
                                 std::uint32_t last) {
  const Pool& nodes = *state.pools[pool];
  std::int64_t free = 0;
  for (std::uint32_t node = first; node < last; ++node) {
    if (nodes.takes_work(node)) free += nodes.free_count(node);
  }
  const auto gives = [&](std::uint32_t index) {
    std::int64_t gpus = 0;
    const Job& job = *candidates_[index].job;
    if (job.request.shape.gpu_milli != 0) return gpus;
    for (const Piece& piece : job.placement.pieces) {
      for (std::uint32_t node = std::max(piece.node, first); node < std::min(piece.node + piece.count, last);
           ++node) {
        if (nodes.takes_work(node)) gpus += std::popcount(piece.gpu_mask);
      }
    }
    return gpus;
  };
  struct Offer {
    std::int64_t cost_per_gpu;
    std::uint32_t candidate;
  };
  std::vector<Offer> order;
  for (std::uint32_t index = 0; index < candidates_.size(); ++index) {
    const std::int64_t gpus = gives(index);
    if (candidates_[index].chosen) {
      free += gpus;
    } else if (gpus > 0 && !candidates_[index].dead && !candidates_[index].barred) {
      order.push_back({candidates_[index].cost / gpus, index});
    }
  }
  std::sort(order.begin(), order.end(), [&](const Offer& a, const Offer& b) {
    return a.cost_per_gpu != b.cost_per_gpu ? a.cost_per_gpu < b.cost_per_gpu
                                            : is_cheaper(a.candidate, b.candidate);
  });
  for (const auto& [cost, index] : order) {
    if (free >= need_.count) break;
    if (choose(state, taker, pool, index)) free += gives(index);
  }
  return free >= need_.count;
}

void VictimSearch::prune(State& state, const Job& taker, std::uint32_t pool, std::uint32_t first,
                         std::uint32_t last) {
  if (need_.anywhere) return;  // Tried out alone: there the order is by GPU already.
  const Pool& nodes = *state.pools[pool];
  const Shape& shape = taker.request.shape;
  const QuotaTree::Amount amount = state.quota_amount(taker, pool);
  // Only nodes that somebody chosen is on can cease to be ready.
  std::uint32_t count = ready_;
  std::vector<std::uint32_t> ready;  // Nodes, ascending, thanks to those chosen.
  const auto each_node = [&](std::uint32_t candidate, auto&& visit) {
    for (const Piece& piece : candidates_[candidate].job->placement.pieces) {
      const std::uint32_t end = std::min(piece.node + piece.count, last);
      for (std::uint32_t node = std::max(piece.node, first); node < end; ++node) visit(node);
    }
  };
  if (need_.side) {
    for (const Group& group : groups_) {
      if (cost_of(nodes, shape, group, nullptr) == 0) ready.push_back(group.node);
    }
  } else {
    for (const std::uint32_t index : chosen_)
      each_node(index, [&](std::uint32_t node) { ready.push_back(node); });
    std::sort(ready.begin(), ready.end());
    ready.erase(std::unique(ready.begin(), ready.end()), ready.end());
    std::erase_if(ready, [&](std::uint32_t node) {
      return is_ready(nodes, node) || cost_of_node(nodes, shape, node, nullptr) != 0;
    });
  }
  count += static_cast<std::uint32_t>(ready.size());
  std::vector<std::uint32_t> lost;
  for (const std::uint32_t index : dearest_first()) {
    unchoose(state, index);
    lost.clear();
    each_node(index, [&](std::uint32_t node) {
      if (std::binary_search(ready.begin(), ready.end(), node) &&
          cost_of_node(nodes, shape, node, nullptr) != 0)
        lost.push_back(node);
    });
    if (count - lost.size() >= need_.count &&
        state.quota.permits(taker.request.tenant, amount, taker.id).ok()) {
      count -= static_cast<std::uint32_t>(lost.size());
      std::erase_if(ready,
                    [&](std::uint32_t node) { return std::binary_search(lost.begin(), lost.end(), node); });
      continue;
    }
    keep(state, index);
  }
}

/// Would each of them go, were it the last? Else, once the others are gone, what it used is guaranteed to it,
/// and it would take it back at once.
std::optional<std::uint32_t> VictimSearch::who_may_not_go(State& state, const Job& taker,
                                                          std::uint32_t pool) const {
  std::optional<std::uint32_t> dearest;
  for (const std::uint32_t index : chosen_) {
    const Job& victim = *candidates_[index].job;
    state.quota.start(victim.request.tenant, state.quota_amount(victim, pool));
    const bool may = may_go(state, taker, victim, pool);
    state.quota.stop(victim.request.tenant, state.quota_amount(victim, pool));
    if (!may && (!dearest || is_cheaper(*dearest, index))) dearest = index;
  }
  return dearest;
}

/// Takes the chosen off their nodes, looks for a place, and puts them back.
std::optional<Placement> VictimSearch::place_without(State& state, const Job& taker,
                                                     std::uint32_t pool) const {
  Pool& nodes = *state.pools[pool];
  const std::uint64_t version = nodes.version();
  for (const std::uint32_t index : chosen_)
    nodes.give(candidates_[index].job->request.shape, candidates_[index].job->placement);
  std::optional<Placement> placement = nodes.place(taker.request.shape, View::kOpen, state.policy.placement);
  for (auto at = chosen_.rbegin(); at != chosen_.rend(); ++at)
    nodes.take(candidates_[*at].job->request.shape, candidates_[*at].job->placement);
  nodes.set_version(version);
  if (placement) placement->pool = pool;
  return placement;
}

std::optional<VictimSearch::Answer> VictimSearch::try_out(State& state, const Job& taker,
                                                          std::uint32_t pool) {
  std::optional<Placement> placement = place_without(state, taker, pool);
  if (!placement) return std::nullopt;
  Answer answer;
  // Whoever the place does not touch may stay, unless quota wants it gone.
  const QuotaTree::Amount amount = state.quota_amount(taker, pool);
  const auto touches = [&](const Job& victim) {
    for (const Piece& a : victim.placement.pieces) {
      for (const Piece& b : placement->pieces) {
        if (a.node < b.node + b.count && b.node < a.node + a.count &&
            (need_.side || (a.gpu_mask & b.gpu_mask) != 0))
          return true;
      }
    }
    return false;
  };
  for (const std::uint32_t index : dearest_first()) {
    if (touches(*candidates_[index].job)) continue;
    unchoose(state, index);
    if (state.quota.permits(taker.request.tenant, amount, taker.id).ok()) continue;
    keep(state, index);
  }
  if (who_may_not_go(state, taker, pool)) return std::nullopt;
  for (const std::uint32_t index : chosen_) {
    answer.victims.push_back(candidates_[index].job->id);
    answer.lost_gpu_milli_s += candidates_[index].cost;
  }
  std::sort(answer.victims.begin(), answer.victims.end());
  answer.placement = std::move(*placement);
  return answer;
}

std::optional<VictimSearch::Answer> VictimSearch::find_between(State& state, const Job& taker,
                                                               std::uint32_t pool, std::uint32_t first,
                                                               std::uint32_t last) {
  constexpr int kMostSets = 4;
  const Shape& shape = taker.request.shape;
  const bool groups = shape.segment_nodes > 1 || (shape.spread_required && shape.is_grouped());
  std::optional<Answer> answer;
  std::vector<std::uint32_t> barred;
  for (int sets = 0; sets < kMostSets && !answer; ++sets) {
    std::optional<std::uint32_t> bars;
    if (free_quota(state, taker, pool) && (groups ? free_groups(state, taker, pool, first, last)
                                                  : free_nodes(state, taker, pool, first, last))) {
      groups ? prune_by_trial(state, taker, pool) : prune(state, taker, pool, first, last);
      if (!chosen_.empty()) answer = try_out(state, taker, pool);
      // Another set may do without the one that may not go with the rest of this.
      if (!answer) bars = who_may_not_go(state, taker, pool);
    }
    unchoose_all(state);
    if (!bars) break;
    candidates_[*bars].barred = true;
    barred.push_back(*bars);
  }
  for (const std::uint32_t candidate : barred) candidates_[candidate].barred = false;
  if (answer && answer->victims.empty()) return std::nullopt;
  return answer;
}

std::optional<VictimSearch::Answer> VictimSearch::find_in(State& state, const Job& taker, std::uint32_t pool,
                                                          Instant now, Instant& again) {
  const Pool& nodes = *state.pools[pool];
  const Shape& shape = taker.request.shape;
  if (shape.gpus == 0 && shape.gpu_milli == 0) return std::nullopt;  // Nobody leaves for CPUs alone.
  need_.side = nodes.wishes_side(shape);
  const bool one_node =
      shape.gpus <= nodes.gpus_per_node() && (!need_.side || shape.gpus <= 1 || nodes.within_share(shape));
  need_.anywhere = shape.nodes == 0 && !one_node;
  need_.per_node = shape.gpu_milli != 0 ? 1 : shape.gpus;
  need_.count = need_.anywhere ? shape.gpus : std::max(shape.nodes, 1U);
  if (may_walk(state, taker, pool)) return find_by_walk(state, taker, pool, now, again);
  collect(state, taker, pool, now, again);
  if (candidates_.empty()) return std::nullopt;

  std::vector<std::pair<std::uint32_t, std::uint32_t>> ranges;
  if (shape.level_required && shape.level != Shape::kAnyLevel) {
    for (const PoolFabric::Level& level : nodes.fabric().levels) {
      if (level.fabric_level != shape.level) continue;
      for (std::uint32_t vertex = 0; vertex < level.vertices(); ++vertex) {
        if (!need_.anywhere && level.first[vertex + 1] - level.first[vertex] < need_.count) continue;
        ranges.emplace_back(level.first[vertex], level.first[vertex + 1]);
      }
    }
  } else {
    ranges.emplace_back(0, nodes.nodes());
  }
  std::optional<Answer> best;
  for (const auto& [first, last] : ranges) {
    std::optional<Answer> answer = find_between(state, taker, pool, first, last);
    if (answer && (!best || answer->lost_gpu_milli_s < best->lost_gpu_milli_s ||
                   (answer->lost_gpu_milli_s == best->lost_gpu_milli_s &&
                    answer->victims.size() < best->victims.size())))
      best = std::move(answer);
  }
  return best;
}

}  // namespace gw::sched
