// Event and Plan: all that goes into the core and all that comes out of it.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/job.h"
#include "model/price_curve.h"
#include "model/quota.h"
#include "model/window.h"
#include "sched/placement.h"

namespace gw::sched {

enum class EventKind : std::uint8_t {
  kTenantAdded = 1,     ///< parent, weight: the tenant with the next id.
  kJobSubmitted = 2,    ///< job (the next id), request.
  kJobEnded = 3,        ///< job: it ran and is over, in whatever way.
  kJobCancelled = 4,    ///< job: withdrawn while it waits or runs.
  kNodeDown = 5,        ///< node: lost with everything on it.
  kNodeUp = 6,          ///< node: back, empty.
  kNodeClosed = 7,      ///< node: drained; what runs there goes on, nothing new starts.
  kNodeReopened = 8,    ///< node: takes new jobs again.
  kTenantWeight = 9,    ///< tenant, weight: from now on.
  kJobRequeued = 10,    ///< job: its attempt is over, not the job: it waits again in its old place.
  kTenantQuota = 11,    ///< tenant, resource, terms: from now on.
  kTenantBudget = 12,   ///< tenant, budget: what its budget lets it do from now on.
  kFeedCap = 13,        ///< feed_level, feed_vertex, cap, clocks: what the feed may carry from now on.
  kWindowAdded = 14,    ///< window, reserved: nodes are reserved from now on.
  kWindowRemoved = 15,  ///< window: it is so no more.
  kJobResized = 16,     ///< job: it goes on where its resize says, and its attempt has not ended for that.
  kJobZones = 19,       ///< job, zones: where it may be from now on. One that waits keeps its place.
  kFeedPrice = 20,  ///< feed_level, feed_vertex, prices: what energy costs there, in place of what it did.
};

/// One fact that the core is told. Fields that a kind does not name are ignored.
struct Event {
  EventKind kind = EventKind::kJobEnded;
  JobId job;
  NodeId node;
  TenantId parent;
  TenantId tenant;
  std::uint32_t weight = 1;
  QuotaResource resource = kAllGpus;
  BudgetState budget = BudgetState::kOpen;
  QuotaTerms terms;
  JobRequest request;
  WindowId window;
  WindowTerms reserved;
  std::uint32_t feed_level = 0;
  std::uint32_t feed_vertex = 0;
  Milliwatts cap;           ///< IT power; 0 = not limited.
  bool clocks = true;       ///< Those who run the jobs can cap their clocks.
  std::uint64_t zones = 0;  ///< See Shape::zones.
  PriceCurve prices;        ///< Empty: none are known.

  static Event tenant_added(TenantId parent, std::uint32_t weight);
  static Event job_submitted(JobId job, const JobRequest& request);
  static Event job_ended(JobId job);
  static Event job_cancelled(JobId job);
  static Event job_requeued(JobId job);
  static Event node_down(NodeId node);
  static Event node_up(NodeId node);
  static Event node_closed(NodeId node);
  static Event node_reopened(NodeId node);
  static Event tenant_weight(TenantId tenant, std::uint32_t weight);
  static Event tenant_quota(TenantId tenant, QuotaResource resource, const QuotaTerms& terms);
  static Event tenant_budget(TenantId tenant, BudgetState state);
  static Event window_added(WindowId window, const WindowTerms& terms);
  static Event window_removed(WindowId window);
  static Event feed_cap(std::uint32_t level, std::uint32_t vertex, Milliwatts cap, bool clocks = true);
  static Event job_zones(JobId job, std::uint64_t zones);
  static Event job_resized(JobId job);
  static Event feed_price(std::uint32_t level, std::uint32_t vertex, PriceCurve prices);
};

/// Bounds within which the core's arithmetic holds, far beyond any machine.
inline constexpr std::int64_t kMostSideUnits = std::int64_t{1} << 40;  ///< CPU (thousandths) or memory (MiB).
inline constexpr std::int64_t kMostGpus = std::int64_t{1} << 40;
inline constexpr Milliwatts kMostPower{std::int64_t{1} << 50};  ///< Of a feed: a terawatt.
inline constexpr Instant kLastInstant = Instant{} + kLongestSpan;

/// Empty if a job with that request may be submitted, else what is wrong with it (facts from outside).
std::string_view request_problem(const JobRequest& request);

inline constexpr std::int64_t kMostWindowTimes = 100'000;  ///< Of a window that repeats, but not for ever.
/// Empty if a window with those terms may be added to a fleet of so many nodes, else what is wrong with them.
std::string_view window_problem(const WindowTerms& terms, std::uint32_t fleet_nodes);

/// Why a job does not run: exactly one holds for every waiting job at any time.
enum class Reason : std::uint8_t {
  kNone = 0,       ///< It runs, or is unknown.
  kOrder,          ///< Jobs before it in the order must start first; this policy lets nothing overtake.
  kCapacity,       ///< Fewer GPUs of its kind are free than it needs.
  kFragmentation,  ///< Enough GPUs are free, but not as it needs them (whole nodes, GPUs on one node).
  kTopology,       ///< Enough nodes are free, but not inside one vertex of the fabric level it requires.
  kSideResources,  ///< Enough GPUs are free, but not with the CPU or memory it asks for.
  kReservation,    ///< It would fit, but would delay the job that holds the reservation.
  kNever,          ///< No empty part of the fleet could hold it (rejected when it is submitted).
  kQuota,          ///< Its tenant, or one above, has all that its quota gives it.
  kBudget,         ///< Its tenant, or one above, has spent its budget.
  kRule,           ///< A rule forbids it every part of the fleet that could hold it.
  kPower,          ///< The feeds above the free GPUs cannot carry more load.
  kWindow,         ///< It would run into a time for which the nodes are reserved.
  kSpread,         ///< Its replicas, or those of others, must keep apart.
  kCheaperLater,   ///< It waits for a cheaper or greener hour, which still meets its deadline.
  kGrace,          ///< The jobs that make room for it are saving their work.
};
inline constexpr std::uint8_t kReasons = 16;

/// A short stable name (`capacity`) and a sentence for people.
std::string_view reason_name(Reason reason);
std::string_view reason_text(Reason reason);

/// What the core decided in one pass.
struct Plan {
  struct Start {
    JobId job;
    Placement placement;
  };
  struct Rejection {
    JobId job;
    Reason reason = Reason::kNever;
  };
  /// A running job is to save its work and go within the policy's grace; it waits again in its old place.
  struct Preemption {
    JobId job;
    JobId for_job;  ///< Starts once all that leave for it have left; none: for nobody (its budget is spent,
                    ///< it grows).
    friend bool operator==(const Preemption&, const Preemption&) = default;
  };
  /// From now on the job's work may draw so much of its power, in thousandths; 1000: its clocks are free.
  struct Clock {
    JobId job;
    std::uint32_t permille = 1000;
  };
  /// A job lost a node and goes on with another in its place: it stands in `interrupted`, and in `starts`
  /// with its new place.
  struct Replacement {
    JobId job;
    NodeId failed;
    NodeId spare;
    friend bool operator==(const Replacement&, const Replacement&) = default;
  };
  /// An elastic job is to go on with more nodes or fewer. It stands in `preemptions` (it saves its work and
  /// leaves within the grace, and starts again as soon as it has), or in `stopped` or `interrupted` (it
  /// starts in this plan).
  struct Resize {
    JobId job;
    Placement placement;  ///< Where it will be.
    bool grows = false;
    friend bool operator==(const Resize&, const Resize&) = default;
  };
  std::vector<Start> starts;       ///< In order of decision.
  std::vector<JobId> interrupted;  ///< Lost nodes; they wait again in their old place, if not replaced.
  std::vector<Rejection> rejections;
  std::vector<Preemption> preemptions;
  std::vector<JobId> stopped;  ///< For want of power, at once and before anything starts; they wait again.
  std::vector<Clock> clocks;   ///< The same.
  std::vector<Replacement> replacements;
  std::vector<Resize> resizes;

  [[nodiscard]] bool empty() const {
    return starts.empty() && interrupted.empty() && rejections.empty() && preemptions.empty() &&
           stopped.empty() && clocks.empty();
  }
  void clear() {
    replacements.clear();
    resizes.clear();
    preemptions.clear();
    stopped.clear();
    starts.clear();
    interrupted.clear();
    rejections.clear();
    clocks.clear();
  }
};

}  // namespace gw::sched
