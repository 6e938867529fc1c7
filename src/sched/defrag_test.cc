// Plans of defragmentation: the cheapest domains, moves that are really possible, and nothing that is not so.
#include "sched/defrag.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "sched/random_case.h"
#include "sched/victim_search.h"

namespace gw::sched {
namespace {

Fleet racks(std::uint32_t racks, std::uint32_t nodes_each) {
  Fleet fleet = flat_fleet(racks * nodes_each, 8);
  Partition rack{"rack", {}};
  for (std::uint32_t at = 0; at <= racks; ++at) rack.first.push_back(at * nodes_each);
  fleet.fabric.insert(fleet.fabric.begin(), rack);
  return fleet;
}

/// Jobs of one tenant that start in the order of their submission, first fit, so that each place is known.
class DefragCase : public testing::Test {
 protected:
  DefragCase() : fleet(racks(4, 2)), policy(*policy_by_name("gigawerk")) {
    policy.placement = PlacementKind::kFirstFit;
    core = std::make_unique<Core>(fleet, policy);
    core->apply(Event::tenant_added(TenantId{0}, 1), now);
  }
  JobId start(std::uint32_t nodes, bool preemptible, std::int64_t ran_s, std::int64_t checkpoint_s = 0) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = 8;
    request.tenant = TenantId{1};
    request.limit = hours(100);
    request.preemptible = preemptible;
    request.checkpoint_interval = seconds(checkpoint_s);
    const JobId id{core->state().next_job};
    core->apply(Event::job_submitted(id, request), now);
    core->plan(now);
    now = now + seconds(ran_s);
    return id;
  }
  void end(JobId job) {
    core->apply(Event::job_ended(job), now);
    core->plan(now);
  }
  DefragPlan plan(std::uint32_t domains) {
    core->plan(now);
    Core copy(fleet, policy);
    EXPECT_TRUE(copy.restore(core->snapshot()));
    return plan_defrag(copy, {0, domains, 0});
  }
  Fleet fleet;
  PolicyConfig policy;
  Instant now;
  std::unique_ptr<Core> core;
};

TEST_F(DefragCase, TheCheapestDomainsAreFreedAndItsJobsMove) {
  start(1, true, 5000);  // Rack 0: loses much.
  const JobId gap = start(1, true, 0);
  start(1, false, 0);  // Rack 1: may not be stopped.
  const JobId gap1 = start(1, true, 0);
  const JobId young = start(1, true, 1000);  // Rack 2: the cheapest.
  const JobId gap2 = start(1, true, 0);
  for (const JobId job : {gap, gap1, gap2}) end(job);
  const DefragPlan one = plan(1);
  EXPECT_EQ(one.domains, 4U);
  EXPECT_EQ(one.free_now, 1U);
  EXPECT_EQ(one.stuck, 1U);
  ASSERT_EQ(one.freed.size(), 1U);
  EXPECT_EQ(one.freed[0].nodes, (std::vector<NodeId>{NodeId{4}, NodeId{5}}));
  EXPECT_EQ(one.freed[0].jobs, std::vector<JobId>{young});
  EXPECT_EQ(one.lost_gpu_milli_s, 8000LL * (1000 + 300));  // And five minutes for the restart.
  ASSERT_EQ(one.moves.size(), 1U);
  EXPECT_TRUE(one.moves[0].starts_at_once);
  EXPECT_EQ(one.moves[0].to.pieces.front().node, 1U);  // Beside another, not in the free rack.
  EXPECT_TRUE(one.verified);
  const DefragPlan two = plan(2);
  EXPECT_EQ(two.freed.size(), 2U);
  EXPECT_EQ(two.moves.size(), 2U);
  EXPECT_TRUE(two.verified);
  EXPECT_EQ(two.moves[0].starts_at_once + two.moves[1].starts_at_once, 1);  // One node is left for them.
  const DefragPlan many = plan(9);
  EXPECT_EQ(many.freed.size(), 2U);
  EXPECT_FALSE(many.complete({0, 9, 0}));
}

TEST_F(DefragCase, AJobOnTwoDomainsCountsOnce) {
  const JobId gap = start(1, true, 0);
  const JobId wide = start(2, true, 100);  // Half of rack 0 and half of rack 1.
  end(gap);
  const DefragPlan made = plan(2);
  ASSERT_EQ(made.freed.size(), 2U);
  EXPECT_EQ(made.freed[0].jobs, std::vector<JobId>{wide});
  EXPECT_TRUE(made.freed[1].jobs.empty());
  EXPECT_EQ(made.freed[1].lost_gpu_milli_s, 0);
  EXPECT_EQ(made.moves.size(), 1U);
}

TEST_F(DefragCase, ACheckpointMakesADomainCheap) {
  start(1, true, 0, 1000);
  const JobId gap = start(1, true, 4000);
  start(1, true, 10);
  end(gap);
  const DefragPlan made = plan(1);
  ASSERT_EQ(made.freed.size(), 1U);
  EXPECT_EQ(made.freed[0].nodes.front(), NodeId{0});
}

TEST_F(DefragCase, LostAndClosedNodesMakeNoDomain) {
  start(1, true, 10);
  core->apply(Event::node_down(NodeId{1}), now);
  core->apply(Event::node_closed(NodeId{2}), now);
  const DefragPlan made = plan(1);
  EXPECT_EQ(made.domains, 2U);
  EXPECT_EQ(made.free_now, 2U);
  EXPECT_TRUE(made.freed.empty());
}

/// Against all sets of domains on random states: what is chosen holds, and costs little more than the least.
TEST(Defrag, IsSoundAndNearTheLeastInRandomStates) {
  std::int64_t lost = 0;
  std::int64_t least = 0;
  int cases = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Rng rng(seed);
    random_case::FleetWish fleet_wish;
    fleet_wish.most_types = 2;
    const Fleet fleet = random_fleet(rng, fleet_wish);
    random_case::WorkloadWish wish;
    wish.rules = true;
    wish.jobs = 60;
    wish.mean_gap_s = rng.between(5, 40);
    const random_case::Workload workload = random_workload(rng, fleet, wish);
    const PolicyConfig policy = *policy_by_name("gigawerk");
    Core core(fleet, policy);
    random_case::Driver driver(workload, policy.grace);
    for (int step = 0; step < 40 && !driver.done(); ++step) {
      for (const Event& event : driver.next(core.next_due())) core.apply(event, driver.now());
      driver.planned(core.plan(driver.now()));
    }
    Core copy(fleet, policy);
    ASSERT_TRUE(copy.restore(core.snapshot()));
    const DefragWish want{0, static_cast<std::uint32_t>(rng.between(1, 3)), 0};
    const DefragPlan plan = plan_defrag(copy, want);
    ASSERT_EQ(copy.check(), "") << "seed " << seed;
    ASSERT_TRUE(plan.freed.empty() || plan.verified) << "seed " << seed;
    // By the core itself: who is on each domain, and may it go?
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::set<JobId>> candidates;
    for (std::uint32_t pool = 0; pool < core.state().pools.size(); ++pool) {
      const Pool& nodes = *core.state().pools[pool];
      if (nodes.gpus_per_node() == 0) continue;
      const std::vector<std::uint32_t>& bounds = nodes.fabric().levels[0].first;
      for (std::uint32_t vertex = 0; vertex + 1 < bounds.size(); ++vertex) {
        bool good = true;
        std::set<JobId> jobs;
        for (std::uint32_t node = bounds[vertex]; node < bounds[vertex + 1]; ++node)
          good = good && !nodes.is_off(node) && !nodes.is_held(node);
        core.state().jobs.for_each([&](const Job& job) {
          if (!job.running || job.placement.pool != pool) return;
          for (const Piece& piece : job.placement.pieces) {
            if (piece.node >= bounds[vertex + 1] || piece.node + piece.count <= bounds[vertex]) continue;
            jobs.insert(job.id);
            good = good && job.request.preemptible && !job.leaving;
          }
        });
        if (good && !jobs.empty()) candidates[{pool, vertex}] = jobs;
      }
    }
    ASSERT_EQ(plan.freed.size(), std::min<std::size_t>(want.domains, candidates.size())) << "seed " << seed;
    std::set<JobId> moved;
    for (const DefragPlan::Domain& domain : plan.freed) {
      const auto& jobs = candidates.at({domain.pool, domain.vertex});
      moved.insert(jobs.begin(), jobs.end());
    }
    ASSERT_EQ(moved.size(), plan.moves.size());
    if (plan.freed.size() != want.domains || candidates.size() > 12) continue;
    std::int64_t best = INT64_MAX;
    std::vector<std::set<JobId>> each;
    for (const auto& [place, jobs] : candidates) each.push_back(jobs);
    for (std::uint32_t set = 0; set < (1U << each.size()); ++set) {
      if (static_cast<std::uint32_t>(std::popcount(set)) != want.domains) continue;
      std::set<JobId> jobs;
      for (std::size_t at = 0; at < each.size(); ++at) {
        if ((set >> at) & 1U) jobs.insert(each[at].begin(), each[at].end());
      }
      std::int64_t cost = 0;
      for (const JobId job : jobs) cost += lost_work(core.state(), *core.job(job), core.now());
      best = std::min(best, cost);
    }
    ASSERT_GE(plan.lost_gpu_milli_s, best);
    lost += plan.lost_gpu_milli_s;
    least += best;
    ++cases;
  }
  EXPECT_GT(cases, 30);
  EXPECT_LE(static_cast<double>(lost), 1.25 * static_cast<double>(least)) << cases;
}

}  // namespace
}  // namespace gw::sched
