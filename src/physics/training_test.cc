// Step times: limits, monotony, and sums that are their parts.
#include "physics/training.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

#include "physics/memory.h"
#include "physics/test_subjects.h"
#include "physics/validation_training.h"

namespace gw::physics {
namespace {

TrainingRun gpt_run() {
  TrainingRun run;
  run.model = &test_model("gpt-145b");
  run.gpu = &test_gpu("h100");
  run.stack = default_stack(run.gpu->generation);
  run.layout.tensor = 8;
  run.layout.pipeline = 8;
  run.layout.data = 4;
  run.sequence = 2048;
  run.global_batch = 512;
  return run;
}

double total(const TrainingRun& run) { return step_time(run, published_calibration()).total; }

double sum_of(const StepTime& time) {
  return time.products + time.attention + time.elementwise + time.logits + time.recompute + time.host +
         time.tensor + time.context + time.expert + time.pipeline + time.data + time.imbalance + time.bubble +
         time.optimizer + time.stragglers;
}

TEST(Training, PartsAddUp) {
  const StepTime time = step_time(gpt_run(), published_calibration());
  EXPECT_NEAR(sum_of(time), time.total, 1e-9 * time.total);
  EXPECT_GT(time.utilisation, 0.2);
  EXPECT_LT(time.utilisation, 0.7);
}

TEST(Training, MechanismsPointTheRightWay) {
  const TrainingRun plain = gpt_run();
  TrainingRun run = plain;
  run.layout.chunks = 2;
  EXPECT_LT(step_time(run, published_calibration()).bubble, step_time(plain, published_calibration()).bubble);
  run = plain;
  run.layout.recompute = Recompute::kFull;
  EXPECT_GT(total(run), 1.2 * total(plain));
  EXPECT_LT(total(run), 1.4 * total(plain));
  // The forward pass communicates once more, too.
  EXPECT_NEAR(
      step_time(run, published_calibration()).tensor / step_time(plain, published_calibration()).tensor, 1.5,
      1e-9);
  run = plain;
  run.precision = Precision::kFp8;
  EXPECT_LT(total(run), total(plain));
  run = plain;
  run.global_batch *= 2;  // Twice the work, the bubble once.
  EXPECT_LT(total(run), 2 * total(plain));
  EXPECT_GT(total(run), 1.8 * total(plain));
  run = plain;
  run.gpu = &test_gpu("a100");
  EXPECT_GT(total(run), 2 * total(plain));
}

int stack_named(std::string_view name) {
  const Result<int> found = find_stack(name);
  EXPECT_TRUE(found.has_value());
  return found.value_or(0);
}

TEST(Training, GradientsThatAreNotShardedCostMore) {
  TrainingRun run = gpt_run();
  run.gpu = &test_gpu("a100");
  run.stack = stack_named("megatron-deepspeed-2022");
  const StepTime whole = step_time(run, published_calibration());
  // Nothing hides them: with one micro-batch they take as long as with many.
  run.global_batch = run.layout.data;
  EXPECT_NEAR(step_time(run, published_calibration()).data, whole.data, 1e-9);
  // 32-bit gradients of every parameter to all four, and 16-bit weights back: 2 x 4 + 2 bytes of three
  // quarters, one GPU in a node.
  const double parameters = run.model->parameters() / 64;
  const double least = parameters * 10 * 0.75 / 25e9;
  EXPECT_GT(whole.data, least);
  EXPECT_LT(whole.data, 1.1 * least);
}

TEST(Training, ShardedWeightsAreGatheredALayerAtATime) {
  TrainingRun run = gpt_run();
  run.layout = {.tensor = 1, .data = 512, .sharding = Sharding::kFull};
  ModelShape deep = *run.model;
  deep.layers *= 4;  // Four times the layers, of half the width: no more parameters, in smaller pieces.
  deep.hidden /= 2;
  deep.ffn /= 2;
  deep.head_size /= 2;
  Calibration calibration = published_calibration();
  for (FamilyConstants& each : calibration.families) each.shard_overlap = 0;
  const double wide = step_time(run, calibration).data;
  run.model = &deep;
  ASSERT_LE(deep.parameters(), gpt_run().model->parameters());
  EXPECT_GT(step_time(run, calibration).data, 1.05 * wide);
}

TEST(Training, WhatANetworkCardMovesAloneSlowsNoComputing) {
  TrainingRun run = gpt_run();
  run.layout = {.tensor = 8, .data = 64, .micro_batch = 4};  // One GPU of a replica in each node,
  Calibration calibration = published_calibration();
  for (FamilyConstants& each : calibration.families) each.data_overlap = 100;
  EXPECT_EQ(step_time(run, calibration).data, 0);
  run.layout = {.tensor = 1, .data = 512};  // or eight.
  EXPECT_GT(step_time(run, calibration).data, 0);
}

TEST(Training, ContextAndExpertsCostWhatTheyMove) {
  TrainingRun run = gpt_run();
  run.model = &test_model("deepseek-v3");
  run.layout = {.tensor = 1, .pipeline = 16, .data = 16, .expert = 8};
  run.sequence = 4096;
  const StepTime near = step_time(run, published_calibration());
  EXPECT_GT(near.expert, 0);
  EXPECT_EQ(near.context, 0);
  run.layout.data = 128;
  run.layout.expert = 64;  // Beyond a node.
  run.global_batch *= 8;
  EXPECT_GT(step_time(run, published_calibration()).expert, 2 * near.expert);
}

TEST(Training, RecomputationMayStopBeforeTheLastProduct) {
  TrainingRun run = gpt_run();
  run.gpu = &test_gpu("a100");
  run.layout.recompute = Recompute::kFull;
  run.stack = stack_named("composer-2023");
  const StepTime whole = step_time(run, published_calibration());
  run.stack = stack_named("composer-2023.10");
  const StepTime less = step_time(run, published_calibration());
  // Four of the twelve h x h products of a forward pass, which are a third of all.
  EXPECT_NEAR((whole.recompute - less.recompute) / (whole.products / 3), 4.0 / 12, 0.02);
  EXPECT_EQ(whole.products, less.products);
}

TEST(Training, TokensReachExpertsAsTheSoftwareSendsThem) {
  TrainingRun run = gpt_run();
  run.model = &test_model("deepseek-v3");
  run.layout = {.tensor = 1, .pipeline = 16, .data = 128, .expert = 64};  // Eight nodes.
  run.sequence = 4096;
  run.global_batch = 4096;
  const StepTime once = step_time(run, published_calibration());
  run.overlaps_experts = true;
  const StepTime beside = step_time(run, published_calibration());
  EXPECT_GT(beside.expert, 20.0 / 132 * once.expert * 0.999);
  EXPECT_LT(beside.expert, 0.5 * once.expert);
  run.overlaps_experts = false;
  run.copies_per_expert = true;  // Eight copies, not 8 (1 - (7/8)^8) = 5.25.
  EXPECT_NEAR(step_time(run, published_calibration()).expert / once.expert, 8 / 5.25, 0.1);
  run.layout.data = 16;
  run.layout.expert = 8;  // In one node a plain all-to-all is waited for.
  run.global_batch = 512;
  const double plain = step_time(run, published_calibration()).expert;
  run.copies_per_expert = false;
  EXPECT_GT(plain, 3 * step_time(run, published_calibration()).expert);
  run.drops_tokens = true;
  EXPECT_EQ(step_time(run, published_calibration()).expert, plain);
}

TEST(Training, EachLocalExpertIsLaunched) {
  TrainingRun run = gpt_run();
  run.model = &test_model("deepseek-v3");
  run.gpu = &test_gpu("gb200");
  run.layout = {.tensor = 1, .pipeline = 16, .data = 64, .expert = 64};
  run.sequence = 128;  // So little that only launches count.
  run.global_batch = 64;
  const auto launches = [&run] {
    return step_time(run, published_calibration()).host -
           published_calibration().families[static_cast<std::size_t>(Family::kNemo)].step_s;
  };
  const double few = launches();
  run.layout.expert = 8;
  EXPECT_GT(launches(), 4 * few);
  run.drops_tokens = true;
  EXPECT_LT(launches(), few);
}

RC_GTEST_PROP(Training, TimesAreFiniteAndPositive, ()) {
  const std::vector<ModelShape>& models = test_types().models;
  TrainingRun run;
  run.model = &models[*rc::gen::inRange<std::size_t>(0, models.size())];
  run.gpu =
      &test_gpu(*rc::gen::element<const char*>("v100", "a100", "h100", "b200", "gb200", "gb300", "mi300x"));
  run.stack = *rc::gen::inRange(0, kStacks);
  run.layout.tensor = 1U << *rc::gen::inRange(0U, 4U);
  run.layout.pipeline = *rc::gen::inRange(1U, 9U);
  run.layout.data = 1U << *rc::gen::inRange(0U, 10U);
  run.layout.context = 1U << *rc::gen::inRange(0U, 3U);
  if (run.model->mixture()) run.layout.expert = 1U << *rc::gen::inRange(0U, 4U);
  run.layout.micro_batch = *rc::gen::inRange(1U, 5U);
  run.layout.recompute = *rc::gen::element(Recompute::kNone, Recompute::kSelective, Recompute::kFull);
  run.layout.sharding =
      *rc::gen::element(Sharding::kNone, Sharding::kOptimizer, Sharding::kGradients, Sharding::kFull);
  run.sequence = *rc::gen::inRange(128, 131072);
  run.global_batch = run.layout.data * run.layout.micro_batch * *rc::gen::inRange(1U, 50U);
  run.copies_per_expert = *rc::gen::arbitrary<bool>();
  run.overlaps_experts = *rc::gen::arbitrary<bool>();
  const StepTime time = step_time(run, published_calibration());
  RC_ASSERT(std::isfinite(time.total));
  RC_ASSERT(time.total > 0);
  RC_ASSERT(time.utilisation > 0);
  RC_ASSERT(time.utilisation < 1);
  for (const double part :
       {time.products, time.attention, time.elementwise, time.host, time.tensor, time.data, time.bubble,
        time.pipeline, time.expert, time.context, time.optimizer}) {
    RC_ASSERT(part >= 0);
  }
  RC_ASSERT(step_time(run, published_calibration()).total == time.total);
}

TEST(Training, AnEvaluationTakesMicroseconds) {
  const TrainingRun run = gpt_run();
  const auto begin = std::chrono::steady_clock::now();
  double sum = 0;
  constexpr int kTimes = 2000;
  for (int i = 0; i < kTimes; ++i) sum += total(run);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_GT(sum, 0);
  EXPECT_LT(took.count() / kTimes, 100e-6);  // Ten times the promise: sanitizers and busy machines.
}

TEST(Training, LayoutsThatDoNotDivideAreRefused) {
  Layout layout;
  layout.tensor = 7;
  const Result<void> checked = check_layout(layout, test_model("gpt-145b"), 512);
  ASSERT_FALSE(checked.has_value());
  EXPECT_EQ(checked.error().message, "96 attention heads do not divide over 7 tensor-parallel GPUs");
  layout = {};
  layout.expert = 2;
  EXPECT_FALSE(check_layout(layout, test_model("gpt-145b"), 512).has_value());
  layout = {};
  layout.data = 3;
  EXPECT_FALSE(check_layout(layout, test_model("gpt-145b"), 512).has_value());
  layout.data = 4;
  EXPECT_TRUE(check_layout(layout, test_model("gpt-145b"), 512).has_value());
}

TEST(Training, PublishedRunsAreNear) {
  GW_NEED_REFERENCE(path, "training.csv");
  const auto source = workload::open_file(path);
  ASSERT_TRUE(source.has_value());
  const auto rows = read_published_training(test_table(**source), test_types());
  ASSERT_TRUE(rows.has_value()) << rows.error().message;
  const ValidationReport report = validate_training(*rows, published_calibration());
  ASSERT_EQ(report.totals.size(), 2U);
  for (const ErrorSummary& summary : report.totals) {
    const bool dense = summary.name.starts_with("dense");
    EXPECT_GE(summary.points, dense ? 400U : 100U);
    EXPECT_LT(summary.mean, dense ? 0.04 : 0.08) << summary.name;
    EXPECT_LT(summary.max, dense ? 0.28 : 0.55) << summary.name;
    EXPECT_LT(summary.mean, summary.null_mean) << summary.name;
  }
  const auto beyond = [](const Comparison& row) {
    return row.cell.find("MoE") == std::string::npos && std::abs(row.error) > 0.12;
  };
  EXPECT_LE(std::count_if(report.rows.begin(), report.rows.end(), beyond),
            7);  // docs/physics-training.md: which.
  // The eight A100 points that Calculon was validated on (3.65 % mean, 8.87 % max).
  double mean = 0;
  double most = 0;
  std::size_t points = 0;
  for (const Comparison& row : report.rows) {
    if (row.group != "korthikanti22" || row.id == "T0043") continue;
    ++points;
    mean += std::abs(row.error);
    most = std::max(most, std::abs(row.error));
  }
  ASSERT_EQ(points, 8U);
  EXPECT_LT(mean / 8, 0.0365);
  EXPECT_LT(most, 0.0887);
}

}  // namespace
}  // namespace gw::physics
