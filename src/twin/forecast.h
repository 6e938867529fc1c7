// Forecast: when will waiting jobs start? Answered by running the real scheduler ahead from a snapshot of a
// live core, many times, each time with other run times.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "model/fleet.h"
#include "model/policy.h"
#include "sched/core.h"
#include "twin/arrivals.h"
#include "twin/forecast_quantiles.h"
#include "twin/run_times.h"
#include "twin/timed_fact.h"

namespace gw::twin {

/// What is known. Only referred to during the call.
struct ForecastInput {
  const Fleet& fleet;
  const PolicyConfig& policy;
  std::string_view snapshot;  ///< Of a core of that fleet and policy: sched::Core::snapshot().
  Instant now;                ///< The present; not before the snapshot.
  const RunTimeModel& run_times;
  const ArrivalModel* arrivals = nullptr;  ///< None: no more jobs come.
  std::span<const TimedFact> facts = {};   ///< What is known to come, in order of time.
};

/// How much to do. All bounds are counts, so that equal options give equal answers on any machine.
struct ForecastOptions {
  std::vector<JobId> jobs;  ///< Asked for; empty: all that wait. Those that do not wait are left out.
  /// Of the others that wait it is told too what the members saw that ended when `jobs` had started: those
  /// that start before them are known as well.
  bool tell_others = false;
  std::uint64_t seed = 1;
  /// The ensemble has at least kFewestMembers and at most this many members.
  std::uint32_t most_members = 100;
  /// Simulated events (ends and starts) of all members together. A million took 1.8 to
  /// 2.3 s of two cores with 10,000 jobs (docs/performance.md).
  std::uint64_t most_events = 1'000'000;
  Nanoseconds horizon = days(366);  ///< What would start later than this from now is not looked for.
  /// Ends are moved, to the nearest, onto a grid of about `steps` instants for each doubling of the time from
  /// now, so that many come together and one pass serves them all; 0 = they stay where they are. None: 512
  /// under conservative backfill with more than 2,000 jobs, where each pass plans all of them anew and the
  /// grid changes medians by 1 %; else 0, since backfill on real nodes then finds more room at a time than it
  /// would, which tells by 10 % and more.
  std::optional<std::uint32_t> steps;
  /// For more of the same: members from this one on; see Forecast::merge.
  std::uint32_t first_member = 0;
  unsigned threads = 0;  ///< 0 = as many as the machine runs at a time. The answer does not depend on it.

  static constexpr std::uint32_t kFewestMembers = 2;
};

/// The starts of all jobs asked for in all members; keep it to answer many questions.
class Forecast {
 public:
  /// Ascending by job.
  [[nodiscard]] const std::vector<StartForecast>& jobs() const& { return jobs_; }
  [[nodiscard]] std::vector<StartForecast> jobs() && { return std::move(jobs_); }
  /// Null for a job that did not wait or was not asked for.
  [[nodiscard]] const StartForecast* find(JobId job) const;
  [[nodiscard]] Instant now() const { return starts_.now; }
  [[nodiscard]] std::uint32_t members() const { return static_cast<std::uint32_t>(starts_.members.size()); }
  [[nodiscard]] std::uint64_t events() const { return events_; }  ///< Simulated in all.

  /// Takes in the members of `more`: the same question, with `first_member` at least this one's first_member
  /// plus members(). So a first answer can be made sharper while it is already in use.
  void merge(const Forecast& more);

 private:
  friend Forecast forecast_starts(const sched::Core& core, const ForecastInput& input,
                                  const ForecastOptions& options);

  StartTable starts_;
  std::vector<StartForecast> jobs_;
  std::uint64_t events_ = 0;
};

/// Runs the ensemble: jobs end as drawn from one model and arrive as drawn from the other (none if it has
/// too short a history), and no node changes its state. An Error if the snapshot is not of that fleet and
/// policy.
Result<Forecast> forecast_starts(const ForecastInput& input, const ForecastOptions& options);
/// The same from a core; the fleet, policy and snapshot of `input` are not looked at.
Forecast forecast_starts(const sched::Core& core, const ForecastInput& input, const ForecastOptions& options);

}  // namespace gw::twin
