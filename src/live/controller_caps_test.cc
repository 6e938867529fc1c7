// Caps of a live factory: set, scheduled, kept over restarts, and carried out by the engine's orders.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "live/controller.h"
#include "live/feed_view.h"
#include "live/memory_store.h"
#include "spec/job_json.h"

namespace gw::live {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr std::int64_t kWatt = 1000;

/// Two halls of two nodes; a node draws 1 kW idle and 9 kW with its eight GPUs of 100 to 1,000 W.
class ControllerCapsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Fleet& fleet = options_.fleet = flat_fleet(4, 8);
    GpuType gpu;
    gpu.name = "h100";
    gpu.power_max = Milliwatts{1000 * kWatt};
    gpu.power_idle = Milliwatts{100 * kWatt};
    gpu.power_floor_permille = 500;
    gpu.floor_speed_permille = 800;
    fleet.gpu_types.push_back(gpu);
    fleet.node_types[0].gpu_type = 0;
    fleet.node_types[0].power_idle = Milliwatts{1000 * kWatt};
    fleet.node_types[0].power_max = Milliwatts{9000 * kWatt};
    fleet.feed.push_back({Partition{"hall", {0, 2, 4}}, {Milliwatts{0}, Milliwatts{0}}, {"left", "right"}});
    fleet.feed.push_back({Partition{"site", {0, 4}}, {Milliwatts{36'000 * kWatt}}, {"here"}});
    for (int node = 0; node < 4; ++node) fleet.node_names.push_back(fmt::format("n{}", node));
    options_.policy = *policy_by_name("gigawerk");
    options_.engine_id = "local:here";
    options_.clocks = true;
    boot();
  }
  void boot() {
    controller_ = std::make_unique<Controller>(options_, store_);
    std::vector<Orders::Start> expected;
    const Result<std::vector<std::string>> loaded = controller_->load(kOrigin + now_.count(), expected);
    ASSERT_TRUE(loaded) << loaded.error().message;
    last_ = turn({});
  }
  Turn turn(std::vector<Command> commands, const std::vector<Report>& reports = {}) {
    Turn turn = controller_->turn(now_, std::move(commands), reports, {});
    EXPECT_TRUE(store_.commit(turn.changes));
    EXPECT_EQ(controller_->check(), "");
    return turn;
  }
  Reply ask(decltype(Command::what) what) {
    const Actor admin{"t", "eve", Role::kAdmin, TenantId{0}, ""};
    last_ = turn({{1, admin, std::move(what)}});
    return last_.replies.at(0);
  }
  std::uint64_t submit(bool preemptible = true, Nanoseconds limit = hours(10), bool requeue = true) {
    Submit what;
    what.spec.name = "job";
    what.spec.command = {"true"};
    what.spec.nodes = 1;
    what.spec.gpus = 8;
    what.spec.limit = limit;
    what.spec.preemptible = preemptible;
    what.spec.requeue = requeue;
    what.tenant = controller_->book().tenant("default");
    what.text = std::make_shared<const std::string>(spec::job_json(what.spec));
    const Reply reply = ask(std::move(what));
    EXPECT_FALSE(reply.refusal);
    return reply.number;
  }
  CapOrder cap(const std::string& feed, std::int64_t watts, Nanoseconds from = {}, Nanoseconds length = {}) {
    CapOrder order;
    order.feed = feed;
    order.cap = Milliwatts{watts * kWatt};
    order.from = now_ + from;
    if (length > Nanoseconds{0}) order.until = order.from + length;
    order.reason = "a test";
    return order;
  }
  /// Turns as the factory's loop would make them, up to that time.
  std::vector<Turn> go_on_until(Instant when) {
    std::vector<Turn> turns;
    while (controller_->next_due() <= when) {
      EXPECT_LT(turns.size(), 1000U);
      now_ = std::max(now_, controller_->next_due());
      turns.push_back(turn({}));
    }
    now_ = when;
    return turns;
  }
  [[nodiscard]] FeedStanding feed(std::string_view name) const {
    for (FeedStanding& each : feed_standings(controller_->book(), {}, 100)) {
      if (each.name == name) return each;
    }
    ADD_FAILURE() << "no feed " << name;
    return {};
  }
  [[nodiscard]] std::size_t audits(std::string_view action) const {
    std::size_t count = 0;
    for (const AuditRecord& record : store_.audit) count += record.action == action;
    return count;
  }

  static constexpr std::int64_t kOrigin = 1'700'000'000'000'000'000;
  ControllerOptions options_;
  MemoryStore store_;
  std::unique_ptr<Controller> controller_;
  Instant now_;
  Turn last_;
};

TEST_F(ControllerCapsTest, ADropCapsClocksAndTheirLimitsMoveAlong) {
  const std::uint64_t first = submit(), second = submit();
  EXPECT_EQ(feed("here").draw.count(), 20'000 * kWatt);
  now_ = now_ + hours(2);
  // 4 kW of idle power and 2 x 8 kW of work: 12.8 kW of work are 800 thousandths.
  ASSERT_FALSE(ask(cap("here", 16'800)).refusal);
  ASSERT_THAT(last_.orders.clocks, SizeIs(2));
  const ClockLimit& limit = last_.orders.clocks[0];
  EXPECT_EQ(limit.id, (AttemptId{first, 1}));
  EXPECT_EQ(limit.permille, 800U);
  EXPECT_EQ(limit.speed_permille, 920U);
  EXPECT_EQ(limit.gpu_watts, 100 + 900 * 8 / 10);
  EXPECT_EQ(limit.gpu_free_watts, 1000);
  EXPECT_EQ(limit.nodes.at(0).gpu_mask, 0xffU);
  // Eight hours were left; at 0.92 of the speed they are 8.695 hours.
  EXPECT_NEAR(to_seconds(limit.limit), 7200 + 28800 / 0.92, 1);
  EXPECT_THAT(last_.orders.stops, SizeIs(0));
  EXPECT_EQ(feed("here").slowed, 2U);
  EXPECT_EQ(feed("here/left").slowed + feed("here/right").slowed, 2U);
  now_ = now_ + hours(1);
  CapOrder clear;
  clear.remove = 1;
  ASSERT_FALSE(ask(clear).refusal);
  ASSERT_THAT(last_.orders.clocks, SizeIs(2));
  EXPECT_EQ(last_.orders.clocks[1].id, (AttemptId{second, 1}));
  EXPECT_EQ(last_.orders.clocks[1].permille, 1000U);
  EXPECT_EQ(last_.orders.clocks[1].gpu_watts, 1000);
  EXPECT_NEAR(to_seconds(last_.orders.clocks[1].limit), 7200 + 3600 + (28800 - 3600 * 0.92), 1);
  EXPECT_EQ(ask(clear).refusal->code, "unknown_cap");
}

TEST_F(ControllerCapsTest, WithoutClocksJobsAreStoppedAndWait) {
  options_.clocks = false;
  boot();
  const std::uint64_t fixed = submit(false), spare = submit(true);
  ASSERT_FALSE(ask(cap("here", 16'800)).refusal);
  EXPECT_THAT(last_.orders.clocks, SizeIs(0));
  ASSERT_THAT(last_.orders.stops, SizeIs(1));
  EXPECT_EQ(last_.orders.stops[0].id, (AttemptId{spare, 1}));
  EXPECT_EQ(controller_->book().job(fixed)->record.state, JobState::kRunning);
  EXPECT_EQ(controller_->book().job(spare)->record.state, JobState::kWaiting);
  EXPECT_EQ(controller_->book().core->binding_reason(controller_->book().job(spare)->record.core),
            sched::Reason::kPower);
}

TEST_F(ControllerCapsTest, ACapIsMetOnceWhatWasStoppedHasEnded) {
  options_.clocks = false;
  boot();
  const std::uint64_t fixed = submit(false), spare = submit(true);
  ASSERT_FALSE(ask(cap("here", 4'000)).refusal);
  ASSERT_THAT(last_.orders.stops, SizeIs(2)) << "a cap is physics: who may not be preempted goes too";
  EXPECT_EQ(controller_->book().core->state().power.draw({1, 0}).count(), 4'000 * kWatt);
  EXPECT_EQ(feed("here").draw.count(), 20'000 * kWatt) << "both still save their work";
  EXPECT_EQ(feed("here").ending.count(), 16'000 * kWatt);
  EXPECT_EQ(unmet_because(feed("here")), "ending");
  EXPECT_EQ(feed("here/left").ending.count() + feed("here/right").ending.count(), 16'000 * kWatt);
  EXPECT_EQ(audits("cap.unmet"), 1U);
  const Instant since = now_;
  Report end;
  end.ended = true;
  end.end = AttemptEnd::kStopped;
  end.id = {fixed, 1};
  now_ = now_ + seconds(3);
  end.started = end.ended_at = now_;
  turn({}, {end});
  EXPECT_EQ(feed("here").draw.count(), 12'000 * kWatt);
  EXPECT_EQ(feed("here").unmet_since, since);
  EXPECT_EQ(audits("cap.met"), 0U);
  end.id = {spare, 1};
  turn({}, {end, end});
  EXPECT_EQ(feed("here").draw.count(), 4'000 * kWatt);
  EXPECT_EQ(unmet_because(feed("here")), "");
  EXPECT_EQ(audits("cap.unmet"), 1U);
  EXPECT_EQ(audits("cap.met"), 1U);
}

TEST_F(ControllerCapsTest, WhatIdlesAboveACapIsKnownUntilItIsGone) {
  ASSERT_FALSE(ask(cap("here", 3'500)).refusal);
  const Instant since = now_;
  EXPECT_EQ(unmet_because(feed("here")), "idle");
  EXPECT_EQ(audits("cap.unmet"), 1U);
  now_ = now_ + minutes(5);
  boot();
  EXPECT_EQ(feed("here").unmet_since, since) << "it is remembered";
  EXPECT_EQ(audits("cap.unmet"), 1U);
  const Turn failed = controller_->turn(now_, {}, {}, std::vector<NodeReport>{{"n0", false, "power off"}});
  ASSERT_TRUE(store_.commit(failed.changes));
  EXPECT_EQ(unmet_because(feed("here")), "");
  EXPECT_EQ(audits("cap.met"), 1U);
  const Turn back = controller_->turn(now_, {}, {}, std::vector<NodeReport>{{"n0", true, ""}});
  ASSERT_TRUE(store_.commit(back.changes));
  EXPECT_EQ(audits("cap.unmet"), 2U);
  CapOrder clear;
  clear.remove = 1;
  ASSERT_FALSE(ask(clear).refusal);
  EXPECT_EQ(unmet_because(feed("here")), "");
}

TEST_F(ControllerCapsTest, AFeedThatIsAboveItsCapFromTheBeginningIsKnown) {
  options_.fleet.feed[1].capacity[0] = Milliwatts{3'000 * kWatt};
  store_ = MemoryStore{};
  boot();
  EXPECT_EQ(unmet_because(feed("here")), "idle");
  EXPECT_EQ(audits("cap.unmet"), 1U);
}

TEST_F(ControllerCapsTest, WhatMayNotRunTwiceEndsWhenItIsStopped) {
  options_.clocks = false;
  boot();
  const std::uint64_t once = submit(true, hours(10), false), cancelled = submit(true);
  JobOrder cancel;
  cancel.number = cancelled;
  ASSERT_FALSE(ask(cancel).refusal);
  ASSERT_FALSE(ask(cap("here", 4'000)).refusal);  // All is stopped.
  EXPECT_THAT(last_.orders.stops, SizeIs(2));
  EXPECT_TRUE(last_.again);
  const MemoryStore before = store_;
  for (const bool restarted : {false, true}) {
    store_ = before;
    if (restarted) {
      boot();
    } else {
      turn({});
    }
    EXPECT_TRUE(controller_->book().jobs.empty());
    EXPECT_EQ(store_.jobs.at(once).outcome, Outcome::kLost);
    EXPECT_EQ(store_.jobs.at(cancelled).outcome, Outcome::kCancelled);
  }
}

TEST_F(ControllerCapsTest, ScheduledCapsBeginAndEndAlsoAfterARestart) {
  submit(), submit(), submit(), submit();
  ASSERT_FALSE(ask(cap("left", 12'000, hours(1), hours(2))).refusal);
  ASSERT_FALSE(ask(cap("left", 10'000, hours(2), hours(2))).refusal);
  EXPECT_THAT(last_.orders.clocks, SizeIs(0));
  EXPECT_EQ(feed("here/left").cap.count(), 0);
  std::vector<Turn> turns = go_on_until(now_ + minutes(90));
  ASSERT_THAT(turns, SizeIs(1));
  EXPECT_THAT(turns[0].orders.clocks, SizeIs(2));
  EXPECT_EQ(feed("here/left").cap.count(), 12'000 * kWatt);
  boot();
  // The engine is told of what is not as it was at the start.
  ASSERT_THAT(last_.orders.clocks, SizeIs(2));
  EXPECT_LT(last_.orders.clocks[0].permille, 1000U);
  EXPECT_THAT(controller_->book().caps, SizeIs(2));
  go_on_until(Instant{} + minutes(150));
  EXPECT_EQ(feed("here/left").cap.count(), 10'000 * kWatt);  // Of both the lowest.
  EXPECT_EQ(feed("here/left").draw.count(), 10'000 * kWatt);
  go_on_until(Instant{} + minutes(210));
  EXPECT_EQ(feed("here/left").cap.count(), 10'000 * kWatt);
  go_on_until(Instant{} + hours(5));
  EXPECT_EQ(feed("here/left").cap.count(), 0);
  EXPECT_EQ(feed("here/left").draw.count(), 18'000 * kWatt);
  EXPECT_THAT(controller_->book().caps, SizeIs(0));
  EXPECT_EQ(audits("cap.set"), 2U);
  EXPECT_EQ(audits("cap.end"), 2U);
  EXPECT_EQ(audits("cap.change"), 3U);
  boot();
  EXPECT_THAT(controller_->book().caps, SizeIs(0));
  CapOrder next = cap("here", 30'000);
  EXPECT_EQ(ask(next).number, 3U) << "a number is never used twice";
}

TEST_F(ControllerCapsTest, AnEngineThatCanNoLongerCapClocksIsKnown) {
  submit(), submit();
  ASSERT_FALSE(ask(cap("here", 16'800)).refusal);
  options_.clocks = false;
  boot();
  EXPECT_FALSE(controller_->book().core->state().clocks_allowed);
  EXPECT_LE(feed("here").draw - feed("here").ending, feed("here").cap);
  EXPECT_EQ(feed("here").slowed, 0U);
}

TEST_F(ControllerCapsTest, WhatMakesNoSenseIsRefused) {
  EXPECT_EQ(ask(cap("nowhere", 1)).refusal->code, "unknown_feed");
  EXPECT_EQ(ask(cap("here", 0)).refusal->code, "bad_cap");
  EXPECT_THAT(ask(cap("here", 36'001)).refusal->message, HasSubstr("built for 36 kW"));
  EXPECT_EQ(ask(cap("here", 5, -hours(2), hours(1))).refusal->code, "bad_cap");
  EXPECT_TRUE(store_.caps.empty());
  options_.fleet.feed.clear();
  store_ = MemoryStore{};
  boot();
  EXPECT_EQ(ask(cap("here", 5)).refusal->code, "no_power");
}

TEST_F(ControllerCapsTest, AFleetWithoutTheFeedKeepsTheCapForLater) {
  ASSERT_FALSE(ask(cap("left", 12'000)).refusal);
  const std::vector<FeedLevel> feeds = std::exchange(options_.fleet.feed, {});
  boot();
  EXPECT_THAT(controller_->book().caps, SizeIs(1));
  options_.fleet.feed = feeds;
  boot();
  EXPECT_EQ(feed("here/left").cap.count(), 12'000 * kWatt);
}

TEST_F(ControllerCapsTest, PercentAndFacilityPowerAreItPower) {
  options_.fleet.sites.resize(1);
  options_.fleet.sites[0].pue = 1.5;
  store_ = MemoryStore{};
  boot();
  const Book& book = controller_->book();
  EXPECT_EQ(cap_asked(book, {1, 0}, Milliwatts{30'000 * kWatt}, 0)->count(), 20'000 * kWatt);
  EXPECT_EQ(cap_asked(book, {1, 0}, {}, 50)->count(), 18'000 * kWatt);
  EXPECT_EQ(cap_asked(book, {0, 0}, Milliwatts{5 * kWatt}, 0)->count(), 5 * kWatt);
  EXPECT_FALSE(cap_asked(book, {0, 0}, {}, 50)) << "it has no capacity";
  EXPECT_FALSE(cap_asked(book, {1, 0}, Milliwatts{5}, 50));
  EXPECT_FALSE(cap_asked(book, {1, 0}, {}, 0));
}

TEST_F(ControllerCapsTest, FlexibleJobsWaitForTheCheapHoursOfTheDay) {
  // The factory begins at 22:13:20 UTC; energy is cheap from two to six.
  SiteEnergy site;
  site.level = 1;
  site.price.daily.assign(24, 100'000);
  std::fill_n(site.price.daily.begin() + 2, 4, 20'000);
  options_.energy.energy = {site};
  store_ = MemoryStore{};
  boot();
  Submit what;
  what.spec.name = "job";
  what.spec.command = {"true"};
  what.spec.gpus = 8;
  what.spec.limit = hours(1);
  what.spec.flexible = true;
  what.spec.deadline_unix = kOrigin / 1'000'000'000 + 12 * 3600;
  what.tenant = controller_->book().tenant("default");
  what.text = std::make_shared<const std::string>(spec::job_json(what.spec));
  const std::uint64_t flexible = ask(what).number;
  const std::uint64_t fixed = submit();
  const auto reason = [&](std::uint64_t number) {
    return controller_->book().core->binding_reason(controller_->book().job(number)->record.core);
  };
  EXPECT_EQ(reason(flexible), sched::Reason::kCheaperLater);
  EXPECT_EQ(controller_->book().job(fixed)->record.state, JobState::kRunning);
  go_on_until(Instant{} + hours(3));
  boot();  // It is remembered, and the curves are told to the core once a day.
  EXPECT_EQ(reason(flexible), sched::Reason::kCheaperLater);
  const Instant two = Instant{} + seconds(13'600);
  go_on_until(two);
  ASSERT_EQ(controller_->book().job(flexible)->record.state, JobState::kRunning);
  EXPECT_EQ(controller_->book().job(flexible)->record.started, two);
  EXPECT_EQ(price_at(controller_->book().core->state().prices.curves().begin()->second, two), 20'000);
  go_on_until(Instant{} + days(20));
  EXPECT_EQ(price_at(controller_->book().core->state().prices.curves().begin()->second, two + days(28)),
            20'000);
  options_.energy.energy.clear();
  boot();
  EXPECT_FALSE(controller_->book().core->state().prices.in_use());
}

}  // namespace
}  // namespace gw::live
