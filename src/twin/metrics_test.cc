// The collector's figures against small runs worked out by hand and against a plain recount of random ones.
#include "twin/metrics.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "base/rng.h"
#include "twin/metrics_fake_run.h"

namespace gw::twin {
namespace {

Instant at_s(std::int64_t second) { return Instant{} + seconds(second); }

JobRecord record(const JobFacts& facts, std::int64_t submit_s, std::int64_t start_s, std::int64_t end_s) {
  JobRecord job;
  job.id = "1";
  job.tenant = facts.tenant;
  job.job_class = facts.job_class;
  job.gpu_milli = facts.gpu_milli;
  job.submit = at_s(submit_s);
  job.start = at_s(start_s);
  job.end = at_s(end_s);
  return job;
}

TEST(Metrics, SizeClassesAreInGpus) {
  EXPECT_EQ(kSizeClassNames[size_class_of(0)], "none");
  EXPECT_EQ(kSizeClassNames[size_class_of(999)], "<1");
  EXPECT_EQ(kSizeClassNames[size_class_of(1000)], "1");
  EXPECT_EQ(kSizeClassNames[size_class_of(2000)], "2-4");
  EXPECT_EQ(kSizeClassNames[size_class_of(8000)], "5-8");
  EXPECT_EQ(kSizeClassNames[size_class_of(9000)], "9-64");
  EXPECT_EQ(kSizeClassNames[size_class_of(512'000)], "65-512");
  EXPECT_EQ(kSizeClassNames[size_class_of(513'000)], "513+");
}

/// Two GPUs. A takes both from 100 s to 200 s; B (1 GPU) is submitted at 150 s and runs from 200 s to 260 s.
TEST(Metrics, TwoJobsByHand) {
  TenantTree tree;
  const TenantId a = tree.add(TenantTree::root(), "a");
  const TenantId b = tree.add(TenantTree::root(), "b");
  MetricsCollector metrics(tree);
  const JobFacts first{a, 2000, 0};
  const JobFacts second{b, 1000, 0};
  metrics.advance(at_s(0), {.total_gpu_milli = 2000});  // Before the first submit: not measured.
  metrics.submitted(at_s(100), first);
  metrics.started(at_s(100), first, at_s(100), 0);
  metrics.advance(at_s(100), {.total_gpu_milli = 2000, .allocated_gpu_milli = 2000, .running_jobs = 1});
  metrics.submitted(at_s(150), second);
  metrics.advance(at_s(150), {.total_gpu_milli = 2000,
                              .allocated_gpu_milli = 2000,
                              .running_jobs = 1,
                              .pending_jobs = 1,
                              .pending_gpu_milli = 1000,
                              .head_gpu_milli = 1000});
  metrics.finished(record(first, 100, 100, 200));
  metrics.started(at_s(200), second, at_s(150), 3);
  metrics.advance(at_s(200), {.total_gpu_milli = 2000, .allocated_gpu_milli = 1000, .running_jobs = 1});
  metrics.finished(record(second, 150, 200, 260));
  metrics.advance(at_s(260), {.total_gpu_milli = 2000});
  metrics.advance(at_s(9999), {.total_gpu_milli = 2000, .down_gpu_milli = 1000});  // After the last end.

  RunLabels labels;
  labels.wait_reasons = {"-", "r1", "r2", "capacity"};
  const RunSummary summary = metrics.summarize(labels);
  EXPECT_EQ(summary.jobs.submitted, 2U);
  EXPECT_EQ(summary.jobs.started, 2U);
  EXPECT_EQ(summary.jobs.completed, 2U);
  EXPECT_DOUBLE_EQ(summary.makespan_s, 160);
  EXPECT_DOUBLE_EQ(summary.utilization, (2.0 * 100 + 60) / (2.0 * 160));
  EXPECT_DOUBLE_EQ(summary.last_submit_s, 150);
  EXPECT_DOUBLE_EQ(summary.utilization_until_last_submit, 1.0);
  EXPECT_DOUBLE_EQ(summary.offered_load, (2.0 * 100 + 60) / (2.0 * 50));
  EXPECT_DOUBLE_EQ(summary.gpu_hours.down, 0);
  EXPECT_DOUBLE_EQ(summary.wait_s.mean, 25);
  EXPECT_DOUBLE_EQ(summary.wait_s.p50, 0);
  EXPECT_DOUBLE_EQ(summary.wait_s.p90, 50);
  EXPECT_DOUBLE_EQ(summary.wait_s.max, 50);
  EXPECT_DOUBLE_EQ(summary.slowdown.max, 1.833333);
  EXPECT_DOUBLE_EQ(summary.queue.pending_jobs_mean, 50.0 / 160);
  EXPECT_DOUBLE_EQ(summary.queue.pending_jobs_max, 1);
  EXPECT_DOUBLE_EQ(summary.fragmentation.head_wait_share, 50.0 / 160);
  EXPECT_DOUBLE_EQ(summary.fragmentation.unusable_gpus_mean, 0);
  ASSERT_EQ(summary.reasons.size(), 1U);
  EXPECT_EQ(summary.reasons[0].name, "capacity");
  EXPECT_DOUBLE_EQ(summary.reasons[0].wait_hours, 50.0 / 3600);
  ASSERT_EQ(summary.tenants.size(), 2U);
  EXPECT_EQ(summary.tenants[0].path, "a");
  EXPECT_DOUBLE_EQ(summary.tenants[0].gpu_hours, 200.0 / 3600);
  // One window, 260 GPU-s delivered: a wanted 200, b 110 (50 waiting, 60 running); equal weights entitle b to
  // all it wanted and a to the other 150.
  EXPECT_NEAR(summary.tenants[0].entitled_gpu_hours, 150.0 / 3600, 1e-12);
  EXPECT_NEAR(summary.tenants[1].entitled_gpu_hours, 110.0 / 3600, 1e-12);
  EXPECT_NEAR(summary.fair_share.misallocated_share, 50.0 / 260, 1e-12);
  EXPECT_EQ(summary.series.bins(), 160U);
  EXPECT_DOUBLE_EQ(summary.series.allocated_gpus.front(), 2);
  EXPECT_DOUBLE_EQ(summary.series.allocated_gpus.back(), 1);
  EXPECT_DOUBLE_EQ(summary.series.finished.back(), 1);
}

TEST(Metrics, LostWorkIsAllocatedButNotUseful) {
  TenantTree tree;
  MetricsCollector metrics(tree);
  const JobFacts job{TenantTree::root(), 8000, 0};
  const ClusterSample busy{.total_gpu_milli = 8000, .allocated_gpu_milli = 8000, .running_jobs = 1};
  metrics.submitted(at_s(0), job);
  metrics.started(at_s(0), job, at_s(0), 0);
  metrics.advance(at_s(0), busy);
  metrics.stopped(at_s(100), job, seconds(40));
  metrics.node_failed(at_s(100));
  metrics.advance(at_s(100), {.total_gpu_milli = 8000,
                              .down_gpu_milli = 8000,
                              .pending_jobs = 1,
                              .pending_gpu_milli = 8000,
                              .head_gpu_milli = 8000});
  metrics.resumed(at_s(150), job);
  metrics.advance(at_s(150), busy);
  JobRecord done = record(job, 0, 0, 250);
  done.restarts = 1;
  done.held = seconds(200);
  done.lost = seconds(40);
  metrics.finished(done);
  metrics.advance(at_s(250), {.total_gpu_milli = 8000});
  const RunSummary summary = metrics.summarize({});
  EXPECT_DOUBLE_EQ(summary.utilization, 200.0 / 250);
  EXPECT_DOUBLE_EQ(summary.utilization_until_last_submit, 200.0 / 250);  // All came at once.
  EXPECT_DOUBLE_EQ(summary.useful_utilization, 160.0 / 250);
  EXPECT_DOUBLE_EQ(summary.gpu_hours.lost, 8 * 40.0 / 3600);
  EXPECT_DOUBLE_EQ(summary.gpu_hours.down, 8 * 50.0 / 3600);
  EXPECT_DOUBLE_EQ(summary.slowdown.mean, 1.5625);  // 250 s for 160 s of work.
  EXPECT_EQ(summary.failures.node_failures, 1U);
  EXPECT_EQ(summary.jobs.restarts, 1U);
  EXPECT_EQ(summary.jobs.restarted_jobs, 1U);
  EXPECT_DOUBLE_EQ(summary.series.useful_gpus[59], 8);
  EXPECT_DOUBLE_EQ(summary.series.useful_gpus[60], 0);
  EXPECT_DOUBLE_EQ(summary.series.allocated_gpus[60], 8);
}

TEST(Metrics, IdleGapsCountAndTheTailDoesNot) {
  TenantTree tree;
  MetricsCollector metrics(tree);
  const JobFacts job{TenantTree::root(), 1000, 0};
  for (const std::int64_t begin : {0, 1000}) {
    metrics.submitted(at_s(begin), job);
    metrics.started(at_s(begin), job, at_s(begin), 0);
    metrics.advance(at_s(begin), {.total_gpu_milli = 1000, .allocated_gpu_milli = 1000, .running_jobs = 1});
    metrics.finished(record(job, begin, begin, begin + 100));
    metrics.advance(at_s(begin + 100), {.total_gpu_milli = 1000});
    metrics.advance(at_s(begin + 200), {.total_gpu_milli = 1000, .down_gpu_milli = 1000});
    metrics.advance(at_s(begin + 300), {.total_gpu_milli = 1000});
  }
  const RunSummary summary = metrics.summarize({});
  EXPECT_DOUBLE_EQ(summary.makespan_s, 1100);
  EXPECT_DOUBLE_EQ(summary.gpu_hours.existing, 1100.0 / 3600);
  EXPECT_DOUBLE_EQ(summary.gpu_hours.down, 100.0 / 3600);
  EXPECT_DOUBLE_EQ(summary.utilization, 200.0 / 1100);
}

TEST(Metrics, AnEmptyRunHasZeroes) {
  TenantTree tree;
  MetricsCollector metrics(tree);
  metrics.advance(at_s(5), {.total_gpu_milli = 1000});
  const RunSummary summary = metrics.summarize({});
  EXPECT_EQ(summary.jobs.submitted, 0U);
  EXPECT_EQ(summary.utilization, 0);
  EXPECT_EQ(summary.series.bins(), 0U);
  EXPECT_TRUE(summary.tenants.empty());
}

TEST(FairShare, WaterFillIsMaxMinFair) {
  const std::vector<double> share =
      water_fill(12, std::vector<double>{2, 8, 10, 0}, std::vector<double>{1, 1, 2, 9});
  EXPECT_DOUBLE_EQ(share[0], 2);
  EXPECT_NEAR(share[1], 10.0 / 3, 1e-12);
  EXPECT_NEAR(share[2], 20.0 / 3, 1e-12);
  EXPECT_DOUBLE_EQ(share[3], 0);
  rc::check("water_fill uses the capacity, respects demand and is max-min fair", [] {
    Rng rng(*rc::gen::arbitrary<std::uint64_t>());
    std::vector<double> demand, weight;
    for (std::int64_t left = rng.between(1, 12); left > 0; --left) {
      demand.push_back(static_cast<double>(rng.between(0, 50)));
      weight.push_back(static_cast<double>(rng.between(1, 9)));
    }
    const double wanted = std::accumulate(demand.begin(), demand.end(), 0.0);
    const double capacity = rng.uniform() * 1.2 * wanted;
    const std::vector<double> got = water_fill(capacity, demand, weight);
    RC_ASSERT(std::abs(std::accumulate(got.begin(), got.end(), 0.0) - std::min(capacity, wanted)) < 1e-6);
    double level = 0;  // Nobody gets more for its weight than one who still wants more.
    for (std::size_t i = 0; i < got.size(); ++i) level = std::max(level, got[i] / weight[i]);
    for (std::size_t i = 0; i < got.size(); ++i) {
      RC_ASSERT(got[i] <= demand[i] + 1e-9);
      if (got[i] < demand[i] - 1e-9) RC_ASSERT(got[i] / weight[i] > level - 1e-6);
    }
  });
}

TEST(FairShare, WindowsPassWhateverTheGaps) {
  FairShareMeter meter(seconds(10));
  const std::uint32_t a = meter.add_tenant(1);
  const std::uint32_t b = meter.add_tenant(1);
  meter.change(at_s(0), a, 0, 1000);  // a runs alone for 35 s; b waits from 5 s on.
  meter.change(at_s(5), b, 1000, 0);
  meter.change(at_s(35), a, 0, -1000);
  meter.change(at_s(35), b, -1000, 1000);
  meter.change(at_s(40), b, 0, -1000);
  meter.change(at_s(1005), b, 0, 1000);  // After many empty windows.
  meter.close(at_s(1007));
  EXPECT_EQ(meter.windows(), 5U);
  EXPECT_DOUBLE_EQ(meter.delivered(a), 35e12);
  EXPECT_DOUBLE_EQ(meter.delivered(b), 7e12);
  // a: 5 of the first 10 s (b wanted 5), 5, 5, then 5 (its demand) of the fourth window.
  EXPECT_DOUBLE_EQ(meter.entitled(a), 20e12);
  EXPECT_DOUBLE_EQ(meter.entitled(b), 22e12);
  EXPECT_DOUBLE_EQ(meter.misallocated_share(), 15.0 / 42);
}

/// The same figures by a plain recount over the records of a random run.
TEST(Metrics, AgreesWithARecountOfRandomRuns) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    FakeRun fake({.seed = seed, .jobs = 800, .nodes = 16, .failures = seed % 2 == 0});
    MetricsCollector metrics(fake.tenants(), hours(6));
    std::vector<FakeRun::Row> rows = fake.play(metrics);
    const RunSummary summary = metrics.summarize(fake.labels());
    ASSERT_EQ(rows.size(), 800U);
    double wait = 0, gpu_time = 0, lost = 0;
    std::vector<std::int64_t> waits;
    Instant first = Instant::max(), last;
    for (const FakeRun::Row& row : rows) {
      waits.push_back(row.job.wait().count());
      wait += to_seconds(row.job.wait());
      gpu_time += to_seconds(row.job.time_held()) * static_cast<double>(row.job.gpu_milli) / 1000;
      lost += to_seconds(row.job.lost) * static_cast<double>(row.job.gpu_milli) / 1000;
      first = std::min(first, row.job.submit);
      last = std::max(last, row.job.end);
    }
    std::sort(waits.begin(), waits.end());
    EXPECT_NEAR(summary.wait_s.mean, wait / 800, 1e-6 * (1 + wait)) << seed;
    EXPECT_DOUBLE_EQ(summary.wait_s.p90, static_cast<double>(waits[719]) / 1e9) << seed;
    EXPECT_DOUBLE_EQ(summary.makespan_s, to_seconds(last - first)) << seed;
    const double existing = to_seconds(last - first) * 16 * 8;
    EXPECT_NEAR(summary.utilization, gpu_time / existing, 1e-9) << seed;
    EXPECT_NEAR(summary.gpu_hours.lost * 3600, lost, 1e-6 * (1 + lost)) << seed;
    double by_tenant = 0;
    for (const TenantSummary& tenant : summary.tenants) by_tenant += tenant.depth == 1 ? tenant.gpu_hours : 0;
    EXPECT_NEAR(by_tenant, summary.gpu_hours.allocated, 1e-9 * by_tenant) << seed;
    double entitled = 0;
    for (const TenantSummary& tenant : summary.tenants) entitled += tenant.entitled_gpu_hours;
    EXPECT_NEAR(entitled, summary.gpu_hours.allocated, 1e-9 * by_tenant) << seed;
    double in_series = 0, started = 0;
    for (std::size_t bin = 0; bin < summary.series.bins(); ++bin) {
      const double width =
          std::min(summary.series.width_s, summary.last_end_s - summary.series.begin_s -
                                               summary.series.width_s * static_cast<double>(bin));
      in_series += summary.series.allocated_gpus[bin] * width;
      started += summary.series.started[bin];
    }
    EXPECT_NEAR(in_series, gpu_time, 1e-6 * gpu_time) << seed;
    EXPECT_EQ(started, 800) << seed;
    EXPECT_GT(summary.fair_share.windows, 0U) << seed;
  }
}

}  // namespace
}  // namespace gw::twin
