// The ensemble: how many members, which thread runs which, and what their starts say together.
#include "twin/forecast.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <numeric>
#include <system_error>
#include <thread>

#include "base/check.h"
#include "base/rng.h"
#include "sched/core.h"
#include "twin/forecast_member.h"

namespace gw::twin {
namespace {

/// Calls run(index, thread) for all indices below `count`, on up to `threads` threads.
template <class Run>
void on_threads(std::uint32_t count, unsigned threads, Run&& run) {
  std::atomic<std::uint32_t> next{0};
  const auto work = [&](unsigned thread) {
    for (std::uint32_t index = next++; index < count; index = next++) run(index, thread);
  };
  std::vector<std::jthread> others;
  try {
    for (unsigned thread = 1; thread < std::min<std::uint64_t>(threads, count); ++thread)
      others.emplace_back(work, thread);
  } catch (const std::system_error&) {  // The system gives no more threads: fewer do it too.
  }
  work(0);
}

std::vector<TenantId> parents(const sched::FairShare& tenants) {
  std::vector<TenantId> parents{TenantId{}};
  for (std::uint32_t tenant = 1; tenant < tenants.tenants(); ++tenant)
    parents.push_back(tenants.parent(TenantId{tenant}));
  return parents;
}

/// Of those of `wanted` that are among `jobs` (ascending), once each and ascending; of all jobs if none are
/// wanted.
std::vector<std::uint32_t> indices(const std::vector<JobId>& jobs, const std::vector<JobId>& wanted) {
  std::vector<std::uint32_t> indices;
  if (wanted.empty()) {
    indices.resize(jobs.size());
    std::iota(indices.begin(), indices.end(), 0U);
    return indices;
  }
  for (const JobId job : wanted) {
    const auto at = std::lower_bound(jobs.begin(), jobs.end(), job);
    if (at != jobs.end() && *at == job) indices.push_back(static_cast<std::uint32_t>(at - jobs.begin()));
  }
  std::sort(indices.begin(), indices.end());
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  return indices;
}

/// ForecastTask::places; none where they would mostly be gaps.
std::vector<std::uint32_t> places_of(const std::vector<JobId>& jobs) {
  constexpr std::size_t kMostEach = 16;
  if (jobs.empty()) return {};
  const std::uint32_t first = jobs.front().value();
  const std::size_t span = std::size_t{jobs.back().value() - first} + 1;
  if (span > kMostEach * jobs.size()) return {};
  std::vector<std::uint32_t> places(span, ~0U);
  for (std::uint32_t index = 0; index < jobs.size(); ++index) places[jobs[index].value() - first] = index;
  return places;
}

std::uint32_t steps_for(const ForecastOptions& options, const sched::State& state) {
  constexpr std::size_t kManyJobs = 2'000;
  constexpr std::uint32_t kManyJobsSteps = 512;
  if (options.steps) return *options.steps;
  const bool dear = state.policy.backfill == BackfillKind::kConservative && state.jobs.size() > kManyJobs;
  return dear ? kManyJobsSteps : 0;
}

}  // namespace

const StartForecast* Forecast::find(JobId job) const {
  const auto at = std::lower_bound(jobs_.begin(), jobs_.end(), job,
                                   [](const StartForecast& forecast, JobId id) { return forecast.job < id; });
  return at == jobs_.end() || at->job != job ? nullptr : &*at;
}

void Forecast::merge(const Forecast& more) {
  GW_CHECK(starts_.jobs == more.starts_.jobs && starts_.asked == more.starts_.asked &&
           starts_.now == more.starts_.now);
  starts_.members.insert(starts_.members.end(), more.starts_.members.begin(), more.starts_.members.end());
  events_ += more.events_;
  jobs_ = start_quantiles(starts_);
}

Result<Forecast> forecast_starts(const ForecastInput& input, const ForecastOptions& options) {
  sched::Core core(input.fleet, input.policy);
  if (!core.restore(input.snapshot))
    return fail(fmt::format(
        "forecast: the snapshot of {} bytes is not one of the fleet \"{}\" under the policy \"{}\"; take "
        "it from the core whose starts are asked for",
        input.snapshot.size(), input.fleet.name, input.policy.name));
  return forecast_starts(core, input, options);
}

Forecast forecast_starts(const sched::Core& core, const ForecastInput& input,
                         const ForecastOptions& options) {
  const sched::State& state = core.state();
  const Instant now = std::max(input.now, core.now());
  std::vector<JobKind> kinds;
  state.jobs.for_each([&](const sched::Job& job) { kinds.push_back(kind_of(job.request)); });
  if (input.arrivals != nullptr)
    input.arrivals->for_each([&](const JobRequest& request) { kinds.push_back(kind_of(request)); });
  const RunTimeSampler run_times(input.run_times, parents(state.pending.fair_share()), std::move(kinds));

  Forecast forecast;
  StartTable& table = forecast.starts_;
  table.now = now;
  state.jobs.for_each([&](const sched::Job& job) {
    if (!job.running) table.jobs.push_back(job.id);
  });
  std::sort(table.jobs.begin(), table.jobs.end());
  for (const JobId job : table.jobs)
    table.gpu_milli.push_back(state.jobs[job].request.shape.total_gpu_milli());
  const std::vector<std::uint32_t> until = indices(table.jobs, options.jobs);
  table.asked = options.tell_others ? indices(table.jobs, {}) : until;
  std::vector<std::uint32_t> kind_indices;
  for (const JobId job : table.jobs)
    kind_indices.push_back(run_times.index_of(kind_of(state.jobs[job].request)));

  std::vector<std::uint32_t> running_kinds;
  state.jobs.for_each([&](const sched::Job& job) {
    if (job.running) running_kinds.push_back(run_times.index_of(kind_of(job.request)));
  });

  const Nanoseconds horizon = std::min(options.horizon, sched::kLastInstant - now);
  const std::vector<std::uint32_t> places = places_of(table.jobs);
  const ForecastTask task{
      table.jobs, until,          kind_indices, now,    now + horizon, steps_for(options, state),
      run_times,  input.arrivals, input.facts,  places, running_kinds};
  const Rng rng = Rng(options.seed).split("forecast");
  const unsigned threads =
      options.threads != 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency());
  std::vector<std::unique_ptr<sched::Core>> futures(threads);  // Each thread's, used again for the next.
  const auto run = [&](std::uint32_t count, std::uint64_t most_events) {
    const auto done = static_cast<std::uint32_t>(table.members.size());
    std::vector<ForecastMember> members(count);
    on_threads(count, threads, [&](std::uint32_t index, unsigned thread) {
      std::unique_ptr<sched::Core>& future = futures[thread];
      if (future == nullptr) {
        future = std::make_unique<sched::Core>(core);
      } else {
        *future = core;
      }
      members[index] = run_member(*future, task, rng.split(options.first_member + done + index), most_events);
    });
    for (ForecastMember& member : members) {
      forecast.events_ += member.events;
      table.members.push_back(std::move(member.starts));
    }
  };

  // The first members show what one costs. Then rounds of half of what is left, so that dearer ones have a
  // reserve, or of all that are wanted.
  const std::uint32_t most = std::max(options.most_members, ForecastOptions::kFewestMembers);
  run(ForecastOptions::kFewestMembers, options.most_events / ForecastOptions::kFewestMembers);
  while (forecast.members() < most && forecast.events_ < options.most_events) {
    const std::uint64_t each = std::max<std::uint64_t>(1, forecast.events_ / forecast.members());
    const std::uint64_t left = options.most_events - forecast.events_;
    const auto more =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(left / each / 2, most - forecast.members()));
    if (more < ForecastOptions::kFewestMembers && more < most - forecast.members()) break;
    run(more, left / more);
  }
  forecast.jobs_ = start_quantiles(table);
  return forecast;
}

}  // namespace gw::twin
