// RunTimeModel: what part of their time limits the jobs of each tenant have used so far, and draws from it
// for jobs whose end is not known yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.h"
#include "base/units.h"

namespace gw::twin {

/// Observed run times over time limits, in (0, 1].
struct RunTimeModel {
  static constexpr std::size_t kKept = 64;   ///< Of one tenant.
  static constexpr std::size_t kEnough = 8;  ///< Fewer than this are not drawn from alone.

  std::vector<std::vector<double>> by_tenant;  ///< Of each tenant's own jobs, newest first; may be short.

  /// A job of `tenant` has ended after `run_time`. Its oldest observation makes way for the 65th.
  void observe(TenantId tenant, Nanoseconds run_time, Nanoseconds limit);
};

/// What is taken where fewer than kEnough jobs of the whole factory have been observed: the 5 % steps (2.5
/// %, 7.5 %,
/// ...) of 23,911 jobs of ALCF Theta, 2022 (4,360 nodes; public job logs): a third ends within a tenth of its
/// limit, another third at it.
std::span<const double> prior_fractions();

/// Draws from a model for a given tree of tenants. Each tenant's jobs are drawn from its own observations if
/// there are enough, else from those of the nearest tenant above it that has enough with all below it, else
/// from the prior. Safe to use from several threads.
class RunTimeSampler {
 public:
  /// `parents[t]` is the parent of tenant t; the root is tenant 0, and parents come before their children.
  RunTimeSampler(const RunTimeModel& model, std::span<const TenantId> parents);

  /// The run time in all of a job of that limit that has run for `elapsed` already: > elapsed if that is
  /// under the limit, else `elapsed`. `uniform` in [0, 1) picks one of the observations that are still
  /// possible.
  [[nodiscard]] Nanoseconds draw(TenantId tenant, Nanoseconds limit, Nanoseconds elapsed,
                                 double uniform) const;

  /// Ascending; what the jobs of a tenant are drawn from.
  [[nodiscard]] std::span<const double> fractions(TenantId tenant) const;

 private:
  static constexpr std::uint32_t kPrior = 0;
  std::uint32_t add_pool();

  std::vector<std::uint32_t> pool_of_;      ///< By tenant.
  std::vector<std::vector<double>> pools_;  ///< Each ascending and not empty; the first is the prior.
};

}  // namespace gw::twin
