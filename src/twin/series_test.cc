// Binned series keep their sums whatever the horizon, and agree with a direct integral.
#include "twin/series.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace gw::twin {
namespace {

TEST(BinnedSeries, KeepsSumsWhileBinsWiden) {
  BinnedSeries<2> series;
  const Instant origin{seconds(100).count()};
  series.start(origin);
  Rng rng(5);
  Instant now = origin;
  double area = 0;
  double events = 0;
  for (int i = 0; i < 20'000; ++i) {
    const Instant next = now + seconds(rng.between(0, 500));
    const std::int64_t level = rng.between(0, 1000);
    series.integrate<1>(now, next, {level});
    area += static_cast<double>(level) * static_cast<double>((next - now).count());
    series.at(next)[1] += 1;
    events += 1;
    now = next;
  }
  double area_in_bins = 0;
  double events_in_bins = 0;
  for (const auto& bin : series.bins()) {
    area_in_bins += bin[0];
    events_in_bins += bin[1];
  }
  EXPECT_NEAR(area_in_bins / area, 1.0, 1e-12);
  EXPECT_EQ(events_in_bins, events);
  EXPECT_LE(series.bins().size(), BinnedSeries<2>::kBins);
  EXPECT_GT(series.bins().size(), BinnedSeries<2>::kBins / 2);
  EXPECT_GE(origin + series.width() * static_cast<std::int64_t>(series.bins().size()), now);
}

TEST(BinnedSeries, PutsTimeWhereItBelongs) {
  BinnedSeries<1> series;
  series.start(Instant{0});
  series.integrate<1>(Instant{500'000'000}, Instant{2'250'000'000}, {4});
  ASSERT_EQ(series.bins().size(), 3U);
  EXPECT_DOUBLE_EQ(series.bins()[0][0], 4 * 0.5e9);
  EXPECT_DOUBLE_EQ(series.bins()[1][0], 4 * 1e9);
  EXPECT_DOUBLE_EQ(series.bins()[2][0], 4 * 0.25e9);
  series.integrate_channel(Instant{0}, Instant{1'000'000'000}, 0, 1);  // Earlier than the last bin.
  EXPECT_DOUBLE_EQ(series.bins()[0][0], 3e9);
}

TEST(BinnedSeries, CrossesACenturyInOneStep) {
  BinnedSeries<1> series;
  series.start(Instant{0});
  series.integrate<1>(Instant{0}, Instant{0} + days(36'500), {1});
  double sum = 0;
  for (const auto& bin : series.bins()) sum += bin[0];
  EXPECT_NEAR(sum / static_cast<double>(days(36'500).count()), 1.0, 1e-12);
}

}  // namespace
}  // namespace gw::twin
