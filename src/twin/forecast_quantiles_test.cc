// Order statistics with unknowns, and whether few members cover what they promise.
#include "twin/forecast_quantiles.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace gw::twin {
namespace {

Instant at(std::int64_t second) { return Instant{} + seconds(second); }

/// One job that starts at `starts`, one a member; Instant::max(): not until `until`.
StartTable one_job(const std::vector<Instant>& starts, Instant until = at(1000), bool stuck = false) {
  StartTable table;
  table.now = at(0);
  table.jobs = {JobId{7}};
  table.asked = {0};
  table.gpu_milli = {8000};
  for (const Instant start : starts)
    table.members.push_back({{start}, until, stuck && start == Instant::max()});
  return table;
}

TEST(StartQuantiles, AreThoseOfTheNextFuture) {
  const StartForecast nine =
      start_quantiles(one_job({at(90), at(10), at(20), at(80), at(30), at(70), at(40), at(60), at(50)}))
          .at(0);
  EXPECT_EQ(nine.job, JobId{7});
  EXPECT_EQ(nine.p50, at(50));
  EXPECT_EQ(nine.p90, at(90));
  EXPECT_FALSE(nine.p50_or_later || nine.p90_or_later);
  EXPECT_EQ(nine.members, 9U);
  EXPECT_EQ(nine.reached, 9U);
  std::vector<Instant> starts;
  for (int member = 0; member < 20; ++member) starts.push_back(at(10 * member));
  const StartForecast twenty = start_quantiles(one_job(starts)).at(0);
  EXPECT_EQ(twenty.p50, at(95));
  EXPECT_EQ(twenty.p90, at(179));  // k = 18.9: nine tenths of the way from the 18th to the 19th.
}

TEST(StartQuantiles, SayLaterThanWhereMembersEndedBefore) {
  std::vector<Instant> starts(9, at(10));
  starts[8] = Instant::max();
  const StartForecast one = start_quantiles(one_job(starts)).at(0);
  EXPECT_EQ(one.reached, 8U);
  EXPECT_EQ(one.p50, at(10));
  EXPECT_FALSE(one.p50_or_later);
  EXPECT_EQ(one.p90, at(1000));
  EXPECT_TRUE(one.p90_or_later);
  // Where a member has not got as far as the others' starts, even the median is but a bound.
  const StartForecast early = start_quantiles(one_job(starts, at(5))).at(0);
  EXPECT_EQ(early.p50, at(10));
  EXPECT_TRUE(early.p50_or_later);
  const StartForecast none = start_quantiles(one_job(std::vector<Instant>(9, Instant::max()))).at(0);
  EXPECT_EQ(none.reached, 0U);
  EXPECT_EQ(none.p50, at(1000));
  EXPECT_TRUE(none.p50_or_later && none.p90_or_later);
}

TEST(StartQuantiles, AreNeverWhereNothingRunsAnyMore) {
  std::vector<Instant> starts(9, Instant::max());
  const StartForecast all = start_quantiles(one_job(starts, at(30), true)).at(0);
  EXPECT_EQ(all.stuck, 9U);
  EXPECT_EQ(all.p50, StartForecast::kNever);
  EXPECT_EQ(all.p90, StartForecast::kNever);
  EXPECT_FALSE(all.p50_or_later || all.p90_or_later);
  for (int member = 0; member < 8; ++member) starts[static_cast<std::size_t>(member)] = at(20);
  const StartForecast most = start_quantiles(one_job(starts, at(30), true)).at(0);
  EXPECT_EQ(most.p50, at(20));
  EXPECT_EQ(most.p90, StartForecast::kNever);
  EXPECT_EQ(most.stuck, 1U);
}

/// Waits with a part that all jobs of a future share and one of each job's own, both normal, as in a long
/// queue.
struct Futures {
  double shared;
  double own;
  Rng rng;
  std::vector<Instant> next(std::size_t jobs) {
    std::vector<Instant> starts;
    const double factor = 1 + shared * rng.normal();
    for (std::size_t job = 0; job < jobs; ++job) {
      const double wait = (1000 + static_cast<double>(job)) * factor * (1 + own * rng.normal());
      starts.push_back(Instant{static_cast<std::int64_t>(wait * 1e9)});
    }
    return starts;
  }
};

TEST(StartQuantiles, FewMembersCoverWhatTheyPromise) {
  constexpr std::size_t kJobs = 201;
  constexpr int kTrials = 500;
  for (const auto& [shared, own] : {std::pair{0.02, 0.0}, {0.0, 0.02}, {0.02, 0.02}}) {
    for (const std::size_t members : {2U, 3U, 8U}) {
      Futures futures{shared, own, Rng(members)};
      StartTable table;
      for (std::uint32_t job = 0; job < kJobs; ++job) {
        table.jobs.emplace_back(job);
        table.gpu_milli.push_back(1000);
      }
      table.asked = {100};
      int half = 0;
      int most = 0;
      for (int trial = 0; trial < kTrials; ++trial) {
        table.members.clear();
        for (std::size_t member = 0; member < members; ++member)
          table.members.push_back({futures.next(kJobs), Instant::max(), false});
        const StartForecast forecast = start_quantiles(table).at(0);
        const Instant real = futures.next(kJobs)[100];
        half += real <= forecast.p50;
        most += real <= forecast.p90;
      }
      // 4.5 standard deviations of a share of 500.
      EXPECT_NEAR(half / double{kTrials}, 0.5, 0.1) << shared << ", " << own << ", " << members;
      EXPECT_NEAR(most / double{kTrials}, 0.9, 0.06) << shared << ", " << own << ", " << members;
    }
  }
}

TEST(StartQuantiles, FewMembersThatAgreeLeaveNoDoubt) {
  StartTable table = one_job({at(60), at(60), at(60)});
  const StartForecast forecast = start_quantiles(table).at(0);
  EXPECT_EQ(forecast.p50, at(60));
  EXPECT_EQ(forecast.p90, at(60));
  table = one_job({at(0), at(0)});  // At once.
  EXPECT_EQ(start_quantiles(table).at(0).p90, at(0));
}

}  // namespace
}  // namespace gw::twin
