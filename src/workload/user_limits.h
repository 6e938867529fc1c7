// UserLimits: a recorded workload with arrivals pressed together, or with time limits as users would have
// asked for, where the log has none.
#pragma once

#include <cstdint>
#include <vector>

#include "base/rng.h"
#include "workload/generator_limit.h"
#include "workload/job_stream.h"

namespace gw::workload {

struct UserLimitsOptions {
  /// Gaps between arrivals are divided by this; > 0.
  double faster = 1;
  /// Give every job a limit drawn by the law of how users choose theirs (generator_limit.h); else the log's.
  /// One that is shorter than the run ends the job there.
  bool draw = false;
  std::uint64_t seed = 1;
};

/// Passes the jobs of `source` on. A tenant keeps its habit (how far it pads) for jobs of one size in a row,
/// nine times of ten: what a limit says of a run time differs by tenant and changes now and then, as in life.
class UserLimits final : public JobStream {
 public:
  /// `source` must outlive this.
  UserLimits(JobStream& source, const UserLimitsOptions& options);

  Result<bool> next(TraceJob& job) override;
  [[nodiscard]] const TenantTree& tenants() const override { return source_.tenants(); }
  [[nodiscard]] const std::vector<std::string>& gpu_types() const override { return source_.gpu_types(); }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return source_.classes(); }
  [[nodiscard]] const RowCounts& counts() const override { return source_.counts(); }

 private:
  struct User {
    LimitHabit habit;
    std::int64_t gpu_milli = -1;
  };
  void draw_limit(TraceJob& job);

  JobStream& source_;
  UserLimitsOptions options_;
  LimitLaw law_;
  Rng rng_;
  std::vector<User> users_;  ///< By tenant.
};

}  // namespace gw::workload
