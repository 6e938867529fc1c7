// Summaries of errors: means with their intervals, cells, and the order of the worst rows.
#include "physics/validation.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

namespace gw::physics {
namespace {

Comparison row(const char* id, double error, double null_error) {
  Comparison comparison;
  comparison.id = id;
  comparison.group = "g";
  comparison.measured = 1;
  comparison.predicted = 1 + error;
  comparison.error = error;
  comparison.null_error = null_error;
  return comparison;
}

TEST(Validation, SummariesAreOfTheSizesOfErrors) {
  ReportBuilder builder("heading");
  builder.add("g", "one", "all", row("a", 0.1, 0.5));
  builder.add("g", "two", "all", row("b", -0.3, 0.1));
  builder.leave_out("no time");
  builder.leave_out("no time");
  const ValidationReport report = std::move(builder).finish();
  ASSERT_EQ(report.totals.size(), 1U);
  const ErrorSummary& all = report.totals.front();
  EXPECT_DOUBLE_EQ(all.mean, 0.2);
  EXPECT_DOUBLE_EQ(all.bias, -0.1);
  EXPECT_DOUBLE_EQ(all.max, 0.3);
  EXPECT_DOUBLE_EQ(all.null_mean, 0.3);
  EXPECT_EQ(report.rows.front().id, "b");
  EXPECT_EQ(report.rows.front().cell, "two");
  ASSERT_EQ(report.left_out.size(), 1U);
  EXPECT_EQ(report.left_out.front().rows, 2U);
}

TEST(Validation, IntervalsOfTheMeanFollowStudent) {
  // Five values of mean 3 and standard deviation sqrt(2.5): 3 +- 2.776 sqrt(2.5 / 5).
  const MeanInterval five = mean_interval({1, 2, 3, 4, 5});
  EXPECT_NEAR(five.low, 1.037, 1e-3);
  EXPECT_NEAR(five.high, 4.963, 1e-3);
  // Two: 12.706 deviations, and no error is below 0.
  const MeanInterval two = mean_interval({1, 2});
  EXPECT_EQ(two.low, 0);
  EXPECT_NEAR(two.high, 1.5 + 12.706 / 2, 1e-3);
  const MeanInterval one = mean_interval({0.2});
  EXPECT_EQ(one.low, 0.2);
  EXPECT_EQ(one.high, 0.2);
  EXPECT_EQ(mean_interval({}).high, 0);
}

RC_GTEST_PROP(Validation, TheMeanLiesInItsInterval, ()) {
  const auto thousandths = *rc::gen::suchThat(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 5000)),
                                              [](const std::vector<int>& values) { return !values.empty(); });
  std::vector<double> sizes;
  double mean = 0;
  for (const int value : thousandths) {
    sizes.push_back(value * 1e-3);
    mean += value * 1e-3 / static_cast<double>(thousandths.size());
  }
  const MeanInterval interval = mean_interval(sizes);
  RC_ASSERT(interval.low >= 0);
  RC_ASSERT(interval.low <= mean + 1e-12);
  RC_ASSERT(interval.high >= mean - 1e-12);
  // The same values once more say more: the interval does not widen.
  std::vector<double> twice = sizes;
  twice.insert(twice.end(), sizes.begin(), sizes.end());
  if (sizes.size() > 1) {
    const MeanInterval narrower = mean_interval(twice);
    RC_ASSERT(narrower.high - narrower.low <= interval.high - interval.low + 1e-12);
  }
}

}  // namespace
}  // namespace gw::physics
