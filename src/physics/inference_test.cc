// Passes of a serving replica: limits, monotonicity, memory, experts, and published throughputs.
#include "physics/inference.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <chrono>
#include <cmath>

#include "physics/serving_queue.h"
#include "physics/test_subjects.h"
#include "physics/validation_inference.h"

namespace gw::physics {
namespace {

const ServingCalibration& constants() { return published_serving_calibration(); }

Deployment deployed(const char* model, const char* gpu, ServingLayout layout = {},
                    WeightFormat weights = WeightFormat::k8Bit, const char* engine = "vllm-0.11") {
  const Result<int> index = find_serving_engine(engine);
  EXPECT_TRUE(index.has_value());
  return {&test_model(model), &test_gpu(gpu), *index, layout, weights, 1};
}

Pass decoding(double sequences, double context) {
  Pass pass;
  pass.sequences = sequences;
  pass.context = context;
  return pass;
}

TEST(Inference, ThePartsAddUpAndUsesAreShares) {
  const Deployment deployment = deployed("qwen3-235b-a22b", "h100", {8, 1, 8});
  Pass pass = decoding(64, 2000);
  pass.prompt_tokens = 3000;
  pass.prompt_context = 500;
  const PassTime time = pass_time(deployment, pass, constants());
  EXPECT_NEAR(time.total,
              time.dense + time.experts + time.cache + time.attention + time.elementwise + time.output +
                  time.communication + time.launches + time.host,
              1e-12);
  for (const double part : {time.dense, time.experts, time.cache, time.attention, time.elementwise,
                            time.output, time.communication, time.launches, time.host})
    EXPECT_GT(part, 0);
  EXPECT_GT(time.memory_use, 0);
  EXPECT_LT(time.memory_use, 1);
  EXPECT_GT(time.arithmetic_use, 0);
  EXPECT_LT(time.arithmetic_use, 1);
}

TEST(Inference, ALoneTokenWaitsForTheWeights) {
  // 70 billion 8-bit weights through 4.8 TB/s: 14.5 ms, and no less.
  const PassTime time = pass_time(deployed("llama-3-70b", "h200"), decoding(1, 100), constants());
  const double read = 69.5e9 / 4.8e12;
  EXPECT_GT(time.total, read);
  EXPECT_LT(time.total, 2 * read);
  EXPECT_GT(time.dense, 0.7 * time.total);
  EXPECT_GT(time.memory_use, 0.5);
  EXPECT_LT(time.arithmetic_use, 0.05);
}

TEST(Inference, InfiniteRatesLeaveLaunchesAndTheHost) {
  Deployment deployment = deployed("mixtral-8x7b", "h100", {2, 1, 2});
  Accelerator gpu = *deployment.gpu;
  for (double* rate :
       {&gpu.dense_16bit_flops, &gpu.dense_8bit_flops, &gpu.memory_bytes_s, &gpu.scaleup_bytes_s})
    *rate *= 1e9;
  deployment.gpu = &gpu;
  ServingCalibration instant = constants();
  instant.families[0].collective_latency = 0;
  const PassTime time = pass_time(deployment, decoding(32, 1000), instant);
  EXPECT_NEAR(time.total, time.launches + time.host, 1e-3 * time.total);
}

TEST(Inference, ExpectedExpertsFollowTheBatch) {
  EXPECT_DOUBLE_EQ(distinct_experts(128, 8, 0), 0);
  EXPECT_NEAR(distinct_experts(128, 8, 1), 8, 1e-9);
  EXPECT_NEAR(distinct_experts(128, 8, 16), 128 * (1 - std::pow(1 - 8.0 / 128, 16)), 1e-9);
  EXPECT_NEAR(distinct_experts(128, 8, 1e6), 128, 1e-9);
  EXPECT_DOUBLE_EQ(distinct_experts(4, 4, 1), 4);
}

TEST(Inference, CachesAreOfTheAttentionsKind) {
  // Llama 3 70B: 80 layers x 8 heads x 128 x keys and values, one byte each: 163,840 a token.
  EXPECT_DOUBLE_EQ(cache_bytes_read(deployed("llama-3-70b", "h100"), 1000), 163840.0 * 1000);
  // Spread over four GPUs a quarter; over sixteen, heads are kept twice.
  EXPECT_DOUBLE_EQ(cache_bytes_read(deployed("llama-3-70b", "h100", {4, 1, 1}), 1000), 163840.0 * 250);
  EXPECT_DOUBLE_EQ(cache_bytes_read(deployed("llama-3-70b", "h100", {16, 1, 1}), 1000), 163840.0 * 125);
  // DeepSeek-V3 keeps 576 numbers a layer on each of its GPUs (arXiv:2412.19437, section 4.2: 512 + 64).
  EXPECT_DOUBLE_EQ(cache_bytes_read(deployed("deepseek-v3", "h200", {8, 1, 8}), 1000), 61 * 576.0 * 1000);
  // Half of gpt-oss's layers look back 128 tokens; an engine with one pool keeps the rest all the same.
  const double token = 2 * 8 * 64.0;
  const Deployment plain = deployed("gpt-oss-120b", "b200", {}, WeightFormat::kMxfp4);
  EXPECT_DOUBLE_EQ(cache_bytes_read(plain, 1000), token * (18 * 1000 + 18 * 128));
  EXPECT_DOUBLE_EQ(cache_bytes_kept(plain, 1000), cache_bytes_read(plain, 1000));
  const Deployment pooled = deployed("gpt-oss-120b", "b200", {}, WeightFormat::kMxfp4, "trtllm-1.1");
  EXPECT_DOUBLE_EQ(cache_bytes_kept(pooled, 1000), token * 36 * 1000);
}

TEST(Inference, WhatDoesNotFitSaysByHowMuch) {
  const ServingMemory one = serving_memory(deployed("llama-3-70b", "h100", {}, WeightFormat::k16Bit));
  EXPECT_FALSE(one.fits());
  EXPECT_GT(one.short_by(), 60e9);
  EXPECT_EQ(one.cache(), 0);
  EXPECT_LT(most_sequences(deployed("llama-3-70b", "h100", {}, WeightFormat::k16Bit), 100, 100), 1);
  const ServingMemory four = serving_memory(deployed("llama-3-70b", "h100", {4, 1, 1}, WeightFormat::k16Bit));
  EXPECT_TRUE(four.fits());
  EXPECT_EQ(four.short_by(), 0);
  // The published totals: 141 GB over four GPUs.
  EXPECT_NEAR(four.weights, 141.1e9 / 4, 0.2e9);
}

TEST(Inference, LayoutsThatDoNotGoTogetherAreRefused) {
  const auto message = [](const Deployment& deployment) {
    const Result<void> checked = check_deployment(deployment);
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_EQ(message(deployed("llama-3-70b", "h100", {8, 1, 1})), "");
  EXPECT_NE(message(deployed("llama-3-70b", "h100", {3, 1, 1})).find("do not divide over tensor 3"),
            std::string::npos);
  EXPECT_NE(message(deployed("llama-3-70b", "h100", {1, 2, 1})).find("count them as replicas"),
            std::string::npos);
  EXPECT_NE(message(deployed("llama-3-70b", "h100", {2, 1, 2})).find("no experts"), std::string::npos);
  EXPECT_NE(message(deployed("mixtral-8x7b", "h100", {4, 4, 16})).find("8 experts"), std::string::npos);
  EXPECT_NE(message(deployed("mixtral-8x7b", "h100", {2, 2, 8})).find("over expert 8"), std::string::npos);
}

TEST(Inference, PromptsOfAnotherPoolLeaveOnlyDecoding) {
  const Deployment deployment = deployed("llama-3-70b", "h200");
  ServingLoad load{.input = 2000, .output = 200, .sequences = 64};
  const ServingState mixed = steady_state(deployment, load, constants());
  load.prompts_here = false;
  const ServingState apart = steady_state(deployment, load, constants());
  EXPECT_GT(mixed.prompt_share, 0.3);
  EXPECT_EQ(apart.prompt_share, 0);
  EXPECT_EQ(apart.pass_s, apart.decode.total);
  EXPECT_GT(apart.tokens_s, 1.3 * mixed.tokens_s);
  // Most of a prompt that is cached need not be computed.
  load.prompts_here = true;
  load.cached_input = 1900;
  const ServingState cached = steady_state(deployment, load, constants());
  EXPECT_GT(cached.tokens_s, mixed.tokens_s);
  EXPECT_LT(cached.tokens_s, apart.tokens_s);
}

TEST(Inference, OneStepTakesLessThanTenMicroseconds) {
  const Deployment deployment = deployed("deepseek-v3", "h200", {1, 8, 8});
  double sum = 0;
  const auto begin = std::chrono::steady_clock::now();
  constexpr int kSteps = 20000;
  for (int i = 0; i < kSteps; ++i) sum += pass_time(deployment, decoding(1 + i, 3000), constants()).total;
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  EXPECT_GT(sum, 0);
  // Builds with sanitizers and busy machines are given ten times as long.
  EXPECT_LT(took.count() / kSteps, 100e-6);
}

const char* const kModels[] = {"llama-3-70b", "mixtral-8x7b", "deepseek-v3", "gpt-oss-120b", "gemma-3-27b"};
const char* const kGpus[] = {"h100", "h200", "b200", "gb200", "mi300x", "a100"};
const char* const kEngines[] = {"vllm-0.11", "trtllm-1.1", "mlperf-5.1"};

Deployment random_deployment() {
  const char* model = *rc::gen::elementOf(std::vector<const char*>(std::begin(kModels), std::end(kModels)));
  const char* gpu = *rc::gen::elementOf(std::vector<const char*>(std::begin(kGpus), std::end(kGpus)));
  const char* engine =
      *rc::gen::elementOf(std::vector<const char*>(std::begin(kEngines), std::end(kEngines)));
  ServingLayout layout;
  layout.tensor = *rc::gen::element<std::uint32_t>(1, 2, 4, 8);
  if (test_model(model).mixture()) {
    layout.data = *rc::gen::element<std::uint32_t>(1, 2);
    layout.expert = *rc::gen::element<std::uint32_t>(1, layout.tensor);
  }
  const WeightFormat weights = *rc::gen::element(WeightFormat::k16Bit, WeightFormat::k8Bit,
                                                 WeightFormat::kMxfp4, WeightFormat::kNvfp4);
  return deployed(model, gpu, layout, weights, engine);
}

Pass random_pass() {
  Pass pass = decoding(*rc::gen::inRange(1, 2000), *rc::gen::inRange(1, 50000));
  pass.prompt_tokens = *rc::gen::inRange(0, 20000);
  pass.prompt_context = *rc::gen::inRange(1, 50000);
  return pass;
}

RC_GTEST_PROP(InferenceProperty, FasterHardwareIsNeverSlower, ()) {
  Deployment deployment = random_deployment();
  RC_PRE(check_deployment(deployment).has_value());
  const Pass pass = random_pass();
  const double before = pass_time(deployment, pass, constants()).total;
  Accelerator gpu = *deployment.gpu;
  double* const rates[] = {&gpu.dense_16bit_flops, &gpu.dense_8bit_flops, &gpu.dense_4bit_flops,
                           &gpu.memory_bytes_s,    &gpu.scaleup_bytes_s,  &gpu.network_bytes_s};
  const auto which = static_cast<std::size_t>(*rc::gen::inRange(0, 6));
  *rates[which] *= *rc::gen::element(1.01, 1.5, 4.0);
  // What was measured of the GPU stays the same share of the peak.
  gpu.measured_16bit_flops *= gpu.dense_16bit_flops / deployment.gpu->dense_16bit_flops;
  deployment.gpu = &gpu;
  RC_ASSERT(pass_time(deployment, pass, constants()).total <= before * (1 + 1e-12));
}

RC_GTEST_PROP(InferenceProperty, MoreMemoryHoldsNoFewerSequences, ()) {
  Deployment deployment = random_deployment();
  RC_PRE(check_deployment(deployment).has_value());
  const double input = *rc::gen::inRange(1, 30000);
  const double output = *rc::gen::inRange(1, 5000);
  const double before = most_sequences(deployment, input, output);
  Accelerator gpu = *deployment.gpu;
  gpu.memory_bytes *= *rc::gen::element(1.01, 1.5, 3.0);
  deployment.gpu = &gpu;
  RC_ASSERT(most_sequences(deployment, input, output) >= before);
  RC_ASSERT(most_sequences(deployment, input + 100, output) <= most_sequences(deployment, input, output));
}

RC_GTEST_PROP(InferenceProperty, MoreWorkNeverEndsSooner, ()) {
  const Deployment deployment = random_deployment();
  RC_PRE(check_deployment(deployment).has_value());
  const Pass pass = random_pass();
  const double before = pass_time(deployment, pass, constants()).total;
  Pass more = pass;
  double* const parts[] = {&more.sequences, &more.context, &more.prompt_tokens, &more.prompt_context};
  *parts[static_cast<std::size_t>(*rc::gen::inRange(0, 4))] += *rc::gen::inRange(1, 1000);
  RC_ASSERT(pass_time(deployment, more, constants()).total >= before * (1 - 1e-12));
}

RC_GTEST_PROP(InferenceProperty, LargerBatchesDecodeNoFewerTokens, ()) {
  const Deployment deployment = random_deployment();
  RC_PRE(check_deployment(deployment).has_value());
  // With prompts mixed in a pass may cross into a second chunk, so only decoding is sure to gain.
  ServingLoad load{.input = double(*rc::gen::inRange(1, 5000)),
                   .output = double(*rc::gen::inRange(2, 2000)),
                   .sequences = double(*rc::gen::inRange(1, 1000)),
                   .prompts_here = false};
  const double before = steady_state(deployment, load, constants()).tokens_s;
  load.sequences *= 2;
  RC_ASSERT(steady_state(deployment, load, constants()).tokens_s >= before * (1 - 1e-12));
}

TEST(Inference, APassHasNoRoomForMoreThanItsChunk) {
  // Chunks of 2048 tokens: with prompts as long as answers, half of them are of answers.
  const Deployment deployment = deployed("llama-3-8b", "h200", {}, WeightFormat::k8Bit, "mlperf-5.1");
  ServingLoad load{.input = 500, .output = 500, .sequences = 1000};
  const double below = steady_state(deployment, load, constants()).tokens_s;
  load.sequences = 1024;
  const ServingState full = steady_state(deployment, load, constants());
  EXPECT_GT(full.tokens_s, below);
  load.sequences = 2000;
  const ServingState over = steady_state(deployment, load, constants());
  EXPECT_EQ(over.tokens_s, full.tokens_s);
  EXPECT_EQ(over.pass_s, full.pass_s);
  // And so says a queue that is always full.
  const auto requests = random_requests(1e6, 500, 500, 0, 10'000, 7);
  const QueueResult queue =
      simulate_queue({.deployment = deployment, .prompt_deployment = {}}, requests, constants());
  EXPECT_LT(queue.sequences, 1.1 * 1024);
  EXPECT_NEAR(queue.tokens_s / full.tokens_s, 1, 0.12);
}

TEST(Inference, BeamsAreDecodedAtOnceAndOneIsGiven) {
  const Deployment deployment = deployed("gpt-j-6b", "h100");
  ServingLoad load{.input = 10, .output = 500, .sequences = 10};
  load.cached_input = 10;
  ServingLoad wide = load;
  wide.beams = 4;
  ServingLoad many = load;
  many.sequences = 40;
  EXPECT_EQ(steady_state(deployment, wide, constants()).pass_s,
            steady_state(deployment, many, constants()).pass_s);
  EXPECT_DOUBLE_EQ(4 * steady_state(deployment, wide, constants()).tokens_s,
                   steady_state(deployment, many, constants()).tokens_s);
}

constexpr std::string_view kTable =
    "id,group,model,active_params_b,precision,gpus,gpu_type,engine,tp,dp,ep,scenario,isl,osl,batch,"
    "tok_s_per_gpu,power_w_per_gpu,notes\n"
    "a,mine,Llama-3.3-70B,70,fp8,2,H200,TensorRT-LLM,2,,,max throughput (offline),1000,1000,,2500,,\n"
    "b,ml-energy-lm-arena-chat,openai/"
    "gpt-oss-20b,3.6,mxfp4,1,H100,vLLM,1,1,1,steady-state,,400,32,3000,500,\n"
    "c,mine,Unheard-Of-9B,9,fp8,1,H100,vLLM,1,1,1,steady-state,100,400,32,3000,500,\n"
    "d,mine,Llama-3.3-70B,70,fp8,2,Abacus,vLLM,2,,,offline,1000,1000,,2500,,\n"
    "e,mine,Llama-3.3-70B,70,INT3,2,H200,vLLM,2,,,offline,1000,1000,,2500,,\n"
    "f,mine,Llama-3.3-70B,70,bf16,1,H100,vLLM,1,,,offline,1000,1000,,2500,,\n"
    "g,mine,DeepSeek-R1,37,fp4,,8xB200,TensorRT-LLM,,,4,offline,1000,1000,,6000,,parallel mapping DEP4\n"
    "h,mlperf-inf-v5.1,llama2-70b-99,70,fp8,8,NVIDIA H200-SXM-141GB,TensorRT,,,,Offline,,,,4300,,\n"
    "i,mlperf-inf-v5.1,llama3.1-8b,8,fp8,1,NVIDIA H100-SXM-80GB,vLLM 0.10.0,,,,Offline,,,,5777,,\n"
    "j,mlperf-inf-v4.1,gptj-99,6,fp8,1,NVIDIA H200-SXM-141GB,TensorRT,,,,Offline,,,,2600,,\n"
    "k,mlperf-inf-v5.1,deepseek-r1,37,fp4,72,NVIDIA GB300,TensorRT,,,,Offline,,,,5842,,\n";

TEST(PublishedInference, RowsAreReadOrLeftOutForAReason) {
  const auto rows = read_published_inference(test_table(kTable), test_types());
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 11U);
  EXPECT_EQ((*rows)[0].reason, "");
  EXPECT_EQ((*rows)[0].layout.tensor, 2U);
  EXPECT_EQ((*rows)[0].cache_bytes, 1);
  EXPECT_TRUE((*rows)[0].offline);
  EXPECT_EQ((*rows)[1].reason, "");
  EXPECT_EQ((*rows)[1].weights, WeightFormat::kMxfp4);
  EXPECT_EQ((*rows)[1].sequences, 32);
  EXPECT_GT((*rows)[1].load(constants()).input, 20);  // From the set of prompts.
  EXPECT_EQ((*rows)[2].reason, "model not in the catalog");
  EXPECT_EQ((*rows)[3].reason, "GPU type not in the catalog");
  EXPECT_EQ((*rows)[4].reason, "numbers that are not modelled");
  EXPECT_EQ((*rows)[5].reason, "does not fit, says the memory model");
  EXPECT_EQ((*rows)[6].reason, "");
  EXPECT_EQ((*rows)[6].gpu.name, "b200");
  EXPECT_EQ((*rows)[6].layout.data, 4U);
  EXPECT_EQ((*rows)[6].layout.expert, 4U);
  EXPECT_EQ((*rows)[7].reason, "");
  EXPECT_EQ((*rows)[7].gpu.name, "h200");
  EXPECT_EQ((*rows)[7].output, 294.45);
  EXPECT_NE((*rows)[7].assumed, "");
  EXPECT_DOUBLE_EQ((*rows)[7].load(constants()).input, 222.3);  // As published.
  const auto engine = [&](std::size_t row) {
    return serving_engines()[static_cast<std::size_t>((*rows)[row].engine)].name;
  };
  EXPECT_EQ(engine(7), "mlperf-5.1");
  EXPECT_EQ(engine(8), "vllm-0.11");  // Not tuned by the GPU's vendor.
  EXPECT_EQ((*rows)[8].load(constants()).beams, 1);
  EXPECT_EQ((*rows)[9].load(constants()).beams, 4);
  EXPECT_EQ((*rows)[10].layout.data, 8U);
  const auto missing = read_published_inference(test_table("id,group\n"), test_types());
  ASSERT_FALSE(missing.has_value());
  EXPECT_NE(missing.error().message.find("does not name model"), std::string::npos);
}

TEST(Inference, ALimitOfThePassLeavesTheMostRequestsThatKeepIt) {
  const Deployment deployment = deployed("llama-2-70b", "h200", {1, 1, 1}, WeightFormat::k8Bit, "mlperf-5.1");
  ServingLoad load{.input = 222, .output = 294, .sequences = 700, .spread = 0.8};
  const ServingState full = steady_state(deployment, load, constants());
  EXPECT_EQ(steady_state_within(deployment, load, 2 * full.pass_s, constants()).tokens_s, full.tokens_s);
  const ServingState tight = steady_state_within(deployment, load, full.pass_s / 4, constants());
  EXPECT_NEAR(tight.pass_s, full.pass_s / 4, 1e-6 * full.pass_s);
  EXPECT_LT(tight.tokens_s, full.tokens_s);
  EXPECT_GT(tight.tokens_s, 0);
  EXPECT_EQ(steady_state_within(deployment, load, 1e-4, constants()).tokens_s, 0);
}

TEST(Inference, TunedEnginesTakeMoreTokensAPassOnGpusWithFourBitUnits) {
  const ServingEngine& tuned =
      serving_engines()[static_cast<std::size_t>(*find_serving_engine("mlperf-5.1"))];
  EXPECT_EQ(tuned.pass_tokens(test_gpu("h200")), 2048);
  EXPECT_EQ(tuned.pass_tokens(test_gpu("b200")), 3584);
  const ServingEngine& plain = serving_engines()[static_cast<std::size_t>(*find_serving_engine("vllm-0.11"))];
  EXPECT_EQ(plain.pass_tokens(test_gpu("b200")), plain.pass_tokens(test_gpu("h200")));
}

TEST(PublishedInference, ErrorsStayWithinWhatIsPromised) {
  GW_NEED_REFERENCE(path, "inference.csv");
  auto source = workload::open_file(path);
  ASSERT_TRUE(source.has_value());
  const auto rows = read_published_inference(test_table(**source), test_types());
  ASSERT_TRUE(rows.has_value());
  const ValidationReport report = validate_inference(*rows, constants());
  ASSERT_EQ(report.totals.size(), 4U);
  for (const ErrorSummary& total : report.totals) {
    // docs/physics-inference.md: dense 8 % offline, mixtures and 4-bit numbers 15 %.
    const bool dense = total.name.starts_with("dense");
    EXPECT_LT(total.mean, dense ? (total.name.ends_with("offline") ? 0.08 : 0.10) : 0.15) << total.name;
    EXPECT_LT(total.mean, total.null_mean) << total.name;
    EXPECT_LT(std::abs(total.bias), 0.05) << total.name;
  }
}

}  // namespace
}  // namespace gw::physics
