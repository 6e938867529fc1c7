// Goodput: the formula against the process that it describes, its optimum, and where the time goes.
#include "physics/goodput.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "physics/checkpoint.h"
#include "physics/test_subjects.h"

namespace gw::physics {
namespace {

GoodputInput usual() {
  GoodputInput input;
  input.mtbf_s = 3 * kHourSeconds;
  input.pause_s = 20;
  input.recovery = usual_recovery(16384);
  input.recovery.swap_s = 40;
  input.recovery.read_s = 30;
  input.interval_s = best_interval(input);
  return input;
}

double sum_of(const TimeShares& shares) {
  return shares.useful + shares.checkpoint + shares.lost_work + shares.detection + shares.swap +
         shares.restart + shares.read;
}

GoodputInput any_input() {
  GoodputInput input;
  input.mtbf_s = *rc::gen::inRange(300, 1'000'000);
  input.interval_s = *rc::gen::inRange(10, 50'000);
  input.pause_s = *rc::gen::inRange(0, 600);
  input.behind_s = *rc::gen::inRange(0, 600);
  input.recovery = {*rc::gen::inRange(0, 900) * 1.0, *rc::gen::inRange(0, 900) * 1.0,
                    *rc::gen::inRange(0, 900) * 1.0, *rc::gen::inRange(0, 900) * 1.0};
  return input;
}

RC_GTEST_PROP(Goodput, SharesAreOfOneWhole, ()) {
  const GoodputInput input = any_input();
  const TimeShares shares = time_shares(input);
  RC_ASSERT(std::abs(sum_of(shares) - 1) < 1e-9);
  for (const double each : {shares.useful, shares.checkpoint, shares.lost_work, shares.detection, shares.swap,
                            shares.restart, shares.read})
    RC_ASSERT(each >= -1e-12 && each <= 1);
}

RC_GTEST_PROP(Goodput, RarerFailuresAndShorterPausesLoseLess, ()) {
  const GoodputInput input = any_input();
  GoodputInput better = input;
  better.mtbf_s *= 1.5;
  RC_ASSERT(time_shares(better).useful >= time_shares(input).useful);
  better = input;
  better.pause_s /= 2;
  better.behind_s /= 2;
  better.recovery.read_s /= 2;
  RC_ASSERT(time_shares(better).useful >= time_shares(input).useful);
}

RC_GTEST_PROP(Goodput, NoIntervalIsBetterThanTheBest, ()) {
  GoodputInput input = any_input();
  input.behind_s = 0;
  input.pause_s += 1;
  input.interval_s = best_interval(input);
  const double best = time_shares(input).useful;
  for (const double factor : {0.5, 0.9, 0.99, 1.01, 1.1, 2.0}) {
    GoodputInput other = input;
    other.interval_s *= factor;
    RC_ASSERT(time_shares(other).useful <= best * (1 + 1e-9));
  }
}

TEST(Goodput, WithoutFailuresOnlyPausesCost) {
  GoodputInput input = usual();
  input.mtbf_s = 1e15;
  input.interval_s = 980;
  EXPECT_NEAR(time_shares(input).useful, 0.98, 1e-6);
  EXPECT_NEAR(time_shares(input).checkpoint, 0.02, 1e-6);
}

TEST(Goodput, YoungIsTheLimitOfRareFailures) {
  GoodputInput input = usual();
  input.mtbf_s = 1e8;
  EXPECT_NEAR(best_interval(input) / young_interval(input), 1, 1e-3);
  input.mtbf_s = 600;  // Often: Young's is too long for what it rests on.
  input.pause_s = 300;
  EXPECT_LT(best_interval(input), 0.9 * young_interval(input));
  input.behind_s = 5000;
  EXPECT_EQ(best_interval(input), 5000);
}

TEST(Goodput, TheProcessGivesWhatTheFormulaSays) {
  for (const double mtbf_h : {0.3, 1.0, 3.0, 24.0}) {
    for (const double behind : {0.0, 60.0}) {
      GoodputInput input = usual();
      input.mtbf_s = mtbf_h * kHourSeconds;
      input.behind_s = behind;
      input.interval_s = best_interval(input);
      const TimeShares formula = time_shares(input);
      const TimeShares process = simulate_shares(input, 20'000 * input.mtbf_s, 42);
      EXPECT_NEAR(process.useful, formula.useful, 0.006) << mtbf_h << " h, " << behind << " s behind";
      EXPECT_NEAR(process.detection, formula.detection, 0.006) << mtbf_h;
      EXPECT_NEAR(process.restart, formula.restart, 0.006) << mtbf_h;
      EXPECT_NEAR(sum_of(process), 1, 1e-9);
    }
  }
}

TEST(Goodput, EqualSeedsGiveEqualRuns) {
  const GoodputInput input = usual();
  EXPECT_EQ(simulate_shares(input, 1e7, 1).useful, simulate_shares(input, 1e7, 1).useful);
  EXPECT_NE(simulate_shares(input, 1e7, 1).useful, simulate_shares(input, 1e7, 2).useful);
}

TEST(Goodput, LongerRunsAreMoreCertain) {
  FailureSetting setting;
  setting.gpus = 16384;
  JobFailures failures = job_failures(setting);
  failures.sigma = 0;
  GoodputInput input = usual();
  const Estimate week = goodput_interval(input, failures, 7, 1);
  const Estimate year = goodput_interval(input, failures, 365, 1);
  EXPECT_TRUE(week.holds(week.expected));
  EXPECT_TRUE(year.holds(year.expected));
  EXPECT_LT(year.high - year.low, week.high - week.low);
}

TEST(Goodput, TheMeanLiesInItsInterval) {
  for (const double gpus : {8.0, 1024.0, 16384.0}) {
    FailureSetting setting;
    setting.gpus = gpus;
    const JobFailures failures = job_failures(setting);
    GoodputInput input = usual();
    input.mtbf_s = failures.mtbf_s();
    for (const double days : {0.01, 0.1, 1.0, 30.0, 1000.0}) {
      const Estimate goodput = goodput_interval(input, failures, days, 1);
      EXPECT_TRUE(goodput.holds(goodput.expected))
          << gpus << " GPUs, " << days << " days: " << goodput.low << " to " << goodput.high;
    }
  }
}

TEST(Goodput, ARunWithoutInterruptionsLosesOnlyCheckpoints) {
  FailureSetting setting;
  const JobFailures failures = job_failures(setting);
  GoodputInput input = usual();
  input.mtbf_s = failures.mtbf_s();  // Years: hardly any of a day's draws has one.
  EXPECT_DOUBLE_EQ(goodput_interval(input, failures, 1, 1).high,
                   input.interval_s / (input.interval_s + input.pause_s));
}

TEST(Goodput, SparesShortenTheWait) {
  const double repair = mean_repair_s();
  EXPECT_NEAR(swap_seconds(0.5, repair, 0), 60 + repair, 1e-6);
  double before = swap_seconds(0.5, repair, 0);
  for (std::uint32_t spares = 1; spares < 12; ++spares) {
    const double now = swap_seconds(0.5, repair, spares);
    EXPECT_LT(now, before);
    before = now;
  }
  const std::uint32_t enough = enough_spares(0.5, repair);
  EXPECT_LT(swap_seconds(0.5, repair, enough), 120);
  EXPECT_GT(swap_seconds(0.5, repair, enough / 2), 120);
}

TEST(Checkpoint, WeightsAndOptimizerGoOverTheNarrowestWay) {
  const double bytes = checkpoint_bytes(test_model("llama-3-405b"));
  EXPECT_NEAR(bytes / test_model("llama-3-405b").parameters(), 14, 0.01);
  CheckpointStorage storage;
  storage.total_bytes_s = 1e12;
  storage.node_bytes_s = 1e9;
  EXPECT_NEAR(checkpoint_times(1e12, 800, 100, storage).pause_s, 10, 1e-9);
  EXPECT_NEAR(checkpoint_times(1e12, 80'000, 10'000, storage).pause_s, 1, 1e-9);
  storage.snapshot_gpu_bytes_s = 10e9;
  const CheckpointTimes behind = checkpoint_times(1e12, 800, 100, storage);
  EXPECT_NEAR(behind.pause_s, 0.125, 1e-9);
  EXPECT_NEAR(behind.behind_s, 10, 1e-9);
}

}  // namespace
}  // namespace gw::physics
