// PolicyConfig: which order, backfill and placement a scheduler uses, and the names people call them by.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace gw {

enum class OrderKind : std::uint8_t { kFifo, kShortestFirst, kPriorityAge, kFairShare };
enum class BackfillKind : std::uint8_t { kNone, kEasy, kConservative };
enum class PlacementKind : std::uint8_t { kFirstFit, kSmallestSpan };
/// For whom running jobs that can be preempted are made to leave.
enum class PreemptionKind : std::uint8_t {
  kNone,
  kReclaim,             ///< For a tenant that has less than is guaranteed to it, from those who borrow.
  kPriority,            ///< For a job of higher priority.
  kReclaimAndPriority,  ///< For both.
};

/// To what tenants reclaim.
enum class ReclaimTarget : std::uint8_t {
  kGuarantee,
  kFairShare,  ///< To what each deserves now by its weight (sched/deserved.h), which is no less.
};

struct PolicyConfig {
  std::string name = "gigawerk";
  OrderKind order = OrderKind::kFairShare;
  BackfillKind backfill = BackfillKind::kEasy;
  PlacementKind placement = PlacementKind::kSmallestSpan;
  /// Fair share: usage older than this counts half.
  Nanoseconds half_life = days(7);
  /// Fair share: a running GPU counts as if it had already run this long, so that shares hold at any moment.
  Nanoseconds commitment = hours(1);
  /// Fair share: how often running usage is charged.
  Nanoseconds charge_interval = minutes(5);
  /// Priority + age: waiting this long is worth one step of priority.
  Nanoseconds age_per_priority = hours(1);

  /// Fair share: the longest-waiting gang (more GPUs than one node has) that waits longer than this gets the
  /// next reservation, whatever its tenant has used: its tenant's small jobs must not starve it.
  Nanoseconds patience = hours(12);

  PreemptionKind preemption = PreemptionKind::kNone;
  ReclaimTarget reclaim_to = ReclaimTarget::kGuarantee;
  /// A job that has run for less than this is not preempted.
  Nanoseconds protected_run_time = minutes(10);
  /// From the signal to save its work to the end of a preempted job.
  Nanoseconds grace = minutes(2);
  /// What a restart costs a job beyond the work since its last checkpoint; for the choice of victims.
  Nanoseconds restart_estimate = minutes(5);
  /// Running elastic jobs give up nodes beyond their least for the first waiting job, whatever `preemption`
  /// says.
  bool shrink_for_waiting = true;
  /// An elastic job runs for at least so long before it grows, or shrinks for a job that may not preempt.
  Nanoseconds resize_interval = minutes(30);

  [[nodiscard]] bool preempts_by_reclaim() const {
    return preemption == PreemptionKind::kReclaim || preemption == PreemptionKind::kReclaimAndPriority;
  }
  [[nodiscard]] bool reclaims_to_fair_share() const {
    return preempts_by_reclaim() && reclaim_to == ReclaimTarget::kFairShare;
  }
  [[nodiscard]] bool preempts_by_priority() const {
    return preemption == PreemptionKind::kPriority || preemption == PreemptionKind::kReclaimAndPriority;
  }

  friend bool operator==(const PolicyConfig&, const PolicyConfig&) = default;
};

/// A policy's name and one line on what it does.
struct PolicyName {
  std::string_view name;
  std::string_view description;
};

/// All named policies, in the order of the docs.
const std::vector<PolicyName>& policy_names();
std::optional<PolicyConfig> policy_by_name(std::string_view name);

}  // namespace gw
