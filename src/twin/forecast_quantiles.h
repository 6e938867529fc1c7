// StartForecast: P50 and P90 of a job's start, from its starts in the members of an ensemble.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/units.h"

namespace gw::twin {

/// When one waiting job starts: half of all futures start it by `p50`, nine of ten by `p90`.
struct StartForecast {
  static constexpr Instant kNever = Instant::max();

  JobId job;
  Instant p50;  ///< kNever: nothing that is known to come lets it start; nodes must come back, or a limit be
                ///< raised.
  Instant p90;
  bool p50_or_later = false;  ///< The simulation was too short: at `p50` at the earliest.
  bool p90_or_later = false;
  std::uint32_t members = 0;  ///< Of the ensemble.
  std::uint32_t reached = 0;  ///< Of these, those in which it started.
  std::uint32_t stuck = 0;    ///< Those in which nothing ran any more and it still waited.
  friend bool operator==(const StartForecast&, const StartForecast&) = default;
};

/// What happened to the jobs in the members of an ensemble.
struct StartTable {
  struct Member {
    std::vector<Instant> starts;  ///< By index into `jobs`; Instant::max(): not started by the member's end.
    Instant until;                ///< How far the member went.
    bool stuck = false;           ///< It went no further because nothing ran any more.
  };
  Instant now;
  std::vector<JobId> jobs;           ///< All that wait, ascending.
  std::vector<std::uint32_t> asked;  ///< Indices into `jobs` of those that answers are wanted for, ascending.
  std::vector<std::int64_t> gpu_milli;  ///< What each asks for.
  std::vector<Member> members;          ///< At least one.
};

/// By index into `table.asked`. With M members, the k-th smallest start is taken as the k / (M + 1) quantile:
/// an M + 1-th future is as likely to fall into each gap. Nine members are the fewest that have a P90 of that
/// kind. Fewer, which is what a very long queue gets, have their spread estimated over jobs of like size and
/// wait: what the members' whole queues differ by with the t distribution of as few samples, what single jobs
/// differ by beyond that with the normal distribution.
std::vector<StartForecast> start_quantiles(const StartTable& table);

}  // namespace gw::twin
