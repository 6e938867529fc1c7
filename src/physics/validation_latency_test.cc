// What is served within latency limits, and times between tokens, beside a table's.
#include "physics/validation_latency.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "physics/test_subjects.h"
#include "physics/validation_inference.h"

namespace gw::physics {
namespace {

const ServingCalibration& constants() { return published_serving_calibration(); }

constexpr std::string_view kTable =
    "id,group,model,active_params_b,precision,gpus,gpu_type,engine,tp,dp,ep,scenario,isl,osl,batch,"
    "tok_s_per_gpu,tpot_ms_p50,tpot_ms_p99\n"
    "a,mlperf-inf-v5.1,llama2-70b-99,70,fp8,8,NVIDIA H200-SXM-141GB,TensorRT,,,,Server,,,,4100,,\n"
    "b,mlperf-inf-v5.1,llama2-70b-99,70,fp8,8,NVIDIA H200-SXM-141GB,TensorRT,,,,Interactive,,,,2500,,\n"
    "c,mlperf-inf-v5.1,llama2-70b-99,70,fp8,8,NVIDIA H200-SXM-141GB,TensorRT,,,,Offline,,,,4300,,\n"
    "d,mlperf-inf-v5.1,gptj-99,6,fp8,8,NVIDIA H200-SXM-141GB,TensorRT,,,,Server,,,,2000,,\n"
    "e,ml-energy-lm-arena-chat,Llama-3.1-8B,8,bf16,1,H100,vLLM,1,1,1,steady-state,,400,32,3400,9,18\n";

TEST(ValidationLatency, LimitsAndGapsAreComparedAndThroughputIsNot) {
  const auto rows = read_published_inference(test_table(kTable), test_types());
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ((*rows)[0].limits.first_token_s, 2);
  EXPECT_EQ((*rows)[1].limits.per_token_s, 0.04);
  EXPECT_FALSE((*rows)[2].limited());
  EXPECT_EQ((*rows)[3].reason, "latency limits that are not known");
  const ValidationReport report = validate_latency(*rows, constants());
  ASSERT_EQ(report.rows.size(), 4U);
  const auto predicted = [&](const char* id, const char* ending) {
    const auto found = std::ranges::find_if(
        report.rows, [&](const Comparison& each) { return each.id == id && each.what.ends_with(ending); });
    return found == report.rows.end() ? 0 : found->predicted;
  };
  // The tighter the limits, the less is served; and no more than without any.
  const ServingLoad load = (*rows)[2].load(constants());
  const double full = steady_state((*rows)[2].deployment(), load, constants()).tokens_s_gpu;
  EXPECT_GT(predicted("b", "interactive"), 0);
  EXPECT_LT(predicted("b", "interactive"), predicted("a", "server"));
  EXPECT_LE(predicted("a", "server"), 1.01 * full);
  EXPECT_GT(predicted("e", "p50"), 0);
  EXPECT_LT(predicted("e", "p50"), predicted("e", "p99"));
  // Rows with limits say nothing of throughput.
  const ValidationReport throughput = validate_inference(*rows, constants());
  EXPECT_EQ(throughput.rows.size(), 2U);
}

TEST(ValidationLatency, AGapIsAPassAndGrowsWithItsShare) {
  Deployment deployment{&test_model("llama-3-8b"), &test_gpu("h100"), 0, {}, WeightFormat::k16Bit, 2};
  ServingLoad load{.input = 500, .output = 100, .sequences = 200};
  double before = 0;
  for (const double share : {0.01, 0.3, 0.5, 0.9, 0.99, 0.999}) {
    const double gap = token_gap(deployment, load, share, constants());
    EXPECT_GE(gap, before);
    before = gap;
  }
  load.prompts_here = false;
  const double alone = token_gap(deployment, load, 0.99, constants());
  EXPECT_EQ(alone, steady_state(deployment, load, constants()).decode.total);
  EXPECT_GT(before, alone);
  // Where two requests begin in the mean pass, half of the passes have no more than two prompts.
  load.prompts_here = true;
  const ServingState state = steady_state(deployment, load, constants());
  EXPECT_NEAR(token_gap(deployment, load, 0.5, constants()) / state.pass_s, 1, 0.2);
}

TEST(ValidationLatency, RepeatedConfigurationsTellTheirSpread) {
  constexpr std::string_view kRepeats =
      "id,group,model,active_params_b,precision,gpus,gpu_type,engine,tp,dp,ep,scenario,isl,osl,batch,"
      "tok_s_per_gpu\n"
      "a,mlperf-inf-v5.1,llama2-70b-99,70,fp8,8,H200,TensorRT,,,,Offline,,,,4000\n"
      "b,mlperf-inf-v5.1,llama2-70b-99,70,fp8,8,H200,TensorRT,,,,Offline,,,,4000\n"
      "c,mlperf-inf-v5.1,llama2-70b-99,70,fp8,8,H200,TensorRT,,,,Offline,,,,5000\n";
  const auto rows = read_published_inference(test_table(kRepeats), test_types());
  ASSERT_TRUE(rows.has_value());
  const ValidationReport report = validate_inference(*rows, constants());
  ASSERT_EQ(report.notes.size(), 1U);
  EXPECT_NE(report.notes[0].find("3 rows repeat 1 configurations and lie 6.7 % (at most 20.0 %)"),
            std::string::npos)
      << report.notes[0];
}

TEST(ValidationLatency, WhatOtherConfigurationsTellIsSaid) {
  constexpr std::string_view kOthers =
      "id,group,model,active_params_b,precision,gpus,gpu_type,engine,tp,dp,ep,scenario,isl,osl,batch,"
      "tok_s_per_gpu\n"
      "a,mlperf-inf-v5.1,llama2-70b-99,70,fp8,8,H200,TensorRT,,,,Server,,,,4000\n"
      "b,mlperf-inf-v5.1,llama3.1-8b,8,fp8,8,H200,TensorRT,,,,Server,,,,7000\n"
      "c,mlperf-inf-v5.1,llama2-70b-99,70,fp8,8,H100,TensorRT,,,,Interactive,,,,2000\n";
  const auto rows = read_published_inference(test_table(kOthers), test_types());
  ASSERT_TRUE(rows.has_value());
  const ValidationReport report = validate_latency(*rows, constants());
  ASSERT_EQ(report.notes.size(), 1U);  // Nothing else is interactive, and nothing is a repeat.
  // 8 x 7000 for 70 x 4000 and the reverse: 80 % and 400 % off.
  EXPECT_NE(report.notes[0].find("server: "), std::string::npos) << report.notes[0];
  EXPECT_NE(report.notes[0].find("errs by 240.0 % over 2 rows"), std::string::npos) << report.notes[0];
}

TEST(ValidationLatency, ErrorsStayWithinWhatTheDocsSay) {
  GW_NEED_REFERENCE(path, "inference.csv");
  auto source = workload::open_file(path);
  ASSERT_TRUE(source.has_value());
  const auto rows = read_published_inference(test_table(**source), test_types());
  ASSERT_TRUE(rows.has_value());
  const ValidationReport report = validate_latency(*rows, constants());
  int limited = 0;
  for (const ErrorSummary& total : report.totals) {
    if (!total.name.starts_with("server") && !total.name.starts_with("interactive")) continue;
    ++limited;
    EXPECT_LT(total.mean, total.name == "server, MoE" ? 0.15 : 0.12) << total.name;
    EXPECT_LT(std::abs(total.bias), 0.12) << total.name;
  }
  EXPECT_EQ(limited, 3);
}

}  // namespace
}  // namespace gw::physics
