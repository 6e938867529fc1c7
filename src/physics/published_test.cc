// Rows of published measurements as runs, and the reasons why some are none.
#include "physics/published.h"

#include "physics/test_subjects.h"
#include "physics/validation_training.h"

namespace gw::physics {
namespace {

constexpr std::string_view kHeader =
    "id,group,model,layers,hidden,ffn,heads,kv_heads,seq,vocab,gpus,gpu_type,tp,pp,vpp,cp,ep,micro_batch,"
    "global_batch,precision,recompute,step_time_s,tokens_s_gpu,tflops_per_gpu,mfu,notes\n";

std::vector<PublishedTraining> read(std::string_view rows) {
  const auto read =
      read_published_training(test_table(std::string(kHeader) + std::string(rows)), test_types());
  EXPECT_TRUE(read.has_value());
  return read.value_or(std::vector<PublishedTraining>{});
}

TEST(Published, ARowBecomesARun) {
  const auto rows = read(
      "A1,bridge-26.04,Qwen,94,4096,1536 x 8 of 128,64,4,4096,151936,256,GB200 "
      "NVL72,1,8,3,1,32,1,8192,MXFP8,,"
      "23.109,,,,\n");
  ASSERT_EQ(rows.size(), 1U);
  const PublishedTraining& row = rows.front();
  EXPECT_EQ(row.reason, "");
  EXPECT_EQ(row.gpu.name, "gb200");
  EXPECT_EQ(row.layout.data, 32U);
  EXPECT_EQ(row.layout.expert, 32U);
  EXPECT_EQ(row.shape.experts.count, 128U);
  EXPECT_EQ(row.shape.experts.active, 8U);
  EXPECT_EQ(row.shape.head_size, 128U);  // From the catalog's model of those sizes.
  EXPECT_EQ(stacks()[static_cast<std::size_t>(row.stack)].name, "bridge-26.04");
  EXPECT_EQ(row.precision, Precision::kMxfp8);
}

TEST(Published, DenseAndSharedExpertsAreTold) {
  const auto rows = read(
      "A1,x,DeepSeek,61,7168,18432 dense / 2048 x (8+1 of 256),128,MLA,4096,129280,256,B200 SXM,1,16,1,1,8,1,"
      "2048,FP8-MX,,15.3,2139.0,557.0,,\n");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows.front().shape.ffn, 18432U);
  EXPECT_EQ(rows.front().shape.experts.shared, 1U);
  EXPECT_EQ(rows.front().shape.experts.dense_layers, 3U);
  EXPECT_EQ(rows.front().shape.more_predictions, 1U);  // 0.260 TFLOP per token.
}

TEST(Published, EqualSizesWithAnotherFeedForwardAreAnotherModel) {
  // MPT-13b has Llama 2 13B's layers, but two matrices of four times the width.
  const auto rows = read(
      "A1,llm-foundry,MPT-13b,40,5120,20480,40,40,2048,50368,128,H100 "
      "SXM,1,1,,1,,16,2048,bf16,full,6.45,,417,"
      "0.4218,FSDP FULL_SHARD\n");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_FALSE(rows.front().shape.gated);
  EXPECT_EQ(rows.front().layout.sharding, Sharding::kFull);
}

TEST(Published, WhatCannotBeExpressedSaysWhy) {
  const auto rows = read(
      "A1,x,M,24,2048,8192,16,16,2048,51200,8,H100 SXM,1,1,,1,,1,8,bf16,,,,100,,\n"
      "A2,x,M,24,2048,8192,16,16,2048,51200,8,Abacus 9,1,1,,1,,1,8,bf16,,1,,,,\n"
      "A3,x,M,24,2048,8192,16,16,2048,51200,8,H100 SXM,,,,1,,1,8,bf16,,1,,,,\n"
      "A4,x,M,,,,,,2048,,8,H100 SXM,1,1,,1,,1,8,bf16,,1,,,,\n"
      "A5,x,M,24,2048,8192,16,16,2048,51200,8,A100 SXM,1,1,,1,,1,8,FP8,,1,,,,\n"
      "A6,x,M,24,2048,8192,16,16,2048,51200,8,H100 SXM,1,1,,1,,1,9,bf16,,1,,,,\n");
  ASSERT_EQ(rows.size(), 6U);
  EXPECT_EQ(rows[0].reason, "no step time and no tokens per second");
  EXPECT_EQ(rows[1].reason, "GPU type not in the catalog");
  EXPECT_EQ(rows[2].reason, "parallel layout not published");
  EXPECT_EQ(rows[3].reason, "architecture not published");
  EXPECT_EQ(rows[4].reason, "catalog has no peak for that precision");
  EXPECT_NE(rows[5].reason.find("does not divide"), std::string::npos);
  const ValidationReport report = validate_training(rows, published_calibration());
  EXPECT_EQ(report.left_out.size(), 6U);
  EXPECT_TRUE(report.rows.empty());
}

TEST(Published, MissingColumnsAreNamed) {
  const auto read = read_published_training(test_table("id,group,model\nA,b,c\n"), test_types());
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find("layers, hidden"), std::string::npos) << read.error().message;
  EXPECT_FALSE(read_published_collectives(test_table("id\nA\n"), test_types()).has_value());
}

TEST(Published, ErrorsAreSummedUp) {
  auto rows = read(
      "A1,g,M,24,2048,8192,16,16,2048,51200,8,H100 SXM,1,1,,1,,1,64,bf16,,1,,,,\n"
      "A2,h,M,24,2048,8192,16,16,2048,51200,8,H100 SXM,1,1,,1,,1,64,bf16,,1,,,,\n");
  ASSERT_EQ(rows.size(), 2U);
  const double predicted = step_time(rows[0].run(), published_calibration()).total;
  rows[0].measured_s = predicted / 1.1;
  rows[1].measured_s = predicted / 0.7;
  const ValidationReport report = validate_training(rows, published_calibration());
  ASSERT_EQ(report.totals.size(), 1U);
  EXPECT_NEAR(report.totals[0].mean, 0.2, 1e-9);
  EXPECT_NEAR(report.totals[0].bias, -0.1, 1e-9);
  EXPECT_NEAR(report.totals[0].max, 0.3, 1e-9);
  ASSERT_EQ(report.groups.size(), 2U);
  EXPECT_EQ(report.rows.front().id, "A2");  // The furthest first.
}

}  // namespace
}  // namespace gw::physics
