// Corrections from what came.
#include "twin/calibration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "base/rng.h"

namespace gw::twin {
namespace {

StartForecast said(std::uint32_t job, Instant now, Nanoseconds p50, Nanoseconds p90) {
  StartForecast forecast;
  forecast.job = JobId{job};
  forecast.p50 = now + p50;
  forecast.p90 = now + p90;
  forecast.members = forecast.reached = 100;
  return forecast;
}

TEST(Calibration, SaysWhatItIsToldUntilItKnowsBetter) {
  const Calibration calibration;
  const Instant now = Instant{} + hours(1);
  const StartForecast raw = said(1, now, hours(2), hours(3));
  const StartForecast told = calibration.corrected(raw, now);
  EXPECT_NEAR(to_seconds(told.p50 - raw.p50), 0, 1e-3);
  EXPECT_NEAR(to_seconds(told.p90 - raw.p90), 0, 1e-3);
}

TEST(Calibration, BoundsAndNeverStay) {
  Calibration calibration;
  Instant now;
  for (std::uint32_t job = 0; job < 100; ++job) {
    const StartForecast raw = said(job, now, hours(2), hours(3));
    calibration.made(raw, calibration.corrected(raw, now), now);
    now = now + hours(8);
    calibration.advance(now);
    calibration.started(JobId{job}, now);
  }
  StartForecast never = said(1000, now, hours(2), hours(3));
  never.p90 = StartForecast::kNever;
  EXPECT_EQ(calibration.corrected(never, now).p90, StartForecast::kNever);
  EXPECT_GT(calibration.corrected(never, now).p50, now + hours(6));
  StartForecast bound = said(1000, now, hours(2), hours(3));
  bound.p90_or_later = true;
  EXPECT_GE(calibration.corrected(bound, now).p90, calibration.corrected(bound, now).p50);
  never.p50 = StartForecast::kNever;
  EXPECT_EQ(calibration.corrected(never, now), never);
  EXPECT_EQ(calibration.open(), 0U);
  EXPECT_EQ(calibration.outcomes(), 100U);
}

TEST(Calibration, LearnsInEachBandOfItsOwn) {
  Calibration calibration;
  Instant now;
  std::uint32_t next = 0;
  for (int round = 0; round < 200; ++round) {
    for (const auto& [wait, factor] : {std::pair{minutes(10), 3}, std::pair{hours(10), 1}}) {
      const StartForecast raw = said(next, now, wait, wait);
      calibration.made(raw, calibration.corrected(raw, now), now);
      calibration.advance(now + wait * factor);
      calibration.started(JobId{next++}, now + wait * factor);
      now = now + wait * factor + hours(1);
    }
  }
  const StartForecast early = calibration.corrected(said(next, now, minutes(10), minutes(10)), now);
  EXPECT_NEAR(to_seconds(early.p50 - now), 1800, 200);
  const StartForecast fair = calibration.corrected(said(next, now, hours(10), hours(10)), now);
  EXPECT_NEAR(to_seconds(fair.p50 - now), 36000, 100);
}

/// An ensemble that is biased and far too sure of itself, outcomes that come late, and a change of both in
/// the middle: the shares are held before and after.
TEST(Calibration, HoldsItsSharesForABiasedEnsembleThroughAChange) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    Calibration calibration;
    struct Waiting {
      Instant start;
      std::uint32_t job;
    };
    std::vector<Waiting> waiting;
    Instant now;
    int half = 0, most = 0;
    constexpr std::uint32_t kJobs = 1200;
    for (std::uint32_t job = 0; job < kJobs; ++job) {
      now = now + seconds(static_cast<std::int64_t>(rng.exponential(1200)) + 1);
      std::sort(waiting.begin(), waiting.end(), [](const Waiting& a, const Waiting& b) {
        return std::tie(a.start, a.job) < std::tie(b.start, b.job);
      });
      while (!waiting.empty() && waiting.front().start <= now) {
        calibration.advance(waiting.front().start);
        calibration.started(JobId{waiting.front().job}, waiting.front().start);
        waiting.erase(waiting.begin());
      }
      calibration.advance(now);
      const double scale = rng.lognormal(std::log(9000), 1);
      const StartForecast raw = said(job, now, seconds(static_cast<std::int64_t>(scale)),
                                     seconds(static_cast<std::int64_t>(1.05 * scale)));
      const StartForecast told = calibration.corrected(raw, now);
      calibration.made(raw, told, now);
      const double bias = job < kJobs / 2 ? 1.8 : 0.6;
      const Instant start =
          now + seconds(static_cast<std::int64_t>(bias * scale * rng.lognormal(0, 0.7)) + 1);
      waiting.push_back({start, job});
      half += start <= told.p50;
      most += start <= told.p90;
    }
    EXPECT_NEAR(static_cast<double>(half) / kJobs, 0.5, 0.045) << seed;
    EXPECT_NEAR(static_cast<double>(most) / kJobs, 0.9, 0.03) << seed;
  }
}

TEST(Calibration, ALateStartCountsOnceItsTimeHasPassed) {
  Calibration waits, knows;
  Instant now;
  // Both have learned the same; of one, open forecasts become late.
  for (std::uint32_t job = 0; job < 40; ++job) {
    const StartForecast raw = said(job, now, hours(2), hours(4));
    const Nanoseconds took = hours(1) + minutes(job * 4);
    for (Calibration* each : {&waits, &knows}) {
      each->made(raw, each->corrected(raw, now), now);
      each->advance(now + took);
      each->started(JobId{job}, now + took);
    }
    now = now + hours(6);
  }
  for (std::uint32_t job = 100; job < 110; ++job) {
    const StartForecast raw = said(job, now, hours(2), hours(4));
    for (Calibration* each : {&waits, &knows}) each->made(raw, each->corrected(raw, now), now);
  }
  const Instant later = now + hours(10);
  knows.advance(later);
  const StartForecast raw = said(999, later, hours(2), hours(4));
  EXPECT_GT(knows.corrected(raw, later).p50, waits.corrected(raw, later).p50);
  EXPECT_EQ(knows.open(), 10U);
  for (std::uint32_t job = 100; job < 110; ++job) knows.gone(JobId{job});
  EXPECT_EQ(knows.open(), 0U);
}

}  // namespace
}  // namespace gw::twin
