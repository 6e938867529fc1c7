// Elastic jobs: how many nodes they start with, and how they get more or give some up while they run.
//
// A running job changes its size by leaving and coming back. It is told as one that is preempted is, saves
// its work, and starts again on its new place as soon as it has left. Until then that place is closed to
// everybody else, so nothing but the loss of a node can come between.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <tuple>

#include "base/check.h"
#include "sched/fabric_near.h"
#include "sched/state.h"

namespace gw::sched {
namespace {

/// The place without the nodes for which gone(node) holds.
template <class Gone>
Placement without(const Pool& pool, const Placement& placement, Gone&& gone) {
  Placement rest{placement.pool, 0, {}};
  for (const Piece& piece : placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      if (!gone(node)) rest.pieces.push_back({node, 1, piece.gpu_mask});
    }
  }
  if (!rest.pieces.empty()) pool.settle(rest);
  return rest;
}

bool holds(const Placement& placement, std::uint32_t node) {
  return std::any_of(placement.pieces.begin(), placement.pieces.end(), [&](const Piece& piece) {
    return piece.node <= node && node < piece.node + piece.count;
  });
}

}  // namespace

QuotaTree::Amount State::quota_amount(const Job& job, std::uint32_t pool, std::uint32_t nodes) const {
  const PoolQuota& terms = quota_of_pool_[pool];
  const std::int64_t milli = std::int64_t{1000} * job.request.shape.gpus * nodes;
  return {terms.resource, milli, milli * terms.equivalent_milli / 1000, job.request.preemptible};
}

void State::set_size(Job& job, std::uint32_t nodes) {
  if (job.request.shape.nodes == nodes) return;
  GW_CHECK(!job.running && !job.waits && nodes >= job.request.nodes_min && nodes <= job.request.nodes_max);
  classes.leave(job.shape_class);
  job.request.shape.nodes = nodes;
  job.shape_class = classes.join(job.request.shape, job.request.preemptible,
                                 [this](const Shape& shape) { return pools_for(shape); });
}

/// The most nodes that fit, found by halving; none: no more than the least.
std::optional<Placement> State::widest(const Job& job, std::uint32_t pool, View view, Instant now) const {
  const JobRequest& request = job.request;
  Shape shape = request.shape;
  const auto with = [&](std::uint32_t nodes) -> std::optional<Placement> {
    if (quota.in_use() && !quota.permits(request.tenant, quota_amount(job, pool, nodes), job.id).ok())
      return std::nullopt;
    shape.nodes = nodes;
    std::optional<Placement> placement = pools[pool]->place(shape, view, policy.placement);
    if (!placement) return std::nullopt;
    placement->pool = pool;
    if (!windows_admit(job, *placement, now)) return std::nullopt;
    return placement;
  };
  std::int64_t most = std::min(request.nodes_max, pools[pool]->nodes());
  if (shape.gpus > 0) most = std::min(most, pools[pool]->index(view).total(shape.gpus));
  if (most <= request.nodes_min) return std::nullopt;
  auto high = static_cast<std::uint32_t>(most);
  std::optional<Placement> best = with(high);
  if (best) return best;
  for (std::uint32_t low = request.nodes_min; low + 1 < high;) {
    const std::uint32_t middle = low + (high - low) / 2;
    if (std::optional<Placement> placement = with(middle)) {
      best = std::move(placement);
      low = middle;
    } else {
      high = middle;
    }
  }
  return best;
}

void State::start_widest(Job& job, Placement placement, View view, Instant now, Plan& plan) {
  if (job.request.is_elastic()) {
    if (std::optional<Placement> wide = widest(job, placement.pool, view, now)) placement = std::move(*wide);
  }
  start(job, std::move(placement), now, plan);
}

bool State::may_return(const Placement& placement) const {
  const Pool& pool = *pools[placement.pool];
  for (const Piece& piece : placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      if (pool.is_down(node) || pool.is_closed(node, Closure::kClaimed) ||
          pool.is_closed(node, Closure::kDrained))
        return false;
    }
  }
  return true;
}

void State::put_resize(const Job& job, Resizing resize) {
  const std::uint32_t pool = resize.placement.pool;
  change_quota(job.request.tenant, quota_amount(job, pool, node_count(resize.placement)), true);
  close_for(job, resize.placement, {job.id});
  resizes.emplace(job.id, std::move(resize));
  ++node_changes;
  changes.released = changes.irregular = changes.nodes = true;
}

void State::tell_to_resize(Job& job, Placement placement, JobId for_job, Instant now, Plan& plan) {
  GW_CHECK(job.request.is_resizable() && !resizes.contains(job.id));
  const Instant end = job.expected_end;
  plan.resizes.push_back({job.id, placement, node_count(placement) > job.request.shape.nodes});
  leave_now(job, for_job, now, plan);
  put_resize(job, {std::move(placement), end});
}

void State::drop_resize(JobId id) {
  const auto at = resizes.find(id);
  if (at == resizes.end()) return;
  const Placement& placement = at->second.placement;
  open_place(placement);
  const Job& job = jobs[id];
  change_quota(job.request.tenant, quota_amount(job, placement.pool, node_count(placement)), false);
  resizes.erase(at);
  ++node_changes;
  changes.released = changes.irregular = changes.nodes = true;
}

void State::claim_free(Job& job, Placement placement) {
  set_size(job, node_count(placement));
  change_quota(job.request.tenant, quota_amount(job, placement.pool), true);
  close_for(job, placement, {});
  job.claims = true;
  claims.emplace(job.id, Claim{std::move(placement), {}});
}

bool State::comes_back(Job& job) {
  const auto at = resizes.find(job.id);
  if (at == resizes.end()) return false;
  set_size(job, node_count(at->second.placement));
  job.claims = true;
  claims.emplace(job.id, Claim{std::move(at->second.placement), {}});
  resizes.erase(at);
  return true;
}

/// It has changed its size without an end of its attempt, which goes on until the limit that it had.
void State::finish_resize(Job& job, Instant now) {
  const auto at = resizes.find(job.id);
  if (!job.running || at == resizes.end()) return;  // A node of its new place was lost: it is still to leave.
  const Instant end = std::max(at->second.end, now);
  const std::uint32_t clock = job.clock;
  stop(job, now);
  comes_back(job);
  Placement placement = claims.at(job.id).placement;
  drop_claim(job.id);
  change_quota(job.request.tenant, quota_amount(job, placement.pool), true);
  occupy(job, std::move(placement), end, now);
  if (clock < PowerTree::kFull) set_clock(job, clock);
}

std::optional<Placement> State::rest_of(const Job& job, const Placement& placement,
                                        std::uint32_t node) const {
  if (!job.request.is_elastic() || node_count(placement) <= job.request.nodes_min) return std::nullopt;
  return without(*pools[placement.pool], placement, [&](std::uint32_t each) { return each == node; });
}

bool State::keep_rest(const Job& job, std::uint32_t failed, Plan& plan) {
  if (job.leaving || job.finishes || policy.backfill == BackfillKind::kConservative) return false;
  std::optional<Placement> rest = rest_of(job, job.placement, failed);
  if (!rest || !may_return(*rest)) return false;
  plan.resizes.push_back({job.id, *rest, false});
  put_resize(job, {std::move(*rest), job.expected_end});
  return true;
}

/// Its place with as many more nodes as are free, the nearest to those that it has; none if that is not worth
/// a restart.
std::optional<Placement> State::grown(const Job& job, Instant now) const {
  const JobRequest& request = job.request;
  const Shape& shape = request.shape;
  const Pool& pool = *pools[job.placement.pool];
  const QuotaTree::Amount has = quota_amount(job, job.placement.pool);
  const auto permitted = [&](std::uint32_t more) {
    if (!quota.in_use()) return true;
    QuotaTree::Amount amount = quota_amount(job, job.placement.pool, shape.nodes + more);
    amount.type_milli -= has.type_milli;
    amount.all_milli -= has.all_milli;
    return quota.permits(request.tenant, amount, job.id).ok();
  };
  std::int64_t free = pool.nodes();
  if (shape.gpus > 0) free = pool.index(View::kOpen).total(shape.gpus);
  std::uint32_t most = 0;
  for (auto high = static_cast<std::uint32_t>(std::min<std::int64_t>(request.nodes_max - shape.nodes, free));
       most < high;) {
    const std::uint32_t middle = most + (high - most + 1) / 2;
    permitted(middle) ? void(most = middle) : void(high = middle - 1);
  }
  if (most == 0) return std::nullopt;
  // Where a reservation counts on its end, it does not begin anew.
  for (const Piece& piece : job.placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      if (pool.is_held(node)) return std::nullopt;
    }
  }

  const PoolFabric& fabric = pool.fabric();
  const std::uint32_t own = job.placement.pieces.front().node;
  const std::size_t last = shape.level_required ? std::min<std::size_t>(shape.level, fabric.levels.size() - 1)
                                                : fabric.levels.size() - 1;
  const std::uint32_t vertex = vertex_of(fabric.levels[last], own);
  using Rank = std::tuple<std::size_t, std::uint32_t, std::uint32_t>;  // Distance, free GPUs, node.
  std::vector<Rank> found;
  for (std::uint32_t node = fabric.levels[last].first[vertex]; node < fabric.levels[last].first[vertex + 1];
       ++node) {
    if (pool.is_held(node) || !pool.piece_on(shape, node) || holds(job.placement, node)) continue;
    found.emplace_back(level_between(fabric, own, node), pool.free_count(node), node);
  }
  std::sort(found.begin(), found.end());
  if (found.size() > most) found.resize(most);
  // What it would save of its limit must be worth twice what the restart costs it.
  const auto more = static_cast<std::int64_t>(found.size());
  const std::int64_t left_s = (job.expected_end - now).count() / kNanosecondsPerSecond;
  const std::int64_t restart_s = policy.restart_estimate.count() / kNanosecondsPerSecond;
  if (more == 0 || left_s / (shape.nodes + more) * more < 2 * restart_s) return std::nullopt;
  Placement placement = job.placement;
  for (const auto& [distance, count, node] : found) placement.pieces.push_back(*pool.piece_on(shape, node));
  pool.settle(placement);
  return placement;
}

void State::grow_elastic(Instant now, Plan& plan) {
  if (resizable_.empty() || policy.backfill == BackfillKind::kConservative) return;
  if (policy.backfill == BackfillKind::kNone && pending.size() > 0)
    return;  // What is free is the next one's.
  std::vector<JobId> order;
  for (const JobId id : resizable_) {
    const Job& job = jobs[id];
    const JobRequest& request = job.request;
    if (job.leaving || job.finishes || job.clock < PowerTree::kFull ||
        request.shape.nodes >= request.nodes_max || request.window.valid())
      continue;
    const std::uint32_t gpus = request.shape.gpus;
    if (gpus > 0 && pools[job.placement.pool]->index(View::kOpen).total(gpus) == 0) continue;
    if (now < job.started + policy.resize_interval) {
      wake_at(job.started + policy.resize_interval);
    } else {
      order.push_back(id);
    }
  }
  std::sort(order.begin(), order.end(), [&](JobId a, JobId b) {
    const JobRequest& first = jobs[a].request;
    const JobRequest& second = jobs[b].request;
    if (first.priority != second.priority) return first.priority > second.priority;
    if (pending.by_tenant() && first.tenant != second.tenant)
      return pending.fair_share().comes_before(first.tenant, second.tenant);
    return a < b;
  });
  for (const JobId id : order) {
    Job& job = jobs[id];
    std::optional<Placement> placement = grown(job, now);
    if (!placement || !may_return(*placement) || !windows_admit(job, *placement, now)) continue;
    if (power.limited() && !has_power(job, *placement, {id})) continue;
    tell_to_resize(job, std::move(*placement), JobId{}, now, plan);
  }
}

/// The lowest priority first, then those with the most to give. What goes on draws at full clocks.
std::int64_t State::shrink_below(FeedId feed, const std::vector<JobId>& under, Instant now, Plan& plan) {
  if (resizable_.empty() || policy.backfill == BackfillKind::kConservative) return 0;
  using Rank = std::tuple<std::int32_t, std::int64_t, std::uint32_t>;
  std::vector<std::pair<Rank, JobId>> order;
  for (const JobId id : under) {
    const Job& job = jobs[id];
    if (!job.running || job.leaving || job.finishes || !job.request.is_resizable()) continue;
    const std::int64_t beyond = std::int64_t{job.request.shape.nodes} - job.request.nodes_min;
    if (beyond > 0) order.push_back({{job.request.priority, -beyond, ~id.value()}, id});
  }
  std::sort(order.begin(), order.end());
  std::int64_t excess = power.draw(feed).count() - power.limit(feed);
  std::int64_t kept = 0;
  for (const auto& [rank, id] : order) {
    if (excess <= 0) break;
    Job& job = jobs[id];
    const Pool& pool = *pools[job.placement.pool];
    std::vector<std::uint32_t> inside;  // Its nodes under the feed, and what each draws at full clocks.
    std::vector<std::int64_t> draws;
    std::int64_t after = 0;
    for (const Piece& piece : job.placement.pieces) {
      const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        const std::uint32_t at = pool.fleet_node(node).value();
        if (at < power.begin(feed) || at >= power.end(feed)) continue;
        inside.push_back(node);
        draws.push_back(power.increment(at, job.request, gpus, PowerTree::kFull));
        after += draws.back();
      }
    }
    const std::int64_t before = draw_in(feed, job, job.clock);
    const std::size_t beyond =
        std::min<std::size_t>(inside.size(), job.request.shape.nodes - job.request.nodes_min);
    std::size_t given = 0;
    while (given < beyond && before - after < excess) after -= draws[inside.size() - ++given];
    if (before - after <= 0) continue;
    const std::vector<std::uint32_t> gone(inside.end() - static_cast<std::ptrdiff_t>(given), inside.end());
    Placement rest = without(pool, job.placement, [&](std::uint32_t node) {
      return std::binary_search(gone.begin(), gone.end(), node);
    });
    if (!may_return(rest)) continue;
    excess -= before - after;
    kept += after;
    forget_interruption(job, plan);
    plan.resizes.push_back({id, rest, false});
    const auto of_job = [&](const Plan::Start& start) { return start.job == id; };
    if (std::erase_if(plan.starts, of_job) == 0) plan.stopped.push_back(id);
    put_resize(job, {std::move(rest), job.expected_end});
    wait_again(job, now, plan);
    changes.released = changes.irregular = true;
  }
  return kept;
}

std::optional<Placement> State::within_power(const Job& job, const Placement& placement) const {
  if (!job.request.is_elastic()) return std::nullopt;
  const Pool& pool = *pools[placement.pool];
  Placement found{placement.pool, 0, {}};
  for (const Piece& piece : placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      found.pieces.push_back({node, 1, piece.gpu_mask});
      if (!has_power(job, found, {}, {}, false)) found.pieces.pop_back();
    }
  }
  if (node_count(found) < job.request.nodes_min) return std::nullopt;
  pool.settle(found);
  return found;
}

std::string State::check_elastic() const {
  std::string problem;
  std::size_t resizable = 0;
  jobs.for_each([&](const Job& job) {
    const JobRequest& request = job.request;
    if (!request.is_elastic()) return;
    resizable += job.running && request.is_resizable();
    const std::uint32_t nodes = request.shape.nodes;
    if (nodes < request.nodes_min || nodes > request.nodes_max || (job.waits && nodes != request.nodes_min) ||
        (job.running && node_count(job.placement) != nodes) ||
        (job.claims && node_count(claims.at(job.id).placement) != nodes))
      problem = fmt::format("elastic job {} has not the nodes that its shape says", job.id.value());
  });
  if (!problem.empty()) return problem;
  if (resizable != resizable_.size()) return "elastic jobs are miscounted";
  std::set<std::pair<std::uint32_t, std::uint32_t>> taken;  // Pool and node of claims and resizes.
  const auto take = [&](const Placement& placement) {
    for (const Piece& piece : placement.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        if (!pools[placement.pool]->is_closed(node, Closure::kClaimed)) return false;
        if (!taken.emplace(placement.pool, node).second) return false;
      }
    }
    return true;
  };
  if (resizes.empty()) return {};
  for (const auto& [id, claim] : claims) {
    if (!take(claim.placement))
      return fmt::format("the place that job {} claims is open, or another's", id.value());
  }
  for (const auto& [id, resize] : resizes) {
    const Job* job = jobs.find(id);
    if (job == nullptr || !job->running || !job->leaving || !job->request.is_resizable() ||
        resize.placement.pool != job->placement.pool)
      return fmt::format("job {} is to be resized, which it cannot be", id.value());
    const std::uint32_t nodes = node_count(resize.placement);
    if (nodes < job->request.nodes_min || nodes > job->request.nodes_max || nodes == job->request.shape.nodes)
      return fmt::format("job {} is to have a number of nodes that it cannot have", id.value());
    if (!take(resize.placement)) return fmt::format("the place of job {} is open, or another's", id.value());
    const Pool& pool = *pools[resize.placement.pool];
    for (const Piece& piece : resize.placement.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        if (!holds(job->placement, node) && (pool.free_gpu_mask(node) & piece.gpu_mask) != piece.gpu_mask)
          return fmt::format("job {} is to have GPUs that are in use", id.value());
      }
    }
  }
  return {};
}

}  // namespace gw::sched
