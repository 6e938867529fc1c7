// ForecastMember: one possible future of a factory: the real scheduler runs ahead until the jobs asked for
// have started.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/rng.h"
#include "base/units.h"
#include "sched/core.h"
#include "twin/arrivals.h"
#include "twin/forecast_quantiles.h"
#include "twin/run_times.h"
#include "twin/timed_fact.h"

namespace gw::twin {

/// What all members of an ensemble have in common.
struct ForecastTask {
  std::span<const JobId> jobs;           ///< All that wait, ascending.
  std::span<const std::uint32_t> asked;  ///< Indices into `jobs`, ascending: until these have started.
  std::span<const std::uint32_t> kinds;  ///< By index into `jobs`: RunTimeSampler::index_of of each.
  Instant now;
  Instant horizon;
  std::uint32_t steps = 0;  ///< See ForecastOptions; 0 = no grid.
  const RunTimeSampler& run_times;
  const ArrivalModel* arrivals = nullptr;  ///< None: no more jobs come.
  std::span<const TimedFact> facts = {};   ///< In order of time.
  /// By number less that of the first of `jobs`: the index into `jobs`, ~0U for one that is not among them.
  /// Empty: they are searched.
  std::span<const std::uint32_t> places = {};
  /// Of those that run, as RunTimeSampler::index_of, in the order in which the core's table has them. Empty:
  /// they are looked up.
  std::span<const std::uint32_t> running_kinds = {};
};

struct ForecastMember {
  StartTable::Member starts;
  std::uint64_t events = 0;  ///< What it cost.
};

/// Runs `core`, as it is at `task.now`, until all jobs have started, nothing runs any more, the horizon is
/// reached or it has cost `most_events`. Each job's run time depends on `rng` and the job alone, not on what
/// happens before it starts; so do the arrivals. They cease when no job of the present runs any more: what
/// still waits then waits for more than other jobs.
ForecastMember run_member(sched::Core& core, const ForecastTask& task, const Rng& rng,
                          std::uint64_t most_events);

}  // namespace gw::twin
