// Elastic jobs: how many nodes they start with, who gives some up for whom, who gets more, and what holds
// throughout.
#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <memory>
#include <set>

#include "sched/codec.h"
#include "sched/core.h"
#include "sched/random_case.h"

namespace gw::sched {
namespace {

/// Sixteen nodes in four racks, two tenants, a clock in seconds.
class ElasticCase : public testing::Test {
 protected:
  static Fleet fleet() {
    Fleet fleet = flat_fleet(16, 8);
    fleet.fabric.insert(fleet.fabric.begin(), Partition{"rack", {0, 4, 8, 12, 16}});
    return fleet;
  }
  explicit ElasticCase(PolicyConfig with = *policy_by_name("gigawerk"))
      : ElasticCase(fleet(), std::move(with)) {}
  ElasticCase(const Fleet& of, PolicyConfig with) : policy(std::move(with)), core(of, policy) {
    for (int tenant = 0; tenant < 2; ++tenant) core.apply(Event::tenant_added(TenantId{0}, 1), now);
  }
  static JobRequest rigid(std::uint32_t nodes) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = 8;
    request.tenant = TenantId{1};
    request.limit = hours(10);
    return request;
  }
  static JobRequest elastic(std::uint32_t least, std::uint32_t most) {
    JobRequest request = rigid(least);
    request.nodes_min = least;
    request.nodes_max = most;
    request.checkpoint_interval = minutes(10);
    return request;
  }
  JobId submit(JobRequest request) {
    request.submit = now;
    const JobId id{core.state().next_job};
    core.apply(Event::job_submitted(id, request), now);
    return id;
  }
  void at(std::int64_t minute) { now = Instant{} + minutes(minute); }
  Plan plan() {
    Plan made = core.plan(now);
    EXPECT_EQ(core.check(), "");
    // A restored core says and holds the same.
    Core copy(the_fleet(), policy);
    EXPECT_TRUE(copy.restore(core.snapshot()));
    EXPECT_EQ(copy.snapshot(), core.snapshot());
    return made;
  }
  [[nodiscard]] virtual Fleet the_fleet() const { return fleet(); }
  std::uint32_t nodes(JobId job) { return node_count(core.job(job)->placement); }
  /// It has left; the next plan starts it again.
  void leave(JobId job) { core.apply(Event::job_requeued(job), now); }

  PolicyConfig policy;
  Instant now;
  Core core;
};

TEST_F(ElasticCase, StartsOnAsManyNodesAsAreFreeUpToTheMost) {
  const JobId most = submit(elastic(2, 6));
  plan();
  EXPECT_EQ(nodes(most), 6U);
  const JobId rest = submit(elastic(2, 12));
  plan();
  EXPECT_EQ(nodes(rest), 10U);
  const JobId none = submit(elastic(2, 12));
  plan();
  EXPECT_TRUE(core.job(none)->waits);
  EXPECT_EQ(core.job(none)->request.shape.nodes, 2U);
  core.apply(Event::job_ended(most), now);
  plan();
  EXPECT_EQ(nodes(none), 6U);
  EXPECT_EQ(core.state().allocated_milli(), 16 * 8 * 1000);
}

TEST_F(ElasticCase, OneThatKeepsToARackGetsNoMoreThanTheRackHas) {
  JobRequest request = elastic(2, 8);
  request.shape.level = 0;
  request.shape.level_required = true;
  submit(rigid(1));
  plan();
  const JobId job = submit(request);
  plan();
  EXPECT_EQ(nodes(job), 4U);
  EXPECT_EQ(core.job(job)->placement.span, 1);
}

TEST_F(ElasticCase, QuotaLimitsWhatItStartsWith) {
  QuotaTerms terms;
  terms.limit_milli = 5 * 8 * 1000;
  core.apply(Event::tenant_quota(TenantId{1}, kAllGpus, terms), now);
  const JobId job = submit(elastic(2, 12));
  plan();
  EXPECT_EQ(nodes(job), 5U);
  at(60);
  EXPECT_TRUE(plan().resizes.empty());  // Nor does it grow beyond.
}

TEST_F(ElasticCase, NeverTakesNodesThatAReservationHolds) {
  JobRequest first = rigid(10);
  first.limit = hours(1);
  submit(first);
  plan();
  const JobId gang = submit(rigid(14));
  plan();
  EXPECT_TRUE(core.job(gang)->waits);
  const JobId job = submit(elastic(1, 16));  // Its limit is later than the reservation.
  plan();
  EXPECT_EQ(nodes(job), 2U);
}

TEST_F(ElasticCase, GivesNodesUpForTheFirstWaitingJob) {
  const JobId job = submit(elastic(4, 16));
  plan();
  EXPECT_EQ(nodes(job), 16U);
  at(5);
  const JobId waiting = submit(rigid(6));
  EXPECT_TRUE(plan().preemptions.empty());  // It has run for five minutes only.
  at(35);
  const Plan made = plan();
  ASSERT_EQ(made.resizes.size(), 1U);
  EXPECT_EQ(made.resizes[0].job, job);
  EXPECT_FALSE(made.resizes[0].grows);
  EXPECT_EQ(node_count(made.resizes[0].placement), 10U);  // No more than the other needs.
  EXPECT_EQ(made.preemptions, (std::vector<Plan::Preemption>{{job, waiting}}));
  EXPECT_TRUE(core.job(waiting)->claims);
  at(36);
  leave(job);
  const Plan next = plan();
  EXPECT_EQ(next.starts.size(), 2U);
  EXPECT_EQ(nodes(job), 10U);
  EXPECT_EQ(nodes(waiting), 6U);
  EXPECT_EQ(core.job(job)->placement, made.resizes[0].placement);
  EXPECT_EQ(core.job(job)->expected_end, now + hours(10));
  ByteWriter out;
  encode(out, made);
  const std::string bytes = out.take();
  ByteReader in(bytes);
  EXPECT_EQ(decode_plan(in).resizes, made.resizes);
  EXPECT_TRUE(in.done());
}

TEST_F(ElasticCase, OneWithoutCheckpointsKeepsItsSize) {
  JobRequest request = elastic(4, 16);
  request.checkpoint_interval = Nanoseconds{0};
  const JobId job = submit(request);
  plan();
  at(60);
  const JobId waiting = submit(rigid(6));
  EXPECT_TRUE(plan().resizes.empty());
  EXPECT_TRUE(core.job(waiting)->waits);
  EXPECT_EQ(nodes(job), 16U);
}

TEST_F(ElasticCase, TheLeastIsKept) {
  const JobId job = submit(elastic(12, 16));
  plan();
  at(60);
  const JobId waiting = submit(rigid(6));
  EXPECT_TRUE(plan().resizes.empty());
  EXPECT_TRUE(core.job(waiting)->waits);
  EXPECT_EQ(nodes(job), 16U);
}

class StingyCase : public ElasticCase {
 protected:
  static PolicyConfig stingy() {
    PolicyConfig policy = *policy_by_name("gigawerk");
    policy.shrink_for_waiting = false;
    return policy;
  }
  StingyCase() : ElasticCase(stingy()) {}
};

TEST_F(StingyCase, NobodyShrinksForOthers) {
  submit(elastic(4, 16));
  plan();
  at(60);
  submit(rigid(6));
  EXPECT_TRUE(plan().resizes.empty());
}

class PriorityCase : public ElasticCase {
 protected:
  static PolicyConfig priority() {
    PolicyConfig policy = *policy_by_name("gigawerk");
    policy.preemption = PreemptionKind::kReclaimAndPriority;
    policy.shrink_for_waiting = false;
    return policy;
  }
  PriorityCase() : ElasticCase(priority()) {}
};

TEST_F(PriorityCase, ShrinkingComesBeforePreemption) {
  JobRequest cheap = rigid(4);
  cheap.preemptible = true;
  cheap.checkpoint_interval = minutes(1);
  const JobId other = submit(cheap);
  plan();
  const JobId job = submit(elastic(4, 12));
  plan();
  at(15);
  JobRequest urgent = rigid(8);
  urgent.priority = 1;
  const JobId first = submit(urgent);
  const Plan made = plan();
  EXPECT_EQ(made.preemptions, (std::vector<Plan::Preemption>{{job, first}}));
  EXPECT_EQ(made.resizes.size(), 1U);
  EXPECT_FALSE(core.job(other)->leaving);
}

TEST_F(PriorityCase, AVictimThatCanGoOnWithTheRestDoes) {
  JobRequest request = elastic(4, 12);
  request.preemptible = true;
  JobRequest cheap = rigid(4);
  cheap.preemptible = true;
  cheap.checkpoint_interval = minutes(5);
  const JobId other = submit(cheap);
  plan();
  const JobId job = submit(request);
  plan();
  at(15);
  JobRequest urgent = rigid(12);  // More than shrinking gives.
  urgent.priority = 1;
  const JobId first = submit(urgent);
  const Plan made = plan();
  EXPECT_EQ(made.preemptions.size(), 2U);
  ASSERT_EQ(made.resizes.size(), 1U);
  EXPECT_EQ(made.resizes[0].job, job);
  EXPECT_EQ(node_count(made.resizes[0].placement), 4U);
  at(16);
  leave(job);
  leave(other);
  plan();
  EXPECT_EQ(nodes(first), 12U);
  EXPECT_EQ(nodes(job), 4U);
  EXPECT_TRUE(core.job(other)->waits);
}

TEST_F(PriorityCase, ATenantGetsBackWhatIsGuaranteedToIt) {
  QuotaTerms terms;
  terms.guaranteed_milli = 8 * 8 * 1000;
  core.apply(Event::tenant_quota(TenantId{1}, kAllGpus, terms), now);
  core.apply(Event::tenant_quota(TenantId{2}, kAllGpus, terms), now);
  JobRequest request = elastic(2, 16);
  request.preemptible = true;
  const JobId job = submit(request);
  plan();
  EXPECT_EQ(nodes(job), 16U);
  at(15);
  JobRequest owed = rigid(6);
  owed.tenant = TenantId{2};
  const JobId other = submit(owed);
  const Plan made = plan();
  ASSERT_EQ(made.resizes.size(), 1U);
  EXPECT_EQ(node_count(made.resizes[0].placement), 10U);
  EXPECT_EQ(core.state().quota.used_milli(TenantId{1}, kAllGpus), 10 * 8 * 1000);
  leave(job);
  plan();
  EXPECT_EQ(nodes(other), 6U);
}

TEST_F(ElasticCase, GrowsOntoIdleNodesNearIt) {
  JobRequest small = rigid(10);
  small.limit = hours(1);
  const JobId other = submit(small);
  plan();
  const JobId job = submit(elastic(2, 10));
  plan();
  EXPECT_EQ(nodes(job), 6U);
  const Placement before = core.job(job)->placement;
  at(10);
  core.apply(Event::job_ended(other), now);
  EXPECT_TRUE(plan().resizes.empty());  // It has just begun.
  EXPECT_EQ(core.next_due(), Instant{} + minutes(30));
  at(30);
  const Plan made = plan();
  ASSERT_EQ(made.resizes.size(), 1U);
  EXPECT_TRUE(made.resizes[0].grows);
  EXPECT_EQ(node_count(made.resizes[0].placement), 10U);
  EXPECT_EQ(made.preemptions, (std::vector<Plan::Preemption>{{job, JobId{}}}));
  submit(rigid(7));  // The nodes are its own already: only six are left.
  plan();
  at(31);
  leave(job);
  const Plan next = plan();
  EXPECT_EQ(next.starts.size(), 1U);
  EXPECT_EQ(nodes(job), 10U);
  for (const Piece& piece : before.pieces) {
    bool kept = false;
    for (const Piece& now_has : core.job(job)->placement.pieces)
      kept = kept || (now_has.node <= piece.node && piece.node + piece.count <= now_has.node + now_has.count);
    EXPECT_TRUE(kept);
  }
}

TEST_F(ElasticCase, DoesNotGrowWhereARestartIsNotWorthIt) {
  JobRequest small = rigid(10);
  const JobId other = submit(small);
  JobRequest request = elastic(2, 10);
  plan();
  request.limit = minutes(40);
  submit(request);
  plan();
  core.apply(Event::job_ended(other), now);
  at(35);
  EXPECT_TRUE(plan().resizes.empty());
}

TEST_F(ElasticCase, WhoHasUsedLessGrowsFirst) {
  const JobId large = submit(rigid(14));
  plan();
  const JobId first = submit(elastic(2, 10));
  plan();
  core.apply(Event::job_ended(large), now);
  const JobId next = submit(rigid(12));
  JobRequest request = elastic(2, 10);
  request.tenant = TenantId{2};
  plan();
  const JobId second = submit(request);
  plan();
  ASSERT_EQ(nodes(first), 2U);
  ASSERT_EQ(nodes(second), 2U);
  at(30);
  core.apply(Event::job_ended(next), now);
  const Plan made = plan();
  ASSERT_EQ(made.resizes.size(), 2U);
  EXPECT_EQ(made.resizes[0].job, second);
  EXPECT_EQ(node_count(made.resizes[0].placement), 10U);
  EXPECT_EQ(node_count(made.resizes[1].placement), 6U);
}

TEST_F(ElasticCase, OneThatLosesANodeGoesOnWithTheOthers) {
  const JobId job = submit(elastic(2, 16));
  plan();
  at(5);
  core.apply(Event::node_down(NodeId{3}), now);
  const Plan made = plan();
  EXPECT_EQ(made.interrupted, std::vector<JobId>{job});
  ASSERT_EQ(made.starts.size(), 1U);
  EXPECT_EQ(made.resizes.size(), 1U);
  EXPECT_EQ(nodes(job), 15U);
  for (const std::uint32_t node : {4U, 5U})
    core.apply(Event::node_down(NodeId{node}), now);  // In one instant.
  plan();
  EXPECT_EQ(nodes(job), 13U);
}

TEST_F(ElasticCase, AJobThatResizesInPlaceRunsOn) {
  const JobId job = submit(elastic(4, 16));
  plan();
  const Instant end = core.job(job)->expected_end;
  at(35);
  const JobId waiting = submit(rigid(6));
  plan();
  EXPECT_LT(core.job(job)->expected_end, end);
  at(36);
  core.apply(Event::job_resized(job), now);
  const Plan made = plan();
  ASSERT_EQ(made.starts.size(), 1U);
  EXPECT_EQ(made.starts[0].job, waiting);
  EXPECT_EQ(nodes(job), 10U);
  EXPECT_EQ(core.job(job)->expected_end, end);
  core.apply(Event::job_resized(job), now);  // Told twice: nothing.
  plan();
  EXPECT_EQ(nodes(job), 10U);
}

TEST_F(ElasticCase, WhoIsCancelledWhileItResizesLeavesNothingBehind) {
  const JobId job = submit(elastic(4, 16));
  plan();
  at(35);
  const JobId waiting = submit(rigid(6));
  plan();
  core.apply(Event::job_cancelled(job), now);
  plan();
  EXPECT_EQ(nodes(waiting), 6U);
  const JobId rest = submit(rigid(10));
  plan();
  EXPECT_EQ(nodes(rest), 10U);
}

TEST_F(ElasticCase, ANodeOfItsNewPlaceThatIsLostEndsTheResize) {
  const JobId other = submit(rigid(10));
  plan();
  const JobId job = submit(elastic(2, 10));
  plan();
  core.apply(Event::job_ended(other), now);
  at(30);
  const Plan made = plan();
  ASSERT_EQ(made.resizes.size(), 1U);
  const std::uint32_t lost = made.resizes[0].placement.pieces.front().node;
  const bool own = core.job(job)->placement.pieces.front().node <= lost;
  core.apply(Event::node_down(NodeId{own ? made.resizes[0].placement.pieces.back().node : lost}), now);
  plan();
  if (core.job(job)->running && core.job(job)->leaving) leave(job);
  plan();
  EXPECT_TRUE(core.job(job)->running);
  EXPECT_GE(nodes(job), 9U);
}

/// Two rows of eight nodes of 1 kW each.
class PowerCase : public ElasticCase {
 protected:
  static Fleet powered() {
    Fleet fleet = ElasticCase::fleet();
    for (NodeType& type : fleet.node_types) {
      type.power_idle = Milliwatts{0};
      type.power_max = Milliwatts{1'000'000};
    }
    fleet.feed.push_back({Partition{"row", {0, 8, 16}}, {Milliwatts{0}, Milliwatts{0}}, {}});
    return fleet;
  }
  PowerCase() : ElasticCase(powered(), *policy_by_name("gigawerk")) {}
  [[nodiscard]] Fleet the_fleet() const override { return powered(); }
};

TEST_F(PowerCase, ACapIsMetByShrinkingBeforeAnythingIsStopped) {
  const JobId fixed = submit(rigid(4));
  plan();
  const JobId job = submit(elastic(2, 12));
  plan();
  ASSERT_EQ(nodes(job), 12U);
  at(5);
  core.apply(Event::feed_cap(0, 0, Milliwatts{5'000'000}, false), now);
  const Plan made = plan();
  EXPECT_EQ(made.stopped, std::vector<JobId>{job});
  ASSERT_EQ(made.resizes.size(), 1U);
  ASSERT_EQ(made.starts.size(), 1U);
  EXPECT_EQ(nodes(job), 9U);  // One of four in the row that has power for five, and eight in the other.
  EXPECT_TRUE(core.job(fixed)->running);
  core.apply(Event::feed_cap(0, 1, Milliwatts{1'000'000}, false), now);
  plan();
  EXPECT_EQ(nodes(job), 2U);
}

TEST_F(PowerCase, WhereShrinkingIsNotEnoughOthersStopToo) {
  const JobId fixed = submit(rigid(4));
  plan();
  const JobId job = submit(elastic(2, 12));
  plan();
  core.apply(Event::feed_cap(0, 1, Milliwatts{2'000'000}, false), now);
  core.apply(Event::feed_cap(0, 0, Milliwatts{3'000'000}, false), now);
  plan();
  EXPECT_FALSE(core.job(fixed)->running);
  EXPECT_TRUE(core.job(job)->running);
}

std::string plan_bytes(const Plan& plan) {
  ByteWriter out;
  encode(out, plan);
  return out.take();
}

/// Random fleets, quotas, faults and elastic jobs, under every policy. After every plan: all counts hold;
/// each resize is of a job that may be resized, within its bounds, at the place that it then gets; nobody's
/// size changes otherwise.
struct Counts {
  std::uint64_t grown = 0;
  std::uint64_t shrunk = 0;
  std::uint64_t came_back = 0;
  std::uint64_t wide = 0;
};

void play(std::uint64_t seed, Counts& counts) {
  Rng rng(seed);
  const Fleet fleet = random_case::random_fleet(rng);
  random_case::WorkloadWish wish;
  wish.elastic = true;
  wish.rules = rng.chance(0.5);
  wish.keeps = rng.chance(0.3);
  wish.mean_gap_s = rng.between(1, 200);
  const random_case::Workload workload = random_workload(rng, fleet, wish);
  PolicyConfig policy =
      *policy_by_name(rng.chance(0.7) ? "gigawerk" : policy_names()[seed % policy_names().size()].name);
  if (rng.chance(0.6)) policy.preemption = PreemptionKind::kReclaimAndPriority;
  policy.shrink_for_waiting = rng.chance(0.7);
  policy.resize_interval = seconds(rng.between(0, 600));
  policy.protected_run_time = seconds(rng.between(0, 300));
  policy.restart_estimate = seconds(rng.between(0, 60));
  auto core = std::make_unique<Core>(fleet, policy);
  std::unique_ptr<Core> restored;  // Joins from snapshots and must decide alike.
  random_case::Driver driver(workload, policy.grace);
  std::map<JobId, Placement> told;
  while (!driver.done()) {
    const std::vector<Event> events = driver.next(core->next_due());
    std::set<JobId> in_place;
    bool fault = false;
    for (const Event& event : events) {
      fault = fault || event.kind == EventKind::kNodeDown || event.kind == EventKind::kNodeClosed;
      if (event.kind == EventKind::kJobCancelled || event.kind == EventKind::kJobEnded) told.erase(event.job);
      core->apply(event, driver.now());
      if (event.kind != EventKind::kJobResized) continue;
      const Job& job = *core->job(event.job);
      if (job.leaving) continue;  // It was void.
      ASSERT_EQ(job.placement, told.at(event.job));
      told.erase(event.job);
      ++counts.came_back;
    }
    std::map<JobId, std::pair<std::uint32_t, Instant>> before;
    core->state().jobs.for_each([&](const Job& job) {
      if (job.running) before[job.id] = {job.request.shape.nodes, job.started};
    });
    const Plan& plan = core->plan(driver.now());
    driver.planned(plan);
    ASSERT_EQ(core->check(), "");
    if (restored) {
      for (const Event& event : events) restored->apply(event, driver.now());
      ASSERT_EQ(plan_bytes(restored->plan(driver.now())), plan_bytes(plan)) << "at " << driver.now().count();
      ASSERT_EQ(restored->snapshot(), core->snapshot());
    }
    for (const Plan::Start& start : plan.starts) {
      const Job& job = *core->job(start.job);
      counts.wide += job.request.is_elastic() && job.request.shape.nodes > job.request.nodes_min;
      if (const auto at = told.find(start.job); at != told.end()) {
        counts.came_back += start.placement == at->second;
        if (!fault) {
          ASSERT_TRUE(start.placement == at->second) << "job " << start.job.value();
        }
        told.erase(at);
      }
    }
    std::set<JobId> leaving;
    for (const Plan::Preemption& each : plan.preemptions) leaving.insert(each.job);
    for (const Plan::Resize& resize : plan.resizes) {
      const Job& job = *core->job(resize.job);
      const std::uint32_t nodes = node_count(resize.placement);
      ASSERT_GE(nodes, job.request.nodes_min);
      ASSERT_LE(nodes, job.request.nodes_max);
      (resize.grows ? counts.grown : counts.shrunk) += 1;
      if (!leaving.contains(resize.job)) continue;  // It was interrupted.
      ASSERT_TRUE(job.leaving && job.request.is_resizable());
      const auto& [had, started] = before.at(resize.job);
      ASSERT_EQ(resize.grows, nodes > had);
      ASSERT_NE(nodes, had);
      ASSERT_GE(driver.now() - started, resize.grows
                                            ? policy.resize_interval
                                            : std::min(policy.resize_interval, policy.protected_run_time));
      ASSERT_NE(policy.backfill, BackfillKind::kConservative);
      told[resize.job] = resize.placement;
    }
    if (fault)
      std::erase_if(told, [&](const auto& entry) { return !core->state().resizes.contains(entry.first); });
    if (!rng.chance(0.05)) continue;
    restored = std::make_unique<Core>(fleet, policy);
    ASSERT_TRUE(restored->restore(core->snapshot()));
    ASSERT_EQ(restored->snapshot(), core->snapshot());
  }
}

TEST(Elastic, KeepsWhatItSaysInWholeRuns) {
  Counts counts;
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    ASSERT_NO_FATAL_FAILURE(play(seed, counts)) << "seed " << seed;
  EXPECT_GT(counts.grown, 100U);
  EXPECT_GT(counts.shrunk, 100U);
  EXPECT_GT(counts.came_back, 150U);
  EXPECT_GT(counts.wide, 1000U);
}

}  // namespace
}  // namespace gw::sched
