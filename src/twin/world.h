// World: a factory that the real scheduler runs ahead to a horizon, with jobs that arrive, and what is
// measured in it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/rng.h"
#include "base/units.h"
#include "model/fleet.h"
#include "sched/core.h"
#include "twin/run_times.h"
#include "twin/submissions.h"
#include "twin/timed_fact.h"

namespace gw::twin {

/// What the worlds of a comparison have in common.
struct WorldTask {
  std::span<const JobId> waiting;  ///< At the beginning, ascending.
  std::span<const Arrival> arrivals;
  Instant now;
  Instant end;
  Nanoseconds bin = hours(1);  ///< Of what is measured by the hour.
  const RunTimeSampler& run_times;
  std::function<bool()> cancelled;            ///< Asked now and then: true ends it at once. May be empty.
  std::span<const TimedFact> facts = {};      ///< What is known to come, in order of time.
  std::span<const sched::FeedId> feeds = {};  ///< Whose draw is measured against their caps.
};

/// The predicted draw of a feed, in watts.
struct FeedRun {
  double mean = 0;
  double peak = 0;
  double lowest_cap = 0;  ///< 0: it had none.
  double above_s = 0;     ///< So long its draw was above its cap.
};

struct WorldRun {
  static constexpr Instant kNotStarted = Instant::max();
  std::vector<Instant> starts;      ///< First start of each of `waiting`.
  std::vector<Instant> new_starts;  ///< The same of each arrival.
  std::vector<double> gpus;         ///< In use, mean of each bin.
  std::vector<double> watts;        ///< Of all nodes, mean of each bin.
  double peak_watts = 0;
  double joules = 0;
  std::int64_t gpus_up = 0;  ///< Existing and not down: what use is a part of.
  std::uint64_t started = 0;
  std::uint64_t ended = 0;
  std::uint64_t interrupted = 0;  ///< Times that a running job was stopped, or preempted, and waits again.
  std::uint64_t rejected = 0;     ///< Arrivals that no part of the fleet could ever hold.
  std::uint64_t waiting_at_end = 0;
  std::uint64_t running_at_end = 0;  ///< Jobs that the end cuts.
  Instant until;                     ///< `end`, or where the events were used up.
  std::uint64_t events = 0;
  std::uint64_t stopped = 0;   ///< Of `interrupted`: for want of power.
  std::vector<FeedRun> feeds;  ///< Of WorldTask::feeds.
};

/// Runs `core`, as it is at `task.now`, to the end, until it has cost `most_events`. A job's run time depends
/// on `rng` and its number alone, so equal jobs of two worlds run equally long. Power: each node that is not
/// down draws its idle power, and the part of it that is in use the part of what is above, at its clocks.
WorldRun run_world(std::unique_ptr<sched::Core> core, const Fleet& fleet, const WorldTask& task,
                   const Rng& rng, std::uint64_t most_events);

}  // namespace gw::twin
