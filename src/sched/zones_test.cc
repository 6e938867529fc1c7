// Zones in the core: no job ever runs where it may not, whatever fails, changes or moves.
#include <gtest/gtest.h>

#include <map>

#include "sched/codec.h"
#include "sched/core.h"
#include "sched/random_case.h"

namespace gw::sched {
namespace {

using random_case::Driver;

/// Each node in one of a few zones, in runs or mixed.
void add_zones(Rng& rng, Fleet& fleet) {
  const auto zones = static_cast<std::uint32_t>(rng.between(1, 4));
  for (std::uint32_t zone = 0; zone < zones; ++zone) {
    fleet.zones.emplace_back().name = "zone-" + std::to_string(zone);
    fleet.zones.back().certifications = {fleet.zones.back().name};
  }
  const double change = rng.chance(0.5) ? 0.1 : 0.7;
  std::uint8_t zone = 0;
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) {
    if (rng.chance(change)) zone = static_cast<std::uint8_t>(rng.below(zones));
    fleet.zone_of_node.push_back(zone);
  }
}

std::uint64_t random_mask(Rng& rng, const Fleet& fleet) {
  if (rng.chance(0.2)) return 0;
  if (rng.chance(0.1)) return Shape::kNoZone;
  return 1 + rng.below((std::uint64_t{1} << fleet.zones.size()) - 1);
}

std::string plan_bytes(const Plan& plan) {
  ByteWriter out;
  encode(out, plan);
  return out.take();
}

/// Where each job of a plan's starts would be, seen from the fleet's nodes alone.
void expect_lawful(const Core& core, const Fleet& fleet, const Plan& plan,
                   const std::map<std::uint32_t, std::uint64_t>& masks) {
  for (const Plan::Start& start : plan.starts) {
    const std::uint64_t mask = masks.at(start.job.value());
    std::uint32_t nodes = 0;
    for (const Piece& piece : start.placement.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node, ++nodes) {
        const NodeId of_fleet = core.state().fleet_node(start.placement, node);
        const std::uint8_t zone = fleet.zone_of_node[of_fleet.value()];
        EXPECT_TRUE(mask == 0 || ((mask >> zone) & 1U) != 0)
            << "job " << start.job.value() << " on node " << of_fleet.value() << " in zone " << int{zone};
      }
    }
    EXPECT_GT(nodes, 0U);
  }
}

/// The law changes under way for jobs that wait and for jobs that run; a replica joins from a snapshot.
void play(const PolicyConfig& policy, std::uint64_t seed) {
  Rng rng = Rng(seed).split("zones");
  Fleet fleet = random_case::random_fleet(rng);
  add_zones(rng, fleet);
  ASSERT_EQ(check_fleet(fleet), "");
  random_case::WorkloadWish wish;
  wish.jobs = 60;
  wish.mean_gap_s = rng.between(1, 80);
  random_case::Workload workload = random_workload(rng, fleet, wish);
  std::map<std::uint32_t, std::uint64_t> masks;
  for (std::uint32_t job = 0; job < workload.jobs.size(); ++job)
    masks[job] = workload.jobs[job].request.shape.zones = random_mask(rng, fleet);
  Core core(fleet, policy);
  std::unique_ptr<Core> other;
  Driver driver(workload);
  const std::uint64_t join = rng.below(60);
  for (std::uint64_t pass = 0; !driver.done(); ++pass) {
    std::vector<Event> events = driver.next();
    if (rng.chance(0.4)) {
      const auto job = static_cast<std::uint32_t>(rng.below(workload.jobs.size()));
      bool touched = core.job(JobId{job}) == nullptr;  // Or it has just left.
      for (const Event& event : events) touched = touched || event.job == JobId{job};
      if (!touched) events.push_back(Event::job_zones(JobId{job}, masks[job] = random_mask(rng, fleet)));
    }
    for (const Event& event : events) {
      // One that ran on where it may not, and is rejected when its node fails, must not be touched again.
      if (event.kind == EventKind::kJobZones && core.job(event.job) == nullptr) continue;
      core.apply(event, driver.now());
      if (other) other->apply(event, driver.now());
    }
    const Plan& plan = core.plan(driver.now());
    driver.planned(plan);
    expect_lawful(core, fleet, plan, masks);
    ASSERT_EQ(core.check(), "") << "pass " << pass;
    for (const Plan::Rejection& rejection : plan.rejections) {
      if (masks[rejection.job.value()] == 0) {
        ASSERT_EQ(rejection.reason, Reason::kNever);
      }
    }
    if (other) {
      ASSERT_EQ(plan_bytes(other->plan(driver.now())), plan_bytes(plan)) << "pass " << pass;
      ASSERT_EQ(other->snapshot(), core.snapshot()) << "pass " << pass;
    } else if (pass == join) {
      other = std::make_unique<Core>(fleet, policy);
      ASSERT_TRUE(other->restore(core.snapshot())) << "pass " << pass;
    }
  }
  EXPECT_EQ(core.state().jobs.size(), 0U);
}

TEST(Zones, NoJobRunsWhereItMayNot) {
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
      SCOPED_TRACE(std::string(policy.name) + ", seed " + std::to_string(seed));
      play(*policy_by_name(policy.name), seed);
      if (testing::Test::HasFailure()) return;
    }
  }
}

/// Two nodes of eight GPUs, each in a zone of its own.
Fleet two_zones() {
  Fleet fleet = flat_fleet(2, 8);
  for (const char* name : {"a", "b"}) {
    fleet.zones.emplace_back().name = name;
    fleet.zones.back().country = name;
  }
  fleet.zone_of_node = {0, 1};
  return fleet;
}

Event job(std::uint32_t id, std::uint32_t nodes, std::uint32_t gpus, std::uint64_t zones) {
  JobRequest request;
  request.shape.nodes = nodes;
  request.shape.gpus = gpus;
  request.shape.zones = zones;
  request.tenant = TenantId{0};
  request.limit = hours(1);
  return Event::job_submitted(JobId{id}, request);
}

TEST(Zones, AGangNeverSpansZonesAndARefusalSaysWhetherRulesDidIt) {
  Core core(two_zones(), PolicyConfig{});
  core.apply(job(0, 2, 8, 0), Instant{});               // Two nodes, but no two in one zone.
  core.apply(job(1, 1, 8, Shape::kNoZone), Instant{});  // It would fit, if it might.
  core.apply(job(2, 1, 9, Shape::kNoZone), Instant{});  // It would not.
  core.apply(job(3, 1, 8, 2), Instant{});
  const Plan& plan = core.plan(Instant{});
  ASSERT_EQ(plan.rejections.size(), 3U);
  EXPECT_EQ(plan.rejections[0].reason, Reason::kNever);
  EXPECT_EQ(plan.rejections[1].reason, Reason::kRule);
  EXPECT_EQ(plan.rejections[2].reason, Reason::kNever);
  ASSERT_EQ(plan.starts.size(), 1U);
  EXPECT_EQ(core.state().fleet_node(plan.starts[0].placement, 0), NodeId{1});
}

TEST(Zones, WhatRunsWhereItMayNotAnyMoreFinishesAndIsNotStartedThereAgain) {
  Core core(two_zones(), PolicyConfig{});
  core.apply(job(0, 1, 8, 1), Instant{});
  core.apply(job(1, 1, 8, 1), Instant{});
  ASSERT_EQ(core.plan(Instant{}).starts.size(), 1U);
  const Instant later = Instant{} + minutes(1);
  core.apply(Event::job_zones(JobId{0}, 2), later);
  EXPECT_TRUE(core.plan(later).empty());
  EXPECT_TRUE(core.job(JobId{0})->running && core.job(JobId{0})->finishes);
  EXPECT_EQ(core.check(), "");
  core.apply(Event::job_requeued(JobId{0}), later);
  const Plan& plan = core.plan(later);
  ASSERT_EQ(plan.starts.size(), 2U);  // Each where it may be.
  EXPECT_FALSE(core.job(JobId{0})->finishes);
  EXPECT_EQ(core.state().zone_of(*core.job(JobId{0})), 1U);
  EXPECT_EQ(core.state().zone_of(*core.job(JobId{1})), 0U);
  core.apply(Event::job_zones(JobId{0}, Shape::kNoZone), later);
  core.apply(Event::node_down(NodeId{1}), later);
  const Plan& last = core.plan(later);
  EXPECT_EQ(last.interrupted, std::vector<JobId>{JobId{0}});
  ASSERT_EQ(last.rejections.size(), 1U);
  EXPECT_EQ(last.rejections[0].reason, Reason::kRule);
  EXPECT_EQ(core.check(), "");
}

TEST(Zones, AReservationIsGivenUpWhenItsJobMayNotBeThere) {
  Core core(two_zones(), *policy_by_name("easy"));
  core.apply(job(0, 1, 8, 1), Instant{});
  core.apply(job(1, 1, 8, 2), Instant{});
  core.apply(job(2, 1, 8, 1), Instant{});
  core.plan(Instant{});
  ASSERT_EQ(core.promise().job, JobId{2});
  const Instant later = Instant{} + minutes(1);
  core.apply(Event::job_zones(JobId{2}, 2), later);
  core.apply(Event::job_ended(JobId{0}), later);  // Its old place is free, and is not its own any more.
  EXPECT_TRUE(core.plan(later).starts.empty());
  EXPECT_EQ(core.promise().job, JobId{2});
  core.apply(Event::job_ended(JobId{1}), later);
  ASSERT_EQ(core.plan(later).starts.size(), 1U);
  EXPECT_EQ(core.state().zone_of(*core.job(JobId{2})), 1U);
}

TEST(Zones, AMoveGoesByTheFactsOfZones) {
  const Fleet before = two_zones();
  Core core(before, PolicyConfig{});
  core.apply(job(0, 1, 8, 1), Instant{});
  core.apply(job(1, 1, 8, 2), Instant{});
  ASSERT_EQ(core.plan(Instant{}).starts.size(), 2U);

  Fleet after = before;  // The zones change places, their facts stay: nothing happens.
  std::swap(after.zones[0], after.zones[1]);
  after.zone_of_node = {1, 0};
  Core same(after, PolicyConfig{});
  Core::Moved moved = same.move_from(core, before, after, core.now());
  EXPECT_TRUE(moved.interrupted.empty() && moved.rejected.empty());
  EXPECT_EQ(same.check(), "");

  after.zones[1].country = "elsewhere";  // Node 0 is now where job 0 was never allowed.
  Core other(after, PolicyConfig{});
  moved = other.move_from(core, before, after, core.now());
  EXPECT_EQ(moved.rejected, std::vector<JobId>{JobId{0}});
  EXPECT_EQ(other.state().running_jobs(), 1U);
  EXPECT_EQ(other.check(), "");

  Core asked(after, PolicyConfig{});  // Unless who knows the law says that it is.
  moved = asked.move_from(core, before, after, core.now(),
                          [](const Job& each) { return each.id == JobId{0} ? 3U : 2U; });
  EXPECT_TRUE(moved.rejected.empty());
  EXPECT_EQ(moved.interrupted, std::vector<JobId>{JobId{1}});  // Its node 1 is in zone 0.
  EXPECT_EQ(asked.check(), "");
}

/// Random moves of random states: whatever runs on is in a zone with the facts of one it was allowed.
TEST(Zones, AfterAMoveNothingRunsInAZoneThatItDidNotHave) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Rng rng = Rng(seed).split("moves");
    Fleet fleet = random_case::random_fleet(rng);
    add_zones(rng, fleet);
    random_case::Workload workload = random_case::random_workload(rng, fleet, {});
    for (random_case::Scripted& each : workload.jobs) each.request.shape.zones = random_mask(rng, fleet);
    Core core(fleet, *policy_by_name("gigawerk"));
    Driver driver(workload);
    for (std::uint64_t passes = 5 + rng.below(60); passes > 0 && !driver.done(); --passes) {
      for (const Event& event : driver.next()) core.apply(event, driver.now());
      driver.planned(core.plan(driver.now()));
    }
    Fleet after = fleet;
    for (std::uint8_t& zone : after.zone_of_node) {
      if (rng.chance(0.3)) zone = static_cast<std::uint8_t>(rng.below(after.zones.size()));
    }
    if (rng.chance(0.5)) after.zones[rng.below(after.zones.size())].country = "new";
    Core moved(after, *policy_by_name("gigawerk"));
    (void)moved.move_from(core, fleet, after, driver.now());
    ASSERT_EQ(moved.check(), "");
    moved.state().jobs.for_each([&](const Job& each) {
      const std::uint64_t mask = workload.jobs[each.id.value()].request.shape.zones;
      if (!each.running || mask == 0) return;
      const Zone& here = after.zones[moved.state().zone_of(each)];
      bool had = false;
      for (std::size_t zone = 0; zone < fleet.zones.size(); ++zone)
        had = had || (((mask >> zone) & 1U) != 0 && fleet.zones[zone].certifications == here.certifications &&
                      fleet.zones[zone].country == here.country);
      EXPECT_TRUE(had) << "job " << each.id.value();
    });
  }
}

}  // namespace
}  // namespace gw::sched
