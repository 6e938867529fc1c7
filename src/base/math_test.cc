// The machine-independent functions agree with libm, and the generator's streams are fixed for ever.
#include "base/math.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/rng.h"

namespace gw {
namespace {

double relative_error(double got, double want) {
  return std::abs(got - want) / std::max(std::abs(want), 1e-300);
}

TEST(Math, AgreesWithLibm) {
  Rng rng(1);
  for (int i = 0; i < 100'000; ++i) {
    const double x = (rng.uniform() - 0.5) * 100;
    EXPECT_LT(relative_error(stable_exp(x), std::exp(x)), 2e-15) << x;
    EXPECT_LT(relative_error(stable_exp2(x), std::exp2(x)), 2e-15) << x;
    const double positive = std::exp(x);
    EXPECT_NEAR(stable_log(positive), std::log(positive), 1e-15 * (1 + std::abs(x))) << x;
    EXPECT_NEAR(stable_cos(x), std::cos(x), 1e-14) << x;
  }
}

TEST(Rng, StreamsAreFixed) {
  Rng rng(42);
  EXPECT_EQ(rng.next(), 1546998764402558742ULL);
  Rng workload = Rng(42).split("workload");
  Rng again = Rng(42).split("workload");
  EXPECT_EQ(workload.next(), again.next());
  EXPECT_NE(Rng(42).split("workload").next(), Rng(42).split("faults").next());
}

TEST(Rng, DistributionsHaveTheirMoments) {
  Rng rng(7);
  constexpr int kDraws = 200'000;
  double normal = 0, square = 0, exponential = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double draw = rng.normal();
    normal += draw;
    square += draw * draw;
    exponential += rng.exponential(3.0);
  }
  EXPECT_NEAR(normal / kDraws, 0.0, 0.01);
  EXPECT_NEAR(square / kDraws, 1.0, 0.02);
  EXPECT_NEAR(exponential / kDraws, 3.0, 0.05);
}

TEST(Rng, BetweenReachesBothEnds) {
  Rng rng(9);
  bool low = false, high = false;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t draw = rng.between(-3, 3);
    ASSERT_GE(draw, -3);
    ASSERT_LE(draw, 3);
    low |= draw == -3;
    high |= draw == 3;
  }
  EXPECT_TRUE(low && high);
}

}  // namespace
}  // namespace gw
