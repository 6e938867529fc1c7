// Quotas: limits, lending and guarantees along the tree, against sums made anew.
#include "sched/quota.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/rng.h"
#include "sched/core.h"
#include "sched/random_case.h"

namespace gw::sched {
namespace {

constexpr std::int64_t kGpu = 1000;

QuotaTree::Amount gpus(std::int64_t count, bool preemptible = true) {
  return {1, count * kGpu, count * kGpu, preemptible};
}

QuotaTerms guaranteed(std::int64_t gpus_of_own) {
  QuotaTerms terms;
  terms.guaranteed_milli = gpus_of_own * kGpu;
  return terms;
}

/// 100 GPUs of one type; organisations 1 and 2, project 3 in organisation 1.
class QuotaCase : public testing::Test {
 protected:
  QuotaCase() : tree(1) {
    tree.add_tenant(TenantId{0});
    tree.add_tenant(TenantId{0});
    tree.add_tenant(TenantId{1});
    for (const QuotaResource resource : {QuotaResource{0}, QuotaResource{1}})
      tree.set_capacity(resource, 100 * kGpu);
  }
  QuotaTree tree;
};

TEST_F(QuotaCase, WithoutTermsEverythingIsPermitted) {
  EXPECT_FALSE(tree.in_use());
  EXPECT_TRUE(tree.permits(TenantId{3}, gpus(1'000'000)).ok());
}

TEST_F(QuotaCase, ALimitBindsAllBelowIt) {
  QuotaTerms terms;
  terms.limit_milli = 10 * kGpu;
  tree.set_terms(TenantId{1}, kAllGpus, terms);
  tree.start(TenantId{3}, gpus(8));
  const QuotaTree::Answer answer = tree.permits(TenantId{3}, gpus(3));
  EXPECT_EQ(answer.bar, QuotaTree::Bar::kLimit);
  EXPECT_EQ(answer.at, TenantId{1});
  EXPECT_TRUE(tree.permits(TenantId{3}, gpus(2)).ok());
  EXPECT_TRUE(tree.permits(TenantId{2}, gpus(90)).ok());
  EXPECT_EQ(tree.room_gpus(TenantId{3}), 2);
}

TEST_F(QuotaCase, ATypeCountsForItself) {
  QuotaTerms terms;
  terms.limit_milli = 4 * kGpu;
  tree.set_terms(TenantId{2}, 1, terms);
  EXPECT_EQ(tree.permits(TenantId{2}, gpus(5)).resource, 1);
  EXPECT_TRUE(tree.permits(TenantId{2}, {kAllGpus, 0, 50 * kGpu, true}).ok());
}

TEST_F(QuotaCase, BorrowingEndsAtItsLimit) {
  QuotaTerms terms = guaranteed(10);
  terms.borrow_milli = 5 * kGpu;
  tree.set_terms(TenantId{1}, kAllGpus, terms);
  EXPECT_TRUE(tree.permits(TenantId{1}, gpus(15)).ok());
  EXPECT_EQ(tree.permits(TenantId{1}, gpus(16)).bar, QuotaTree::Bar::kLimit);
}

TEST_F(QuotaCase, WhatIsNotLentStaysFree) {
  QuotaTerms terms = guaranteed(60);
  terms.lend_milli = 20 * kGpu;
  tree.set_terms(TenantId{1}, kAllGpus, terms);
  EXPECT_TRUE(tree.permits(TenantId{2}, gpus(60)).ok());
  EXPECT_EQ(tree.permits(TenantId{2}, gpus(61)).bar, QuotaTree::Bar::kLent);
  tree.start(TenantId{3}, gpus(60));  // Its owner uses it all: nothing is kept free beyond that.
  EXPECT_TRUE(tree.permits(TenantId{2}, gpus(40)).ok());
}

TEST_F(QuotaCase, JobsThatCannotBePreemptedBorrowNothingThatIsGuaranteed) {
  tree.set_terms(TenantId{1}, kAllGpus, guaranteed(60));
  EXPECT_TRUE(tree.permits(TenantId{2}, gpus(100)).ok());
  EXPECT_EQ(tree.permits(TenantId{2}, gpus(41, false)).bar, QuotaTree::Bar::kLent);
  EXPECT_TRUE(tree.permits(TenantId{2}, gpus(40, false)).ok());
  tree.start(TenantId{2}, gpus(40, false));
  EXPECT_TRUE(tree.permits(TenantId{1}, gpus(60, false)).ok());
}

TEST_F(QuotaCase, ReclaimTakesFromThoseWhoBorrowOnly) {
  tree.set_terms(TenantId{1}, kAllGpus, guaranteed(60));
  tree.set_terms(TenantId{2}, kAllGpus, guaranteed(40));
  tree.start(TenantId{2}, gpus(70));
  EXPECT_TRUE(tree.is_entitled(TenantId{3}, gpus(60)));
  EXPECT_FALSE(tree.is_entitled(TenantId{3}, gpus(61)));
  EXPECT_TRUE(tree.may_reclaim(TenantId{3}, TenantId{2}, gpus(60), 1, kGpu));
  tree.stop(TenantId{2}, gpus(30));
  EXPECT_FALSE(tree.may_reclaim(TenantId{3}, TenantId{2}, gpus(60), 1, kGpu));
  EXPECT_FALSE(tree.may_displace(TenantId{3}, TenantId{2}, 1));
  EXPECT_FALSE(tree.may_reclaim(TenantId{3}, TenantId{3}, gpus(1), 1, kGpu));
}

TEST_F(QuotaCase, ASpentBudgetStopsAllBelow) {
  tree.set_budget(TenantId{1}, BudgetState::kStopNew);
  EXPECT_EQ(tree.permits(TenantId{3}, gpus(1)).bar, QuotaTree::Bar::kBudget);
  EXPECT_EQ(tree.room_gpus(TenantId{3}), -1);
  tree.set_budget(TenantId{1}, BudgetState::kOpen);
  EXPECT_TRUE(tree.permits(TenantId{3}, gpus(1)).ok());
}

TEST_F(QuotaCase, WhoWaitsTooLongStopsTheOthers) {
  tree.set_terms(TenantId{1}, kAllGpus, guaranteed(1));
  tree.set_stops({{TenantId{1}, JobId{7}}});
  EXPECT_EQ(tree.permits(TenantId{3}, gpus(1), JobId{8}).bar, QuotaTree::Bar::kBehind);
  EXPECT_TRUE(tree.permits(TenantId{3}, gpus(1), JobId{7}).ok());
  tree.set_stops({});
  EXPECT_TRUE(tree.permits(TenantId{3}, gpus(1), JobId{8}).ok());
}

/// Random trees: the kept sums equal fresh ones, whatever the order of terms, starts and stops; what is not
/// lent can always be had by its owner; and what cannot be preempted never stands in a guarantee's way.
TEST(Quota, GuaranteesHoldOnRandomTrees) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng(seed);
    const auto tenants = static_cast<std::uint32_t>(rng.between(1, 8));
    constexpr std::int64_t kTotal = 64;
    QuotaTree tree(1);
    tree.set_capacity(0, kTotal * kGpu);
    tree.set_capacity(1, kTotal * kGpu);
    // Guarantees are carved out of the parent's.
    std::vector<std::int64_t> left{kTotal};
    for (std::uint32_t tenant = 1; tenant <= tenants; ++tenant) {
      const auto parent = static_cast<std::uint32_t>(rng.below(tenant));
      tree.add_tenant(TenantId{parent});
      QuotaTerms terms = guaranteed(rng.between(0, left[parent]));
      left[parent] -= terms.guaranteed_milli / kGpu;
      left.push_back(terms.guaranteed_milli / kGpu);
      if (rng.chance(0.5)) terms.lend_milli = rng.between(0, terms.guaranteed_milli);
      tree.set_terms(TenantId{tenant}, 0, terms);
    }
    struct Started {
      TenantId tenant;
      QuotaTree::Amount amount;
    };
    std::vector<Started> started;
    for (int step = 0; step < 200; ++step) {
      if (!started.empty() && rng.chance(0.4)) {
        const std::size_t at = rng.below(started.size());
        tree.stop(started[at].tenant, started[at].amount);
        started.erase(started.begin() + static_cast<std::ptrdiff_t>(at));
      } else {
        const TenantId tenant{static_cast<std::uint32_t>(rng.between(1, tenants))};
        const QuotaTree::Amount amount = gpus(rng.between(1, 8), rng.chance(0.5));
        if (!tree.permits(tenant, amount).ok()) continue;
        if (tree.used_milli(TenantId{0}, 0) + amount.all_milli > kTotal * kGpu) continue;  // No GPUs free.
        tree.start(tenant, amount);
        started.push_back({tenant, amount});
      }
      ASSERT_TRUE(tree.check()) << "seed " << seed;
      ASSERT_LE(tree.fixed_milli(TenantId{0}, 0), kTotal * kGpu) << "seed " << seed;
      // Every top-level tenant can have its guarantee once all that can be preempted is gone.
      std::int64_t others = 0;
      for (std::uint32_t tenant = 1; tenant <= tenants; ++tenant) {
        if (tree.parent(TenantId{tenant}) != TenantId{0}) continue;
        others +=
            std::max(tree.fixed_milli(TenantId{tenant}, 0), tree.terms(TenantId{tenant}, 0).guaranteed_milli);
      }
      ASSERT_LE(others, kTotal * kGpu) << "seed " << seed << ", step " << step;
    }
  }
}

// What the quick looks leave out could not have started: at every child of the root nobody below finds more
// room than `most_milli_below` says, and what it says can be had by some job where nothing else binds.
TEST(Quota, NobodyFindsMoreRoomThanTheQuickLookSays) {
  std::uint64_t tight = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    const auto tenants = static_cast<std::uint32_t>(rng.between(2, 9));
    constexpr std::int64_t kTotal = 64;
    QuotaTree tree(0);
    for (std::uint32_t tenant = 1; tenant <= tenants; ++tenant)
      tree.add_tenant(TenantId{static_cast<std::uint32_t>(rng.below(tenant))});
    tree.set_capacity(kAllGpus, kTotal * kGpu);
    for (std::uint32_t tenant = 1; tenant <= tenants; ++tenant)
      tree.set_terms(TenantId{tenant}, kAllGpus, random_case::random_terms(rng, 40 * kGpu));
    for (int step = 0; step < 60; ++step) {
      const TenantId tenant{static_cast<std::uint32_t>(rng.between(1, tenants))};
      const auto amount = [](std::int64_t milli, bool preemptible) {
        return QuotaTree::Amount{kAllGpus, 0, milli, preemptible};
      };
      const QuotaTree::Amount some = amount(rng.between(1, 12 * kGpu), rng.chance(0.5));
      if (rng.chance(0.7) ? tree.permits(tenant, some).ok() : step < 10) tree.start(tenant, some);
      for (std::uint32_t at = 1; at <= tenants; ++at) {
        for (const bool preemptible : {false, true}) {
          const std::int64_t most = tree.most_milli_below(tree.top(TenantId{at}), preemptible);
          if (most == INT64_MAX) continue;
          ASSERT_FALSE(tree.permits(TenantId{at}, amount(most + 1, preemptible)).ok())
              << "seed " << seed << ", step " << step << ", tenant " << at << ", preemptible " << preemptible;
          tight += most > 0 && tree.permits(TenantId{at}, amount(most, preemptible)).ok();
        }
      }
    }
  }
  EXPECT_GT(tight, 1000U);
}

// Whoever could start on open nodes has started after a pass with backfill, whatever quotas, lending and
// budgets are in the way of the others: no quick look, memo or summary leaves anyone out.
TEST(Quota, APassLeavesNobodyWaitingWhoCouldStart) {
  std::size_t waited = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Rng rng(seed);
    random_case::FleetWish fleet_wish;
    fleet_wish.most_nodes = seed % 3 == 0 ? 6 : 40;
    const Fleet fleet = random_case::random_fleet(rng, fleet_wish);
    random_case::WorkloadWish wish;
    wish.rules = true;
    wish.mean_gap_s = seed % 4 == 0 ? 5 : 40;
    const random_case::Workload workload = random_case::random_workload(rng, fleet, wish);
    PolicyConfig policy = *policy_by_name("gigawerk");
    policy.preemption = PreemptionKind::kNone;  // Who leaves frees quota at the end of a pass.
    policy.patience = days(10);                 // Nobody waits behind one that the quota keeps back.
    Core core(fleet, policy);
    random_case::Driver driver(workload, policy.grace);
    while (!driver.done() && driver.now() < Instant{} + days(2)) {
      for (const Event& event : driver.next(core.next_due())) core.apply(event, driver.now());
      driver.planned(core.plan(driver.now()));
      for (std::uint32_t id = 0; id < workload.jobs.size(); ++id) {
        const Job* job = core.job(JobId{id});
        if (job == nullptr || !job->waits) continue;
        ++waited;
        ASSERT_FALSE(core.state().place(*job, View::kOpen))
            << "seed " << seed << ", job " << id << " at " << driver.now().count();
      }
    }
  }
  EXPECT_GT(waited, 10'000U);
}

}  // namespace
}  // namespace gw::sched
