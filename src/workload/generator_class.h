// ClassLaw: a job class made ready to draw from on one fleet: shapes, durations, outcomes and the mean GPU
// time that turns a wished load into a rate of arrivals.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "model/fleet.h"
#include "model/job.h"
#include "model/workload_mix.h"
#include "workload/generator_limit.h"
#include "workload/generator_quantile_table.h"
#include "workload/generator_shape.h"

namespace gw::workload {

/// What the jobs of one burst (an array, a sweep, a swarm) have in common.
struct Burst {
  std::uint64_t left = 0;  ///< Tasks still to be drawn.
  std::uint32_t size = 0;  ///< Index of the gang size.
  double rank = 0;         ///< Where the tasks' durations lie in their law, in [0, 1).
  double limit_s = 0;      ///< Asked by the first task; later ones ask more only where they need more.
  LimitHabit habit;
};

class ClassLaw {
 public:
  static Result<ClassLaw> make(const JobClass& job_class, const Fleet& fleet);

  /// A new submission: its number of tasks is geometric with mean `burst_mean`.
  [[nodiscard]] Burst draw_burst(Rng& rng) const;
  /// The next task of `burst` (left > 0): shape, limit and truth; leaves tenant, submit time and id alone.
  void draw_task(Burst& burst, Rng& rng, TraceJob& job) const;
  /// Of a job that has been drawn, and has its time of submission; zero: none.
  [[nodiscard]] Instant deadline_of(const JobRequest& request) const;

  /// E[GPUs x seconds] of one task, what is held while it runs; by numeric integration, equal to what is
  /// drawn.
  [[nodiscard]] double mean_gpu_seconds() const { return mean_gpu_seconds_; }
  [[nodiscard]] double burst_mean() const { return burst_mean_; }

 private:
  struct Size {
    Shape shape;
    double cumulative_share = 0;  ///< Ends at 1.
    std::uint32_t table = 0;      ///< Index into durations_.
  };

  explicit ClassLaw(const JobClass& job_class);
  [[nodiscard]] double share_of(std::size_t size) const;
  [[nodiscard]] double cancelled_probability(double hazard) const;
  void calibrate_cancellation(double share);
  [[nodiscard]] double mean_run_s(double duration_s) const;
  [[nodiscard]] double mean_run_s(double duration_s, double cut_s) const;
  void integrate_load();
  void draw_part_of_gpu(Rng& rng, Shape& shape) const;

  std::vector<Size> sizes_;
  std::vector<QuantileTable> durations_;
  LimitLaw limit_;
  double failed_share_;
  double failed_early_;
  double cancel_hazard_ = 0;  ///< Per second.
  double burst_mean_;
  double log_burst_continues_ = 0;  ///< ln of the probability that a burst has one more task.
  double gpu_milli_share_;
  std::int32_t priority_;
  Nanoseconds checkpoint_interval_;
  bool preemptible_;
  bool keep_on_failure_;
  double elastic_factor_;
  std::uint32_t scaling_permille_;
  double flexible_share_;
  Nanoseconds slack_;
  std::uint32_t power_permille_;
  double mean_gpu_seconds_ = 0;
};

}  // namespace gw::workload
