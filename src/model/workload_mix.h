// WorkloadMix: a scenario's demand as data: job classes with their fitted distributions, and which tenant
// submits how much of which.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/law.h"
#include "model/work.h"

namespace gw {

/// One gang size of a class and its share of the class's jobs.
struct SizeShare {
  std::uint32_t gpus = 1;  ///< In all; more than one node's worth becomes a gang of whole nodes.
  double share = 1;        ///< Relative weight.
  /// How long its jobs run, where their work says so; 0 = as the class's durations have it.
  double run_s = 0;
};

/// A log-normal duration component; a class mixes one or more (bodies and tails).
struct DurationComponent {
  double median_s = 3600;
  double sigma = 1;  ///< Standard deviation of ln(duration).
  double share = 1;
};

/// How often work arrives over the day and the week, relative to the mean.
struct Rhythm {
  std::string name;
  std::vector<double> hour = std::vector<double>(24, 1.0);    ///< Local hour of day.
  std::vector<double> weekday = std::vector<double>(7, 1.0);  ///< Monday first.
};

/// How wrong users' time limits are.
struct LimitModel {
  double exact_share = 0.0;    ///< Share of jobs that ask for (nearly) what they use.
  double default_share = 0.3;  ///< Share that asks for the class's default limit.
  double median_factor = 3;    ///< Of limit over true duration, for the others (log-normal).
  double sigma = 1;
  double default_s = 86400;
  double max_s = 14 * 86400.0;
};

/// A kind of work with published or fitted marginals.
struct JobClass {
  std::string name;
  std::string title;
  std::vector<SizeShare> sizes;
  std::vector<DurationComponent> durations;
  double duration_min_s = 10;
  double duration_max_s = 30 * 86400.0;
  double duration_size_exponent = 0;  ///< Durations scale with gpus^this.
  std::uint32_t rhythm = 0;           ///< Index into WorkloadMix::rhythms.
  LimitModel limit;
  double failed_share = 0.0;     ///< Fails by itself, early (see generator docs).
  double failed_early = 3;       ///< A failing job ends at duration x u^this, u uniform in (0, 1].
  double cancelled_share = 0.0;  ///< The user cancels it while it runs, at a constant hazard.
  double burst_mean = 1;         ///< Mean jobs submitted together (sweeps, swarms): geometric.
  double gpu_milli_share = 0;    ///< Share of one-GPU jobs that ask for a part of a GPU only.
  std::int32_t priority = 0;
  double checkpoint_interval_s = 0;  ///< 0 = none.
  bool preemptible = false;
  /// What its jobs draw on average and at most, as shares of what lies between idle and nameplate.
  double power_typical = 1;
  double power_peak = 1;
  std::vector<std::string> gpu_types;  ///< Names that will do, best first; empty = any.
  std::string level;                   ///< Preferred fabric level, or empty.
  bool level_required = false;
  double cpu_milli_per_gpu = 0;
  double memory_mib_per_gpu = 0;
  LegalWishes law;
  std::uint32_t segment =
      0;                  ///< Gangs are blocks of so many nodes inside the fleet's lowest level; 0 = none.
  std::string exclusive;  ///< Fabric level, or `node`, of which jobs have whole ones to themselves.
  std::string spread;     ///< Fabric level over which gangs are spread.
  bool spread_required = false;
  bool keep_on_failure = false;
  /// Gangs are elastic: what was drawn is the least, this many times as many nodes the most; 1 = they are
  /// not.
  double elastic_factor = 1;
  double elastic_scaling = 1;  ///< What each further node adds, as a share of what one of the first does.
  double flexible_share = 0;   ///< Of its jobs, that may wait for a cheaper hour; these have a deadline:
  double slack_s = 43200;      ///< so long after submission and limit together.
  WorkProfile work;            ///< What its jobs compute, for runs with physics.
  std::string source;
};

/// What one leaf tenant submits.
struct TenantDemand {
  TenantId tenant;
  double load = 0;  ///< Mean GPUs kept busy, in GPUs.
  struct ClassShare {
    std::uint32_t job_class = 0;  ///< Index into WorkloadMix::classes.
    double share = 1;             ///< Of the tenant's GPU time.
  };
  std::vector<ClassShare> classes;
};

struct WorkloadMix {
  std::vector<Rhythm> rhythms;
  std::vector<JobClass> classes;
  std::vector<TenantDemand> tenants;
  Nanoseconds duration = days(28);
  std::uint32_t start_weekday = 0;  ///< 0 = Monday.
  double start_hour = 0;            ///< Local time at the run's zero.
};

}  // namespace gw
