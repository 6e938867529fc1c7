// Rates by cause: what they were made of comes back, they grow with the job, and intervals hold what they
// say.
#include "physics/failures.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "base/rng.h"
#include "physics/random_count.h"

namespace gw::physics {
namespace {

FailureSetting hopper(double gpus) {
  FailureSetting setting;
  setting.gpus = gpus;
  return setting;
}

TEST(Failures, TheLlamaRunHas419InterruptionsIn54Days) {
  const JobFailures failures = job_failures(hopper(16384));
  EXPECT_NEAR(failures.total_per_hour() * 24 * 54, 419, 1e-6);
  EXPECT_NEAR(failures.per_hour[static_cast<std::size_t>(FailureCause::kMemory)] * 24 * 54, 72, 1e-6);
}

TEST(Failures, TimeToFailureFallsFasterThanTheJobGrows) {
  // 18 minutes at about 98,000 GPUs, where one over N gives 31.
  EXPECT_NEAR(job_failures(hopper(98304)).mtbf_s() / 60, 18, 0.5);
  EXPECT_NEAR(job_failures(hopper(16384)).mtbf_s() / 6 / 60, 31, 0.5);
}

RC_GTEST_PROP(Failures, LargerJobsFailMoreOftenPerNode, ()) {
  const double gpus = *rc::gen::inRange(8, 200'000);
  const double more = gpus * (1 + *rc::gen::inRange(1, 100) / 10.0);
  RC_ASSERT(job_failures(hopper(more)).total_per_hour() / more >
            job_failures(hopper(gpus)).total_per_hour() / gpus);
  RC_ASSERT(job_failures(hopper(more)).sigma >= job_failures(hopper(gpus)).sigma);
  const Estimate mtbf = mtbf_interval(job_failures(hopper(gpus)));
  RC_ASSERT(mtbf.low < mtbf.expected && mtbf.expected < mtbf.high);
}

TEST(Failures, OneNodeIsAJobWithoutOthers) {
  double node = 0;
  for (const double each : node_failures(Generation::kHopper, 8)) node += each;
  EXPECT_NEAR(job_failures(hopper(8)).total_per_hour() / node, 1, 1e-3);
  FailureSetting loose = hopper(8);
  loose.screened = false;
  EXPECT_NEAR(job_failures(loose).total_per_hour() / job_failures(hopper(8)).total_per_hour(), 3.69, 1e-9);
}

TEST(Failures, PoissonIntervalsAreThePublishedOnes) {
  // The exact ones of 148, 7 and 2 counts; of none the upper bound is -ln(0.025).
  EXPECT_NEAR(poisson_interval(148).low, 125.1, 0.1);
  EXPECT_NEAR(poisson_interval(148).high, 173.9, 0.1);
  EXPECT_NEAR(poisson_interval(7).low, 2.8, 0.05);
  EXPECT_NEAR(poisson_interval(7).high, 14.4, 0.05);
  EXPECT_NEAR(poisson_interval(2).high, 7.2, 0.05);
  EXPECT_EQ(poisson_interval(0).low, 0);
  EXPECT_NEAR(poisson_interval(0).high, 3.69, 0.05);
}

TEST(Failures, CountsHaveTheMeanAndVarianceOfPoisson) {
  Rng rng(7);
  for (const double mean : {0.3, 8.0, 400.0}) {
    double sum = 0;
    double squares = 0;
    constexpr int kDraws = 20'000;
    for (int i = 0; i < kDraws; ++i) {
      const double count = random_count(rng, mean);
      sum += count;
      squares += count * count;
    }
    const double found = sum / kDraws;
    EXPECT_NEAR(found / mean, 1, 0.03) << mean;
    EXPECT_NEAR((squares / kDraws - found * found) / mean, 1, 0.05) << mean;
  }
}

TEST(Failures, TheIntervalOfCountsIsWiderThanChance) {
  const Estimate chance = count_interval(400, 0, 1);
  const Estimate sites = count_interval(400, 0.4, 1);
  EXPECT_NEAR(chance.low, 361, 4);
  EXPECT_NEAR(chance.high, 440, 4);
  EXPECT_LT(sites.low, 0.6 * chance.low);
  EXPECT_GT(sites.high, 1.5 * chance.high);
}

}  // namespace
}  // namespace gw::physics
