// Searches for the nodes, holding them and letting them go.
#include "sched/node_reservation.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace gw::sched {

std::optional<NodeReservation::Found> NodeReservation::find(State& state, const Job& job, Instant now,
                                                            PowerSearch& power) {
  std::optional<Found> best;
  for (const std::uint32_t pool : state.classes[job.shape_class].pools) {
    if (state.quota.in_use() &&
        !state.quota.permits(job.request.tenant, state.quota_amount(job, pool), job.id).ok())
      continue;
    const Instant bound = best ? best->answer.when : Instant::max();
    std::optional<ReservationSearch::Answer> answer;
    if (state.power.limited() && !job.request.shape.is_grouped()) {
      if (std::optional<PowerSearch::Answer> found = power.find(state, pool, job, now, bound))
        answer = ReservationSearch::Answer{found->when, std::move(found->nodes)};
    } else {
      answer =
          search_.find(*state.pools[pool], state.running[pool], state.jobs, job.request.shape,
                       state.policy.placement, now, bound, {&state.windows, pool, State::window_user(job)});
    }
    if (answer && (!best || answer->when < best->answer.when)) best = Found{pool, std::move(*answer)};
  }
  return best;
}

void NodeReservation::make(State& state, const Job& job, const Found& found) {
  GW_CHECK(nodes_.empty());
  releases_at_ = state.releases;
  when_ = found.answer.when;
  pool_ = found.pool;
  hold(state, job, found.answer.nodes);
}

void NodeReservation::drop(State& state) {
  for (const std::uint32_t node : nodes_) state.pools[pool_]->release_hold(node);
  if (state.power.tracked()) state.release_power(pool_, nodes_);
  nodes_.clear();
  if (job_.valid()) state.release_quota(charged_.first, charged_.second);
  job_ = JobId{};
}

void NodeReservation::hold(State& state, const Job& job, const std::vector<std::uint32_t>& nodes) {
  job_ = job.id;
  charge(state, job);
  nodes_ = nodes;
  for (const std::uint32_t node : nodes_) state.pools[pool_]->hold(node);
  if (state.power.limited()) state.hold_power(job, pool_, nodes_);
}

void NodeReservation::charge(State& state, const Job& job) {
  state.reserve_quota(job, pool_);
  charged_ = {job.request.tenant, state.quota_amount(job, pool_)};
}

std::vector<std::uint32_t> NodeReservation::open_nodes(State& state) {
  for (const std::uint32_t node : nodes_) state.pools[pool_]->release_hold(node);
  return std::exchange(nodes_, {});
}

void NodeReservation::close_nodes(State& state, const std::vector<std::uint32_t>& nodes) {
  Pool& pool = *state.pools[pool_];
  if (std::any_of(nodes.begin(), nodes.end(),
                  [&](std::uint32_t node) { return pool.is_closed(node, Closure::kClaimed); })) {
    if (state.power.tracked()) state.release_power(pool_, nodes);
    drop(state);  // They are another's now.
    return;
  }
  for (const std::uint32_t node : nodes) pool.hold(node);
  nodes_ = nodes;
}

bool NodeReservation::is_broken(const State& state) const {
  const Pool& pool = *state.pools[pool_];
  return std::any_of(nodes_.begin(), nodes_.end(), [&](std::uint32_t node) {
    return pool.is_down(node) || pool.is_closed(node, Closure::kDrained) ||
           pool.is_closed(node, Closure::kClaimed) || pool.is_closed(node, Closure::kDark);
  });
}

bool NodeReservation::misses_its_gap(const State& state, const Job& job, Instant now) const {
  if (state.changes.windows) return true;
  if (!state.windows.in_pool(pool_) || now < when_) return false;
  return std::any_of(nodes_.begin(), nodes_.end(), [&](std::uint32_t node) {
    const std::uint32_t group = state.windows.group_of(pool_, node);
    return group != Windows::kNoGroup &&
           !state.windows.admits(state.windows.groups()[group], State::window_user(job), now);
  });
}

bool NodeReservation::is_permitted(State& state, const Job& job) const {
  state.release_quota(job, pool_);
  const bool permitted = state.quota.permits(job.request.tenant, state.quota_amount(job, pool_), job.id).ok();
  state.reserve_quota(job, pool_);
  return permitted;
}

bool NodeReservation::has_all_gpus(const State& state, const Shape& shape) const {
  const Pool& pool = *state.pools[pool_];
  const std::uint32_t each = std::min(shape.nodes == 0 ? 1U : shape.gpus, pool.gpus_per_node());
  std::uint64_t gpus = 0;
  for (const std::uint32_t node : nodes_) {
    const std::uint32_t free = pool.free_count(node);
    if (free < each) return false;
    gpus += free;
  }
  return shape.nodes > 0 || gpus >= shape.gpus;
}

void NodeReservation::save(ByteWriter& out) const {
  out.i64(when_.count());
  out.u64(pool_);
  out.u64(releases_at_);
  out.u64(nodes_.size());
  for (const std::uint32_t node : nodes_) out.u64(node);
}

bool NodeReservation::restore(State& state, JobId job_id, ByteReader& in) {
  job_ = job_id;
  when_ = Instant{in.i64()};
  pool_ = in.u32();
  releases_at_ = in.u64();
  const std::size_t count = in.count();
  nodes_.clear();
  if (!in.ok() || pool_ >= state.pools.size() || (count > 0 && !job_.valid())) return false;
  Pool& pool = *state.pools[pool_];
  for (std::size_t index = 0; index < count; ++index) {
    const std::uint32_t node = in.u32();
    if (!in.ok() || node >= pool.nodes() || pool.is_held(node)) return false;
    pool.hold(node);
    nodes_.push_back(node);
  }
  if (!job_.valid()) return true;
  const Job* job = state.jobs.find(job_);
  if (job == nullptr || !job->waits) return false;
  charge(state, *job);
  if (state.power.limited()) state.hold_power(*job, pool_, nodes_);
  return true;
}

}  // namespace gw::sched
