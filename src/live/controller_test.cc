// Single decisions of the controller, on a store in memory: what a long simulation would meet too seldom.
#include "live/controller.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/memory_store.h"
#include "spec/job_json.h"

namespace gw::live {
namespace {

using ::testing::HasSubstr;

/// A factory of four GPUs on one node, whose time the test tells.
class ControllerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.fleet = flat_fleet(1, 4);
    options_.fleet.node_names = {"n0"};
    options_.policy = *policy_by_name("fifo");
    options_.engine_id = "local:here";
    boot();
  }

  void boot() {
    controller_ = std::make_unique<Controller>(options_, store_);
    std::vector<Orders::Start> expected;
    const Result<std::vector<std::string>> loaded = controller_->load(kOrigin + now_.count(), expected);
    ASSERT_TRUE(loaded) << loaded.error().message;
    expected_ = expected.size();
    turn({});
  }

  Turn turn(std::vector<Command> commands, const std::vector<Report>& reports = {}) {
    now_ = now_ + seconds(1);
    Turn turn = controller_->turn(now_, std::move(commands), reports, {});
    EXPECT_TRUE(store_.commit(turn.changes));
    EXPECT_EQ(controller_->check(), "");
    return turn;
  }

  Reply ask(decltype(Command::what) what, const Actor& actor = admin()) {
    Turn done = turn({{1, actor, std::move(what)}});
    GW_CHECK(done.replies.size() == 1);
    last_ = std::move(done);
    return last_.replies[0];
  }

  Reply submit(const JobSpec& wish, const Actor& actor = admin(), TenantId tenant = TenantId{1}) {
    Submit what;
    what.spec = wish;
    if (what.spec.name.empty()) what.spec.name = "job";
    what.spec.command = {"true"};
    what.spec.limit = seconds(60);
    what.tenant = tenant;
    what.text = std::make_shared<const std::string>(spec::job_json(what.spec));
    return ask(std::move(what), actor);
  }

  static Actor admin() {
    Actor actor;
    actor.token = "t";
    actor.user = "eve";
    actor.role = Role::kAdmin;
    return actor;
  }

  Reply make_tenant(std::string path, std::int64_t gpu_milli = 0, std::uint32_t jobs = 0) {
    TenantOrder order;
    order.path = std::move(path);
    order.create = true;
    order.gpu_milli = gpu_milli;
    order.jobs = jobs;
    return ask(std::move(order));
  }

  Reply limit_gpus(std::int64_t gpu_milli) {
    TenantOrder order;
    order.path = "default";
    order.gpu_milli = gpu_milli;
    return ask(std::move(order));
  }

  static JobSpec gpus(std::uint32_t count) {
    JobSpec spec;
    spec.gpus = count;
    return spec;
  }

  static JobSpec array(std::uint32_t last, std::uint32_t most_running = 0, std::uint32_t gpus_each = 1) {
    JobSpec spec = gpus(gpus_each);
    spec.array.emplace();
    spec.array->ranges.push_back({1, last, 1});
    spec.array->most_running = most_running;
    return spec;
  }

  Turn end(std::uint64_t number, int exit_code = 0, AttemptEnd how = AttemptEnd::kExited) {
    Report report;
    report.id = {number, controller_->book().job(number)->record.attempt};
    report.ended = true;
    report.started = controller_->book().job(number)->attempt->started;
    report.ended_at = now_;
    report.end = how;
    report.exit_code = exit_code;
    return turn({}, {report});
  }

  [[nodiscard]] std::string state(std::uint64_t number) const {
    const LiveJob* job = controller_->book().job(number);
    if (job == nullptr) return std::string(name_of(store_.jobs.at(number).outcome));
    return std::string(name_of(job->record.state));
  }

  static constexpr std::int64_t kOrigin = 1'700'000'000'000'000'000;
  ControllerOptions options_;
  MemoryStore store_;
  std::unique_ptr<Controller> controller_;
  Instant now_;
  Turn last_;
  std::size_t expected_ = 0;
};

/// Of an array that runs one task at a time the second is kept back by its tenant, the third by the array.
TEST_F(ControllerTest, ATaskThatIsTakenAwayLetsTheNextOfItsArrayGo) {
  for (const JobOrder::Kind kind : {JobOrder::Kind::kCancel, JobOrder::Kind::kHold}) {
    const std::uint64_t first = submit(array(3, 1)).number;
    const std::uint64_t other = submit(gpus(1)).number;
    limit_gpus(1000);
    end(first);
    ASSERT_EQ(state(first + 1), "waiting");
    ASSERT_EQ(controller_->book().core->binding_reason(controller_->book().job(first + 1)->record.core),
              sched::Reason::kQuota);
    ASSERT_EQ(controller_->book().job(first + 2)->blocked, BlockReason::kArrayLimit);
    ask(JobOrder{kind, first, 2});
    end(other);
    EXPECT_EQ(state(first + 2), "running");
    end(first + 2);
    limit_gpus(0);
  }
}

TEST_F(ControllerTest, AReasonThatStaysIsNoNews) {
  const std::uint64_t first = submit(array(4, 1)).number;
  const std::uint64_t third = first + 2;
  const Instant since = controller_->book().job(third)->reason_since;
  const auto rows = [&] {
    return std::ranges::count_if(store_.reasons, [&](const ReasonRecord& row) { return row.job == third; });
  };
  ASSERT_EQ(rows(), 1);
  end(first);  // The second goes, the third is looked at.
  EXPECT_EQ(rows(), 1);
  EXPECT_EQ(controller_->book().job(third)->reason_since, since);
}

TEST_F(ControllerTest, ACancelledJobIsNotRequeued) {
  const std::uint64_t number = submit(gpus(1)).number;
  ASSERT_EQ(ask(JobOrder{JobOrder::Kind::kCancel, number, {}}).count, 1U);
  const Reply reply = ask(JobOrder{JobOrder::Kind::kRequeue, number, {}});
  ASSERT_TRUE(reply.refusal);
  EXPECT_EQ(reply.refusal->status, 409U);
  end(number, 0, AttemptEnd::kStopped);
  EXPECT_EQ(state(number), "cancelled");
}

TEST_F(ControllerTest, ABeginBeyondAllTimesNeverComes) {
  JobSpec spec = gpus(1);
  spec.begin_unix = 253'000'000'000;  // The year 9987, far beyond what nanoseconds can say.
  const std::uint64_t number = submit(spec).number;
  EXPECT_EQ(state(number), "blocked");
  boot();
  EXPECT_EQ(state(number), "blocked");
}

TEST_F(ControllerTest, AnArrayWaitsAsAWhole) {
  const std::uint64_t before = submit(gpus(1)).number;
  JobSpec spec = array(1000);
  for (int copy = 0; copy < 500; ++copy) spec.dependencies.push_back({DependencyKind::kAfterOk, before});
  const std::uint64_t first = submit(spec).number;
  EXPECT_EQ(controller_->book().arrays.at(first).waits.open.size(), 1U);  // Said once.
  JobSpec behind = gpus(1);
  behind.dependencies.push_back({DependencyKind::kAfterOk, first});
  behind.dependencies.push_back({DependencyKind::kAfterAny, first});
  const std::uint64_t last = submit(behind).number;
  EXPECT_EQ(state(first), "blocked");
  boot();  // Found again as it was.
  EXPECT_EQ(controller_->book().arrays.at(first).waits.open.size(), 1U);
  end(before);
  EXPECT_EQ(state(first), "running");
  EXPECT_EQ(state(last), "blocked");
  ask(JobOrder{JobOrder::Kind::kCancel, first, 500});
  EXPECT_EQ(state(last), "dependency");
}

TEST_F(ControllerTest, AnArrayWhoseDependencyFailsEndsAsAWhole) {
  const std::uint64_t before = submit(gpus(1)).number;
  JobSpec spec = array(3);
  spec.dependencies.push_back({DependencyKind::kAfterOk, before});
  const std::uint64_t first = submit(spec).number;
  end(before, 1);
  for (std::uint64_t task = first; task < first + 3; ++task) EXPECT_EQ(state(task), "dependency");
  // Decided long before it is asked for.
  spec.dependencies = {{DependencyKind::kAfterNotOk, before}};
  EXPECT_EQ(state(submit(spec).number), "running");
  spec.dependencies = {{DependencyKind::kAfterOk, before}, {DependencyKind::kAfterAny, before}};
  EXPECT_EQ(state(submit(spec).number), "dependency");
  spec.any_dependency = true;
  EXPECT_NE(state(submit(spec).number), "dependency");
}

TEST_F(ControllerTest, ADependencyMustBeThere) {
  JobSpec spec = gpus(1);
  spec.dependencies.push_back({DependencyKind::kAfterOk, 77});
  const Reply reply = submit(spec);
  ASSERT_TRUE(reply.refusal);
  EXPECT_EQ(reply.refusal->code, "unknown_dependency");
}

TEST_F(ControllerTest, WhatAnotherEngineRanIsHeldNotRunTwice) {
  const std::uint64_t again = submit(gpus(1)).number;
  JobSpec once = gpus(1);
  once.requeue = false;
  const std::uint64_t lost = submit(once).number;
  ASSERT_EQ(state(again), "running");
  const Instant last = now_;
  now_ = now_ + hours(24 * 30);  // A backup of long ago.
  options_.engine_id = "local:elsewhere";
  boot();
  for (const AttemptId id : {AttemptId{again, 1}, AttemptId{lost, 1}}) {
    const AttemptRecord& attempt = store_.attempts.at(id);
    EXPECT_LE((attempt.ended_at - attempt.started).count(), (last - Instant{}).count());
  }
  EXPECT_EQ(expected_, 0U);
  EXPECT_EQ(state(again), "held");
  EXPECT_THAT(controller_->book().job(again)->record.note, HasSubstr("release it"));
  EXPECT_EQ(state(lost), "lost");
  const std::vector<JournalRow>& journal = store_.journal;
  EXPECT_EQ(journal.back().now, controller_->book().core->now());
  ask(JobOrder{JobOrder::Kind::kRelease, again, {}});
  EXPECT_EQ(state(again), "running");
  EXPECT_EQ(controller_->book().job(again)->record.attempt, 2U);
}

TEST_F(ControllerTest, AFactoryIsNotOpenedAsAnother) {
  submit(gpus(4));
  const std::uint64_t waits = submit(gpus(2)).number;
  options_.engine_id = "twin";
  std::vector<Orders::Start> expected;
  const auto load = [&] { return Controller(options_, store_).load(kOrigin + now_.count(), expected); };
  EXPECT_THAT(load().error().message, HasSubstr("--engine local"));
  options_.engine_id = "local:here";
  options_.fleet = flat_fleet(1, 1);
  options_.fleet.node_names = {"n0"};
  options_.accept_losses = false;
  EXPECT_THAT(load().error().message, HasSubstr("--accept-losses"));
  options_.accept_losses = true;
  boot();
  EXPECT_EQ(state(waits), "never");
}

TEST_F(ControllerTest, ATenantHasAPricePlanThatThereIs) {
  options_.prices["research"] = {};
  boot();
  TenantOrder order;
  order.path = "university";
  order.create = true;
  order.price_plan = "reserch";
  const Reply refused = ask(order);
  ASSERT_TRUE(refused.refusal);
  EXPECT_THAT(refused.refusal->message, HasSubstr("default, research"));
  order.price_plan = "research";
  EXPECT_FALSE(ask(order).refusal);
}

TEST_F(ControllerTest, AMemberLearnsNothingOfATenantAboveItsOwn) {
  make_tenant("acme", 2000, 1);
  make_tenant("acme/a");
  make_tenant("acme/b");
  const TenantId a = controller_->book().tenant("acme/a"), b = controller_->book().tenant("acme/b");
  Actor member = admin();
  member.role = Role::kMember;
  member.tenant = a;
  submit(gpus(1), admin(), b);
  const Reply full = submit(gpus(1), member, a);
  ASSERT_TRUE(full.refusal);
  EXPECT_EQ(full.refusal->status, 429U);
  EXPECT_THAT(full.refusal->message, ::testing::Not(HasSubstr("acme")));
  const Reply large = submit(gpus(4), member, a);
  ASSERT_TRUE(large.refusal);
  EXPECT_THAT(large.refusal->message, ::testing::Not(HasSubstr("acme")));
  const Reply known = submit(gpus(1), admin(), a);
  EXPECT_THAT(known.refusal->message, HasSubstr("tenant acme has 1 of at most 1"));
}

/// A gang whose node fails goes on in the same turn: its attempt is ended, another has the spare node.
TEST_F(ControllerTest, AGangKeepsItsNodesWhenOneFails) {
  options_.fleet = flat_fleet(3, 4);
  options_.fleet.node_names = {"n0", "n1", "n2"};
  store_ = MemoryStore{};
  boot();
  JobSpec gang = gpus(4);
  gang.nodes = 2;
  gang.keep_on_failure = true;
  const std::uint64_t number = submit(gang).number;
  const std::uint64_t waits = submit(gang).number;
  ASSERT_EQ(state(number), "running");
  ASSERT_EQ(state(waits), "waiting");
  NodeReport report;
  report.node = "n1";
  report.up = false;
  now_ = now_ + seconds(1);
  const Turn done = controller_->turn(now_, {}, {}, std::span<const NodeReport>(&report, 1));
  ASSERT_TRUE(store_.commit(done.changes));
  EXPECT_EQ(controller_->check(), "");
  ASSERT_EQ(done.orders.stops.size(), 1U);
  EXPECT_EQ(done.orders.stops[0].id, (AttemptId{number, 1}));
  ASSERT_EQ(done.orders.starts.size(), 1U);
  EXPECT_EQ(done.orders.starts[0].launch.id, (AttemptId{number, 2}));
  ASSERT_EQ(done.orders.starts[0].launch.nodes.size(), 2U);
  EXPECT_EQ(done.orders.starts[0].launch.nodes[1].node, "n2");
  EXPECT_EQ(state(number), "running");
  EXPECT_EQ(state(waits), "waiting");
  // The next failure leaves no spare: it waits as any other.
  report.node = "n2";
  now_ = now_ + seconds(1);
  const Turn last = controller_->turn(now_, {}, {}, std::span<const NodeReport>(&report, 1));
  ASSERT_TRUE(store_.commit(last.changes));
  EXPECT_EQ(state(number), "waiting");
  EXPECT_EQ(controller_->check(), "");
}

/// Shrinks for another, grows again, loses a node; each attempt pays for the nodes that it had.
TEST_F(ControllerTest, AnElasticJobLeavesAndComesBackWithAnotherSize) {
  options_.fleet = flat_fleet(4, 4);
  options_.fleet.node_names = {"n0", "n1", "n2", "n3"};
  options_.policy = *policy_by_name("gigawerk");
  options_.policy.resize_interval = seconds(10);
  options_.policy.restart_estimate = seconds(1);
  store_ = MemoryStore{};
  boot();
  JobSpec wish = gpus(4);
  wish.nodes_max = 4;
  wish.checkpoint_interval = seconds(5);
  const std::uint64_t number = submit(wish).number;
  ASSERT_EQ(state(number), "running");
  EXPECT_EQ(last_.orders.starts[0].launch.nodes.size(), 4U);
  EXPECT_EQ(controller_->book().job(number)->record.gpu_milli, 16'000);
  const auto report = [&](std::uint32_t attempt, std::int64_t begun_s, bool ended) {
    Report said;
    said.id = {number, attempt};
    said.started = now_ - seconds(begun_s);
    said.ended = ended;
    said.ended_at = now_;
    said.end = AttemptEnd::kStopped;
    return said;
  };
  turn({}, {report(1, 0, false)});
  now_ = now_ + seconds(20);
  JobSpec other = gpus(4);
  other.nodes = 3;
  const std::uint64_t rigid = submit(other).number;
  ASSERT_EQ(last_.orders.stops.size(), 1U);
  EXPECT_EQ(last_.orders.stops[0].kind, StopKind::kPreempt);
  EXPECT_EQ(state(rigid), "waiting");
  Turn done = turn({}, {report(1, 20, true)});
  ASSERT_EQ(done.orders.starts.size(), 2U);
  EXPECT_EQ(state(number), "running");
  EXPECT_EQ(state(rigid), "running");
  EXPECT_EQ(store_.jobs.at(number).nodes, 1U);
  EXPECT_EQ(store_.attempts.at({number, 1}).gpu_milli, 16'000);
  EXPECT_EQ(store_.attempts.at({number, 1}).end, AttemptEnd::kPreempted);
  EXPECT_EQ(store_.attempts.at({number, 2}).gpu_milli, 4'000);
  EXPECT_THAT(store_.attempts.at({number, 1}).note, HasSubstr(fmt::format("for job {}", rigid)));
  // The other ends; it grows back, after a restart of the server in between.
  turn({}, {report(2, 0, false)});
  boot();
  Report ended = report(1, 0, true);
  ended.id = {rigid, 1};
  ended.end = AttemptEnd::kExited;
  turn({}, {ended});
  now_ = now_ + seconds(20);
  done = turn({});
  ASSERT_EQ(done.orders.stops.size(), 1U);
  EXPECT_EQ(done.orders.stops[0].id, (AttemptId{number, 2}));
  boot();
  done = turn({}, {report(2, 20, true)});
  ASSERT_EQ(done.orders.starts.size(), 1U);
  EXPECT_EQ(done.orders.starts[0].launch.nodes.size(), 4U);
  EXPECT_EQ(store_.attempts.at({number, 2}).note, "goes on with 4 nodes");
  // It loses a node and goes on with three.
  NodeReport lost;
  lost.node = "n1";
  now_ = now_ + seconds(1);
  done = controller_->turn(now_, {}, {}, std::span<const NodeReport>(&lost, 1));
  ASSERT_TRUE(store_.commit(done.changes));
  EXPECT_EQ(controller_->check(), "");
  ASSERT_EQ(done.orders.starts.size(), 1U);
  EXPECT_EQ(done.orders.starts[0].launch.nodes.size(), 3U);
  EXPECT_EQ(store_.jobs.at(number).gpu_milli, 12'000);
}

TEST_F(ControllerTest, AJobEndedWhenItsAttemptDid) {
  const std::uint64_t number = submit(gpus(1)).number;
  Report report;
  report.id = {number, 1};
  report.ended = true;
  report.started = now_;
  report.ended_at = now_ + seconds(3);
  now_ = now_ + seconds(600);  // The server was away.
  turn({}, {report});
  const JobRecord& job = store_.jobs.at(number);
  EXPECT_EQ((job.ended - job.started).count(), seconds(3).count());
}

}  // namespace
}  // namespace gw::live
