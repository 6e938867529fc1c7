// The stacks that are told apart, and the constants. Values between the markers are written by the fit.
#include "physics/calibration.h"

#include <fmt/format.h>

#include <algorithm>

namespace gw::physics {

const std::array<Stack, kStacks>& stacks() {
  static constexpr std::array<Stack, kStacks> kAll = {{
      {"megatron-2020", Family::kMegatron, 2020.5, false, 2, false, "Megatron-LM, tensor and data parallel"},
      {"megatron-2021", Family::kMegatron, 2021.3, false, 2, false, "Megatron-LM with interleaved pipeline"},
      {"deepspeed-2021", Family::kMegatron, 2021.3, false, 2, true,
       "DeepSpeed ZeRO-3 without model parallelism"},
      {"megatron-2022", Family::kMegatron, 2022.4, false, 2, false,
       "sequence parallel, selective recomputation"},
      // Its BF16 optimizer accumulates and reduces gradients in 32 bits and does not shard them (tr11-176B-ml
      // of bigscience-workshop/bigscience, "Deepspeed config"); its pipeline does not interleave.
      {"megatron-deepspeed-2022", Family::kDeepspeed, 2022.2, false, 4, false,
       "Megatron-DeepSpeed pipelines: MT-NLG, BLOOM", true},
      {"megatron-2023", Family::kMegatron, 2023.5, true, 4, false, "Megatron-LM of mid 2023, FlashAttention"},
      {"megascale", Family::kInHouse, 2023.8, true, 2, false, "ByteDance MegaScale, NSDI 24"},
      {"deepseek", Family::kInHouse, 2024.9, true, 2, false, "DeepSeek-V3, DualPipe and DeepEP"},
      // scripts/train/benchmarking/sweep.sh of mosaicml/llm-foundry: PyTorch 1.13.1 at 5f43bf1 (May
      // 2023), 2.1.0 at b2a43a1 (October 2023), both without reentrant checkpoints, which stop early from 2.1
      // on (pytorch/pytorch pull request 96866).
      {"composer-2023", Family::kComposer, 2023.3, true, 2, false, "llm-foundry on PyTorch 1.13 FSDP, A100"},
      {"composer-2023.10", Family::kComposer, 2023.8, true, 2, false, "llm-foundry on PyTorch 2.1 FSDP, A100",
       false, true},
      {"composer-2024", Family::kComposer, 2024.0, true, 2, false, "llm-foundry on PyTorch 2.1 FSDP, H100",
       false, true},
      {"nemo-23.04", Family::kNemo, 2023.3, true, 2, false, "MLPerf Training v3.0"},
      {"nemo-23.09", Family::kNemo, 2023.75, true, 2, false, "MLPerf Training v3.1"},
      {"nemo-24.04", Family::kNemo, 2024.3, true, 2, false, "MLPerf Training v4.0"},
      {"mcore-0.8", Family::kNemo, 2024.5, true, 2, false, "Megatron-Core, end to end with data loading"},
      {"nemo-24.09", Family::kNemo, 2024.75, true, 2, false, "MLPerf Training v4.1"},
      {"nemo-25.04", Family::kNemo, 2025.3, true, 2, false,
       "MLPerf Training v5.0, NeMo recipes of spring 2025"},
      {"bridge-25.09", Family::kNemo, 2025.7, true, 2, false, "Megatron-Bridge 25.09"},
      {"bridge-25.11", Family::kNemo, 2025.9, true, 2, false, "Megatron-Bridge 25.11"},
      {"bridge-26.02", Family::kNemo, 2026.1, true, 2, false, "Megatron-Bridge 26.02"},
      {"bridge-26.04", Family::kNemo, 2026.3, true, 2, false, "Megatron-Bridge 26.04"},
  }};
  return kAll;
}

Result<int> find_stack(std::string_view name) {
  std::string names;
  for (int i = 0; i < kStacks; ++i) {
    const std::string_view each = stacks()[static_cast<std::size_t>(i)].name;
    if (each == name) return i;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", each);
  }
  return fail(fmt::format("there is no software stack \"{}\"; take one of {}", name, names));
}

int default_stack(Generation generation) {
  switch (generation) {
    case Generation::kVolta:
      return 0;
    case Generation::kAmpere:
      return 3;
    default:
      return kStacks - 1;
  }
}

const Calibration& published_calibration() {
  static constexpr Calibration kPublished = {
  // BEGIN FITTED
#include "physics/calibration_values.inc"
      // END FITTED
  };
  return kPublished;
}

ChipConstants chip_constants(const Calibration& calibration, const Accelerator& gpu) {
  if (gpu.generation != Generation::kOther)
    return calibration.chips[static_cast<std::size_t>(gpu.generation)];
  // No training on such a GPU was fitted: Hopper's constants, scaled by how near large products come to the
  // peak on this GPU and on H100 (794.5 of 989 TFLOP/s).
  ChipConstants chip = calibration.chips[static_cast<std::size_t>(Generation::kHopper)];
  if (gpu.measured_16bit_flops > 0 && gpu.dense_16bit_flops > 0) {
    const double scale = gpu.measured_16bit_flops / gpu.dense_16bit_flops / (794.5 / 989.0);
    for (double* each : {&chip.gemm_16bit, &chip.gemm_8bit, &chip.gemm_4bit, &chip.attention}) *each *= scale;
  }
  return chip;
}

}  // namespace gw::physics
