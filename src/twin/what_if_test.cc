// Two worlds that must not differ where nothing is changed, and differ as they must where something is.
#include "twin/what_if.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>

#include "base/rng.h"
#include "sched/core.h"
#include "sched/random_case.h"
#include "twin/grow_fleet.h"

namespace gw::twin {
namespace {

using sched::Core;
using sched::Event;

/// A factory in the middle of its work.
struct Middle {
  Fleet fleet;
  PolicyConfig policy;
  std::unique_ptr<Core> core;
  std::string snapshot;
  SubmissionModel arrivals;
  std::vector<Arrival> planned;
  RunTimeModel run_times;

  [[nodiscard]] WhatIfInput input() const {
    return {fleet, policy, snapshot, core->now(), run_times, arrivals, planned};
  }
};

Middle middle_of(const std::string& policy, std::uint64_t seed) {
  Rng rng = Rng(seed).split("what-if-case");
  Middle made;
  made.policy = *policy_by_name(policy);
  sched::random_case::FleetWish fleet_wish;
  fleet_wish.most_nodes = 16;
  made.fleet = random_fleet(rng, fleet_wish);
  for (NodeType& type : made.fleet.node_types) {
    type.power_idle = Milliwatts{1'000'000};
    type.power_max = Milliwatts{5'000'000};
  }
  sched::random_case::WorkloadWish wish;
  wish.jobs = 60;
  wish.mean_gap_s = 5;
  wish.outages = wish.cancels = wish.overruns = false;
  const sched::random_case::Workload workload = random_workload(rng, made.fleet, wish);
  sched::random_case::Driver driver(workload);
  made.core = std::make_unique<Core>(made.fleet, made.policy);
  while (!driver.done() && driver.now() < workload.jobs.back().request.submit) {
    for (const Event& event : driver.next()) made.core->apply(event, driver.now());
    driver.planned(made.core->plan(driver.now()));
  }
  made.snapshot = made.core->snapshot();
  const auto tenants = static_cast<std::uint32_t>(workload.parents.size());
  for (std::uint32_t tenant = 1; tenant <= tenants; ++tenant) {
    SubmissionModel::OfTenant of{TenantId{tenant}, 10.0, {}};
    for (const sched::random_case::Scripted& job : workload.jobs) {
      if (job.request.tenant == TenantId{tenant} && made.core->state().could_ever_fit(job.request.shape))
        of.submitted.push_back({job.request, tenant == 1 ? 3U : 1U});
    }
    if (!of.submitted.empty()) made.arrivals.tenants.push_back(std::move(of));
  }
  return made;
}

WhatIf must_ask(const Middle& middle, const WorldChanges& changes, WhatIfOptions options = {}) {
  options.horizon = std::min(options.horizon, hours(2));
  Result<WhatIf> answer = what_if(middle.input(), changes, options);
  EXPECT_TRUE(answer.has_value()) << answer.error().message;
  return answer ? std::move(*answer) : WhatIf{};
}

const Comparison& figure(const WhatIf& answer, std::string_view name) {
  for (const WhatIfFigure& each : answer.figures) {
    if (each.name == name) return each.value;
  }
  static const Comparison none;
  ADD_FAILURE() << "no figure " << name;
  return none;
}

TEST(WhatIf, NoChangeGivesExactlyNoDifference) {
  double jobs = 0;
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      SCOPED_TRACE(std::string(policy.name) + ", seed " + std::to_string(seed));
      const WhatIf answer = must_ask(middle_of(std::string(policy.name), seed), {});
      ASSERT_EQ(answer.members, WhatIfOptions{}.most_members);
      for (const WhatIfFigure& each : answer.figures) {
        ASSERT_EQ(each.value.difference, 0.0) << each.name;
        ASSERT_EQ(each.value.low, 0.0) << each.name;
        ASSERT_EQ(each.value.high, 0.0) << each.name;
        ASSERT_EQ(each.value.base, each.value.changed) << each.name;
      }
      ASSERT_EQ(answer.gpus_base, answer.gpus_changed);
      ASSERT_EQ(answer.watts_base, answer.watts_changed);
      ASSERT_TRUE(answer.sooner.empty() && answer.later.empty());
      ASSERT_TRUE(answer.interrupted.empty() && answer.rejected.empty());
      jobs += answer.new_jobs + static_cast<double>(answer.waiting_jobs);
    }
  }
  EXPECT_GT(jobs, 2000);
}

/// All of its nodes below one feed.
Middle fed_middle(const std::string& policy, std::uint64_t seed) {
  Middle made = middle_of(policy, seed);
  for (GpuType& type : made.fleet.gpu_types) {
    type.power_floor_permille = 600;
    type.floor_speed_permille = 800;
  }
  made.fleet.feed = {{{"site", {0, made.fleet.nodes()}}, {Milliwatts{0}}, {"here"}}};
  auto core = std::make_unique<Core>(made.fleet, made.policy);
  core->move_from(*made.core, made.fleet, made.fleet, made.core->now());
  core->plan(made.core->now());
  made.core = std::move(core);
  made.snapshot = made.core->snapshot();
  return made;
}

TEST(WhatIf, ACapIsKeptInTheChangedWorldWhileItHolds) {
  int cut = 0, longer = 0;
  for (const char* policy : {"gigawerk", "easy", "conservative"}) {
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
      SCOPED_TRACE(std::string(policy) + ", seed " + std::to_string(seed));
      const Middle middle = fed_middle(policy, seed);
      const Instant now = middle.core->now();
      const std::int64_t idle = std::int64_t{middle.fleet.nodes()} * 1'000'000;
      const Milliwatts cap{idle + idle};  // A quarter of what the work can draw.
      WorldChanges changes;
      changes.feeds = {"here", "nowhere"};
      changes.facts.emplace();
      changes.facts->push_back({now + minutes(30), Event::feed_cap(0, 0, cap)});
      changes.facts->push_back({now + minutes(90), Event::feed_cap(0, 0, Milliwatts{0})});
      const WhatIf answer = must_ask(middle, changes);
      ASSERT_EQ(answer.feeds.size(), 1U);
      const FeedComparison& feed = answer.feeds[0];
      EXPECT_EQ(feed.cap_base, 0);
      EXPECT_EQ(feed.cap_changed, static_cast<double>(cap.count()) / 1000);
      EXPECT_EQ(feed.above_s.changed, 0) << "what a plan lowers shows at once here";
      EXPECT_LE(feed.mean.changed, feed.peak.changed);
      cut += feed.mean.changed < feed.mean.base;
      longer += figure(answer, "ends").changed <= figure(answer, "ends").base;
      // In both worlds it is as if it were in none.
      Middle known = fed_middle(policy, seed);
      WhatIfInput input = known.input();
      input.facts = *changes.facts;
      WorldChanges same;
      same.feeds = changes.feeds;
      WhatIfOptions options;
      options.horizon = hours(2);
      const Result<WhatIf> both = what_if(input, same, options);
      ASSERT_TRUE(both.has_value());
      EXPECT_EQ(both->feeds[0].mean.difference, 0);
      EXPECT_EQ(both->feeds[0].mean.base, feed.mean.changed);
      EXPECT_EQ(both->feeds[0].cap_base, feed.cap_changed);
    }
  }
  EXPECT_GE(cut, 10);
  EXPECT_GE(longer, 10);
}

/// A node of the fleet on which nothing runs; none if all are in use.
NodeId idle_node(const Middle& middle) {
  std::set<std::uint32_t> used;
  const sched::State& state = middle.core->state();
  state.jobs.for_each([&](const sched::Job& job) {
    for (const sched::Piece& piece : job.placement.pieces) {
      for (std::uint32_t node = piece.node; job.running && node < piece.node + piece.count; ++node)
        used.insert(state.fleet_node(job.placement, node).value());
    }
  });
  for (std::uint32_t node = 0; node < middle.fleet.nodes(); ++node) {
    if (!used.contains(node)) return NodeId{node};
  }
  return NodeId{};
}

TEST(WhatIf, ADrainedIdleNodeStartsNothingSoonerOnAverage) {
  double waiting = 0, arriving = 0, used = 0;
  int cases = 0, slower = 0;
  WhatIfOptions options;
  options.most_members = 4;
  for (std::uint64_t seed = 1; seed <= 180; ++seed) {
    const Middle middle = middle_of("gigawerk", seed);
    const NodeId node = idle_node(middle);
    if (!node.valid()) continue;
    WorldChanges changes;
    changes.events = {Event::node_closed(node)};
    const WhatIf answer = must_ask(middle, changes, options);
    waiting += figure(answer, "wait_waiting_mean_s").difference;
    arriving += figure(answer, "wait_new_mean_s").difference;
    slower += figure(answer, "wait_new_mean_s").low > 0;
    used += figure(answer, "gpus_used_mean").difference;
    ++cases;
  }
  ASSERT_GT(cases, 20);
  EXPECT_GE(waiting, 0);
  EXPECT_GT(arriving, 0);
  EXPECT_LT(used, 0);
  EXPECT_GT(slower, cases / 10);
}

TEST(WhatIf, MoreNodesStartThingsSoonerAndDrawPower) {
  int cases = 0, quicker = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const Middle middle = middle_of("gigawerk", seed);
    const NodeType& type = middle.fleet.type_of(NodeId{0});
    const Result<Fleet> grown = grow_fleet(middle.fleet, {type.name, 8, ""});
    ASSERT_TRUE(grown.has_value()) << grown.error().message;
    WorldChanges changes;
    changes.fleet = *grown;
    const WhatIf answer = must_ask(middle, changes);
    EXPECT_EQ(answer.gpus_up_changed, answer.gpus_up_base + 8 * static_cast<std::int64_t>(type.gpus));
    EXPECT_GT(figure(answer, "power_mean_w").difference, 0);
    EXPECT_TRUE(answer.interrupted.empty());
    quicker += figure(answer, "wait_new_mean_s").difference < 0;
    ++cases;
  }
  EXPECT_GT(quicker, cases / 2);
}

TEST(WhatIf, AnotherPolicyAndWeightsMoveJobs) {
  std::size_t moved = 0;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    const Middle middle = middle_of("gigawerk", seed);
    WorldChanges changes;
    changes.policy = *policy_by_name("fifo");
    const WhatIf other = must_ask(middle, changes);
    moved += other.sooner.size() + other.later.size();
    EXPECT_TRUE(other.interrupted.empty() && other.rejected.empty());
    WorldChanges weights;
    weights.events = {Event::tenant_weight(TenantId{1}, 1000)};
    const WhatIf heavier = must_ask(middle, weights);
    // The base is the same world, whatever it is held against.
    EXPECT_EQ(figure(other, "wait_new_mean_s").base, figure(heavier, "wait_new_mean_s").base);
    EXPECT_EQ(other.gpus_base, heavier.gpus_base);
    for (const WhatIf* answer : {&other, &heavier}) {
      for (std::size_t index = 1; index < answer->sooner.size(); ++index)
        EXPECT_GE(answer->sooner[index - 1].base - answer->sooner[index - 1].changed,
                  answer->sooner[index].base - answer->sooner[index].changed);
      for (const JobShift& shift : answer->later) EXPECT_GT(shift.changed, shift.base);
    }
  }
  EXPECT_GT(moved, 20U);
}

TEST(WhatIf, DoesNotDependOnThreads) {
  const Middle middle = middle_of("gigawerk", 2);
  WorldChanges changes;
  changes.events = {Event::node_closed(NodeId{0})};
  WhatIfOptions options;
  const WhatIf alone = must_ask(middle, changes, options);
  options.threads = 4;
  const WhatIf together = must_ask(middle, changes, options);
  EXPECT_EQ(alone.events, together.events);
  ASSERT_EQ(alone.figures.size(), together.figures.size());
  for (std::size_t index = 0; index < alone.figures.size(); ++index)
    EXPECT_EQ(alone.figures[index].value, together.figures[index].value) << alone.figures[index].name;
  EXPECT_EQ(alone.watts_changed, together.watts_changed);
}

TEST(WhatIf, ShortensTheHorizonWhereEventsAreFew) {
  const Middle middle = middle_of("gigawerk", 5);
  const WhatIf whole = must_ask(middle, {});
  EXPECT_FALSE(whole.shortened);
  WhatIfOptions options;
  options.most_events = 400;
  const WhatIf part = must_ask(middle, {}, options);
  EXPECT_TRUE(part.shortened);
  EXPECT_LT(part.horizon, hours(2));
  EXPECT_GE(part.members, 1U);
  EXPECT_LT(part.events, 2'000U);
}

TEST(WhatIf, EndsWhenItIsCancelled) {
  const Middle middle = middle_of("gigawerk", 5);
  WhatIfOptions options;
  int asked = 0;
  options.cancelled = [&] { return ++asked > 50; };
  const Result<WhatIf> answer = what_if(middle.input(), {}, options);
  ASSERT_FALSE(answer.has_value());
  EXPECT_NE(answer.error().message.find("cancelled"), std::string::npos);
  EXPECT_LT(asked, 200);
}

TEST(WhatIf, MeasuresUseAndPower) {
  Middle middle;
  middle.policy = *policy_by_name("easy");
  middle.fleet = flat_fleet(2, 8);
  middle.fleet.node_types[0].power_idle = Milliwatts{1'000'000};
  middle.fleet.node_types[0].power_max = Milliwatts{3'000'000};
  middle.core = std::make_unique<Core>(middle.fleet, middle.policy);
  middle.core->plan(Instant{});
  middle.snapshot = middle.core->snapshot();
  middle.run_times.by_tenant = {std::vector<double>(RunTimeModel::kEnough, 1.0)};
  JobRequest request;
  request.tenant = TenantId{0};
  request.shape.nodes = 1;
  request.shape.gpus = 4;
  request.limit = minutes(30);
  for (const std::int64_t minute : {10, 20}) middle.planned.push_back({Instant{} + minutes(minute), request});
  WorldChanges changes;
  changes.events = {Event::node_closed(NodeId{1})};
  WhatIfOptions options;
  options.horizon = hours(1);
  options.most_members = 2;
  const WhatIf answer = must_ask(middle, changes, options);
  // Two nodes at rest for an hour, and half a node for half an hour, twice.
  EXPECT_DOUBLE_EQ(figure(answer, "energy_j").base, 2 * 1000.0 * 3600 + 2 * 1000.0 * 1800);
  EXPECT_DOUBLE_EQ(figure(answer, "power_peak_w").base, 4000);
  EXPECT_DOUBLE_EQ(figure(answer, "gpus_used_mean").base, 4);
  EXPECT_DOUBLE_EQ(figure(answer, "utilisation").base, 0.25);
  ASSERT_EQ(answer.gpus_base.size(), 1U);
  EXPECT_DOUBLE_EQ(answer.gpus_base[0], 4);
  EXPECT_DOUBLE_EQ(figure(answer, "starts").base, 2);
  EXPECT_DOUBLE_EQ(figure(answer, "ends").base, 2);
  EXPECT_DOUBLE_EQ(figure(answer, "wait_new_mean_s").base, 0);
  EXPECT_DOUBLE_EQ(figure(answer, "energy_j").difference, 0);  // All of it fits on the other node.
}

TEST(WhatIf, AGuaranteeTakesBackWhatIsBorrowed) {
  Middle middle;
  middle.policy = *policy_by_name("gigawerk");
  middle.policy.preemption = PreemptionKind::kReclaim;
  middle.fleet = flat_fleet(2, 8);
  middle.core = std::make_unique<Core>(middle.fleet, middle.policy);
  for (int tenant = 0; tenant < 2; ++tenant)
    middle.core->apply(Event::tenant_added(TenantId{0}, 1), Instant{});
  JobRequest request;
  request.tenant = TenantId{1};
  request.shape.nodes = 2;
  request.shape.gpus = 8;
  request.limit = hours(8);
  request.preemptible = true;
  middle.core->apply(Event::job_submitted(JobId{0}, request), Instant{});
  ASSERT_EQ(middle.core->plan(Instant{}).starts.size(), 1U);
  middle.snapshot = middle.core->snapshot();
  middle.run_times.by_tenant = {std::vector<double>(RunTimeModel::kEnough, 1.0)};
  request.tenant = TenantId{2};
  request.shape.nodes = 1;
  request.limit = minutes(30);
  middle.planned.push_back({Instant{} + minutes(30), request});
  WorldChanges changes;
  QuotaTerms terms;
  terms.guaranteed_milli = 8000;
  changes.events = {Event::tenant_quota(TenantId{2}, kAllGpus, terms)};
  const WhatIf answer = must_ask(middle, changes);
  EXPECT_EQ(figure(answer, "interruptions").base, 0);
  EXPECT_EQ(figure(answer, "interruptions").changed, 1);
  EXPECT_DOUBLE_EQ(figure(answer, "wait_new_mean_s").base, 90 * 60);  // To the horizon of two hours.
  EXPECT_DOUBLE_EQ(figure(answer, "wait_new_mean_s").changed, 0);
}

TEST(GrowFleet, KeepsWhatIsThereAndNests) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng = Rng(seed).split("grow");
    const Fleet fleet = sched::random_case::random_fleet(rng);
    const auto count = static_cast<std::uint32_t>(rng.between(1, 20));
    const NodeType& type = fleet.node_types[rng.below(fleet.node_types.size())];
    const Result<Fleet> grown = grow_fleet(fleet, {type.name, count, ""});
    ASSERT_TRUE(grown.has_value()) << grown.error().message;
    ASSERT_EQ(check_fleet(*grown), "");
    ASSERT_EQ(grown->nodes(), fleet.nodes() + count);
    ASSERT_EQ(grown->gpus(), fleet.gpus() + std::uint64_t{count} * type.gpus);
    for (std::uint32_t node = 0; node < fleet.nodes(); ++node)
      ASSERT_EQ(grown->node_name(NodeId{node}), fleet.node_name(NodeId{node}));
    std::set<std::string> names(grown->node_names.begin(), grown->node_names.end());
    ASSERT_EQ(names.size(), grown->nodes());
  }
}

/// Two sites of two racks of two nodes each.
Fleet two_sites() {
  Fleet fleet = flat_fleet(8, 8);
  fleet.fabric = {{"leaf", {0, 2, 4, 6, 8}}, {"site", {0, 4, 8}}, {"fleet", {0, 8}}};
  fleet.uplink_gbit_s = {{400, 400, 800, 800}, {100, 100}, {0}};
  fleet.sites.resize(2);
  fleet.sites[0].name = "oslo";
  fleet.sites[1].name = "bonn";
  fleet.feed = {{{"rack", {0, 2, 4, 6, 8}}, std::vector<Milliwatts>(4, Milliwatts{9}), {}},
                {{"site", {0, 4, 8}}, std::vector<Milliwatts>(2, Milliwatts{20}), {"oslo", "bonn"}}};
  return fleet;
}

TEST(GrowFleet, PutsNodesAtTheirSite) {
  const Fleet fleet = two_sites();
  ASSERT_EQ(check_fleet(fleet), "");
  const Result<Fleet> grown = grow_fleet(fleet, {"node", 3, "oslo"});
  ASSERT_TRUE(grown.has_value()) << grown.error().message;
  EXPECT_EQ(grown->fabric[0].first, (std::vector<std::uint32_t>{0, 2, 4, 6, 7, 9, 11}));
  EXPECT_EQ(grown->fabric[1].first, (std::vector<std::uint32_t>{0, 7, 11}));
  EXPECT_EQ(grown->uplink_gbit_s[0], (std::vector<double>{400, 400, 400, 400, 800, 800}));
  EXPECT_EQ(grown->feed[0].capacity.size(), 6U);
  EXPECT_EQ(grown->feed[0].capacity[2], Milliwatts{});
  EXPECT_EQ(grown->node_name(NodeId{4}), "new-node-1");
  EXPECT_EQ(grown->node_name(NodeId{7}), fleet.node_name(NodeId{4}));
  for (const MoreNodes& wrong :
       {MoreNodes{"nothing", 1, "oslo"}, MoreNodes{"node", 1, "rome"}, MoreNodes{"node", 1, ""},
        MoreNodes{"node", 0, "oslo"}, MoreNodes{"node", 4'000'000, "oslo"}})
    EXPECT_FALSE(grow_fleet(fleet, wrong).has_value()) << wrong.type << wrong.site;
}

TEST(GrowFleet, NewNodesAreInTheZonesOfTheirSiteAndKind) {
  Fleet fleet = two_sites();
  fleet.zones.resize(3);
  fleet.zones[0].name = "oslo, set aside";
  fleet.zones[0].covered_by = {"share"};
  fleet.zones[1].name = "oslo";
  fleet.zones[2].name = "bonn";
  fleet.zone_of_node = {1, 0, 0, 0, 2, 2, 2, 2};  // Three quarters of oslo are set aside: the last ones.
  ASSERT_EQ(check_fleet(fleet), "");
  const Result<Fleet> bonn = grow_fleet(fleet, {"node", 2, "bonn"});
  ASSERT_TRUE(bonn.has_value()) << bonn.error().message;
  EXPECT_EQ(bonn->zone_of_node, (std::vector<std::uint8_t>{1, 0, 0, 0, 2, 2, 2, 2, 2, 2}));
  const Result<Fleet> oslo = grow_fleet(fleet, {"node", 5, "oslo"});
  ASSERT_TRUE(oslo.has_value()) << oslo.error().message;
  EXPECT_EQ(oslo->zone_of_node, (std::vector<std::uint8_t>{1, 0, 0, 0, 1, 0, 0, 0, 0, 2, 2, 2, 2}));
  // Of a kind that the site does not have yet, but that the law cannot tell from those that it has.
  fleet.node_types.push_back(fleet.node_types[0]);
  fleet.node_types.back().name = "other";
  EXPECT_TRUE(grow_fleet(fleet, {"other", 1, "bonn"}).has_value());
  fleet.zones[2].by_chip = true;
  fleet.zones[2].gpu_types = {"a10"};
  const Result<Fleet> unknown = grow_fleet(fleet, {"other", 1, "bonn"});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_NE(unknown.error().message.find("no other stands there yet"), std::string::npos)
      << unknown.error().message;
}

}  // namespace
}  // namespace gw::twin
