// The search for victims: quota first, then nodes, then whoever need not go stays.
#include "sched/victim_search.h"

#include <algorithm>

#include "base/check.h"

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

std::optional<VictimSearch::Answer> VictimSearch::find(State& state, const Job& taker, Instant now,
                                                       Instant& again) {
  again = Instant::max();
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
                              type))
    return true;
  return state.policy.preempts_by_priority() && victim.request.priority < taker.request.priority &&
         state.quota.may_displace(taker.request.tenant, victim.request.tenant, type);
}

void VictimSearch::collect(State& state, const Job& taker, std::uint32_t pool, Instant now, Instant& again) {
  candidates_.clear();
  places_.clear();
  chosen_.clear();
  pool_ = pool;
  const QuotaTree::Amount takes = state.quota_amount(taker, pool);
  const QuotaResource type = state.quota_resource(pool);
  const bool outranks =
      state.policy.preempts_by_priority() && taker.request.priority > state.least_preemptible_priority();
  const TenantId own_top = state.quota.top(taker.request.tenant);
  const auto collect_of = [&](TenantId tenant, const std::vector<JobId>& jobs) {
    const bool reclaim = state.policy.preempts_by_reclaim() &&
                         state.quota.may_reclaim(taker.request.tenant, tenant, takes, type);
    const bool displace = outranks && state.quota.may_displace(taker.request.tenant, tenant, type);
    if (!reclaim && !displace) return;
    // Copied where there are any: an answer may forget some.
    const std::vector<Regained::Held>* known = regained_ != nullptr ? regained_->of(tenant) : nullptr;
    const std::vector<Regained::Held> held = known != nullptr ? *known : std::vector<Regained::Held>{};
    auto at = held.begin();
    for (const JobId id : jobs) {
      const Job& job = state.jobs[id];
      if (!reclaim && job.request.priority >= taker.request.priority) continue;
      while (at != held.end() && at->job < id) ++at;
      if (at != held.end() && at->job == id && regained_->keeps(state, taker.request.tenant, *at, job))
        continue;
      const Instant safe_until = job.started + state.policy.protected_run_time;
      if (safe_until > now) {
        again = std::min(again, safe_until);
        continue;
      }
      const std::int64_t cost = lost_work(state, job, now);
      candidates_.push_back({&job, cost, cost / std::max(nodes_of(job), 1U) + 1});
    }
  };
  for (const auto& [top, tenants] : state.preemptible_in(pool)) {
    if (state.quota.in_use() && top != own_top && top != TenantId{0} && !state.quota.borrows(top, type))
      continue;
    for (const auto& [tenant, jobs] : tenants) collect_of(tenant, jobs);
  }
  std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
    return a.cost != b.cost ? a.cost < b.cost : a.job->id < b.job->id;
  });
  for (std::uint32_t index = 0; index < candidates_.size(); ++index) {
    const Job& job = *candidates_[index].job;
    for (const Piece& piece : job.placement.pieces) {
      // A share of a GPU frees it only with the others on it; it counts once, which trying out corrects.
      const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        places_.push_back({node, index, gpus});
    }
  }
  std::sort(places_.begin(), places_.end(), [](const OnNode& a, const OnNode& b) {
    return a.node != b.node ? a.node < b.node : a.candidate < b.candidate;
  });
}

std::uint32_t VictimSearch::make_groups(const Pool& pool, std::uint32_t first, std::uint32_t last) {
  groups_.clear();
  std::uint32_t others = 0;
  const auto end = static_cast<std::uint32_t>(places_.size());
  if (need_.side) {  // Any node may have room for it once CPU or memory come free.
    std::uint32_t at = 0;
    for (std::uint32_t node = first; node < last; ++node) {
      while (at < end && places_[at].node < node) ++at;
      const std::uint32_t from = at;
      while (at < end && places_[at].node == node) ++at;
      groups_.push_back({node, from, at});
    }
    return 0;
  }
  const auto ready = [&](std::uint32_t node) {
    return !pool.is_off(node) && pool.free_count(node) >= need_.per_node;
  };
  // The index knows how many nodes hold it already; those in groups are counted there.
  if (first == 0 && last == pool.nodes()) {
    others = static_cast<std::uint32_t>(pool.index(View::kOpen).total(need_.per_node));
  } else {
    for (std::uint32_t node = first; node < last; ++node) others += ready(node);
  }
  for (std::uint32_t at = 0; at < end;) {
    const std::uint32_t from = at;
    const std::uint32_t node = places_[at].node;
    while (at < end && places_[at].node == node) ++at;
    if (node < first || node >= last) continue;
    if (ready(node)) --others;
    groups_.push_back({node, from, at});
  }
  return others;
}

VictimSearch::Group VictimSearch::on_node(std::uint32_t node) const {
  const auto at =
      std::lower_bound(groups_.begin(), groups_.end(), node,
                       [](const Group& group, std::uint32_t which) { return group.node < which; });
  return at != groups_.end() && at->node == node ? *at : Group{node, 0, 0};
}

bool VictimSearch::choose(State& state, const Job& taker, std::uint32_t pool, std::uint32_t candidate) {
  Candidate& entry = candidates_[candidate];
  if (entry.chosen) return true;
  if (entry.dead || !may_go(state, taker, *entry.job, pool)) {
    entry.dead = true;
    return false;
  }
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
  for (Candidate& candidate : candidates_) candidate.dead = false;
}

bool VictimSearch::free_quota(State& state, const Job& taker, std::uint32_t pool) {
  const QuotaTree::Amount amount = state.quota_amount(taker, pool);
  std::uint32_t next = 0;
  TenantId barred_at;
  for (;;) {
    const QuotaTree::Answer bar = state.quota.permits(taker.request.tenant, amount, taker.id);
    if (bar.ok()) return true;
    if (bar.bar != QuotaTree::Bar::kLimit && bar.bar != QuotaTree::Bar::kLent) return false;
    // The cheapest that is not chosen yet and counts against the same limit.
    if (std::exchange(barred_at, bar.at) != bar.at) next = 0;
    bool found = false;
    for (; next < candidates_.size() && !found; ++next) {
      if (candidates_[next].chosen) continue;
      TenantId up = candidates_[next].job->request.tenant;
      while (up != bar.at && up != TenantId{0}) up = state.quota.parent(up);
      found = up == bar.at && choose(state, taker, pool, next);
    }
    if (!found) return false;
  }
}

std::int64_t VictimSearch::cost_of(const Pool& pool, const Shape& shape, const Group& group,
                                   std::vector<std::uint32_t>* who) const {
  const auto [node, from, to] = group;
  if (who != nullptr) who->clear();
  if (pool.is_off(node)) return INT64_MAX;
  std::uint32_t free = pool.free_count(node);
  Pool::Side side;
  Pool::Side need;
  if (need_.side) {
    side = pool.side_free(node);
    need = Pool::side_on_node(shape, need_.per_node);
  }
  const auto enough = [&] { return free >= need_.per_node && (!need_.side || side.covers(need)); };
  std::int64_t cost = 0;
  const auto leave = [&](const OnNode& place) {
    const Shape& given = candidates_[place.candidate].job->request.shape;
    if (given.gpu_milli == 0) free += place.gpus;
    if (need_.side) {
      const Pool::Side back = Pool::side_on_node(given, place.gpus);
      side.cpu_milli += back.cpu_milli;
      side.memory_mib += back.memory_mib;
    }
  };
  std::map<std::uint64_t, std::uint32_t> shares;  // GPU mask -> thousandths that would come back.
  const auto leave_share = [&](const OnNode& place) {
    const Job& job = *candidates_[place.candidate].job;
    const std::uint64_t mask = job.placement.pieces.front().gpu_mask;
    const auto gpu = static_cast<std::uint32_t>(std::countr_zero(mask));
    const auto at = shares.try_emplace(mask, pool.partial_milli(node, gpu)).first;
    if ((at->second += job.request.shape.gpu_milli) == 1000) ++free;
  };
  const auto give = [&](const OnNode& place) {
    leave(place);
    if (candidates_[place.candidate].job->request.shape.gpu_milli != 0) leave_share(place);
  };
  for (std::size_t at = from; at < to; ++at) {
    if (candidates_[places_[at].candidate].chosen) give(places_[at]);
  }
  for (std::size_t at = from; at < to && !enough(); ++at) {  // Cheapest jobs first.
    const Candidate& candidate = candidates_[places_[at].candidate];
    if (candidate.chosen || candidate.dead) continue;
    give(places_[at]);
    cost += candidate.share;
    if (who != nullptr) who->push_back(places_[at].candidate);
  }
  return enough() ? cost : INT64_MAX;
}

bool VictimSearch::free_nodes(State& state, const Job& taker, std::uint32_t pool, std::uint32_t first,
                              std::uint32_t last) {
  if (need_.anywhere) return free_anywhere(state, taker, pool, first, last);
  const Pool& nodes = *state.pools[pool];
  const Shape& shape = taker.request.shape;
  std::uint32_t ready = make_groups(nodes, first, last);
  // A heap by (cost, node); what no longer is what its node costs is passed over.
  constexpr std::int64_t kOut = -1;  ///< Counted as ready, or not to be had.
  std::vector<std::int64_t> cost(groups_.size());
  using Entry = std::pair<std::int64_t, std::uint32_t>;
  std::vector<Entry> heap;
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    cost[group] = cost_of(nodes, shape, groups_[group], nullptr);
    if (cost[group] == INT64_MAX) {
      cost[group] = kOut;
    } else {
      heap.emplace_back(cost[group], group);
    }
  }
  std::size_t left = heap.size();
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
    if (!nodes.is_off(node)) free += nodes.free_count(node);
  }
  const auto gives = [&](std::uint32_t index) {
    std::int64_t gpus = 0;
    const Job& job = *candidates_[index].job;
    if (job.request.shape.gpu_milli != 0) return gpus;
    for (const Piece& piece : job.placement.pieces) {
      for (std::uint32_t node = std::max(piece.node, first); node < std::min(piece.node + piece.count, last);
           ++node) {
        if (!nodes.is_off(node)) gpus += std::popcount(piece.gpu_mask);
      }
    }
    return gpus;
  };
  std::vector<std::pair<std::int64_t, std::uint32_t>> order;  // Cost per GPU.
  for (std::uint32_t index = 0; index < candidates_.size(); ++index) {
    const std::int64_t gpus = gives(index);
    if (candidates_[index].chosen) {
      free += gpus;
    } else if (gpus > 0 && !candidates_[index].dead) {
      order.emplace_back(candidates_[index].cost / gpus, index);
    }
  }
  std::sort(order.begin(), order.end());
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
  std::uint32_t count = make_groups(nodes, first, last);
  std::vector<bool> ready(groups_.size());
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    ready[group] = cost_of_node(nodes, shape, groups_[group].node, nullptr) == 0;
    count += ready[group];
  }
  const auto group_of = [&](std::uint32_t node) {
    const auto at = std::lower_bound(groups_.begin(), groups_.end(), node,
                                     [](const Group& a, std::uint32_t b) { return a.node < b; });
    return static_cast<std::size_t>(at - groups_.begin());
  };
  std::vector<std::uint32_t> order = chosen_;
  std::sort(order.begin(), order.end(), std::greater<>());  // Candidates ascend by cost.
  for (const std::uint32_t index : order) {
    unchoose(state, index);
    std::uint32_t lost = 0;
    const std::vector<Piece>& pieces = candidates_[index].job->placement.pieces;
    const auto each = [&](auto&& visit) {
      for (const Piece& piece : pieces) {
        const std::uint32_t end = std::min(piece.node + piece.count, last);
        for (std::uint32_t node = std::max(piece.node, first); node < end; ++node) visit(node);
      }
    };
    each([&](std::uint32_t node) {
      lost += ready[group_of(node)] && cost_of_node(nodes, shape, node, nullptr) != 0;
    });
    if (count - lost >= need_.count && state.quota.permits(taker.request.tenant, amount, taker.id).ok()) {
      each([&](std::uint32_t node) {
        if (ready[group_of(node)] && cost_of_node(nodes, shape, node, nullptr) != 0) {
          ready[group_of(node)] = false;
          --count;
        }
      });
      continue;
    }
    keep(state, index);
  }
}

/// May each of them go, were it the last? Else, once the others are gone, what it used is guaranteed to it,
/// and it would take it back at once.
bool VictimSearch::all_may_go(State& state, const Job& taker, std::uint32_t pool) const {
  return std::all_of(chosen_.begin(), chosen_.end(), [&](std::uint32_t index) {
    const Job& victim = *candidates_[index].job;
    state.quota.start(victim.request.tenant, state.quota_amount(victim, pool));
    const bool may = may_go(state, taker, victim, pool);
    state.quota.stop(victim.request.tenant, state.quota_amount(victim, pool));
    return may;
  });
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
  std::vector<std::uint32_t> order = chosen_;
  std::sort(order.begin(), order.end(), std::greater<>());
  for (const std::uint32_t index : order) {
    if (touches(*candidates_[index].job)) continue;
    unchoose(state, index);
    if (state.quota.permits(taker.request.tenant, amount, taker.id).ok()) continue;
    keep(state, index);
  }
  if (!all_may_go(state, taker, pool)) return std::nullopt;
  for (const std::uint32_t index : chosen_) {
    answer.victims.push_back(candidates_[index].job->id);
    answer.lost_gpu_milli_s += candidates_[index].cost;
  }
  std::sort(answer.victims.begin(), answer.victims.end());
  answer.placement = std::move(*placement);
  return answer;
}

std::optional<VictimSearch::Answer> VictimSearch::find_in(State& state, const Job& taker, std::uint32_t pool,
                                                          Instant now, Instant& again) {
  const Pool& nodes = *state.pools[pool];
  const Shape& shape = taker.request.shape;
  if (shape.gpus == 0 && shape.gpu_milli == 0) return std::nullopt;  // Nobody leaves for CPUs alone.
  collect(state, taker, pool, now, again);
  if (candidates_.empty()) return std::nullopt;
  need_.side = nodes.wishes_side(shape);
  const bool one_node =
      shape.gpus <= nodes.gpus_per_node() && (!need_.side || shape.gpus <= 1 || nodes.within_share(shape));
  need_.anywhere = shape.nodes == 0 && !one_node;
  need_.per_node = shape.gpu_milli != 0 ? 1 : shape.gpus;
  need_.count = need_.anywhere ? shape.gpus : std::max(shape.nodes, 1U);

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
  const bool groups = shape.segment_nodes > 1 || (shape.spread_required && shape.is_grouped());
  for (const auto& [first, last] : ranges) {
    if (free_quota(state, taker, pool) && (groups ? free_groups(state, taker, pool, first, last)
                                                  : free_nodes(state, taker, pool, first, last))) {
      groups ? prune_by_trial(state, taker, pool) : prune(state, taker, pool, first, last);
      std::optional<Answer> answer;
      if (!chosen_.empty()) answer = try_out(state, taker, pool);
      if (answer && !answer->victims.empty() &&
          (!best || answer->lost_gpu_milli_s < best->lost_gpu_milli_s ||
           (answer->lost_gpu_milli_s == best->lost_gpu_milli_s &&
            answer->victims.size() < best->victims.size())))
        best = std::move(answer);
    }
    unchoose_all(state);
  }
  return best;
}

}  // namespace gw::sched
