// Reservations as the controller makes, keeps and ends them, and the jobs that name one.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/controller.h"
#include "live/memory_store.h"
#include "spec/job_json.h"

namespace gw::live {
namespace {

using ::testing::HasSubstr;

/// A factory of four nodes with eight GPUs each, tenants a and b, and a clock that the test sets.
class ReservationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.fleet = flat_fleet(4, 8);
    for (int node = 0; node < 4; ++node) options_.fleet.node_names.push_back(fmt::format("n{}", node));
    options_.policy = *policy_by_name("gigawerk");
    options_.engine_id = "local:here";
    boot();
    for (const char* path : {"a", "b"}) {
      TenantOrder order;
      order.path = path;
      order.create = true;
      ASSERT_FALSE(ask(order).refusal);
    }
  }
  void boot() {
    controller_ = std::make_unique<Controller>(options_, store_);
    std::vector<Orders::Start> expected;
    const Result<std::vector<std::string>> loaded = controller_->load(kOrigin + now_.count(), expected);
    ASSERT_TRUE(loaded) << loaded.error().message;
    turn({});
  }
  Turn turn(std::vector<Command> commands) {
    Turn turn = controller_->turn(now_, std::move(commands), {}, {});
    EXPECT_TRUE(store_.commit(turn.changes));
    EXPECT_EQ(controller_->check(), "");
    return turn;
  }
  Reply ask(decltype(Command::what) what) {
    return turn({{1, {"t", "eve", Role::kAdmin, TenantId{0}, ""}, std::move(what)}}).replies.at(0);
  }
  Reply reserve(const std::string& name, const std::string& tenant, std::uint32_t nodes, std::int64_t from_s,
                std::int64_t length_s) {
    ReserveOrder order;
    order.name = name;
    if (!tenant.empty()) order.wish.terms.tenant = controller_->book().tenant(tenant);
    order.wish.nodes = nodes;
    order.wish.terms.from = Instant{} + seconds(from_s);
    order.wish.terms.length = seconds(length_s);
    return ask(std::move(order));
  }
  Reply remove(const std::string& name) {
    ReserveOrder order;
    order.name = name;
    order.remove = true;
    return ask(std::move(order));
  }
  Reply submit(const std::string& tenant, std::uint32_t nodes, std::int64_t limit_s,
               const std::string& reservation = "") {
    Submit what;
    what.spec.name = "job";
    what.spec.command = {"true"};
    what.spec.nodes = nodes;
    what.spec.gpus = 8;
    what.spec.limit = seconds(limit_s);
    what.spec.reservation = reservation;
    what.tenant = controller_->book().tenant(tenant);
    what.text = std::make_shared<const std::string>(spec::job_json(what.spec));
    return ask(std::move(what));
  }
  void at(std::int64_t second) {
    const Instant goal = Instant{} + seconds(second);
    while (controller_->next_due() < goal) {
      now_ = std::max(now_, controller_->next_due());
      turn({});
    }
    now_ = goal;
    turn({});
  }
  [[nodiscard]] std::string state(std::uint64_t number) const {
    return std::string(name_of(controller_->book().job(number)->record.state));
  }

  [[nodiscard]] std::string note(std::uint64_t number) const {
    return controller_->book().job(number)->record.note;
  }

  static constexpr std::int64_t kOrigin = 1'700'000'000'000'000'000;
  ControllerOptions options_;
  MemoryStore store_;
  std::unique_ptr<Controller> controller_;
  Instant now_;
};

TEST_F(ReservationTest, KeepsOthersOutAndEndsByItself) {
  ASSERT_FALSE(reserve("demo", "a", 4, 100, 200).refusal);
  const std::uint64_t early = submit("b", 4, 90).number;
  const std::uint64_t late = submit("b", 4, 150).number;
  const std::uint64_t own = submit("a", 4, 150).number;
  EXPECT_EQ(state(early), "running");
  EXPECT_EQ(state(late), "waiting");
  EXPECT_EQ(state(own), "waiting");
  at(301);
  EXPECT_TRUE(controller_->book().reservations.empty());
  EXPECT_TRUE(store_.reservations.begin()->second.over);
}

TEST_F(ReservationTest, IsThereAfterARestart) {
  ASSERT_FALSE(reserve("demo", "a", 4, 100, 200).refusal);
  ASSERT_FALSE(reserve("patches", "", 1, 500, 200).refusal);
  ASSERT_FALSE(remove("patches").refusal);
  const std::uint64_t named = submit("a", 2, 50, "demo").number;
  boot();
  ASSERT_EQ(controller_->book().reservations.size(), 1U);
  EXPECT_EQ(controller_->book().reservations.begin()->first, "demo");
  const Reply again = reserve("demo", "b", 1, 1000, 10);
  ASSERT_TRUE(again.refusal);
  EXPECT_EQ(again.refusal->code, "reservation_exists");
  const Reply busy = reserve("second", "b", 1, 150, 10);
  ASSERT_TRUE(busy.refusal);
  EXPECT_THAT(busy.refusal->message, HasSubstr("demo"));
  EXPECT_THAT(busy.refusal->message, HasSubstr("nearest time"));
  EXPECT_EQ(state(named), "waiting");
  at(100);
  EXPECT_EQ(state(named), "running");
}

TEST_F(ReservationTest, OnlyItsTenantsJobsMayNameIt) {
  ASSERT_FALSE(reserve("demo", "a", 2, 100, 200).refusal);
  for (const auto& [tenant, name] : {std::pair{"b", "demo"}, std::pair{"a", "dema"}}) {
    const Reply refused = submit(tenant, 1, 50, name);
    ASSERT_TRUE(refused.refusal);
    EXPECT_EQ(refused.refusal->code, "unknown_reservation");
  }
  const std::uint64_t named = submit("a", 1, 50, "demo").number;
  EXPECT_EQ(state(named), "waiting");  // Though half of the factory is idle.
  at(100);
  EXPECT_EQ(state(named), "running");
}

TEST_F(ReservationTest, WhoNamesOneThatIsOverIsHeld) {
  for (const bool restarts : {false, true}) {
    ASSERT_FALSE(reserve("demo", "a", 2, 1000, 200).refusal);
    const std::uint64_t named = submit("a", 1, 50, "demo").number;
    ASSERT_FALSE(remove("demo").refusal);
    if (restarts) boot();
    turn({});
    ASSERT_EQ(state(named), "held");
    EXPECT_EQ(note(named), "its reservation demo is over; once released it may run anywhere");
    EXPECT_EQ(store_.reasons.back().reason, "held");
    if (restarts) boot();
    JobOrder release;
    release.kind = JobOrder::Kind::kRelease;
    release.number = named;
    ASSERT_FALSE(ask(release).refusal);
    EXPECT_EQ(state(named), "running");
    EXPECT_EQ(note(named), "");
    release.kind = JobOrder::Kind::kCancel;
    ask(release);
  }
}

TEST_F(ReservationTest, ATimeIsPromisedToAJob) {
  const std::uint64_t first = submit("b", 4, 100).number;
  const std::uint64_t big = submit("a", 4, 100).number;
  ASSERT_EQ(state(first), "running");
  ReserveOrder order;
  order.name = "big-run";
  order.job = big;
  order.slack = seconds(50);
  ASSERT_FALSE(ask(order).refusal);
  const sched::Windows& windows = controller_->book().core->state().windows;
  const WindowTerms& terms = *windows.find(controller_->book().reservations.at("big-run").id);
  EXPECT_EQ(terms.from, Instant{} + seconds(100));
  EXPECT_EQ(terms.length, seconds(150));
  const Reply twice = reserve("other", "b", 4, 120, 10);
  ASSERT_TRUE(twice.refusal);
  EXPECT_EQ(twice.refusal->code, "reserved");
  order.name = "of-a-running-one";
  order.job = first;
  EXPECT_EQ(ask(order).refusal->code, "not_waiting");
}

}  // namespace
}  // namespace gw::live
