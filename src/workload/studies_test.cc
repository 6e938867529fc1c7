// Tests of the studies' figures, of measuring a stream, and of setting both side by side.
#include "workload/studies.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "base/rng.h"
#include "workload/list_stream.h"
#include "workload/trace.h"

namespace gw::workload {
namespace {

TraceJob job_of(std::int64_t submit_s, std::uint32_t gpus, std::int64_t run_s, std::int64_t limit_s,
                JobOutcome outcome = JobOutcome::kCompleted) {
  TraceJob job;
  job.request.shape = {.nodes = 1, .gpus = gpus};
  job.request.tenant = TenantId{1};
  job.request.submit = Instant{} + seconds(submit_s);
  job.request.limit = seconds(limit_s);
  job.truth = {seconds(run_s), outcome};
  return job;
}

TEST(TimeHistogram, IsExactAtPowersOfTwo) {
  TimeHistogram histogram;
  for (const double value : {0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 8.0, 1024.0, 1025.0, 1048576.0})
    histogram.add(value);
  EXPECT_NEAR(histogram.share_below(1), 0.2, 1e-6);
  EXPECT_NEAR(histogram.share_below(2), 0.3, 1e-6);
  EXPECT_NEAR(histogram.share_below(4), 0.5, 1e-6);
  EXPECT_NEAR(histogram.share_below(1024), 0.8, 1e-6);
  EXPECT_NEAR(histogram.share_below(1048576), 1.0, 1e-6);
  EXPECT_NEAR(histogram.quantile(0.75), 1024, 30);
  EXPECT_EQ(TimeHistogram{}.quantile(0.5), 0);
}

TEST(TimeHistogram, QuantilesAreWithinTwoPercent) {
  TimeHistogram histogram;
  Rng rng(3);
  std::vector<double> values;
  for (int draw = 0; draw < 20'000; ++draw) {
    values.push_back(1 + rng.lognormal(6, 2));
    histogram.add(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double u : {0.01, 0.1, 0.5, 0.9, 0.99}) {
    const double exact = values[static_cast<std::size_t>(u * static_cast<double>(values.size()))];
    EXPECT_NEAR(histogram.quantile(u) / exact, 1, 0.022) << u;
  }
}

TEST(Marginals, CountsEachJobOnceInEveryWay) {
  ListStream stream({job_of(0, 1, 100, 1000), job_of(0, 8, 50, 50, JobOutcome::kTimeout),
                     job_of(3600, 2, 200, 900, JobOutcome::kFailed), job_of(90'000, 1, 0, 900)});
  const Marginals m = measure(stream, {.start_weekday = 6, .start_hour = 23}).value();
  EXPECT_EQ(m.all.jobs, 4);
  EXPECT_EQ(m.all.gpu_seconds, 100 + 400 + 400);
  EXPECT_DOUBLE_EQ(m.jobs_up_to(1), 0.5);
  EXPECT_DOUBLE_EQ(m.jobs_up_to(2), 0.75);
  EXPECT_DOUBLE_EQ(m.gpu_time_up_to(2), 500.0 / 900);
  EXPECT_EQ(m.outcomes[static_cast<std::size_t>(JobOutcome::kTimeout)].gpu_seconds, 400);
  EXPECT_EQ(m.hour[23], 2);  // Sunday 23:00
  EXPECT_EQ(m.hour[0], 2);   // Monday 00:00 and Tuesday 00:00
  EXPECT_EQ(m.weekday[6], 2);
  EXPECT_EQ(m.weekday[0], 1);
  EXPECT_EQ(m.weekday[1], 1);
  EXPECT_EQ(m.accuracy[19], 1);
  EXPECT_EQ(m.accuracy[2], 1);
  EXPECT_EQ(m.submitted_with_another, 1);
  EXPECT_DOUBLE_EQ(m.most_used_limits(1), 0.5);
  EXPECT_DOUBLE_EQ(m.offered_gpus(), 900.0 / 90'000);
}

TEST(Studies, FiguresAreDistributions) {
  ASSERT_EQ(studies().size(), 5U);
  for (const Study& study : studies()) {
    double last = 0;
    for (const Study::RunTimePoint& point : study.run_time) {
      EXPECT_GE(point.share, last) << study.name << " at " << point.run_s;
      last = point.share;
    }
    EXPECT_GT(last, 0.99) << study.name;
    double jobs = 0;
    double gpu_time = 0;
    for (const Study::SizePoint& point : study.sizes) {
      EXPECT_GE(point.jobs, jobs) << study.name << " at " << point.gpus;
      EXPECT_GE(point.gpu_time, gpu_time) << study.name << " at " << point.gpus;
      jobs = point.jobs;
      gpu_time = point.gpu_time;
    }
    EXPECT_NEAR(jobs, 1, 1e-9) << study.name;
    EXPECT_NEAR(gpu_time, 1, 1e-9) << study.name;
    for (const Study::Outcomes& outcomes : {study.outcome_jobs, study.outcome_gpu_time}) {
      if (!outcomes.published()) continue;
      EXPECT_NEAR(outcomes.completed + outcomes.cancelled + outcomes.failed, 1, 0.002) << study.name;
    }
    EXPECT_FALSE(study.source.empty());
    // The median lies where the published distribution says.
    for (std::size_t point = 1; point < study.run_time.size(); ++point) {
      if (study.run_time[point - 1].share >= 0.5 || study.run_time[point].share < 0.5) continue;
      EXPECT_GT(study.median_run_s, 0.95 * study.run_time[point - 1].run_s) << study.name;
      EXPECT_LT(study.median_run_s, 1.05 * study.run_time[point].run_s) << study.name;
    }
  }
  EXPECT_NE(find_study("helios"), nullptr);
  EXPECT_EQ(find_study("nowhere"), nullptr);
}

TEST(Studies, ComparisonSeesADifference) {
  const Study& study = *find_study("philly");
  std::vector<TraceJob> jobs;
  for (int job = 0; job < 1000; ++job) jobs.push_back(job_of(job, 1, 60, 600));
  ListStream stream(std::move(jobs));
  const std::vector<Comparison> all = compare(study, measure(stream).value());
  ASSERT_GT(all.size(), 12U);
  EXPECT_EQ(all[0].what, "run time, KS distance");
  EXPECT_NEAR(all[0].error, 1 - 0.1888, 0.05);  // All run 60 s; Philly has 18.9 % up to 64 s.
  EXPECT_FALSE(all[0].within());
  EXPECT_NEAR(all[1].error, 1 - 0.8242, 1e-9);
  EXPECT_FALSE(all[1].within());
}

TEST(Studies, ThetaUsersChooseFewLimits) {
  const char* data = std::getenv("GIGAWERK_DATA");
  const std::filesystem::path folder = data != nullptr ? data : GW_SOURCE_DIR "/../shared/data";
  const std::filesystem::path log = folder / "theta_2022.swf";
  if (!std::filesystem::exists(log))
    GTEST_SKIP() << log << " is not here; set GIGAWERK_DATA to the recorded logs";
  const std::unique_ptr<TraceStream> stream = open_trace(log.string()).value();
  const Marginals m = measure(*stream).value();
  // Figures computed apart, from the file's columns 4 and 9.
  EXPECT_EQ(m.all.jobs, 23'911);
  EXPECT_NEAR(m.most_used_limits(20), 0.940, 0.002);
  EXPECT_NEAR(m.run_seconds / m.all.jobs, 8132.9, 300);  // The reader may cut runs at their limit.
  EXPECT_NEAR(m.run.share_below(4096), 0.5517, 0.01);
}

}  // namespace
}  // namespace gw::workload
