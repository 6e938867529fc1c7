// SubmissionModel: what a factory's tenants have submitted of late, and futures drawn from it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/rng.h"
#include "base/units.h"
#include "model/job.h"

namespace gw::twin {

struct SubmissionModel {
  /// A job, or an array of so many.
  struct Submission {
    JobRequest request;  ///< `submit` is of no account.
    std::uint32_t tasks = 1;
  };
  struct OfTenant {
    TenantId tenant;
    double per_hour = 0;                ///< Submissions.
    std::vector<Submission> submitted;  ///< What they are drawn from; not empty.
  };
  std::vector<OfTenant> tenants;
};

struct Arrival {
  Instant when;
  JobRequest request;  ///< `submit` is `when`.
};

/// Submissions from `from` on and before `to`, in order of time: of each tenant at its rate and independent
/// of each other, each one that it has made before. No more than `most` jobs: then they end early.
std::vector<Arrival> sample_submissions(const SubmissionModel& model, Instant from, Instant to, const Rng& rng,
                                     std::size_t most);

}  // namespace gw::twin
