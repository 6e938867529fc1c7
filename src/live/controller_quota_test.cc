// Quotas, budgets and preemption as the controller carries them out, to the nanosecond where it matters.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "live/controller.h"
#include "live/memory_store.h"
#include "live/quota_view.h"
#include "spec/job_json.h"

namespace gw::live {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kEuro = 1'000'000;

/// A factory of four nodes with eight GPUs each, tenants a, b and b/lab, and a clock that the test sets.
class ControllerQuotaTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.fleet = flat_fleet(4, 8);
    for (int node = 0; node < 4; ++node) options_.fleet.node_names.push_back(fmt::format("n{}", node));
    options_.policy = *policy_by_name("gigawerk");
    options_.policy.protected_run_time = seconds(60);
    options_.policy.grace = seconds(30);
    options_.policy.restart_estimate = seconds(300);
    options_.prices["default"].per_other_gpu_hour = MicroEuros{kEuro};
    options_.engine_id = "local:here";
    boot();
    for (const char* path : {"a", "b", "b/lab"}) {
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
  Turn turn(std::vector<Command> commands, const std::vector<Report>& reports = {}) {
    Turn turn = controller_->turn(now_, std::move(commands), reports, {});
    EXPECT_TRUE(store_.commit(turn.changes));
    EXPECT_EQ(controller_->check(), "");
    return turn;
  }
  Reply ask(decltype(Command::what) what) {
    last_ = turn({{1, admin(), std::move(what)}});
    return last_.replies.at(0);
  }
  static Actor admin() { return {"t", "eve", Role::kAdmin, TenantId{0}, ""}; }

  std::uint64_t submit(const std::string& tenant, std::uint32_t nodes, bool preemptible = true,
                       std::int32_t priority = 0, Nanoseconds checkpoints = {}, bool requeue = true) {
    Submit what;
    what.spec.name = "job";
    what.spec.command = {"true"};
    what.spec.nodes = nodes;
    what.spec.gpus = 8;
    what.spec.limit = hours(2000);
    what.spec.preemptible = preemptible;
    what.spec.priority = priority;
    what.spec.checkpoint_interval = checkpoints;
    what.spec.requeue = requeue;
    what.tenant = controller_->book().tenant(tenant);
    what.text = std::make_shared<const std::string>(spec::job_json(what.spec));
    const Reply reply = ask(std::move(what));
    EXPECT_FALSE(reply.refusal) << reply.refusal->message;
    return reply.number;
  }
  std::optional<Refusal> set(const std::string& path, std::int64_t guaranteed, std::int64_t limit = -1) {
    QuotaOrder order;
    order.path = path;
    order.changes.push_back({"", guaranteed * 1000, {}, {}, limit < 0 ? -1 : limit * 1000});
    return ask(order).refusal;
  }
  void set_budget(const std::string& path, const Budget& budget) {
    QuotaOrder order;
    order.path = path;
    order.budget = QuotaOrder::BudgetChange::all_of(budget);
    ASSERT_FALSE(ask(order).refusal);
  }
  /// Its attempt has ended, having run since it was decided.
  Turn end(std::uint64_t number, AttemptEnd how = AttemptEnd::kStopped, int exit_code = 0) {
    Report report;
    const AttemptRecord& attempt = *controller_->book().job(number)->attempt;
    report.id = attempt.id;
    report.ended = true;
    report.started = attempt.decided;
    report.ended_at = now_;
    report.end = how;
    report.exit_code = exit_code;
    return turn({}, {report});
  }
  /// Turns as the factory's loop would make them, up to that time.
  void go_on_until(Instant when) {
    for (int turns = 0; controller_->next_due() <= when; ++turns) {
      ASSERT_LT(turns, 1000);
      now_ = std::max(now_, controller_->next_due());
      const Turn made = turn({});
      for (const Stop& stop : made.orders.stops) stops_.push_back(stop);
    }
    now_ = when;
  }
  [[nodiscard]] std::string state(std::uint64_t number) const {
    const LiveJob* job = controller_->book().job(number);
    return std::string(job == nullptr ? name_of(store_.jobs.at(number).outcome) : name_of(job->record.state));
  }
  [[nodiscard]] sched::Reason reason(std::uint64_t number) const {
    return controller_->book().core->binding_reason(controller_->book().job(number)->record.core);
  }
  [[nodiscard]] std::vector<Instant> audits(std::string_view action) const {
    std::vector<Instant> times;
    for (const AuditRecord& record : store_.audit) {
      if (record.action == action) times.push_back(record.now);
    }
    return times;
  }
  [[nodiscard]] QuotaStanding standing(std::string_view path) const {
    return quota_standings(controller_->book(), kAllGpus)[controller_->book().tenant(path).value()];
  }

  // 2026-11-30, an hour before the month is over.
  static constexpr std::int64_t kOrigin = 1'796'079'600'000'000'000;
  ControllerOptions options_;
  MemoryStore store_;
  std::unique_ptr<Controller> controller_;
  Instant now_;
  Turn last_;
  std::vector<Stop> stops_;
};

TEST_F(ControllerQuotaTest, WhoLeavesWaitsAgainAndItsPlaceIsTaken) {
  const std::uint64_t old = submit("a", 4, true, 0, seconds(1000));
  now_ = now_ + seconds(2500);
  const std::uint64_t urgent = submit("b", 1, true, 5);
  ASSERT_EQ(last_.orders.stops.size(), 1U);
  EXPECT_EQ(last_.orders.stops[0].id.job, old);
  EXPECT_EQ(last_.orders.stops[0].kind, StopKind::kPreempt);
  EXPECT_EQ(last_.orders.stops[0].most_grace, seconds(30));
  EXPECT_TRUE(controller_->book().job(old)->leaving);
  EXPECT_EQ(controller_->book().job(old)->leaving_for, 0U);  // Of another tenant: its number is not told.
  EXPECT_EQ(reason(urgent), sched::Reason::kGrace);
  // After a restart it is told again.
  controller_.reset();
  controller_ = std::make_unique<Controller>(options_, store_);
  std::vector<Orders::Start> expected;
  ASSERT_TRUE(controller_->load(kOrigin + now_.count(), expected));
  const Turn first = turn({});
  ASSERT_EQ(first.orders.stops.size(), 1U);
  EXPECT_EQ(first.orders.stops[0].most_grace, seconds(30));
  now_ = now_ + seconds(20);
  end(old, AttemptEnd::kStopped, 0);  // It obeyed, whatever it says of itself.
  EXPECT_EQ(state(old), "waiting");
  EXPECT_EQ(state(urgent), "running");
  EXPECT_EQ(controller_->book().job(old)->record.note, "preempted for a job of another tenant");
  EXPECT_EQ(store_.attempts.at({old, 1}).end, AttemptEnd::kPreempted);
  // What it lost: 520 seconds since its last checkpoint, and a restart, of 32 GPUs at a euro an hour.
  ASSERT_EQ(store_.transfers.size(), 2U);
  const TransferRecord& credit = store_.transfers[1];
  EXPECT_EQ(credit.kind, TransferKind::kPreemptionCredit);
  EXPECT_EQ(credit.price.count(), -(32 * kEuro * (520 + 300) + 1800) / 3600);
  EXPECT_EQ(credit.to - credit.from, seconds(520));
}

TEST_F(ControllerQuotaTest, WhatWasDoneBeforeItWasToldIsDone) {
  const std::uint64_t done = submit("a", 4);
  now_ = now_ + seconds(100);
  const std::uint64_t urgent = submit("a", 4, true, 5);
  EXPECT_EQ(controller_->book().job(done)->leaving_for, urgent);
  end(done, AttemptEnd::kExited, 0);
  EXPECT_EQ(state(done), "completed");
  EXPECT_EQ(state(urgent), "running");
  EXPECT_EQ(store_.transfers.size(), 1U);  // Nothing was lost.
}

TEST_F(ControllerQuotaTest, WhatMayNotRunTwiceEnds) {
  const std::uint64_t once = submit("a", 4, true, 0, {}, false);
  now_ = now_ + seconds(100);
  const std::uint64_t urgent = submit("a", 4, true, 5);
  end(once);
  EXPECT_EQ(state(once), "cancelled");
  EXPECT_THAT(store_.jobs.at(once).note,
              HasSubstr(fmt::format("preempted for job {}; it may not be run again", urgent)));
  EXPECT_EQ(state(urgent), "running");
}

TEST_F(ControllerQuotaTest, ACancelledJobThatMustLeaveDoesNotComeBack) {
  const std::uint64_t job = submit("a", 4);
  now_ = now_ + seconds(100);
  ask(JobOrder{JobOrder::Kind::kCancel, job, {}});
  submit("a", 4, true, 5);
  ASSERT_EQ(last_.orders.stops.size(), 1U);  // Its long grace ends sooner now.
  EXPECT_EQ(last_.orders.stops[0].most_grace, seconds(30));
  end(job);
  EXPECT_EQ(state(job), "cancelled");
}

TEST_F(ControllerQuotaTest, GuaranteesThatCannotBeKeptAreNotGiven) {
  EXPECT_FALSE(set("a", 16));
  const std::optional<Refusal> more = set("b", 17);
  ASSERT_TRUE(more);
  EXPECT_THAT(more->message, HasSubstr("would sum up to 33 GPUs, and the factory has 32"));
  const std::optional<Refusal> below = set("b/lab", 4);
  ASSERT_TRUE(below);
  EXPECT_THAT(below->message, HasSubstr("gw quota set b --guaranteed 4"));
  EXPECT_FALSE(set("b", 8));
  EXPECT_FALSE(set("b/lab", 4));
  const std::optional<Refusal> less = set("b", 3);
  ASSERT_TRUE(less);
  EXPECT_THAT(less->message, HasSubstr("lower the guarantees below it first"));
  const std::optional<Refusal> limit = set("a", 16, 8);
  ASSERT_TRUE(limit);
  EXPECT_THAT(limit->message, HasSubstr("more than its limit of 8"));
  EXPECT_EQ(controller_->book()
                .core->state()
                .quota.terms(controller_->book().tenant("b"), kAllGpus)
                .guaranteed_milli,
            8000);
  boot();
  EXPECT_EQ(controller_->book().quota(controller_->book().tenant("b/lab"), "").guaranteed_milli, 4000);
}

TEST_F(ControllerQuotaTest, WhatIsGuaranteedIsTakenBack) {
  set("b", 16);
  const std::uint64_t one = submit("a", 2), two = submit("a", 2);
  EXPECT_EQ(standing("a").borrowed, 32'000);
  EXPECT_EQ(standing("b").lent, 16'000);
  EXPECT_EQ(standing("b").deserved, 16'000);
  now_ = now_ + seconds(100);
  const std::uint64_t owed = submit("b/lab", 2);
  EXPECT_EQ(reason(owed), sched::Reason::kGrace);
  EXPECT_TRUE(controller_->book().job(one)->leaving);
  EXPECT_FALSE(controller_->book().job(two)->leaving);
  end(one);
  EXPECT_EQ(state(owed), "running");
  EXPECT_EQ(standing("a").deserved, 16'000);
  EXPECT_EQ(standing("b").lent, 0);
}

TEST_F(ControllerQuotaTest, LimitsOfAnEarlierVersionReachTheCore) {
  // As the migration of the store leaves it: a row that the core has never heard of.
  store_.tenants.at(controller_->book().tenant("a")).quotas = {{"", {0, -1, -1, 8000}}};
  boot();
  const std::uint64_t one = submit("a", 1), two = submit("a", 1);
  EXPECT_EQ(state(one), "running");
  EXPECT_EQ(reason(two), sched::Reason::kQuota);
}

TEST_F(ControllerQuotaTest, AJobLargerThanItsLimitIsRefused) {
  set("b", 0, 8);
  Submit what;
  what.spec.name = "job";
  what.spec.command = {"true"};
  what.spec.nodes = 2;
  what.spec.gpus = 8;
  what.spec.limit = hours(1);
  what.tenant = controller_->book().tenant("b/lab");
  what.text = std::make_shared<const std::string>(spec::job_json(what.spec));
  const Reply reply = ask(what);
  ASSERT_TRUE(reply.refusal);
  EXPECT_THAT(reply.refusal->message, HasSubstr("tenant b may use 8 at a time"));
}

TEST_F(ControllerQuotaTest, ABudgetIsSpentAtTheVeryMoment) {
  // 32 GPUs at a euro an hour: 8 euros last for 900 seconds; warned at 80 percent.
  Budget budget;
  budget.micro_euros = 8 * kEuro;
  budget.action = BudgetAction::kStopNew;
  set_budget("a", budget);
  const std::uint64_t running = submit("a", 4);
  const Instant started = now_;
  go_on_until(started + seconds(1200));
  ASSERT_EQ(audits("budget.warn").size(), 1U);
  EXPECT_EQ(audits("budget.warn")[0], started + seconds(720));
  ASSERT_EQ(audits("budget.spent").size(), 1U);
  EXPECT_EQ(audits("budget.spent")[0], started + seconds(900));
  EXPECT_EQ(state(running), "running");
  end(running, AttemptEnd::kExited);
  const std::uint64_t next = submit("a", 1);
  EXPECT_EQ(reason(next), sched::Reason::kBudget);
  EXPECT_EQ(state(submit("b", 1)), "running");
  boot();
  EXPECT_EQ(reason(next), sched::Reason::kBudget);
  go_on_until(Instant{} + hours(2));  // The month turns an hour after the beginning.
  EXPECT_EQ(state(next), "running");
  ASSERT_EQ(audits("budget.open").size(), 1U);
  EXPECT_EQ(audits("budget.open")[0], Instant{} + hours(1));
}

TEST_F(ControllerQuotaTest, ABudgetMayStopWhatRunsUntilTheMonthTurns) {
  Budget budget;
  budget.gpu_milli_hours = 4'000;  // Of 8 GPUs: half an hour.
  budget.action = BudgetAction::kStopAll;
  set_budget("b", budget);
  const std::uint64_t job = submit("b/lab", 1, false);
  go_on_until(Instant{} + minutes(29));
  EXPECT_TRUE(stops_.empty());
  go_on_until(Instant{} + minutes(31));
  ASSERT_EQ(stops_.size(), 1U);
  EXPECT_EQ(stops_[0].kind, StopKind::kPreempt);
  EXPECT_EQ(audits("budget.spent"), std::vector<Instant>{Instant{} + minutes(30)});
  end(job);
  EXPECT_EQ(state(job), "waiting");
  EXPECT_EQ(controller_->book().job(job)->record.note, "the budget of tenant b is spent");
  EXPECT_EQ(store_.transfers.size(), 1U);  // Nobody else had its place: there is no credit.
  go_on_until(Instant{} + minutes(59));
  EXPECT_EQ(state(job), "waiting");
  go_on_until(Instant{} + hours(1));
  EXPECT_EQ(state(job), "running");
  // The next month's lasts as long.
  go_on_until(Instant{} + hours(1) + minutes(31));
  EXPECT_EQ(audits("budget.spent").back(), Instant{} + hours(1) + minutes(30));
}

TEST_F(ControllerQuotaTest, WhatRunsOverTheTurnOfAMonthCountsInEachForItsPart) {
  Budget budget;
  budget.gpu_milli_hours = 16'000;
  set_budget("a", budget);
  submit("a", 1);
  go_on_until(Instant{} + hours(4));  // Eight in the first month; sixteen in the second at three o'clock.
  EXPECT_EQ(audits("budget.spent"), std::vector<Instant>{Instant{} + hours(3)});
}

TEST_F(ControllerQuotaTest, WhatWasUsedBeforeThereWasABudgetCounts) {
  const std::uint64_t first = submit("a", 1), second = submit("a", 1);
  now_ = now_ + minutes(15);
  end(first, AttemptEnd::kExited);
  Budget budget;
  budget.gpu_milli_hours = 5'000;  // Two jobs had two each; one is left.
  set_budget("a", budget);
  boot();
  go_on_until(Instant{} + minutes(40));
  ASSERT_EQ(audits("budget.spent").size(), 1U);
  EXPECT_EQ(audits("budget.spent")[0], Instant{} + minutes(15) + seconds(450));
  EXPECT_EQ(state(second), "running");
  // Raised, it is open again.
  budget.gpu_milli_hours = 500'000;
  set_budget("a", budget);
  EXPECT_EQ(state(submit("a", 1)), "running");
}

}  // namespace
}  // namespace gw::live
