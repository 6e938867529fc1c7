// ServingEngine: the software that serves a model, by version, and the constants of serving.
//
// None is fitted to one row or one paper. docs/physics-inference.md says what each means, how it was fitted
// and how well the model does on groups that were left out of the fit.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "physics/accelerator.h"

namespace gw::physics {

/// How much of its nominal rates a GPU generation reaches in serving.
struct ServingChip {
  double memory = 0;          ///< Of the memory bandwidth, when weights are read.
  double products_16bit = 0;  ///< Of the dense peak, in large matrix products.
  double products_8bit = 0;
  double products_4bit = 0;
  double attention = 0;  ///< Of the dense 16-bit peak, in fused attention.
};

/// What a family of engines does about everything that is not a large matrix product.
struct EngineConstants {
  double products = 1;         ///< Rate of matrix products over that of the chip.
  double expert_products = 1;  ///< Rate of grouped (expert) products over that of plain ones.
  double expert_memory = 1;    ///< Bandwidth at which experts are read over that of plain weights.
  double expert_tile_8bit =
      0;                    ///< Rows that 8-bit grouped products compute for each expert of a GPU besides.
  double cache_memory = 1;  ///< Bandwidth at which keys and values are read over that of plain weights.
  double collective_latency = 1;  ///< Of small collectives, over NCCL's.
  double layer_s = 0;             ///< Of each dense layer: kernels that wait for each other.
  double expert_layer_s = 0;      ///< The same of a layer with experts.
  double norm_s = 0;              ///< Of each layer whose queries and keys are normalised, besides.
  double pass_s = 0;              ///< Host, each pass,
  double sequence_s = 0;          ///< more for each sequence of a rank,
  double prompt_s = 0;            ///< and for a pass with prompts, which runs without a recorded graph.
  double token_s = 0;             ///< Host, for each token of a prompt.
  double layer_bytes = 0;         ///< Element-wise traffic of a layer: bytes per token and hidden element.
};

enum class EngineFamily : std::uint8_t { kVllm, kTensorRt, kTuned };
inline constexpr int kEngineFamilies = 3;

/// A version of serving software.
struct ServingEngine {
  std::string_view name;
  EngineFamily family = EngineFamily::kVllm;
  double year = 0;  ///< When it was current, as 2024.25.
  /// Share of the memory that weights, cache and workspaces may take.
  double memory_share = 0.9;
  std::uint32_t rank_sequences = 2048;  ///< Most sequences in one pass of a data-parallel rank.
  std::uint32_t chunk = 8192;           ///< Most tokens in one pass of a data-parallel rank,
  std::uint32_t chunk_4bit = 0;  ///< and where it is set for GPUs with 4-bit units: more. 0 = the same.
  /// A sequence is admitted once its whole output has room; else it is put off when memory runs out.
  bool reserves_output = false;
  /// Requests join every so many passes only (passes are scheduled several at a time).
  std::uint32_t admission_passes = 1;
  /// Data-parallel ranks put prompts off for up to so many passes, until each has some.
  std::uint32_t prompt_wait_passes = 0;
  bool one_pool = false;        ///< Layers with a window get as much cache as those without.
  bool gathers_tokens = false;  ///< Data-parallel ranks give all tokens to all, instead of an all-to-all.
  std::string_view note;

  /// Most tokens in one pass of a data-parallel rank on that GPU type.
  [[nodiscard]] double pass_tokens(const Accelerator& gpu) const {
    return gpu.dense_4bit_flops > 0 && chunk_4bit > 0 ? chunk_4bit : chunk;
  }
};

inline constexpr int kServingEngines = 6;

/// Sets of prompts that published measurements name without their mean length (published_inference.h).
inline constexpr int kPromptSets = 8;

struct ServingCalibration {
  std::array<ServingChip, kGenerations> chips;
  std::array<EngineConstants, kEngineFamilies> families;
  std::array<double, kServingEngines> speed;  ///< Of everything, by engine; 1 = what the family is of.
  /// Of each layer besides, by engine: kernels that it launches one by one.
  std::array<double, kServingEngines> launch_s;
  double leak = 0;          ///< Of the shorter of a kernel's memory and arithmetic times, what is not hidden.
  double routed_bytes = 0;  ///< The same of each expert that a token goes to.
  double same_experts = 1;  ///< Tokens of a batch choose experts as if they were fewer by this factor.
  double widened = 1;       ///< Rate of products whose weights are widened to 16 bits first, over others.
  double imbalance = 0;     ///< Load of the busiest expert-parallel GPU beyond the mean one.
  std::array<double, kPromptSets> prompts;  ///< Mean tokens of a prompt, by set.
};

[[nodiscard]] const std::array<ServingEngine, kServingEngines>& serving_engines();
/// The engine of that name; the error lists those there are.
[[nodiscard]] Result<int> find_serving_engine(std::string_view name);
/// What is usual on a GPU type.
[[nodiscard]] int default_serving_engine(const Accelerator& gpu);

/// The constants as fitted to the published measurements.
[[nodiscard]] const ServingCalibration& published_serving_calibration();

/// Whose constants a GPU type takes: its own generation's, or its vendor's nearest. kOther: Instinct, Ada
/// and RTX PRO, which stand together in the table of inference. Of other vendors Hopper's, as in training.
[[nodiscard]] Generation serving_generation(const Accelerator& gpu);

/// Those of `gpu`; where none of its vendor's were fitted, scaled by its largest measured matrix rate.
[[nodiscard]] ServingChip serving_chip(const ServingCalibration& calibration, const Accelerator& gpu);

}  // namespace gw::physics
