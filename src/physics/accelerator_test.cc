// What is known of an accelerator, and what a GPU of which too little is known is refused with.
#include "physics/accelerator.h"

#include <gtest/gtest.h>

#include "physics/deployment.h"
#include "physics/serving_engine.h"
#include "physics/test_subjects.h"

namespace gw::physics {
namespace {

TEST(AcceleratorTest, WhatTimesNeedIsKnownOrNamed) {
  EXPECT_TRUE(check_known(test_gpu("h100"), 1024));
  const Result<void> rate = check_known(test_gpu("rubin-ultra"), 1);
  ASSERT_FALSE(rate);
  EXPECT_NE(rate.error().message.find("dense_bf16"), std::string::npos);
  const Result<void> links = check_known(test_gpu("tpu-v6e"), 2);
  ASSERT_FALSE(links);
  EXPECT_NE(links.error().message.find("scaleup_bandwidth"), std::string::npos);
  EXPECT_TRUE(check_known(test_gpu("tpu-v6e"), 1));
  EXPECT_TRUE(check_known(test_gpu("l40s"), 8)) << "cards without such links are joined by the network";
  Accelerator gpu = test_gpu("h100");
  gpu.memory_bytes_s = 0;
  EXPECT_FALSE(check_known(gpu, 1));
  gpu = test_gpu("h100");
  gpu.memory_bytes = 0;
  EXPECT_FALSE(check_known(gpu, 1));
}

TEST(AcceleratorTest, BlocksWithScalesNeedUnitsForThem) {
  EXPECT_FALSE(check_precision(test_gpu("h100"), Precision::kMxfp8));
  EXPECT_FALSE(check_precision(test_gpu("mi300x"), Precision::kMxfp8));
  EXPECT_TRUE(check_precision(test_gpu("b200"), Precision::kMxfp8));
  EXPECT_TRUE(check_precision(test_gpu("mi355x"), Precision::kMxfp8));
  EXPECT_TRUE(check_precision(test_gpu("h100"), Precision::kFp8));
  EXPECT_FALSE(check_precision(test_gpu("h100"), Precision::kNvfp4));
}

TEST(AcceleratorTest, RackScaleSystemsAreCooledByLiquid) {
  for (const char* name : {"gb200", "gb300", "vera-rubin", "rubin-ultra", "mi455x"})
    EXPECT_TRUE(test_gpu(name).liquid_cooled) << name;
  for (const char* name : {"h100", "b200", "gh200", "l40s"})
    EXPECT_FALSE(test_gpu(name).liquid_cooled) << name;
}

TEST(DeploymentTest, LayoutsDivideTheWidths) {
  Deployment deployment;
  deployment.model = &test_model("deepseek-v3");
  deployment.gpu = &test_gpu("gb200");
  const auto divides = [&](std::uint32_t tensor, std::uint32_t data, std::uint32_t expert) {
    deployment.layout = {tensor, data, expert};
    return check_deployment(deployment).has_value();
  };
  EXPECT_TRUE(divides(1, 8, 8));
  EXPECT_TRUE(divides(1, 8, 1));
  EXPECT_FALSE(divides(1, 5, 1)) << "an expert 2048 wide over 5 GPUs";
  EXPECT_FALSE(divides(1, 6, 2)) << "over 3";
  EXPECT_FALSE(divides(1, 5, 5)) << "256 experts over 5 GPUs";
  deployment.model = &test_model("llama-3-70b");
  EXPECT_TRUE(divides(8, 1, 1));
  EXPECT_TRUE(divides(16, 1, 1)) << "each of 8 key-value heads twice";
}

TEST(AcceleratorTest, TypesWithoutTheirOwnConstantsTakeTheVendorsNearest) {
  struct Expected {
    const char* name;
    Generation generation;
    bool own;
  };
  for (const Expected& each :
       {Expected{"a100", Generation::kAmpere, true}, Expected{"a10", Generation::kAmpere, false},
        Expected{"vera-rubin", Generation::kBlackwellUltra, false},
        Expected{"rtx-pro-6000", Generation::kOther, true}, Expected{"mi300x", Generation::kOther, true},
        Expected{"h200-nvl", Generation::kHopper, true}}) {
    EXPECT_EQ(test_gpu(each.name).generation, each.generation) << each.name;
    EXPECT_EQ(test_gpu(each.name).own_generation, each.own) << each.name;
  }
  // One story in training and in serving.
  EXPECT_EQ(serving_generation(test_gpu("tpu-v5p")), Generation::kHopper);
  EXPECT_EQ(serving_generation(test_gpu("a10")), Generation::kAmpere);
  EXPECT_EQ(serving_generation(test_gpu("mi355x")), Generation::kOther);
  EXPECT_EQ(serving_generation(test_gpu("rtx-pro-6000")), Generation::kOther);
}

TEST(AcceleratorTest, Bf16CameWithAmpere) {
  EXPECT_FALSE(check_precision(test_gpu("v100"), Precision::kBf16).has_value());
  EXPECT_TRUE(check_precision(test_gpu("v100"), Precision::kFp16).has_value());
  EXPECT_TRUE(check_precision(test_gpu("a100"), Precision::kBf16).has_value());
}

}  // namespace
}  // namespace gw::physics
