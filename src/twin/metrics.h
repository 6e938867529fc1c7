// MetricsCollector: measures a run while it happens, in memory that does not grow with the number of jobs.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/ids.h"
#include "base/units.h"
#include "model/job.h"
#include "model/tenant.h"
#include "twin/metrics_fairness.h"
#include "twin/quantile_sketch.h"
#include "twin/run_summary.h"
#include "twin/series.h"

namespace gw::twin {

/// The cluster's state between two events. GPUs in thousandths.
struct ClusterSample {
  std::int64_t total_gpu_milli = 0;  ///< Existing, down ones included.
  std::int64_t down_gpu_milli = 0;
  std::int64_t allocated_gpu_milli = 0;
  std::int64_t running_jobs = 0;
  std::int64_t pending_jobs = 0;
  std::int64_t pending_gpu_milli = 0;
  /// Free GPUs that can be no part of the head's placement: of another type, or left over on nodes with fewer
  /// than it asks for on each; 0 where no job waits.
  std::int64_t unusable_gpu_milli = 0;
  /// What the first job of the queue asks for; 0 where no job waits. If unusable >= head, place and not
  /// number keeps the head from starting.
  std::int64_t head_gpu_milli = 0;
};

/// What the counters need to know about a job at each step.
struct JobFacts {
  TenantId tenant;
  std::int64_t gpu_milli = 0;  ///< In all.
  std::uint8_t job_class = 0;
};

/// A job that has ended: what its row in jobs.csv says.
struct JobRecord {
  std::string_view id;  ///< As the log names it; need not outlive the call.
  TenantId tenant;
  std::uint8_t job_class = 0;
  JobOutcome outcome = JobOutcome::kCompleted;
  std::uint8_t span = 0;    ///< 0 = within one node; k = within one vertex of Fleet::fabric[k - 1].
  std::uint8_t reason = 0;  ///< Why it last waited; indexes RunLabels::wait_reasons. 0 = it never did.
  std::uint32_t restarts = 0;
  std::uint32_t nodes_used = 1;
  Shape shape;
  std::int64_t gpu_milli = 0;  ///< In all.
  Instant submit;
  Instant start;  ///< The first one.
  Instant end;
  Nanoseconds limit;
  Nanoseconds held;  ///< Time with GPUs, over all attempts; 0 = end - start.
  Nanoseconds lost;  ///< Part of `held` whose work was lost to failures.

  [[nodiscard]] Nanoseconds wait() const { return start - submit; }
  [[nodiscard]] Nanoseconds time_held() const { return held.count() != 0 ? held : end - start; }
};

/// Upper ends of the size classes, in GPUs; names in kSizeClassNames. Class 0: no GPU; 1: a part of one GPU.
inline constexpr std::array<std::string_view, 8> kSizeClassNames = {"none", "<1",   "1",      "2-4",
                                                                    "5-8",  "9-64", "65-512", "513+"};
[[nodiscard]] constexpr std::size_t size_class_of(std::int64_t gpu_milli) {
  if (gpu_milli <= 1000) return gpu_milli == 0 ? 0 : gpu_milli < 1000 ? 1 : 2;
  if (gpu_milli <= 8000) return gpu_milli <= 4000 ? 3 : 4;
  if (gpu_milli <= 64'000) return 5;
  return gpu_milli <= 512'000 ? 6 : 7;
}

/// The twin calls it at each event; times never decrease. Within one time: the events first, in any order,
/// then one `advance` with the state that results. Every call is O(1), but for a widening of the series (log
/// of the horizon, in all) and the close of a fair-share window (O(tenants log tenants), once per window).
///
/// A job: `submitted`, then `rejected` or `withdrawn`, or `started`, any number of (`stopped`, `resumed`),
/// and `finished`.
class MetricsCollector {
 public:
  /// `tenants` may grow while the run goes on, and must outlive the collector.
  explicit MetricsCollector(const TenantTree& tenants, Nanoseconds fair_share_window = days(1));

  void submitted(Instant now, const JobFacts& job);
  void rejected(Instant now, const JobFacts& job, std::uint8_t reason);
  void withdrawn(Instant now, const JobFacts& job);
  /// First start, after waiting since `submit`; `reason` was the last one that kept it waiting.
  void started(Instant now, const JobFacts& job, Instant submit, std::uint8_t reason);
  /// A failure or a preemption took its GPUs; it waits again. `lost`: work since its last checkpoint.
  void stopped(Instant now, const JobFacts& job, Nanoseconds lost);
  /// The stop before was a preemption.
  void preempted(const JobFacts& job);
  /// The stop before was the failure of one node, for which it has a spare one.
  void replaced() { ++jobs_.replacements; }
  void grown() { ++jobs_.grown; }
  void shrunk() { ++jobs_.shrunk; }
  /// A waiting job has another number of GPUs than it had, and will start with it.
  void resized(Instant now, const JobFacts& before, std::int64_t gpu_milli);
  void resumed(Instant now, const JobFacts& job);
  /// An attempt spent [begin, end) on loading what the one before had saved.
  void reloaded(Instant begin, Instant end, const JobFacts& job);
  void finished(const JobRecord& job);
  void node_failed(Instant now);

  /// The state from `now` on; the one given before held until `now`. Nothing is measured before the first
  /// submit. While nothing runs or waits the clock is held back until work comes: what follows the last end
  /// never counts.
  void advance(Instant now, const ClusterSample& sample);

  /// All figures so far; jobs still running count as started, not as finished. The collector is used up.
  [[nodiscard]] RunSummary summarize(RunLabels labels);

  [[nodiscard]] std::uint64_t jobs_submitted() const { return jobs_.submitted; }
  [[nodiscard]] std::uint64_t jobs_finished() const { return jobs_.finished; }

 private:
  static constexpr std::size_t kLevels = 8;  ///< Time-weighted; the order of ClusterSample.
  enum Channel : std::size_t {
    kTotal,
    kDown,
    kAllocated,
    kRunning,
    kPending,
    kPendingGpus,
    kUnusable,
    kFragmented,  // Levels.
    kLost,
    kSubmitted,
    kStarted,
    kFinished,
    kNodeFailures,
    kChannels
  };
  using Levels = std::array<std::int64_t, kLevels>;

  struct Group {
    std::uint64_t started = 0;
    std::uint64_t finished = 0;
    Int128 gpu_time = 0;               ///< GPU-milli x ns.
    QuantileSketch wait{4096, 7};      ///< ns; 0.4 % beyond 4,096 jobs.
    QuantileSketch slowdown{4096, 7};  ///< Above 1, in millionths.
  };
  /// Per tenant as submitted to: most often leaves. Small: there may be tens of thousands.
  struct Tenant {
    std::uint32_t top = 0;  ///< Index into tops_.
    std::uint64_t submitted = 0, started = 0, finished = 0, rejected = 0;
    Int128 gpu_time = 0;
    Int128 wait_sum = 0;
    Int128 slowdown_sum = 0;  ///< As the sketches.
    std::int64_t wait_max = 0;
  };
  /// An organisation: a tenant directly below the root (or the root, for jobs that belong to nobody else).
  struct Top {
    TenantId id;
    QuantileSketch wait{1024, 6};  ///< ns; 0.8 % beyond 1,024 jobs.
  };
  struct Reason {
    std::uint64_t jobs = 0;
    Int128 wait_sum = 0;
  };
  struct Span {
    std::uint64_t jobs = 0, gang_jobs = 0;
    Int128 gpu_time = 0, gang_gpu_time = 0;
  };

  Tenant& tenant(TenantId id) {
    if (id.value() >= per_tenant_.size()) [[unlikely]]
      learn_tenants();
    GW_CHECK(id.value() < per_tenant_.size());
    return per_tenant_[id.value()];
  }
  void learn_tenants();
  Group& job_class(std::uint8_t index);
  void integrate(Instant until);
  void flush_bin();
  void end_idle_time();
  [[nodiscard]] bool empty() const { return levels_[kRunning] == 0 && levels_[kPending] == 0; }
  void summarize_groups(RunSummary& summary);
  void summarize_tenants(RunSummary& summary);
  void summarize_series(RunSummary& summary, Instant end) const;

  const TenantTree* tenants_;
  FairShareMeter fair_share_;
  bool measuring_ = false;  ///< From the first submit on.
  Instant first_submit_;
  Instant last_end_;
  Instant integrated_until_;
  Levels levels_{};  ///< Since integrated_until_.
  bool head_waits_ = false;
  // While nothing runs or waits: what has been held back since integrated_until_.
  Instant idle_until_;
  Int128 idle_total_ = 0, idle_down_ = 0;

  // Integrals over the current bin of the series, from in_bin_begin_ on; not yet in totals_ nor series_.
  std::array<Int128, kLevels> in_bin_{};
  Instant in_bin_begin_, in_bin_end_;
  std::array<Int128, kLevels> totals_{};
  Instant last_submit_;
  Int128 arrivals_existing_ = 0, arrivals_allocated_ = 0;  ///< Totals up to the last submit.
  std::array<std::int64_t, kLevels> maxima_{};
  Int128 head_wait_time_ = 0;      ///< ns
  Int128 head_wait_existing_ = 0;  ///< GPU-milli x ns
  Int128 lost_ = 0;                ///< GPU-milli x ns
  BinnedSeries<kChannels> series_;

  RunSummary::Jobs jobs_;  ///< `rejected_by` stays empty.
  std::array<std::uint64_t, 4> outcomes_{};
  std::array<std::uint64_t, 256> rejected_by_{};
  std::uint64_t node_failures_ = 0;
  QuantileSketch wait_;      ///< ns
  QuantileSketch slowdown_;  ///< Above 1, in millionths.
  std::array<Group, kSizeClassNames.size()> by_size_;
  std::vector<Group> by_class_;
  std::vector<Tenant> per_tenant_;
  std::vector<Top> tops_;  ///< Equal in number and order to the meter's tenants.
  std::array<Reason, 256> reasons_{};
  std::array<Span, 32> spans_{};
};

}  // namespace gw::twin
