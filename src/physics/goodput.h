// Goodput: the share of a long job's time that moves it on, what the rest is lost to, and the checkpoint
// interval that loses least.
//
// Interruptions come as a Poisson process at all times, also while the job recovers (Daly 2006, "A higher
// order estimate of the optimum checkpoint interval", equation 20).
#pragma once

#include <cstdint>

#include "physics/failures.h"

namespace gw::physics {

/// Between an interruption and work on what was lost. Seconds.
struct Recovery {
  double detect_s = 0;
  double swap_s =
      0;  ///< Mean over all interruptions: a spare takes the node's place, or a repair is awaited.
  double restart_s = 0;
  double read_s = 0;

  [[nodiscard]] double total() const { return detect_s + swap_s + restart_s + read_s; }
};

struct GoodputInput {
  double mtbf_s = 0;
  double interval_s = 0;  ///< Work between two checkpoints.
  double pause_s = 0;
  double behind_s = 0;  ///< As CheckpointTimes has it.
  Recovery recovery;
};

/// Shares of time; they sum to 1.
struct TimeShares {
  double useful = 0;
  double checkpoint = 0;
  double lost_work = 0;
  double detection = 0;
  double swap = 0;
  double restart = 0;
  double read = 0;
};

/// `mtbf_s` and `interval_s` above zero. Where failures come too fast for any work the useful share is 0.
[[nodiscard]] TimeShares time_shares(const GoodputInput& input);

/// sqrt(2 pause mtbf) (Young 1974).
[[nodiscard]] double young_interval(const GoodputInput& input);
/// Where the useful share of `time_shares` is largest, by its own derivative; not shorter than a write takes.
[[nodiscard]] double best_interval(const GoodputInput& input);

/// One run of the process behind the formula, interruption by interruption, over `horizon_s`.
[[nodiscard]] TimeShares simulate_shares(const GoodputInput& input, double horizon_s, std::uint64_t seed);

/// Detection and restart of a job of that size, without swap and read.
[[nodiscard]] Recovery usual_recovery(double gpus);

/// Mean wait for a node in place of one that is out for `repair_s` on average (Erlang's loss formula: at most
/// `spares` are out at once, the next waits for the first of them).
[[nodiscard]] double swap_seconds(double nodes_per_hour, double repair_s, std::uint32_t spares);
/// The fewest spares with which less than one swap in a hundred waits.
[[nodiscard]] std::uint32_t enough_spares(double nodes_per_hour, double repair_s);

/// Of a node that was taken out: median 4 h, standard deviation of the logarithm 1, as in model/faults.h.
[[nodiscard]] double mean_repair_s();

/// The useful share over `days` with what differs between sites, in recovery and by chance; the interval
/// holds the mean of all runs, also where nearly all of them are never interrupted.
[[nodiscard]] Estimate goodput_interval(const GoodputInput& input, const JobFailures& failures, double days,
                                        std::uint64_t seed);

}  // namespace gw::physics
