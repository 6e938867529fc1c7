// Quantiles agree with a plain sort, exactly at first and within the stated error afterwards; memory is
// bounded.
#include "twin/quantile_sketch.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/rng.h"

namespace gw::twin {
namespace {

std::int64_t by_sorting(std::vector<std::int64_t> samples, double share) {
  std::sort(samples.begin(), samples.end());
  const auto rank = static_cast<std::size_t>(std::ceil(share * static_cast<double>(samples.size())));
  return samples[std::max<std::size_t>(rank, 1) - 1];
}

TEST(QuantileSketch, IsExactUpToItsLimit) {
  QuantileSketch sketch(1000);
  std::vector<std::int64_t> samples;
  Rng rng(3);
  for (int i = 0; i < 1000; ++i) {
    samples.push_back(rng.between(0, 1'000'000'000'000));
    sketch.add(samples.back());
    if (i % 97 == 0) {  // Reading in between must not disturb what follows.
      EXPECT_EQ(sketch.quantile(0.5), by_sorting(samples, 0.5));
    }
  }
  ASSERT_TRUE(sketch.exact());
  for (const double share : {0.0, 0.001, 0.25, 0.5, 0.9, 0.99, 1.0})
    EXPECT_EQ(sketch.quantile(share), by_sorting(samples, share)) << share;
  EXPECT_EQ(sketch.relative_error(), 0.0);
  sketch.add(5);
  EXPECT_FALSE(sketch.exact());
  EXPECT_EQ(sketch.count(), 1001U);
}

TEST(QuantileSketch, StaysWithinTheStatedErrorInBuckets) {
  rc::check("bucketed quantiles are within the relative error", [] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    Rng rng(seed);
    QuantileSketch sketch(16);
    std::vector<std::int64_t> samples;
    const std::int64_t count = rng.between(17, 3000);
    for (std::int64_t i = 0; i < count; ++i) {
      samples.push_back(rng.chance(0.2) ? 0
                                        : static_cast<std::int64_t>(std::min(rng.lognormal(20, 6), 9e18)));
      sketch.add(samples.back());
    }
    // Zeros are counted, not kept.
    RC_ASSERT(sketch.exact() ==
              (std::ranges::count_if(samples, [](auto value) { return value != 0; }) <= 16));
    RC_ASSERT(sketch.relative_error() <= 0.001);
    for (const double share : {0.0, 0.1, 0.5, 0.9, 0.99, 1.0}) {
      const auto want = static_cast<double>(by_sorting(samples, share));
      const auto got = static_cast<double>(sketch.quantile(share));
      RC_ASSERT(std::abs(got - want) <= want * sketch.relative_error());
    }
    RC_ASSERT(sketch.max() == *std::max_element(samples.begin(), samples.end()));
  });
}

TEST(QuantileSketch, HoldsTheLargestValues) {
  QuantileSketch sketch(1);
  const std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  for (int i = 0; i < 4; ++i) sketch.add(largest);
  EXPECT_NEAR(static_cast<double>(sketch.quantile(0.5)) / static_cast<double>(largest), 1.0, 0.001);
  EXPECT_EQ(sketch.quantile(1.0), largest);
  EXPECT_EQ(sketch.sum(), Int128{4} * largest);
}

TEST(QuantileSketch, MemoryStartsAtNothingAndIsBounded) {
  QuantileSketch small(64, 6);
  EXPECT_EQ(small.memory_bytes(), 0U);
  QuantileSketch sketch;
  Rng rng(9);
  for (int i = 0; i < 1'000'000; ++i) sketch.add(static_cast<std::int64_t>(rng.lognormal(24, 3)));
  EXPECT_LT(sketch.memory_bytes(), std::size_t{300'000});
}

}  // namespace
}  // namespace gw::twin
