// Claims against what happens when the change is really made.
#include "twin/counterfactual.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "base/rng.h"
#include "sched/core.h"
#include "sched/random_case.h"

namespace gw::twin {
namespace {

using sched::Core;
using sched::Event;

constexpr std::uint32_t kGpus = 8;

Fleet small_fleet(std::uint32_t nodes) {
  Fleet fleet;
  fleet.name = "small";
  fleet.gpu_types.emplace_back().name = "h100";
  NodeType type;
  type.name = "box";
  type.gpu_type = 0;
  type.gpus = kGpus;
  fleet.node_types.push_back(type);
  fleet.node_type_of.assign(nodes, 0);
  fleet.fabric.push_back({"site", {0, nodes}});
  return fleet;
}

JobRequest request_of(std::uint32_t nodes, std::uint32_t gpus, Nanoseconds limit) {
  JobRequest request;
  request.shape.nodes = nodes;
  request.shape.gpus = gpus;
  request.tenant = TenantId{0};
  request.limit = limit;
  return request;
}

/// Every job runs to its limit: the future is known.
RunTimeModel to_the_limit() {
  RunTimeModel model;
  model.by_tenant = {std::vector<double>(RunTimeModel::kEnough, 1.0)};
  return model;
}

const Counterfactual* of_kind(const Counterfactuals& found, ChangeKind kind) {
  const auto at = std::find_if(found.changes.begin(), found.changes.end(),
                               [&](const Counterfactual& change) { return change.kind == kind; });
  return at == found.changes.end() ? nullptr : &*at;
}

Counterfactuals must_find(const Fleet& fleet, const PolicyConfig& policy, const Core& core, JobId job,
                          const CounterfactualOptions& options = {}) {
  const RunTimeModel model = to_the_limit();
  const std::string snapshot = core.snapshot();
  Result<Counterfactuals> found = nearest_changes({fleet, policy, snapshot, core.now(), model}, job, options);
  EXPECT_TRUE(found.has_value()) << found.error().message;
  return found ? std::move(*found) : Counterfactuals{};
}

TEST(Counterfactual, FindsTheLargestSizeAndLimitThatStartAtOnce) {
  const Fleet fleet = small_fleet(8);
  const PolicyConfig policy = *policy_by_name("easy");
  Core core(fleet, policy);
  core.apply(Event::job_submitted(JobId{0}, request_of(2, kGpus, hours(3))), Instant{});
  core.plan(Instant{});
  core.apply(Event::job_submitted(JobId{1}, request_of(8, kGpus, hours(10))), Instant{} + minutes(30));
  ASSERT_TRUE(core.plan(Instant{} + minutes(30)).starts.empty());

  const Counterfactuals first = must_find(fleet, policy, core, JobId{1});
  EXPECT_EQ(first.present.p50, Instant{} + hours(3));
  const Counterfactual* size = of_kind(first, ChangeKind::kSize);
  ASSERT_NE(size, nullptr);
  EXPECT_TRUE(size->at_once);
  EXPECT_EQ(size->request.shape.nodes, 6U);
  EXPECT_EQ(size->given_up_permille, 250U);
  // Halves of nodes are no help where whole nodes are free; a shorter limit neither.
  EXPECT_EQ(of_kind(first, ChangeKind::kSpread), nullptr);
  EXPECT_EQ(of_kind(first, ChangeKind::kLimit), nullptr);

  // The first that does not fit holds a reservation at 3 h: the other may only fill what is left until then.
  Core behind(fleet, policy);
  behind.apply(Event::job_submitted(JobId{0}, request_of(2, kGpus, hours(3))), Instant{});
  behind.plan(Instant{});
  behind.apply(Event::job_submitted(JobId{1}, request_of(8, kGpus, hours(10))), Instant{} + minutes(30));
  behind.apply(Event::job_submitted(JobId{2}, request_of(6, kGpus, hours(5))), Instant{} + minutes(30));
  ASSERT_TRUE(behind.plan(Instant{} + minutes(30)).starts.empty());
  const Counterfactuals second = must_find(fleet, policy, behind, JobId{2});
  const Counterfactual* limit = of_kind(second, ChangeKind::kLimit);
  ASSERT_NE(limit, nullptr);
  EXPECT_TRUE(limit->at_once);
  EXPECT_EQ(limit->request.limit, hours(2) + minutes(30));
  // Submitted anew, the first would stand behind the other, which takes all that is free.
  EXPECT_EQ(of_kind(must_find(fleet, policy, behind, JobId{1}), ChangeKind::kSize), nullptr);
}

TEST(Counterfactual, NamesAZoneThatOnlyItsOwnWishesRuleOut) {
  Fleet fleet = small_fleet(6);
  fleet.zones = {Zone{}, Zone{}, Zone{}};
  for (std::size_t zone = 0; zone < 3; ++zone) fleet.zones[zone].name = "zone-" + std::to_string(zone);
  fleet.zone_of_node = {0, 0, 1, 1, 2, 2};
  const PolicyConfig policy = *policy_by_name("easy");
  Core core(fleet, policy);
  JobRequest request = request_of(2, kGpus, hours(3));
  request.shape.zones = 1;
  core.apply(Event::job_submitted(JobId{0}, request), Instant{});
  core.apply(Event::job_submitted(JobId{1}, request), Instant{});
  ASSERT_EQ(core.plan(Instant{}).starts.size(), 1U);

  CounterfactualOptions options;
  options.lawful_zones = 0b101;  // A rule closes the second to it.
  const Counterfactuals found = must_find(fleet, policy, core, JobId{1}, options);
  const Counterfactual* zone = of_kind(found, ChangeKind::kZones);
  ASSERT_NE(zone, nullptr);
  EXPECT_TRUE(zone->at_once);
  EXPECT_EQ(zone->request.shape.zones, 0b101U);
  EXPECT_EQ(std::count_if(found.changes.begin(), found.changes.end(),
                          [](const Counterfactual& change) { return change.kind == ChangeKind::kZones; }),
            1);
  options.lawful_zones = 0b001;
  const Counterfactuals none = must_find(fleet, policy, core, JobId{1}, options);
  EXPECT_EQ(of_kind(none, ChangeKind::kZones), nullptr);
}

TEST(Counterfactual, SaysNothingWhereNothingHelps) {
  const Fleet fleet = small_fleet(1);
  const PolicyConfig policy = *policy_by_name("easy");
  Core core(fleet, policy);
  core.apply(Event::job_submitted(JobId{0}, request_of(1, kGpus, hours(3))), Instant{});
  core.apply(Event::job_submitted(JobId{1}, request_of(1, kGpus, hours(1))), Instant{});
  core.plan(Instant{});
  const Counterfactuals found = must_find(fleet, policy, core, JobId{1});
  EXPECT_TRUE(found.changes.empty());
  EXPECT_GT(found.tried, 5U);
  EXPECT_EQ(found.present.p50, Instant{} + hours(3));
}

TEST(Counterfactual, RefusesWhatDoesNotWaitAndForeignSnapshots) {
  const Fleet fleet = small_fleet(1);
  const PolicyConfig policy = *policy_by_name("easy");
  Core core(fleet, policy);
  core.apply(Event::job_submitted(JobId{0}, request_of(1, kGpus, hours(3))), Instant{});
  core.plan(Instant{});
  const RunTimeModel model;
  const std::string snapshot = core.snapshot();
  EXPECT_FALSE(nearest_changes({fleet, policy, snapshot, core.now(), model}, JobId{0}, {}).has_value());
  EXPECT_FALSE(nearest_changes({fleet, policy, snapshot, core.now(), model}, JobId{7}, {}).has_value());
  EXPECT_FALSE(nearest_changes({fleet, policy, "no", core.now(), model}, JobId{0}, {}).has_value());
}

/// A factory in the middle of its work, all of whose jobs run to their limits.
struct Middle {
  Fleet fleet;
  PolicyConfig policy;
  std::unique_ptr<Core> core;
  std::vector<JobId> waiting;
};

Middle middle_of(const std::string& policy, std::uint64_t seed) {
  Rng rng = Rng(seed).split("counterfactual-case");
  Middle made;
  made.policy = *policy_by_name(policy);
  sched::random_case::FleetWish fleet_wish;
  fleet_wish.most_nodes = 16;
  made.fleet = random_fleet(rng, fleet_wish);
  sched::random_case::WorkloadWish wish;
  wish.jobs = 50;
  wish.mean_gap_s = 5;
  wish.exact = true;
  wish.outages = wish.cancels = wish.overruns = false;
  const sched::random_case::Workload workload = random_workload(rng, made.fleet, wish);
  sched::random_case::Driver driver(workload);
  made.core = std::make_unique<Core>(made.fleet, made.policy);
  while (!driver.done() && driver.now() < workload.jobs.back().request.submit) {
    for (const Event& event : driver.next()) made.core->apply(event, driver.now());
    driver.planned(made.core->plan(driver.now()));
  }
  made.core->state().jobs.for_each([&](const sched::Job& job) {
    if (!job.running) made.waiting.push_back(job.id);
  });
  std::sort(made.waiting.begin(), made.waiting.end());
  return made;
}

/// Cancels the job, submits the other, and plays every job to its limit until that has started.
Instant really_starts(const Middle& middle, JobId job, const JobRequest& request) {
  Core core(middle.fleet, middle.policy);
  EXPECT_TRUE(core.restore(middle.core->snapshot()));
  std::set<std::pair<Instant, JobId>> ends;
  core.state().jobs.for_each([&](const sched::Job& each) {
    if (each.running) ends.emplace(each.expected_end, each.id);
  });
  const JobId changed{core.state().next_job};
  Instant now = middle.core->now();
  core.apply(Event::job_cancelled(job), now);
  core.apply(Event::job_submitted(changed, request), now);
  for (;;) {
    for (const sched::Plan::Start& start : core.plan(now).starts) {
      if (start.job == changed) return now;
      ends.emplace(core.job(start.job)->expected_end, start.job);
    }
    if (ends.empty()) return Instant::max();
    now = ends.begin()->first;
    while (!ends.empty() && ends.begin()->first == now) {
      core.apply(Event::job_ended(ends.begin()->second), now);
      ends.erase(ends.begin());
    }
  }
}

TEST(Counterfactual, EveryClaimHoldsWhenItIsReallyDone) {
  std::size_t at_once = 0, later = 0;
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      SCOPED_TRACE(std::string(policy.name) + ", seed " + std::to_string(seed));
      const Middle middle = middle_of(std::string(policy.name), seed);
      for (std::size_t index = 0; index < middle.waiting.size(); index += 5) {
        const JobId job = middle.waiting[index];
        const Counterfactuals found = must_find(middle.fleet, middle.policy, *middle.core, job);
        ASSERT_LE(found.changes.size(), 5U);
        std::uint32_t given_up = 0;
        for (const Counterfactual& change : found.changes) {
          SCOPED_TRACE(std::string(name_of(change.kind)) + " of job " + std::to_string(job.value()));
          const Instant real = really_starts(middle, job, change.request);
          ASSERT_EQ(change.start.p50, real);
          ASSERT_EQ(change.start.p90, real);
          ASSERT_EQ(change.at_once, real == middle.core->now());
          ASSERT_LT(real, found.present.p50);
          ASSERT_GE(change.given_up_permille, given_up);
          given_up = change.given_up_permille;
          ++(change.at_once ? at_once : later);
        }
      }
    }
  }
  EXPECT_GT(at_once, 50U);
  EXPECT_GT(later, 30U);
}

TEST(Counterfactual, DoesNotDependOnThreads) {
  const Middle middle = middle_of("gigawerk", 3);
  ASSERT_FALSE(middle.waiting.empty());
  const RunTimeModel model;
  const std::string snapshot = middle.core->snapshot();
  const ForecastInput input{middle.fleet, middle.policy, snapshot, middle.core->now(), model};
  for (const JobId job : middle.waiting) {
    CounterfactualOptions options;
    options.threads = 1;
    const Counterfactuals alone = *nearest_changes(input, job, options);
    options.threads = 4;
    const Counterfactuals together = *nearest_changes(input, job, options);
    ASSERT_EQ(alone.changes.size(), together.changes.size());
    ASSERT_EQ(alone.events, together.events);
    for (std::size_t index = 0; index < alone.changes.size(); ++index)
      ASSERT_EQ(alone.changes[index].start, together.changes[index].start);
  }
}

TEST(Counterfactual, KeepsToItsEvents) {
  const Middle middle = middle_of("easy", 4);
  ASSERT_FALSE(middle.waiting.empty());
  CounterfactualOptions options;
  options.most_events = 500;
  const Counterfactuals found =
      must_find(middle.fleet, middle.policy, *middle.core, middle.waiting.back(), options);
  EXPECT_LT(found.events, 2'000U);
}

TEST(Counterfactual, WhatCouldBePossibleIs) {
  std::size_t helped = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    Rng rng = Rng(seed).split("possible");
    const Fleet fleet = sched::random_case::random_fleet(rng);
    const sched::State state(fleet, *policy_by_name("easy"));
    Shape shape = sched::random_case::random_shape(rng, fleet);
    if (shape.gpu_milli == 0 && rng.chance(0.5)) shape.nodes = fleet.nodes() + 3;
    if (rng.chance(0.3)) shape.cpu_milli = 900'000;
    if (state.could_ever_fit(shape)) continue;
    std::uint32_t given_up = 0;
    // A tenant that may have so much at a time.
    const std::int64_t most_milli = rng.chance(0.5) ? INT64_MAX : rng.between(1, 64) * 1000;
    const auto is_let = [&](const Shape& changed) { return changed.total_gpu_milli() <= most_milli; };
    for (const PossibleShape& possible : nearest_possible(state, shape, is_let)) {
      EXPECT_TRUE(is_let(possible.shape)) << seed;
      EXPECT_TRUE(state.could_ever_fit(possible.shape)) << seed;
      EXPECT_NE(possible.shape, shape);
      EXPECT_GE(possible.given_up_permille, given_up);
      given_up = possible.given_up_permille;
      ++helped;
    }
  }
  EXPECT_GT(helped, 60U);
}

}  // namespace
}  // namespace gw::twin
