// FaultSpec: how often nodes fail, how long a repair takes and what a restart costs, for simulated failures.
#pragma once

#include "base/units.h"

namespace gw {

/// Rates of node failures and the times that follow. The default has none.
struct FaultSpec {
  /// Failures that take a node out of service, per 1000 nodes and day; 0 = nodes never fail.
  double node_failures_per_1000_node_days = 0;
  /// Time until a failed node is back: log-normal.
  double repair_median_s = 4 * 3600.0;
  double repair_sigma = 1;  ///< Standard deviation of ln(repair time).
  /// From the start of a job's replacement until it works again: load, connect, read the checkpoint.
  Nanoseconds restart_time = minutes(10);
  /// Rates by cause and GPU type and repairs by cause from physics, with racks, leaves and feeds that fail as
  /// one, in place of the rate and the repair above.
  bool by_component = false;

  friend bool operator==(const FaultSpec&, const FaultSpec&) = default;
};

/// Unexpected interruptions of the 54-day Llama 3 405B run on 2,048 nodes with 8 H100 each: 419 in 54
/// days, 3.79 per 1000 node-days (arXiv:2407.21783, section 3.3.4 and table 5).
inline constexpr double kLlama3NodeFailuresPer1000NodeDays = 3.79;

/// Node failures of Meta's research clusters over 11 months, A100: RSC-1 (16,000 GPUs) and RSC-2 (8,000 GPUs)
/// (arXiv:2410.21680).
inline constexpr double kRsc1NodeFailuresPer1000NodeDays = 6.5;
inline constexpr double kRsc2NodeFailuresPer1000NodeDays = 2.34;

/// What a scenario gets that wants failures and gives no numbers: the Llama 3 rate. Repair (median 4 h, sigma
/// 1: a mean of 6.6 h, between a reboot and the exchange of a board) and restart are our own round figures;
/// Unicron reports about 68 minutes of downtime per failure, with 73 % solved by a restart
/// (arXiv:2401.00134).
constexpr FaultSpec published_faults() {
  FaultSpec faults;
  faults.node_failures_per_1000_node_days = kLlama3NodeFailuresPer1000NodeDays;
  return faults;
}

}  // namespace gw
