// RunSummary: every figure of one run as plain data, as reports print it. docs/metrics.md defines each of
// them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gw::twin {

/// What is known about a run besides its measurements.
struct RunLabels {
  std::string name;  ///< E.g. the scenario or the trace.
  std::string policy;
  std::string fleet;
  std::uint64_t seed = 0;
  std::vector<std::string> job_classes;     ///< By JobRecord::job_class; may be empty.
  std::vector<std::string> fabric_levels;   ///< Names of Fleet::fabric, smallest first.
  std::vector<std::string> wait_reasons;    ///< By JobRecord::reason.
  std::vector<std::string> reject_reasons;  ///< By the reason given to `rejected`.
};

/// Of a quantity in its unit (seconds, or none for slowdown). Quantiles are nearest-rank.
struct Distribution {
  std::uint64_t count = 0;
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
  double max = 0;
};

struct NamedCount {
  std::string name;
  std::uint64_t count = 0;
};

/// One row of a table by size or by job class.
struct GroupSummary {
  std::string name;
  std::uint64_t started = 0;  ///< Jobs.
  std::uint64_t finished = 0;
  double gpu_hours = 0;   ///< Held by finished jobs.
  Distribution wait_s;    ///< Of started jobs.
  Distribution slowdown;  ///< Bounded slowdown, of finished jobs.
};

struct TenantSummary {
  std::string path;  ///< `organisation/project/user`.
  std::string kind;
  std::uint32_t depth = 1;  ///< 1 = directly below the root.
  std::uint32_t weight = 1;
  std::uint64_t submitted = 0;
  std::uint64_t started = 0;
  std::uint64_t finished = 0;
  std::uint64_t rejected = 0;
  double gpu_hours = 0;           ///< Held by finished jobs, of the tenant and all below it.
  double entitled_gpu_hours = 0;  ///< Weighted max-min share; depth 1 only.
  double wait_mean_s = 0;
  double wait_max_s = 0;
  double slowdown_mean = 0;
  Distribution wait_s;  ///< Depth 1 only.
};

/// Jobs whose first binding reason was this one.
struct ReasonSummary {
  std::string name;
  std::uint64_t jobs = 0;  ///< Started jobs that had waited at all.
  double wait_hours = 0;   ///< Sum of their waits.
};

/// Jobs whose GPUs lay inside one part of this fabric level and no smaller one.
struct SpanSummary {
  std::string level;  ///< `node`, then the fabric's levels.
  std::uint64_t jobs = 0;
  std::uint64_t gang_jobs = 0;  ///< Of more than one node.
  double gpu_hours = 0;
  double gang_gpu_hours = 0;
};

/// What a scenario reserved, up to the run's end.
struct ReservationSummary {
  std::string name;
  std::string tenant;   ///< Its owner's path; empty: maintenance.
  std::string refusal;  ///< Why it was not made; else empty.
  double from_s = 0;    ///< As asked for.
  double length_s = 0;
  double gpus = 0;
  std::uint64_t times = 0;  ///< That have begun.
  double reserved_gpu_hours = 0;
  double used_gpu_hours = 0;  ///< Held by jobs on its nodes in its times.
};

/// One value per bin. Levels are means over the bin; counts and hours are sums in the bin.
struct RunSeries {
  double begin_s = 0;  ///< Of the first bin, on the run's own clock.
  double width_s = 0;  ///< Of every bin; the last may be cut short.
  std::vector<double> total_gpus, down_gpus, allocated_gpus, useful_gpus;
  std::vector<double> running_jobs, pending_jobs, pending_gpus, unusable_gpus, fragmented_gpus;
  std::vector<double> submitted, started, finished, node_failures, lost_gpu_hours;
  [[nodiscard]] std::size_t bins() const { return total_gpus.size(); }
};

/// A feed whose cap could bind at some time.
struct FeedSummary {
  std::string name;
  std::string level;
  double mean_mw = 0;
  double peak_mw = 0;
  double cap_mean_mw = 0;  ///< While it had one.
  double cap_min_mw = 0;
  double peak_share = 0;       ///< The largest draw over cap at times when it was not above.
  double above_share = 0;      ///< Of the run's time.
  double longest_above_s = 0;  ///< At one go.
};

struct PowerSummary {
  bool limited = false;  ///< Some cap could bind; else the rest is empty.
  double reaction_s = 0;
  double longest_above_s = 0;       ///< Of all feeds.
  std::uint64_t limited_feeds = 0;  ///< Whose caps could bind;
  std::uint64_t late_feeds = 0;     ///< of these, that were above for longer than the reaction time.
  std::uint64_t cap_changes = 0;
  std::uint64_t clock_orders = 0;  ///< Jobs slowed or freed, each time.
  std::uint64_t stopped_jobs = 0;
  double energy_mwh = 0;           ///< Predicted, IT.
  std::vector<FeedSummary> feeds;  ///< Largest first; at most 64.
  double series_begin_s = 0;
  double series_width_s = 0;
  std::vector<double> draw_mw, cap_mw;  ///< Of all sites together, means over each bin.
};

/// Facility energy of the sites that have prices or carbon, and what became of flexible jobs.
struct EnergySummary {
  struct Site {
    std::string name;
    double mwh = 0;
    double euros = 0;
    double tonnes = 0;  ///< Of CO2.
  };
  std::vector<Site> sites;
  bool priced = false;  ///< Some site has prices;
  bool carbon = false;  ///< ... or carbon. Else the rest is empty.
  double mwh = 0, euros = 0, tonnes = 0;
  std::uint64_t flexible_jobs = 0;  ///< Started.
  std::uint64_t shifted_jobs = 0;   ///< Of them, that waited for a cheaper hour,
  double shifted_hours = 0;         ///< so long from submission to start, all together.
  std::uint64_t late_jobs = 0;      ///< Of the flexible ones, that ended after their deadline.
  /// The same run without shifting, if it was made.
  bool has_unshifted = false;
  double unshifted_mwh = 0, unshifted_euros = 0, unshifted_tonnes = 0;
  std::uint64_t unshifted_late_jobs = 0;
};

/// Speed of the jobs that physics paces, where they were against where they would have been at their best:
/// `speed` and the three losses over `gpu_hours` add up to 1.
struct PhysicsSummary {
  struct Class {
    std::string name;
    std::uint64_t jobs = 0;      ///< Started.
    double gpu_hours = 0;        ///< In which they worked, lost work included, restarts not.
    double speed = 0;            ///< Mean over those, relative to the best place on the same GPU type.
    double lost_span = 0;        ///< GPU-hours lost to how their GPUs lay: domains, links that carry less,
    double lost_contention = 0;  ///< to other jobs on the same links,
    double lost_caps = 0;        ///< and to capped clocks.
  };
  bool used = false;  ///< Else the rest is empty.
  Class all;
  std::vector<Class> classes;
};

struct RunSummary {
  RunLabels labels;

  struct Jobs {
    std::uint64_t submitted = 0;  ///< Started, rejected, withdrawn and still waiting at the end.
    std::uint64_t started = 0;
    std::uint64_t finished = 0;  ///< Started and ended, whatever the outcome.
    std::uint64_t rejected = 0;
    std::uint64_t withdrawn = 0;                                            ///< Cancelled while waiting.
    std::uint64_t completed = 0, failed = 0, cancelled = 0, timed_out = 0;  ///< Outcomes of the finished.
    std::uint64_t restarts = 0;        ///< Attempts ended by a node failure or a preemption.
    std::uint64_t preemptions = 0;     ///< Of them, those by a preemption.
    double preempted_gpus = 0;         ///< GPUs that preemptions freed, summed.
    std::uint64_t grown = 0;           ///< Times that an elastic job was given more nodes while it ran.
    std::uint64_t shrunk = 0;          ///< The same, fewer.
    std::uint64_t replacements = 0;    ///< Restarts at once with a spare node in place of one that failed.
    std::uint64_t restarted_jobs = 0;  ///< Finished jobs with at least one restart.
    std::vector<NamedCount> rejected_by;
  } jobs;

  Distribution wait_s;        ///< First start - submit, of started jobs.
  Distribution slowdown;      ///< Bounded slowdown, of finished jobs.
  double quantile_error = 0;  ///< Largest relative error of the two above; 0 = exact.
  double first_submit_s = 0;
  double last_submit_s = 0;
  double last_end_s = 0;
  double makespan_s = 0;  ///< last_end_s - first_submit_s.

  double utilization = 0;         ///< GPU-time allocated / GPU-time existing, first submit to last end.
  double useful_utilization = 0;  ///< The same without lost work.
  /// GPU-time allocated / GPU-time existing, first to last submit: without the tail in which the last jobs
  /// run out. Equal to `utilization` where all jobs come at once.
  double utilization_until_last_submit = 0;
  /// GPU-time of all work done / GPU-time existing from first to last submit; 0 where all jobs come at once.
  double offered_load = 0;
  double gpus = 0;  ///< Time-mean of existing GPUs.
  struct GpuHours {
    double existing = 0, down = 0, allocated = 0, useful = 0, lost = 0, idle = 0;
  } gpu_hours;

  struct Queue {
    double running_jobs_mean = 0, pending_jobs_mean = 0, pending_gpus_mean = 0;
    double running_jobs_max = 0, pending_jobs_max = 0, pending_gpus_max = 0;
  } queue;

  struct Fragmentation {
    double head_wait_share = 0;       ///< Share of the time in which a head job waits.
    double unusable_gpus_mean = 0;    ///< Free GPUs that the head cannot use, mean over that time.
    double unusable_share = 0;        ///< The same as a share of existing GPUs.
    double fragmented_gpus_mean = 0;  ///< As unusable, counted only while they would be enough by number.
    double fragmented_share = 0;
  } fragmentation;

  struct FairShare {
    double window_s = 0;
    std::uint64_t windows = 0;       ///< Windows with any GPU-time delivered.
    double misallocated_share = 0;   ///< GPU-time beyond the owners' entitlement / GPU-time delivered.
    double mean_absolute_error = 0;  ///< Mean over active tenants of |share delivered - share entitled|.
  } fair_share;

  struct Failures {
    std::uint64_t node_failures = 0;
    std::uint64_t stopped_jobs = 0;
    double lost_gpu_hours = 0;
  } failures;

  PowerSummary power;
  EnergySummary energy;
  PhysicsSummary physics;

  std::vector<GroupSummary> by_size;             ///< All classes, small to large, also empty ones.
  std::vector<GroupSummary> by_class;            ///< Classes with jobs.
  std::vector<TenantSummary> tenants;            ///< With jobs; most GPU-hours first, then by path.
  std::vector<SpanSummary> spans;                ///< Smallest first.
  std::vector<ReasonSummary> reasons;            ///< Most wait first, then by name.
  std::vector<ReservationSummary> reservations;  ///< In the order of asking.
  RunSeries series;

  /// The machine's own performance: the only figures that differ between equal runs. The caller fills them.
  struct Run {
    double wall_s = 0;
    double jobs_per_s = 0;
    std::uint64_t peak_rss_bytes = 0;
  } run;
};

}  // namespace gw::twin
