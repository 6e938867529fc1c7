// Divisions that can be checked by hand, and what makes a division fair.
#include "sched/deserved.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/rng.h"

namespace gw::sched {
namespace {

Claimant asks(std::int64_t waiting, std::uint32_t weight = 1, std::uint32_t parent = 0) {
  Claimant claimant;
  claimant.parent = TenantId{parent};
  claimant.weight = weight;
  claimant.waiting = waiting;
  return claimant;
}

using Amounts = std::vector<std::int64_t>;

TEST(Deserved, WhoAsksForLessThanItsPartLeavesTheRestToTheOthers) {
  EXPECT_EQ(divide(std::vector{Claimant{}, asks(200, 3), asks(200), asks(20), asks(0, 5)}, 100),
            (Amounts{100, 60, 20, 20, 0}));
  EXPECT_EQ(divide(std::vector{Claimant{}, asks(30), asks(10)}, 100), (Amounts{100, 30, 10}));
}

TEST(Deserved, WhatIsUsedIsAskedForToo) {
  std::vector tenants{Claimant{}, asks(0), asks(70)};
  tenants[0].used = tenants[1].used = 90;
  EXPECT_EQ(divide(tenants, 100), (Amounts{100, 50, 50}));
}

TEST(Deserved, GuaranteesComeFirstAndTheRestGoesByWeight) {
  std::vector tenants{Claimant{}, asks(100), asks(100)};
  tenants[1].terms.guaranteed_milli = 50;
  EXPECT_EQ(divide(tenants, 100), (Amounts{100, 75, 25}));
  tenants[1].waiting = 10;  // What it does not need of it is lent,
  EXPECT_EQ(divide(tenants, 100), (Amounts{100, 50, 90}));
  tenants[1].terms.lend_milli = 20;  // ... or not.
  EXPECT_EQ(divide(tenants, 100), (Amounts{100, 50, 70}));
}

TEST(Deserved, NobodyDeservesMoreThanItMayHave) {
  std::vector tenants{Claimant{}, asks(100), asks(100), asks(100, 1, 1)};
  tenants[1].terms.limit_milli = 30;
  EXPECT_EQ(divide(tenants, 100), (Amounts{100, 30, 70, 0}));  // Its own jobs come before those below it.
  tenants[1].waiting = 0;
  tenants[3].terms.limit_milli = 10;  // Nor does its parent for it.
  EXPECT_EQ(divide(tenants, 100), (Amounts{100, 10, 90, 10}));
}

TEST(Deserved, WhoseBudgetIsSpentAsksForWhatRunsOnly) {
  std::vector tenants{Claimant{}, asks(100), asks(100), asks(100, 1, 1)};
  tenants[1].spent = true;  // So does whoever is below it.
  EXPECT_EQ(divide(tenants, 100), (Amounts{100, 0, 100, 0}));
  tenants[0].used = tenants[1].used = tenants[3].used = 20;
  EXPECT_EQ(divide(tenants, 100), (Amounts{100, 20, 80, 20}));
}

TEST(Deserved, BelowATenantWhatItDeservesIsDivided) {
  EXPECT_EQ(divide(std::vector{Claimant{}, asks(0), asks(100), asks(100, 1, 1), asks(100, 4, 1)}, 100),
            (Amounts{100, 50, 50, 10, 40}));
}

/// Nothing is left while somebody asks, nobody gets more than it asks for, and who gets less than it asks for
/// has no less for its weight than anybody else.
TEST(Deserved, IsMaxMinFairAtEveryLevel) {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Rng rng(seed);
    std::vector<Claimant> tenants(1);
    const std::int64_t count = rng.between(1, 30);
    while (static_cast<std::int64_t>(tenants.size()) <= count) {
      const bool top = rng.chance(0.5);
      tenants.push_back(asks(rng.chance(0.2) ? 0 : rng.between(0, 100'000),
                             static_cast<std::uint32_t>(rng.between(1, rng.chance(0.2) ? 100'000 : 5)),
                             top ? 0 : static_cast<std::uint32_t>(rng.below(tenants.size()))));
      if (tenants.back().parent != TenantId{0}) tenants[tenants.back().parent.value()].waiting = 0;
    }
    const std::int64_t capacity = rng.between(0, 500'000);
    const Amounts deserved = divide(tenants, capacity);
    Amounts asked(tenants.size());
    for (std::size_t tenant = tenants.size(); tenant-- > 0;) {
      asked[tenant] += tenants[tenant].waiting;
      if (tenant > 0) asked[tenants[tenant].parent.value()] += asked[tenant];
    }
    for (std::uint32_t parent = 0; parent < tenants.size(); ++parent) {
      std::int64_t given = 0;
      std::int64_t children = 0;
      for (std::uint32_t a = 1; a < tenants.size(); ++a) {
        if (tenants[a].parent != TenantId{parent}) continue;
        ++children;
        given += deserved[a];
        ASSERT_LE(deserved[a], asked[a]) << seed;
        if (deserved[a] == asked[a]) continue;
        for (std::uint32_t b = 1; b < tenants.size(); ++b) {
          if (tenants[b].parent != TenantId{parent}) continue;
          // What rounding leaves of each part goes to those that come later.
          ASSERT_GE(static_cast<double>(deserved[a] + count) / tenants[a].weight + 1e-9,
                    static_cast<double>(deserved[b] - count) / tenants[b].weight)
              << "seed " << seed << ": " << a << " and " << b;
        }
      }
      if (children == 0) continue;
      ASSERT_LE(given, deserved[parent]) << seed;
      ASSERT_GE(given, std::min(deserved[parent], asked[parent]) - children) << seed;
    }
  }
}

/// Kept from one time to the next it is what a division from scratch gives, and says where it differs.
TEST(Division, GivesWhatADivisionFromScratchGives) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    Division division;
    std::vector<Claimant> tenants(1);
    std::vector<std::int64_t> before(1);
    std::vector<std::int64_t> own(1);  // What each uses itself.
    for (int turn = 0; turn < 60; ++turn) {
      const auto tenant = static_cast<std::uint32_t>(rng.below(tenants.size()));
      const std::int64_t what = tenants.size() == 1 ? 0 : rng.between(0, 30);
      if (what == 0 || (turn < 20 && what < 20)) {
        tenants.push_back(asks(0, static_cast<std::uint32_t>(rng.between(1, rng.chance(0.1) ? 1'000'000 : 4)),
                               rng.chance(0.4) ? 0 : tenant));
        division.add(tenants.back().parent, tenants.back().weight);
        before.push_back(0);
        own.push_back(0);
      } else if (what == 1 && tenant > 0) {
        tenants[tenant].weight = static_cast<std::uint32_t>(rng.between(1, 9));
        division.set_weight(TenantId{tenant}, tenants[tenant].weight);
      } else if (what == 2) {
        QuotaTerms& terms = tenants[tenant].terms;
        terms.guaranteed_milli = rng.between(0, 500);
        if (rng.chance(0.5)) terms.lend_milli = rng.between(0, 500);
        if (rng.chance(0.5)) terms.limit_milli = terms.guaranteed_milli + rng.between(0, 900);
        division.set_terms(TenantId{tenant}, terms);
      } else if (what == 3) {
        tenants[tenant].spent = rng.chance(0.5);
        division.set_spent(TenantId{tenant}, tenants[tenant].spent);
      } else if (what < 17) {
        const std::int64_t now =
            rng.chance(0.3) ? 0 : rng.between(0, rng.chance(0.05) ? INT64_C(1) << 40 : 900);
        const std::int64_t more = now - std::exchange(tenants[tenant].waiting, now);
        division.wait(TenantId{tenant}, more);
      } else {
        const std::int64_t now = rng.chance(0.3) ? 0 : rng.between(0, 300);
        const std::int64_t more = now - std::exchange(own[tenant], now);
        for (std::uint32_t up = tenant;; up = tenants[up].parent.value()) {
          tenants[up].used += more;
          if (up == 0) break;
        }
        division.use(TenantId{tenant}, more);
      }
      if (rng.chance(0.3)) continue;  // Several things at once.
      const std::int64_t capacity = turn % 7 == 0 ? rng.between(0, 2000) : 1500;
      const std::span<const std::uint32_t> changed = division.divide(capacity);
      const Amounts expected = divide(tenants, capacity);
      for (std::uint32_t each = 0; each < tenants.size(); ++each) {
        ASSERT_EQ(division.deserved_milli(TenantId{each}), expected[each])
            << "seed " << seed << ", turn " << turn << ", tenant " << each;
        if (expected[each] != before[each]) {
          ASSERT_NE(std::find(changed.begin(), changed.end(), each), changed.end());
        }
      }
      before = expected;
    }
  }
}

}  // namespace
}  // namespace gw::sched
