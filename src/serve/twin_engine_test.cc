// The simulated factory keeps the contract of live::Engine: starts once, stops, comes back, loses what failed
// nodes held.
#include "serve/twin_engine.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace gw::serve {
namespace {

using live::AttemptEnd;
using live::AttemptId;
using live::StopKind;

std::shared_ptr<const JobSpec> spec_of(std::vector<std::string> command) {
  JobSpec spec;
  spec.command = std::move(command);
  return std::make_shared<const JobSpec>(std::move(spec));
}

/// Of a flat fleet, which counts from 1.
std::string node_name(std::uint32_t node) { return "node-" + std::to_string(node + 1); }

live::Launch launch(AttemptId id, std::shared_ptr<const JobSpec> spec, Instant decided,
                    std::vector<std::uint32_t> nodes = {0}, Nanoseconds limit = hours(1)) {
  live::Launch launch;
  launch.id = id;
  launch.spec = std::move(spec);
  for (const std::uint32_t node : nodes) launch.nodes.push_back({node_name(node), 0xff, 0, 0, 0});
  launch.limit = limit;
  launch.decided = decided;
  return launch;
}

/// A report as one line.
std::string line(const live::Report& report) {
  std::string text = std::to_string(report.id.job) + "." + std::to_string(report.id.attempt);
  if (!report.ended) return text + " started " + std::to_string(report.started.count());
  return text + " ended " + std::to_string(report.ended_at.count()) + " how " +
         std::to_string(static_cast<int>(report.end)) + " code " + std::to_string(report.exit_code) +
         " started " + std::to_string(report.started.count()) + " " + report.note;
}

/// An engine and its clock.
struct Factory {
  Fleet fleet;
  Instant now;
  TwinEngine engine;
  std::vector<live::Report> reports;
  std::vector<live::NodeReport> nodes;

  explicit Factory(std::uint32_t nodes_in_all = 4, const TwinEngineOptions& options = {})
      : fleet(flat_fleet(nodes_in_all, 8)), engine(fleet, [this] { return now; }, options) {}
  Factory(const Factory&) = delete;
  Factory& operator=(const Factory&) = delete;

  /// Takes what happens up to `until`, whenever the engine says that something is due.
  void run(Instant until) {
    for (auto due = engine.next_due(); due && *due <= until; due = engine.next_due()) {
      now = std::max(now, *due);
      engine.take(reports, nodes);
    }
    now = until;
    engine.take(reports, nodes);
  }
  std::vector<std::string> lines() {
    std::vector<std::string> lines;
    for (const live::Report& report : std::exchange(reports, {})) lines.push_back(line(report));
    return lines;
  }
};

TEST(TwinEngine, AnAttemptStartsAndEnds) {
  Factory factory;
  EXPECT_EQ(factory.engine.next_due(), std::nullopt);
  factory.now = Instant{} + seconds(100);
  factory.engine.start(launch({1, 1}, spec_of({"sleep", "30"}), factory.now));
  ASSERT_TRUE(factory.engine.next_due());
  factory.engine.take(factory.reports, factory.nodes);
  EXPECT_TRUE(factory.reports.empty());
  factory.run(Instant{} + hours(1));
  ASSERT_EQ(factory.reports.size(), 2U);
  const live::Report& started = factory.reports[0];
  EXPECT_FALSE(started.ended);
  EXPECT_GE(started.started, Instant{} + seconds(101));
  EXPECT_LE(started.started, Instant{} + seconds(103));
  const live::Report& ended = factory.reports[1];
  EXPECT_TRUE(ended.ended);
  EXPECT_EQ(ended.id, (AttemptId{1, 1}));
  EXPECT_EQ(ended.started, started.started);
  EXPECT_EQ(ended.ended_at, started.started + seconds(30));
  EXPECT_EQ(ended.end, AttemptEnd::kExited);
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_TRUE(factory.nodes.empty());
  EXPECT_EQ(factory.engine.next_due(), std::nullopt);
}

TEST(TwinEngine, FailsAndRunsIntoItsLimitAsItShould) {
  Factory factory;
  factory.engine.start(launch({1, 1}, spec_of({"false"}), factory.now));
  factory.engine.start(launch({2, 1}, spec_of({"sleep", "2h"}), factory.now));
  factory.run(Instant{} + hours(3));
  ASSERT_EQ(factory.reports.size(), 4U);
  std::map<std::uint64_t, live::Report> ends;
  for (const live::Report& report : factory.reports) {
    if (report.ended) ends[report.id.job] = report;
  }
  EXPECT_EQ(ends[1].exit_code, 1);
  EXPECT_EQ(ends[1].ended_at, ends[1].started);
  EXPECT_EQ(ends[2].end, AttemptEnd::kTimeLimit);
  EXPECT_EQ(ends[2].ended_at, ends[2].started + hours(1));
}

TEST(TwinEngine, StartsAnAttemptOnlyOnce) {
  Factory factory;
  for (int again = 0; again < 3; ++again) {
    factory.engine.start(launch({1, 1}, spec_of({"sleep", "30"}), factory.now));
    factory.run(factory.now + seconds(20));
  }
  factory.run(factory.now + hours(1));
  EXPECT_EQ(factory.lines().size(), 2U);
  factory.engine.start(launch({1, 1}, spec_of({"sleep", "30"}), factory.now));
  factory.run(factory.now + hours(1));
  EXPECT_TRUE(factory.lines().empty());
  factory.engine.start(launch({1, 2}, spec_of({"sleep", "30"}), factory.now));
  factory.run(factory.now + hours(1));
  EXPECT_EQ(factory.lines().size(), 2U);
}

TEST(TwinEngine, StopsWithinItsGraceOrASecond) {
  Factory factory;
  JobSpec hasty;
  hasty.command = {"sleep", "600"};
  hasty.grace = Nanoseconds{1'000'000};
  factory.engine.start(launch({1, 1}, spec_of({"sleep", "600"}), factory.now));
  factory.engine.start(launch({2, 1}, std::make_shared<const JobSpec>(hasty), factory.now));
  factory.engine.start(launch({3, 1}, spec_of({"sleep", "600"}), factory.now));
  factory.run(Instant{} + seconds(60));
  ASSERT_EQ(factory.lines().size(), 3U);
  factory.engine.stop({{1, 1}, StopKind::kCancel});
  factory.engine.stop({{2, 1}, StopKind::kRequeue});
  factory.engine.stop({{9, 9}, StopKind::kCancel});
  EXPECT_EQ(factory.engine.next_due(), factory.now + Nanoseconds{1'000'000});
  factory.run(factory.now + Nanoseconds{500'000'000});
  factory.engine.stop({{1, 1}, StopKind::kCancel});  // Once more: changes nothing.
  factory.run(Instant{} + hours(2));
  ASSERT_EQ(factory.reports.size(), 3U);
  EXPECT_EQ(factory.reports[0].id, (AttemptId{2, 1}));
  EXPECT_EQ(factory.reports[0].end, AttemptEnd::kStopped);
  EXPECT_EQ(factory.reports[0].ended_at, Instant{} + seconds(60) + Nanoseconds{1'000'000});
  EXPECT_EQ(factory.reports[1].id, (AttemptId{1, 1}));
  EXPECT_EQ(factory.reports[1].end, AttemptEnd::kStopped);
  EXPECT_EQ(factory.reports[1].ended_at, Instant{} + seconds(61));
  EXPECT_EQ(factory.reports[2].id, (AttemptId{3, 1}));
  EXPECT_EQ(factory.reports[2].end, AttemptEnd::kExited);
  factory.engine.stop({{3, 1}, StopKind::kCancel});
  factory.run(Instant{} + hours(3));
  EXPECT_EQ(factory.reports.size(), 3U);
}

TEST(TwinEngine, WhatIsStoppedBeforeItStartsNeverStarts) {
  Factory factory;
  factory.engine.start(launch({1, 1}, spec_of({"sleep", "600"}), factory.now));
  factory.engine.stop({{1, 1}, StopKind::kCancel});
  factory.run(Instant{} + hours(1));
  ASSERT_EQ(factory.reports.size(), 1U);
  EXPECT_TRUE(factory.reports[0].ended);
  EXPECT_EQ(factory.reports[0].end, AttemptEnd::kStopped);
  EXPECT_EQ(factory.reports[0].ended_at, Instant{});
  // One that is about to end anyway ends as it would have.
  factory.engine.start(launch({2, 1}, spec_of({"true"}), factory.now));
  factory.run(*factory.engine.next_due());
  factory.engine.stop({{2, 1}, StopKind::kCancel});
  factory.run(factory.now + hours(1));
  EXPECT_EQ(factory.reports.back().end, AttemptEnd::kExited);
}

TEST(TwinEngine, ForgetsForGood) {
  Factory factory;
  for (std::uint64_t job = 0; job < 100; ++job)
    factory.engine.start(launch({job, 1}, spec_of({"sleep", std::to_string(job)}), factory.now));
  factory.run(Instant{} + hours(1));
  EXPECT_EQ(factory.engine.attempts(), 100U);
  for (std::uint64_t job = 0; job < 100; ++job) factory.engine.forget({job, 1});
  factory.engine.forget({7, 1});
  EXPECT_EQ(factory.engine.attempts(), 0U);
  EXPECT_EQ(factory.engine.next_due(), std::nullopt);
}

TEST(TwinEngine, WhatIsForgottenWhileItStopsStillTellsItsEnd) {
  Factory factory;
  const auto spec = std::make_shared<JobSpec>(*spec_of({"sleep", "1h"}));
  spec->grace = seconds(30);
  factory.engine.start(launch({1, 1}, spec, factory.now));
  factory.run(Instant{} + seconds(60));
  factory.reports.clear();
  factory.engine.stop({{1, 1}, StopKind::kRequeue});
  factory.engine.forget({1, 1});
  ASSERT_TRUE(factory.engine.next_due());
  factory.run(Instant{} + seconds(120));
  ASSERT_EQ(factory.reports.size(), 1U);
  EXPECT_EQ(factory.reports[0].ended_at, Instant{} + seconds(61));
  EXPECT_EQ(factory.engine.attempts(), 0U);
}

TEST(TwinEngine, RecoverStopsWhatIsNotExpectedAndTellsAgainWhatWasNotKept) {
  Factory factory;
  factory.engine.start(launch({1, 1}, spec_of({"sleep", "30"}), factory.now));
  factory.engine.start(launch({2, 1}, spec_of({"sleep", "600"}), factory.now));
  factory.engine.start(launch({3, 1}, spec_of({"sleep", "600"}), factory.now));
  factory.run(Instant{} + seconds(100));
  const std::vector<std::string> before = factory.lines();
  ASSERT_EQ(before.size(), 4U);
  factory.engine.recover({launch({1, 1}, spec_of({"sleep", "30"}), Instant{}),
                          launch({2, 1}, spec_of({"sleep", "600"}), Instant{}),
                          launch({4, 1}, spec_of({"sleep", "5"}), factory.now)});
  factory.run(Instant{} + hours(1));
  std::map<AttemptId, live::Report> ends;
  std::set<AttemptId> starts;
  for (const live::Report& report : factory.reports) {
    if (report.ended) {
      EXPECT_TRUE(starts.contains(report.id) || report.id == (AttemptId{3, 1})) << report.id.job;
      EXPECT_TRUE(ends.emplace(report.id, report).second) << report.id.job;
    } else {
      starts.insert(report.id);
    }
  }
  ASSERT_EQ(ends.size(), 4U);
  EXPECT_EQ(line(ends[{1, 1}]), before.back());
  EXPECT_EQ((ends[{2, 1}].end), AttemptEnd::kExited);
  EXPECT_EQ((ends[{3, 1}].end), AttemptEnd::kLost);
  EXPECT_EQ((ends[{3, 1}].ended_at), Instant{} + seconds(101));
  EXPECT_EQ((ends[{4, 1}].end), AttemptEnd::kExited);
}

TEST(TwinEngine, ANumberThatIsUsedAgainIsAnotherJobs) {
  Factory factory;
  const auto launch_as = [&](std::uint64_t identity) {
    live::Launch each = launch({1, 1}, spec_of({"sleep", "600"}), factory.now);
    each.identity = identity;
    return each;
  };
  factory.engine.start(launch_as(5));
  factory.run(Instant{} + hours(1));
  ASSERT_EQ(std::exchange(factory.reports, {}).size(), 2U);
  factory.engine.start(launch_as(5));  // Known.
  factory.run(factory.now + seconds(1));
  EXPECT_TRUE(factory.reports.empty());
  const Instant again = factory.now;
  factory.engine.start(launch_as(6));
  factory.run(again + hours(1));
  ASSERT_EQ(factory.reports.size(), 2U);
  EXPECT_EQ(factory.reports[1].identity, 6U);
  EXPECT_EQ(factory.reports[1].end, AttemptEnd::kExited);
  EXPECT_GT(factory.reports[1].started, again);
  factory.reports.clear();
  factory.engine.recover({launch_as(7)});
  factory.run(factory.now + hours(1));
  ASSERT_EQ(factory.reports.size(), 1U);
  EXPECT_EQ(factory.reports[0].identity, 7U);
  EXPECT_EQ(factory.reports[0].end, AttemptEnd::kLost);
  EXPECT_EQ(factory.reports[0].started, factory.reports[0].ended_at);
}

TwinEngineOptions failing(double per_1000_node_days, std::uint64_t seed) {
  TwinEngineOptions options;
  options.seed = seed;
  options.faults.node_failures_per_1000_node_days = per_1000_node_days;
  options.faults.repair_median_s = 600;
  return options;
}

TEST(TwinEngine, AFailedNodeLosesWhatRunsOnIt) {
  Factory factory(6, failing(40'000, 3));  // Ten failures an hour on six nodes.
  std::uint64_t job = 0;
  std::map<AttemptId, std::vector<std::uint32_t>> on;
  std::set<std::uint32_t> down;
  std::size_t lost = 0;
  for (int step = 0; step < 3000; ++step) {
    factory.now = factory.now + seconds(20);
    factory.engine.take(factory.reports, factory.nodes);
    for (const live::NodeReport& report : std::exchange(factory.nodes, {})) {
      const auto node = static_cast<std::uint32_t>(std::stoul(report.node.substr(5)) - 1);
      report.up ? static_cast<void>(down.erase(node)) : static_cast<void>(down.insert(node));
    }
    for (const live::Report& report : std::exchange(factory.reports, {})) {
      if (!report.ended) continue;
      if (report.end == AttemptEnd::kLost) {
        ++lost;
        EXPECT_NE(report.note.find("node-"), std::string::npos);
      }
      on.erase(report.id);
      factory.engine.forget(report.id);
    }
    // Whatever still runs is on nodes that are up.
    for (const auto& [id, nodes] : on) {
      for (const std::uint32_t node : nodes) ASSERT_FALSE(down.contains(node)) << id.job << " on " << node;
    }
    std::vector<std::uint32_t> nodes{static_cast<std::uint32_t>(step % 6),
                                     static_cast<std::uint32_t>((step + 1) % 6)};
    std::erase_if(nodes, [&](std::uint32_t node) { return down.contains(node); });
    if (nodes.empty()) continue;
    const AttemptId id{job++, 1};
    on[id] = nodes;
    factory.engine.start(launch(id, spec_of({"sleep", "200"}), factory.now, nodes));
  }
  EXPECT_GT(lost, 100U);
  EXPECT_LT(lost, 2000U);
}

TEST(TwinEngine, OnANodeThatIsDownAnAttemptIsLost) {
  Factory factory(1, failing(100'000, 1));
  factory.run(*factory.engine.next_due());
  ASSERT_EQ(factory.nodes.size(), 1U);
  EXPECT_FALSE(factory.nodes[0].up);
  EXPECT_EQ(factory.nodes[0].node, node_name(0));
  factory.engine.start(launch({1, 1}, spec_of({"sleep", "200"}), factory.now));
  factory.engine.take(factory.reports, factory.nodes);
  ASSERT_EQ(factory.reports.size(), 1U);
  EXPECT_EQ(factory.reports[0].end, AttemptEnd::kLost);
  EXPECT_EQ(factory.reports[0].ended_at, factory.now);
}

TEST(TwinEngine, ALongSilenceTellsOnlyTheLastStateOfEachNode) {
  Factory factory(20, failing(10'000, 5));
  factory.now = Instant{} + days(10);
  factory.engine.take(factory.reports, factory.nodes);
  std::set<std::string> names;
  for (const live::NodeReport& report : factory.nodes)
    EXPECT_TRUE(names.insert(report.node).second) << report.node;
  EXPECT_EQ(names.size(), 20U);
  ASSERT_TRUE(factory.engine.next_due());
  EXPECT_GT(*factory.engine.next_due(), factory.now);
}

TEST(TwinEngine, NodesFailFromTheBeginningOn) {
  TwinEngineOptions options = failing(1000, 5);
  Factory zero(20, options);
  options.begin = Instant{} + days(20'000);
  Factory later(20, options);
  EXPECT_EQ(*later.engine.next_due(), *zero.engine.next_due() + days(20'000));
  later.run(options.begin + days(5));
  zero.run(Instant{} + days(5));
  EXPECT_EQ(later.nodes.size(), zero.nodes.size());
  EXPECT_GT(zero.nodes.size(), 50U);
}

/// A whole life: what is told from the moment `restart` on, by an engine that was there or by one that came
/// then.
std::vector<std::string> life(std::uint64_t seed, bool restart) {
  Factory factory(8, failing(5000, seed));
  std::unique_ptr<TwinEngine> second;
  Rng rng = Rng(seed).split("life");
  std::map<AttemptId, live::Launch> open;
  std::vector<std::string> told;
  for (int step = 0; step < 300; ++step) {
    factory.now = factory.now + seconds(rng.between(1, 120));
    if (step == 150 && restart) {
      second = std::make_unique<TwinEngine>(factory.fleet, [&] { return factory.now; }, failing(5000, seed));
      std::vector<live::Launch> expected;
      for (const auto& [id, launch] : open) expected.push_back(launch);
      second->recover(std::move(expected));
    }
    TwinEngine& engine = second ? *second : factory.engine;
    std::vector<live::Report> reports;
    std::vector<live::NodeReport> nodes;
    engine.take(reports, nodes);
    for (const live::Report& report : reports) {
      if (!report.ended) continue;  // What started before is told again.
      if (step >= 150) told.push_back(line(report));
      open.erase(report.id);
      engine.forget(report.id);
    }
    if (step > 150) {
      for (const live::NodeReport& node : nodes) told.push_back(node.node + (node.up ? " up" : " down"));
    }
    for (std::int64_t count = rng.between(0, 3); count > 0; --count) {
      const AttemptId id{static_cast<std::uint64_t>(step), static_cast<std::uint32_t>(count)};
      open[id] = launch(id, spec_of({"train"}), factory.now,
                        {static_cast<std::uint32_t>(rng.below(8)), static_cast<std::uint32_t>(rng.below(8))},
                        minutes(rng.between(1, 120)));
      engine.start(open[id]);
    }
    if (step > 150 && rng.chance(0.1) && !open.empty()) engine.stop({open.begin()->first, StopKind::kCancel});
  }
  return told;
}

TEST(TwinEngine, ARestartChangesNothing) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const std::vector<std::string> told = life(seed, false);
    EXPECT_GT(told.size(), 100U);
    EXPECT_EQ(life(seed, false), told) << seed;
    EXPECT_EQ(life(seed, true), told) << seed;
    if (seed > 1) {
      EXPECT_NE(life(seed - 1, false), told);
    }
  }
}

TEST(TwinEngine, ReportsComeInOrderOfTimeThenOfAttempt) {
  Factory factory;
  const auto spec = spec_of({"true"});
  for (std::uint64_t job = 50; job-- > 0;)
    for (std::uint32_t attempt = 1; attempt <= 2; ++attempt)
      factory.engine.start(launch({job, attempt}, spec, factory.now));
  factory.now = Instant{} + hours(1);
  factory.engine.take(factory.reports, factory.nodes);
  ASSERT_EQ(factory.reports.size(), 200U);
  const auto when = [](const live::Report& report) {
    return report.ended ? report.ended_at : report.started;
  };
  for (std::size_t at = 1; at < factory.reports.size(); ++at) {
    const live::Report& a = factory.reports[at - 1];
    const live::Report& b = factory.reports[at];
    ASSERT_TRUE(when(a) < when(b) || (when(a) == when(b) && a.id <= b.id)) << at;
  }
}

TEST(TwinEngine, AHundredThousandAttemptsAreCheap) {
  Factory factory(12'500, failing(3.8, 1));
  const auto spec = spec_of({"train"});
  constexpr std::uint64_t kAttempts = 100'000;
  const auto begin = std::chrono::steady_clock::now();
  for (std::uint64_t job = 0; job < kAttempts; ++job)
    factory.engine.start(
        launch({job, 1}, spec, factory.now, {static_cast<std::uint32_t>(job % 12'500)}, hours(48)));
  factory.run(Instant{} + seconds(10));
  EXPECT_GE(factory.reports.size(), kAttempts);  // A few have failed at once.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(60));  // 0.1 s; not quadratic.
  for (std::uint64_t job = 0; job < kAttempts; ++job) factory.engine.stop({{job, 1}, StopKind::kCancel});
  factory.run(Instant{} + seconds(20));
  EXPECT_EQ(factory.reports.size(), 2 * kAttempts);
  for (std::uint64_t job = 0; job < kAttempts; ++job) factory.engine.forget({job, 1});
  EXPECT_EQ(factory.engine.attempts(), 0U);
}

}  // namespace
}  // namespace gw::serve
