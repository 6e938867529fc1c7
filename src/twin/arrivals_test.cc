// Futures of arrivals look like the past.
#include "twin/arrivals.h"

#include <gtest/gtest.h>

#include <set>

namespace gw::twin {
namespace {

JobRequest request(std::uint32_t gpus) {
  JobRequest made;
  made.shape.nodes = 0;
  made.shape.gpus = gpus;
  made.tenant = TenantId{0};
  made.limit = hours(1);
  return made;
}

TEST(Arrivals, TooLittleHistoryGivesNone) {
  ArrivalModel model;
  ArrivalDraw nothing(model, Instant{} + hours(1), Rng(1));
  EXPECT_FALSE(nothing.next().has_value());
  for (std::size_t job = 0; job + 1 < ArrivalModel::kEnough; ++job)
    model.observe(Instant{} + minutes(static_cast<std::int64_t>(job)), request(1));
  ArrivalDraw few(model, Instant{} + hours(1), Rng(1));
  EXPECT_FALSE(few.next().has_value());
}

TEST(Arrivals, ComeAtTheSameTimeOfDayInOrder) {
  ArrivalModel model;
  // Thirty jobs an hour from 9 to 10 each day, each day's of a size of its own.
  for (std::int64_t day = 0; day < 10; ++day) {
    for (std::int64_t job = 0; job < 30; ++job)
      model.observe(Instant{} + days(day) + hours(9) + minutes(2 * job),
                    request(static_cast<std::uint32_t>(day + 1)));
  }
  const Instant now = Instant{} + days(10) + hours(7);
  std::set<std::uint32_t> sizes;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    ArrivalDraw draw(model, now, Rng(seed));
    Instant last = now;
    for (int job = 0; job < 90; ++job) {  // Three days of them.
      const auto arrival = draw.next();
      ASSERT_TRUE(arrival.has_value());
      ASSERT_GE(arrival->when, last);
      last = arrival->when;
      const Nanoseconds of_day = Nanoseconds{last.count() % days(1).count()};
      ASSERT_GE(of_day, hours(9));
      ASSERT_LT(of_day, hours(10));
      EXPECT_EQ((last - now) / days(1), job / 30);
      sizes.insert(arrival->request->shape.gpus);
    }
  }
  EXPECT_EQ(sizes.size(), 9U);  // Every whole day of history is drawn now and then.
}

TEST(Arrivals, AShortHistoryRepeats) {
  ArrivalModel model;
  for (std::int64_t job = 0; job < 60; ++job) model.observe(Instant{} + minutes(job), request(1));
  const Instant now = Instant{} + minutes(60);
  ArrivalDraw draw(model, now, Rng(1));
  Instant last;
  int count = 0;
  for (; count < 240; ++count) last = draw.next()->when;
  EXPECT_NEAR(to_seconds(last - now) / 60, 240, 10);  // One a minute goes on.
}

TEST(Arrivals, KeepsNoMoreThanItSays) {
  ArrivalModel model;
  for (std::size_t job = 0; job < ArrivalModel::kKept + 10; ++job)
    model.observe(Instant{} + seconds(static_cast<std::int64_t>(job)), request(1));
  EXPECT_EQ(model.since(), Instant{} + seconds(10));
}

}  // namespace
}  // namespace gw::twin
