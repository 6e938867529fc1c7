// The queue of a serving replica: lone requests, conservation, agreement with the steady state, percentiles.
#include "physics/serving_queue.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>

#include "physics/test_subjects.h"

namespace gw::physics {
namespace {

const ServingCalibration& constants() { return published_serving_calibration(); }

ServingPool pool_of(const char* model = "llama-3-8b", const char* gpu = "h100", ServingLayout layout = {}) {
  ServingPool pool;
  pool.deployment = {&test_model(model), &test_gpu(gpu), 0, layout, WeightFormat::k16Bit, 2};
  return pool;
}

TEST(ServingQueue, ALoneRequestTakesItsPromptAndItsTokens) {
  const ServingPool pool = pool_of();
  const std::vector<ServingRequest> one = {{5.0, 1000, 101}};
  const QueueResult result = simulate_queue(pool, one, constants());
  ASSERT_EQ(result.requests, 1U);
  EXPECT_NEAR(result.first_token.mean, prompt_seconds(pool.deployment, 1000, constants()), 1e-12);
  Pass pass;
  pass.sequences = 1;
  pass.context = 1050;
  EXPECT_NEAR(result.per_token.mean, pass_time(pool.deployment, pass, constants()).total,
              0.01 * result.per_token.mean);
  EXPECT_NEAR(result.busy, 1, 1e-9);
  EXPECT_EQ(result.first_token.p99, result.first_token.mean);
}

TEST(ServingQueue, ALongPromptIsCutIntoChunks) {
  const ServingPool pool = pool_of();
  const std::vector<ServingRequest> one = {{0, 30000, 1}};
  const QueueResult result = simulate_queue(pool, one, constants());
  EXPECT_NEAR(result.first_token.mean, prompt_seconds(pool.deployment, 30000, constants()), 1e-9);
  EXPECT_EQ(result.per_token.mean, 0);
}

TEST(ServingQueue, AFullReplicaServesAsTheSteadyStateSays) {
  // Ten times as many requests at once as fit: the replica is always full.
  const ServingPool pool = pool_of();
  ServingLoad load{.input = 500, .output = 200};
  load.sequences = most_sequences(pool.deployment, 500, 200);
  const double steady = steady_state(pool.deployment, load, constants()).tokens_s;
  const auto requests = random_requests(1e6, 500, 200, 0.4, static_cast<std::size_t>(10 * load.sequences), 7);
  const QueueResult result = simulate_queue(pool, requests, constants());
  EXPECT_EQ(result.requests, requests.size());
  EXPECT_NEAR(result.tokens_s / steady, 1, 0.12);
  EXPECT_GT(result.sequences, 0.7 * load.sequences);
}

TEST(ServingQueue, PromptReplicasNeedNotBeWhole) {
  ServingPool pool = pool_of("llama-3-70b", "h100", {.tensor = 4});
  pool.prompt_deployment = pool.deployment;
  const RandomLoad prompts{.input = 1000, .output = 1};
  const auto wait = [&](double prompt_replicas, double load) {
    pool.prompt_replicas = prompt_replicas;
    const double rate = load * steady_rate(pool, prompts, constants());
    return simulate_queue(pool, random_requests(rate, 1000, 1, 0, 4000, 1), constants()).first_token;
  };
  for (const double replicas : {0.5, 1.3, 1.99, 2.0, 2.5, 3.99}) {
    // Below what they are said to feed the queue ends,
    EXPECT_LT(wait(replicas, 0.8).p99, 30 * prompt_seconds(pool.prompt_deployment, 1000, constants()))
        << replicas;
  }
  // and a hundredth of a replica is no replica.
  EXPECT_NEAR(wait(1.99, 0.8).mean / wait(2, 0.8).mean, 1, 0.05);
}

TEST(ServingQueue, PromptReplicasAreCountedWhole) {
  ServingPool pool = pool_of("llama-3-70b", "h100", {.tensor = 4});
  EXPECT_EQ(pool.gpus_of(3), 12);
  pool.prompt_deployment = pool.deployment;
  pool.prompt_deployment.layout.tensor = 8;
  pool.prompt_replicas = 1.7;
  EXPECT_EQ(pool.gpus_of(1), 4 + 2 * 8);
  EXPECT_EQ(pool.gpus_of(10), 40 + 17 * 8);
}

int engine_named(const char* name) { return *find_serving_engine(name); }

TEST(ServingQueue, WherePassesAreScheduledTogetherRequestsWaitForTheNextOfThem) {
  // One request decodes; another that comes in between joins at once, or after up to eight passes.
  const auto wait = [&](const char* engine) {
    ServingPool pool = pool_of();
    pool.deployment.engine = engine_named(engine);
    double longest = 0;
    for (int i = 0; i < 16; ++i) {
      const double second = 1 + 1e-3 * i;
      const std::vector<ServingRequest> two = {{0, 100, 2000}, {second, 100, 10}};
      longest = std::max(longest, simulate_queue(pool, two, constants()).first_tokens[1]);
    }
    Pass pass;
    pass.sequences = 1;
    pass.context = 1000;
    return longest / pass_time(pool.deployment, pass, constants()).total;
  };
  EXPECT_EQ(serving_engines()[static_cast<std::size_t>(engine_named("mlperf-5.1-rocm"))].admission_passes,
            8U);
  EXPECT_LT(wait("mlperf-5.1"), 5);
  EXPECT_GT(wait("mlperf-5.1-rocm"), 7);
  EXPECT_LT(wait("mlperf-5.1-rocm"), 13);
}

TEST(ServingQueue, RanksThatHoldPromptsBackMakeThemWaitButNotForever) {
  ServingPool pool = pool_of("deepseek-v3", "b200", {1, 8, 8});
  pool.deployment.weights = WeightFormat::kNvfp4;
  pool.deployment.cache_bytes = 1;
  const std::vector<ServingRequest> two = {{0, 800, 2000}, {1, 800, 10}};
  const auto waited = [&](const char* engine) {
    pool.deployment.engine = engine_named(engine);
    const QueueResult result = simulate_queue(pool, two, constants());
    Pass pass;
    pass.sequences = 1;
    pass.context = 1000;
    EXPECT_EQ(result.requests, 2U);
    return result.first_tokens[1] / pass_time(pool.deployment, pass, constants()).total;
  };
  EXPECT_LT(waited("trtllm-1.1"), 5);
  EXPECT_GT(waited("trtllm-1.0"), 9);
  EXPECT_LT(waited("trtllm-1.0"), 13);
  // A prompt alone in the replica waits for none; one rank computes it whole.
  const std::vector<ServingRequest> one = {{0, 800, 1}};
  const double alone = simulate_queue(pool, one, constants()).first_token.mean;
  const double spread = prompt_seconds(pool.deployment, 800, constants());
  EXPECT_GT(alone, spread);
  EXPECT_LT(alone, 2 * spread);
}

TEST(ServingQueue, AReplicaOfManyThatTakeTurnsGetsItsRequestsMoreEvenly) {
  const auto spread = [](std::uint32_t sharers) {
    const auto requests = random_requests(3, 100, 10, 0, 4000, 5, sharers);
    double sum = 0;
    double squares = 0;
    for (std::size_t i = 1; i < requests.size(); ++i) {
      const double gap = requests[i].at_s - requests[i - 1].at_s;
      sum += gap;
      squares += gap * gap;
    }
    const double count = static_cast<double>(requests.size() - 1);
    EXPECT_NEAR(sum / count, 1.0 / 3, 0.02);
    return std::sqrt(squares / count - sum * sum / count / count) / (sum / count);
  };
  // Of a Poisson stream every n-th: an Erlang distribution of n phases.
  EXPECT_NEAR(spread(1), 1, 0.05);
  EXPECT_NEAR(spread(8), 1 / std::sqrt(8.0), 0.03);
  // Limits far below a full pass are kept at a higher rate. (Near it they are not: an engine whose passes
  // with prompts cost more in themselves gains where several prompts share one.)
  const ServingPool pool = pool_of();
  const LatencyTargets targets{.first_token_s = 1, .per_token_s = 0.02, .percentile = 99};
  RandomLoad load{.input = 500, .output = 200, .spread = 0.5};
  const double alone = highest_rate(pool, load, targets, constants());
  load.sharers = 8;
  EXPECT_GT(highest_rate(pool, load, targets, constants()), alone);
}

TEST(ServingQueue, RequestsThatCanNeverFitAreRefused) {
  const ServingPool pool = pool_of();
  const std::vector<ServingRequest> two = {{0, 100, 10}, {1, 5e6, 10}, {2, 100, 10}};
  const QueueResult result = simulate_queue(pool, two, constants());
  EXPECT_EQ(result.requests, 2U);
  EXPECT_EQ(result.impossible, 1U);
  EXPECT_FALSE(meets(result, {}));
}

TEST(ServingQueue, PercentilesAreNearestRanks) {
  EXPECT_EQ(percentile_of({}, 50), 0);
  EXPECT_EQ(percentile_of({3, 1, 2}, 50), 2);
  EXPECT_EQ(percentile_of({3, 1, 2}, 67), 3);
  EXPECT_EQ(percentile_of({3, 1, 2}, 100), 3);
  EXPECT_EQ(percentile_of({3, 1, 2}, 0), 1);
  std::vector<double> hundred;
  for (int i = 100; i >= 1; --i) hundred.push_back(i);
  EXPECT_EQ(percentile_of(hundred, 99), 99);
}

TEST(ServingQueue, PromptsOfTheirOwnPoolDoNotHoldUpTokens) {
  ServingPool mixed = pool_of("llama-3-70b", "h200", {2, 1, 1});
  ServingPool apart = mixed;
  apart.prompt_deployment = mixed.deployment;
  const auto requests = random_requests(3, 3000, 150, 0.5, 600, 11);
  const QueueResult together = simulate_queue(mixed, requests, constants());
  const QueueResult split = simulate_queue(apart, requests, constants());
  EXPECT_EQ(together.requests, split.requests);
  EXPECT_LT(split.per_token.p99, 0.8 * together.per_token.p99);
  EXPECT_EQ(apart.gpus(), 4);
  EXPECT_EQ(mixed.gpus(), 2);
}

TEST(ServingQueue, TheHighestRateKeepsTheTargetsAndALittleMoreDoesNot) {
  const ServingPool pool = pool_of();
  const LatencyTargets targets{.first_token_s = 0.3, .per_token_s = 0.025, .percentile = 95};
  const double rate = highest_rate(pool, 500, 200, 0.5, targets, 3, constants());
  ASSERT_GT(rate, 1);
  const auto at = [&](double each) {
    return meets(simulate_queue(pool, random_requests(each, 500, 200, 0.5, 2000, 3), constants()), targets);
  };
  EXPECT_TRUE(at(rate));
  EXPECT_FALSE(at(1.1 * rate));
  // Nothing serves a token in a microsecond.
  EXPECT_EQ(highest_rate(pool, 500, 200, 0.5, {.per_token_s = 1e-6}, 3, constants()), 0);
}

TEST(ServingQueue, ReplicasAreAsFewAsKeepTheTargets) {
  const ServingPool pool = pool_of();
  const LatencyTargets targets{.first_token_s = 0.5, .per_token_s = 0.03, .percentile = 90};
  const auto requests = random_requests(60, 500, 200, 0.5, 4000, 5);
  const std::uint32_t replicas = replicas_for(pool, requests, targets, 64, constants());
  ASSERT_GT(replicas, 1U);
  EXPECT_TRUE(meets(simulate_replicas(pool, requests, replicas, constants()), targets));
  EXPECT_FALSE(meets(simulate_replicas(pool, requests, replicas - 1, constants()), targets));
  EXPECT_EQ(replicas_for(pool, requests, {.per_token_s = 1e-6}, 8, constants()), 0U);
}

RC_GTEST_PROP(ServingQueueProperty, TimeToTheFirstTokenGrowsWithTheRate, ()) {
  const ServingPool pool = pool_of();
  const double input = *rc::gen::inRange(10, 4000);
  const double output = *rc::gen::inRange(2, 400);
  const auto seed = static_cast<std::uint64_t>(*rc::gen::inRange(0, 1000));
  const double rate = *rc::gen::element(0.5, 2.0, 8.0);
  const auto mean = [&](double each) {
    return simulate_queue(pool, random_requests(each, input, output, 0.3, 400, seed), constants())
        .first_token.mean;
  };
  // A pass more or less under way at an arrival may help one rate: by less than a hundredth.
  RC_ASSERT(mean(rate * 3) >= 0.99 * mean(rate));
}

RC_GTEST_PROP(ServingQueueProperty, EveryRequestEndsAndNothingIsLost, ()) {
  const ServingPool pool = pool_of();
  const auto seed = static_cast<std::uint64_t>(*rc::gen::inRange(0, 1000));
  const double rate = *rc::gen::element(0.1, 5.0, 1000.0);
  const auto requests = random_requests(rate, 300, 50, 1.0, 300, seed);
  const QueueResult result = simulate_queue(pool, requests, constants());
  RC_ASSERT(result.requests == requests.size());
  RC_ASSERT(result.first_tokens.size() == requests.size());
  double least = 1e9;
  for (const double each : result.first_tokens) least = std::min(least, each);
  RC_ASSERT(least > 0);
  RC_ASSERT(result.busy > 0 && result.busy <= 1);
  RC_ASSERT(result.memory_use > 0 && result.memory_use < 1);
  const QueueResult again = simulate_queue(pool, requests, constants());
  RC_ASSERT(again.first_tokens == result.first_tokens);
}

}  // namespace
}  // namespace gw::physics
