// Candidates, the trials that they must pass, and their ranking.
#include "twin/counterfactual.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "sched/core.h"

namespace gw::twin {
namespace {

constexpr std::uint32_t kTypeGivesUp = 100;
constexpr std::uint32_t kSpreadGivesUp = 100;
constexpr std::uint32_t kLevelGivesUp = 150;
constexpr std::uint32_t kPreemptibleGivesUp = 150;
constexpr std::uint32_t kZoneGivesUp = 150;
constexpr std::uint32_t kSidePart = 3;  // Giving up all CPUs counts like giving up a third of the GPUs.
constexpr std::size_t kMostTypes = 8;

/// A request with `part` of its size. What is asked for in all goes along, what is asked for on each node
/// does not.
Shape with_size(Shape shape, std::int64_t size) {
  const auto part = static_cast<std::uint32_t>(size);
  if (shape.nodes > 1) {
    shape.nodes = part;
    return shape;
  }
  if (shape.nodes == 0) {
    shape.cpu_milli = shape.cpu_milli / shape.gpus * part;
    shape.memory_mib = shape.memory_mib / shape.gpus * part;
  }
  shape.gpus = part;
  return shape;
}

std::int64_t size_of(const Shape& shape) { return shape.nodes > 1 ? shape.nodes : shape.gpus; }

/// Limits that people write: minutes up to two hours, then quarters of an hour, hours from a day on. Below
/// `limit`, ascending.
std::vector<Nanoseconds> shorter_limits(Nanoseconds limit) {
  std::vector<Nanoseconds> limits;
  constexpr std::size_t kMost = 2'000;
  for (Nanoseconds at = minutes(1); at < limit && limits.size() < kMost;) {
    limits.push_back(at);
    at += at < hours(2) ? minutes(1) : at < days(1) ? minutes(15) : hours(1);
  }
  return limits;
}

/// The largest index below `count` for which fits(index) holds, if larger ones are ever harder: by halving.
/// None if it holds for none that was asked.
template <class Fits>
std::optional<std::int64_t> largest_that(std::int64_t count, Fits&& fits) {
  std::optional<std::int64_t> best;
  for (std::int64_t low = 0, high = count - 1; low <= high;) {
    const std::int64_t middle = low + (high - low) / 2;
    if (fits(middle)) {
      best = middle;
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return best;
}

/// The changes that are all or nothing.
struct Plain {
  ChangeKind kind;
  Shape shape;
  std::uint32_t given_up = 0;
};
std::vector<Plain> plain_changes(const sched::State& state, const Shape& shape) {
  std::vector<Plain> changes;
  std::uint64_t types = 0;
  for (const auto& pool : state.pools) {
    if (pool->gpu_type() != NodeType::kNoGpu) types |= std::uint64_t{1} << pool->gpu_type();
  }
  if (shape.gpu_types != 0) {
    std::uint64_t others = types & ~shape.gpu_types;
    for (std::size_t tried = 0; others != 0 && tried < kMostTypes; ++tried, others &= others - 1) {
      Shape changed = shape;
      changed.gpu_types |= others & -others;
      changes.push_back({ChangeKind::kGpuTypes, changed, kTypeGivesUp});
    }
  }
  if (shape.level_required) {
    Shape changed = shape;
    changed.level_required = false;
    changes.push_back({ChangeKind::kLevel, changed, kLevelGivesUp});
  }
  // Half of the GPUs on each node take half of the CPUs and the memory there.
  if (shape.nodes > 0 && shape.gpus > 1 && shape.gpus % 2 == 0) {
    Shape changed = shape;
    changed.nodes *= 2;
    changed.gpus /= 2;
    changed.cpu_milli /= 2;
    changed.memory_mib /= 2;
    changes.push_back({ChangeKind::kSpread, changed, kSpreadGivesUp});
  }
  return changes;
}

bool has_sizes(const Shape& shape) { return shape.gpu_milli == 0 && size_of(shape) > 1; }

/// CPUs go in whole ones, memory in GiB.
constexpr std::int64_t kCpuStep = 1000;
constexpr std::int64_t kMemoryStep = 1024;

Shape with_cpus(Shape shape, std::int64_t steps) {
  shape.cpu_milli = steps * kCpuStep;
  return shape;
}
Shape with_memory(Shape shape, std::int64_t steps) {
  shape.memory_mib = steps * kMemoryStep;
  return shape;
}

/// How many smaller amounts of that step there are: 1, 2, ... below `amount`.
std::int64_t steps_below(std::int64_t amount, std::int64_t step) {
  return amount <= 0 ? 0 : (amount - 1) / step;
}

class Search {
 public:
  Search(const ForecastInput& input, JobId job, const CounterfactualOptions& options)
      : input_(input), job_(job), options_(options), present_(input.fleet, input.policy) {}

  Result<Counterfactuals> run() {
    if (!present_.restore(input_.snapshot))
      return fail(fmt::format(
          "changes: the snapshot of {} bytes is not one of the fleet \"{}\" under the policy \"{}\"; "
          "take it from the core whose job is asked for",
          input_.snapshot.size(), input_.fleet.name, input_.policy.name));
    const sched::Job* waiting = present_.job(job_);
    if (waiting == nullptr || waiting->running)
      return fail(fmt::format("changes: job {} does not wait", job_.value()));
    now_ = std::max(input_.now, present_.now());
    request_ = waiting->request;
    request_.submit = now_;
    constexpr std::uint64_t kJobsPerEvent = 6;  // As ForecastMember counts the taking over of a job.
    constexpr std::uint64_t kPlannedPerEvent = 40;
    const bool plans_all = input_.policy.backfill == BackfillKind::kConservative;
    const std::size_t jobs = present_.state().jobs.size();
    trial_events_ = 1 + jobs / kJobsPerEvent + (plans_all ? jobs / kPlannedPerEvent : 0);

    forecast_present();
    for (const Plain& change : plain_changes(present_.state(), request_.shape)) {
      JobRequest changed = request_;
      changed.shape = change.shape;
      consider(change.kind, changed, change.given_up);
    }
    if (!request_.preemptible) {
      JobRequest changed = request_;
      changed.preemptible = true;
      consider(ChangeKind::kPreemptible, changed, kPreemptibleGivesUp);
    }
    consider_zones();
    consider_sizes();
    consider_limits();
    consider_side();
    run_ahead();
    rank();
    return std::move(found_);
  }

 private:
  [[nodiscard]] bool may_try() const {
    // Half is for running ahead.
    return found_.events + trial_events_ <= options_.most_events / 2;
  }

  void forecast_present() {
    ForecastOptions ahead = ahead_options();
    ahead.jobs = {job_};
    ahead.most_members = options_.most_members;
    ahead.most_events = options_.most_events / 4;
    const Forecast forecast = forecast_starts(present_, input_, ahead);
    GW_CHECK(forecast.find(job_) != nullptr);
    found_.present = *forecast.find(job_);
    found_.events += forecast.events();
  }

  [[nodiscard]] ForecastOptions ahead_options() const {
    ForecastOptions ahead;
    ahead.seed = options_.seed;
    ahead.threads = options_.threads;
    return ahead;
  }

  /// In `trial_`: the factory as it is, with the job cancelled and `request` in line.
  void change_world(JobRequest request) {
    if (request.is_elastic()) {  // A change of its nodes is one of the least that it can do with.
      request.nodes_min = request.shape.nodes;
      if (request.nodes_min == 0) request.nodes_max = 0;
    }
    if (trial_ == nullptr) {
      trial_ = std::make_unique<sched::Core>(present_);
    } else {
      *trial_ = present_;
    }
    trial_->apply(sched::Event::job_cancelled(job_), now_);
    trial_->apply(sched::Event::job_submitted(changed_job(), request), now_);
    trial_->plan(now_);
  }
  [[nodiscard]] JobId changed_job() const { return JobId{present_.state().next_job}; }

  struct Trial {
    bool possible = false;  ///< Some part of the fleet could hold it.
    bool started = false;
  };
  Trial try_now(const JobRequest& request) {
    ++found_.tried;
    found_.events += trial_events_;
    change_world(request);
    const sched::Job* job = trial_->job(changed_job());
    return {job != nullptr, job != nullptr && job->running};
  }

  void take(ChangeKind kind, const JobRequest& request, std::uint32_t given_up, const Trial& trial) {
    if (!trial.possible) return;
    Counterfactual change;
    change.kind = kind;
    change.request = request;
    change.given_up_permille = given_up;
    change.start.job = changed_job();
    if (trial.started) {
      change.at_once = true;
      change.start.p50 = change.start.p90 = now_;
      change.start.members = change.start.reached = found_.present.members;
      if (found_.present.p50 > now_) found_.changes.push_back(std::move(change));
      return;
    }
    later_.push_back(std::move(change));
  }

  void consider(ChangeKind kind, const JobRequest& request, std::uint32_t given_up) {
    if (may_try()) take(kind, request, given_up, try_now(request));
  }

  /// The largest of `count` amounts that starts at once; if none does, those that `otherwise` names are run
  /// ahead.
  template <class Change, class GivenUp>
  void consider_largest(ChangeKind kind, std::int64_t count, Change&& changed, GivenUp&& given_up,
                        std::initializer_list<std::int64_t> otherwise) {
    if (count <= 0) return;
    const std::optional<std::int64_t> largest = largest_that(count, [&](std::int64_t index) {
      if (!may_try()) return false;
      return try_now(changed(index)).started;
    });
    if (largest) {
      take(kind, changed(*largest), given_up(*largest), {true, true});
      return;
    }
    std::int64_t last = -1;
    for (const std::int64_t index : otherwise) {
      if (index < 0 || index >= count || index == last) continue;
      last = index;
      consider(kind, changed(index), given_up(index));
    }
  }

  /// One more at a time: whoever keeps data in few countries does not let it go everywhere.
  void consider_zones() {
    if (request_.shape.zones == 0) return;
    const std::uint64_t all = (std::uint64_t{1} << input_.fleet.zones.size()) - 1;
    const std::uint64_t lawful = options_.lawful_zones == 0 ? all : options_.lawful_zones & all;
    for (std::uint64_t more = lawful & ~request_.shape.zones; more != 0; more &= more - 1) {
      JobRequest changed = request_;
      changed.shape.zones = (request_.shape.zones & all) | (more & (~more + 1));
      consider(ChangeKind::kZones, changed, kZoneGivesUp);
    }
  }

  void consider_sizes() {
    if (!has_sizes(request_.shape)) return;
    const std::int64_t size = size_of(request_.shape);
    consider_largest(
        ChangeKind::kSize, size - 1,
        [&](std::int64_t index) {
          JobRequest changed = request_;
          changed.shape = with_size(request_.shape, index + 1);
          return changed;
        },
        [&](std::int64_t index) { return given_up_permille(size, index + 1); },
        {size * 3 / 4 - 1, size / 2 - 1});
  }

  void consider_limits() {
    const std::vector<Nanoseconds> limits = shorter_limits(request_.limit);
    const auto count = static_cast<std::int64_t>(limits.size());
    const auto half = std::upper_bound(limits.begin(), limits.end(), request_.limit / 2) - limits.begin();
    consider_largest(
        ChangeKind::kLimit, count,
        [&](std::int64_t index) {
          JobRequest changed = request_;
          changed.limit = limits[static_cast<std::size_t>(index)];
          return changed;
        },
        [&](std::int64_t index) {
          return given_up_permille(request_.limit.count(), limits[static_cast<std::size_t>(index)].count());
        },
        {half - 1});
  }

  void consider_side() {
    const Shape& shape = request_.shape;
    const auto consider_amounts = [&](ChangeKind kind, std::int64_t amount, std::int64_t step,
                                      Shape (*with)(Shape, std::int64_t)) {
      const std::int64_t steps = steps_below(amount, step);
      consider_largest(
          kind, steps,
          [&](std::int64_t index) {
            JobRequest changed = request_;
            changed.shape = with(shape, index + 1);
            return changed;
          },
          [&](std::int64_t index) { return given_up_permille(amount, (index + 1) * step) / kSidePart; },
          {steps / 2});
    };
    consider_amounts(ChangeKind::kCpu, shape.cpu_milli, kCpuStep, with_cpus);
    consider_amounts(ChangeKind::kMemory, shape.memory_mib, kMemoryStep, with_memory);
  }

  /// The same futures as those of the present forecast: each job's run time is drawn by its number alone.
  void run_ahead() {
    std::stable_sort(later_.begin(), later_.end(), [](const Counterfactual& a, const Counterfactual& b) {
      return a.given_up_permille < b.given_up_permille;
    });
    for (std::size_t index = 0; index < later_.size(); ++index) {
      Counterfactual& later = later_[index];
      const std::uint64_t left = options_.most_events - std::min(options_.most_events, found_.events);
      ForecastOptions ahead = ahead_options();
      ahead.jobs = {changed_job()};
      ahead.most_members = found_.present.members;
      ahead.most_events = left / (later_.size() - index);
      const Instant present = found_.present.p90;
      if (present != StartForecast::kNever && !found_.present.p90_or_later)
        ahead.horizon = std::max(present - now_, seconds(1));
      change_world(later.request);
      const Forecast forecast = forecast_starts(*trial_, input_, ahead);
      found_.events += forecast.events();
      const StartForecast* start = forecast.find(changed_job());
      GW_CHECK(start != nullptr);
      later.start = *start;
      if (is_sooner(*start)) found_.changes.push_back(std::move(later));
    }
  }

  /// By more than the grain of such forecasts, at both quantiles, and truly known.
  [[nodiscard]] bool is_sooner(const StartForecast& start) const {
    const StartForecast& present = found_.present;
    if (start.p50 == StartForecast::kNever || start.p50_or_later) return false;
    if (present.p50 == StartForecast::kNever) return true;
    const Nanoseconds least = std::max(minutes(1), (present.p50 - now_) / 20);
    if (start.p50 + least > present.p50) return false;
    return present.p90 == StartForecast::kNever ||
           (start.p90 <= present.p90 && !(start.p90_or_later && !present.p90_or_later));
  }

  /// Of each kind, what gives up more must gain more; of GPU types and zones the two best.
  void rank() {
    std::vector<Counterfactual>& changes = found_.changes;
    std::stable_sort(changes.begin(), changes.end(), [](const Counterfactual& a, const Counterfactual& b) {
      if (a.given_up_permille != b.given_up_permille) return a.given_up_permille < b.given_up_permille;
      if (a.start.p50 != b.start.p50) return a.start.p50 < b.start.p50;
      return a.kind < b.kind;
    });
    std::vector<Counterfactual> kept;
    std::array<std::size_t, 9> of_kind{};
    for (Counterfactual& change : changes) {
      if (kept.size() == options_.most_changes) break;
      const bool bettered = std::any_of(kept.begin(), kept.end(), [&](const Counterfactual& other) {
        return other.kind == change.kind && change.kind != ChangeKind::kGpuTypes &&
               change.kind != ChangeKind::kZones && other.start.p50 <= change.start.p50;
      });
      std::size_t& count = of_kind.at(static_cast<std::size_t>(change.kind));
      if (bettered || count == 2) continue;
      ++count;
      kept.push_back(std::move(change));
    }
    changes = std::move(kept);
  }

  const ForecastInput& input_;
  JobId job_;
  const CounterfactualOptions& options_;
  JobRequest request_;
  Instant now_;
  std::uint64_t trial_events_ = 0;
  sched::Core present_;
  std::unique_ptr<sched::Core> trial_;
  std::vector<Counterfactual> later_;  ///< To be run ahead.
  Counterfactuals found_;
};

}  // namespace

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kGpuTypes:
      return "gpu-types";
    case ChangeKind::kLevel:
      return "level";
    case ChangeKind::kSpread:
      return "spread";
    case ChangeKind::kPreemptible:
      return "preemptible";
    case ChangeKind::kZones:
      return "zones";
    case ChangeKind::kCpu:
      return "cpus";
    case ChangeKind::kMemory:
      return "memory";
    case ChangeKind::kLimit:
      return "limit";
    case ChangeKind::kSize:
      return "size";
  }
  GW_CHECK(false);
}

std::uint32_t given_up_permille(std::int64_t whole, std::int64_t part) {
  GW_CHECK(part > 0 && part <= whole);
  return static_cast<std::uint32_t>(
      1000 - static_cast<std::int64_t>(1000.0 * static_cast<double>(part) / static_cast<double>(whole)));
}

Result<Counterfactuals> nearest_changes(const ForecastInput& input, JobId job,
                                        const CounterfactualOptions& options) {
  return Search(input, job, options).run();
}

std::vector<PossibleShape> nearest_possible(const sched::State& state, const Shape& shape,
                                            const std::function<bool(const Shape&)>& is_let) {
  std::vector<PossibleShape> found;
  const auto fits = [&](const Shape& changed) { return is_let(changed) && state.could_ever_fit(changed); };
  for (const Plain& change : plain_changes(state, shape)) {
    if (fits(change.shape)) found.push_back({change.kind, change.shape, change.given_up});
  }
  const auto largest = [&](ChangeKind kind, std::int64_t whole, std::int64_t step, std::uint32_t part,
                           Shape (*with)(Shape, std::int64_t)) {
    const std::optional<std::int64_t> steps = largest_that(
        steps_below(whole, step), [&](std::int64_t index) { return fits(with(shape, index + 1)); });
    if (steps)
      found.push_back({kind, with(shape, *steps + 1), given_up_permille(whole, (*steps + 1) * step) / part});
  };
  if (has_sizes(shape)) largest(ChangeKind::kSize, size_of(shape), 1, 1, with_size);
  largest(ChangeKind::kCpu, shape.cpu_milli, kCpuStep, kSidePart, with_cpus);
  largest(ChangeKind::kMemory, shape.memory_mib, kMemoryStep, kSidePart, with_memory);
  if (shape.nodes > 1 && shape.gpus > 1) {  // Fewer GPUs on each node.
    Shape one = shape;
    one.nodes = 1;
    const std::optional<std::int64_t> gpus = largest_that(shape.gpus - 1, [&](std::int64_t index) {
      Shape changed = with_size(one, index + 1);
      changed.nodes = shape.nodes;
      return fits(changed);
    });
    if (gpus) {
      Shape changed = with_size(one, *gpus + 1);
      changed.nodes = shape.nodes;
      found.push_back({ChangeKind::kSize, changed, given_up_permille(shape.gpus, *gpus + 1)});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const PossibleShape& a, const PossibleShape& b) {
    return a.given_up_permille < b.given_up_permille;
  });
  return found;
}

}  // namespace gw::twin
