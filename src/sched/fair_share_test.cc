// FairShare: decay by the half-life, shares that converge to weights, a stable order, snapshots.
#include "sched/fair_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/rng.h"

namespace gw::sched {
namespace {

constexpr TenantId kRoot{0};

PolicyConfig policy_with(Nanoseconds half_life, Nanoseconds commitment = Nanoseconds{0}) {
  PolicyConfig policy;
  policy.half_life = half_life;
  policy.commitment = commitment;
  return policy;
}

TEST(FairShare, UsageHalvesInAHalfLife) {
  FairShare fair(policy_with(days(7)));
  fair.add_tenant(kRoot, 1);
  fair.started(TenantId{1}, 8000, Nanoseconds{0});
  fair.advance(Instant{} + hours(1));
  fair.stopped(TenantId{1}, 8000, Nanoseconds{0});
  const double used = fair.usage_gpu_seconds(TenantId{1});
  // 8 GPUs for an hour, of which the hour itself decays a little: 8 h/ln2 (1 - 2^(-1h/7d)).
  const double half_life_s = 7 * 86400.0;
  EXPECT_NEAR(used, 8 * half_life_s / std::log(2.0) * (1 - std::exp2(-3600 / half_life_s)), 1e-6 * used);
  for (int half_lives = 1; half_lives <= 200; ++half_lives) {
    fair.advance(Instant{} + hours(1) + days(7) * half_lives);
    const double want = used * std::exp2(-half_lives);
    EXPECT_NEAR(fair.usage_gpu_seconds(TenantId{1}), want, 1e-9 * want) << half_lives;
  }
}

/// However seldom it is charged, usage is the integral of running GPUs with the decay inside.
TEST(FairShare, ChargingAtAnyIntervalGivesTheSameUsage) {
  for (const Nanoseconds half_life : {seconds(90), hours(6), days(7)}) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      Rng rng(seed);
      FairShare fair(policy_with(half_life));
      fair.add_tenant(kRoot, 1);
      double want = 0;
      std::int64_t running = 0;
      Instant now;
      for (int step = 0; step < 60; ++step) {
        const Nanoseconds span = minutes(rng.between(5, rng.chance(0.1) ? 6000 : 300));
        now = now + span;
        fair.advance(now);
        const double steps = to_seconds(span) / to_seconds(half_life);
        want = want * std::exp2(-steps) + static_cast<double>(running) / 1000 * to_seconds(half_life) /
                                              std::log(2.0) * (1 - std::exp2(-steps));
        EXPECT_NEAR(fair.usage_gpu_seconds(TenantId{1}), want, 1e-9 * (want + 1e-9))
            << "half-life " << to_seconds(half_life) << " s, seed " << seed << ", step " << step;
        const std::int64_t change = rng.between(-running, 5000);
        if (change > 0) fair.started(TenantId{1}, change, Nanoseconds{0});
        if (change < 0) fair.stopped(TenantId{1}, -change, Nanoseconds{0});
        running += change;
      }
    }
  }
}

TEST(FairShare, ChargesOnlyOnceAnInterval) {
  FairShare fair(policy_with(days(7)));
  fair.add_tenant(kRoot, 1);
  fair.started(TenantId{1}, 1000, Nanoseconds{0});
  EXPECT_FALSE(fair.advance(Instant{} + minutes(5) - Nanoseconds{1}));
  EXPECT_EQ(fair.usage_gpu_seconds(TenantId{1}), 0);
  EXPECT_TRUE(fair.advance(Instant{} + minutes(5)));
  EXPECT_GT(fair.usage_gpu_seconds(TenantId{1}), 299);
}

/// One server of 10 GPUs, every tenant always hungry: served time is divided by weights on each level.
TEST(FairShare, SharesConvergeToWeightsOnEveryLevel) {
  FairShare fair(policy_with(days(2), hours(1)));
  fair.add_tenant(kRoot, 3);        // 1: three quarters
  fair.add_tenant(kRoot, 1);        // 2: a quarter
  fair.add_tenant(TenantId{1}, 1);  // 3: a third of three quarters
  fair.add_tenant(TenantId{1}, 2);  // 4: two thirds of three quarters
  fair.add_tenant(TenantId{2}, 5);  // 5: all of the quarter
  const std::map<std::uint32_t, double> want{{3, 0.25}, {4, 0.5}, {5, 0.25}};
  for (const auto& [tenant, share] : want) fair.set_waiting(TenantId{tenant}, true);
  Rng rng(3);
  std::map<std::uint32_t, double> served;
  double total = 0;
  std::multimap<Instant, std::uint32_t> ends;
  Instant now;
  std::int64_t free = 10;
  while (now < Instant{} + days(60)) {
    fair.advance(now);
    for (; free > 0; --free) {
      const TenantId next = fair.first();
      ASSERT_TRUE(want.contains(next.value())) << next.value();
      const Nanoseconds span = minutes(rng.between(20, 300));
      fair.started(next, 1000, Nanoseconds{0});
      ends.emplace(now + span, next.value());
      if (now > Instant{} + days(10)) {
        served[next.value()] += to_seconds(span);
        total += to_seconds(span);
      }
    }
    now = ends.begin()->first;
    for (; !ends.empty() && ends.begin()->first == now; ends.erase(ends.begin()), ++free)
      fair.stopped(TenantId{ends.begin()->second}, 1000, Nanoseconds{0});
  }
  for (const auto& [tenant, share] : want) EXPECT_NEAR(served[tenant] / total, share, 0.02) << tenant;
}

/// The order by the definition, from the public figures only.
std::vector<std::uint32_t> naive_order(const FairShare& fair, const std::vector<bool>& waiting,
                                       const std::vector<std::int64_t>& running, double commitment_s,
                                       std::uint32_t at = 0) {
  std::vector<std::uint32_t> order;
  if (waiting[at]) order.push_back(at);
  std::vector<std::pair<double, std::uint32_t>> children;
  for (std::uint32_t child = 1; child < fair.tenants(); ++child) {
    if (fair.parent(TenantId{child}).value() != at) continue;
    const double committed = static_cast<double>(running[child]) * 1e-3 * commitment_s;
    children.emplace_back(
        (fair.usage_gpu_seconds(TenantId{child}) + committed) / fair.weight(TenantId{child}), child);
  }
  std::sort(children.begin(), children.end());
  for (const auto& [key, child] : children) {
    const std::vector<std::uint32_t> below = naive_order(fair, waiting, running, commitment_s, child);
    order.insert(order.end(), below.begin(), below.end());
  }
  return order;
}

/// A random tree under random work. `epochs`: time goes in steps of many half-lives, so that the epoch moves.
void expect_order_kept(std::uint64_t seed, bool epochs) {
  Rng rng(seed);
  const PolicyConfig policy = policy_with(epochs ? hours(1) : days(7), minutes(30));
  FairShare fair(policy);
  const auto tenants = static_cast<std::uint32_t>(rng.between(2, 25));
  // Odd amounts: equal keys that differ by rounding only would make the comparison a coin toss.
  for (std::uint32_t tenant = 1; tenant < tenants; ++tenant)
    fair.add_tenant(TenantId{static_cast<std::uint32_t>(rng.below(tenant))},
                    static_cast<std::uint32_t>(rng.between(1, 9)));
  std::vector<bool> waiting(tenants);
  std::vector<std::int64_t> running(tenants);  // With those of all below.
  std::vector<std::int64_t> own(tenants);
  Instant now;
  for (int step = 0; step < 300; ++step) {
    const auto tenant = static_cast<std::uint32_t>(rng.below(tenants));
    switch (rng.below(4)) {
      case 0:
        waiting[tenant] = !waiting[tenant];
        fair.set_waiting(TenantId{tenant}, waiting[tenant]);
        break;
      case 1:
      case 2: {
        const std::int64_t change = rng.between(-own[tenant], 9973);
        own[tenant] += change;
        if (change > 0) fair.started(TenantId{tenant}, change, Nanoseconds{0});
        if (change < 0) fair.stopped(TenantId{tenant}, -change, Nanoseconds{0});
        for (TenantId at{tenant}; at != kRoot; at = fair.parent(at)) running[at.value()] += change;
        break;
      }
      default:
        now = now + seconds(rng.between(1, epochs && rng.chance(0.2) ? 200'000 : 2000));
        fair.advance(now);
    }
    std::vector<TenantId> got;
    fair.ordered(got);
    std::vector<std::uint32_t> ids;
    for (const TenantId id : got) ids.push_back(id.value());
    ASSERT_EQ(ids, naive_order(fair, waiting, running, to_seconds(policy.commitment)))
        << "seed " << seed << " step " << step;
    ASSERT_EQ(fair.first(), got.empty() ? TenantId{} : got.front());
  }
  // A copy through save and restore goes on in the same way, to the last bit.
  FairShare copy(policy);
  for (std::uint32_t tenant = 1; tenant < tenants; ++tenant)
    copy.add_tenant(fair.parent(TenantId{tenant}), fair.weight(TenantId{tenant}));
  for (std::uint32_t tenant = tenants; tenant-- > 0;) {
    if (waiting[tenant]) copy.set_waiting(TenantId{tenant}, true);
    if (own[tenant] > 0) copy.started(TenantId{tenant}, own[tenant], Nanoseconds{0});
  }
  copy.restore(fair.save());
  for (int step = 0; step < 50; ++step) {
    now = now + seconds(rng.between(1, epochs ? 100'000 : 2000));
    ASSERT_EQ(copy.advance(now), fair.advance(now));
    std::vector<TenantId> a;
    std::vector<TenantId> b;
    fair.ordered(a);
    copy.ordered(b);
    ASSERT_EQ(a, b) << "seed " << seed;
    ASSERT_EQ(fair.save().usage, copy.save().usage);
    ASSERT_EQ(fair.save().inflation, copy.save().inflation);
  }
}

TEST(FairShare, OrdersByUsageOverWeight) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) ASSERT_NO_FATAL_FAILURE(expect_order_kept(seed, false));
}

TEST(FairShare, KeepsTheOrderWhenTheEpochMoves) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) ASSERT_NO_FATAL_FAILURE(expect_order_kept(seed, true));
}

/// A half-life of a nanosecond and a pause of a century: an answer, and soon.
TEST(FairShare, LongPausesCostNothing) {
  FairShare fair(policy_with(Nanoseconds{1}));
  fair.add_tenant(kRoot, 1);
  fair.started(TenantId{1}, 64'000, Nanoseconds{0});
  fair.advance(Instant{} + days(36'500));
  EXPECT_GE(fair.usage_gpu_seconds(TenantId{1}), 0);
  EXPECT_LT(fair.usage_gpu_seconds(TenantId{1}), 1);
}

// Two kinds of GPUs: whoever comes first takes one of a kind that it wants and that is free, for a random
// time. Whatever the mix, dominant shares come out as the weights; one that wants the scarce kind alone gets
// no more.
TEST(FairShare, DominantSharesOfKindsComeOutAsTheWeights) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Rng rng(seed);
    PolicyConfig policy = policy_with(days(2), hours(1));
    FairShare fair(policy);
    const std::vector<std::int64_t> capacity{rng.between(8, 16), rng.between(100, 300)};
    fair.set_kinds({capacity[0] * 1000, capacity[1] * 1000});
    // The first wants the scarce kind alone; both others want both, one of them for twice the weight.
    const std::vector<std::uint32_t> weights{1, 1, 2};
    for (const std::uint32_t weight : weights) fair.add_tenant(kRoot, weight);
    for (std::uint32_t tenant = 1; tenant <= 3; ++tenant) fair.set_waiting(TenantId{tenant}, true);
    std::vector<std::int64_t> free = capacity;
    std::multimap<Instant, std::pair<std::uint32_t, std::uint32_t>> ends;
    std::vector<std::vector<double>> held(4, std::vector<double>(2));
    std::vector<std::vector<std::int64_t>> runs(4, std::vector<std::int64_t>(2));
    Instant now;
    for (int step = 0; step < 6'000; ++step) {
      now = now + minutes(5);
      fair.advance(now);
      for (; !ends.empty() && ends.begin()->first <= now; ends.erase(ends.begin())) {
        const auto [tenant, kind] = ends.begin()->second;
        fair.stopped(TenantId{tenant}, 1000, Nanoseconds{0}, kind);
        ++free[kind];
        --runs[tenant][kind];
      }
      for (std::uint32_t kind = 0; kind < 2; ++kind) {
        while (free[kind] > 0) {
          std::vector<TenantId> order;
          fair.ordered(order);
          const auto first = std::find_if(order.begin(), order.end(),
                                          [&](TenantId t) { return kind == 0 || t != TenantId{1}; });
          fair.started(*first, 1000, Nanoseconds{0}, kind);
          --free[kind];
          ++runs[first->value()][kind];
          ends.emplace(now + minutes(rng.between(10, 120)), std::pair{first->value(), kind});
        }
      }
      if (step < 1'500) continue;
      for (std::uint32_t tenant = 1; tenant <= 3; ++tenant) {
        for (std::uint32_t kind = 0; kind < 2; ++kind)
          held[tenant][kind] += static_cast<double>(runs[tenant][kind]) / static_cast<double>(capacity[kind]);
      }
    }
    std::vector<double> dominant{0};
    for (std::uint32_t tenant = 1; tenant <= 3; ++tenant)
      dominant.push_back(std::max(held[tenant][0], held[tenant][1]) / weights[tenant - 1] / 4'500);
    // The two that want both share the abundant kind, which is their dominant one, by weight.
    EXPECT_NEAR(dominant[2], dominant[3], 0.05 * dominant[3]) << "seed " << seed;
    EXPECT_NEAR(held[2][1] + held[3][1], 4'500, 45) << "seed " << seed;
    // The scarce kind is left to the one that wants nothing else until its share of it is as large as theirs.
    EXPECT_NEAR(dominant[1], dominant[2], 0.08 * dominant[2]) << "seed " << seed;
  }
}

}  // namespace
}  // namespace gw::sched
