// What the bench of forecasts may know, what it must say, and that its answers are calibrated.
#include "twin/eta_bench.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/rng.h"
#include "twin/eta_score.h"
#include "twin/twin.h"
#include "workload/list_stream.h"

namespace gw::twin {
namespace {

constexpr std::uint32_t kProcessors = 64;

/// A few tenants of different habits keep a machine of kProcessors about full; bursts and quiet hours.
std::vector<TraceJob> busy_days(std::uint64_t seed, std::size_t count, TenantTree& tenants) {
  Rng rng = Rng(seed).split("eta-bench");
  std::vector<TenantId> users;
  for (const char* name : {"short", "padded", "exact", "mixed"})
    users.push_back(tenants.add(TenantTree::root(), name));
  std::vector<TraceJob> jobs;
  double at = 0;
  while (jobs.size() < count) {
    const double hour = std::fmod(at / 3600, 24);
    at += rng.exponential(hour > 8 && hour < 20 ? 1200 : 3600);
    const std::size_t who = rng.below(users.size());
    const std::size_t burst = rng.chance(0.2) ? 4 : 1;
    static constexpr std::uint32_t kSizes[] = {1, 2, 4, 8, 16, 32};
    const std::uint32_t size = kSizes[rng.below(std::size(kSizes))];
    const std::int64_t limit_s = 1800 * rng.between(1, 12);
    for (std::size_t each = 0; each < burst; ++each) {
      TraceJob job;
      job.id = std::to_string(jobs.size());
      job.request.tenant = users[who];
      job.request.shape.nodes = 0;
      job.request.shape.gpus = size;
      job.request.submit = Instant{} + seconds(static_cast<std::int64_t>(at));
      job.request.limit = seconds(limit_s);
      const double used[] = {0.1 * rng.uniform() + 0.01, 0.3 + 0.2 * rng.uniform(), 1, rng.uniform()};
      job.truth.run_time =
          seconds(std::max<std::int64_t>(1, std::llround(used[who] * static_cast<double>(limit_s))));
      jobs.push_back(job);
    }
  }
  return jobs;
}

struct Asked {
  std::vector<EtaSample> samples;
  EtaCounts counts;
};

Asked ask(const std::vector<TraceJob>& jobs, const TenantTree& tenants, const char* policy,
          const EtaBenchOptions& options) {
  const Fleet fleet = flat_fleet(kProcessors);
  TwinOptions run;
  run.policy = *policy_by_name(policy);
  EtaBench bench(fleet, run.policy, options);
  run.store = &bench;
  workload::ListStream stream(jobs, tenants);
  const Result<RunSummary> done = run_twin(fleet, stream, run);
  EXPECT_TRUE(done.has_value());
  return {bench.samples(), bench.counts()};
}

EtaBenchOptions options_for(const std::vector<TraceJob>& jobs, const TenantTree& tenants, const char* policy,
                            std::uint64_t samples) {
  EtaBenchOptions options;
  options.waiting = ask(jobs, tenants, policy, {}).counts.waiting;
  options.samples = samples;
  options.forecast.most_members = 30;
  return options;
}

TEST(EtaBench, CountsEveryJobAndAsksForAsManyAsAreWanted) {
  TenantTree tenants;
  const std::vector<TraceJob> jobs = busy_days(1, 600, tenants);
  const EtaBenchOptions options = options_for(jobs, tenants, "easy", 50);
  const Asked asked = ask(jobs, tenants, "easy", options);
  EXPECT_EQ(asked.counts.submitted, jobs.size());
  EXPECT_EQ(asked.counts.at_once + asked.counts.waiting, jobs.size());
  EXPECT_GT(asked.counts.waiting, 100U);
  ASSERT_EQ(asked.samples.size(), 50U);
  for (const EtaSample& sample : asked.samples) {
    EXPECT_GT(sample.started, sample.asked);
    EXPECT_LT(sample.started, Instant::max());
    EXPECT_EQ(sample.asked, jobs[sample.job.value()].request.submit);
    EXPECT_LE(sample.told.p50, sample.told.p90);
    EXPECT_GE(sample.waiting, 1U);
  }
}

TEST(EtaBench, OneInEachSpan) {
  TenantTree tenants;
  const std::vector<TraceJob> jobs = busy_days(1, 300, tenants);
  EtaBenchOptions options;
  options.every = hours(6);
  options.forecast.most_members = 5;
  const Asked asked = ask(jobs, tenants, "easy", options);
  ASSERT_GT(asked.samples.size(), 3U);
  for (std::size_t at = 1; at < asked.samples.size(); ++at) {
    if (asked.samples[at].asked != asked.samples[at - 1].asked) {
      EXPECT_GE(asked.samples[at].asked - asked.samples[at - 1].asked, hours(6));
    }
  }
}

/// The truth of jobs that have not ended may not show: all that will run on after an instant is made to run
/// twice as long or as short, and all that arrives later to be other jobs. What was said until then must not
/// change by a nanosecond.
TEST(EtaBench, WhatHasNotHappenedYetChangesNoForecast) {
  for (const char* policy : {"easy", "gigawerk"}) {
    SCOPED_TRACE(policy);
    TenantTree tenants;
    const std::vector<TraceJob> jobs = busy_days(2, 500, tenants);
    EtaBenchOptions options = options_for(jobs, tenants, policy, 60);
    const Asked known = ask(jobs, tenants, policy, options);
    ASSERT_EQ(known.samples.size(), 60U);
    const Instant split = known.samples[30].asked;

    std::vector<Instant> ends(jobs.size(), Instant::max());
    const Fleet fleet = flat_fleet(kProcessors);
    TwinOptions run;
    run.policy = *policy_by_name(policy);
    run.on_job = [&](const JobRecord& record, const TenantTree& /*tree*/) -> Result<void> {
      ends[std::stoul(std::string(record.id))] = record.end;
      return {};
    };
    workload::ListStream stream(jobs, tenants);
    ASSERT_TRUE(run_twin(fleet, stream, run).has_value());

    std::vector<TraceJob> other = jobs;
    std::size_t changed = 0;
    Rng rng(7);
    for (std::size_t at = 0; at < other.size(); ++at) {
      if (ends[at] <= split) continue;
      ++changed;
      // Jobs that run at the split must still not have ended by then.
      const Nanoseconds lasted = std::max(split - other[at].request.submit, Nanoseconds{0});
      other[at].truth.run_time =
          lasted + Nanoseconds{1} + Nanoseconds{rng.between(0, 2 * jobs[at].truth.run_time.count())};
      if (other[at].request.submit > split) other[at].request.limit = hours(3);
    }
    ASSERT_GT(changed, 100U);
    const Asked again = ask(other, tenants, policy, options);
    std::size_t same = 0;
    for (const EtaSample& before : known.samples) {
      if (before.asked > split) break;
      ASSERT_LT(same, again.samples.size());
      const EtaSample& after = again.samples[same++];
      ASSERT_EQ(after.job, before.job);
      EXPECT_EQ(after.raw, before.raw);
      EXPECT_EQ(after.told, before.told);
      EXPECT_EQ(after.by_limits, before.by_limits);
    }
    EXPECT_GE(same, 31U);
    // The test can fail: later answers do differ.
    bool differs = false;
    for (std::size_t at = same; at < std::min(known.samples.size(), again.samples.size()); ++at)
      differs = differs || again.samples[at].raw != known.samples[at].raw;
    EXPECT_TRUE(differs);
  }
}

TEST(EtaBench, EqualForAnyNumberOfThreads) {
  TenantTree tenants;
  const std::vector<TraceJob> jobs = busy_days(3, 400, tenants);
  EtaBenchOptions options = options_for(jobs, tenants, "gigawerk", 25);
  options.forecast.threads = 1;
  const Asked alone = ask(jobs, tenants, "gigawerk", options);
  options.forecast.threads = 5;
  const Asked together = ask(jobs, tenants, "gigawerk", options);
  ASSERT_EQ(alone.samples.size(), 25U);
  ASSERT_EQ(together.samples.size(), 25U);
  EXPECT_EQ(alone.counts, together.counts);
  for (std::size_t at = 0; at < alone.samples.size(); ++at) {
    EXPECT_EQ(alone.samples[at].raw, together.samples[at].raw);
    EXPECT_EQ(alone.samples[at].told, together.samples[at].told);
  }
}

/// Of a synthetic factory of known habits: the shares said come, and users' limits alone say less.
TEST(EtaBench, IsCalibratedAndBetterThanLimits) {
  for (const char* policy : {"easy", "gigawerk"}) {
    SCOPED_TRACE(policy);
    TenantTree tenants;
    const std::vector<TraceJob> jobs = busy_days(4, 2500, tenants);
    const EtaScore score =
        score_of(ask(jobs, tenants, policy, options_for(jobs, tenants, policy, 400)).samples, "");
    ASSERT_EQ(score.samples, 400U);
    EXPECT_NEAR(score.p50.share, 0.5, 0.06);
    EXPECT_NEAR(score.p90.share, 0.9, 0.04);
    EXPECT_LT(score.error_ratio, 0.75);
    EXPECT_GT(score.by_limits.bias_s, 0);  // Limits are seldom used up.
  }
}

TEST(EtaScore, IntervalsAreWilsons) {
  const Coverage half = coverage_of(50, 100);
  EXPECT_DOUBLE_EQ(half.share, 0.5);
  EXPECT_NEAR(half.low, 0.4038, 1e-4);
  EXPECT_NEAR(half.high, 0.5962, 1e-4);
  EXPECT_EQ(coverage_of(0, 20).low, 0);
  EXPECT_NEAR(coverage_of(0, 20).high, 0.1611, 1e-4);
}

TEST(EtaScore, ByHand) {
  const auto sample = [](std::int64_t p50, std::int64_t p90, std::int64_t limits, std::int64_t start) {
    EtaSample made;
    const auto at = [](std::int64_t when) { return Instant{} + seconds(when); };
    made.told.p50 = made.raw.p50 = at(p50);
    made.told.p90 = made.raw.p90 = at(p90);
    made.by_limits = at(limits);
    made.started = at(start);
    return made;
  };
  std::vector<EtaSample> samples = {sample(10, 20, 40, 10), sample(10, 20, 40, 15), sample(10, 20, 40, 30)};
  samples.push_back(sample(1, 1, 1, 1));
  samples.back().started = Instant::max();  // Not yet: it does not count.
  const EtaScore score = score_of(samples, "three");
  EXPECT_EQ(score.samples, 3U);
  EXPECT_EQ(score.p50.hits, 1U);
  EXPECT_EQ(score.p90.hits, 2U);
  EXPECT_DOUBLE_EQ(score.error.median_absolute_s, 5);
  EXPECT_NEAR(score.error.bias_s, -25.0 / 3, 1e-9);
  EXPECT_DOUBLE_EQ(score.by_limits.median_absolute_s, 25);
  EXPECT_DOUBLE_EQ(score.error_ratio, 0.2);
  EXPECT_DOUBLE_EQ(score.median_spread_s, 10);
}

}  // namespace
}  // namespace gw::twin
