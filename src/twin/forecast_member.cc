// A twin without failures that begins in the middle.
#include "twin/forecast_member.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/check.h"

namespace gw::twin {
namespace {

class Future {
 public:
  Future(sched::Core& core, const ForecastTask& task, const Rng& rng)
      : core_(core), task_(task), rng_(rng), left_(task.asked.size()), now_(task.now) {
    asked_.assign(task.jobs.size(), false);
    for (const std::uint32_t job : task.asked) asked_[job] = true;
    member_.starts.starts.assign(task.jobs.size(), Instant::max());
    std::size_t running = 0;
    core_.state().jobs.for_each([&](const sched::Job& job) {
      if (!job.running) return;
      const bool known = running < task_.running_kinds.size();
      push_end(job, job.started,
               known ? task_.running_kinds[running++] : task_.run_times.index_of(kind_of(job.request)));
      if (job.leaving) push({job.expected_end, job.id, job.started, true});
    });
    present_ = core_.state().next_job;
    present_running_ = ends_.size();
    if (task.arrivals != nullptr) {
      arrivals_.emplace(*task.arrivals, task.now, rng.split("arrivals"));
      next_arrival_ = arrivals_->next();
    }
    constexpr std::uint64_t kJobsPerEvent =
        6;  // What taking over a job costs, against simulating an event of it.
    member_.events = core_.state().jobs.size() / kJobsPerEvent;
  }

  ForecastMember run(std::uint64_t most_events) {
    if (left_ > 0 && !goes_on()) pass();  // Nothing will happen that could start one later.
    while (left_ > 0 && goes_on() && member_.events < most_events) {
      if (present_running_ == 0) next_arrival_.reset();
      // The core may have asked to be woken.
      Instant due = core_.next_due();
      if (!ends_.empty()) due = std::min(due, ends_.front().when);
      if (next_fact_ < task_.facts.size()) due = std::min(due, task_.facts[next_fact_].when);
      due = std::max(now_, due);
      if (next_arrival_) due = std::min(due, next_arrival_->when);
      if (due > task_.horizon) {
        now_ = task_.horizon;
        break;
      }
      now_ = due;
      const std::uint64_t before = member_.events;
      for (; !ends_.empty() && ends_.front().when <= due; ++member_.events) {
        const End end = ends_.front();
        std::pop_heap(ends_.begin(), ends_.end(), std::greater<>());
        ends_.pop_back();
        const sched::Job* job = core_.job(end.job);
        if (job == nullptr || !job->running || job->started != end.started) continue;  // It has left before.
        const auto moved = end.leaves ? moved_.end() : moved_.find(end.job);
        if (moved != moved_.end() && moved->second != end.when) continue;  // It goes slower since, or faster.
        moved_.erase(end.job);
        if (end.job.value() < present_) --present_running_;
        if (end.leaves) {
          leave(*job);
        } else {
          core_.apply(sched::Event::job_ended(end.job), now_);
        }
      }
      for (; next_fact_ < task_.facts.size() && task_.facts[next_fact_].when <= due; ++next_fact_)
        core_.apply(task_.facts[next_fact_].event, now_), ++member_.events;
      for (; next_arrival_ && next_arrival_->when == due; ++member_.events) submit();
      pass();
      if (member_.events == before) ++member_.events;  // The core alone wanted it.
    }
    member_.starts.until = now_;
    member_.starts.stuck = is_stuck();
    return std::move(member_);
  }

 private:
  struct End {
    Instant when;
    JobId job;
    Instant started;      ///< The attempt that ends.
    bool leaves = false;  ///< It is preempted, and waits again.
    auto operator<=>(const End&) const = default;
  };

  /// Will something happen that could start a job?
  [[nodiscard]] bool goes_on() const { return will_change() || window_ahead(); }

  [[nodiscard]] bool will_change() const {
    return !ends_.empty() || next_fact_ < task_.facts.size() || !core_.state().prices.put_off.empty();
  }

  /// Is there a time of a window that begins or ends later?
  [[nodiscard]] bool window_ahead() const {
    const sched::Windows& windows = core_.state().windows;
    if (!windows.in_use() || core_.next_due() == Instant::max()) return false;
    return std::any_of(windows.all().begin(), windows.all().end(),
                       [&](const auto& window) { return sched::Windows::last_end(window.second) > now_; });
  }

  /// Nothing will ever start one that is asked for. Windows that come again and again do not count, unless
  /// such a job waits for one.
  [[nodiscard]] bool is_stuck() const {
    if (left_ == 0 || will_change()) return false;
    if (!window_ahead()) return true;
    for (const std::uint32_t asked : task_.asked) {
      const sched::Job* job = core_.job(task_.jobs[asked]);
      if (job != nullptr && job->waits && job->request.window.valid()) return false;
    }
    return true;
  }

  /// Those whose clocks are others end at another time.
  void move_ends(const std::vector<sched::Plan::Clock>& clocks) {
    std::map<JobId, End> ends;
    for (const End& end : ends_) {
      const auto moved = moved_.find(end.job);
      if (!end.leaves && (moved == moved_.end() || moved->second == end.when)) ends[end.job] = end;
    }
    for (const sched::Plan::Clock& clock : clocks) {
      const sched::Job* job = core_.job(clock.job);
      const auto at = ends.find(clock.job);
      if (job == nullptr || !job->running || at == ends.end() || at->second.started != job->started) continue;
      End end = at->second;
      const std::uint32_t before =
          std::exchange(speeds_.try_emplace(clock.job, 1000U).first->second, core_.state().speed_of(*job));
      const auto left = static_cast<double>(std::max(end.when - now_, Nanoseconds{0}).count());
      end.when = now_ + Nanoseconds{static_cast<std::int64_t>(left * before / core_.state().speed_of(*job))};
      moved_[clock.job] = end.when;
      push(end);
    }
  }

  /// One that keeps checkpoints has saved what it did; any other begins anew.
  void leave(const sched::Job& job) {
    const auto drawn = drawn_.find(job.id);
    if (drawn != drawn_.end() && job.request.checkpoint_interval > Nanoseconds{0})
      drawn->second = std::max(seconds(1), drawn->second - work_in(job.request, now_ - job.started));
    core_.apply(sched::Event::job_requeued(job.id), now_);
  }

  void pass() {
    member_.events += pass_cost();
    const sched::Plan& plan = core_.plan(now_);
    for (const JobId job : plan.stopped) {
      moved_.erase(job);
      if (job.value() < present_ && present_running_ > 0) --present_running_;
    }
    for (const sched::Plan::Preemption& preemption : plan.preemptions) {
      const sched::Job& job = *core_.job(preemption.job);
      constexpr Nanoseconds kCheckpointWrite = seconds(30);
      const bool saves = job.request.checkpoint_interval > Nanoseconds{0};
      push({now_ + (saves ? std::min(core_.state().policy.grace, kCheckpointWrite) : Nanoseconds{0}), job.id,
            job.started, true});
    }
    for (const sched::Plan::Start& start : plan.starts) {
      ++member_.events;
      const sched::Job& started = *core_.job(start.job);
      const bool of_present = start.job.value() < present_;
      const std::size_t job = of_present ? index_of(start.job) : task_.jobs.size();
      const bool waited = job < task_.jobs.size();  // Else it has come since, or ran and runs again.
      push_end(started, now_, waited ? task_.kinds[job] : task_.run_times.index_of(kind_of(started.request)));
      if (of_present) ++present_running_;
      if (!waited || member_.starts.starts[job] != Instant::max()) continue;
      member_.starts.starts[job] = now_;
      if (asked_[job]) --left_;
    }
    if (!plan.clocks.empty()) move_ends(plan.clocks);
  }

  /// Into task_.jobs; their number if the job is none of them.
  [[nodiscard]] std::size_t index_of(JobId job) const {
    if (!task_.places.empty()) {
      const std::uint32_t place =
          job.value() - task_.jobs.front().value();  // Large for one before the first.
      return place < task_.places.size() && task_.places[place] != ~0U ? task_.places[place]
                                                                       : task_.jobs.size();
    }
    const auto at = std::lower_bound(task_.jobs.begin(), task_.jobs.end(), job);
    return at == task_.jobs.end() || *at != job ? task_.jobs.size()
                                                : static_cast<std::size_t>(at - task_.jobs.begin());
  }

  void submit() {
    JobRequest request = *next_arrival_->request;
    request.submit = now_;
    core_.apply(sched::Event::job_submitted(JobId{core_.state().next_job}, request), now_);
    next_arrival_ = arrivals_->next();
  }

  /// A pass of conservative backfill plans all anew; of the others, what it starts is its cost.
  [[nodiscard]] std::uint64_t pass_cost() const {
    constexpr std::uint64_t kPlannedPerEvent = 40;
    const sched::State& state = core_.state();
    if (state.policy.backfill != BackfillKind::kConservative) return 0;
    return state.jobs.size() / kPlannedPerEvent;
  }

  /// `index` is RunTimeSampler::index_of its kind.
  void push_end(const sched::Job& job, Instant started, std::uint32_t index) {
    const JobKind kind = kind_of(job.request);
    const Nanoseconds elapsed = std::max(now_ - started, Nanoseconds{0});
    const auto before = drawn_.find(job.id);
    const Nanoseconds run_time =
        before != drawn_.end()
            ? before->second
            : task_.run_times.draw(index, kind, work_in(job.request, elapsed), uniform_of(job.id, kind));
    // It may have to begin again.
    if (job.request.preemptible || job.request.is_elastic()) drawn_[job.id] = run_time;
    Instant end = std::max(started + span_of(job.request, run_time), now_);
    if (!speeds_.empty()) speeds_.erase(job.id);
    if (!moved_.empty()) moved_.erase(job.id);
    if (job.clock < 1000) {
      const std::uint32_t speed = speeds_[job.id] = core_.state().speed_of(job);
      const double left = static_cast<double>((end - now_).count()) * 1000 / speed;
      end = now_ + Nanoseconds{static_cast<std::int64_t>(std::min(left, 4e18))};
    }
    push({on_grid(end), job.id, started});
  }

  void push(const End& end) {
    ends_.push_back(end);
    std::push_heap(ends_.begin(), ends_.end(), std::greater<>());
  }

  /// A number of the job's own, or one that it shares with all of its kind.
  [[nodiscard]] double uniform_of(JobId job, const JobKind& kind) const {
    Rng own = rng_.split(job.value());
    const double uniform = own.uniform();
    if (task_.run_times.alike() <= 0 || !own.chance(task_.run_times.alike())) return uniform;
    return kinds_.split(kind.tenant.value())
        .split(static_cast<std::uint64_t>(kind.gpu_milli))
        .split(static_cast<std::uint64_t>(kind.limit.count()))
        .uniform();
  }

  /// The nearest point of the grid that is not in the past. The grid is twice as wide at twice the distance.
  [[nodiscard]] Instant on_grid(Instant when) const {
    const std::int64_t distance = (when - task_.now).count();
    if (task_.steps == 0 || distance < task_.steps) return when;
    const auto cell =
        static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(distance / task_.steps)) * 2);
    return std::max(task_.now + Nanoseconds{(distance + cell / 2) / cell * cell}, now_);
  }

  sched::Core& core_;
  const ForecastTask& task_;
  const Rng& rng_;
  const Rng kinds_{rng_.split("kind")};
  std::vector<bool> asked_;  ///< By index into task_.jobs.
  std::size_t left_;         ///< Jobs asked for that wait.
  Instant now_;
  std::uint32_t present_ = 0;        ///< Jobs below this one are of the present; others have arrived since.
  std::size_t present_running_ = 0;  ///< Of those.
  std::optional<ArrivalDraw> arrivals_;
  std::optional<ArrivalDraw::Arrival> next_arrival_;
  std::size_t next_fact_ = 0;
  std::vector<End> ends_;                  ///< A heap, earliest first.
  std::map<JobId, Instant> moved_;         ///< The end that counts, of those whose clocks have changed.
  std::map<JobId, std::uint32_t> speeds_;  ///< Of the same, in thousandths.
  /// What jobs that may begin again have still to run, on their least nodes.
  std::map<JobId, Nanoseconds> drawn_;
  ForecastMember member_;
};

}  // namespace

ForecastMember run_member(sched::Core& core, const ForecastTask& task, const Rng& rng,
                          std::uint64_t most_events) {
  GW_CHECK(core.now() <= task.now);
  return Future(core, task, rng).run(most_events);
}

}  // namespace gw::twin
