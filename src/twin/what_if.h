// WhatIf: a live factory beside the same factory with something changed: both are run ahead with equal jobs
// and compared.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "model/fleet.h"
#include "model/policy.h"
#include "sched/events.h"
#include "twin/run_times.h"
#include "twin/submissions.h"
#include "twin/timed_fact.h"

namespace gw::twin {

/// What is known of the factory as it is. Only referred to during the call.
struct WhatIfInput {
  const Fleet& fleet;
  const PolicyConfig& policy;
  std::string_view snapshot;  ///< Of a core of that fleet and policy.
  Instant now;
  const RunTimeModel& run_times;
  const SubmissionModel& arrivals;
  const std::vector<Arrival>& planned;  ///< What will arrive for certain, in order of time.
  std::vector<TimedFact> facts = {};    ///< What else is known to come, in order of time.
};

/// What is different in the changed world, from now on. Nothing given: nothing is.
struct WorldChanges {
  std::optional<Fleet> fleet;  ///< Of the same GPU types and fabric levels.
  std::optional<PolicyConfig> policy;
  /// Facts, in terms of the fleet of the changed world: nodes closed, weights, and whatever else the core is
  /// told.
  std::vector<sched::Event> events;
  /// In place of WhatIfInput::facts, in terms of the fleet of the changed world; none: the same.
  std::optional<std::vector<TimedFact>> facts;
  std::vector<std::string> feeds;  ///< Whose power is compared, by name.
};

struct WhatIfOptions {
  std::uint64_t seed = 1;
  std::uint32_t most_members = 10;  ///< At least kFewestMembers.
  Nanoseconds horizon = hours(24);
  /// Simulated events of all worlds together; 4,000,000 take about 8 seconds of one core. Where they are too
  /// few for two members of the whole horizon, it is shortened.
  std::uint64_t most_events = 4'000'000;
  std::size_t most_arrivals = 50'000;  ///< In one member.
  std::size_t most_shifts = 10;        ///< Jobs that gain, and that lose, most.
  std::function<bool()> cancelled;     ///< Asked now and then: true ends it with an Error. May be empty.
  unsigned threads = 1;

  static constexpr std::uint32_t kFewestMembers = 2;
};

/// One figure in both worlds: means over the members, the mean of the differences of equal members, and its
/// 95 % interval (Student's t).
struct Comparison {
  double base = 0;
  double changed = 0;
  double difference = 0;
  double low = 0;
  double high = 0;
  friend bool operator==(const Comparison&, const Comparison&) = default;
};

struct WhatIfFigure {
  std::string_view name;  ///< `wait_waiting_mean_s`, ...; see docs/whatif.md.
  Comparison value;
  /// In that world some of it was cut by the horizon: truly it is this or more. Of waits only.
  bool base_cut = false, changed_cut = false;
};

/// A feed's predicted draw in both worlds, in watts.
struct FeedComparison {
  std::string name;
  Comparison mean, peak;
  Comparison above_s;                    ///< Time above its cap.
  double cap_base = 0, cap_changed = 0;  ///< The lowest it had; 0: none.
};

/// A job that waits now, in both worlds: mean starts over the members; one that has not started by the
/// horizon counts as starting then.
struct JobShift {
  JobId job;
  Nanoseconds base;  ///< From now.
  Nanoseconds changed;
  std::uint32_t base_unstarted = 0, changed_unstarted = 0;  ///< Members in which it has not.
};

struct WhatIf {
  Instant now;
  Nanoseconds horizon;     ///< As it was run.
  bool shortened = false;  ///< The events were too few for the one asked for.
  std::uint32_t members = 0;
  std::uint64_t waiting_jobs = 0;
  double new_jobs = 0;  ///< Mean of the members.
  std::vector<WhatIfFigure> figures;
  std::vector<FeedComparison> feeds;  ///< Of WorldChanges::feeds that both fleets have.
  Nanoseconds bin;                    ///< Of the series below: means over it and over the members.
  std::vector<double> gpus_base, gpus_changed;
  std::vector<double> watts_base, watts_changed;
  std::int64_t gpus_up_base = 0, gpus_up_changed = 0;
  std::vector<JobShift> sooner;  ///< Most gained first.
  std::vector<JobShift> later;   ///< Most lost first.
  /// By the change itself, at its beginning.
  std::vector<JobId> interrupted, rejected;
  std::uint64_t events = 0;
};

/// Runs both worlds, member by member: those of a pair have the same arrivals, and each job runs equally long
/// in both. An Error if the snapshot is not of that fleet and policy, or it has been cancelled.
Result<WhatIf> what_if(const WhatIfInput& input, const WorldChanges& changes, const WhatIfOptions& options);

}  // namespace gw::twin
