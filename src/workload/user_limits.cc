// Limits by the habits of users, and faster arrivals.
#include "workload/user_limits.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace gw::workload {
namespace {

/// Everybody pads: there is no default limit that tells nothing, which would flatter whoever does not trust
/// limits.
LimitModel padded_limits() {
  LimitModel model;
  model.exact_share = 0.1;
  model.default_share = 0;
  model.max_s = 60 * 86400.0;
  return model;
}

}  // namespace

UserLimits::UserLimits(JobStream& source, const UserLimitsOptions& options)
    : source_(source), options_(options), law_(padded_limits()), rng_(Rng(options.seed).split("limits")) {
  GW_CHECK(options.faster > 0);
}

Result<bool> UserLimits::next(TraceJob& job) {
  Result<bool> more = source_.next(job);
  if (!more || !*more) return more;
  if (options_.faster != 1) {
    job.request.submit =
        Instant{std::llround(static_cast<double>(job.request.submit.count()) / options_.faster)};
  }
  if (options_.draw) draw_limit(job);
  return more;
}

void UserLimits::draw_limit(TraceJob& job) {
  constexpr double kNewHabit = 0.1;
  const std::size_t tenant = job.request.tenant.value();
  if (tenant >= users_.size()) users_.resize(tenant + 1);
  User& user = users_[tenant];
  const std::int64_t gpu_milli = job.request.shape.total_gpu_milli();
  if (user.gpu_milli != gpu_milli || rng_.chance(kNewHabit)) user.habit = law_.draw(rng_);
  user.gpu_milli = gpu_milli;
  job.request.limit =
      seconds(std::llround(law_.limit_s(user.habit, std::max(to_seconds(job.truth.run_time), 1.0))));
  if (job.truth.run_time <= job.request.limit) return;
  job.truth.run_time = job.request.limit;
  job.truth.outcome = JobOutcome::kTimeout;
}

}  // namespace gw::workload
