// Watchers: quick ones, slow ones, those who come back, and more changes at once than anybody can read.
#include "api/hub.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "http/sse.h"

namespace gw::api {
namespace {

bool eventually(const std::function<bool()>& holds) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// A peer that reads when it is told to, behind a buffer as large as the server's.
class SlowStream final : public http::Stream {
 public:
  bool write(std::shared_ptr<const std::string> bytes) override {
    const std::lock_guard lock(mutex_);
    if (!open_) return false;
    waiting_ += *bytes;
    if (waiting_.size() > kLimit) open_ = false;
    return open_;
  }
  void close() override {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  [[nodiscard]] bool open() const override {
    const std::lock_guard lock(mutex_);
    return open_;
  }
  void on_close(std::function<void()> closed) override { closed_ = std::move(closed); }
  void on_drained(std::function<void()> drained) override { drained_ = std::move(drained); }
  [[nodiscard]] std::size_t waiting_bytes() const override {
    const std::lock_guard lock(mutex_);
    return waiting_.size();
  }

  void read() {
    {
      const std::lock_guard lock(mutex_);
      EXPECT_TRUE(parser_.feed(waiting_, [&](const http::ServerEvent& event) {
        events_.push_back(event);
        return true;
      }));
      waiting_.clear();
    }
    if (drained_) drained_();
  }
  void leave() {
    close();
    if (closed_) closed_();
  }
  std::vector<http::ServerEvent> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  /// Reads until there are so many.
  bool reads(std::size_t count) {
    return eventually([&] {
      read();
      return events().size() >= count;
    });
  }

 private:
  static constexpr std::size_t kLimit = std::size_t{1} << 20;
  mutable std::mutex mutex_;
  bool open_ = true;
  std::string waiting_;
  http::EventParser parser_;
  std::vector<http::ServerEvent> events_;
  std::function<void()> closed_, drained_;
};

class HubTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kFirst = 5000;

  HubTest() {
    live::TenantRecord tenant;
    tenant.id = TenantId{0};
    book_.add_tenant(tenant);
    tenant.id = TenantId{1};
    tenant.parent = TenantId{0};
    tenant.name = "acme";
    book_.add_tenant(tenant);
  }

  std::unique_ptr<Hub> make(const HubLimits& limits = {}, std::uint64_t first = kFirst) {
    return std::make_unique<Hub>(
        [this](const std::function<void(const live::Book&)>& look) {
          ++looks_;
          look(book_);
        },
        limits, first);
  }
  static live::JobRecord job(std::uint64_t number, live::JobState state = live::JobState::kWaiting) {
    live::JobRecord record;
    record.number = number;
    record.tenant = TenantId{1};
    record.name = std::string(200, 'x');
    record.state = state;
    return record;
  }
  static live::Changes changes(std::uint64_t first, std::uint64_t count) {
    live::Changes changes;
    for (std::uint64_t number = first; number < first + count; ++number)
      changes.new_jobs.push_back(job(number));
    return changes;
  }
  void publish(Hub& hub, const live::Changes& what) {
    if (!hub.pass_over(what)) hub.publish(what, book_);
  }
  /// Four nodes that draw 1 kW each when they idle, and may draw 3 kW together.
  void draw_too_much() {
    Fleet& fleet = book_.fleet = flat_fleet(4, 8);
    fleet.node_types[0].power_idle = Milliwatts{1'000'000};
    fleet.node_types[0].power_max = Milliwatts{9'000'000};
    fleet.feed.push_back({Partition{"site", {0, 4}}, {Milliwatts{3'000'000}}, {"here"}});
    book_.core = std::make_unique<sched::Core>(fleet, *policy_by_name("gigawerk"));
    book_.unmet = {{{0, 0}, Instant{}}};
  }
  static live::Changes audited(std::string action, std::string target) {
    live::Changes changes;
    live::AuditRecord record;
    record.action = std::move(action);
    record.target = std::move(target);
    record.tenant = TenantId{0};
    changes.audit.push_back(std::move(record));
    return changes;
  }
  static std::uint64_t number_of(const http::ServerEvent& event) {
    return Json::parse(event.data)["number"].get<std::uint64_t>();
  }

  live::Book book_;
  std::atomic<int> looks_{0};
};

TEST_F(HubTest, ABurstReachesASlowWatcherWhole) {
  const std::unique_ptr<Hub> hub = make();
  const auto stream = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(stream, {TenantId{0}}, std::nullopt));
  publish(*hub, changes(1, 6000));  // 3 MB: three times what a stream may hold.
  EXPECT_TRUE(eventually([&] { return stream->waiting_bytes() > 100'000; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_TRUE(stream->open());
  ASSERT_TRUE(stream->reads(6000));
  const std::vector<http::ServerEvent> events = stream->events();
  for (std::size_t index = 0; index < events.size(); ++index) {
    ASSERT_EQ(events[index].event, "job");
    ASSERT_EQ(number_of(events[index]), index + 1);
    ASSERT_EQ(events[index].id, fmt::format("{}", kFirst + index));
  }
}

TEST_F(HubTest, MoreAtOnceThanIsRememberedIsOneReset) {
  const std::unique_ptr<Hub> hub = make({.events = 1000});
  const auto stream = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(stream, {TenantId{0}}, std::nullopt));
  ASSERT_TRUE(eventually([&] { return hub->watchers() == 1; }));
  publish(*hub, changes(1, 300'000));
  ASSERT_TRUE(stream->reads(1));
  publish(*hub, changes(900'000, 1));
  ASSERT_TRUE(stream->reads(2));
  const std::vector<http::ServerEvent> events = stream->events();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].event, "reset");
  EXPECT_EQ(events.back().event, "job");
  EXPECT_EQ(number_of(events.back()), 900'000U);
  EXPECT_EQ(events.back().id, fmt::format("{}", kFirst + 300'000));
  EXPECT_LT(looks_, 100);  // Not written down at all, but for the last 1000.
}

TEST_F(HubTest, WhoIsTooFarBehindGetsReset) {
  const std::unique_ptr<Hub> hub = make({.events = 2000});
  const auto stream = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(stream, {TenantId{0}}, std::nullopt));
  for (std::uint64_t number = 1; number <= 9000; number += 1000) {
    publish(*hub, changes(number, 1000));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ASSERT_TRUE(eventually([&] {
    stream->read();
    const std::vector<http::ServerEvent> events = stream->events();
    return !events.empty() && events.back().id == fmt::format("{}", kFirst + 8999);
  }));
  std::size_t resets = 0;
  for (const http::ServerEvent& event : stream->events()) resets += event.event == "reset";
  EXPECT_GE(resets, 1U);
  EXPECT_TRUE(stream->open());
}

TEST_F(HubTest, WhatNobodyWatchedIsToldByReset) {
  const std::unique_ptr<Hub> hub = make();
  const auto first = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(first, {TenantId{0}}, std::nullopt));
  publish(*hub, changes(1, 2));
  ASSERT_TRUE(first->reads(2));
  const std::uint64_t last = kFirst + 1;
  first->leave();
  ASSERT_TRUE(eventually([&] { return hub->watchers() == 0; }));
  looks_ = 0;
  publish(*hub, changes(3, 2));
  EXPECT_EQ(looks_, 0);

  const auto again = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(again, {TenantId{0}}, last));
  ASSERT_TRUE(again->reads(1));
  EXPECT_EQ(again->events()[0].event, "reset");
  EXPECT_EQ(again->events()[0].id, fmt::format("{}", kFirst + 3));
  // From there on nothing is missing.
  const auto third = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(third, {TenantId{0}}, kFirst + 3));
  publish(*hub, changes(5, 1));
  ASSERT_TRUE(third->reads(1));
  EXPECT_EQ(third->events()[0].event, "job");
  EXPECT_EQ(number_of(third->events()[0]), 5U);
}

TEST_F(HubTest, CapsThatAreNotMetAreToldThoughNobodyWatched) {
  draw_too_much();
  const std::unique_ptr<Hub> hub = make();
  const auto first = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(first, {TenantId{0}}, std::nullopt));
  publish(*hub, changes(1, 2));
  ASSERT_TRUE(first->reads(2));
  first->leave();
  ASSERT_TRUE(eventually([&] { return hub->watchers() == 0; }));
  const std::uint64_t last = kFirst + 1;
  publish(*hub, changes(3, 3));
  publish(*hub, audited("cap.unmet", "here"));
  publish(*hub, changes(6, 2));
  book_.unmet.clear();
  live::Changes met = audited("cap.change", "here");
  met.audit.push_back(audited("cap.met", "here").audit[0]);  // One event tells both.
  publish(*hub, met);

  const auto again = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(again, {TenantId{0}}, last));
  ASSERT_TRUE(again->reads(3));
  const std::vector<http::ServerEvent> events = again->events();
  EXPECT_EQ(events[0].event, "cap");
  EXPECT_EQ(events[0].id, fmt::format("{}", kFirst + 5));
  const Json unmet = Json::parse(events[0].data);
  EXPECT_EQ(unmet["feed"], "here");
  EXPECT_EQ(unmet["met"], false);
  EXPECT_EQ(unmet["because"], "idle");
  EXPECT_EQ(unmet["draw_w"], 4000);
  EXPECT_EQ(unmet["cap_w"], 3000);
  EXPECT_EQ(events[1].event, "cap");
  EXPECT_EQ(Json::parse(events[1].data)["met"], true);
  EXPECT_EQ(events[2].event, "reset");
  EXPECT_EQ(events[2].id, fmt::format("{}", kFirst + 8));

  // Who had the first of them hears of the second; who sees less, or asked for one job, of none.
  const auto between = std::make_shared<SlowStream>(), below = std::make_shared<SlowStream>(),
             of_job = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(between, {TenantId{0}}, kFirst + 5));
  ASSERT_TRUE(hub->join(below, {TenantId{1}}, last));
  ASSERT_TRUE(hub->join(of_job, {TenantId{0}, 1}, last));
  ASSERT_TRUE(between->reads(2));
  EXPECT_EQ(Json::parse(between->events()[0].data)["met"], true);
  EXPECT_EQ(between->events()[1].event, "reset");
  for (const auto& stream : {below, of_job}) {
    ASSERT_TRUE(stream->reads(1));
    EXPECT_EQ(stream->events()[0].event, "reset");
  }
}

TEST_F(HubTest, CapsThatAreNotMetAreKnownToTheNextServer) {
  draw_too_much();
  const std::unique_ptr<Hub> hub = make();
  hub->begin_with(book_);
  const auto stream = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(stream, {TenantId{0}}, kFirst - 1000));
  ASSERT_TRUE(stream->reads(2));
  EXPECT_EQ(stream->events()[0].event, "cap");
  EXPECT_EQ(stream->events()[1].event, "reset");
  EXPECT_EQ(stream->events()[1].id, fmt::format("{}", kFirst));
  const auto fresh = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(fresh, {TenantId{0}}, std::nullopt));
  publish(*hub, changes(1, 1));
  ASSERT_TRUE(fresh->reads(1));
  EXPECT_EQ(fresh->events()[0].event, "job");
}

TEST_F(HubTest, NoMoreNoticesAreRememberedThanMayBe) {
  draw_too_much();
  const std::unique_ptr<Hub> hub = make({.notices = 3});
  for (int turn = 0; turn < 10; ++turn) publish(*hub, audited("cap.unmet", "here"));
  const auto stream = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(stream, {TenantId{0}}, kFirst - 1));
  ASSERT_TRUE(stream->reads(4));
  EXPECT_EQ(stream->events()[0].id, fmt::format("{}", kFirst + 7));
  EXPECT_EQ(stream->events()[3].event, "reset");
}

TEST_F(HubTest, WhoComesBackGetsWhatWasMissed) {
  const std::unique_ptr<Hub> hub = make();
  const auto other = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(other, {TenantId{0}}, std::nullopt));
  publish(*hub, changes(1, 10));
  const auto stream = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(stream, {TenantId{1}, 8}, kFirst + 3));
  ASSERT_TRUE(stream->reads(1));
  EXPECT_EQ(number_of(stream->events()[0]), 8U);
}

TEST_F(HubTest, AnIdThatIsNotKnownIsNotBelieved) {
  const std::unique_ptr<Hub> hub = make();
  const auto other = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(other, {TenantId{0}}, std::nullopt));
  publish(*hub, changes(1, 3));
  ASSERT_TRUE(other->reads(3));
  for (const std::uint64_t after : {std::uint64_t{0}, std::uint64_t{1}, kFirst - 2, kFirst + 3, UINT64_MAX}) {
    const auto stream = std::make_shared<SlowStream>();
    ASSERT_TRUE(hub->join(stream, {TenantId{0}}, after));
    ASSERT_TRUE(stream->reads(1)) << after;
    EXPECT_EQ(stream->events()[0].event, "reset") << after;
    EXPECT_EQ(stream->events()[0].id, fmt::format("{}", kFirst + 2)) << after;
  }
}

TEST_F(HubTest, ThePresentComesFirst) {
  const std::unique_ptr<Hub> hub = make();
  const auto stream = std::make_shared<SlowStream>();
  const std::optional<std::uint64_t> watcher = hub->join(stream, {TenantId{1}, 7}, std::nullopt, true);
  ASSERT_TRUE(watcher);
  live::Changes later;
  later.changed_jobs.push_back(job(7, live::JobState::kRunning));
  publish(*hub, later);
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  stream->read();
  EXPECT_TRUE(stream->events().empty());
  hub->begin(*watcher, std::vector<JobMoment>{{job(7)}, {job(8)}});
  ASSERT_TRUE(stream->reads(3));
  const std::vector<http::ServerEvent> events = stream->events();
  EXPECT_EQ(Json::parse(events[0].data)["status"], "waiting");
  EXPECT_EQ(events[0].id, "");  // Who is cut off here begins anew.
  EXPECT_EQ(events[1].id, fmt::format("{}", kFirst - 1));
  EXPECT_EQ(Json::parse(events[2].data)["status"], "running");
  EXPECT_EQ(events[2].id, fmt::format("{}", kFirst));
}

TEST_F(HubTest, PresentStatesTakeOnlySoMuchMemory) {
  const std::unique_ptr<Hub> hub = make({.present_bytes = 5000});
  std::vector<JobMoment> many;
  for (std::uint64_t number = 1; number <= 100; ++number) many.push_back({job(number)});
  for (const auto& present : {std::optional(many), std::optional<std::vector<JobMoment>>()}) {
    const auto stream = std::make_shared<SlowStream>();
    const std::optional<std::uint64_t> watcher = hub->join(stream, {TenantId{1}, 7}, std::nullopt, true);
    hub->begin(*watcher, present);
    ASSERT_TRUE(stream->reads(1));
    EXPECT_EQ(stream->events()[0].event, "reset");
  }
  many.resize(3);
  for (int turn = 0; turn < 20; ++turn) {  // What has been sent counts no more.
    const auto stream = std::make_shared<SlowStream>();
    const std::optional<std::uint64_t> watcher = hub->join(stream, {TenantId{1}, 7}, std::nullopt, true);
    hub->begin(*watcher, many);
    ASSERT_TRUE(stream->reads(3));
    EXPECT_EQ(stream->events()[0].event, "job");
    if (turn % 2 == 0) stream->leave();
  }
}

TEST_F(HubTest, StreamsOutliveTheHub) {
  std::unique_ptr<Hub> hub = make();
  const auto stream = std::make_shared<SlowStream>();
  ASSERT_TRUE(hub->join(stream, {TenantId{0}}, std::nullopt));
  publish(*hub, changes(1, 6000));
  ASSERT_TRUE(eventually([&] { return stream->waiting_bytes() > 100'000; }));
  hub.reset();
  stream->read();
  stream->leave();
}

TEST_F(HubTest, WhoMayNotWatchAnyMoreIsCutOff) {
  const std::unique_ptr<Hub> hub = make({.watchers = 2});
  const auto stays = std::make_shared<SlowStream>(), goes = std::make_shared<SlowStream>();
  live::Actor actor;
  actor.token = "gone";
  ASSERT_TRUE(hub->join(stays, {TenantId{0}}, std::nullopt));
  ASSERT_TRUE(hub->join(goes, {TenantId{0}, 0, actor}, std::nullopt));
  EXPECT_FALSE(hub->join(std::make_shared<SlowStream>(), {TenantId{0}}, std::nullopt));
  hub->beat([](const live::Book&, const live::Actor& each) { return each.token != "gone"; });
  EXPECT_TRUE(stays->open());
  EXPECT_FALSE(goes->open());
  EXPECT_EQ(hub->watchers(), 1U);
}

}  // namespace
}  // namespace gw::api
