// The core's frame around state and pass.
#include "sched/core.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace gw::sched {
std::unique_ptr<Pass> make_pass(const State& state) {
  if (state.policy.backfill == BackfillKind::kConservative) return make_conservative_pass(state.policy);
  return state.uniform ? make_count_pass(state.policy) : make_node_pass(state.policy);
}

Core::Core(const Fleet& fleet, const PolicyConfig& policy)
    : state_(fleet, policy), pass_(make_pass(state_)) {}

Core::Core(const Core& other)
    : state_(other.state_),
      pass_(other.pass_->copy(state_)),
      plan_(other.plan_),
      building_(other.building_),
      now_(other.now_),
      planned_(other.planned_) {}

Core& Core::operator=(const Core& other) {
  if (this == &other) return *this;
  state_ = other.state_;
  pass_ = other.pass_->copy(state_);
  plan_ = other.plan_;
  building_ = other.building_;
  now_ = other.now_;
  planned_ = other.planned_;
  return *this;
}

void Core::apply(const Event& event, Instant now) {
  GW_CHECK(now >= now_);
  now_ = now;
  if (state_.power.tracked()) {
    if (planned_) state_.power.forget_touched();
    planned_ = false;
  }
  // Before anything changes: what has run until now is charged to those who ran it.
  if (state_.pending.by_tenant()) state_.pending.fair_share().advance(now);
  // A reservation made before quotas were counted takes no part of them.
  if ((event.kind == EventKind::kTenantQuota || event.kind == EventKind::kTenantBudget) &&
      !state_.quota.in_use())
    pass_->reset(state_);
  const bool counted = state_.uniform;
  const bool limited = state_.power.tracked() && state_.power.limited();
  state_.apply(event, now, building_);
  // Nor does one made while no cap could bind hold the power that its job will draw.
  if (state_.power.tracked() && state_.power.limited() != limited) pass_->reset(state_);
  if (state_.uniform != counted) pass_ = make_pass(state_);  // Its memory is of counts, which no longer hold.
}

const Plan& Core::plan(Instant now) {
  GW_CHECK(now >= now_);
  now_ = now;
  if (state_.wake <= now) state_.wake = Instant::max();
  if (state_.thorough) state_.classes.forget_hopeless();
  state_.call_in_due(now);
  state_.refresh_windows(now, &building_);
  if (state_.power.tracked() && planned_) state_.power.forget_touched();
  planned_ = true;
  state_.balance_power(now, building_);
  pass_->run(state_, now, building_);
  // What has started may draw less than the most it could: then nodes are lit, and more may start.
  while (state_.balance_power(now, building_)) pass_->run(state_, now, building_);
  state_.grow_elastic(now, building_);
  state_.retire_windows(now);
  if (!state_.prices.put_off.empty()) state_.wake_at(state_.prices.put_off.begin()->first);
  finish_plan();
  return plan_;
}

std::string Core::adopt(const Plan& decided, Instant now) {
  GW_CHECK(now >= now_);
  now_ = now;
  pass_->reset(state_);
  std::string problem;
  for (const JobId id : decided.stopped) {
    Job* job = state_.jobs.find(id);
    if (job == nullptr || !job->running) {
      problem = fmt::format("job {} cannot be stopped", id.value());
      break;
    }
    state_.stop_for_power(*job, now, building_);
  }
  for (const Plan::Clock& clock : decided.clocks) {
    Job* job = state_.jobs.find(clock.job);
    if (!problem.empty()) break;
    if (job == nullptr || !job->running || !state_.power.tracked()) {
      problem = fmt::format("the clocks of job {} cannot be capped", clock.job.value());
      break;
    }
    state_.change_clock(*job, clock.permille, now);
    building_.clocks.push_back(clock);
  }
  for (const Plan::Start& start : decided.starts) {
    if (!problem.empty()) break;
    Job* job = state_.jobs.find(start.job);
    if (job != nullptr) state_.call_in(*job);
    if (job != nullptr && job->running && job->placement == start.placement &&
        std::any_of(building_.starts.begin(), building_.starts.end(),
                    [&](const Plan::Start& known) { return known.job == start.job; }))
      continue;  // It has a spare node, and says so already.
    Shape shape = job != nullptr ? job->request.shape : Shape{};
    if (job != nullptr && job->request.is_elastic())
      shape.nodes = std::clamp(node_count(start.placement), job->request.nodes_min, job->request.nodes_max);
    if (job == nullptr || !job->waits || start.placement.pool >= state_.pools.size() ||
        !allowed_zone(shape, state_.pools[start.placement.pool]->zone()) ||
        !state_.pools[start.placement.pool]->is_free(shape, start.placement, Closure::kWindow)) {
      problem = fmt::format("job {} cannot start where it was started", start.job.value());
      break;
    }
    state_.start(*job, start.placement, now, building_);
  }
  for (const Plan::Preemption& preemption : decided.preemptions) {
    if (!problem.empty()) break;
    const Job* job = state_.jobs.find(preemption.job);
    if (job == nullptr || !job->running || job->leaving) {
      problem = fmt::format("job {} cannot be preempted where it was", preemption.job.value());
      break;
    }
    state_.tell_to_leave(preemption.job, preemption.for_job, now, building_);
  }
  if (state_.power.tracked()) state_.darken();
  if (!state_.prices.put_off.empty()) state_.wake_at(state_.prices.put_off.begin()->first);
  finish_plan();
  state_.changes.released = state_.changes.irregular = true;  // The next pass looks at everything.
  return problem;
}

void Core::finish_plan() {
  state_.refresh_quota(now_);  // For reasons, which are asked for until the next plan.
  const bool fresh = state_.next_job > 0 && (!state_.changes.last_seen.valid() ||
                                             state_.changes.last_seen.value() + 1 < state_.next_job);
  if (fresh) {
    // Every newcomer that waits gets a recorded reason from its first pass on.
    const std::uint32_t from = state_.changes.last_seen.valid() ? state_.changes.last_seen.value() + 1 : 0;
    for (std::uint32_t id = from; id < state_.next_job; ++id) {
      Job* job = state_.jobs.find(JobId{id});
      if (job != nullptr && !job->running)
        job->reason = job->is_put_off() ? Reason::kCheaperLater : pass_->reason(state_, *job);
    }
    state_.changes.last_seen = JobId{state_.next_job - 1};
  }
  state_.changes.released = state_.changes.irregular = state_.changes.nodes = state_.changes.windows = false;
  std::swap(plan_, building_);
  building_.clear();
}

Reason Core::binding_reason(JobId id) const {
  const Job* job = state_.jobs.find(id);
  if (job == nullptr || job->running) return Reason::kNone;
  if (job->is_put_off()) return Reason::kCheaperLater;
  return pass_->reason(state_, *job);
}

std::int64_t Core::unusable_for_head() const {
  const JobId first = state_.pending.first();
  if (!first.valid()) return 0;
  const Shape& shape = state_.jobs[first].request.shape;
  std::int64_t unusable = 0;
  for (const auto& pool : state_.pools) {
    const std::int64_t free = pool->free_gpus();
    const bool matches = allowed_zone(shape, pool->zone()) &&
                         (shape.gpu_types == 0 || (pool->gpu_type() != NodeType::kNoGpu &&
                                                   ((shape.gpu_types >> pool->gpu_type()) & 1U) != 0));
    if (!matches || (shape.nodes > 0 && shape.gpus > pool->gpus_per_node())) {
      unusable += free;
    } else if (shape.nodes > 0 && shape.gpus > 0) {
      unusable += free;  // But for those on nodes that have enough of them.
      for (const View view : {View::kOpen, View::kHeld}) {
        const CapacityIndex& index = pool->index(view);
        unusable -= index.total(shape.gpus) * shape.gpus;
        for (std::uint32_t more = shape.gpus + 1; more <= pool->gpus_per_node(); ++more)
          unusable -= index.total(more);
      }
    }
  }
  return unusable;
}

std::string Core::check() const {
  for (const auto& pool : state_.pools) {
    std::string problem = pool->check();
    if (!problem.empty()) return problem;
  }
  std::int64_t allocated = 0;
  std::size_t running = 0;
  bool lawful = true;
  state_.jobs.for_each([&](const Job& job) {
    if (job.claims)
      lawful = lawful &&
               allowed_zone(job.request.shape, state_.pools[state_.claims.at(job.id).placement.pool]->zone());
    if (!job.running) return;
    lawful = lawful && allowed_zone(job.request.shape, state_.zone_of(job)) != job.finishes;
    ++running;
    allocated += job.request.shape.total_gpu_milli();
  });
  if (!lawful) return "a job runs in a zone where it may not";
  if (running != state_.running_jobs() || allocated != state_.allocated_milli())
    return "running jobs are miscounted";
  if (std::string elastic = state_.check_elastic(); !elastic.empty()) return elastic;
  std::int64_t total = 0;
  std::int64_t free = 0;
  for (const auto& pool : state_.pools) {
    total += std::int64_t{pool->nodes()} * pool->gpus_per_node() * 1000;
    free += (pool->free_gpus() + pool->down_gpus() + pool->dark_gpus()) * 1000 + pool->partial_free_milli();
  }
  std::string power = state_.check_power();
  if (!power.empty()) return power;
  if (free + allocated != total) return "free + used + lost GPUs are not the total";
  if (state_.pending.size() + running + state_.claims.size() + state_.prices.put_off.size() !=
      state_.jobs.size())
    return "a job neither waits, claims, runs nor is put off";
  if (std::string problem = state_.check_put_off(); !problem.empty()) return problem;
  if (std::string problem = state_.check_quota(); !problem.empty()) return problem;
  if (std::string problem = check_windows(); !problem.empty()) return problem;
  if (std::string problem = state_.check_victims(); !problem.empty()) return problem;
  return check_claims();
}

/// Nodes are kept back by windows, and by windows only, where the calendar says so; nobody runs into the time
/// of another who has not been told to go or cannot be.
std::string Core::check_windows() const {
  for (std::uint32_t index = 0; index < state_.pools.size(); ++index) {
    const Pool& pool = *state_.pools[index];
    for (std::uint32_t node = 0; node < pool.nodes(); ++node) {
      const std::uint32_t group = state_.windows.group_of(index, node);
      const bool closed = group != Windows::kNoGroup && state_.windows.groups()[group].closed;
      if (closed != pool.is_closed(node, Closure::kWindow))
        return fmt::format("node {} of pool {} is kept back by a window, or is not, against the calendar",
                           node, index);
    }
  }
  return {};
}

bool Core::may_add_window(WindowId id, const WindowTerms& terms) const {
  if (!id.valid() || state_.windows.find(id) != nullptr || !window_problem(terms, state_.nodes()).empty())
    return false;
  if (terms.tenant.valid() && terms.tenant.value() >= state_.pending.tenants()) return false;
  return !state_.conflicting_window(terms).valid();
}

/// Every claim has nodes that nobody else can take and waits for jobs that run and are leaving.
std::string Core::check_claims() const {
  for (const auto& [id, claim] : state_.claims) {
    const Job* job = state_.jobs.find(id);
    if (job == nullptr || !job->claims || job->waits || job->running)
      return fmt::format("job {} has a claim that it cannot have", id.value());
    for (const JobId victim : claim.victims) {
      const Job* leaving = state_.jobs.find(victim);
      if (leaving == nullptr || !leaving->running || !leaving->leaving)
        return fmt::format("job {} waits for {} to leave, which is not there", id.value(), victim.value());
    }
    const Pool& pool = *state_.pools[claim.placement.pool];
    for (const Piece& piece : claim.placement.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        if (!pool.is_closed(node, Closure::kClaimed))
          return fmt::format("a node that job {} claims is open", id.value());
      }
    }
    if (claim.victims.empty() && !pool.is_free(job->request.shape, claim.placement, Closure::kClaimed))
      return fmt::format("the place that job {} claims is taken", id.value());
  }
  return {};
}

}  // namespace gw::sched
