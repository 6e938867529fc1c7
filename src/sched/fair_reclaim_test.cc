// Reclaim to fair shares: who is below what it deserves takes from who is above it, and nobody takes back.
#include <gtest/gtest.h>

#include <map>

#include "base/rng.h"
#include "sched/core.h"

namespace gw::sched {
namespace {

PolicyConfig to_fair_share() {
  PolicyConfig policy = *policy_by_name("gigawerk");
  policy.reclaim_to = ReclaimTarget::kFairShare;
  policy.protected_run_time = seconds(60);
  policy.grace = seconds(30);
  return policy;
}

/// Until nobody is told to go any more, each of whom is gone 10 s later; how many were.
std::size_t settle(Core& core, Instant& now) {
  std::size_t told = 0;
  for (int quiet = 0; quiet < 4 && told < 2000;) {
    const Plan made = core.plan(now);
    EXPECT_EQ(core.check(), "");
    told += made.preemptions.size();
    quiet = made.preemptions.empty() ? quiet + 1 : 0;
    now = now + seconds(made.preemptions.empty() ? 70 : 10);
    for (const Plan::Preemption& each : made.preemptions) core.apply(Event::job_requeued(each.job), now);
  }
  return told;
}

/// 16 nodes of 8 GPUs; tenants 1 and 2, and a clock in seconds.
class FairReclaim : public testing::Test {
 protected:
  explicit FairReclaim(const PolicyConfig& policy = to_fair_share()) : core(flat_fleet(16, 8), policy) {
    core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
    core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  }
  void at(std::int64_t second) { now = Instant{} + seconds(second); }
  JobId submit(std::uint32_t tenant, std::uint32_t nodes, std::int32_t priority = 0,
               bool preemptible = true) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = 8;
    request.tenant = TenantId{tenant};
    request.submit = now;
    request.limit = hours(100);
    request.priority = priority;
    request.preemptible = preemptible;
    const JobId id{core.state().next_job};
    core.apply(Event::job_submitted(id, request), now);
    return id;
  }
  void submit_many(std::uint32_t tenant, int jobs) {
    while (jobs-- > 0) submit(tenant, 1);
  }
  Plan plan() {
    Plan made = core.plan(now);
    EXPECT_EQ(core.check(), "");
    return made;
  }
  std::size_t settle() { return gw::sched::settle(core, now); }
  [[nodiscard]] std::int64_t gpus(std::uint32_t tenant) const {
    return core.state().quota.used_milli(TenantId{tenant}, kAllGpus) / 1000;
  }
  Core core;
  Instant now;
};

class GuaranteesOnly : public FairReclaim {
 protected:
  GuaranteesOnly()
      : FairReclaim([] {
          PolicyConfig policy = to_fair_share();
          policy.reclaim_to = ReclaimTarget::kGuarantee;
          return policy;
        }()) {}
};

TEST_F(FairReclaim, WhoComesLaterGetsItsShareAndNoMore) {
  submit_many(1, 20);
  plan();
  at(4000);
  submit_many(2, 20);
  EXPECT_EQ(settle(), 8U);
  EXPECT_EQ(gpus(1), 64);
  EXPECT_EQ(gpus(2), 64);
  at(50'000);
  EXPECT_EQ(settle(), 0U);  // Nor does anybody take it back.
}

TEST_F(GuaranteesOnly, NobodyLeavesWhereNothingIsGuaranteed) {
  submit_many(1, 20);
  plan();
  at(4000);
  submit_many(2, 20);
  EXPECT_EQ(settle(), 0U);
}

TEST_F(FairReclaim, SharesGoByWeightAndByWhatIsAskedFor) {
  core.apply(Event::tenant_added(TenantId{0}, 6), now);
  submit_many(1, 20);
  plan();
  at(4000);
  submit_many(2, 1);
  submit_many(3, 20);
  settle();
  EXPECT_EQ(gpus(2), 8);
  EXPECT_EQ(gpus(3), 96);  // 6/7 of 120 are 102: one node more would be beyond it.
  EXPECT_EQ(gpus(1), 24);
}

TEST_F(FairReclaim, WhoWouldFallBelowItsShareKeepsItsJob) {
  const JobId large = submit(1, 12);
  const JobId small = submit(1, 4);
  plan();
  at(4000);
  submit_many(2, 20);
  EXPECT_EQ(settle(), 1U);
  EXPECT_TRUE(core.job(large)->running);
  EXPECT_TRUE(core.job(small)->waits);
  EXPECT_EQ(gpus(2), 32);
}

TEST_F(FairReclaim, WhatIsNotPreemptibleOrProtectedStays) {
  submit(1, 12, 0, false);
  submit(1, 4);
  plan();
  at(30);
  submit_many(2, 20);
  EXPECT_TRUE(plan().preemptions.empty());
  at(100);
  EXPECT_EQ(settle(), 1U);
  EXPECT_EQ(gpus(2), 32);
}

TEST_F(FairReclaim, AJobLargerThanTheShareTakesNothing) {
  submit_many(1, 16);
  plan();
  at(4000);
  submit(2, 9);
  EXPECT_TRUE(plan().preemptions.empty());
  submit(2, 8);
  EXPECT_EQ(plan().preemptions.size(), 8U);  // Behind it in the order, and within the share.
}

TEST_F(FairReclaim, BelowATenantItsShareIsDividedToo) {
  core.apply(Event::tenant_added(TenantId{1}, 1), now);  // 3 and 4, below 1.
  core.apply(Event::tenant_added(TenantId{1}, 1), now);
  submit_many(3, 8);
  submit_many(2, 8);
  plan();
  at(4000);
  submit_many(2, 8);
  submit_many(4, 8);
  EXPECT_EQ(settle(), 4U);
  EXPECT_EQ(gpus(2), 64);
  EXPECT_EQ(gpus(3), 32);
  EXPECT_EQ(gpus(4), 32);
}

/// Tenant 1 has its share, and more below it; who takes from 2 must be within both.
TEST_F(FairReclaim, EveryLevelUpToWhereTheTwoPartCounts) {
  core.apply(Event::tenant_added(TenantId{1}, 1), now);
  core.apply(Event::tenant_added(TenantId{1}, 1), now);
  submit(3, 8, 0, false);  // All of what 1 deserves; 4 deserves half of it, and cannot have it.
  submit_many(2, 8);
  plan();
  at(4000);
  submit_many(4, 8);
  submit_many(2, 8);
  EXPECT_EQ(settle(), 0U);
}

TEST_F(FairReclaim, AGuaranteeIsHadAndTheRestIsShared) {
  QuotaTerms terms;
  terms.guaranteed_milli = 96'000;
  core.apply(Event::tenant_quota(TenantId{2}, kAllGpus, terms), now);
  submit_many(1, 20);
  plan();
  at(4000);
  submit_many(2, 20);
  settle();
  EXPECT_EQ(gpus(2), 112);
  EXPECT_EQ(gpus(1), 16);
}

TEST_F(FairReclaim, PriorityTakesNothingFromWhoIsWithinItsShare) {
  submit_many(1, 8);
  submit_many(2, 8);
  plan();
  at(4000);
  for (int job = 0; job < 8; ++job) submit(2, 1, 5);
  EXPECT_EQ(settle(), 8U);  // Of its own tenant.
  EXPECT_EQ(gpus(1), 64);
}

TEST_F(FairReclaim, WhoIsBelowItsShareComesFirst) {
  submit_many(1, 16);
  plan();
  at(40'000);
  submit_many(2, 16);
  settle();
  ASSERT_EQ(gpus(1), 64);
  // Tenant 2 has used far less. One node is for its job that holds the reservation; the other is for who
  // lacks it.
  std::vector<JobId> running;
  core.state().jobs.for_each([&](const Job& job) {
    if (job.running && job.request.tenant == TenantId{1}) running.push_back(job.id);
  });
  core.apply(Event::job_ended(running[0]), now);
  core.apply(Event::job_ended(running[1]), now);
  const Plan made = plan();
  ASSERT_EQ(made.starts.size(), 2U);
  EXPECT_EQ(core.job(made.starts[0].job)->request.tenant, TenantId{2});
  EXPECT_EQ(core.job(made.starts[1].job)->request.tenant, TenantId{1});
}

TEST_F(FairReclaim, ASnapshotDecidesAlike) {
  submit_many(1, 20);
  plan();
  at(4000);
  submit_many(2, 5);
  plan();
  Core copy(flat_fleet(16, 8), to_fair_share());
  ASSERT_TRUE(copy.restore(core.snapshot()));
  at(4200);
  submit_many(2, 5);
  for (JobId id{25}; id.value() < 30; id = JobId{id.value() + 1})
    copy.apply(Event::job_submitted(id, core.job(id)->request), now);
  const Plan made = plan();
  ASSERT_FALSE(made.preemptions.empty());
  EXPECT_EQ(copy.plan(now).preemptions, made.preemptions);
}

/// Random trees of tenants with queues that never end: they come to rest, and then nobody is both short of a
/// job within its share and next to somebody who has that much beyond its own.
TEST(FairReclaimProperty, ComesToRestWhereEverybodyHasItsShare) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Rng rng(seed);
    const std::int64_t nodes = rng.between(8, 60);
    Core core(flat_fleet(static_cast<std::uint32_t>(nodes), 1), to_fair_share());
    const std::int64_t tenants = rng.between(2, 8);
    std::vector<bool> leaf(static_cast<std::size_t>(tenants) + 1, true);
    for (std::int64_t tenant = 1; tenant <= tenants; ++tenant) {
      const auto parent =
          static_cast<std::uint32_t>(rng.chance(0.6) ? 0 : rng.below(static_cast<std::uint64_t>(tenant)));
      leaf[parent] = false;
      core.apply(Event::tenant_added(TenantId{parent}, static_cast<std::uint32_t>(rng.between(1, 4))),
                 Instant{});
    }
    Instant now;
    for (std::uint32_t tenant = 1; tenant <= tenants; ++tenant) {
      if (!leaf[tenant]) continue;
      for (std::int64_t job = rng.between(0, 2 * nodes); job > 0; --job) {
        JobRequest request;
        request.shape.gpus = 1;
        request.tenant = TenantId{tenant};
        request.limit = hours(1000);
        request.preemptible = true;
        core.apply(Event::job_submitted(JobId{core.state().next_job}, request), now);
      }
      const Plan made = core.plan(now);  // So the first has the most.
      now = now + seconds(100);
      for (const Plan::Preemption& each : made.preemptions) core.apply(Event::job_requeued(each.job), now);
    }
    ASSERT_LT(settle(core, now), 2000U) << "seed " << seed << " finds no rest";
    const QuotaTree& quota = core.state().quota;
    for (std::uint32_t taker = 1; taker <= tenants; ++taker) {
      if (quota.waiting_milli(TenantId{taker}) == 0) continue;
      for (std::uint32_t holder = 1; holder <= tenants; ++holder) {
        if (!leaf[holder] || quota.used_milli(TenantId{holder}, kAllGpus) == 0) continue;
        EXPECT_FALSE(quota.may_reclaim(TenantId{taker}, TenantId{holder}, {kAllGpus, 1000, 1000, true},
                                       kAllGpus, 1000))
            << "seed " << seed << ": " << taker << " from " << holder;
      }
    }
  }
}

}  // namespace
}  // namespace gw::sched
