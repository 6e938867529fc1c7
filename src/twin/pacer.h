// Pacer: how fast each running job works in a run with physics, and when it will be done.
#pragma once

#include <cstdint>
#include <vector>

#include "base/id_table.h"
#include "base/result.h"
#include "model/job.h"
#include "sched/state.h"
#include "twin/fabric_view.h"
#include "twin/link_shares.h"
#include "twin/run_summary.h"
#include "twin/speed_table.h"

namespace gw::twin {

/// Work is counted as time at the pace 1: of a job of that size at its best on the first GPU type that can do
/// it (SpeedTable::reference). The pace of an attempt follows from where it is, from its clocks, and from
/// what else is on the links that it crosses.
class Pacer {
 public:
  /// `setup` outlives it.
  Pacer(const Fleet& fleet, const PhysicsSetup& setup);
  Pacer(const Pacer&) = delete;
  Pacer& operator=(const Pacer&) = delete;

  [[nodiscard]] bool paces(std::uint8_t job_class, const Shape& shape) const {
    return table_.knows(job_class, shape);
  }

  /// What start() must know.
  struct Attempt {
    JobId job;
    std::uint8_t job_class = 0;
    std::uint64_t gpu_types = 0;   ///< That the job takes, as Shape::gpu_types.
    std::uint32_t least_gpus = 0;  ///< Of its size when it was submitted.
    std::uint32_t gpu_type = 0;    ///< Where it is.
    Instant works_from;            ///< Its restart is over.
    Nanoseconds work;              ///< To be done.
    bool first = false;
  };
  /// The job works alone on its links until settle(). An Error: it cannot work on those GPUs at all.
  Result<void> start(const Attempt& attempt, const sched::Placement& placement, const sched::Pool& pool);
  /// `permille`: of the free clocks.
  void set_clock(JobId job, std::uint32_t permille, Instant now);
  /// It is off its GPUs. Of no effect for a job that is not paced.
  void stop(JobId job, Instant now);

  /// Shares the links out again, once for all that changed at `now`; the jobs whose end has moved.
  const std::vector<JobId>& settle(Instant now);

  [[nodiscard]] bool has(JobId job) const { return jobs_.find(job) != nullptr; }
  /// When all of its work will be done at the present pace.
  [[nodiscard]] Instant end(JobId job) const;
  /// Work of this attempt until `now`.
  [[nodiscard]] Nanoseconds done(JobId job, Instant now) const;

  [[nodiscard]] PhysicsSummary summary() const;

 private:
  struct Paced {
    JobId id;
    std::uint8_t job_class = 0;
    std::uint32_t gpu_type = 0;
    std::uint32_t gpus = 0;
    std::uint32_t per_domain = 0;
    std::uint32_t alone_share = 1000;  ///< Of its ports that its links carry while nobody else is there.
    std::uint32_t clock = 1000;
    std::uint32_t share = 1000;
    double best = 0;       ///< Paces: at its best on this GPU type,
    double placed = 0;     ///< where it is, with free clocks and alone,
    double clocked = 0;    ///< and with its clocks.
    double work = 0;       ///< Nanoseconds at the pace 1: of the attempt,
    double left = 0;       ///< and at `since`.
    double reference = 0;  ///< Units a second at the pace 1.
    Instant since;
    [[nodiscard]] double pace() const { return clocked * share / 1000; }
  };
  struct Sums {
    std::uint64_t jobs = 0;
    double gpu_ns = 0;
    double span = 0;
    double contention = 0;
    double caps = 0;
  };
  void advance(Paced& job, Instant now);

  FabricView fabric_;
  const PhysicsSetup& setup_;
  SpeedTable table_;
  LinkShares links_;
  IdTable<Paced> jobs_;
  std::vector<JobId> moved_;
  std::vector<Sums> sums_;  ///< By job class.
};

/// The time in which `work` (nanoseconds at the pace 1) is done at `pace` > 0: rounded up to whole
/// nanoseconds, which is the one place where physics becomes a run time of the core. At most kLongestSpan.
[[nodiscard]] Nanoseconds run_time_at(double work, double pace);

}  // namespace gw::twin
