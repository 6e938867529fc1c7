// Events applied to the state.
#include "sched/state.h"

#include <algorithm>

#include "base/check.h"

namespace gw::sched {

State::State(const Fleet& fleet, const PolicyConfig& config)
    : policy(config),
      pending(config),
      quota(fleet.gpu_types.size()),
      unused_quota(fleet.gpu_types.size()),
      power(fleet),
      gpu_types_(fleet.gpu_types) {
  GW_CHECK(check_fleet(fleet).empty());
  // One pool for each node type and zone that has nodes, by type and then by zone.
  const std::size_t zones = std::max<std::size_t>(1, fleet.zones.size());
  const auto kind_of = [&](std::uint32_t node) {
    return fleet.node_type_of[node] * zones + fleet.zone_of(NodeId{node});
  };
  std::vector<std::uint16_t> pool_of_kind(fleet.node_types.size() * zones, 0xffff);
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) pool_of_kind[kind_of(node)] = 0;
  for (std::size_t kind = 0; kind < pool_of_kind.size(); ++kind) {
    if (pool_of_kind[kind] != 0) continue;
    const std::size_t type = kind / zones;
    pool_of_kind[kind] = static_cast<std::uint16_t>(pools.size());
    pools.push_back(
        make_owned<Pool>(fleet, static_cast<std::uint16_t>(type), static_cast<std::uint32_t>(kind % zones)));
    const NodeType& node_type = fleet.node_types[type];
    quota_of_pool_.push_back(node_type.gpu_type == NodeType::kNoGpu
                                 ? PoolQuota{}
                                 : PoolQuota{static_cast<QuotaResource>(node_type.gpu_type + 1),
                                             fleet.gpu_types[node_type.gpu_type].equivalent_milli});
    gpu_pools_ += node_type.gpus > 0;
    largest_node_milli_ = std::max(largest_node_milli_, std::int64_t{1000} * fleet.node_types[type].gpus);
  }
  pool_of_node_.reserve(fleet.nodes());
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node)
    pool_of_node_.push_back(pool_of_kind[kind_of(node)]);
  std::int64_t least = 1000;
  for (const GpuType& type : fleet.gpu_types) least = std::min(least, type.equivalent_milli);
  quota.set_kinds(least, std::any_of(pools.begin(), pools.end(), [](const auto& pool) {
                    return pool->gpus_per_node() > 0 && pool->gpu_type() == NodeType::kNoGpu;
                  }));
  set_gpu_kinds();
  set_full_capacity();
  running.resize(pools.size());
  if (policy.preemption != PreemptionKind::kNone) {
    for (const auto& pool : pools) victims_in_.emplace_back(pool->nodes());
  }
  const NodeType& first = fleet.node_types[fleet.node_type_of[0]];
  uniform = pools.size() == 1 && first.gpus == 1 && fleet.fabric.size() == 1 && first.cpu_milli == 0 &&
            first.memory_mib == 0 && !power.limited() && !policy.reclaims_to_fair_share();
  if (policy.reclaims_to_fair_share()) quota.use_shares();
  for (const auto& pool : pools) pool->set_power_limited(power.limited());
  classes.track_limits(!uniform && policy.backfill == BackfillKind::kEasy);
}

/// Fair share counts the GPUs of each type apart, and those of no type.
void State::set_gpu_kinds() {
  std::vector<std::int64_t> capacity;
  std::vector<std::uint32_t> types;
  for (const auto& pool : pools) {
    kind_of_pool_.push_back(0);
    const std::int64_t milli = std::int64_t{pool->nodes()} * pool->gpus_per_node() * 1000;
    if (milli == 0) continue;
    const auto at = std::find(types.begin(), types.end(), pool->gpu_type());
    kind_of_pool_.back() = static_cast<std::uint32_t>(at - types.begin());
    if (at == types.end()) {
      types.push_back(pool->gpu_type());
      capacity.push_back(0);
    }
    capacity[kind_of_pool_.back()] += milli;
  }
  if (!capacity.empty()) pending.fair_share().set_kinds(capacity);
  gpu_type_of_kind_ = std::move(types);
}

std::vector<std::uint32_t> State::pools_for(const Shape& shape) const {
  std::vector<std::uint32_t> fitting;
  for (std::uint32_t pool = 0; pool < pools.size(); ++pool) {
    if (allowed_zone(shape, pools[pool]->zone()) && pools[pool]->could_ever_fit(shape))
      fitting.push_back(pool);
  }
  // Work without GPUs keeps off nodes with GPUs where it can.
  if (shape.gpus == 0 && shape.gpu_milli == 0)
    std::stable_partition(fitting.begin(), fitting.end(),
                          [&](std::uint32_t pool) { return pools[pool]->gpus_per_node() == 0; });
  return fitting;
}

/// A job that neither waits nor runs yet; null if no part of the fleet could ever hold it, unless it runs.
Job* State::admit(JobId id, const JobRequest& request, Instant since, bool runs) {
  GW_CHECK(request.tenant.value() < pending.tenants());
  GW_CHECK(request.limit > Nanoseconds{0});
  const std::uint32_t shape_class = classes.join(request.shape, request.preemptible,
                                                 [this](const Shape& shape) { return pools_for(shape); });
  if (classes[shape_class].pools.empty() && !runs) {
    classes.leave(shape_class);
    return nullptr;
  }
  Job& job = jobs.add(id);
  job.request = request;
  job.request.limit = std::min(job.request.limit, kLongestSpan);
  longest_limit = std::max(longest_limit, job.request.limit);
  job.waits_since = since;
  job.key = order_key(policy, job.request);
  job.shape_class = shape_class;
  if (uniform && (request.shape.gpus == 0 || request.shape.gpu_milli != 0 || request.is_elastic() ||
                  (request.preemptible && policy.preemption != PreemptionKind::kNone)))
    set_structured();
  return &job;
}

void State::submit(const Event& event, Instant now, Plan& plan) {
  // An id may come late: its place in the order was reserved, and those behind it may have been looked at.
  const bool late = event.job.value() < next_job;
  GW_CHECK(event.job.valid() && jobs.find(event.job) == nullptr);
  if (late) {
    changes.released = changes.irregular = true;
  } else {
    next_job = event.job.value() + 1;
  }
  JobRequest request = event.request;
  if (request.is_elastic()) request.shape.nodes = request.nodes_min;
  Job* job = admit(event.job, request, now);
  if (job == nullptr) {
    plan.rejections.push_back({event.job, never_reason(request.shape)});
    return;
  }
  const std::vector<std::uint32_t>& fitting = classes[job->shape_class].pools;
  if (quota.in_use() && std::none_of(fitting.begin(), fitting.end(), [&](std::uint32_t pool) {
        return unused_quota.permits(job->request.tenant, quota_amount(*job, pool)).ok();
      })) {
    plan.rejections.push_back({event.job, Reason::kQuota});
    classes.leave(job->shape_class);
    jobs.remove(event.job);
    return;
  }
  line_up(*job, now);
}

Reason State::never_reason(Shape shape) const {
  if (shape.zones == 0) return Reason::kNever;
  shape.zones = 0;
  return could_ever_fit(shape) ? Reason::kRule : Reason::kNever;
}

/// The law, or a fact that it looks at, has changed. Whoever waits keeps its place in the order.
void State::set_zones(const Event& event, Plan& plan) {
  Job& job = jobs[event.job];
  if (job.request.shape.zones == event.zones) return;
  if (job.waits) dequeue(job);
  Shape after = job.request.shape;
  after.zones = event.zones;
  if (job.running && !allowed_zone(after, zone_of(job))) drop_resize(job.id);
  if (job.claims && !allowed_zone(after, pools[claims.at(job.id).placement.pool]->zone())) drop_claim(job.id);
  classes.leave(job.shape_class);
  job.request.shape.zones = event.zones;
  if (job.request.is_elastic() && !job.running && !job.claims)
    job.request.shape.nodes = job.request.nodes_min;
  job.shape_class = classes.join(job.request.shape, job.request.preemptible,
                                 [this](const Shape& shape) { return pools_for(shape); });
  if (job.running) {
    job.finishes = !allowed_zone(job.request.shape, zone_of(job));
    return;
  }
  if (job.claims) return;  // It starts where it may still be.
  if (job.is_put_off() && !classes[job.shape_class].pools.empty()) return;
  changes.released = changes.irregular = true;  // It may fit now; its reservation, if any, is void.
  if (classes[job.shape_class].pools.empty()) {
    remove_never(job, plan);
  } else {
    enqueue(job);
  }
}

/// A job that neither waits nor runs, as the law has changed: it ends here.
void State::remove_never(Job& job, Plan& plan) {
  plan.rejections.push_back({job.id, never_reason(job.request.shape)});
  if (job.is_put_off()) take_from_put_off(job);
  classes.leave(job.shape_class);
  jobs.remove(job.id);
}

Job* State::put_waiting(JobId id, const JobRequest& request, Instant since) {
  Job* job = admit(id, request, since);
  if (job != nullptr) enqueue(*job);
  return job;
}

Job* State::put_put_off(JobId id, const JobRequest& request, Instant since, Instant until) {
  Job* job = admit(id, request, since);
  if (job != nullptr) put_off(*job, until);
  return job;
}

Job* State::put_running(JobId id, const JobRequest& request, Instant since, Placement placement,
                        Instant expected_end, Instant now) {
  Job* job = admit(id, request, since, true);
  if (job == nullptr) return nullptr;
  change_quota(job->request.tenant, quota_amount(*job, placement.pool), true);
  occupy(*job, std::move(placement), expected_end, now);
  return job;
}

void State::set_structured() {
  if (!uniform) return;
  uniform = false;
  changes.irregular = true;
  if (policy.backfill != BackfillKind::kEasy) return;
  classes.track_limits(true);
  jobs.for_each([&](const Job& job) {
    if (job.waits) classes.add_limit(job.shape_class, job.request.limit);
  });
}

void State::enqueue(Job& job) {
  if (job.request.is_elastic()) set_size(job, job.request.nodes_min);
  job.waits = true;
  pending.insert(job);
  classes.set_waiting(job.shape_class, true, job.request.limit);
  if (pending.by_tenant() && is_gang(job)) waiting_gangs.emplace(job.waits_since, job.id);
  if (quota.in_use()) list_for_quota(job);
}

void State::dequeue(Job& job) {
  job.waits = false;
  pending.erase(job);
  classes.set_waiting(job.shape_class, false, job.request.limit);
  if (pending.by_tenant() && is_gang(job)) waiting_gangs.erase({job.waits_since, job.id});
  if (!quota.in_use()) return;
  unlist_for_quota(job);
}

void State::set_waits_since(Job& job, Instant since) {
  if (job.is_put_off()) {
    job.waits_since = since;
    return;
  }
  dequeue(job);
  job.waits_since = since;
  enqueue(job);
}

std::optional<Placement> State::place(const Job& job, View view) const {
  for (const std::uint32_t pool : classes[job.shape_class].pools) {
    if (quota.in_use() && !quota.permits(job.request.tenant, quota_amount(job, pool), job.id).ok()) continue;
    std::optional<Placement> placement = pools[pool]->place(job.request.shape, view, policy.placement);
    if (!placement) continue;
    placement->pool = pool;
    return placement;
  }
  return std::nullopt;
}

std::uint32_t amount_of(const Shape& shape) {
  return static_cast<std::uint32_t>(std::max<std::int64_t>(1, (shape.total_gpu_milli() + 999) / 1000));
}

void State::start(Job& job, Placement placement, Instant now, Plan& plan) {
  if (prices.in_use() && !job.request.flexible) prices.note_wait(now - job.waits_since);
  start_at(job, std::move(placement), now + job.request.limit, now, plan);
}

void State::start_at(Job& job, Placement placement, Instant expected_end, Instant now, Plan& plan) {
  dequeue(job);
  if (job.request.is_elastic()) set_size(job, node_count(placement));
  change_quota(job.request.tenant, quota_amount(job, placement.pool), true);
  occupy(job, std::move(placement), expected_end, now);
  plan.starts.push_back({job.id, job.placement});
}

void State::occupy(Job& job, Placement placement, Instant expected_end, Instant now) {
  GW_CHECK(!job.running && !job.waits);
  const Shape& shape = job.request.shape;
  pools[placement.pool]->take(shape, placement);
  job.running = true;
  job.started = now;
  job.expected_end = expected_end;
  job.started = now;
  running[placement.pool].insert({job.expected_end, job.id, amount_of(shape)});
  allocated_milli_ += shape.total_gpu_milli();
  ++running_jobs_;
  count_preemptible(job, +1);
  if (pending.by_tenant())
    pending.fair_share().started(job.request.tenant, shape.total_gpu_milli(),
                                 pending.fair_share().since_charge(now), kind_of_pool_[placement.pool]);
  job.placement = std::move(placement);
  list_victim(job);
  if (job.request.is_resizable()) resizable_.insert(job.id);
  if (power.tracked()) add_power(job, +1);
}

/// Takes a running job off its nodes.
void State::stop(Job& job, Instant now) {
  GW_CHECK(job.running);
  const Shape& shape = job.request.shape;
  pools[job.placement.pool]->give(shape, job.placement);
  if (power.tracked()) {
    add_power(job, -1);
    if (job.clock < PowerTree::kFull) slowed.erase(job.id);
    job.clock = PowerTree::kFull;
  }
  running[job.placement.pool].erase(job.expected_end, job.id);
  allocated_milli_ -= shape.total_gpu_milli();
  --running_jobs_;
  if (pending.by_tenant())
    pending.fair_share().stopped(job.request.tenant, shape.total_gpu_milli(),
                                 pending.fair_share().since_charge(now), kind_of_pool_[job.placement.pool]);
  if (job.leaving) {
    victim_left(job.id);
  } else {
    count_preemptible(job, -1);
    unlist_victim(job);
    change_quota(job.request.tenant, quota_amount(job, job.placement.pool), false);
  }
  if (job.request.is_resizable()) resizable_.erase(job.id);
  job.leaving = false;
  job.running = job.finishes = false;
  job.placement = Placement{};
  changes.released = true;
  if (job.expected_end != now) {
    changes.irregular = true;
    ++releases;
  }
}

/// Its attempt is over, not the job.
void State::wait_again(Job& job, Instant now, Plan& plan) {
  stop(job, now);
  job.waits_since = now;
  if (comes_back(job)) return;
  if (job.request.is_elastic()) set_size(job, job.request.nodes_min);
  if (classes[job.shape_class].pools.empty()) {
    remove_never(job, plan);
  } else {
    line_up(job, now);
  }
}

void State::node_down(NodeId node, Instant now, Plan& plan) {
  const std::uint32_t pool_index = pool_of(node);
  Pool& pool = *pools[pool_index];
  const std::uint32_t local = pool.local_node(node);
  if (pool.is_down(local)) return;
  std::vector<JobId> hit;
  running[pool_index].for_each([&](const EndProfile::Entry& entry) {
    const std::vector<Piece>& pieces = jobs[entry.job].placement.pieces;
    const auto piece = std::partition_point(pieces.begin(), pieces.end(),
                                            [&](const Piece& p) { return p.node + p.count <= local; });
    if (piece != pieces.end() && piece->node <= local) hit.push_back(entry.job);
    return true;
  });
  std::sort(hit.begin(), hit.end());
  for (const JobId id : hit) {
    if (replace_node(jobs[id], local, now, plan)) continue;
    plan.interrupted.push_back(id);
    keep_rest(jobs[id], local, plan);
    wait_again(jobs[id], now, plan);
  }
  break_claim(pool_index, local);
  pool.set_down(local);
  if (power.tracked()) power.set_up(node.value(), false);
  ++node_changes;
  changes.released = changes.irregular = changes.nodes = true;
}

void State::apply(const Event& event, Instant now, Plan& plan) {
  switch (event.kind) {
    case EventKind::kTenantAdded:
      pending.add_tenant(event.parent, event.weight);
      windows.add_tenant(event.parent);
      quota.add_tenant(event.parent, event.weight);
      unused_quota.add_tenant(event.parent);
      return;
    case EventKind::kTenantQuota:
    case EventKind::kTenantBudget:
      apply_quota(event, now, plan);
      return;
    case EventKind::kWindowAdded:
    case EventKind::kWindowRemoved:
      change_windows(event);
      return;
    case EventKind::kJobSubmitted:
      submit(event, now, plan);
      return;
    case EventKind::kJobEnded:
    case EventKind::kJobCancelled: {
      Job& job = jobs[event.job];
      GW_CHECK(job.running || event.kind == EventKind::kJobCancelled);
      forget_interruption(job, plan);
      if (job.running) {
        if (prices.in_use() && event.kind == EventKind::kJobEnded)
          prices.note_run(now - job.started, job.request.limit);
        drop_resize(job.id);
        stop(job, now);
      } else if (job.claims) {
        drop_claim(job.id);
        changes.released = changes.irregular = true;
      } else if (job.is_put_off()) {
        take_from_put_off(job);
      } else {
        dequeue(job);
        changes.released = changes.irregular = true;  // Its reservation, if any, is gone.
      }
      classes.leave(job.shape_class);
      jobs.remove(event.job);
      return;
    }
    case EventKind::kJobRequeued:
      forget_interruption(jobs[event.job], plan);
      wait_again(jobs[event.job], now, plan);
      changes.released = changes.irregular = true;
      return;
    case EventKind::kJobResized:
      finish_resize(jobs[event.job], now);
      return;
    case EventKind::kNodeDown:
      node_down(event.node, now, plan);
      return;
    case EventKind::kNodeUp:
    case EventKind::kNodeClosed:
    case EventKind::kNodeReopened: {
      Pool& pool = *pools[pool_of(event.node)];
      const std::uint32_t local = pool.local_node(event.node);
      if (event.kind == EventKind::kNodeUp) {
        if (!pool.is_down(local)) return;
        pool.set_up(local);
        if (power.tracked()) power.set_up(event.node.value(), true);
      } else {
        if (pool.is_closed(local, Closure::kDrained) == (event.kind == EventKind::kNodeClosed)) return;
        set_structured();  // Running jobs' nodes matter from now on, their number does no more.
        if (event.kind == EventKind::kNodeClosed) break_claim(pool_of(event.node), local);
        event.kind == EventKind::kNodeClosed ? pool.close(local) : pool.reopen(local);
        if (power.tracked()) power.set_closed(event.node.value(), pool.is_closed_for_all(local));
      }
      ++node_changes;
      changes.released = changes.irregular = changes.nodes = true;
      return;
    }
    case EventKind::kTenantWeight:
      pending.fair_share().set_weight(event.tenant, event.weight);
      quota.set_weight(event.tenant, event.weight);
      changes.released = true;  // The order has changed: a pass looks at all.
      return;
    case EventKind::kFeedCap:
      feed_cap(event);
      return;
    case EventKind::kFeedPrice:
      feed_price(event, now);
      return;
    case EventKind::kJobZones:
      set_zones(event, plan);
      return;
  }
  GW_CHECK(false);
}

std::int64_t State::free_gpus() const {
  std::int64_t free = 0;
  for (const auto& pool : pools) free += pool->free_gpus();
  return free;
}

std::int64_t State::down_gpus() const {
  std::int64_t down = 0;
  for (const auto& pool : pools) down += pool->down_gpus();
  return down;
}

}  // namespace gw::sched
