// Whose observations a job's run time is drawn from, and what it has run already.
#include "twin/run_times.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/rng.h"

namespace gw::twin {
namespace {

std::vector<double> values(std::span<const double> fractions) { return {fractions.begin(), fractions.end()}; }

/// root > (1: org > 2: team, 3: other team), 4: other org.
const std::vector<TenantId> kParents{TenantId{}, TenantId{0}, TenantId{1}, TenantId{1}, TenantId{0}};

TEST(RunTimes, NewestComeFirstAndTheOldestGoes) {
  RunTimeModel model;
  for (int run = 1; run <= 70; ++run) model.observe(TenantId{2}, seconds(run), seconds(100));
  ASSERT_EQ(model.by_tenant.size(), 3U);
  ASSERT_EQ(model.by_tenant[2].size(), RunTimeModel::kKept);
  EXPECT_EQ(model.by_tenant[2].front(), 0.70);
  EXPECT_EQ(model.by_tenant[2].back(), 0.07);
  model.observe(TenantId{2}, seconds(130), seconds(100));
  EXPECT_EQ(model.by_tenant[2].front(), 1);
  model.observe(TenantId{2}, seconds(0), seconds(100));
  EXPECT_GT(model.by_tenant[2].front(), 0);
}

TEST(RunTimes, EnoughOfItsOwnElseOfThoseAboveElseThePrior) {
  const std::vector<double> prior = values(prior_fractions());
  RunTimeModel model;
  EXPECT_EQ(values(RunTimeSampler(model, kParents).fractions(TenantId{2})), prior);
  model.by_tenant = {{}, {}, std::vector<double>(7, 0.5), {0.1}, {0.9}};
  const RunTimeSampler few(model, kParents);
  // Team 2 has 7 of its own; with team 3 the organisation has 8.
  const std::vector<double> org{0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5};
  EXPECT_EQ(values(few.fractions(TenantId{2})), org);
  EXPECT_EQ(values(few.fractions(TenantId{3})), org);
  EXPECT_EQ(values(few.fractions(TenantId{1})), org);
  std::vector<double> all = org;
  all.push_back(0.9);
  EXPECT_EQ(values(few.fractions(TenantId{4})), all);
  EXPECT_EQ(values(few.fractions(TenantId{0})), all);
  model.by_tenant[2].push_back(0.6);
  EXPECT_EQ(values(RunTimeSampler(model, kParents).fractions(TenantId{2})), model.by_tenant[2]);
  model.by_tenant = {{}, {}, std::vector<double>(6, 0.5), {0.1}};
  EXPECT_EQ(values(RunTimeSampler(model, kParents).fractions(TenantId{2})), prior);
}

TEST(RunTimes, AManyTenantsPoolTakesTheNewestOfEach) {
  RunTimeModel model;
  std::vector<TenantId> parents{TenantId{}};
  model.by_tenant.resize(1);
  for (std::uint32_t tenant = 1; tenant <= 1024; ++tenant) {
    parents.emplace_back(0U);
    model.by_tenant.push_back({0.25, 0.25, 0.25, 0.25, 0.75, 0.75, 0.75});
  }
  EXPECT_EQ(values(RunTimeSampler(model, parents).fractions(TenantId{2})), std::vector<double>(4096, 0.25));
}

TEST(RunTimes, DrawsEachObservationAlikeAndTheLimitExactly) {
  RunTimeModel model;
  model.by_tenant = {{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 1.0}};
  const RunTimeSampler sampler(model, std::vector<TenantId>{TenantId{}});
  Rng rng(3);
  std::multiset<Nanoseconds> drawn;
  for (int draw = 0; draw < 80'000; ++draw)
    drawn.insert(sampler.draw(TenantId{0}, seconds(1000), Nanoseconds{0}, rng.uniform()));
  for (const double fraction : model.by_tenant[0]) {
    const Nanoseconds run_time = seconds(std::llround(fraction * 1000));
    EXPECT_NEAR(static_cast<double>(drawn.count(run_time)), 10'000, 450)
        << fraction;  // 4.8 standard deviations.
  }
  const Nanoseconds odd{(std::int64_t{1} << 61) + 1};  // No double holds it.
  EXPECT_EQ(sampler.draw(TenantId{0}, odd, Nanoseconds{0}, 0.999), odd);
}

TEST(RunTimes, WhatRunsCanOnlyEndLater) {
  RunTimeModel model;
  model.by_tenant = {{0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8}};
  const RunTimeSampler sampler(model, std::vector<TenantId>{TenantId{}});
  Rng rng(4);
  std::set<Nanoseconds> drawn;
  for (int draw = 0; draw < 1000; ++draw)
    drawn.insert(sampler.draw(TenantId{0}, seconds(1000), seconds(600), rng.uniform()));
  EXPECT_EQ(drawn, (std::set<Nanoseconds>{seconds(700), seconds(800)}));
  // None of its tenant's ran as long: as others do, who end between here and the limit.
  drawn.clear();
  for (int draw = 0; draw < 1000; ++draw)
    drawn.insert(sampler.draw(TenantId{0}, seconds(1000), seconds(980), rng.uniform()));
  EXPECT_EQ(drawn, (std::set<Nanoseconds>{seconds(984), seconds(995), seconds(1000)}));
  // Past its limit it ends at once.
  EXPECT_EQ(sampler.draw(TenantId{0}, seconds(1000), seconds(1000), 0.5), seconds(1000));
  EXPECT_EQ(sampler.draw(TenantId{0}, seconds(1000), seconds(2000), 0.5), seconds(2000));
  for (int draw = 0; draw < 1000; ++draw) {
    const Nanoseconds limit{rng.between(1, 1'000'000)};
    const Nanoseconds elapsed{rng.between(0, limit.count() - 1)};
    const Nanoseconds run_time = sampler.draw(TenantId{0}, limit, elapsed, rng.uniform());
    ASSERT_GT(run_time, elapsed);
    ASSERT_LE(run_time, limit);
  }
}

}  // namespace
}  // namespace gw::twin
