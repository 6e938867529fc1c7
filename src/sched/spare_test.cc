// A gang that loses a node and keeps the rest: where the spare comes from, and what holds throughout.
#include <gtest/gtest.h>

#include <set>

#include "sched/codec.h"
#include "sched/core.h"
#include "sched/random_case.h"

namespace gw::sched {
namespace {

/// Four racks of four nodes in two rows, one tenant, a clock in seconds.
class SpareCase : public testing::Test {
 protected:
  static Fleet fleet() {
    Fleet fleet = flat_fleet(16, 8);
    fleet.fabric.insert(fleet.fabric.begin(), Partition{"row", {0, 8, 16}});
    fleet.fabric.insert(fleet.fabric.begin(), Partition{"rack", {0, 4, 8, 12, 16}});
    return fleet;
  }
  SpareCase() : core(fleet(), *policy_by_name("gigawerk")) {
    core.apply(Event::tenant_added(TenantId{0}, 1), now);
  }
  JobId submit(std::uint32_t nodes, bool keeps = true) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = 8;
    return submit(request, keeps);
  }
  JobId submit(JobRequest request, bool keeps) {
    request.tenant = TenantId{1};
    request.limit = hours(1);
    request.keep_on_failure = keeps;
    const JobId id{core.state().next_job};
    core.apply(Event::job_submitted(id, request), now);
    return id;
  }
  void fail(std::uint32_t node) { core.apply(Event::node_down(NodeId{node}), now); }
  Plan plan() {
    Plan made = core.plan(now);
    EXPECT_EQ(core.check(), "");
    return made;
  }
  std::set<std::uint32_t> nodes(JobId job) {
    std::set<std::uint32_t> found;
    for (const Piece& piece : core.job(job)->placement.pieces) {
      for (std::uint32_t at = 0; at < piece.count; ++at) found.insert(piece.node + at);
    }
    return found;
  }
  Instant now;
  Core core;
};

TEST_F(SpareCase, ComesFromTheSameRack) {
  const JobId job = submit(3);
  plan();
  now = now + seconds(100);
  fail(1);
  const Plan made = plan();
  EXPECT_EQ(made.interrupted, std::vector<JobId>{job});
  EXPECT_EQ(made.replacements, (std::vector<Plan::Replacement>{{job, NodeId{1}, NodeId{3}}}));
  ASSERT_EQ(made.starts.size(), 1U);
  EXPECT_EQ(made.starts[0].placement, core.job(job)->placement);
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{0, 2, 3}));
  EXPECT_EQ(core.job(job)->placement.span, 1);
  EXPECT_EQ(core.job(job)->started, now);
  EXPECT_EQ(core.job(job)->expected_end, now + hours(1));  // The limit counts anew.
  ByteWriter out;
  encode(out, made);
  const std::string bytes = out.take();
  ByteReader in(bytes);
  EXPECT_EQ(decode_plan(in).replacements, made.replacements);
  EXPECT_TRUE(in.done());
}

TEST_F(SpareCase, ComesFromTheRowNextAndThenFromAnywhere) {
  const JobId job = submit(4);
  plan();
  fail(1);
  plan();
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{0, 2, 3, 4}));
  for (const std::uint32_t node : {5U, 6U, 7U}) fail(node);
  plan();
  fail(4);
  plan();
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{0, 2, 3, 8}));
}

TEST_F(SpareCase, WithoutOneTheJobWaitsAsAnyOther) {
  const JobId job = submit(16);
  plan();
  fail(1);
  const Plan made = plan();
  EXPECT_EQ(made.interrupted, std::vector<JobId>{job});
  EXPECT_TRUE(made.starts.empty());
  EXPECT_TRUE(made.replacements.empty());
  EXPECT_TRUE(core.job(job)->waits);
}

TEST_F(SpareCase, WhoDoesNotWishItWaits) {
  const JobId job = submit(4, false);
  plan();
  fail(1);
  const Plan made = plan();
  EXPECT_TRUE(made.replacements.empty());
  EXPECT_EQ(made.starts.size(), 1U);  // Elsewhere: there is room.
  EXPECT_EQ(core.job(job)->placement.pieces.front().node, 4U);
}

TEST_F(SpareCase, TwoFailuresInOneInstantAreOneInterruption) {
  const JobId job = submit(3);
  plan();
  fail(1);
  fail(3);  // The spare itself.
  const Plan made = plan();
  EXPECT_EQ(made.interrupted, std::vector<JobId>{job});
  ASSERT_EQ(made.starts.size(), 1U);
  EXPECT_EQ(made.starts[0].placement, core.job(job)->placement);
  EXPECT_EQ(made.replacements.size(), 2U);
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{0, 2, 4}));
}

TEST_F(SpareCase, WhoLeavesInTheSameInstantIsNotSpokenOf) {
  const JobId job = submit(3);
  plan();
  fail(1);
  core.apply(Event::job_cancelled(job), now);
  EXPECT_TRUE(plan().empty());
}

TEST_F(SpareCase, ABlockStaysInItsRack) {
  JobRequest request;
  request.shape.nodes = 6;
  request.shape.gpus = 8;
  request.shape.segment_nodes = 3;
  request.shape.segment_level = 0;
  const JobId job = submit(request, true);
  plan();
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{0, 1, 2, 4, 5, 6}));
  fail(5);
  plan();
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{0, 1, 2, 4, 6, 7}));
  fail(4);
  EXPECT_EQ(plan().replacements.size(), 0U);  // There is none in that rack.
}

TEST_F(SpareCase, ReplicasStayApart) {
  JobRequest request;
  request.shape.nodes = 4;
  request.shape.gpus = 8;
  request.shape.spread_level = 0;
  request.shape.spread_required = true;
  const JobId job = submit(request, true);
  plan();
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{0, 4, 8, 12}));
  fail(4);
  plan();
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{0, 5, 8, 12}));
}

TEST_F(SpareCase, NodesThatOthersHaveReservedAreNoSpares) {
  const JobId job = submit(2);
  plan();
  ASSERT_EQ(nodes(job), (std::set<std::uint32_t>{0, 1}));
  WindowTerms terms;
  terms.nodes = {NodeRun{NodeId{2}, 1}};
  terms.from = now + minutes(90);
  terms.length = hours(1);
  core.apply(Event::window_added(WindowId{0}, terms), now);
  now = now + minutes(45);  // Its hour begins anew with the spare node, and would reach into the window.
  fail(0);
  plan();
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{1, 3}));
}

TEST_F(SpareCase, WhatIsRequiredOfItsPlaceStillHolds) {
  JobRequest request;
  request.shape.nodes = 4;
  request.shape.gpus = 8;
  request.shape.level = 0;
  request.shape.level_required = true;
  const JobId job = submit(request, true);
  plan();
  fail(1);
  const Plan made = plan();
  EXPECT_TRUE(made.replacements.empty());
  EXPECT_EQ(nodes(job), (std::set<std::uint32_t>{4, 5, 6, 7}));  // Placed anew.
}

std::vector<std::uint32_t> nodes_of(const Placement& placement) {
  std::vector<std::uint32_t> nodes;
  for (const Piece& piece : placement.pieces) {
    for (std::uint32_t at = 0; at < piece.count; ++at) nodes.push_back(piece.node + at);
  }
  return nodes;
}

/// Whole runs: counts hold, a replacement changes the nodes that it names and no others, and nobody waits
/// while a node near it would have done.
void play(std::uint64_t seed, std::uint64_t& replaced, std::uint64_t& waited) {
  Rng rng(seed);
  const Fleet fleet = random_case::random_fleet(rng);
  random_case::WorkloadWish wish;
  wish.keeps = true;
  wish.shapes.groups = rng.chance(0.5);
  wish.rules = rng.chance(0.5);
  wish.mean_gap_s = rng.between(1, 60);
  const random_case::Workload workload = random_workload(rng, fleet, wish);
  const PolicyConfig policy =
      *policy_by_name(rng.chance(0.7) ? "gigawerk" : policy_names()[seed % policy_names().size()].name);
  auto core = std::make_unique<Core>(fleet, policy);
  random_case::Driver driver(workload, policy.grace);
  while (!driver.done()) {
    const std::vector<Event> events = driver.next(core->next_due());
    std::map<JobId, std::pair<std::uint32_t, std::multiset<std::uint32_t>>> before;
    for (const Event& event : events) {
      if (event.kind == EventKind::kNodeDown && before.empty()) {
        core->state().jobs.for_each([&](const Job& job) {
          if (!job.running) return;
          auto& [pool, nodes] = before[job.id];
          pool = job.placement.pool;
          for (const std::uint32_t node : nodes_of(job.placement))
            nodes.insert(core->state().pools[pool]->fleet_node(node).value());
        });
      }
      core->apply(event, driver.now());
    }
    const Plan& plan = core->plan(driver.now());
    driver.planned(plan);
    ASSERT_EQ(core->check(), "");
    std::set<JobId> kept;
    for (const Plan::Replacement& each : plan.replacements) {
      auto& [pool, nodes] = before.at(each.job);
      ASSERT_EQ(nodes.erase(each.failed.value()), 1U);
      nodes.insert(each.spare.value());
      kept.insert(each.job);
    }
    for (const JobId job : kept) {
      ++replaced;
      const Job* now = core->job(job);
      ASSERT_TRUE(now != nullptr && now->running);
      ASSERT_TRUE(now->request.keep_on_failure);
      std::multiset<std::uint32_t> nodes;
      for (const std::uint32_t node : nodes_of(now->placement))
        nodes.insert(core->state().pools[now->placement.pool]->fleet_node(node).value());
      ASSERT_EQ(nodes, before.at(job).second);
      ASSERT_EQ(std::count(plan.interrupted.begin(), plan.interrupted.end(), job), 1);
      ASSERT_EQ(std::count_if(plan.starts.begin(), plan.starts.end(),
                              [&](const Plan::Start& start) { return start.job == job; }),
                1);
    }
    for (const JobId job : plan.interrupted) {
      const Job* now = core->job(job);
      ASSERT_TRUE(now != nullptr);
      waited += now->waits && now->request.keep_on_failure;
    }
    if (!rng.chance(0.05)) continue;
    auto copy = std::make_unique<Core>(fleet, policy);
    ASSERT_TRUE(copy->restore(core->snapshot()));
    core = std::move(copy);
  }
}

TEST(Spare, KeepsWhatItSaysInWholeRuns) {
  std::uint64_t replaced = 0;
  std::uint64_t waited = 0;
  for (std::uint64_t seed = 1; seed <= 120; ++seed)
    ASSERT_NO_FATAL_FAILURE(play(seed, replaced, waited)) << "seed " << seed;
  EXPECT_GT(replaced, 60U);
  EXPECT_GT(waited, 15U);
}

}  // namespace
}  // namespace gw::sched
