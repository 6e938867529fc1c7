// Random fleets, shapes and workloads from a seed, for property tests of the core and of all that stands on
// it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "model/fleet.h"
#include "model/job.h"
#include "model/policy.h"
#include "sched/events.h"

namespace gw::sched::random_case {

/// Small fleets on purpose: exact fits, ties and full vertices are where placement goes wrong.
struct FleetWish {
  std::uint32_t most_nodes = 40;
  std::uint32_t most_types = 3;
  bool side_resources = true;  ///< Some node types track CPU and memory.
  bool one_gpu_nodes = true;   ///< Some node types have a single GPU.
};

inline Fleet random_fleet(Rng& rng, const FleetWish& wish = {}) {
  Fleet fleet;
  fleet.name = "random";
  for (const char* name : {"b200", "h100", "l40s"}) {
    GpuType type;
    type.name = name;
    fleet.gpu_types.push_back(type);
  }
  static constexpr std::uint32_t kGpus[] = {4, 8, 8, 16, 2, 64, 1, 1, 0};
  const auto types = static_cast<std::uint32_t>(rng.between(1, wish.most_types));
  for (std::uint32_t index = 0; index < types; ++index) {
    NodeType type;
    type.name = "type-" + std::to_string(index);
    do {
      type.gpus = kGpus[rng.below(std::size(kGpus))];
    } while ((type.gpus == 1 && !wish.one_gpu_nodes) || (index == 0 && type.gpus == 0));
    type.gpu_type = type.gpus == 0 ? NodeType::kNoGpu : static_cast<std::uint32_t>(rng.below(3));
    if (type.gpus > 0 && rng.chance(0.2)) type.gpu_type = NodeType::kNoGpu;  // Processors of no type.
    if (wish.side_resources && rng.chance(0.6)) type.cpu_milli = 1000 * rng.between(4, 128);
    if (wish.side_resources && rng.chance(0.6)) type.memory_mib = 1024 * rng.between(4, 512);
    fleet.node_types.push_back(type);
  }
  const auto nodes = static_cast<std::uint32_t>(rng.between(1, wish.most_nodes));
  std::uint16_t type = 0;
  for (std::uint32_t node = 0; node < nodes; ++node) {
    if (rng.chance(0.2)) type = static_cast<std::uint16_t>(rng.below(types));
    fleet.node_type_of.push_back(type);
  }
  Partition level{"nodes", {}};
  for (std::uint32_t node = 0; node <= nodes; ++node) level.first.push_back(node);
  static constexpr const char* kNames[] = {"nvlink", "leaf", "spine"};
  const auto levels = static_cast<std::uint32_t>(rng.below(4));
  for (std::uint32_t index = 0; index < levels; ++index) {
    Partition next{kNames[index], {0}};
    for (std::size_t at = 0; at + 1 < level.first.size();) {
      at = std::min(at + static_cast<std::size_t>(rng.between(1, 5)), level.first.size() - 1);
      next.first.push_back(level.first[at]);
    }
    fleet.fabric.push_back(next);
    level = next;
  }
  fleet.fabric.push_back(Partition{"site", {0, nodes}});
  return fleet;
}

struct ShapeWish {
  bool fractions = true;
  bool anywhere = true;
  bool without_gpus = true;
  bool side_resources = true;
  bool levels = true;  ///< Wishes for a fabric level, some of them required.
  bool gpu_types = true;
  bool groups = false;  ///< Gangs in blocks or spread.
};

/// A shape that makes sense, though not always one that `fleet` could hold.
inline Shape random_shape(Rng& rng, const Fleet& fleet, const ShapeWish& wish = {}) {
  Shape shape;
  const NodeType& type = fleet.node_types[fleet.node_type_of[rng.below(fleet.nodes())]];
  const std::uint32_t gpus = std::max(type.gpus, 1U);
  const auto size = [&](std::uint32_t most) {  // Small ones, all of it, and what lies between.
    if (rng.chance(0.15)) return most;
    return static_cast<std::uint32_t>(rng.between(1, rng.chance(0.5) ? std::min(most, 3U) : most));
  };
  const double form = rng.uniform();
  if (wish.fractions && form < 0.15) {
    shape.gpu_milli =
        static_cast<std::uint32_t>(rng.chance(0.5) ? 250 * rng.between(1, 3) : rng.between(1, 999));
  } else if (wish.anywhere && form < 0.35) {
    shape.nodes = 0;
    shape.gpus = size(static_cast<std::uint32_t>(std::max<std::uint64_t>(1, fleet.gpus())));
  } else if (wish.without_gpus && form < 0.42) {
    shape.nodes = size(std::min(fleet.nodes(), 4U));
  } else {
    shape.nodes = rng.chance(0.5) ? 1 : size(fleet.nodes());
    shape.gpus = size(gpus);
  }
  const auto side = [&](std::int64_t of_node) -> std::int64_t {
    if (of_node == 0 || rng.chance(0.4)) return 0;
    if (rng.chance(0.4)) return of_node * std::min(shape.gpus, gpus) / gpus;  // Its GPUs' share.
    return rng.between(1, of_node);
  };
  if (wish.side_resources) {
    shape.cpu_milli = side(type.cpu_milli);
    shape.memory_mib = side(type.memory_mib);
  }
  if (wish.levels && rng.chance(0.3)) {
    shape.level = static_cast<std::uint8_t>(rng.below(fleet.fabric.size()));
    shape.level_required = rng.chance(0.6);
  }
  if (wish.gpu_types && rng.chance(0.2)) shape.gpu_types = rng.between(1, 7);
  if (wish.groups && shape.nodes > 0 && shape.gpu_milli == 0 && rng.chance(0.7)) {
    const auto level =
        static_cast<std::uint8_t>(rng.below(std::max<std::size_t>(1, fleet.fabric.size() - 1)));
    if (rng.chance(0.5)) {
      shape.segment_nodes = static_cast<std::uint32_t>(rng.between(1, 4));
      shape.segment_level = level;
      shape.nodes = std::max(1U, shape.nodes / shape.segment_nodes) * shape.segment_nodes;
    } else {
      shape.spread_level = level;
      shape.spread_required = rng.chance(0.5);
    }
  }
  return shape;
}

/// A job as the driver below plays it.
struct Scripted {
  JobRequest request;
  Nanoseconds run_time;
  Nanoseconds cancelled_after = Nanoseconds::max();  ///< From its submission, while it waits or runs.
};

struct Outage {
  Instant from;
  Instant to;
  NodeId node;
};

struct Workload {
  std::vector<TenantId> parents;       ///< Of tenants 1, 2, ...
  std::vector<std::uint32_t> weights;  ///< Of the same.
  std::vector<Scripted> jobs;          ///< In order of submission.
  std::vector<Outage> outages;
  std::vector<Outage> drains;                                           ///< Closed from, reopened to.
  std::vector<std::tuple<Instant, TenantId, std::uint32_t>> reweighed;  ///< When, whom, new weight.
  std::vector<std::pair<Instant, JobId>> requeued;                      ///< If it runs then.
  std::vector<std::pair<Instant, Event>> orders;                        ///< Quotas, budgets.
  /// How long a job that is told to go takes: a share of the policy's grace, by job.
  std::vector<std::uint32_t> leaves_after_percent;
  std::vector<bool> in_place;  ///< By job: it changes its size without leaving.
};

struct WorkloadWish {
  ShapeWish shapes;
  std::uint32_t jobs = 80;
  bool outages = true;
  bool drains = true;  ///< Nodes close and reopen, weights change; only where there are outages.
  bool cancels = true;
  bool overruns = true;  ///< Some jobs run past their limits.
  bool exact = false;    ///< Every job runs exactly to its limit.
  std::int64_t mean_gap_s = 40;
  bool rules = false;    ///< Quotas, budgets and jobs that can be preempted.
  bool keeps = false;    ///< Gangs that go on with a spare node, and more outages.
  bool elastic = false;  ///< Gangs whose number of nodes may change.
};

inline QuotaTerms random_terms(Rng& rng, std::int64_t total_milli) {
  QuotaTerms terms;
  const auto some = [&] {
    return static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(total_milli) + 1));
  };
  if (rng.chance(0.7)) terms.guaranteed_milli = some() / 1000 * 1000;
  if (rng.chance(0.2)) terms.borrow_milli = some();
  if (rng.chance(0.3)) terms.lend_milli = some();
  if (rng.chance(0.3)) terms.limit_milli = some();
  return terms;
}

inline Workload random_workload(Rng& rng, const Fleet& fleet, const WorkloadWish& wish = {}) {
  Workload workload;
  const auto tenants = static_cast<std::uint32_t>(rng.between(1, 6));
  for (std::uint32_t tenant = 1; tenant <= tenants; ++tenant) {
    workload.parents.emplace_back(static_cast<std::uint32_t>(rng.below(tenant)));
    workload.weights.push_back(static_cast<std::uint32_t>(rng.between(1, 5)));
  }
  Instant now;
  for (std::uint32_t index = 0; index < wish.jobs; ++index) {
    if (!rng.chance(0.3)) now = now + seconds(rng.between(0, 2 * wish.mean_gap_s));
    Scripted job;
    job.request.shape = random_shape(rng, fleet, wish.shapes);
    job.request.tenant = TenantId{static_cast<std::uint32_t>(rng.between(1, tenants))};
    job.request.submit = now;
    job.run_time = seconds(rng.chance(0.1) ? 0 : rng.between(1, rng.chance(0.2) ? 4000 : 400));
    job.request.limit = std::max(seconds(1), job.run_time);
    if (!wish.exact && rng.chance(0.6)) job.request.limit += seconds(rng.between(0, 600));
    if (wish.overruns && rng.chance(0.1)) job.run_time = job.request.limit + seconds(rng.between(1, 100));
    if (wish.exact) job.run_time = job.request.limit;
    // Not in the instant of its submission: whether it has been rejected is known only after the plan.
    if (wish.cancels && rng.chance(0.1))
      job.cancelled_after = std::max(seconds(1), seconds(rng.between(0, 500)));
    if (rng.chance(0.3)) job.request.priority = static_cast<std::int32_t>(rng.between(-2, 2));
    workload.jobs.push_back(job);
  }
  if (wish.outages) {
    for (std::uint64_t count = rng.below(8); count > 0; --count) {
      const Instant from{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(now.count()) + 1))};
      workload.outages.push_back({from, from + seconds(rng.between(1, 1000)),
                                  NodeId{static_cast<std::uint32_t>(rng.below(fleet.nodes()))}});
    }
  }
  if (wish.outages && wish.drains) {  // Drawn last: what came before stays as it was without them.
    const auto some_time = [&] {
      return Instant{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(now.count()) + 1))};
    };
    for (std::uint64_t count = rng.below(8); count > 0; --count) {
      const Instant from = some_time();
      workload.drains.push_back({from, from + seconds(rng.between(1, 2000)),
                                 NodeId{static_cast<std::uint32_t>(rng.below(fleet.nodes()))}});
    }
    for (std::uint64_t count = rng.below(4); count > 0; --count)
      workload.reweighed.emplace_back(some_time(),
                                      TenantId{static_cast<std::uint32_t>(rng.between(1, tenants))},
                                      static_cast<std::uint32_t>(rng.between(1, 9)));
    for (std::uint64_t count = rng.below(6); count > 0; --count)
      workload.requeued.emplace_back(some_time(), JobId{static_cast<std::uint32_t>(rng.below(wish.jobs))});
  }
  if (wish.keeps) {
    for (Scripted& job : workload.jobs) job.request.keep_on_failure = rng.chance(0.7);
    for (std::uint64_t count = rng.below(60); count > 0; --count) {
      const Instant from{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(now.count()) + 1)) /
                         kNanosecondsPerSecond * kNanosecondsPerSecond};  // Some in one instant with others.
      workload.outages.push_back({from, from + seconds(rng.between(1, 300)),
                                  NodeId{static_cast<std::uint32_t>(rng.below(fleet.nodes()))}});
    }
  }
  if (wish.elastic) {
    for (Scripted& job : workload.jobs) {
      const Shape& shape = job.request.shape;
      if (shape.nodes == 0 || shape.gpu_milli != 0 || shape.is_grouped() || rng.chance(0.3)) continue;
      job.request.nodes_min = shape.nodes;
      job.request.nodes_max = shape.nodes + static_cast<std::uint32_t>(rng.between(0, 8));
      if (rng.chance(0.8)) job.request.checkpoint_interval = seconds(rng.between(10, 600));
      if (!rng.chance(0.5)) continue;  // Long ones: sizes change while they run.
      job.run_time = job.run_time + seconds(rng.between(0, 8000));
      job.request.limit = std::max(job.request.limit, job.run_time + seconds(rng.between(0, 600)));
    }
    for (std::size_t job = 0; job < workload.jobs.size(); ++job) workload.in_place.push_back(rng.chance(0.2));
  }
  if (!wish.rules) return workload;
  const auto some_time = [&] {
    return Instant{static_cast<std::int64_t>(rng.below(static_cast<std::uint64_t>(now.count()) + 1))};
  };
  const auto total = static_cast<std::int64_t>(fleet.gpus()) * 1000;
  for (std::uint32_t tenant = 1; tenant <= tenants; ++tenant) {
    for (std::uint64_t count = rng.below(3); count > 0; --count) {
      const auto types = static_cast<std::int64_t>(fleet.gpu_types.size());
      const auto resource =
          static_cast<QuotaResource>(types == 0 || rng.chance(0.6) ? 0 : rng.between(1, types));
      workload.orders.emplace_back(rng.chance(0.7) ? Instant{} : some_time(),
                                   Event::tenant_quota(TenantId{tenant}, resource, random_terms(rng, total)));
    }
    if (!rng.chance(0.3)) continue;
    const Instant spent = some_time();
    workload.orders.emplace_back(
        spent, Event::tenant_budget(TenantId{tenant},
                                    rng.chance(0.5) ? BudgetState::kStopNew : BudgetState::kStopAll));
    workload.orders.emplace_back(spent + seconds(rng.between(1, 2000)),
                                 Event::tenant_budget(TenantId{tenant}, BudgetState::kOpen));
  }
  std::stable_sort(workload.orders.begin(), workload.orders.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (Scripted& job : workload.jobs) {
    job.request.preemptible = rng.chance(0.6);
    if (rng.chance(0.5)) job.request.checkpoint_interval = seconds(rng.between(10, 600));
    workload.leaves_after_percent.push_back(static_cast<std::uint32_t>(rng.between(0, 110)));
  }
  return workload;
}

/// Plays a workload, one batch of events at a time, for any number of cores that are to decide alike.
class Driver {
 public:
  explicit Driver(const Workload& workload, Nanoseconds grace = PolicyConfig{}.grace)
      : workload_(workload), grace_(grace), jobs_(workload.jobs.size()) {
    for (std::uint32_t index = 0; index < workload.orders.size(); ++index)
      due_.insert({workload.orders[index].first, kOrder, index, 0});
    for (std::uint32_t job = 0; job < workload.jobs.size(); ++job)
      due_.insert({workload.jobs[job].request.submit, kSubmit, job, 0});
    for (std::uint32_t index = 0; index < workload.outages.size(); ++index) {
      due_.insert({workload.outages[index].from, kDown, workload.outages[index].node.value(), 0});
      due_.insert({workload.outages[index].to, kUp, workload.outages[index].node.value(), 0});
    }
    for (const Outage& drain : workload.drains) {
      due_.insert({drain.from, kClose, drain.node.value(), 0});
      due_.insert({drain.to, kReopen, drain.node.value(), 0});
    }
    for (const auto& [when, tenant, weight] : workload.reweighed)
      due_.insert({when, kReweigh, tenant.value(), weight});
    for (const auto& [when, job] : workload.requeued) due_.insert({when, kRequeue, job.value(), 0});
  }

  /// The next batch, all of one instant; empty at the end, and where the core's own time `wake` comes first.
  /// Its plan must be told through `planned`.
  std::vector<Event> next(Instant wake = Instant::max()) {
    std::vector<Event> events;
    if (due_.empty() && wake == Instant::max()) return events;
    now_ = due_.empty() ? wake : std::min(wake, std::get<0>(*due_.begin()));
    if (!tenants_told_) {
      for (std::size_t tenant = 0; tenant < workload_.parents.size(); ++tenant)
        events.push_back(Event::tenant_added(workload_.parents[tenant], workload_.weights[tenant]));
      tenants_told_ = true;
    }
    while (!due_.empty() && std::get<0>(*due_.begin()) == now_) {
      const auto [when, what, index, attempt] = *due_.begin();
      due_.erase(due_.begin());
      if (what == kDown) events.push_back(Event::node_down(NodeId{index}));
      if (what == kUp) events.push_back(Event::node_up(NodeId{index}));
      if (what == kClose) events.push_back(Event::node_closed(NodeId{index}));
      if (what == kReopen) events.push_back(Event::node_reopened(NodeId{index}));
      if (what == kReweigh) events.push_back(Event::tenant_weight(TenantId{index}, attempt));
      if (what == kOrder) events.push_back(workload_.orders[index].second);
      if (what == kOrder || what == kDown || what == kUp || what == kClose || what == kReopen ||
          what == kReweigh)
        continue;
      Played& job = jobs_[index];
      if (what == kLeave && job.running && job.attempt == attempt &&
          std::exchange(job.resizes_in_place, false)) {
        events.push_back(Event::job_resized(JobId{index}));
        continue;
      }
      if ((what == kRequeue && job.running) || (what == kLeave && job.running && job.attempt == attempt)) {
        events.push_back(Event::job_requeued(JobId{index}));
        job.running = false;
      }
      if (what == kEnd && job.running && job.attempt == attempt) {
        events.push_back(Event::job_ended(JobId{index}));
        leave(job);
      } else if (what == kCancel && job.here) {
        events.push_back(Event::job_cancelled(JobId{index}));
        leave(job);
      } else if (what == kSubmit) {
        job.here = true;
        events.push_back(Event::job_submitted(JobId{index}, workload_.jobs[index].request));
        const Nanoseconds patience = workload_.jobs[index].cancelled_after;
        if (patience != Nanoseconds::max()) due_.insert({now_ + patience, kCancel, index, 0});
      }
    }
    return events;
  }
  [[nodiscard]] Instant now() const { return now_; }
  /// An empty batch is the end only here: stale ends may leave an instant without events.
  [[nodiscard]] bool done() const { return due_.empty(); }

  void planned(const Plan& plan) {
    for (const JobId job : plan.interrupted) jobs_[job.value()].running = false;
    for (const JobId job : plan.stopped) jobs_[job.value()].running = false;
    for (const Plan::Rejection& rejection : plan.rejections) leave(jobs_[rejection.job.value()]);
    for (const Plan::Preemption& preemption : plan.preemptions) {
      const std::uint32_t job = preemption.job.value();
      const std::int64_t percent =
          workload_.leaves_after_percent.empty() ? 100 : workload_.leaves_after_percent[job];
      due_.insert({now_ + grace_ / 100 * percent, kLeave, job, jobs_[job].attempt});
    }
    for (const Plan::Resize& resize : plan.resizes) {
      const std::uint32_t job = resize.job.value();
      jobs_[job].resizes_in_place =
          jobs_[job].running && job < workload_.in_place.size() && workload_.in_place[job];
    }
    for (const Plan::Start& start : plan.starts) {
      Played& job = jobs_[start.job.value()];
      job.running = true;
      if (job.first_start == Instant::max()) job.first_start = now_;
      due_.insert(
          {now_ + workload_.jobs[start.job.value()].run_time, kEnd, start.job.value(), ++job.attempt});
    }
  }
  [[nodiscard]] bool waits(JobId job) const { return jobs_[job.value()].here && !jobs_[job.value()].running; }
  /// Instant::max() while it never has.
  [[nodiscard]] Instant first_start(JobId job) const { return jobs_[job.value()].first_start; }
  [[nodiscard]] bool runs(JobId job) const { return jobs_[job.value()].running; }
  [[nodiscard]] bool is_here(JobId job) const { return jobs_[job.value()].here; }

 private:
  enum What : std::uint8_t {
    kOrder,
    kEnd,
    kCancel,
    kLeave,
    kRequeue,
    kDown,
    kUp,
    kClose,
    kReopen,
    kReweigh,
    kSubmit
  };
  struct Played {
    bool here = false;
    bool running = false;
    bool resizes_in_place = false;
    std::uint32_t attempt = 0;
    Instant first_start = Instant::max();
  };
  static void leave(Played& job) { job.here = job.running = false; }

  const Workload& workload_;
  Nanoseconds grace_;
  std::vector<Played> jobs_;
  std::set<std::tuple<Instant, What, std::uint32_t, std::uint32_t>> due_;
  Instant now_;
  bool tenants_told_ = false;
};

}  // namespace gw::sched::random_case
