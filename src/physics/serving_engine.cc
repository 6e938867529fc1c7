// The engines that are told apart, and the constants. Values between the markers are written by the fit.
#include "physics/serving_engine.h"

#include <fmt/format.h>

namespace gw::physics {

const std::array<ServingEngine, kServingEngines>& serving_engines() {
  static constexpr std::array<ServingEngine, kServingEngines> kAll = {{
      {.name = "vllm-0.11",
       .family = EngineFamily::kVllm,
       .year = 2025.8,
       .rank_sequences = 4096,
       .gathers_tokens = true,
       .note = "vLLM V1, chunked prompts, recorded graphs (ML.ENERGY benchmark v3)"},
      {.name = "trtllm-1.1",
       .family = EngineFamily::kTensorRt,
       .year = 2025.8,
       .rank_sequences = 2048,
       .reserves_output = true,
       .one_pool = true,
       .note = "TensorRT-LLM on PyTorch, its published performance overview"},
      {.name = "mlperf-4.1",
       .family = EngineFamily::kTuned,
       .year = 2024.6,
       .memory_share = 0.95,
       .rank_sequences = 2048,
       .chunk = 2048,
       .chunk_4bit = 3584,
       .note = "TensorRT-LLM and vLLM as tuned for MLPerf Inference v4.1"},
      {.name = "mlperf-5.1",
       .family = EngineFamily::kTuned,
       .year = 2025.6,
       .memory_share = 0.95,
       .rank_sequences = 2048,
       .chunk = 2048,
       .chunk_4bit = 3584,
       .note = "TensorRT-LLM as tuned for MLPerf Inference v5.1"},
      {.name = "mlperf-5.1-rocm",
       .family = EngineFamily::kTuned,
       .year = 2025.6,
       .memory_share = 0.95,
       .rank_sequences = 2048,
       .admission_passes = 8,
       .note = "vLLM on ROCm as tuned for MLPerf Inference v5.1"},
      {.name = "trtllm-1.0",
       .family = EngineFamily::kTensorRt,
       .year = 2025.6,
       .memory_share = 0.95,
       .rank_sequences = 1280,
       .chunk = 4608,
       .prompt_wait_passes = 9,
       .note = "TensorRT-LLM on PyTorch as in MLPerf Inference v5.1 (DeepSeek-R1)"},
  }};
  return kAll;
}

Result<int> find_serving_engine(std::string_view name) {
  std::string names;
  for (int i = 0; i < kServingEngines; ++i) {
    const std::string_view each = serving_engines()[static_cast<std::size_t>(i)].name;
    if (each == name) return i;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", each);
  }
  return fail(fmt::format("there is no serving engine \"{}\"; take one of {}", name, names));
}

int default_serving_engine(const Accelerator&) { return 0; }

const ServingCalibration& published_serving_calibration() {
  static constexpr ServingCalibration kPublished = {
  // BEGIN FITTED
#include "physics/serving_calibration_values.inc"
      // END FITTED
  };
  return kPublished;
}

Generation serving_generation(const Accelerator& gpu) {
  if (gpu.generation != Generation::kOther) return gpu.generation;
  for (const std::string_view each : {"mi", "l4", "rtx-pro"}) {
    if (gpu.name.starts_with(each)) return Generation::kOther;
  }
  return Generation::kHopper;
}

ServingChip serving_chip(const ServingCalibration& calibration, const Accelerator& gpu) {
  ServingChip chip = calibration.chips[static_cast<std::size_t>(serving_generation(gpu))];
  if (gpu.generation != Generation::kOther) return chip;
  // Matrix products come as near to the peak as the largest measured ones, relative to an H100's (794.5 of
  // 989 TFLOP/s).
  if (gpu.measured_16bit_flops > 0 && gpu.dense_16bit_flops > 0) {
    const double scale = gpu.measured_16bit_flops / gpu.dense_16bit_flops / (794.5 / 989.0);
    for (double* each : {&chip.products_16bit, &chip.products_8bit, &chip.products_4bit, &chip.attention})
      *each *= scale;
  }
  return chip;
}

}  // namespace gw::physics
