// Drained nodes, decisions taken over from elsewhere, and the move of a whole state to another fleet or
// policy.
#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "sched/codec.h"
#include "sched/core.h"
#include "sched/random_case.h"

namespace gw::sched {
namespace {

using random_case::Driver;

/// Nodes of `gpus` GPUs each under one switch.
Fleet small_fleet(std::uint32_t nodes, std::uint32_t gpus) {
  Fleet fleet;
  fleet.name = "small";
  fleet.gpu_types.emplace_back().name = "h100";
  NodeType type;
  type.name = "box";
  type.gpu_type = 0;
  type.gpus = gpus;
  fleet.node_types.push_back(type);
  fleet.node_type_of.assign(nodes, 0);
  fleet.fabric.push_back({"site", {0, nodes}});
  return fleet;
}

JobRequest request_of(std::uint32_t nodes, std::uint32_t gpus, std::uint32_t gpu_milli = 0) {
  JobRequest request;
  request.shape.nodes = nodes;
  request.shape.gpus = gpus;
  request.shape.gpu_milli = gpu_milli;
  request.tenant = TenantId{0};
  request.limit = hours(1);
  return request;
}

std::vector<std::uint32_t> started(const Plan& plan) {
  std::vector<std::uint32_t> jobs;
  for (const Plan::Start& start : plan.starts) jobs.push_back(start.job.value());
  return jobs;
}

TEST(Drain, WhatRunsGoesOnAndNothingNewStarts) {
  for (const PolicyName& policy : policy_names()) {
    SCOPED_TRACE(policy.name);
    Core core(small_fleet(1, 8), *policy_by_name(policy.name));
    core.apply(Event::job_submitted(JobId{0}, request_of(1, 2)), Instant{});
    core.apply(Event::job_submitted(JobId{1}, request_of(1, 0, 500)), Instant{});
    EXPECT_EQ(core.plan(Instant{}).starts.size(), 2U);
    const Instant later = Instant{} + minutes(1);
    core.apply(Event::node_closed(NodeId{0}), later);
    core.apply(Event::job_submitted(JobId{2}, request_of(1, 1)), later);
    core.apply(Event::job_submitted(JobId{3}, request_of(1, 0, 250)), later);
    const Plan& closed = core.plan(later);
    EXPECT_TRUE(closed.empty());
    EXPECT_EQ(core.check(), "");
    EXPECT_EQ(core.state().free_gpus(), 0);
    EXPECT_EQ(core.state().down_gpus(), 5);  // 8 less 2 and less the one that is shared.
    EXPECT_EQ(core.state().running_jobs(), 2U);
    core.apply(Event::job_ended(JobId{0}), later + minutes(1));
    EXPECT_TRUE(core.plan(later + minutes(1)).empty());
    EXPECT_EQ(core.state().down_gpus(), 7);
    EXPECT_EQ(core.check(), "");
    core.apply(Event::node_reopened(NodeId{0}), later + minutes(2));
    EXPECT_EQ(started(core.plan(later + minutes(2))), (std::vector<std::uint32_t>{2, 3}));
    EXPECT_EQ(core.check(), "");
  }
}

TEST(Drain, AReservationLeavesAClosedNode) {
  Core core(small_fleet(3, 1), *policy_by_name("easy"));
  core.apply(Event::job_submitted(JobId{0}, request_of(3, 1)), Instant{});
  core.plan(Instant{});
  core.apply(Event::job_submitted(JobId{1}, request_of(2, 1)), Instant{});
  core.plan(Instant{});
  EXPECT_EQ(core.promise().job, JobId{1});
  const Instant later = Instant{} + minutes(1);
  core.apply(Event::node_closed(NodeId{0}), later);
  core.plan(later);
  core.apply(Event::job_ended(JobId{0}), later + minutes(1));
  EXPECT_EQ(started(core.plan(later + minutes(1))), std::vector<std::uint32_t>{1});
  EXPECT_EQ(core.job(JobId{1})->placement.pieces.front().node, 1U);
}

TEST(Weight, ANewWeightDecidesFromThenOn) {
  PolicyConfig policy = *policy_by_name("gigawerk");
  Core core(small_fleet(1, 1), policy);
  core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  std::uint32_t next = 0;
  Instant now;
  const auto submit = [&](std::uint32_t tenant) {
    JobRequest request = request_of(1, 1);
    request.tenant = TenantId{tenant};
    core.apply(Event::job_submitted(JobId{next++}, request), now);
  };
  submit(1);
  core.plan(now);
  for (int index = 0; index < 3; ++index) submit(1), submit(2);
  core.plan(now);
  core.apply(Event::tenant_weight(TenantId{1}, 1000), now);
  now = now + minutes(30);
  core.apply(Event::job_ended(JobId{0}), now);
  const Plan& plan = core.plan(now);
  ASSERT_EQ(plan.starts.size(), 1U);
  // Tenant 2 has used nothing yet and comes first; after that tenant 1 counts a thousandth.
  EXPECT_EQ(core.job(plan.starts[0].job)->request.tenant, TenantId{2});
  std::map<std::uint32_t, int> starts;
  for (int round = 0; round < 3; ++round) {
    JobId running;
    core.state().jobs.for_each([&](const Job& job) { running = job.running ? job.id : running; });
    now = now + minutes(30);
    core.apply(Event::job_ended(running), now);
    for (const Plan::Start& start : core.plan(now).starts)
      ++starts[core.job(start.job)->request.tenant.value()];
  }
  EXPECT_EQ(starts[1], 3);
}

std::string plan_bytes(const Plan& plan) {
  ByteWriter out;
  encode(out, plan);
  return out.take();
}

/// One core decides, another takes over what it decided.
TEST(Adopt, GivesTheSameJobsTheSamePlaces) {
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      SCOPED_TRACE(std::string(policy.name) + ", seed " + std::to_string(seed));
      Rng rng(seed);
      const Fleet fleet = random_case::random_fleet(rng);
      const random_case::Workload workload = random_case::random_workload(rng, fleet, {});
      Core core(fleet, *policy_by_name(policy.name));
      Core other(fleet, *policy_by_name("fifo"));
      Driver driver(workload);
      while (!driver.done()) {
        const std::vector<Event> events = driver.next();
        for (const Event& event : events) {
          core.apply(event, driver.now());
          other.apply(event, driver.now());
        }
        const Plan& plan = core.plan(driver.now());
        driver.planned(plan);
        ASSERT_EQ(other.adopt(plan, driver.now()), "");
        ASSERT_EQ(other.check(), "");
        ASSERT_EQ(other.state().running_jobs(), core.state().running_jobs());
        ASSERT_EQ(other.state().free_gpus(), core.state().free_gpus());
      }
    }
  }
}

TEST(Adopt, SaysWhatIsNotPossible) {
  const Fleet fleet = small_fleet(1, 1);
  Core core(fleet, PolicyConfig{});
  core.apply(Event::job_submitted(JobId{0}, request_of(1, 1)), Instant{});
  Plan plan;
  plan.starts.push_back({JobId{0}, {0, 0, {{0, 1, 2}}}});  // Its GPU 1, which it does not have.
  EXPECT_NE(core.adopt(plan, Instant{}), "");
  EXPECT_EQ(core.check(), "");
  EXPECT_EQ(core.plan(Instant{}).starts.size(), 1U);
}

/// The fleet without some of its nodes, in the same order: their names stay, as a feed level says them.
struct Shrunk {
  Fleet before;
  Fleet after;
};

Shrunk shrink(Rng& rng, Fleet fleet) {
  FeedLevel racks;
  racks.partition.level = "rack";
  racks.partition.first.resize(fleet.nodes() + 1);
  std::iota(racks.partition.first.begin(), racks.partition.first.end(), 0U);
  racks.capacity.assign(fleet.nodes(), Milliwatts{0});
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node)
    racks.names.push_back("r" + std::to_string(node));
  fleet.feed.push_back(racks);
  Shrunk shrunk{fleet, fleet};
  Fleet& after = shrunk.after;
  after.node_type_of.clear();
  after.feed[0].names.clear();
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) {
    if (rng.chance(0.2) && after.nodes() > 0) continue;
    after.node_type_of.push_back(fleet.node_type_of[node]);
    after.feed[0].names.push_back(fleet.feed[0].names[node]);
  }
  after.feed[0].partition.first.resize(after.nodes() + 1);
  after.feed[0].capacity.resize(after.nodes());
  after.fabric = {{"site", {0, after.nodes()}}};
  return shrunk;
}

TEST(Move, ToFewerNodesAndAnotherPolicyKeepsWhatIsPossible) {
  std::uint64_t interrupted = 0;
  std::uint64_t kept = 0;
  std::uint64_t rejected = 0;
  for (std::uint64_t seed = 1; seed <= 120; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Shrunk fleets = shrink(rng, random_case::random_fleet(rng));
    ASSERT_EQ(check_fleet(fleets.after), "");
    const random_case::Workload workload = random_case::random_workload(rng, fleets.before, {});
    const std::vector<PolicyName>& names = policy_names();
    Core core(fleets.before, *policy_by_name(names[rng.below(names.size())].name));
    Driver driver(workload);
    for (std::uint64_t pass = rng.below(80); pass > 0 && !driver.done(); --pass) {
      for (const Event& event : driver.next()) core.apply(event, driver.now());
      driver.planned(core.plan(driver.now()));
    }
    Core moved(fleets.after, *policy_by_name(names[rng.below(names.size())].name));
    const Core::Moved result = moved.move_from(core, fleets.before, fleets.after, driver.now());
    ASSERT_EQ(moved.check(), "");
    EXPECT_EQ(moved.state().running_jobs() + result.interrupted.size() + result.rejected.size() >=
                  core.state().running_jobs(),
              true);
    moved.state().jobs.for_each([&](const Job& job) {
      if (!job.running) return;
      ++kept;
      const Job* before = core.job(job.id);
      ASSERT_TRUE(before != nullptr && before->running);
      std::vector<std::string> nodes_before, nodes_after;
      for (const Piece& piece : before->placement.pieces) {
        for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
          nodes_before.push_back(fleets.before.node_name(core.state().fleet_node(before->placement, node)));
      }
      for (const Piece& piece : job.placement.pieces) {
        for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
          nodes_after.push_back(fleets.after.node_name(moved.state().fleet_node(job.placement, node)));
      }
      EXPECT_EQ(nodes_before, nodes_after);
    });
    interrupted += result.interrupted.size();
    rejected += result.rejected.size();
    EXPECT_EQ(moved.state().jobs.size() + result.rejected.size(), core.state().jobs.size());
    const std::string snapshot = (moved.plan(driver.now()), moved.snapshot());
    Core again(fleets.after, moved.state().policy);
    EXPECT_TRUE(again.restore(snapshot));
    EXPECT_EQ(moved.check(), "");
  }
  EXPECT_GT(kept, 100U);
  EXPECT_GT(interrupted, 20U);
  EXPECT_GT(rejected, 20U);
}

TEST(Move, ToTheSameFleetGoesOnAlike) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const Fleet fleet = random_case::random_fleet(rng);
    const random_case::Workload workload = random_case::random_workload(rng, fleet, {});
    Core core(fleet, *policy_by_name("fifo"));
    Driver driver(workload);
    for (int pass = 0; pass < 40 && !driver.done(); ++pass) {
      for (const Event& event : driver.next()) core.apply(event, driver.now());
      driver.planned(core.plan(driver.now()));
    }
    Core moved(fleet, *policy_by_name("fifo"));
    const Core::Moved result = moved.move_from(core, fleet, fleet, driver.now());
    EXPECT_TRUE(result.interrupted.empty() && result.rejected.empty());
    moved.plan(driver.now());
    while (!driver.done()) {  // First come, first served has no memory: both decide alike to the end.
      const std::vector<Event> events = driver.next();
      for (const Event& event : events) {
        core.apply(event, driver.now());
        moved.apply(event, driver.now());
      }
      const Plan& plan = core.plan(driver.now());
      ASSERT_EQ(plan_bytes(moved.plan(driver.now())), plan_bytes(plan));
      driver.planned(plan);
    }
  }
}

}  // namespace
}  // namespace gw::sched
