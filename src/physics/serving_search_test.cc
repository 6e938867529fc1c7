// The search for serving replicas: what it gives keeps the targets, and no layout given by hand does better.
#include "physics/serving_search.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <initializer_list>

#include "base/rng.h"
#include "physics/test_subjects.h"

namespace gw::physics {
namespace {

const ServingCalibration& constants() { return published_serving_calibration(); }

ServingSearchOptions wanted(const char* model, const char* gpu, WeightFormat weights = WeightFormat::k8Bit) {
  ServingSearchOptions options;
  options.base = {&test_model(model), &test_gpu(gpu), 0, {}, weights, 2};
  options.load = {.input = 1000, .output = 200, .spread = 0.5, .seed = 3};
  options.targets = {.first_token_s = 1, .per_token_s = 0.04, .percentile = 95};
  return options;
}

double served(const ServingPool& pool, const ServingSearchOptions& options) {
  return highest_rate(pool, options.load, options.targets, constants()) * options.load.output / pool.gpus();
}

TEST(ServingSearch, ResultsKeepTheTargetsAndAreInOrder) {
  const ServingSearchOptions options = wanted("llama-3-70b", "h200");
  const ServingSearchResult result = search_serving(options, constants());
  ASSERT_GE(result.best.size(), 3U);
  double before = 1e300;
  for (const ServingCandidate& each : result.best) {
    EXPECT_TRUE(check_deployment(each.pool.deployment).has_value());
    EXPECT_TRUE(serving_memory(each.pool.deployment).fits());
    EXPECT_TRUE(meets(each.queue, options.targets));
    EXPECT_NEAR(each.tokens_s_gpu, each.rate * 200 / each.pool.gpus(), 1e-9);
    EXPECT_LE(each.tokens_s_gpu, before);
    before = each.tokens_s_gpu;
  }
  EXPECT_GT(result.layouts, 3U);
}

/// Every layout of eight GPUs that one might give by hand, with prompts apart too.
std::vector<ServingPool> by_hand(const ServingSearchOptions& options) {
  std::vector<ServingPool> pools;
  ServingPool pool;
  pool.deployment = options.base;
  const bool mixture = options.base.model->mixture();
  for (const std::uint32_t tensor : {1U, 2U, 4U, 8U}) {
    for (std::uint32_t data = 1; tensor * data <= (mixture ? 8U : tensor); data *= 2) {
      pool.deployment.layout = {tensor, data, mixture ? tensor * data : 1};
      if (!check_deployment(pool.deployment)) continue;
      if (cache_sequences(pool.deployment, options.load.input + options.load.output) < 1) continue;
      pool.prompt_deployment = {};
      pool.prompt_replicas = 1;
      pools.push_back(pool);
      pool.prompt_deployment = pool.deployment;
      for (const double replicas : {0.5, 1.0, 2.0}) {
        pool.prompt_replicas = replicas;
        pools.push_back(pool);
      }
    }
  }
  return pools;
}

TEST(ServingSearch, NoLayoutGivenByHandIsBetter) {
  // Seeds draw what is served and how long users may wait.
  int beaten = 0;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    Rng draw(seed);
    const auto one_of = [&](std::initializer_list<double> values) {
      return values.begin()[draw.below(values.size())];
    };
    ServingSearchOptions options = wanted(seed % 3 == 0 ? "mixtral-8x7b" : "llama-3-70b", "h200");
    options.load = {one_of({100, 700, 3000}), one_of({50, 200, 600}), one_of({0, 0.5}), seed};
    options.targets.first_token_s = one_of({0.4, 1, 2});
    options.targets.per_token_s = one_of({0, 0.02, 0.05, 0.2});
    options.targets.percentile = one_of({50, 90, 99});
    options.keep = 1 + seed % 3;
    const ServingSearchResult result = search_serving(options, constants());
    const double best = result.best.empty() ? 0 : result.best.front().tokens_s_gpu;
    for (const ServingPool& pool : by_hand(options)) {
      const double given = served(pool, options);
      // Rates are found to some thousandths; prompt replicas may be any number, of which six are tried.
      EXPECT_GE(best, given * (pool.disaggregated() ? 0.98 : 0.995))
          << "seed " << seed << ", tensor " << pool.deployment.layout.tensor
          << (pool.disaggregated() ? ", apart" : "");
      if (given > 0 && given < 0.8 * best) ++beaten;
    }
  }
  EXPECT_GT(beaten, 10);
}

TEST(ServingSearch, ARateTakesTheFewestGpus) {
  ServingSearchOptions options = wanted("llama-3-70b", "h200");
  options.apart = false;
  options.rate = 25;
  const ServingSearchResult result = search_serving(options, constants());
  ASSERT_FALSE(result.best.empty());
  const ServingCandidate& best = result.best.front();
  EXPECT_EQ(best.gpus, best.replicas * best.pool.deployment.layout.gpus());
  EXPECT_GE(best.replicas * best.rate, 25);
  EXPECT_TRUE(meets(best.queue, options.targets));
  for (const std::uint32_t tensor : {1U, 2U, 4U, 8U}) {
    ServingPool pool;
    pool.deployment = options.base;
    pool.deployment.layout.tensor = tensor;
    const double rate = highest_rate(pool, options.load, options.targets, constants());
    EXPECT_LE(best.gpus, rate > 0 ? tensor * std::ceil(25 / rate) : 1e9);
  }
}

TEST(ServingSearch, ABatchLimitKeepsTheTimePerToken) {
  ServingPool pool;
  const ServingSearchOptions options = wanted("llama-3-8b", "h100");
  pool.deployment = options.base;
  const auto requests = random_requests(80, 1000, 200, 0.5, 1000, 1);
  const QueueResult free = simulate_queue(pool, requests, constants());
  pool.sequences_max = 8;
  const QueueResult limited = simulate_queue(pool, requests, constants());
  EXPECT_LE(limited.sequences, 8);
  EXPECT_GT(free.sequences, 8);
  EXPECT_LT(limited.per_token.p99, free.per_token.p99);
  EXPECT_GT(limited.first_token.p99, free.first_token.p99);
}

TEST(ServingSearch, WhatIsFoundWithoutTargetsServesItsRate) {
  // 1.92 prompt replicas, no whole number, are best for 22 requests a second.
  ServingSearchOptions options = wanted("llama-3-70b", "h100");
  options.load = {.input = 1000, .output = 200};
  options.targets = {};
  for (const double rate : {22.0, 50.0}) {
    options.rate = rate;
    const ServingSearchResult result = search_serving(options, constants());
    ASSERT_FALSE(result.best.empty());
    for (const ServingCandidate& each : result.best)
      EXPECT_LT(each.queue.first_token.p99, 5) << rate << " requests/s on " << each.gpus << " GPUs";
  }
}

TEST(ServingSearch, GivenDegreesAreKept) {
  ServingSearchOptions options = wanted("mixtral-8x7b", "h200");
  options.tensor = 2;
  options.expert = 4;
  options.apart = false;
  const ServingSearchResult result = search_serving(options, constants());
  ASSERT_FALSE(result.best.empty());
  for (const ServingCandidate& each : result.best) {
    EXPECT_EQ(each.pool.deployment.layout.tensor, 2U);
    EXPECT_EQ(each.pool.deployment.layout.expert, 4U);
    EXPECT_FALSE(each.pool.disaggregated());
  }
}

TEST(ServingSearch, SaysWhyNothingServes) {
  ServingSearchOptions options = wanted("llama-3-405b", "h100", WeightFormat::k16Bit);
  ServingSearchResult result = search_serving(options, constants());
  EXPECT_TRUE(result.best.empty());
  EXPECT_EQ(result.too_large, result.layouts);
  options = wanted("llama-3-70b", "h200");
  options.targets.per_token_s = 1e-4;
  result = search_serving(options, constants());
  EXPECT_TRUE(result.best.empty());
  EXPECT_EQ(result.too_large + result.too_slow, result.layouts);  // Each layout once, in whatever manners.
  // A batch that no layout has room for.
  options = wanted("llama-3-70b", "h200");
  options.sequences_max = 1e6;
  result = search_serving(options, constants());
  EXPECT_EQ(result.too_large, result.layouts);
}

TEST(ServingSearch, ALargeDomainTakesSeconds) {
  ServingSearchOptions options = wanted("deepseek-v3", "gb200");
  options.targets = {.first_token_s = 2, .per_token_s = 0.05, .percentile = 99};
  options.load.output = 1000;
  const auto begin = std::chrono::steady_clock::now();
  const ServingSearchResult result = search_serving(options, constants());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  ASSERT_FALSE(result.best.empty());
  EXPECT_LT(took.count(), 20.0);
}

}  // namespace
}  // namespace gw::physics
