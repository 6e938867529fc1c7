// Snapshots: a core restored at any pass goes on with the same plans and the same bytes; damage is refused.
#include <gtest/gtest.h>

#include "sched/codec.h"
#include "sched/core.h"
#include "sched/random_case.h"

namespace gw::sched {
namespace {

using random_case::Driver;

std::string plan_bytes(const Plan& plan) {
  ByteWriter out;
  encode(out, plan);
  return out.take();
}

/// Runs a random workload; `other` joins at a random pass from a snapshot and must decide alike to the end.
/// So must a copy, and one that is assigned to a core with a past of its own.
void resume(const PolicyConfig& policy, std::uint64_t seed) {
  Rng rng(seed);
  Fleet fleet = random_case::random_fleet(rng);
  if (rng.chance(0.2)) fleet = flat_fleet(static_cast<std::uint32_t>(rng.between(1, 30)));  // Counts alone.
  random_case::WorkloadWish wish;
  wish.jobs = 60;
  wish.rules = seed % 2 == 0;
  wish.mean_gap_s = rng.between(1, 80);
  const random_case::Workload workload = random_workload(rng, fleet, wish);
  const std::uint64_t join = rng.below(100);
  Core core(fleet, policy);
  std::unique_ptr<Core> other, copied, assigned;
  Driver driver(workload, policy.grace);
  for (std::uint64_t pass = 0; !driver.done(); ++pass) {
    const std::vector<Event> events = driver.next(core.next_due());
    for (const Event& event : events) core.apply(event, driver.now());
    const Plan& plan = core.plan(driver.now());
    driver.planned(plan);
    ASSERT_EQ(core.check(), "") << "pass " << pass;
    if (pass == join / 2) assigned = std::make_unique<Core>(core);
    if (other) {
      for (Core* each : {other.get(), copied.get(), assigned.get()}) {
        SCOPED_TRACE(each == other.get() ? "restored" : each == copied.get() ? "copied" : "assigned");
        for (const Event& event : events) each->apply(event, driver.now());
        ASSERT_EQ(plan_bytes(each->plan(driver.now())), plan_bytes(plan))
            << "pass " << pass << ", joined at " << join;
        ASSERT_EQ(each->snapshot(), core.snapshot()) << "pass " << pass << ", joined at " << join;
      }
    } else if (pass == join) {
      const std::string snapshot = core.snapshot();
      other = std::make_unique<Core>(fleet, policy);
      ASSERT_TRUE(other->restore(snapshot)) << "pass " << pass;
      ASSERT_EQ(other->snapshot(), snapshot);
      for (std::uint32_t job = 0; job < core.state().next_job; ++job)
        ASSERT_EQ(other->binding_reason(JobId{job}), core.binding_reason(JobId{job})) << job;
      copied = std::make_unique<Core>(core);
      *assigned = core;
      for (const Core* each : {copied.get(), assigned.get()}) {
        ASSERT_EQ(each->check(), "");
        ASSERT_EQ(each->snapshot(), snapshot);
      }
    }
  }
}

TEST(Snapshot, ARestoredCoreDecidesAlike) {
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 25; ++seed) {
      ASSERT_NO_FATAL_FAILURE(resume(*policy_by_name(policy.name), seed)) << policy.name << ", seed " << seed;
    }
  }
}

struct Taken {
  Fleet fleet;
  PolicyConfig policy;
  std::string bytes;
};

Taken take(std::uint64_t seed) {
  Rng rng(seed);
  Taken taken;
  taken.fleet = random_case::random_fleet(rng);
  const std::vector<PolicyName>& names = policy_names();
  taken.policy = *policy_by_name(names[seed % names.size()].name);
  random_case::WorkloadWish wish;
  wish.mean_gap_s = 5;
  wish.rules = seed % 2 == 0;
  const random_case::Workload workload = random_workload(rng, taken.fleet, wish);
  Core core(taken.fleet, taken.policy);
  Driver driver(workload);
  for (int pass = 0; pass < 60 && !driver.done(); ++pass) {
    for (const Event& event : driver.next()) core.apply(event, driver.now());
    driver.planned(core.plan(driver.now()));
  }
  taken.bytes = core.snapshot();
  return taken;
}

TEST(Snapshot, AnyTruncationIsRefused) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const Taken taken = take(seed);
    ASSERT_TRUE(Core(taken.fleet, taken.policy).restore(taken.bytes));
    for (std::size_t size = 0; size < taken.bytes.size(); size += 1 + seed % 7) {
      EXPECT_FALSE(Core(taken.fleet, taken.policy).restore(std::string_view(taken.bytes).substr(0, size)))
          << "seed " << seed << ", " << size << " of " << taken.bytes.size() << " bytes";
    }
    EXPECT_FALSE(Core(taken.fleet, taken.policy).restore(taken.bytes + '\0'));
  }
}

/// Format 4 ended before those whose places a guarantee has won back; where there are none, two empty lists.
TEST(Snapshot, TheFormatBeforeIsRead) {
  std::uint32_t read = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    const Taken taken = take(seed);
    Core core(taken.fleet, taken.policy);
    if (core.state().uniform || taken.policy.backfill == BackfillKind::kConservative) continue;
    ASSERT_EQ(taken.bytes.front(), 5);
    if (taken.bytes.substr(taken.bytes.size() - 2) != std::string(2, '\0')) continue;
    std::string before = taken.bytes.substr(0, taken.bytes.size() - 2);
    before.front() = 4;
    ASSERT_TRUE(core.restore(before)) << seed;
    EXPECT_EQ(core.snapshot(), taken.bytes) << seed;
    ++read;
    before.front() = 3;
    EXPECT_FALSE(Core(taken.fleet, taken.policy).restore(before));
  }
  EXPECT_GT(read, 10U);
}

/// Damage that no checksum has caught yet: refused, or a state that keeps its invariants.
TEST(Snapshot, DamageNeverBreaksTheCore) {
  std::uint64_t refused = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const Taken taken = take(seed);
    Rng rng(seed);
    for (int trial = 0; trial < 60; ++trial) {
      std::string damaged = taken.bytes;
      for (std::int64_t flips = rng.between(1, 3); flips > 0; --flips)
        damaged[rng.below(damaged.size())] = static_cast<char>(rng.below(256));
      Core core(taken.fleet, taken.policy);
      if (!core.restore(damaged)) {
        ++refused;
        continue;
      }
      ASSERT_EQ(core.check(), "") << "seed " << seed << ", trial " << trial;
      core.plan(kLastInstant);
      ASSERT_EQ(core.check(), "") << "seed " << seed << ", trial " << trial;
    }
  }
  EXPECT_GT(refused, 600U);
}

TEST(Snapshot, AnotherFleetsSnapshotIsRefused) {
  const Taken taken = take(7);
  EXPECT_FALSE(Core(flat_fleet(1), taken.policy).restore(taken.bytes));
}

}  // namespace
}  // namespace gw::sched
