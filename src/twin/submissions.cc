// A Poisson process for each tenant, its jobs resampled.
#include "twin/submissions.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace gw::twin {

std::vector<Arrival> sample_submissions(const SubmissionModel& model, Instant from, Instant to, const Rng& rng,
                                     std::size_t most) {
  std::vector<Arrival> arrivals;
  for (const SubmissionModel::OfTenant& tenant : model.tenants) {
    if (tenant.per_hour <= 0) continue;
    GW_CHECK(!tenant.submitted.empty());
    Rng draws = rng.split(tenant.tenant.value());
    const double mean_ns = static_cast<double>(hours(1).count()) / tenant.per_hour;
    std::size_t of_tenant = 0;
    for (double offset = draws.exponential(mean_ns); of_tenant < most;) {
      if (offset >= static_cast<double>((to - from).count())) break;
      const Instant when = from + Nanoseconds{std::llround(offset)};
      const SubmissionModel::Submission& submission = tenant.submitted[draws.below(tenant.submitted.size())];
      for (std::uint32_t task = 0; task < submission.tasks && of_tenant < most; ++task, ++of_tenant) {
        arrivals.push_back({when, submission.request});
        arrivals.back().request.submit = when;
      }
      offset += draws.exponential(mean_ns);
    }
  }
  // Equal times keep the order of the tenants.
  std::stable_sort(arrivals.begin(), arrivals.end(),
                   [](const Arrival& a, const Arrival& b) { return a.when < b.when; });
  if (arrivals.size() > most) arrivals.resize(most);
  return arrivals;
}

}  // namespace gw::twin
