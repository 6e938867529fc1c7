// Speeds of work against what was published, and slower where the place is worse.
#include "physics/work.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "physics/test_subjects.h"

namespace gw::physics {
namespace {

Accelerator memory_of(double tb_s, double tflops) {
  GpuType type;
  type.name = "some";
  type.memory_tb_s = tb_s;
  type.dense_bf16_tflops = tflops;
  type.scaleup_gbyte_s = 300;
  type.scaleup_domain_gpus = 8;
  return accelerator_of(type, 200);
}

double speed(WorkKind kind, const Accelerator& gpu, std::uint32_t gpus, Placed placed) {
  Work work;
  work.profile.kind = kind;
  return work_speed(work, *plan_work(work, gpu, gpus), gpu, placed).units_s;
}

TEST(Throughput, AgreesWithItsSources) {
  // NVIDIA DeepLearningExamples: images a second.
  EXPECT_NEAR(speed(WorkKind::kPerception, memory_of(2.039, 312), 1, {1}), 2470, 0.08 * 2470);
  EXPECT_NEAR(speed(WorkKind::kPerception, memory_of(0.9, 125), 1, {1}), 1200, 0.08 * 1200);
  EXPECT_NEAR(speed(WorkKind::kPerception, memory_of(2.039, 312), 8, {8}), 16621, 0.1 * 16621);
  EXPECT_NEAR(speed(WorkKind::kPerception, memory_of(0.9, 125), 8, {8}), 8322, 0.1 * 8322);
  // Isaac Lab on L40: one, four, and sixteen in four nodes.
  const Accelerator l40 = memory_of(0.864, 181);
  EXPECT_NEAR(speed(WorkKind::kRobotics, l40, 1, {1}), 62e3, 0.01 * 62e3);
  EXPECT_NEAR(speed(WorkKind::kRobotics, l40, 4, {4}), 250e3, 0.05 * 250e3);
  EXPECT_NEAR(speed(WorkKind::kRobotics, l40, 16, {4}), 960e3, 0.05 * 960e3);
  // FluidX3D: A100 SXM4 40 GB, V100, L40.
  EXPECT_NEAR(speed(WorkKind::kCfd, memory_of(1.555, 312), 1, {1}), 8543e6, 0.11 * 8543e6);
  EXPECT_NEAR(speed(WorkKind::kCfd, memory_of(0.9, 125), 1, {1}), 4471e6, 0.11 * 4471e6);
  EXPECT_NEAR(speed(WorkKind::kCfd, l40, 1, {1}), 3870e6, 0.11 * 3870e6);
}

RC_GTEST_PROP(Work, AWorsePlaceIsNeverFaster, ()) {
  Work work;
  work.profile.kind =
      *rc::gen::element(WorkKind::kTraining, WorkKind::kPerception, WorkKind::kRobotics, WorkKind::kCfd);
  work.model = *rc::gen::element(0, 1) == 0 ? test_model("llama-3-8b") : test_model("mixtral-8x7b");
  work.profile.batch = 64;
  const Accelerator gpu = test_gpu("h100");
  const std::uint32_t gpus = *rc::gen::element(16U, 32U, 64U);
  const WorkPlan plan = *plan_work(work, gpu, gpus);
  const auto at = [&](std::uint32_t per_domain, double share, double clock) {
    return work_speed(work, plan, gpu, {per_domain, share, clock}).units_s;
  };
  const double share = *rc::gen::inRange(1, 101) / 100.0;
  const double clock = *rc::gen::inRange(60, 101) / 100.0;
  const std::uint32_t per_domain = *rc::gen::element(1U, 2U, 4U, 8U);
  RC_ASSERT(at(8, share, 1) <= at(8, 1, 1) * (1 + 1e-12));
  RC_ASSERT(at(8, 1, clock) <= at(8, 1, 1) * (1 + 1e-12));
  // What computes only slows by the clock; nothing slows by more.
  RC_ASSERT(at(8, 1, clock) >= at(8, 1, 1) * clock * (1 - 1e-12));
  RC_ASSERT(at(per_domain, share, clock) <= at(8, share, clock) * (1 + 1e-12));
}

TEST(Work, ReplicasSpreadOverServersGainNothing) {
  // Whose gradients hide behind computing wherever they are.
  Work work;
  work.profile.kind = WorkKind::kTraining;
  work.model = test_model("llama-3-8b");
  work.profile.batch = 64;
  const Accelerator gpu = test_gpu("h100");
  const WorkPlan plan = *plan_work(work, gpu, 32);
  const double packed = work_speed(work, plan, gpu, {8, 1, 0.8}).units_s;
  for (const std::uint32_t per_domain : {1U, 2U, 4U})
    EXPECT_LE(work_speed(work, plan, gpu, {per_domain, 1, 0.8}).units_s, packed) << per_domain;
}

TEST(Work, WhatDoesNotFitSaysByHowMuch) {
  Work work;
  work.profile.kind = WorkKind::kTraining;
  work.model = test_model("llama-3-405b");
  const Result<WorkPlan> plan = plan_work(work, test_gpu("h100"), 8);
  ASSERT_FALSE(plan);
  EXPECT_NE(plan.error().message.find("short by"), std::string::npos) << plan.error().message;
  EXPECT_TRUE(plan_work(work, test_gpu("h100"), 512));
}

TEST(Work, AGivenLayoutLeavesOutWhatItCannotUse) {
  Work work;
  work.profile.kind = WorkKind::kTraining;
  work.model = test_model("llama-3-8b");
  work.profile.batch = 64;
  work.profile.layout = {.best = false, .tensor = 8, .recompute = true};
  const Result<WorkPlan> plan = plan_work(work, test_gpu("h100"), 28);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->gpus, 16U);  // Three replicas do not divide a batch of 64.
  EXPECT_EQ(plan->layout.data, 2U);
}

}  // namespace
}  // namespace gw::physics
