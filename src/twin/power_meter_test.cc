// A grid event in the twin: clocks are capped, jobs take longer and none is lost, and the report says for how
// long a feed was above its cap.
#include "twin/power_meter.h"

#include <gtest/gtest.h>

#include <map>

#include "twin/twin.h"
#include "workload/list_stream.h"

namespace gw::twin {
namespace {

/// Four nodes of 8 GPUs, 2 kW idle and 10 kW at most; one site with a feed of 40 kW.
Fleet small_site() {
  Fleet fleet = flat_fleet(4, 8);
  GpuType gpu;
  gpu.name = "h100";
  gpu.power_floor_permille = 600;
  gpu.floor_speed_permille = 800;
  fleet.gpu_types.push_back(gpu);
  fleet.node_types[0].gpu_type = 0;
  fleet.node_types[0].power_idle = Milliwatts{2'000'000};
  fleet.node_types[0].power_max = Milliwatts{10'000'000};
  fleet.feed.push_back({Partition{"site", {0, 4}}, {Milliwatts{40'000'000}}, {"lab"}});
  return fleet;
}

struct Outcome {
  RunSummary summary;
  std::map<std::string, double> end_s;
  std::map<std::string, std::uint32_t> restarts;
};

Outcome run(const PowerSchedule& schedule) {
  const Fleet fleet = small_site();
  TenantTree tenants;
  const TenantId tenant = tenants.add(TenantTree::root(), "lab");
  std::vector<TraceJob> jobs;
  for (int index = 0; index < 4; ++index) {
    TraceJob job;
    job.id = std::to_string(index);
    job.request.shape.nodes = 1;
    job.request.shape.gpus = 8;
    job.request.tenant = tenant;
    job.request.limit = seconds(1000);
    job.request.preemptible = index == 3;
    job.truth.run_time = seconds(1000);
    jobs.push_back(job);
  }
  workload::ListStream stream(jobs, tenants);
  TwinOptions options;
  options.policy = *policy_by_name("easy");
  options.power = schedule;
  options.check_every = 1;
  Outcome outcome;
  options.on_job = [&](const JobRecord& job, const TenantTree&) -> Result<void> {
    outcome.end_s[std::string(job.id)] = to_seconds(job.end);
    outcome.restarts[std::string(job.id)] = job.restarts;
    return {};
  };
  Result<RunSummary> summary = run_twin(fleet, stream, options);
  EXPECT_TRUE(summary.has_value());
  outcome.summary = std::move(*summary);
  return outcome;
}

PowerSchedule event(std::int64_t at_s, std::int64_t for_s, std::int64_t kw) {
  PowerSchedule schedule;
  schedule.events.push_back({Instant{} + seconds(at_s), Instant{} + seconds(at_s + for_s), 0, 0,
                             Milliwatts{kw * 1'000'000}, "grid"});
  return schedule;
}

TEST(PowerMeter, WithoutEventsNothingBinds) {
  const Outcome outcome = run({});
  EXPECT_FALSE(outcome.summary.power.limited);
  EXPECT_NEAR(outcome.end_s.at("0"), 1000, 1e-6);
  EXPECT_NEAR(outcome.summary.power.energy_mwh, 0.04 * 1000 / 3600, 1e-9);
}

TEST(PowerMeter, AGridEventSlowsAllAndStopsNobody) {
  const Outcome outcome = run(event(100, 400, 32));
  const PowerSummary& power = outcome.summary.power;
  ASSERT_TRUE(power.limited);
  ASSERT_EQ(power.feeds.size(), 1U);
  EXPECT_EQ(power.feeds[0].name, "lab");
  EXPECT_EQ(power.cap_changes, 2U);
  EXPECT_EQ(power.clock_orders, 8U);
  EXPECT_EQ(power.stopped_jobs, 0U);
  // Three quarters of the power, 87.5 % of the speed: 400 s do 350 s of work.
  for (const auto& [id, end] : outcome.end_s) EXPECT_NEAR(end, 1050, 0.001) << id;
  EXPECT_EQ(outcome.summary.jobs.timed_out, 0U);
  EXPECT_DOUBLE_EQ(power.feeds[0].longest_above_s, 5);  // Until the clocks show.
  EXPECT_EQ(power.late_feeds, 0U);
  EXPECT_NEAR(power.feeds[0].peak_mw, 0.04, 1e-12);
  EXPECT_NEAR(power.feeds[0].cap_min_mw, 0.032, 1e-12);
  EXPECT_NEAR(power.energy_mwh, (0.04 * 1050 - 0.008 * 395) / 3600, 1e-9);
}

TEST(PowerMeter, ADeepEventStopsThePreemptibleJob) {
  const Outcome outcome = run(event(100, 400, 26));
  EXPECT_EQ(outcome.summary.power.stopped_jobs, 1U);
  EXPECT_EQ(outcome.restarts.at("3"), 1U);
  EXPECT_EQ(outcome.restarts.at("0"), 0U);
  EXPECT_GE(outcome.end_s.at("3"), 1500);  // It has no checkpoints, and starts when the event is over.
}

TEST(PowerMeter, ACapThatCannotBeMetIsSaid) {
  const Outcome outcome = run(event(100, 400, 5));  // Below idle power.
  EXPECT_EQ(outcome.summary.power.late_feeds, 1U);
  EXPECT_DOUBLE_EQ(outcome.summary.power.longest_above_s, 400);
}

TEST(PowerMeter, EventsThatOverlapLeaveTheLowestCap) {
  PowerSchedule schedule = event(100, 100, 30);
  schedule.events.push_back(event(150, 100, 20).events[0]);
  const std::vector<CapStep> steps = cap_steps(small_site(), schedule);
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[0].cap.count(), 30'000'000);
  EXPECT_EQ(steps[1].cap.count(), 20'000'000);
  EXPECT_EQ(steps[2].cap.count(), 20'000'000);
  EXPECT_EQ(steps[3].cap.count(), 40'000'000);
}

/// Energy is dear for six hours, then cheap; two of four jobs may wait.
RunSummary run_by_price(bool shift) {
  Fleet fleet = small_site();
  fleet.sites.resize(1);
  fleet.sites[0].name = "lab";
  fleet.sites[0].pue = 1.5;
  TenantTree tenants;
  const TenantId tenant = tenants.add(TenantTree::root(), "lab");
  std::vector<TraceJob> jobs;
  for (int index = 0; index < 4; ++index) {
    TraceJob job;
    job.id = std::to_string(index);
    job.request.shape.nodes = 1;
    job.request.shape.gpus = 8;
    job.request.tenant = tenant;
    job.request.limit = hours(2);
    job.request.flexible = index >= 2;
    if (index >= 2) job.request.deadline = Instant{} + hours(12);
    job.truth.run_time = hours(2);
    jobs.push_back(job);
  }
  workload::ListStream stream(jobs, tenants);
  TwinOptions options;
  options.policy = *policy_by_name("easy");
  options.check_every = 1;
  SiteEnergy site;
  site.pue = 1.5;
  site.price.daily = {100'000, 40'000, 40'000, 100'000};
  site.carbon.steps = {{Instant{}, 300'000}};
  options.power.energy = {site};
  options.power.shift = shift;
  Result<RunSummary> summary = run_twin(fleet, stream, options);
  EXPECT_TRUE(summary.has_value());
  return std::move(*summary);
}

TEST(PowerMeter, EnergyCostsWhatItDoesWhenItIsUsed) {
  const RunSummary now = run_by_price(false);
  // 8 kW idle and 32 kW of work for two hours, times the PUE.
  EXPECT_TRUE(now.energy.priced && now.energy.carbon);
  EXPECT_NEAR(now.energy.mwh, 0.120, 1e-9);
  EXPECT_NEAR(now.energy.euros, 12, 1e-6);
  EXPECT_NEAR(now.energy.tonnes, 0.120 * 0.3, 1e-9);
  EXPECT_EQ(now.energy.shifted_jobs, 0U);
  EXPECT_EQ(now.energy.flexible_jobs, 2U);
  const RunSummary later = run_by_price(true);
  EXPECT_NEAR(later.last_end_s, 8 * 3600, 1e-6);
  // Six hours more of idle nodes; half of the work at 40 EUR/MWh.
  EXPECT_NEAR(later.energy.mwh, 0.192, 1e-9);
  EXPECT_NEAR(later.energy.euros, 120 * 0.1 + 72 * 0.04, 1e-6);
  ASSERT_EQ(later.energy.sites.size(), 1U);
  EXPECT_EQ(later.energy.sites[0].name, "lab");
  EXPECT_EQ(later.energy.shifted_jobs, 2U);
  EXPECT_NEAR(later.energy.shifted_hours, 12, 1e-9);
  EXPECT_EQ(later.energy.late_jobs, 0U);
}

}  // namespace
}  // namespace gw::twin
