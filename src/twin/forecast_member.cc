// A twin without failures that begins in the middle.
#include "twin/forecast_member.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <optional>

#include "base/check.h"

namespace gw::twin {
namespace {

class Future {
 public:
  Future(std::unique_ptr<sched::Core> core, const ForecastTask& task, const Rng& rng)
      : core_(std::move(core)), task_(task), rng_(rng), left_(task.asked.size()), now_(task.now) {
    asked_.assign(task.jobs.size(), false);
    for (const std::uint32_t job : task.asked) asked_[job] = true;
    member_.starts.starts.assign(task.jobs.size(), Instant::max());
    core_->state().jobs.for_each([&](const sched::Job& job) {
      if (job.running) push_end(job, job.expected_end - job.request.limit);
    });
    present_ = core_->state().next_job;
    present_running_ = ends_.size();
    if (task.arrivals != nullptr) {
      arrivals_.emplace(*task.arrivals, task.now, rng.split("arrivals"));
      next_arrival_ = arrivals_->next();
    }
    constexpr std::uint64_t kJobsPerEvent =
        6;  // What taking over a job costs, against simulating an event of it.
    member_.events = core_->state().jobs.size() / kJobsPerEvent;
  }

  ForecastMember run(std::uint64_t most_events) {
    if (left_ > 0 && ends_.empty()) pass();  // Nothing will happen that could start one later.
    while (left_ > 0 && !ends_.empty() && member_.events < most_events) {
      if (present_running_ == 0) next_arrival_.reset();
      const Instant due =
          next_arrival_ ? std::min(next_arrival_->when, ends_.front().when) : ends_.front().when;
      if (due > task_.horizon) {
        now_ = task_.horizon;
        break;
      }
      now_ = due;
      for (; !ends_.empty() && ends_.front().when == due; ++member_.events) {
        core_->apply(sched::Event::job_ended(ends_.front().job), now_);
        if (ends_.front().job.value() < present_) --present_running_;
        std::pop_heap(ends_.begin(), ends_.end(), std::greater<>());
        ends_.pop_back();
      }
      for (; next_arrival_ && next_arrival_->when == due; ++member_.events) submit();
      pass();
    }
    member_.starts.until = now_;
    member_.starts.stuck = left_ > 0 && ends_.empty();
    return std::move(member_);
  }

 private:
  struct End {
    Instant when;
    JobId job;
    auto operator<=>(const End&) const = default;
  };

  void pass() {
    member_.events += pass_cost();
    for (const sched::Plan::Start& start : core_->plan(now_).starts) {
      ++member_.events;
      push_end(*core_->job(start.job), now_);
      if (start.job.value() >= present_) continue;
      ++present_running_;
      const auto job = static_cast<std::size_t>(
          std::lower_bound(task_.jobs.begin(), task_.jobs.end(), start.job) - task_.jobs.begin());
      member_.starts.starts[job] = now_;
      if (asked_[job]) --left_;
    }
  }

  void submit() {
    JobRequest request = *next_arrival_->request;
    request.submit = now_;
    core_->apply(sched::Event::job_submitted(JobId{core_->state().next_job}, request), now_);
    next_arrival_ = arrivals_->next();
  }

  /// A pass of conservative backfill plans all anew; of the others, what it starts is its cost.
  [[nodiscard]] std::uint64_t pass_cost() const {
    constexpr std::uint64_t kPlannedPerEvent = 40;
    const sched::State& state = core_->state();
    if (state.policy.backfill != BackfillKind::kConservative) return 0;
    return state.jobs.size() / kPlannedPerEvent;
  }

  void push_end(const sched::Job& job, Instant started) {
    const JobKind kind = kind_of(job.request);
    const Nanoseconds elapsed = std::max(now_ - started, Nanoseconds{0});
    const Nanoseconds run_time = task_.run_times.draw(kind, elapsed, uniform_of(job.id, kind));
    ends_.push_back({on_grid(std::max(started + run_time, now_)), job.id});
    std::push_heap(ends_.begin(), ends_.end(), std::greater<>());
  }

  /// A number of the job's own, or one that it shares with all of its kind.
  [[nodiscard]] double uniform_of(JobId job, const JobKind& kind) const {
    Rng own = rng_.split(job.value());
    const double uniform = own.uniform();
    if (task_.run_times.alike() <= 0 || !own.chance(task_.run_times.alike())) return uniform;
    return rng_.split("kind")
        .split(kind.tenant.value())
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

  std::unique_ptr<sched::Core> core_;
  const ForecastTask& task_;
  const Rng& rng_;
  std::vector<bool> asked_;  ///< By index into task_.jobs.
  std::size_t left_;         ///< Jobs asked for that wait.
  Instant now_;
  std::uint32_t present_ = 0;        ///< Jobs below this one are of the present; others have arrived since.
  std::size_t present_running_ = 0;  ///< Of those.
  std::optional<ArrivalDraw> arrivals_;
  std::optional<ArrivalDraw::Arrival> next_arrival_;
  std::vector<End> ends_;  ///< A heap, earliest first.
  ForecastMember member_;
};

}  // namespace

ForecastMember run_member(std::unique_ptr<sched::Core> core, const ForecastTask& task, const Rng& rng,
                          std::uint64_t most_events) {
  GW_CHECK(core->now() <= task.now);
  return Future(std::move(core), task, rng).run(most_events);
}

}  // namespace gw::twin
