// Floors of an error: none where the points are of the kind, exact where they are not, never below the other.
#include "physics/error_floor.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

namespace gw::physics {
namespace {

TEST(ErrorFloor, IsNothingForACurveOfTheKind) {
  EXPECT_DOUBLE_EQ(growing_floor({}), 0);
  EXPECT_DOUBLE_EQ(line_floor({}), 0);
  EXPECT_DOUBLE_EQ(growing_floor({{1, 2}, {2, 2}, {3, 7}, {4, 100}}), 0);
  EXPECT_NEAR(line_floor({{1, 3}, {2, 5}, {10, 21}}), 0, 1e-12);
  EXPECT_GT(line_floor({{1, 2}, {2, 2}, {3, 7}, {4, 100}}), 0.1);
}

TEST(ErrorFloor, OfValuesOutOfOrderIsTheCheapestOrder) {
  // 10 then 8: both as 8 costs 2 / 10, both as 10 costs 2 / 8.
  EXPECT_NEAR(growing_floor({{1, 10}, {2, 8}}), 0.2, 1e-12);
  EXPECT_NEAR(line_floor({{1, 10}, {2, 8}}), 0.2, 1e-12);
  // Two values at one size have one answer.
  EXPECT_NEAR(growing_floor({{1, 10}, {1, 8}}), 0.2, 1e-12);
  // The order of the list is nothing.
  EXPECT_NEAR(growing_floor({{3, 41}, {1, 7}, {4, 8}, {2, 11}}),
              growing_floor({{1, 7}, {2, 11}, {3, 41}, {4, 8}}), 1e-12);
}

TEST(ErrorFloor, NeighboursTellAPowerAndNotWhatIsBetweenModes) {
  EXPECT_EQ(neighbour_errors({}).points, 0U);
  EXPECT_EQ(neighbour_errors({{1, 7}, {2, 9}}).points, 0U);
  const NeighbourErrors power = neighbour_errors({{4, 16}, {1, 1}, {2, 4}, {16, 256}});
  EXPECT_EQ(power.points, 2U);
  EXPECT_NEAR(power.sum, 0, 1e-12);
  const NeighbourErrors modes = neighbour_errors({{1, 10}, {2, 40}, {4, 10}, {8, 40}});
  EXPECT_EQ(modes.points, 2U);
  EXPECT_NEAR(modes.sum, 0.75 + 3, 1e-12);
  // Values at one size: the middle of three is told by the others.
  EXPECT_NEAR(neighbour_errors({{1, 8}, {1, 2}, {1, 4}}).sum, 0, 1e-12);
}

std::vector<SizedValue> some_points() {
  std::vector<SizedValue> points;
  const int count = *rc::gen::inRange(1, 12);
  for (int i = 0; i < count; ++i)
    points.push_back({1.0 + *rc::gen::inRange(0, 8), 1.0 + *rc::gen::inRange(0, 100)});
  return points;
}

RC_GTEST_PROP(ErrorFloor, NoLineDoesBetterAndNoLineBeatsGrowing, ()) {
  const std::vector<SizedValue> points = some_points();
  const double line = line_floor(points);
  RC_ASSERT(growing_floor(points) <= line + 1e-9);
  const double base = *rc::gen::inRange(1, 1000) / 10.0;
  const double slope = *rc::gen::inRange(0, 300) / 10.0;
  double sum = 0;
  for (const SizedValue& each : points) sum += std::abs((base + slope * each.size) / each.value - 1);
  RC_ASSERT(line <= sum + 1e-9);
}

RC_GTEST_PROP(ErrorFloor, NoStepDoesBetterThanTheBestGrowingCurve, ()) {
  const std::vector<SizedValue> points = some_points();
  const double low = *rc::gen::inRange(1, 100);
  const double high = low + *rc::gen::inRange(0, 50);
  const double at = *rc::gen::inRange(0, 10);
  double sum = 0;
  for (const SizedValue& each : points) sum += std::abs((each.size < at ? low : high) / each.value - 1);
  RC_ASSERT(growing_floor(points) <= sum + 1e-9);
}

}  // namespace
}  // namespace gw::physics
