// Any bytes as a snapshot: a core refuses them, or goes on from them with all its invariants.
//
// The first byte picks policy and fleet, the rest is the snapshot.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "sched/core.h"
#include "sched/random_case.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using gw::sched::Event;
  if (size == 0) return 0;
  const std::vector<gw::PolicyName>& policies = gw::policy_names();
  const gw::PolicyConfig policy = *gw::policy_by_name(policies[data[0] % policies.size()].name);
  gw::Rng rng(data[0] / policies.size());
  gw::Fleet fleet = gw::sched::random_case::random_fleet(rng);
  if (data[0] / policies.size() == 0) fleet = gw::flat_fleet(12);  // Decided on counts alone.
  gw::sched::Core core(fleet, policy);
  if (!core.restore(std::string_view(reinterpret_cast<const char*>(data) + 1, size - 1))) return 0;
  GW_CHECK(core.check().empty());
  gw::sched::Core copy(fleet, policy);
  GW_CHECK(copy.restore(core.snapshot()));
  GW_CHECK(copy.snapshot() == core.snapshot());
  // Go on for a while: jobs end one by one, nodes fail and come back, new work arrives.
  std::vector<gw::JobId> jobs;
  core.state().jobs.for_each([&](const gw::sched::Job& job) { jobs.push_back(job.id); });
  std::sort(jobs.begin(), jobs.end());
  const gw::Instant now = gw::sched::kLastInstant;
  for (std::size_t step = 0; step < 24; ++step) {
    core.plan(now);
    GW_CHECK(core.check().empty());
    const gw::NodeId node{static_cast<std::uint32_t>(rng.below(fleet.nodes()))};
    core.apply(step % 3 == 0 ? Event::node_down(node) : Event::node_up(node), now);
    if (step < jobs.size()) {
      const gw::sched::Job* job = core.job(jobs[step]);
      if (job != nullptr)
        core.apply(job->running ? Event::job_ended(jobs[step]) : Event::job_cancelled(jobs[step]), now);
    }
    if (core.state().next_job > 0xffff0000U) continue;
    gw::JobRequest request;
    request.shape = gw::sched::random_case::random_shape(rng, fleet);
    request.tenant = gw::TenantId{0};
    request.limit = gw::hours(1);
    core.apply(Event::job_submitted(gw::JobId{core.state().next_job}, request), now);
  }
  core.plan(now);
  GW_CHECK(core.check().empty());
  return 0;
}
