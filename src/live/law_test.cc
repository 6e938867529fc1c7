// Rules in the live factory: admission, records, days on which others are in force, facts that change, a
// changed fleet.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "live/controller.h"
#include "live/memory_store.h"
#include "spec/job_json.h"

namespace gw::live {
namespace {

using ::testing::HasSubstr;

/// Two sites of one node each: n0 in Germany, n1 in the United States.
Fleet two_sites() {
  Fleet fleet = flat_fleet(2, 4);
  fleet.node_names = {"n0", "n1"};
  fleet.fabric.insert(fleet.fabric.begin(), Partition{"site", {0, 1, 2}});
  for (const char* country : {"DE", "US"}) {
    Site& site = fleet.sites.emplace_back();
    site.name = std::string("site-") + country;
    site.country = country;
    site.jurisdictions = {country};
  }
  return fleet;
}

class LawTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.fleet = two_sites();
    options_.law.in_use = true;
    options_.law.groups = {{"EU", {"DE", "FR"}, "", {}}};
    LegalRule& rule = options_.law.rules.emplace_back();
    rule.name = "eu-only-data";
    rule.applies_to.data = {"personal"};
    rule.requires_.country = options_.law.places({"EU"}).value();
    options_.policy = *policy_by_name("fifo");
    options_.engine_id = "local:here";
    boot();
  }

  void boot() {
    ASSERT_EQ(divide_zones(options_.fleet, options_.law), "");
    controller_ = std::make_unique<Controller>(options_, store_);
    std::vector<Orders::Start> expected;
    const Result<std::vector<std::string>> loaded = controller_->load(kOrigin + now_.count(), expected);
    ASSERT_TRUE(loaded) << loaded.error().message;
    turn({});
  }

  Turn turn(std::vector<Command> commands, const std::vector<Report>& reports = {}) {
    now_ = now_ + seconds(1);
    Turn turn = controller_->turn(now_, std::move(commands), reports, {});
    EXPECT_TRUE(store_.commit(turn.changes));
    EXPECT_EQ(controller_->check(), "");
    for (const AttemptRecord& attempt : turn.changes.new_attempts) places_[attempt.id.job] = attempt.place;
    return turn;
  }

  Reply ask(decltype(Command::what) what) {
    Turn done = turn({{1, actor(), std::move(what)}});
    GW_CHECK(done.replies.size() == 1);
    last_ = std::move(done);
    return last_.replies[0];
  }

  static Actor actor() {
    Actor actor;
    actor.user = "eve";
    actor.role = Role::kAdmin;
    return actor;
  }

  static JobSpec job_of(const LegalWishes& law, std::uint32_t gpus = 4) {
    JobSpec spec;
    spec.name = "job";
    spec.command = {"true"};
    spec.limit = hours(1000);
    spec.gpus = gpus;
    spec.law = law;
    return spec;
  }

  Reply submit_spec(JobSpec spec, TenantId tenant = TenantId{1}) {
    Submit what;
    what.spec = std::move(spec);
    what.tenant = tenant;
    what.text = std::make_shared<const std::string>(spec::job_json(what.spec));
    return ask(std::move(what));
  }

  Reply submit(const LegalWishes& law, std::uint32_t gpus = 4, TenantId tenant = TenantId{1}) {
    return submit_spec(job_of(law, gpus), tenant);
  }

  Turn end(std::uint64_t number, AttemptEnd how = AttemptEnd::kExited) {
    Report report;
    report.id = {number, controller_->book().job(number)->record.attempt};
    report.ended = true;
    report.started = controller_->book().job(number)->attempt->started;
    report.ended_at = now_;
    report.end = how;
    return turn({}, {report});
  }

  [[nodiscard]] std::string state(std::uint64_t number) const {
    const LiveJob* job = controller_->book().job(number);
    if (job == nullptr) return std::string(name_of(store_.jobs.at(number).outcome));
    return std::string(name_of(job->record.state));
  }

  Reply set_home(std::string path, std::string home) {
    TenantOrder order;
    order.path = std::move(path);
    order.home = std::move(home);
    return ask(std::move(order));
  }

  /// Empty where the whole chain holds.
  [[nodiscard]] std::string chain() const {
    audit::ChainVerifier verifier;
    for (const DecisionRow& row : store_.decisions) {
      if (std::string problem = verifier.take({row.sequence, row.record, row.hash}); !problem.empty())
        return problem;
    }
    return verifier.finish();
  }

  static constexpr std::int64_t kOrigin = 1'790'000'000'000'000'000;  // 2026-09-21T14:13:20Z
  ControllerOptions options_;
  MemoryStore store_;
  std::unique_ptr<Controller> controller_;
  Instant now_;
  Turn last_;
  std::map<std::uint64_t, std::string> places_;
};

LegalWishes personal() {
  LegalWishes law;
  law.data = {"personal"};
  return law;
}

LegalWishes residency(std::vector<std::string> places) {
  LegalWishes law;
  law.residency = std::move(places);
  return law;
}

TEST_F(LawTest, JobsGoWhereTheyMayAndEachIsWrittenDown) {
  EXPECT_EQ(submit(personal()).number, 1U);
  EXPECT_EQ(submit(personal()).number, 2U);  // Waits, though n1 is free.
  EXPECT_EQ(submit({}).number, 3U);          // Under FIFO behind it.
  EXPECT_EQ(places_[1], "n0");
  EXPECT_EQ(state(2), "waiting");
  end(1);
  EXPECT_EQ(places_[2], "n0");
  EXPECT_EQ(places_[3], "n1");
  const Reply refused = submit(residency({"FR"}));
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->code, "rule");
  EXPECT_THAT(refused.refusal->message, HasSubstr("residency leaves no place"));
  EXPECT_THAT(refused.refusal->message, HasSubstr("Add DE to the job's `residency`"));
  const Reply unknown = submit(residency({"EUU"}));
  ASSERT_TRUE(unknown.refusal);
  EXPECT_EQ(unknown.refusal->code, "unknown_place");
  const Reply large = submit(personal(), 5);
  ASSERT_TRUE(large.refusal);
  EXPECT_EQ(large.refusal->code, "impossible");

  ASSERT_EQ(store_.decisions.size(), 6U);
  EXPECT_EQ(chain(), "");
  const nlohmann::json first = nlohmann::json::parse(store_.decisions[0].record);
  EXPECT_EQ(first["outcome"], "admitted");
  EXPECT_EQ(first["rules"][0]["name"], "eu-only-data");
  EXPECT_EQ(first["zones"][1]["open"], false);
  EXPECT_EQ(first["day"], "2026-09-21");
  const nlohmann::json fourth = nlohmann::json::parse(store_.decisions[3].record);
  EXPECT_EQ(fourth["outcome"], "refused");
  EXPECT_EQ(fourth["job"]["number"], nullptr);
  EXPECT_EQ(fourth["reason"], "rule");
  boot();  // The chain goes on where it ended.
  submit({});
  EXPECT_EQ(store_.decisions.size(), 7U);
  EXPECT_EQ(chain(), "");
}

TEST_F(LawTest, AClassOfDataThatNoRuleNamesIsRefused) {
  LegalWishes misspelt;
  misspelt.data = {"persnal"};
  const Reply refused = submit(misspelt);
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->code, "unknown_data_class");
  EXPECT_THAT(refused.refusal->message, HasSubstr("did you mean \"personal\"?"));
  EXPECT_EQ(nlohmann::json::parse(store_.decisions.at(0).record)["reason"], "unknown_data_class");
  options_.law.data_classes = {"persnal"};
  boot();
  EXPECT_FALSE(submit(misspelt).refusal);
  EXPECT_EQ(state(1), "running");
  EXPECT_FALSE(submit(misspelt).refusal);
  EXPECT_FALSE(submit(misspelt).refusal);
  EXPECT_EQ(state(3), "waiting");
  options_.law.data_classes.clear();  // A file that knows it no more: what waits ends, what runs may finish.
  boot();
  EXPECT_EQ(state(2), "running");
  EXPECT_EQ(state(3), "never");
}

TEST_F(LawTest, AKindOfTenantThatNoRuleNamesIsRefused) {
  TenantOrder order;
  order.path = "default";
  order.kind = "helth";
  EXPECT_FALSE(ask(order).refusal);  // No rule looks at kinds.
  LegalRule& rule = options_.law.rules.emplace_back();
  rule.name = "health-in-germany";
  rule.applies_to.kinds = {"health"};
  rule.requires_.country = options_.law.places({"DE"}).value();
  boot();
  submit({});
  submit({});
  EXPECT_EQ(places_[1], "n0");
  EXPECT_EQ(state(2), "waiting");  // The rule binds a tenant of a kind that nobody knows.
  order.kind = "heath";
  const Reply refused = ask(order);
  ASSERT_TRUE(refused.refusal);
  EXPECT_EQ(refused.refusal->code, "unknown_tenant_kind");
  EXPECT_THAT(refused.refusal->message, HasSubstr("did you mean \"health\"?"));
  options_.law.tenant_kinds = {"bank"};
  boot();
  order.kind = "bank";
  EXPECT_FALSE(ask(order).refusal);
  EXPECT_EQ(state(2), "running");
}

TEST_F(LawTest, APlaceThatIsTooSmallInTheAllowedPartIsTheRulesDoing) {
  options_.fleet = flat_fleet(4, 4);
  options_.fleet.node_names = {"a", "b", "c", "d"};
  options_.fleet.fabric.insert(options_.fleet.fabric.begin(), Partition{"site", {0, 1, 4}});
  options_.fleet.sites = two_sites().sites;
  store_ = MemoryStore{};
  boot();
  JobSpec gang = job_of(personal());
  gang.nodes = 2;
  const Reply reply = submit_spec(gang);
  ASSERT_TRUE(reply.refusal);
  EXPECT_EQ(reply.refusal->code, "rule");
  EXPECT_EQ(reply.refusal->message,
            "rule eu-only-data closes to this job every zone that could hold it; 1 of 2 zones is open "
            "(site-DE), and 2 nodes are asked for; that one has 1 of one kind. Ask for less; or: zone "
            "site-US, which could hold it, stands in US, not in EU (rule eu-only-data). It would take a site "
            "in EU.");
  gang.law = {};
  EXPECT_FALSE(submit_spec(gang).refusal);
}

TEST_F(LawTest, GpusThatOnlyClosedZonesHaveAreTheRulesDoing) {
  options_.fleet.gpu_types.resize(2);
  options_.fleet.gpu_types[0].name = "b200";
  options_.fleet.gpu_types[1].name = "h100";
  options_.fleet.node_types[0].gpu_type = 0;
  options_.fleet.node_types.push_back(options_.fleet.node_types[0]);
  options_.fleet.node_types[1].name = "other";
  options_.fleet.node_types[1].gpu_type = 1;
  options_.fleet.node_type_of = {0, 1};
  store_ = MemoryStore{};
  boot();
  JobSpec job = job_of(personal());
  job.gpu_types = {"h100"};
  const Reply reply = submit_spec(job);
  ASSERT_TRUE(reply.refusal);
  EXPECT_EQ(reply.refusal->code, "rule");
  EXPECT_THAT(reply.refusal->message, HasSubstr("rule eu-only-data closes"));
  EXPECT_THAT(reply.refusal->message,
              HasSubstr("that one has no node with a GPU of the types asked for (h100)"));
  EXPECT_THAT(reply.refusal->message, HasSubstr("Ask for GPUs of type b200; or: zone site-US"));
}

TEST_F(LawTest, ARuleComesIntoForceAtMidnight) {
  LegalRule& rule = options_.law.rules.emplace_back();
  rule.name = "not-in-the-us";
  rule.since = parse_day("2026-09-22");
  rule.forbids.country = options_.law.places({"US"}).value();
  store_ = MemoryStore{};
  boot();
  submit({});  // On n0.
  submit({});  // On n1, where it may not be tomorrow.
  submit({});
  submit({});
  EXPECT_EQ(places_[2], "n1");
  const std::int64_t midnight = std::int64_t{*rule.since} * 86400;
  EXPECT_EQ(controller_->next_due(), controller_->book().instant_of_second(midnight));
  now_ = controller_->book().instant_of_second(midnight);
  const Turn turned = turn({});
  EXPECT_EQ(state(2), "running");  // It may finish.
  EXPECT_THAT(controller_->book().job(2)->record.note, HasSubstr("rule not-in-the-us"));
  ASSERT_EQ(turned.changes.audit.size(), 1U);
  EXPECT_EQ(turned.changes.audit[0].action, "job.forbidden");
  EXPECT_EQ(turned.changes.decisions.size(), 4U);  // All four: reviewed.
  EXPECT_TRUE(turned.orders.stops.empty());
  end(2);
  EXPECT_EQ(store_.jobs.at(2).note, "it ended where the rules forbid it");
  EXPECT_EQ(state(3), "waiting");  // n1 is free, and not for it.
  EXPECT_EQ(store_.decisions.back().outcome, "reviewed");
  end(1);
  EXPECT_EQ(places_[3], "n0");
  EXPECT_EQ(chain(), "");
  boot();  // Nothing to review a second time.
  EXPECT_EQ(store_.decisions.size(), 8U);
}

TEST_F(LawTest, WhatMayNotRunThereAnyMoreIsRequeuedWhereTheOperatorWishesSo) {
  LegalRule& rule = options_.law.rules.emplace_back();
  rule.name = "not-in-the-us";
  rule.since = parse_day("2026-09-22");
  rule.forbids.country = options_.law.places({"US"}).value();
  options_.requeue_forbidden = true;
  store_ = MemoryStore{};
  boot();
  submit({});
  submit({});
  now_ = controller_->book().instant_of_second(std::int64_t{*rule.since} * 86400);
  const Turn turned = turn({});
  ASSERT_EQ(turned.orders.stops.size(), 1U);
  EXPECT_EQ(turned.orders.stops[0].id.job, 2U);
  EXPECT_EQ(turned.orders.stops[0].kind, StopKind::kRequeue);
  end(2, AttemptEnd::kStopped);
  EXPECT_EQ(state(2), "waiting");
  end(1);
  EXPECT_EQ(places_[2], "n0");
}

TEST_F(LawTest, ATenantsHomeIsAFactThatMayChange) {
  LegalRule& rule = options_.law.rules.emplace_back();
  rule.name = "not-for-ru";
  rule.applies_to.tenants_of = options_.law.places({"RU"}).value();
  rule.forbids.country = options_.law.places({"EU", "US"}).value();
  store_ = MemoryStore{};
  boot();
  const Reply unknown = submit({});
  ASSERT_TRUE(unknown.refusal) << "nobody knows its home";
  EXPECT_THAT(unknown.refusal->message, HasSubstr("rule not-for-ru"));
  ASSERT_FALSE(set_home("default", "DE").refusal);
  submit({});  // 1, on n0.
  submit({});  // 2, on n1.
  submit({});  // 3 waits.
  EXPECT_EQ(state(3), "waiting");
  ASSERT_FALSE(set_home("default", "RU").refusal);
  EXPECT_EQ(state(1), "running");
  EXPECT_EQ(state(3), "never");
  EXPECT_THAT(store_.jobs.at(3).note, HasSubstr("rule not-for-ru"));
  EXPECT_EQ(chain(), "");
  // Its nodes fail: it may not start again, and a cancellation in the same turn finds it gone from the core.
  Report lost;
  lost.id = {1, 1};
  lost.ended = true;
  lost.started = lost.ended_at = now_;
  lost.end = AttemptEnd::kLost;
  JobOrder cancel;
  cancel.number = 1;
  turn({{1, actor(), cancel}}, {lost});
  EXPECT_EQ(state(1), "cancelled");
  end(2, AttemptEnd::kLost);
  EXPECT_EQ(state(2), "never");
}

TEST_F(LawTest, AChangedFleetIsJudgedAnewAndNothingStaysWhereItMayNot) {
  submit(residency({"DE"}));
  submit({});
  EXPECT_EQ(places_[1], "n0");
  options_.fleet.sites[0].certifications = {"bsi-c5"};  // A better site: nothing is lost.
  boot();
  EXPECT_EQ(state(1), "running");
  EXPECT_EQ(state(2), "running");
  std::swap(options_.fleet.sites[0].country, options_.fleet.sites[1].country);
  boot();
  EXPECT_EQ(state(1), "waiting");  // Its node stands in the United States now.
  EXPECT_EQ(state(2), "running");
  end(2);
  EXPECT_EQ(places_[1], "n1");
  EXPECT_EQ(chain(), "");
}

TEST_F(LawTest, AnArrayHasOneRecordAndItsTasksShareTheirWishes) {
  JobSpec array = job_of(residency({"DE"}), 1);
  array.array.emplace();
  array.array->ranges.push_back({1, 6, 1});
  ASSERT_FALSE(submit_spec(array).refusal);
  ASSERT_EQ(store_.decisions.size(), 1U);
  EXPECT_EQ(store_.decisions[0].tasks, 6U);
  for (std::uint64_t task = 1; task <= 4; ++task) EXPECT_EQ(places_[task], "n0");
  EXPECT_EQ(state(5), "waiting");
  boot();
  EXPECT_NE(controller_->book().job(5)->law, nullptr);
  end(1);
  EXPECT_EQ(places_[5], "n0");
}

}  // namespace
}  // namespace gw::live
