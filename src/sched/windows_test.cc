// Windows: reserved nodes are their owner's and nobody else's in their time, and nothing starves beside them.
#include "sched/windows.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "sched/codec.h"
#include "sched/core.h"
#include "sched/random_case.h"
#include "sched/window_search.h"

namespace gw::sched {
namespace {

using random_case::Driver;

WindowTerms terms_of(std::int64_t from_s, std::int64_t length_s, std::int64_t every_s = 0,
                     std::int64_t until_s = -1) {
  WindowTerms terms;
  terms.from = Instant{} + seconds(from_s);
  terms.length = seconds(length_s);
  terms.every = seconds(every_s);
  if (until_s >= 0) terms.until = Instant{} + seconds(until_s);
  return terms;
}

TEST(WindowTimes, RepeatUntilTheEnd) {
  const WindowTerms terms = terms_of(100, 10, 50, 200);  // At 100 and 150.
  EXPECT_EQ(Windows::time_at(terms, Instant{})->from, Instant{} + seconds(100));
  EXPECT_EQ(Windows::time_at(terms, Instant{} + seconds(109))->from, Instant{} + seconds(100));
  EXPECT_EQ(Windows::time_at(terms, Instant{} + seconds(110))->from, Instant{} + seconds(150));
  EXPECT_FALSE(Windows::time_at(terms, Instant{} + seconds(160)));
  EXPECT_EQ(Windows::last_end(terms), Instant{} + seconds(160));
  EXPECT_EQ(Windows::last_end(terms_of(0, 1, 1)), Instant::max());
}

/// Against a list of all times, on a common period of all that is drawn.
TEST(WindowTimes, OverlapIsExact) {
  Rng rng(5);
  int both = 0;
  for (int round = 0; round < 4000; ++round) {
    const auto draw = [&] {
      static constexpr std::int64_t kEvery[] = {0, 6, 8, 12, 24};
      const std::int64_t every = kEvery[rng.below(5)];
      const std::int64_t length = rng.between(1, every == 0 ? 9 : std::min<std::int64_t>(every, 5));
      const std::int64_t from = rng.between(0, 30);
      return terms_of(from, length, every, every > 0 && rng.chance(0.5) ? from + rng.between(1, 60) : -1);
    };
    const WindowTerms a = draw();
    const WindowTerms b = draw();
    bool expected = false;
    for (std::int64_t second = 0; second < 300 && !expected; ++second) {
      const Instant at = Instant{} + seconds(second);
      const auto inside = [&](const WindowTerms& terms) {
        const std::optional<Windows::Time> time = Windows::time_at(terms, at);
        return time && time->from <= at;
      };
      expected = inside(a) && inside(b);
    }
    ASSERT_EQ(Windows::overlap(a, b), expected) << "round " << round;
    both += expected;
  }
  EXPECT_GT(both, 500);
}

/// Eight nodes of eight GPUs in two racks; tenants 1 and 2.
class WindowCase : public testing::Test {
 protected:
  WindowCase() : core(racks(), *policy_by_name("gigawerk")) {
    core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
    core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  }
  static Fleet racks() {
    Fleet fleet = flat_fleet(8, 8);
    fleet.fabric.insert(fleet.fabric.begin(), Partition{"rack", {0, 4, 8}});
    return fleet;
  }
  void at(std::int64_t second) { now = Instant{} + seconds(second); }
  JobId submit(std::uint32_t tenant, std::uint32_t nodes, std::int64_t limit_s, bool preemptible = false,
               WindowId window = {}) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = 8;
    request.tenant = TenantId{tenant};
    request.submit = now;
    request.limit = seconds(limit_s);
    request.preemptible = preemptible;
    request.window = window;
    const JobId id{core.state().next_job};
    core.apply(Event::job_submitted(id, request), now);
    return id;
  }
  WindowAnswer reserve(WindowWish wish) {
    const WindowAnswer answer = find_window(core.state(), wish, now);
    if (answer.bar != WindowAnswer::Bar::kNone) return answer;
    EXPECT_TRUE(core.may_add_window(WindowId{next_window}, answer.terms));
    core.apply(Event::window_added(WindowId{next_window++}, answer.terms), now);
    return answer;
  }
  WindowAnswer reserve(std::uint32_t tenant, std::uint32_t nodes, const WindowTerms& terms) {
    WindowWish wish;
    wish.terms = terms;
    if (tenant > 0) wish.terms.tenant = TenantId{tenant};
    wish.nodes = nodes;
    return reserve(wish);
  }
  Plan plan() {
    Plan made = core.plan(now);
    EXPECT_EQ(core.check(), "");
    return made;
  }
  bool runs(JobId job) { return core.job(job) != nullptr && core.job(job)->running; }
  /// Ends running jobs at their limits and plans whenever something is due, up to and with `second`.
  void run_to(std::int64_t second) {
    const Instant goal = Instant{} + seconds(second);
    for (;;) {
      Instant next = core.next_due();
      core.state().jobs.for_each([&](const Job& job) {
        if (job.running) next = std::min(next, job.expected_end);
      });
      if (next > goal) break;
      now = next;
      std::vector<JobId> ended;
      core.state().jobs.for_each([&](const Job& job) {
        if (job.running && job.expected_end <= now) ended.push_back(job.id);
      });
      for (const JobId job : ended)
        core.job(job)->leaving ? core.apply(Event::job_requeued(job), now)
                               : core.apply(Event::job_ended(job), now);
      plan();
    }
    now = goal;
  }
  Core core;
  Instant now;
  std::uint32_t next_window = 0;
};

TEST_F(WindowCase, OnlyJobsThatEndBeforeItStartAndThenOnlyItsOwners) {
  ASSERT_TRUE(reserve(1, 8, terms_of(1000, 500)).found);
  const JobId fits = submit(2, 1, 1000);
  const JobId too_long = submit(2, 1, 1001);
  const JobId owner_early = submit(1, 1, 1200);  // Its time has not come.
  plan();
  EXPECT_TRUE(runs(fits));
  EXPECT_FALSE(runs(too_long));
  EXPECT_FALSE(runs(owner_early));
  EXPECT_EQ(core.binding_reason(too_long), Reason::kWindow);
  EXPECT_EQ(core.next_due(), Instant{} + seconds(1000));
  run_to(1000);
  const JobId owner = submit(1, 8, 500);
  const JobId owner_too_long = submit(1, 1, 501);
  plan();
  EXPECT_TRUE(runs(owner));
  EXPECT_FALSE(runs(owner_too_long));
  EXPECT_FALSE(runs(too_long));
  run_to(1500);
  EXPECT_TRUE(runs(too_long));
  EXPECT_FALSE(core.state().windows.in_use());  // It is over.
}

TEST_F(WindowCase, OwnersJobsTakeTheirReservedNodesFirst) {
  ASSERT_TRUE(reserve(1, 3, terms_of(100, 500)).found);
  at(100);
  const JobId own = submit(1, 3, 400);
  const JobId other = submit(2, 5, 400);
  plan();
  EXPECT_TRUE(runs(own));
  EXPECT_TRUE(runs(other));
}

TEST_F(WindowCase, ReservedAndOpenNodesHoldOneGangTogether) {
  ASSERT_TRUE(reserve(1, 4, terms_of(2000, 500)).found);
  const JobId gang = submit(2, 8, 2000);
  plan();
  EXPECT_TRUE(runs(gang));
}

TEST_F(WindowCase, MaintenanceIsNobodys) {
  ASSERT_TRUE(reserve(0, 8, terms_of(100, 500)).found);
  at(100);
  const JobId job = submit(1, 1, 10);
  plan();
  EXPECT_FALSE(runs(job));
  run_to(600);
  EXPECT_TRUE(runs(job));
}

TEST_F(WindowCase, AJobCanNameItsWindow) {
  ASSERT_TRUE(reserve(1, 2, terms_of(100, 500)).found);
  const JobId named = submit(1, 2, 300, false, WindowId{0});
  const JobId stranger = submit(2, 1, 300, false, WindowId{0});
  plan();
  EXPECT_FALSE(runs(named));  // There are free nodes elsewhere.
  EXPECT_EQ(core.binding_reason(named), Reason::kWindow);
  run_to(100);
  EXPECT_TRUE(runs(named));
  EXPECT_FALSE(runs(stranger));
}

TEST_F(WindowCase, ConflictsNameTheNearestTime) {
  ASSERT_TRUE(reserve(1, 6, terms_of(1000, 500)).found);
  const WindowAnswer refused = reserve(2, 4, terms_of(1200, 100));
  EXPECT_EQ(refused.bar, WindowAnswer::Bar::kReserved);
  EXPECT_EQ(refused.windows, std::vector<WindowId>{WindowId{0}});
  ASSERT_TRUE(refused.found);
  EXPECT_EQ(refused.terms.from, Instant{} + seconds(1500));
  EXPECT_TRUE(reserve(2, 2, terms_of(1200, 100)).bar == WindowAnswer::Bar::kNone);
  EXPECT_EQ(reserve(2, 9, terms_of(1200, 100)).bar, WindowAnswer::Bar::kNodes);
  EXPECT_FALSE(reserve(2, 9, terms_of(1200, 100)).found);
}

TEST_F(WindowCase, ARepeatingWishIsMovedByAPartOfItsPeriod) {
  ASSERT_TRUE(reserve(1, 8, terms_of(1000, 500, 2000)).found);
  const WindowAnswer refused = reserve(2, 8, terms_of(900, 200, 2000));
  ASSERT_EQ(refused.bar, WindowAnswer::Bar::kReserved);
  ASSERT_TRUE(refused.found);
  EXPECT_EQ(refused.terms.from, Instant{} + seconds(1500));
  EXPECT_TRUE(core.may_add_window(WindowId{7}, refused.terms));
  EXPECT_FALSE(reserve(2, 8, terms_of(0, 100, 700)).found);  // 700 and 2000 meet everywhere.
}

TEST_F(WindowCase, RunningJobsAreAvoidedOrNamedOrToldToGo) {
  const JobId fixed = submit(2, 2, 5000);
  const JobId soft = submit(2, 2, 5000, true);
  plan();
  const WindowAnswer beside = reserve(1, 4, terms_of(1000, 100));
  EXPECT_TRUE(beside.jobs.empty());
  const WindowAnswer refused = reserve(1, 6, terms_of(2000, 100));
  EXPECT_EQ(refused.bar, WindowAnswer::Bar::kRunning);
  EXPECT_EQ(refused.jobs, (std::vector<JobId>{fixed, soft}));
  EXPECT_EQ(refused.terms.from, Instant{} + seconds(5000));
  WindowTerms terms = terms_of(2000, 100);
  terms.preempt = true;
  const WindowAnswer made = reserve(1, 6, terms);
  EXPECT_EQ(made.bar, WindowAnswer::Bar::kNone);
  EXPECT_EQ(made.jobs, std::vector<JobId>{soft});
  plan();
  at(1880);  // A grace before.
  EXPECT_EQ(core.next_due(), Instant{} + seconds(1000));
  for (const std::int64_t second : {1000, 1100, 1880}) {
    at(second);
    const Plan step = plan();
    EXPECT_EQ(step.preemptions.size(), second == 1880 ? 1U : 0U);
  }
  EXPECT_TRUE(core.job(soft)->leaving);
  run_to(2000);
  EXPECT_FALSE(runs(soft));
  EXPECT_TRUE(runs(fixed));
}

TEST_F(WindowCase, NeighboursAreChosenWhereTheFabricWantsIt) {
  submit(2, 1, 5000);
  plan();
  WindowWish wish;
  wish.terms = terms_of(100, 100);
  wish.nodes = 4;
  wish.level = 0;
  const WindowAnswer rack = reserve(wish);
  ASSERT_TRUE(rack.found);
  ASSERT_EQ(rack.terms.nodes.size(), 1U);
  EXPECT_EQ(rack.terms.nodes[0].first.value() % 4, 0U);
  EXPECT_EQ(rack.terms.nodes[0].count, 4U);
  wish.terms = terms_of(300, 100);
  wish.nodes = 5;
  EXPECT_EQ(reserve(wish).bar, WindowAnswer::Bar::kNodes);
}

TEST_F(WindowCase, AGangStartsInTheFirstGapThatIsLongEnough) {
  ASSERT_TRUE(reserve(1, 8, terms_of(100, 100, 1000)).found);  // Gaps of 900 s, each from 200 on.
  submit(2, 1, 90);
  plan();
  const JobId gang = submit(2, 8, 900);
  const JobId hopeless = submit(2, 8, 901);
  plan();
  EXPECT_EQ(core.promise().job, gang);
  EXPECT_EQ(core.promise().when, Instant{} + seconds(200));
  std::int64_t second = 0;
  while (!runs(gang) && second < 3000) {  // Small jobs keep coming.
    second += 20;
    run_to(second);
    if (!runs(gang)) submit(1, 1, 60);
    plan();
  }
  EXPECT_EQ(core.job(gang)->started, Instant{} + seconds(200));
  core.apply(Event::window_removed(WindowId{0}), now);
  run_to(1300);
  EXPECT_TRUE(runs(hopeless));
}

TEST_F(WindowCase, APromiseWaitsForQuota) {
  QuotaTerms terms;
  terms.limit_milli = 32'000;
  core.apply(Event::tenant_quota(TenantId{2}, kAllGpus, terms), now);
  const JobId first = submit(2, 4, 1000);
  const JobId second = submit(2, 4, 300);
  plan();
  ASSERT_TRUE(runs(first));
  const WindowAnswer promise = promise_window(core.state(), *core.job(second), seconds(60), now);
  ASSERT_TRUE(promise.found);  // Half of the nodes is free.
  EXPECT_EQ(promise.terms.from, Instant{} + seconds(1000));
  core.apply(Event::tenant_budget(TenantId{2}, BudgetState::kStopNew), now);
  plan();
  const WindowAnswer none = promise_window(core.state(), *core.job(second), seconds(60), now);
  EXPECT_FALSE(none.found);
  EXPECT_EQ(none.bar, WindowAnswer::Bar::kQuota);
}

TEST_F(WindowCase, APromiseHolds) {
  submit(2, 4, 1000);
  plan();
  const JobId gang = submit(1, 8, 300);
  plan();
  const WindowAnswer promise = promise_window(core.state(), *core.job(gang), seconds(60), now);
  ASSERT_TRUE(promise.found);
  EXPECT_EQ(promise.terms.from, Instant{} + seconds(1000));
  ASSERT_TRUE(core.may_add_window(WindowId{0}, promise.terms));
  core.apply(Event::window_added(WindowId{0}, promise.terms), now);
  plan();
  EXPECT_FALSE(reserve(2, 1, terms_of(1100, 50)).bar == WindowAnswer::Bar::kNone);
  const JobId other = submit(2, 4, 1001);
  plan();
  EXPECT_FALSE(runs(other));
  run_to(1000);
  EXPECT_TRUE(runs(gang));
  run_to(1001);
  EXPECT_FALSE(core.state().windows.in_use());
}

std::string plan_bytes(const Plan& plan) {
  ByteWriter out;
  encode(out, plan);
  return out.take();
}

struct Seen {
  std::uint64_t windows = 0;
  std::uint64_t owned = 0;    ///< Starts in a window of one's own.
  std::uint64_t between = 0;  ///< Starts on nodes that were kept back, before their window.
  std::uint64_t told = 0;
  std::uint64_t waited = 0;  ///< Jobs for which a window was the reason.
  std::uint64_t refused = 0;
};

/// Random windows, made while a random workload runs. A core that is restored from a snapshot decides alike.
/// In a window's time nobody is on its nodes but its owner's jobs, those past their limits and those who
/// could not be told; and once all windows are over and all nodes are up, nobody waits.
void play(std::uint64_t seed, Seen& seen) {
  Rng rng(seed);
  const Fleet fleet = random_case::random_fleet(rng);
  PolicyConfig policy = *policy_by_name("gigawerk");
  policy.grace = seconds(30);
  policy.protected_run_time = seconds(60);
  if (rng.chance(0.4)) policy = *policy_by_name(policy_names()[seed % policy_names().size()].name);
  random_case::WorkloadWish wish;
  wish.rules = rng.chance(0.4);
  wish.jobs = 60;
  wish.mean_gap_s = rng.between(5, 60);
  random_case::Workload workload = random_workload(rng, fleet, wish);
  const auto tenants = static_cast<std::uint32_t>(workload.parents.size());
  if (!wish.rules) {
    for (random_case::Scripted& job : workload.jobs) job.request.preemptible = rng.chance(0.3);
  }
  for (random_case::Scripted& job : workload.jobs) {
    if (rng.chance(0.05)) job.request.window = WindowId{static_cast<std::uint32_t>(rng.below(6))};
  }
  Core core(fleet, policy);
  std::unique_ptr<Core> other;
  const std::uint64_t join = rng.below(120);
  Driver driver(workload, policy.grace);
  std::uint32_t next_window = 0;
  std::map<WindowId, Instant> made;
  for (std::uint64_t pass = 0; pass < 20'000; ++pass) {
    if (driver.done() && (core.state().pending.size() == 0 || core.next_due() == Instant::max())) break;
    std::vector<Event> events = driver.next(core.next_due());
    const Instant now = driver.now();
    for (const Event& event : events) core.apply(event, now);
    if (next_window < 12 && core.state().pending.tenants() > 1 && rng.chance(0.15)) {
      WindowWish window;
      window.terms.from = now + seconds(rng.between(0, 600));
      window.terms.length = seconds(rng.between(1, 400));
      if (rng.chance(0.4)) {
        window.terms.every = window.terms.length + seconds(rng.between(1, 800));
        window.terms.until = now + seconds(rng.between(700, 6000));
      }
      if (rng.chance(0.7))
        window.terms.tenant = TenantId{static_cast<std::uint32_t>(rng.between(1, tenants))};
      window.terms.preempt = rng.chance(0.5);
      window.nodes = static_cast<std::uint32_t>(rng.between(1, fleet.nodes()));
      WindowAnswer answer;
      std::vector<const Job*> waiting;
      core.state().jobs.for_each([&](const Job& job) {
        if (job.waits && !job.request.window.valid()) waiting.push_back(&job);
      });
      if (!waiting.empty() && rng.chance(0.2)) {
        answer = promise_window(core.state(), *waiting[rng.below(waiting.size())], seconds(10), now);
      } else {
        answer = find_window(core.state(), window, now);
      }
      if (answer.bar != WindowAnswer::Bar::kNone) ++seen.refused;
      if (answer.found && (answer.bar == WindowAnswer::Bar::kNone || rng.chance(0.3))) {
        answer.terms.from = std::max(answer.terms.from, now);
        const WindowId id{next_window++};
        ASSERT_TRUE(core.may_add_window(id, answer.terms)) << "seed " << seed;
        events.push_back(Event::window_added(id, answer.terms));
        core.apply(events.back(), now);
        made[id] = now;
        ++seen.windows;
      }
    } else if (next_window > 0 && rng.chance(0.01)) {
      events.push_back(Event::window_removed(WindowId{static_cast<std::uint32_t>(rng.below(next_window))}));
      core.apply(events.back(), now);
    }
    const Plan& plan = core.plan(now);
    driver.planned(plan);
    ASSERT_EQ(core.check(), "") << "seed " << seed << ", pass " << pass;
    const State& state = core.state();
    for (const Plan::Start& start : plan.starts) {
      const Job& job = *core.job(start.job);
      ASSERT_TRUE(state.windows_admit(job, start.placement, now))
          << "seed " << seed << ", pass " << pass << ": job " << start.job.value() << " runs into a window";
      for (const Piece& piece : start.placement.pieces) {
        const std::uint32_t group = state.windows.group_of(start.placement.pool, piece.node);
        if (group == Windows::kNoGroup || !state.windows.groups()[group].closed) continue;
        const bool own = state.windows.is_own(state.windows.groups()[group], State::window_user(job), now);
        ++(own ? seen.owned : seen.between);
        break;
      }
    }
    for (const Plan::Preemption& preemption : plan.preemptions) seen.told += !preemption.for_job.valid();
    for (std::uint32_t pool = 0; pool < state.pools.size(); ++pool) {
      state.running[pool].for_each([&](const EndProfile::Entry& entry) {
        const Job& job = state.jobs[entry.job];
        if (job.leaving || job.expected_end <= now) return true;
        for (const Piece& piece : job.placement.pieces) {
          for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
            const std::uint32_t group = state.windows.group_of(pool, node);
            if (group == Windows::kNoGroup) continue;
            for (const WindowId id : state.windows.groups()[group].windows) {
              const WindowTerms& terms = *state.windows.find(id);
              const std::optional<Windows::Time> time = Windows::time_at(terms, now);
              if (!time || time->from > now) continue;
              // A promise needs a part of each node only: who is there already may stay beside it.
              if (terms.job.valid() && job.started < made.at(id)) continue;
              EXPECT_TRUE(state.windows.owns(id, terms, State::window_user(job)))
                  << "seed " << seed << ", pass " << pass << ": job " << job.id.value() << " in window "
                  << id.value();
            }
          }
        }
        return true;
      });
    }
    if (testing::Test::HasFailure()) FAIL() << "seed " << seed;
    state.jobs.for_each([&](const Job& job) {
      if (job.waits && pass % 8 == 0) seen.waited += core.binding_reason(job.id) == Reason::kWindow;
    });
    if (other) {
      for (const Event& event : events) other->apply(event, now);
      ASSERT_EQ(plan_bytes(other->plan(now)), plan_bytes(plan))
          << "seed " << seed << ", pass " << pass << ", joined at " << join;
      ASSERT_EQ(other->snapshot(), core.snapshot())
          << "seed " << seed << ", pass " << pass << ", joined at " << join;
    } else if (pass == join) {
      other = std::make_unique<Core>(fleet, policy);
      ASSERT_TRUE(other->restore(core.snapshot())) << "seed " << seed << ", pass " << pass;
      ASSERT_EQ(other->snapshot(), core.snapshot());
    }
  }
  if (wish.rules || core.state().windows.in_use()) return;  // Quotas may keep a job for ever.
  bool off = false;
  for (const auto& pool : core.state().pools) {
    for (std::uint32_t node = 0; node < pool->nodes(); ++node) off = off || pool->is_off(node);
  }
  if (off) return;
  core.state().jobs.for_each([&](const Job& job) {
    EXPECT_TRUE(job.request.window.valid())
        << "seed " << seed << ": job " << job.id.value() << " waits for ever";
  });
}

TEST(Windows, AreTheirOwnersOnRandomFactories) {
  Seen seen;
  for (std::uint64_t seed = 1; seed <= 300; ++seed)
    ASSERT_NO_FATAL_FAILURE(play(seed, seen)) << "seed " << seed;
  EXPECT_GT(seen.windows, 500U);
  EXPECT_GT(seen.owned, 100U);
  EXPECT_GT(seen.between, 100U);
  EXPECT_GT(seen.told, 20U);
  EXPECT_GT(seen.waited, 100U);
  EXPECT_GT(seen.refused, 50U);
}

}  // namespace
}  // namespace gw::sched
