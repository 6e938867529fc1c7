// One member of an ensemble, under EASY, with every run time at its limit.
#include "twin/point_estimate.h"

#include <algorithm>
#include <limits>

#include "base/check.h"
#include "sched/core.h"
#include "twin/forecast_member.h"

namespace gw::twin {

Result<std::vector<PointEstimate>> estimate_by_limits(const Fleet& fleet, const PolicyConfig& policy,
                                                      std::string_view snapshot, Instant now,
                                                      std::vector<JobId> jobs) {
  sched::Core present(fleet, policy);
  if (!present.restore(snapshot))
    return fail("estimate: the snapshot is not one of this fleet and policy; take it from the core asked");
  now = std::max(now, present.now());
  const std::optional<PolicyConfig> easy = policy_by_name("easy");
  GW_CHECK(easy.has_value());
  sched::Core core(fleet, *easy);
  core.move_from(present, fleet, fleet, now);

  std::vector<JobId> waiting;
  core.state().jobs.for_each([&](const sched::Job& job) {
    if (!job.running) waiting.push_back(job.id);
  });
  std::sort(waiting.begin(), waiting.end());
  std::sort(jobs.begin(), jobs.end());
  std::vector<std::uint32_t> asked;
  for (const JobId job : jobs) {
    const auto at = std::lower_bound(waiting.begin(), waiting.end(), job);
    if (at != waiting.end() && *at == job) asked.push_back(static_cast<std::uint32_t>(at - waiting.begin()));
  }
  RunTimeModel all_of_it;
  all_of_it.by_tenant.emplace_back(RunTimeModel::kEnough, 1.0);  // The root's: all tenants draw from it.
  std::vector<TenantId> parents{TenantId{}};
  for (std::uint32_t tenant = 1; tenant < core.state().pending.fair_share().tenants(); ++tenant)
    parents.push_back(core.state().pending.fair_share().parent(TenantId{tenant}));
  const RunTimeSampler run_times(all_of_it, parents);
  const std::vector<std::uint32_t> kinds(waiting.size(), RunTimeSampler::kUnnamed);
  const ForecastTask task{waiting, asked, kinds, now, sched::kLastInstant, 0, run_times};
  const ForecastMember member = run_member(core, task, Rng(1), std::numeric_limits<std::uint64_t>::max());
  std::vector<PointEstimate> estimates;
  for (const std::uint32_t job : asked) estimates.push_back({waiting[job], member.starts.starts[job]});
  return estimates;
}

}  // namespace gw::twin
