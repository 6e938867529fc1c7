// Tries out the taker's place with the nodes that elastic jobs could give, more of them each time.
#include "sched/shrink_search.h"

#include <algorithm>
#include <set>
#include <tuple>

namespace gw::sched {
namespace {

constexpr std::size_t kMostTries = 64;

/// A running job and what it could give: its last nodes, down to the least.
struct Giver {
  const Job* job;
  Placement part;
};

std::uint32_t beyond_least(const Job& job) { return job.request.shape.nodes - job.request.nodes_min; }

bool is_elastic_now(const Job& job) {
  return job.running && !job.leaving && !job.finishes && job.request.is_resizable() && beyond_least(job) > 0;
}

/// The last `count` nodes of a place.
Placement last_of(const Placement& placement, std::uint32_t count) {
  Placement part{placement.pool, 0, {}};
  for (auto piece = placement.pieces.rbegin(); piece != placement.pieces.rend() && count > 0; ++piece) {
    const std::uint32_t taken = std::min(count, piece->count);
    part.pieces.insert(part.pieces.begin(), {piece->node + piece->count - taken, taken, piece->gpu_mask});
    count -= taken;
  }
  return part;
}

/// The place without the nodes of another.
Placement minus(const Pool& pool, const Placement& placement, const Placement& other) {
  Placement rest{placement.pool, 0, {}};
  auto gone = other.pieces.begin();
  for (const Piece& piece : placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      while (gone != other.pieces.end() && gone->node + gone->count <= node) ++gone;
      if (gone == other.pieces.end() || node < gone->node) rest.pieces.push_back({node, 1, piece.gpu_mask});
    }
  }
  if (!rest.pieces.empty()) pool.settle(rest);
  return rest;
}

/// What a job's tenant gets back if it has fewer nodes.
QuotaTree::Amount difference(const State& state, const Job& job, std::uint32_t nodes) {
  const std::uint32_t pool = job.placement.pool;
  QuotaTree::Amount amount = state.quota_amount(job, pool);
  const QuotaTree::Amount left = state.quota_amount(job, pool, nodes);
  amount.type_milli -= left.type_milli;
  amount.all_milli -= left.all_milli;
  return amount;
}

/// When the taker may ask the job for nodes; Instant::max(): never.
Instant may_ask_from(const State& state, const Job& taker, const Job& giver, const Regained& regained) {
  if (regained.covers(state, taker.request.tenant, giver)) return Instant::max();
  const PolicyConfig& policy = state.policy;
  const QuotaResource type = state.quota_resource(giver.placement.pool);
  const TenantId mine = taker.request.tenant;
  const TenantId other = giver.request.tenant;
  const bool lets = !state.quota.in_use() || state.quota.may_displace(mine, other, type);
  Instant from = Instant::max();
  if (policy.shrink_for_waiting && lets && giver.request.priority <= taker.request.priority)
    from = giver.started + policy.resize_interval;
  const bool displaces =
      policy.preempts_by_priority() && lets && giver.request.priority < taker.request.priority;
  const bool reclaims =
      policy.preempts_by_reclaim() && state.quota.in_use() &&
      state.quota.may_reclaim(mine, other, state.quota_amount(taker, giver.placement.pool), type,
                              difference(state, giver, giver.request.nodes_min).all_milli);
  if (displaces || reclaims) from = std::min(from, giver.started + policy.protected_run_time);
  return from;
}

/// Stops counting what others have, until it goes out of scope.
class FreedQuota {
 public:
  explicit FreedQuota(State& state) : state_(state) {}
  FreedQuota(const FreedQuota&) = delete;
  FreedQuota& operator=(const FreedQuota&) = delete;
  ~FreedQuota() {
    while (!freed_.empty()) undo();
  }
  void free(TenantId tenant, const QuotaTree::Amount& amount) {
    if (!state_.quota.in_use()) return;
    state_.quota.stop(tenant, amount);
    freed_.emplace_back(tenant, amount);
  }
  void undo() {
    if (freed_.empty()) return;
    state_.quota.start(freed_.back().first, freed_.back().second);
    freed_.pop_back();
  }
  [[nodiscard]] bool permits(const Job& taker, std::uint32_t pool) const {
    return !state_.quota.in_use() ||
           state_.quota.permits(taker.request.tenant, state_.quota_amount(taker, pool), taker.id).ok();
  }

 private:
  State& state_;
  std::vector<std::pair<TenantId, QuotaTree::Amount>> freed_;
};

std::optional<ShrinkSearch::Answer> find_in(State& state, const Job& taker, std::uint32_t pool_index,
                                            const std::vector<Giver>& givers) {
  Pool& pool = *state.pools[pool_index];
  const Shape& shape = taker.request.shape;
  const std::uint64_t version = pool.version();
  std::optional<Placement> placement;
  std::size_t given = 0;
  {
    FreedQuota freed(state);
    for (; given < givers.size() && given < kMostTries && !placement; ++given) {
      const Giver& giver = givers[given];
      pool.give(giver.job->request.shape, giver.part);
      freed.free(giver.job->request.tenant, difference(state, *giver.job, giver.job->request.nodes_min));
      if (freed.permits(taker, pool_index))
        placement = pool.place(shape, View::kOpen, state.policy.placement);
    }
    for (std::size_t index = given; index > 0; --index)
      pool.take(givers[index - 1].job->request.shape, givers[index - 1].part);
    pool.set_version(version);
  }
  if (!placement) return std::nullopt;
  placement->pool = pool_index;
  ShrinkSearch::Answer answer;
  FreedQuota freed(state);
  std::vector<const Giver*> untouched;
  std::set<std::uint32_t> kept;  // A node is for one to come back to.
  const auto keep = [&](const Placement& rest) {
    bool alone = true;
    for (const Piece& piece : rest.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        alone = kept.insert(node).second && alone;
    }
    return alone;
  };
  for (std::size_t index = 0; index < given; ++index) {
    const Job& job = *givers[index].job;
    Placement rest = minus(pool, job.placement, *placement);
    const std::uint32_t nodes = node_count(rest);
    if (nodes == job.request.shape.nodes) {
      untouched.push_back(&givers[index]);
      continue;
    }
    // It may get GPUs beside those of nodes that were not given.
    if (nodes < job.request.nodes_min || !keep(rest)) return std::nullopt;
    freed.free(job.request.tenant, difference(state, job, nodes));
    answer.shrinks.push_back({job.id, std::move(rest)});
  }
  for (const Giver* giver : untouched) {  // Only for their quota.
    if (freed.permits(taker, pool_index)) break;
    freed.free(giver->job->request.tenant, difference(state, *giver->job, giver->job->request.nodes_min));
    Placement rest = minus(pool, minus(pool, giver->job->placement, giver->part), *placement);
    if (node_count(rest) != giver->job->request.nodes_min || !keep(rest)) return std::nullopt;
    answer.shrinks.push_back({giver->job->id, std::move(rest)});
  }
  if (answer.shrinks.empty() || !freed.permits(taker, pool_index)) return std::nullopt;
  std::sort(answer.shrinks.begin(), answer.shrinks.end(),
            [](const Shrink& a, const Shrink& b) { return a.job < b.job; });
  answer.placement = std::move(*placement);
  return answer;
}

}  // namespace

std::vector<JobId> ShrinkSearch::Answer::jobs() const {
  std::vector<JobId> ids;
  for (const Shrink& shrink : shrinks) ids.push_back(shrink.job);
  return ids;
}

bool ShrinkSearch::may_try(const State& state, const Job& taker, const Regained& regained) {
  const std::set<JobId>& resizable = state.resizable();
  return !resizable.empty() &&
         (state.policy.shrink_for_waiting || state.policy.preemption != PreemptionKind::kNone) &&
         (taker.request.shape.gpus > 0 || taker.request.shape.gpu_milli > 0) &&
         std::any_of(resizable.begin(), resizable.end(), [&](JobId id) {
           const Job& job = state.jobs[id];
           return is_elastic_now(job) && may_ask_from(state, taker, job, regained) != Instant::max();
         });
}

std::optional<ShrinkSearch::Answer> ShrinkSearch::find(State& state, const Job& taker,
                                                       const Regained& regained, Instant now,
                                                       Instant& again) {
  again = Instant::max();
  for (const std::uint32_t pool : state.classes[taker.shape_class].pools) {
    std::vector<Giver> givers;
    std::int64_t gpus = state.pools[pool]->free_gpus();
    for (const JobId id : state.resizable()) {
      const Job& job = state.jobs[id];
      if (!is_elastic_now(job) || job.placement.pool != pool || !state.may_return(job.placement)) continue;
      const Instant from = may_ask_from(state, taker, job, regained);
      if (from > now) {
        again = std::min(again, from);
        continue;
      }
      gpus += std::int64_t{beyond_least(job)} * job.request.shape.gpus;
      givers.push_back({&job, last_of(job.placement, beyond_least(job))});
    }
    if (givers.empty() || gpus * 1000 < taker.request.shape.total_gpu_milli()) continue;
    std::sort(givers.begin(), givers.end(), [](const Giver& a, const Giver& b) {
      const auto rank = [](const Job& job) {
        return std::tuple(job.request.priority, -std::int64_t{beyond_least(job)}, job.id);
      };
      return rank(*a.job) < rank(*b.job);
    });
    if (std::optional<Answer> answer = find_in(state, taker, pool, givers)) return answer;
  }
  return std::nullopt;
}

std::optional<ShrinkSearch::Mixed> ShrinkSearch::find_with_victims(State& state, const Job& taker,
                                                                   const Regained& regained, Instant now,
                                                                   VictimSearch& search, Instant& again) {
  // Searched as if all had given already what they can. That costs them little; what more is needed is chosen
  // by cost.
  struct Given {
    Job* job;
    Placement before;
    Placement part;
    std::uint32_t nodes;
  };
  std::vector<Given> given;
  std::vector<std::uint64_t> versions;
  std::optional<VictimSearch::Answer> answer;
  {
    FreedQuota freed(state);
    for (const auto& pool : state.pools) versions.push_back(pool->version());
    for (const JobId id : state.resizable()) {
      Job& job = state.jobs[id];
      if (!is_elastic_now(job) || !state.may_return(job.placement) ||
          may_ask_from(state, taker, job, regained) > now)
        continue;
      const std::uint32_t nodes = job.request.shape.nodes;
      Placement part = last_of(job.placement, beyond_least(job));
      state.pools[part.pool]->give(job.request.shape, part);
      freed.free(job.request.tenant, difference(state, job, job.request.nodes_min));
      given.push_back({&job, job.placement, part, nodes});
      job.placement = minus(*state.pools[part.pool], job.placement, part);
      job.request.shape.nodes = job.request.nodes_min;
    }
    answer = search.find(state, taker, now, again, given.empty());
    for (Given& each : given) {
      state.pools[each.part.pool]->take(each.job->request.shape, each.part);
      each.job->placement = std::move(each.before);
      each.job->request.shape.nodes = each.nodes;
    }
    for (std::size_t pool = 0; pool < versions.size(); ++pool) state.pools[pool]->set_version(versions[pool]);
  }
  if (!answer) return std::nullopt;
  const std::uint32_t pool = answer->placement.pool;
  Mixed mixed{answer->placement, {}, {}};
  FreedQuota freed(state);
  std::set<std::uint32_t> kept;
  const auto shrink = [&](const Job& job, Placement rest) {
    const std::uint32_t nodes = node_count(rest);
    if (nodes < job.request.nodes_min || nodes >= job.request.shape.nodes) return false;
    for (const Piece& piece : rest.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        if (!kept.insert(node).second) return false;
      }
    }
    freed.free(job.request.tenant, difference(state, job, nodes));
    mixed.shrinks.push_back({job.id, std::move(rest)});
    return true;
  };
  std::vector<JobId> whole;
  for (const JobId id : answer->victims) {
    const Job& job = state.jobs[id];
    if (is_elastic_now(job) && state.may_return(job.placement) &&
        shrink(job, minus(*state.pools[pool], job.placement, answer->placement)))
      continue;
    freed.free(job.request.tenant, state.quota_amount(job, pool));
    whole.push_back(id);
  }
  for (const Given& each : given) {
    const Job& job = *each.job;
    if (job.placement.pool != pool ||
        std::binary_search(answer->victims.begin(), answer->victims.end(), job.id))
      continue;
    Placement rest = minus(*state.pools[pool], job.placement, answer->placement);
    if (node_count(rest) == job.request.shape.nodes) continue;  // It has nothing to give here.
    if (!shrink(job, std::move(rest))) return std::nullopt;
  }
  for (const Given& each : given) {  // Only for their quota.
    const Job& job = *each.job;
    if (freed.permits(taker, pool)) break;
    const auto of_job = [&](const Shrink& known) { return known.job == job.id; };
    if (std::binary_search(answer->victims.begin(), answer->victims.end(), job.id) ||
        std::any_of(mixed.shrinks.begin(), mixed.shrinks.end(), of_job))
      continue;
    Placement rest = minus(*state.pools[job.placement.pool], job.placement, each.part);
    if (job.placement.pool != pool) kept.clear();  // Nodes of another pool are others.
    if (!shrink(job, std::move(rest))) return std::nullopt;
  }
  // Where quota asks for more than nodes do, those leave as a whole that were chosen to.
  while (!freed.permits(taker, pool)) {
    const auto chosen = std::find_if(mixed.shrinks.rbegin(), mixed.shrinks.rend(), [&](const Shrink& each) {
      return std::binary_search(answer->victims.begin(), answer->victims.end(), each.job);
    });
    if (chosen == mixed.shrinks.rend()) return std::nullopt;
    const Job& job = state.jobs[chosen->job];
    freed.free(job.request.tenant, state.quota_amount(job, pool, node_count(chosen->rest)));
    whole.push_back(job.id);
    mixed.shrinks.erase(std::next(chosen).base());
  }
  mixed.victims = std::move(whole);
  for (const Shrink& each : mixed.shrinks) mixed.victims.push_back(each.job);
  std::sort(mixed.victims.begin(), mixed.victims.end());
  if (mixed.victims.empty()) return std::nullopt;
  return mixed;
}

}  // namespace gw::sched
