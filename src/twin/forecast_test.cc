// Forecasts against what really happened: the twin runs a workload to its end, and a snapshot from its middle
// must have known.
#include "twin/forecast.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "base/rng.h"
#include "sched/random_case.h"
#include "twin/twin.h"
#include "workload/list_stream.h"

namespace gw::twin {
namespace {

/// Keeps the last snapshot from between two instants.
class SnapshotStore final : public runtime::Store {
 public:
  SnapshotStore(Instant from, Instant until) : from_(from), until_(until) {}
  Result<void> append_events(Instant now, const std::vector<sched::Event>& /*events*/) override {
    now_ = now;
    return {};
  }
  Result<void> append_plan(Instant /*now*/, const sched::Plan& /*plan*/) override { return {}; }
  Result<void> append_snapshot(Instant /*now*/, std::string_view snapshot) override {
    bytes = snapshot;
    return {};
  }
  [[nodiscard]] std::uint64_t snapshot_interval() const override {
    return now_ >= from_ && now_ <= until_ ? 1 : 0;
  }

  std::string bytes;

 private:
  Instant from_;
  Instant until_;
  Instant now_;
};

/// A factory in the middle of its work, and when each job really starts.
struct Case {
  Fleet fleet;
  PolicyConfig policy;
  std::string snapshot;
  Instant now;
  std::vector<Instant> real_starts;  ///< By job.
};

struct CaseWish {
  std::uint32_t jobs = 60;
  std::int64_t mean_gap_s = 3;
  std::uint32_t most_nodes = 20;
};

/// All jobs have arrived by `now`; each uses the part of its limit that `fraction(rng)` says.
template <class Fraction>
Case make_case(const std::string& policy, std::uint64_t seed, Fraction&& fraction,
               const CaseWish& wish = {}) {
  Rng rng = Rng(seed).split("forecast-case");
  Case made;
  made.policy = *policy_by_name(policy);
  sched::random_case::FleetWish fleet_wish;
  fleet_wish.most_nodes = wish.most_nodes;
  made.fleet = random_fleet(rng, fleet_wish);
  sched::random_case::WorkloadWish workload_wish;
  workload_wish.jobs = wish.jobs;
  workload_wish.mean_gap_s = wish.mean_gap_s;
  workload_wish.outages = workload_wish.cancels = workload_wish.overruns = false;
  const sched::random_case::Workload workload = random_workload(rng, made.fleet, workload_wish);
  workload::ListStream stream;
  for (std::size_t tenant = 0; tenant < workload.parents.size(); ++tenant)
    stream.tenant_tree.add(workload.parents[tenant], "tenant-" + std::to_string(tenant),
                           workload.weights[tenant]);
  for (const GpuType& type : made.fleet.gpu_types) stream.types.push_back(type.name);
  for (const sched::random_case::Scripted& scripted : workload.jobs) {
    TraceJob job;
    job.id = std::to_string(stream.jobs.size());
    job.request = scripted.request;
    const double used = fraction(rng);
    job.truth.run_time =
        used >= 1 ? job.request.limit
                  : Nanoseconds{std::llround(used * static_cast<double>(job.request.limit.count()))};
    stream.jobs.push_back(job);
    made.now = job.request.submit;
  }
  const Instant last_submit = made.now;
  made.now = made.now + Nanoseconds{rng.between(0, 100'000'000'000)};
  made.real_starts.assign(stream.jobs.size(), Instant::max());
  SnapshotStore store(last_submit, made.now);
  TwinOptions options;
  options.policy = made.policy;
  options.store = &store;
  options.on_job = [&](const JobRecord& record, const TenantTree& /*tenants*/) -> Result<void> {
    made.real_starts[std::stoul(std::string(record.id))] = record.start;
    return {};
  };
  const Result<RunSummary> run = run_twin(made.fleet, stream, options);
  EXPECT_TRUE(run.has_value()) << run.error().message;
  made.snapshot = store.bytes;
  return made;
}

RunTimeModel model_of(std::vector<double> fractions) {
  RunTimeModel model;
  model.by_tenant = {std::move(fractions)};
  return model;
}

Forecast must_forecast(const Case& made, const RunTimeModel& model, const ForecastOptions& options = {}) {
  Result<Forecast> forecast =
      forecast_starts({made.fleet, made.policy, made.snapshot, made.now, model}, options);
  EXPECT_TRUE(forecast.has_value()) << forecast.error().message;
  return forecast ? std::move(*forecast) : Forecast();
}

TEST(Forecast, KnowsTheVeryStartsWhereJobsRunToTheirLimits) {
  const RunTimeModel model = model_of(std::vector<double>(RunTimeModel::kEnough, 1.0));
  std::size_t waited = 0;
  for (const PolicyName& policy : policy_names()) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
      SCOPED_TRACE(std::string(policy.name) + ", seed " + std::to_string(seed));
      const Case made = make_case(std::string(policy.name), seed, [](Rng& /*rng*/) { return 1.0; });
      ForecastOptions options;
      options.most_members =
          seed % 2 == 0 ? 3 : 12;  // P90 from the spread, and from the order of the members.
      for (const StartForecast& job : must_forecast(made, model, options).jobs()) {
        const Instant real = made.real_starts[job.job.value()];
        ASSERT_EQ(job.p50, real) << job.job.value();
        ASSERT_EQ(job.p90, real) << job.job.value();
        ASSERT_FALSE(job.p50_or_later || job.p90_or_later);
        ASSERT_EQ(job.reached, job.members);
        ++waited;
      }
    }
  }
  EXPECT_GT(waited, 2000U);
}

/// Fractions as a factory may have seen them: many early failures, some at the limit.
std::vector<double> some_fractions() {
  std::vector<double> fractions;
  for (int index = 1; index <= 20; ++index) fractions.push_back(0.05 * index);
  fractions.insert(fractions.end(), {0.01, 0.02, 0.02, 0.03, 1, 1, 1});
  return fractions;
}

/// The share of random waiting jobs, one from each of many factories, that have started by P50 and by P90.
struct Coverage {
  int jobs = 0;
  int half = 0;
  int most = 0;
};

Coverage coverage(const std::string& policy, std::uint64_t seeds, const CaseWish& wish,
                  std::uint32_t members) {
  const std::vector<double> fractions = some_fractions();
  const RunTimeModel model = model_of(fractions);
  Coverage coverage;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    const Case made =
        make_case(policy, seed, [&](Rng& rng) { return fractions[rng.below(fractions.size())]; }, wish);
    ForecastOptions options;
    options.most_members = members;
    options.seed = seed;
    const Forecast forecast = must_forecast(made, model, options);
    if (forecast.jobs().empty()) continue;
    const StartForecast& job = forecast.jobs()[Rng(seed).split("which").below(forecast.jobs().size())];
    const Instant real = made.real_starts[job.job.value()];
    ++coverage.jobs;
    coverage.half += real <= job.p50;
    coverage.most += real <= job.p90;
  }
  return coverage;
}

/// Factories are independent: four standard deviations of a share of so many.
void expect_covered(const Coverage& found) {
  ASSERT_GT(found.jobs, 60);
  const double jobs = found.jobs;
  EXPECT_NEAR(found.half / jobs, 0.5, 4 * 0.5 / std::sqrt(jobs));
  EXPECT_NEAR(found.most / jobs, 0.9, 4 * 0.3 / std::sqrt(jobs));
}

TEST(Forecast, HalfStartByP50AndNineOfTenByP90) { expect_covered(coverage("gigawerk", 220, {}, 20)); }

TEST(Forecast, CoversUnderOtherPoliciesToo) {
  for (const char* policy : {"easy", "conservative", "priority"}) {
    SCOPED_TRACE(policy);
    expect_covered(coverage(policy, 80, {}, 20));
  }
}

TEST(Forecast, FewMembersOfALongQueueStillCover) {
  CaseWish wish;
  wish.jobs = 400;
  wish.mean_gap_s = 1;
  expect_covered(coverage("gigawerk", 80, wish, 3));
}

TEST(Forecast, DoesNotDependOnThreads) {
  const Case made = make_case("gigawerk", 5, [](Rng& rng) { return rng.uniform(); });
  ForecastOptions options;
  options.most_members = 20;
  options.threads = 1;
  const Forecast alone = must_forecast(made, {}, options);
  ASSERT_GT(alone.jobs().size(), 5U);
  for (const unsigned threads : {2U, 8U}) {
    options.threads = threads;
    const Forecast together = must_forecast(made, {}, options);
    EXPECT_EQ(together.jobs(), alone.jobs()) << threads;
    EXPECT_EQ(together.events(), alone.events());
  }
  options.seed = 2;
  EXPECT_NE(must_forecast(made, {}, options).jobs(), alone.jobs());
}

TEST(Forecast, AskingForOneGivesWhatAskingForAllGives) {
  const Case made = make_case("gigawerk", 8, [](Rng& rng) { return rng.uniform(); });
  ForecastOptions options;
  options.most_members = 15;
  options.most_events = 100'000'000;
  const Forecast all = must_forecast(made, {}, options);
  ASSERT_GT(all.jobs().size(), 5U);
  for (const StartForecast& job : all.jobs()) {
    options.jobs = {job.job, JobId{100'000}, job.job};
    const Forecast one = must_forecast(made, {}, options);
    ASSERT_EQ(one.jobs().size(), 1U);
    EXPECT_EQ(one.jobs().front(), job);
    EXPECT_LE(one.events(), all.events());
    ASSERT_NE(all.find(job.job), nullptr);
    EXPECT_EQ(*all.find(job.job), job);
  }
  EXPECT_EQ(all.find(JobId{100'000}), nullptr);
}

TEST(Forecast, TellsOfOthersWhatAskingForAllTellsAsFarAsItWent) {
  const Case made = make_case("gigawerk", 8, [](Rng& rng) { return rng.uniform(); });
  ForecastOptions options;
  options.most_members = 15;
  options.most_events = 100'000'000;
  const Forecast all = must_forecast(made, {}, options);
  ASSERT_GT(all.jobs().size(), 5U);
  options.tell_others = true;
  std::size_t known = 0;
  std::size_t open = 0;
  for (const StartForecast& asked : all.jobs()) {
    options.jobs = {asked.job};
    const Forecast one = must_forecast(made, {}, options);
    ASSERT_EQ(one.jobs().size(), all.jobs().size());
    EXPECT_EQ(*one.find(asked.job), asked);
    for (const StartForecast& other : one.jobs()) {
      const StartForecast& whole = *all.find(other.job);
      ++(other.p90_or_later ? open : known);
      if (!other.p50_or_later) {
        EXPECT_EQ(other.p50, whole.p50);
      }
      if (!other.p90_or_later) {
        EXPECT_EQ(other.p90, whole.p90);
      }
      EXPECT_LE(other.reached, whole.reached);
    }
  }
  EXPECT_GT(known, 100U);
  EXPECT_GT(open, 100U);
}

TEST(Forecast, SpendsItsBudgetOnWholeMembers) {
  CaseWish wish;
  wish.jobs = 400;
  wish.mean_gap_s = 1;
  const Case made = make_case("gigawerk", 13, [](Rng& rng) { return rng.uniform(); }, wish);
  ForecastOptions options;
  options.most_members = 10;
  const Forecast ten = must_forecast(made, {}, options);
  ASSERT_GT(ten.jobs().size(), 200U);
  options.most_members = 100;
  options.most_events = ten.events() / 10 * 24;
  const Forecast forecast = must_forecast(made, {}, options);
  EXPECT_GE(forecast.members(), 20U);
  EXPECT_LE(forecast.members(), 25U);
  EXPECT_LE(forecast.events(), options.most_events);
  for (const StartForecast& job : forecast.jobs()) EXPECT_EQ(job.reached + job.stuck, job.members);
}

TEST(Forecast, MoreMembersMakeTheSameForecastSharper) {
  const Case made = make_case("easy", 3, [](Rng& rng) { return rng.uniform(); });
  ForecastOptions options;
  options.most_members = 30;
  const Forecast thirty = must_forecast(made, {}, options);
  options.most_members = 12;
  Forecast merged = must_forecast(made, {}, options);
  options.first_member = 12;
  options.most_members = 18;
  merged.merge(must_forecast(made, {}, options));
  EXPECT_EQ(merged.members(), 30U);
  EXPECT_EQ(merged.jobs(), thirty.jobs());
  EXPECT_EQ(merged.events(), thirty.events());
}

TEST(Forecast, KeepsToItsBudgetAndSaysWhatItDidNotReach) {
  CaseWish wish;
  wish.jobs = 300;
  const Case made = make_case("gigawerk", 11, [](Rng& rng) { return rng.uniform(); }, wish);
  ForecastOptions options;
  const Forecast whole = must_forecast(made, {}, options);
  const std::uint64_t member = whole.events() / whole.members();
  ASSERT_GT(whole.jobs().size(), 100U);
  bool reached_some = false;
  bool missed_some = false;
  for (const std::uint64_t budget : {std::uint64_t{1}, member / 2, member, 5 * member, 20 * member}) {
    options.most_events = budget;
    const Forecast forecast = must_forecast(made, {}, options);
    // A member may finish the pass in which it goes over.
    EXPECT_LE(forecast.events(), budget + forecast.members() * 100);
    EXPECT_GE(forecast.members(), ForecastOptions::kFewestMembers);
    for (const StartForecast& job : forecast.jobs()) {
      reached_some = reached_some || job.reached == job.members;
      if (job.reached > 0) continue;
      missed_some = true;
      EXPECT_TRUE(job.p50_or_later && job.p90_or_later);
      EXPECT_GE(job.p50, made.now);
      EXPECT_EQ(job.stuck, 0U);
    }
  }
  EXPECT_TRUE(reached_some && missed_some);
  EXPECT_EQ(whole.members(), 100U);
}

TEST(Forecast, LooksNoFurtherThanTheHorizon) {
  const Case made = make_case("easy", 4, [](Rng& rng) { return rng.uniform(); });
  ForecastOptions options;
  options.horizon = seconds(200);
  std::size_t beyond = 0;
  for (const StartForecast& job : must_forecast(made, {}, options).jobs()) {
    EXPECT_LE(job.p90, made.now + seconds(200));
    if (job.reached > 0) continue;
    ++beyond;
    EXPECT_EQ(job.p50, made.now + seconds(200));
    EXPECT_TRUE(job.p50_or_later);
  }
  EXPECT_GT(beyond, 0U);
}

/// Four nodes of eight GPUs; job 0 fills one of them for an hour at most.
struct Drained {
  Fleet fleet = flat_fleet(4, 8);
  PolicyConfig policy = *policy_by_name("gigawerk");
  sched::Core core{fleet, policy};
  Instant now;

  Drained() {
    core.apply(sched::Event::tenant_added(TenantId{0}, 1), now);
    submit(1, hours(1));
    core.plan(now);
  }
  void submit(std::uint32_t nodes, Nanoseconds limit) {
    JobRequest request;
    request.shape.nodes = nodes;
    request.shape.gpus = 8;
    request.tenant = TenantId{1};
    request.submit = now;
    request.limit = limit;
    core.apply(sched::Event::job_submitted(JobId{core.state().next_job}, request), now);
  }
  Forecast forecast(std::vector<TimedFact> facts = {}) {
    core.plan(now);
    Result<Forecast> forecast = forecast_starts(
        {fleet, policy, core.snapshot(), now, model_of(std::vector<double>(8, 1.0)), nullptr, facts}, {});
    EXPECT_TRUE(forecast.has_value());
    return std::move(*forecast);
  }
};

TEST(Forecast, AJobThatNoOpenNodesCouldHoldNeverStartsAsThingsAre) {
  Drained drained;
  for (const std::uint32_t node : {1U, 2U})
    drained.core.apply(sched::Event::node_closed(NodeId{node}), drained.now);
  drained.core.apply(sched::Event::node_down(NodeId{3}), drained.now);
  drained.submit(3, hours(2));
  drained.submit(1, hours(2));
  const Forecast forecast = drained.forecast();
  ASSERT_EQ(forecast.jobs().size(), 2U);
  const StartForecast& gang = forecast.jobs()[0];
  EXPECT_EQ(gang.p50, StartForecast::kNever);
  EXPECT_EQ(gang.p90, StartForecast::kNever);
  EXPECT_EQ(gang.stuck, gang.members);
  EXPECT_FALSE(gang.p50_or_later);
  EXPECT_EQ(forecast.jobs()[1].p50, drained.now + hours(1));
  EXPECT_LT(forecast.events(), 1000U);
}

TEST(Forecast, WithNothingRunningAllDependsOnTheNodes) {
  Drained drained;
  drained.core.apply(sched::Event::job_ended(JobId{0}), drained.now);
  for (std::uint32_t node = 0; node < 4; ++node)
    drained.core.apply(sched::Event::node_down(NodeId{node}), drained.now);
  drained.submit(1, hours(2));
  const Forecast forecast = drained.forecast();
  ASSERT_EQ(forecast.jobs().size(), 1U);
  EXPECT_EQ(forecast.jobs()[0].p50, StartForecast::kNever);
  EXPECT_EQ(forecast.jobs()[0].stuck, forecast.jobs()[0].members);
}

/// Nothing but the calendar lets the job of a window start, and what has begun to wait by then.
TEST(Forecast, AJobOfAWindowStartsWhenThatBegins) {
  Drained drained;
  drained.core.apply(sched::Event::job_ended(JobId{0}), drained.now);
  WindowTerms terms;
  terms.tenant = TenantId{1};
  terms.from = drained.now + hours(5);
  terms.length = hours(3);
  terms.every = hours(24);
  terms.nodes = {{NodeId{0}, 4}};
  drained.core.apply(sched::Event::window_added(WindowId{1}, terms), drained.now);
  JobRequest request;
  request.shape.nodes = 4;
  request.shape.gpus = 8;
  request.tenant = TenantId{1};
  request.window = WindowId{1};
  request.limit = hours(2);
  drained.core.apply(sched::Event::job_submitted(JobId{1}, request), drained.now);
  const StartForecast job = drained.forecast().jobs().at(0);
  EXPECT_EQ(job.p50, terms.from);
  EXPECT_EQ(job.p90, terms.from);
  EXPECT_EQ(job.stuck, 0U);

  // One that no time of the window could hold waits for nodes, however often the window comes again.
  drained.core.apply(sched::Event::job_cancelled(JobId{1}), drained.now);
  drained.core.apply(sched::Event::node_down(NodeId{3}), drained.now);
  drained.submit(4, hours(2));
  const Forecast forecast = drained.forecast();
  EXPECT_EQ(forecast.jobs().at(0).p50, StartForecast::kNever);
  EXPECT_LT(forecast.events(), 1'000'000U);
}

TEST(Forecast, ABudgetThatIsSpentHoldsUntilMoneyIsThereAgain) {
  Drained drained;
  drained.core.apply(sched::Event::job_ended(JobId{0}), drained.now);
  drained.core.apply(sched::Event::tenant_budget(TenantId{1}, BudgetState::kStopNew), drained.now);
  drained.submit(1, hours(2));
  EXPECT_EQ(drained.forecast().jobs().at(0).p50, StartForecast::kNever);
  const Instant opens = drained.now + hours(80);
  EXPECT_EQ(drained.forecast({{opens, sched::Event::tenant_budget(TenantId{1}, BudgetState::kOpen)}})
                .jobs()
                .at(0)
                .p50,
            opens);
}

TEST(Forecast, WhatRunsPastItsLimitIsTakenToEndNow) {
  Drained drained;
  drained.submit(4, hours(2));
  drained.core.plan(drained.now);
  drained.now = drained.now + hours(3);
  const Forecast forecast = drained.forecast();
  ASSERT_EQ(forecast.jobs().size(), 1U);
  EXPECT_EQ(forecast.jobs()[0].p50, drained.now);
}

TEST(Forecast, RefusesTheSnapshotOfAnotherFleet) {
  const Drained drained;
  const Fleet other = flat_fleet(3, 8);
  Result<Forecast> forecast = forecast_starts({other, drained.policy, "no snapshot", Instant{}, {}}, {});
  ASSERT_FALSE(forecast.has_value());
  EXPECT_NE(forecast.error().message.find("snapshot"), std::string::npos);
}

}  // namespace
}  // namespace gw::twin
