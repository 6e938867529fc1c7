// Rows of published measurements as runs, and the reasons why some are none.
#include "physics/published.h"

#include <fmt/format.h>

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

TEST(Published, WhatARecipeDocumentsIsFilledIn) {
  const auto rows = read(
      "A1,bridge-26.02.01,LLAMA3_70B,80,8192,28672,64,8,8192,128256,64,GB300 "
      "NVL72,1,4,,1,,2,256,MXFP8,,6.83,,,,\n"
      "A2,bridge-26.04,DeepSeekV3,61,7168,18432 dense / 2048 x (8+1 of 256),128,MLA,4096,129280,256,B200 "
      "SXM,1,16,"
      ",1,8,1,4096,MXFP8,,23.28,,,,\n"
      "A3,bloom,BLOOM-176B,70,14336,,112,112,2048,250880,384,A100-80GB "
      "SXM,4,12,,1,,2,16,bf16,full,15.23,,,,\n"
      "A4,mtnlg,MT-NLG,104,20480,81920,128,128,2048,50257,2080,A100-80GB "
      "SXM,8,26,,1,,1,1920,bf16,full,60.1,,,,\n");
  ASSERT_EQ(rows.size(), 4U);
  for (const PublishedTraining& row : rows) EXPECT_EQ(row.reason, "");
  EXPECT_EQ(rows[0].layout.chunks, 5U);
  EXPECT_EQ(rows[0].assumed, "5 chunks a stage");
  EXPECT_EQ(rows[1].layout.chunks, 1U);
  for (const std::size_t at : {2U, 3U}) {
    EXPECT_EQ(stacks()[static_cast<std::size_t>(rows[at].stack)].name, "megatron-deepspeed-2022");
    EXPECT_EQ(rows[at].layout.chunks, 1U);  // Four layers a stage would divide.
    EXPECT_EQ(rows[at].layout.sharding, Sharding::kOptimizer);
  }
  EXPECT_LT(rows[2].gpu.network_bytes_s, 0.5 * rows[3].gpu.network_bytes_s);  // Omni-Path at Jean Zay.
}

TEST(Published, RecipesSayHowTokensReachExperts) {
  constexpr std::string_view kQwen = "94,4096,1536 x 8 of 128,64,4,4096,151936,256,";
  constexpr std::string_view kBatch = "32,1,8192,FP8,,80,,,,\n";
  const auto row = [&](std::string_view group, std::string_view model, std::string_view layout) {
    return fmt::format("A,{},{},{}{}{}", group, model, kQwen, layout, kBatch);
  };
  const auto rows = read(row("bridge-26.02", "Qwen3_235B_a22B", "H100 SXM,2,8,4,1,") +
                         row("bridge-26.02", "Qwen3_235B_a22B", "H100 SXM,2,8,,1,") +
                         row("bridge-26.02", "Qwen3_235B_a22B", "GB200 NVL72,2,8,4,1,") +
                         row("bridge-25.09", "Qwen3_235B_a22B (tokendrop)", "H100 SXM,2,8,4,1,") +
                         row("other", "Qwen3_235B_a22B", "H100 SXM,2,8,4,1,"));
  ASSERT_EQ(rows.size(), 5U);
  for (const PublishedTraining& each : rows) EXPECT_EQ(each.reason, "");
  EXPECT_TRUE(rows[0].run().copies_per_expert);
  EXPECT_TRUE(rows[0].run().overlaps_experts);
  EXPECT_EQ(rows[0].assumed, "plain all-to-all, all-to-all overlapped");
  EXPECT_FALSE(rows[1].run().overlaps_experts);  // No interleaving.
  for (const std::size_t at : {2U, 3U, 4U}) EXPECT_FALSE(rows[at].run().overlaps_experts) << at;
  EXPECT_TRUE(rows[3].run().drops_tokens);
}

TEST(Published, TablesOfOneReadmeAreOfTheirOwnSoftware) {
  constexpr std::string_view kShape = "48,7168,28672,56,56,2048,50368,128,";
  constexpr std::string_view kRest = ",1,1,,1,,6,768,bf16,full,14.2,,,,FSDP\n";
  const auto rows = read(fmt::format("A1,llm-foundry,MPT-30b,{}A100-40GB SXM{}", kShape, kRest) +
                         fmt::format("A2,llm-foundry,MPT-30b,{}A100-80GB SXM{}", kShape, kRest) +
                         fmt::format("A3,llm-foundry,MPT-30b,{}H100 SXM{}", kShape, kRest));
  ASSERT_EQ(rows.size(), 3U);
  const auto stack = [&](std::size_t at) { return stacks()[static_cast<std::size_t>(rows[at].stack)]; };
  EXPECT_EQ(stack(0).name, "composer-2023");
  EXPECT_FALSE(stack(0).stops_early);
  EXPECT_EQ(stack(1).name, "composer-2023.10");
  EXPECT_TRUE(stack(1).stops_early);
  EXPECT_EQ(stack(2).name, "composer-2024");
}

TEST(Published, RepeatedMeasurementsGiveTheFloor) {
  const auto rows = read(
      "A1,bridge-26.04,M,24,2048,8192,16,16,2048,51200,8,H100 SXM,1,1,,1,,1,64,bf16,none,1,,,,\n"
      "A2,bridge-26.04.01,M,24,2048,8192,16,16,2048,51200,8,H100 SXM,1,1,,1,,1,64,bf16,none,1.2,,,,\n"
      "A3,bridge-26.04,M,24,2048,8192,16,16,2048,51200,8,H100 SXM,1,1,,1,,2,64,bf16,none,3,,,,\n");
  const ValidationReport report = validate_training(rows, published_calibration());
  ASSERT_FALSE(report.notes.empty());
  EXPECT_EQ(
      report.notes.front(),
      "Dense: 2 rows are 1 configurations measured more than once; the slowest of each is 20.0 % above the "
      "fastest on average, 20.0 % at most (M, A1 A2). No model of these columns errs by less than half of "
      "that.");
  const ValidationReport once = validate_training({rows[0], rows[2]}, published_calibration());
  for (const std::string& note : once.notes) EXPECT_EQ(note.find("more than once"), std::string::npos);
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

TEST(Published, ARowThatItsSiblingsContradictIsSaid) {
  auto rows = read(
      "A1,g,M,24,2048,8192,16,16,2048,51200,8,H100 SXM,1,1,,1,,1,64,bf16,,1,,,,\n"
      "A2,g,M,24,2048,8192,16,16,2048,51200,16,H100 SXM,1,1,,1,,2,64,bf16,,1,,,,\n"
      "A3,g,M,24,2048,8192,16,16,1024,51200,8,H100 SXM,1,1,,1,,1,64,bf16,,1,,,,\n");
  ASSERT_EQ(rows.size(), 3U);
  const auto notes = [&](double first, double second, double third) {
    const std::array ratios = {first, second, third};
    for (std::size_t i = 0; i < rows.size(); ++i)
      rows[i].measured_s = step_time(rows[i].run(), published_calibration()).total / ratios[i];
    std::string text;
    for (const std::string& each : validate_training(rows, published_calibration()).notes) {
      if (each.find("what would mend the one") != std::string::npos) text += each;
    }
    return text;
  };
  EXPECT_EQ(notes(1, 1, 1), "");
  EXPECT_EQ(notes(0.9, 1, 1), "");    // Not far.
  EXPECT_EQ(notes(0.8, 0.8, 1), "");  // Both far alike: the model's error. Another sequence is no sibling.
  EXPECT_EQ(notes(1, 1, 0.7), "");
  const std::string said = notes(0.8, 1, 1);
  EXPECT_NE(said.find("A1 is -20.0 % off, the one row"), std::string::npos) << said;
  // 0.889 and 1.111 are as far off.
  EXPECT_NE(said.find("(A2) +0.0 %"), std::string::npos) << said;
  EXPECT_NE(said.find("less than 11.1 % on both"), std::string::npos) << said;
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
