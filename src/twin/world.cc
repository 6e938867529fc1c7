// Ends and arrivals in order of time, a pass after each, and the integrals between them.
#include "twin/world.h"

#include <algorithm>
#include <functional>
#include <map>
#include <utility>

#include "base/check.h"
#include "base/id_table.h"

namespace gw::twin {
namespace {

constexpr double kNsPerSecond = 1e9;

/// What a job that runs adds to the power of its nodes at rest, in watts.
double watts_of(const Fleet& fleet, const sched::State& state, const sched::Job& job) {
  const NodeType& type = fleet.type_of(state.fleet_node(job.placement, job.placement.pieces.front().node));
  const Shape& shape = job.request.shape;
  const double span = static_cast<double>((type.power_max - type.power_idle).count()) / 1000;
  if (span <= 0) return 0;
  if (shape.total_gpu_milli() > 0 && type.gpus > 0)
    return span * static_cast<double>(shape.total_gpu_milli()) / (1000.0 * type.gpus);
  const double nodes = std::max<double>(1, shape.nodes);
  if (type.cpu_milli > 0 && shape.cpu_milli > 0)
    return span * nodes * static_cast<double>(shape.cpu_milli) / static_cast<double>(type.cpu_milli);
  return 0;
}

class World {
 public:
  World(std::unique_ptr<sched::Core> core, const Fleet& fleet, const WorldTask& task, const Rng& rng)
      : core_(std::move(core)), fleet_(fleet), task_(task), rng_(rng), now_(task.now) {
    GW_CHECK(core_->now() <= task.now && task.bin > Nanoseconds{0} && task.end > task.now);
    const std::int64_t bins = ((task.end - task.now).count() + task.bin.count() - 1) / task.bin.count();
    run_.gpus.assign(static_cast<std::size_t>(bins), 0);
    run_.watts.assign(static_cast<std::size_t>(bins), 0);
    run_.starts.assign(task.waiting.size(), WorldRun::kNotStarted);
    run_.new_starts.assign(task.arrivals.size(), WorldRun::kNotStarted);
    run_.feeds.resize(task.feeds.size());
    const sched::State& state = core_->state();
    first_new_ = state.next_job;
    plans_all_ = state.policy.backfill == BackfillKind::kConservative;
    for (const auto& pool : state.pools) {
      for (std::uint32_t node = 0; node < pool->nodes(); ++node) {
        if (pool->is_down(node)) continue;
        run_.gpus_up += pool->gpus_per_node();
        watts_ += static_cast<double>(fleet.type_of(pool->fleet_node(node)).power_idle.count()) / 1000;
      }
    }
    state.jobs.for_each([&](const sched::Job& job) {
      if (!job.running) return;
      push_end(job, job.started);
      if (job.leaving) push_leave(job.id, job.expected_end);
    });
    constexpr std::uint64_t kJobsPerEvent = 6;  // As a ForecastMember counts the taking over of a job.
    run_.events = state.jobs.size() / kJobsPerEvent;
  }

  WorldRun run(std::uint64_t most_events) {
    pass();
    while (run_.events < most_events && !(task_.cancelled && task_.cancelled())) {
      const Instant due = next_due();
      advance(std::min(due, task_.end));
      if (due >= task_.end) break;
      const std::uint64_t before = run_.events;
      for (; !ends_.empty() && ends_.front().when == due; pop_end()) {
        const Running* running = running_.find(ends_.front().job);
        if (running == nullptr || running->attempt != ends_.front().attempt) continue;  // It was stopped.
        const bool leaves = ends_.front().leaves;
        if (leaves) keep_work(*core_->job(ends_.front().job));
        core_->apply(leaves ? sched::Event::job_requeued(ends_.front().job)
                            : sched::Event::job_ended(ends_.front().job),
                     now_);
        forget(ends_.front().job);
        ++(leaves ? run_.interrupted : run_.ended);
        ++run_.events;
      }
      for (; next_fact_ < task_.facts.size() && task_.facts[next_fact_].when <= due; ++next_fact_) {
        core_->apply(task_.facts[next_fact_].event, now_);
        ++run_.events;
      }
      for (; next_ < task_.arrivals.size() && task_.arrivals[next_].when <= due; ++next_) {
        JobRequest request = task_.arrivals[next_].request;
        core_->apply(sched::Event::job_submitted(JobId{core_->state().next_job}, request), now_);
        ++run_.events;
      }
      if (run_.events == before) ++run_.events;  // The core wished to be asked.
      pass();
    }
    run_.until = now_;
    run_.waiting_at_end = core_->state().pending.size();
    run_.running_at_end = running_.size();
    finish();
    return std::move(run_);
  }

 private:
  struct End {
    Instant when;
    JobId job;
    std::uint32_t attempt = 0;
    bool leaves = false;  ///< It was told to go, and waits again.
    auto operator<=>(const End&) const = default;
  };
  struct Running {
    JobId id;
    std::uint32_t attempt = 0;
    double watts = 0;       ///< At its clocks.
    double full_watts = 0;  ///< At free clocks.
    std::uint32_t speed = 1000;
    Instant started;
    Instant end;
  };

  [[nodiscard]] Instant next_due() const {
    Instant due = ends_.empty() ? Instant::max() : ends_.front().when;
    if (next_ < task_.arrivals.size()) due = std::min(due, std::max(task_.arrivals[next_].when, now_));
    if (next_fact_ < task_.facts.size()) due = std::min(due, std::max(task_.facts[next_fact_].when, now_));
    // The core's own time counts as long as something waits that it could start.
    if (core_->state().pending.size() > 0 || !core_->state().prices.put_off.empty() ||
        !core_->state().resizable().empty())
      due = std::min(due, std::max(core_->next_due(), now_));
    return due;
  }

  /// As a forecast has it: what keeps no checkpoints has nothing to save.
  [[nodiscard]] Nanoseconds grace_of(const sched::Job& job) const {
    constexpr Nanoseconds kCheckpointWrite = seconds(30);
    const bool saves = job.request.checkpoint_interval > Nanoseconds{0};
    return saves ? std::min(core_->state().policy.grace, kCheckpointWrite) : Nanoseconds{0};
  }

  void keep_work(const sched::Job& job) {
    if (job.request.checkpoint_interval > Nanoseconds{0})
      saved_[job.id] += work_in(job.request, now_ - job.started);
  }

  void push_leave(JobId job, Instant when) {
    ends_.push_back({std::max(when, now_), job, running_[job].attempt, true});
    std::push_heap(ends_.begin(), ends_.end(), std::greater<>());
  }

  void pop_end() {
    std::pop_heap(ends_.begin(), ends_.end(), std::greater<>());
    ends_.pop_back();
  }

  void forget(JobId job) {
    watts_ -= running_[job].watts;
    running_.remove(job);
  }

  void pass() {
    constexpr std::uint64_t kPlannedPerEvent = 40;
    if (plans_all_) run_.events += core_->state().jobs.size() / kPlannedPerEvent;
    const sched::Plan& plan = core_->plan(now_);
    for (const JobId job : plan.interrupted) {
      if (running_.find(job) == nullptr) continue;
      forget(job);
      ++run_.interrupted;
    }
    for (const JobId job : plan.stopped) {
      const Running* running = running_.find(job);
      if (running == nullptr) continue;
      const sched::Job* of = core_->job(job);
      if (of != nullptr && of->request.checkpoint_interval > Nanoseconds{0}) {
        const std::int64_t interval = of->request.checkpoint_interval.count();
        saved_[job] += Nanoseconds{(now_ - running->started).count() / interval * interval};
      }
      forget(job);
      ++run_.interrupted;
      ++run_.stopped;
    }
    run_.rejected += plan.rejections.size();
    for (const sched::Plan::Preemption& preemption : plan.preemptions)
      push_leave(preemption.job, now_ + grace_of(*core_->job(preemption.job)));
    for (const sched::Plan::Start& start : plan.starts) {
      ++run_.events;
      ++run_.started;
      Instant* first = first_start_of(start.job);
      if (first != nullptr && *first == WorldRun::kNotStarted) *first = now_;
      push_end(*core_->job(start.job), now_);
    }
    for (const sched::Plan::Clock& clock : plan.clocks) {
      const sched::Job* job = core_->job(clock.job);
      if (job != nullptr && job->running && running_.find(clock.job) != nullptr) change_clock(*job);
    }
    run_.peak_watts = std::max(run_.peak_watts, watts_);
  }

  void change_clock(const sched::Job& job) {
    Running& running = running_[job.id];
    const std::uint32_t speed = core_->state().speed_of(job);
    watts_ -= running.watts;
    running.watts = running.full_watts * job.clock / 1000;
    watts_ += running.watts;
    const std::uint32_t before = std::exchange(running.speed, speed);
    if (speed == before || job.leaving) return;
    running.end = later_by(running.end, before, speed);
    running.attempt = ++attempts_;
    push_end(running);
  }

  /// What is left until `end` goes at another speed.
  [[nodiscard]] Instant later_by(Instant end, std::uint32_t before, std::uint32_t speed) const {
    const double left = static_cast<double>(std::max(end - now_, Nanoseconds{0}).count()) * before / speed;
    return now_ + Nanoseconds{static_cast<std::int64_t>(std::min(left, 4e18))};
  }

  void push_end(const Running& running) {
    ends_.push_back({running.end, running.id, running.attempt});
    std::push_heap(ends_.begin(), ends_.end(), std::greater<>());
  }

  /// Null of a job that ran at the beginning.
  Instant* first_start_of(JobId job) {
    if (job.value() >= first_new_) return &run_.new_starts.at(job.value() - first_new_);
    const auto at = std::lower_bound(task_.waiting.begin(), task_.waiting.end(), job);
    if (at == task_.waiting.end() || *at != job) return nullptr;
    return &run_.starts[static_cast<std::size_t>(at - task_.waiting.begin())];
  }

  void push_end(const sched::Job& job, Instant started) {
    Running& running = running_.add(job.id);
    running.attempt = ++attempts_;
    running.started = started;
    running.full_watts = watts_of(fleet_, core_->state(), job);
    running.watts = running.full_watts * job.clock / 1000;
    running.speed = core_->state().speed_of(job);
    watts_ += running.watts;
    const double uniform = rng_.split(job.id.value()).uniform();
    const Nanoseconds elapsed = std::max(now_ - started, Nanoseconds{0});
    Nanoseconds run_time =
        task_.run_times.draw(job.request.tenant, job.request.limit, work_in(job.request, elapsed), uniform);
    if (const auto saved = saved_.find(job.id); saved != saved_.end())
      run_time = std::max(run_time - saved->second, seconds(1));
    running.end = std::max(started + span_of(job.request, run_time), now_);
    if (running.speed < 1000) running.end = later_by(running.end, 1000, running.speed);
    push_end(running);
  }

  /// What is so now holds until `to`.
  void advance(Instant to) {
    const double gpus = static_cast<double>(core_->state().allocated_milli()) / 1000;
    while (now_ < to) {
      const auto bin = static_cast<std::size_t>((now_ - task_.now).count() / task_.bin.count());
      const Instant bin_end = task_.now + task_.bin * static_cast<std::int64_t>(bin + 1);
      const Instant until = std::min(to, bin_end);
      const double seconds = static_cast<double>((until - now_).count()) / kNsPerSecond;
      run_.gpus[bin] += gpus * seconds;
      run_.watts[bin] += watts_ * seconds;
      for (std::size_t index = 0; index < run_.feeds.size(); ++index) {
        const sched::PowerTree& power = core_->state().power;
        const double draw = static_cast<double>(power.draw(task_.feeds[index]).count()) / 1000;
        const double cap = static_cast<double>(power.cap(task_.feeds[index]).count()) / 1000;
        FeedRun& feed = run_.feeds[index];
        feed.mean += draw * seconds;
        if (seconds > 0) feed.peak = std::max(feed.peak, draw);
        if (cap > 0 && seconds > 0)
          feed.lowest_cap = feed.lowest_cap == 0 ? cap : std::min(feed.lowest_cap, cap);
        if (cap > 0 && draw > cap) feed.above_s += seconds;
      }
      now_ = until;
    }
  }

  /// Sums over time become means.
  void finish() {
    const double whole = std::max(1e-9, static_cast<double>((run_.until - task_.now).count()) / kNsPerSecond);
    for (FeedRun& feed : run_.feeds) feed.mean /= whole;
    for (std::size_t bin = 0; bin < run_.gpus.size(); ++bin) {
      run_.joules += run_.watts[bin];
      const Instant from = task_.now + task_.bin * static_cast<std::int64_t>(bin);
      const Nanoseconds span = std::min(task_.bin, std::max(run_.until - from, Nanoseconds{0}));
      const double seconds = static_cast<double>(span.count()) / kNsPerSecond;
      run_.gpus[bin] = seconds > 0 ? run_.gpus[bin] / seconds : 0;
      run_.watts[bin] = seconds > 0 ? run_.watts[bin] / seconds : 0;
    }
  }

  std::unique_ptr<sched::Core> core_;
  const Fleet& fleet_;
  const WorldTask& task_;
  const Rng& rng_;
  Instant now_;
  std::uint32_t first_new_ = 0;  ///< The id of the first arrival.
  std::size_t next_ = 0;         ///< The next arrival.
  std::size_t next_fact_ = 0;
  bool plans_all_ = false;
  std::uint32_t attempts_ = 0;
  double watts_ = 0;
  std::vector<End> ends_;  ///< A heap, earliest first; of jobs that were stopped meanwhile too.
  IdTable<Running> running_;
  std::map<JobId, Nanoseconds> saved_;  ///< What preempted jobs have done and kept.
  WorldRun run_;
};

}  // namespace

WorldRun run_world(std::unique_ptr<sched::Core> core, const Fleet& fleet, const WorldTask& task,
                   const Rng& rng, std::uint64_t most_events) {
  return World(std::move(core), fleet, task, rng).run(most_events);
}

}  // namespace gw::twin
