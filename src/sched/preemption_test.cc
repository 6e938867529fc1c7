// Preemption: whoever is made to leave leaves for a start that comes; whose work is worth least goes first.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "sched/core.h"
#include "sched/random_case.h"
#include "sched/victim_search.h"

namespace gw::sched {
namespace {

using random_case::Driver;

PolicyConfig preempting() {
  PolicyConfig policy = *policy_by_name("gigawerk");
  policy.protected_run_time = seconds(60);
  policy.grace = seconds(30);
  return policy;
}

Fleet racks(std::uint32_t racks, std::uint32_t nodes_each, std::uint32_t gpus) {
  Fleet fleet = flat_fleet(racks * nodes_each, gpus);
  Partition rack{"rack", {}};
  for (std::uint32_t at = 0; at <= racks; ++at) rack.first.push_back(at * nodes_each);
  fleet.fabric.insert(fleet.fabric.begin(), rack);
  return fleet;
}

/// A core with tenants 1 and 2 and a clock in seconds.
class PreemptionCase : public testing::Test {
 protected:
  PreemptionCase() : core(racks(4, 4, 8), preempting()) {
    core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
    core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  }
  void at(std::int64_t second) { now = Instant{} + seconds(second); }
  JobId submit(std::uint32_t tenant, std::uint32_t nodes, std::int32_t priority = 0, bool preemptible = true,
               std::int64_t checkpoint_s = 0, Nanoseconds limit = hours(10)) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = 8;
    request.tenant = TenantId{tenant};
    request.submit = now;
    request.limit = limit;
    request.priority = priority;
    request.preemptible = preemptible;
    request.checkpoint_interval = seconds(checkpoint_s);
    const JobId id{core.state().next_job};
    core.apply(Event::job_submitted(id, request), now);
    return id;
  }
  Plan plan() {
    Plan made = core.plan(now);
    EXPECT_EQ(core.check(), "");
    return made;
  }
  void guarantee(std::uint32_t tenant, std::int64_t gpus) {
    QuotaTerms terms;
    terms.guaranteed_milli = gpus * 1000;
    core.apply(Event::tenant_quota(TenantId{tenant}, kAllGpus, terms), now);
  }
  Core core;
  Instant now;
};

TEST_F(PreemptionCase, AHigherPriorityTakesTheJobThatLosesLeast) {
  const JobId old_job = submit(1, 8);
  plan();
  at(3000);
  const JobId young = submit(1, 8);
  plan();
  at(4000);
  const JobId urgent = submit(2, 4, 5);
  const Plan made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].job, young);
  EXPECT_EQ(made.preemptions[0].for_job, urgent);
  EXPECT_TRUE(made.starts.empty());
  EXPECT_EQ(core.binding_reason(urgent), Reason::kGrace);
  at(4020);
  core.apply(Event::job_requeued(young), now);
  const Plan after = plan();
  ASSERT_EQ(after.starts.size(), 1U);
  EXPECT_EQ(after.starts[0].job, urgent);
  EXPECT_TRUE(core.job(young)->waits);
  EXPECT_TRUE(core.job(old_job)->running);
}

TEST_F(PreemptionCase, ACheckpointMakesAnOldJobCheap) {
  const JobId old_job = submit(1, 8, 0, true, 1000);  // Its last checkpoint is one second old.
  plan();
  at(3000);
  submit(1, 8);
  plan();
  at(4001);
  submit(2, 4, 5);
  const Plan made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].job, old_job);
}

TEST_F(PreemptionCase, NobodyGoesInsideTheProtectedTime) {
  const JobId job = submit(1, 16);
  plan();
  at(30);
  submit(2, 1, 5);
  EXPECT_TRUE(plan().preemptions.empty());
  ASSERT_EQ(core.next_due(), Instant{} + seconds(90));  // Not tried more often than once a minute.
  at(90);
  const Plan made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].job, job);
}

TEST_F(PreemptionCase, WhoCannotBePreemptedStays) {
  submit(1, 16, 0, false);
  plan();
  at(4000);
  submit(2, 1, 5);
  EXPECT_TRUE(plan().preemptions.empty());
}

TEST_F(PreemptionCase, AGuaranteeIsTakenBackFromThoseWhoBorrow) {
  guarantee(2, 64);
  const JobId first = submit(1, 8);
  const JobId second = submit(1, 8);
  plan();
  at(4000);
  const JobId owed = submit(2, 8);
  const Plan made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);  // Equal losses: the smaller id.
  EXPECT_EQ(made.preemptions[0].job, first);
  EXPECT_EQ(made.preemptions[0].for_job, owed);
  at(4010);
  core.apply(Event::job_requeued(first), now);
  const Plan after = plan();
  ASSERT_EQ(after.starts.size(), 1U);
  EXPECT_EQ(after.starts[0].job, owed);
  // It has no claim to more than its guarantee.
  at(9000);
  submit(2, 1);
  EXPECT_TRUE(plan().preemptions.empty());
  EXPECT_TRUE(core.job(second)->running);
}

TEST_F(PreemptionCase, JobsTooLargeForTheGuaranteeDoNotHideOneThatIsNot) {
  guarantee(2, 8);
  for (int job = 0; job < 16; ++job) submit(1, 1);
  plan();
  at(4000);
  for (int job = 0; job < 1000; ++job) submit(2, 2);
  const JobId owed = submit(2, 1);
  const Plan made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].for_job, owed);
}

TEST_F(PreemptionCase, WhatIsBorrowedWithinALimitAboveIsReclaimedThere) {
  // Organisation 1 may have 64 GPUs in all; project 4 in it has them, project 3 is guaranteed 32.
  core.apply(Event::tenant_added(TenantId{1}, 1), now);
  core.apply(Event::tenant_added(TenantId{1}, 1), now);
  QuotaTerms limit;
  limit.limit_milli = 64'000;
  core.apply(Event::tenant_quota(TenantId{1}, kAllGpus, limit), now);
  guarantee(3, 32);
  const JobId borrower = submit(4, 8);
  plan();
  at(4000);
  const JobId owed = submit(3, 4);
  const Plan made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].job, borrower);
  at(4010);
  core.apply(Event::job_requeued(borrower), now);
  const Plan after = plan();
  ASSERT_EQ(after.starts.size(), 1U);
  EXPECT_EQ(after.starts[0].job, owed);
  EXPECT_EQ(core.binding_reason(borrower), Reason::kQuota);
}

TEST_F(PreemptionCase, WhatAGuaranteeHasWonBackIsNotWhatItsTenantBorrows) {
  guarantee(2, 32);
  submit(1, 4, 0, false);
  const JobId ends = submit(1, 4, 0, false);
  const JobId urgent = submit(1, 8, 5);
  plan();
  at(4000);
  const JobId owed = submit(2, 4, 0, true, 1000);
  const JobId borrows = submit(2, 4, 0, true, 0, hours(5));
  Plan made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].job, urgent);
  EXPECT_EQ(made.preemptions[0].for_job, owed);
  at(4010);
  core.apply(Event::job_requeued(urgent), now);
  ASSERT_EQ(plan().starts.size(), 2U);  // Both of tenant 2: it is beyond its guarantee.
  at(5020);
  core.apply(Event::job_ended(ends), now);
  Core copy(racks(4, 4, 8), preempting());
  ASSERT_TRUE(copy.restore(core.snapshot()));
  made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].job, borrows);  // Though the other, just saved, would lose less.
  EXPECT_EQ(made.preemptions[0].for_job, urgent);
  EXPECT_EQ(copy.plan(now).preemptions, made.preemptions);
  // A guarantee that is there no more keeps nobody.
  at(5030);
  core.apply(Event::job_requeued(borrows), now);
  guarantee(2, 31);
  plan();
  at(7000);
  submit(1, 2, 6, false);
  made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_EQ(made.preemptions[0].job, owed);
}

TEST(Preemption, WhoMayNotGoWithTheRestDoesNotSpoilTheOthers) {
  Core core(racks(1, 4, 8), preempting());
  for (int tenant = 0; tenant < 3; ++tenant) core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  QuotaTerms terms;
  terms.guaranteed_milli = 15'000;
  core.apply(Event::tenant_quota(TenantId{1}, kAllGpus, terms), Instant{});
  terms.guaranteed_milli = 24'000;
  core.apply(Event::tenant_quota(TenantId{2}, kAllGpus, terms), Instant{});
  const auto submit = [&](std::uint32_t tenant, std::uint32_t nodes, std::uint32_t gpus,
                          std::int64_t checkpoint_s, Instant now) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = gpus;
    request.tenant = TenantId{tenant};
    request.submit = now;
    request.limit = hours(10);
    request.preemptible = true;
    request.checkpoint_interval = seconds(checkpoint_s);
    const JobId id{core.state().next_job};
    core.apply(Event::job_submitted(id, request), now);
    return id;
  };
  submit(1, 1, 4, 1000,
         Instant{});  // It may go alone, but not with the next: it is within the guarantee then.
  const JobId large = submit(1, 2, 8, 1000, Instant{});
  const JobId dear = submit(3, 1, 8, 0, Instant{});
  ASSERT_EQ(core.plan(Instant{}).starts.size(), 3U);
  const Instant now = Instant{} + seconds(4001);
  submit(2, 3, 8, 0, now);
  const Plan& made = core.plan(now);
  ASSERT_EQ(made.preemptions.size(), 2U);
  EXPECT_EQ(made.preemptions[0].job, large);
  EXPECT_EQ(made.preemptions[1].job, dear);
}

TEST_F(PreemptionCase, ALostNodeBreaksAClaim) {
  const JobId running = submit(1, 16);
  plan();
  at(4000);
  const JobId urgent = submit(2, 4, 5);
  ASSERT_EQ(plan().preemptions.size(), 1U);
  const NodeId node{core.state().claims.at(urgent).placement.pieces[0].node};
  at(4005);
  core.apply(Event::node_down(node), now);
  const Plan made = plan();
  EXPECT_EQ(made.interrupted, std::vector<JobId>{running});
  ASSERT_FALSE(made.starts.empty());  // The nodes that are left do.
  EXPECT_EQ(made.starts[0].job, urgent);
}

TEST_F(PreemptionCase, AJobThatEndsByItselfMakesRoomToo) {
  const JobId running = submit(1, 16);
  plan();
  at(4000);
  const JobId urgent = submit(2, 4, 5);
  ASSERT_EQ(plan().preemptions.size(), 1U);
  at(4005);
  core.apply(Event::job_ended(running), now);
  const Plan made = plan();
  ASSERT_EQ(made.starts.size(), 1U);
  EXPECT_EQ(made.starts[0].job, urgent);
}

TEST_F(PreemptionCase, ASpentBudgetStopsWhatRunsAndLetsItGoOnLater) {
  const JobId job = submit(1, 2, 0, false);
  plan();
  at(1000);
  core.apply(Event::tenant_budget(TenantId{1}, BudgetState::kStopAll), now);
  Plan made = plan();
  ASSERT_EQ(made.preemptions.size(), 1U);
  EXPECT_FALSE(made.preemptions[0].for_job.valid());
  core.apply(Event::job_requeued(job), now);
  EXPECT_TRUE(plan().starts.empty());
  EXPECT_EQ(core.binding_reason(job), Reason::kBudget);
  at(2000);
  core.apply(Event::tenant_budget(TenantId{1}, BudgetState::kOpen), now);
  EXPECT_EQ(plan().starts.size(), 1U);
}

TEST_F(PreemptionCase, ALargeJobIsNotKeptFromItsQuotaForEver) {
  QuotaTerms limit;
  limit.limit_milli = 32'000;
  core.apply(Event::tenant_quota(TenantId{1}, kAllGpus, limit), now);
  JobId small = submit(1, 1);
  plan();
  const JobId large = submit(1, 4);
  plan();
  std::int64_t second = 0;
  while (core.job(large)->waits && second < 3 * 86'400) {
    second += 1800;  // A stream of small jobs, each overlapping the next.
    at(second);
    const JobId next = submit(1, 1);
    plan();
    core.apply(Event::job_ended(small), now);
    plan();
    if (core.job(next) == nullptr || !core.job(next)->running) break;
    small = next;
  }
  EXPECT_GE(second, 12 * 3600);
  for (int step = 0; step < 100 && core.job(large)->waits; ++step) {
    second += 60;
    at(second);
    for (const JobId job : [&] {
           std::vector<JobId> running;
           core.state().jobs.for_each([&](const Job& each) {
             if (each.running && each.id != large) running.push_back(each.id);
           });
           return running;
         }())
      core.apply(Event::job_ended(job), now);
    plan();
    if (core.job(large)->waits) continue;
    break;
  }
  EXPECT_TRUE(core.job(large)->running);
}

/// Random fleets, quotas, budgets, priorities and faults. After every plan: all counts hold; who is told to
/// go may be told; and whoever a job was made to leave for starts in the very instant in which the last has
/// left, unless it was cancelled itself or lost a node.
void play(std::uint64_t seed, std::uint64_t& preemptions, std::uint64_t& led) {
  Rng rng(seed);
  const Fleet fleet = random_case::random_fleet(rng);
  PolicyConfig policy = preempting();
  if (rng.chance(0.2)) policy = *policy_by_name(policy_names()[seed % policy_names().size()].name);
  random_case::WorkloadWish wish;
  wish.rules = true;
  wish.mean_gap_s = rng.between(1, 60);
  const random_case::Workload workload = random_workload(rng, fleet, wish);
  Core core(fleet, policy);
  Driver driver(workload, policy.grace);
  std::map<JobId, std::set<JobId>> leaving;  // By the job that they leave for.
  while (!driver.done()) {
    const std::vector<Event> events = driver.next(core.next_due());
    bool fault = false;
    for (const Event& event : events) {
      fault = fault || event.kind == EventKind::kNodeDown || event.kind == EventKind::kNodeClosed;
      if (event.kind == EventKind::kJobCancelled) leaving.erase(event.job);
      core.apply(event, driver.now());
    }
    for (auto& [taker, victims] : leaving)
      std::erase_if(victims,
                    [&](JobId victim) { return core.job(victim) == nullptr || !core.job(victim)->running; });
    std::map<JobId, Instant> started;
    core.state().jobs.for_each([&](const Job& job) {
      if (job.running) started[job.id] = job.started;
    });
    const Plan& plan = core.plan(driver.now());
    driver.planned(plan);
    ASSERT_EQ(core.check(), "");
    for (const Plan::Start& start : plan.starts) {
      if (leaving.erase(start.job) > 0) {  // Decided earlier, by the terms of then.
        ++led;
        continue;
      }
      const JobRequest& request = core.job(start.job)->request;
      const QuotaTree& quota = core.state().quota;
      for (TenantId up = request.tenant; quota.in_use() && request.shape.total_gpu_milli() > 0;
           up = quota.parent(up)) {
        ASSERT_LE(quota.used_milli(up, kAllGpus), quota.terms(up, kAllGpus).most_milli())
            << "tenant " << up.value();
        if (up == TenantId{0}) break;
      }
    }
    for (auto at = leaving.begin(); at != leaving.end();) {
      const Job* taker = core.job(at->first);
      const bool gone = taker == nullptr || (fault && !taker->claims);
      if (gone) {
        at = leaving.erase(at);
        continue;
      }
      ASSERT_TRUE(taker->claims) << "job " << at->first.value() << " lost its claim";
      ASSERT_FALSE(at->second.empty()) << "job " << at->first.value() << " did not start";
      ++at;
    }
    for (const Plan::Preemption& preemption : plan.preemptions) {
      const Job& victim = *core.job(preemption.job);
      ASSERT_TRUE(victim.leaving);
      if (!preemption.for_job.valid()) continue;  // By its budget.
      ++preemptions;
      ASSERT_TRUE(victim.request.preemptible);
      ASSERT_GE(driver.now() - started.at(preemption.job), policy.protected_run_time);
      leaving[preemption.for_job].insert(preemption.job);
    }
  }
}

TEST(Preemption, LeadsToTheStartItWasFor) {
  std::uint64_t preemptions = 0;
  std::uint64_t led = 0;
  for (std::uint64_t seed = 1; seed <= 250; ++seed)
    ASSERT_NO_FATAL_FAILURE(play(seed, preemptions, led)) << "seed " << seed;
  EXPECT_GT(preemptions, 200U);
  EXPECT_GT(led, 100U);
}

/// Preemption has a direction: up in priority, or from beyond a guarantee into one, where what was won back
/// stays. So without protected time, too, nobody makes the same job leave twice but after it has lost its own
/// place, and no two jobs make each other leave in turn.
void play_turns(std::uint64_t seed, std::uint64_t& preemptions) {
  Rng rng = Rng(seed).split("turns");
  const Fleet fleet = random_case::random_fleet(rng);
  PolicyConfig policy = preempting();
  static constexpr PreemptionKind kKinds[] = {PreemptionKind::kReclaim, PreemptionKind::kPriority,
                                              PreemptionKind::kReclaimAndPriority};
  policy.preemption = kKinds[rng.below(3)];
  policy.protected_run_time = seconds(rng.chance(0.7) ? 0 : rng.between(1, 60));
  policy.grace = seconds(rng.between(0, 30));
  policy.resize_interval = seconds(rng.between(1, 60));
  random_case::WorkloadWish wish;
  wish.rules = rng.chance(0.8);
  wish.elastic = rng.chance(0.3);
  wish.mean_gap_s = rng.between(1, 40);
  random_case::Workload workload = random_workload(rng, fleet, wish);
  for (random_case::Scripted& job : workload.jobs) job.request.preemptible |= rng.chance(0.5);
  Core core(fleet, policy);
  Driver driver(workload, policy.grace);
  std::map<std::pair<JobId, JobId>, std::uint32_t> told;  // Who, for whom.
  std::map<JobId, std::uint32_t> lost;                    // Places that they had, or were to have.
  std::set<JobId> placed;
  const auto note_lost = [&] {
    std::erase_if(placed, [&](JobId id) {
      const Job* job = core.job(id);
      const bool gone = job == nullptr || (!job->running && !job->claims);
      lost[id] += gone;
      return gone;
    });
  };
  for (int pass = 0; !driver.done(); ++pass) {
    ASSERT_LT(pass, 20'000) << "no end";
    for (const Event& event : driver.next(core.next_due())) {
      if (event.kind == EventKind::kJobRequeued && placed.erase(event.job) > 0) ++lost[event.job];
      core.apply(event, driver.now());
      note_lost();  // Also where the plan gives another place at once.
    }
    const Plan& plan = core.plan(driver.now());
    driver.planned(plan);
    note_lost();
    for (const JobId id : plan.interrupted) lost[id] += placed.contains(id);
    for (const Plan::Start& start : plan.starts) placed.insert(start.job);
    for (const Plan::Preemption& preemption : plan.preemptions) {
      const JobId taker = preemption.for_job;
      if (!taker.valid()) continue;
      placed.insert(taker);
      ++preemptions;
      const std::uint32_t times = ++told[{preemption.job, taker}];
      ASSERT_LE(times, 1 + lost[taker])
          << preemption.job.value() << " leaves for " << taker.value() << " again";
      const auto back = told.find({taker, preemption.job});
      ASSERT_TRUE(back == told.end() || std::min(times, back->second) < 2)
          << preemption.job.value() << " and " << taker.value() << " leave for each other in turn";
    }
  }
}

TEST(Preemption, NobodyLeavesForTheSameJobAgainAndAgain) {
  std::uint64_t preemptions = 0;
  const char* wanted = std::getenv("GW_SEEDS");
  const std::uint64_t last = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 250;
  for (const std::uint64_t seed : {803U, 1497U})
    ASSERT_NO_FATAL_FAILURE(play_turns(seed, preemptions)) << "seed " << seed << ", a finding";
  for (std::uint64_t seed = 1; seed <= last; ++seed)
    ASSERT_NO_FATAL_FAILURE(play_turns(seed, preemptions)) << "seed " << seed;
  EXPECT_GT(preemptions, 200U);
}

/// On small cases: victims are found whenever any set of them would do, and what is lost is near the least.
TEST(VictimSearch, IsCloseToTheBestOfAllSets) {
  std::int64_t lost = 0;
  std::int64_t least = 0;
  int cases = 0;
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    Rng rng(seed);
    Fleet fleet = racks(2, static_cast<std::uint32_t>(rng.between(1, 4)), 4);
    PolicyConfig policy = preempting();
    policy.protected_run_time = Nanoseconds{0};
    Core core(fleet, policy);
    core.apply(Event::tenant_added(TenantId{0}, 1), Instant{});
    Instant now;
    for (int job = 0; job < 9; ++job) {
      JobRequest request;
      request.tenant = TenantId{1};
      request.submit = now;
      request.limit = hours(1000);
      request.preemptible = true;
      request.shape.nodes = static_cast<std::uint32_t>(rng.between(1, 3));
      request.shape.gpus = static_cast<std::uint32_t>(rng.between(1, 4));
      core.apply(Event::job_submitted(JobId{core.state().next_job}, request), now);
      core.plan(now);
      if (core.state().pending.size() > 0) {  // It must hold no reservation.
        core.apply(Event::job_cancelled(JobId{core.state().next_job - 1}), now);
        core.plan(now);
      }
      now = now + seconds(rng.between(1, 5000));
    }
    JobRequest request;
    request.tenant = TenantId{1};
    request.submit = now;
    request.limit = hours(1);
    request.priority = 1;
    request.shape.nodes = static_cast<std::uint32_t>(rng.between(1, 4));
    request.shape.gpus = static_cast<std::uint32_t>(rng.between(1, 4));
    if (rng.chance(0.4)) {
      request.shape.level = 0;
      request.shape.level_required = true;
    }
    // Without a plan it waits, and the state can be searched.
    Core copy(fleet, policy);
    ASSERT_TRUE(copy.restore(core.snapshot()));
    const JobId taker{copy.state().next_job};
    copy.apply(Event::job_submitted(taker, request), now);
    State& state = const_cast<State&>(copy.state());
    const Job* job = copy.job(taker);
    if (job == nullptr || state.place(*job, View::kOpen)) continue;
    std::vector<const Job*> running;
    state.jobs.for_each([&](const Job& each) {
      if (each.running) running.push_back(&each);
    });
    std::int64_t best = INT64_MAX;
    for (std::uint32_t set = 1; set < (1U << running.size()); ++set) {
      std::int64_t cost = 0;
      for (std::size_t at = 0; at < running.size(); ++at) {
        if (((set >> at) & 1U) == 0) continue;
        cost += running[at]->request.shape.total_gpu_milli() *
                ((now - running[at]->started + policy.restart_estimate).count() / kNanosecondsPerSecond);
        state.pools[0]->give(running[at]->request.shape, running[at]->placement);
      }
      if (cost < best && state.pools[0]->place(request.shape, View::kOpen, policy.placement)) best = cost;
      for (std::size_t at = 0; at < running.size(); ++at) {
        if (((set >> at) & 1U) != 0) state.pools[0]->take(running[at]->request.shape, running[at]->placement);
      }
    }
    VictimSearch search;
    Instant again;
    const std::optional<VictimSearch::Answer> answer = search.find(state, *job, now, again);
    ASSERT_EQ(answer.has_value(), best != INT64_MAX) << "seed " << seed;
    ASSERT_EQ(copy.check(), "") << "seed " << seed;
    if (!answer) continue;
    ASSERT_GE(answer->lost_gpu_milli_s, best) << "seed " << seed;
    lost += answer->lost_gpu_milli_s;
    least += best;
    ++cases;
  }
  EXPECT_GT(cases, 100);
  // Measured: within 10 % of the least in sum.
  EXPECT_LE(static_cast<double>(lost), 1.1 * static_cast<double>(least)) << cases << " cases";
}

}  // namespace
}  // namespace gw::sched
