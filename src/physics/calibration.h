// Calibration: the constants of the training model, one set per GPU generation and per software stack.
//
// None is fitted to one row or one paper. docs/physics-training.md says what each means, how it was fitted
// and how well the model does on groups that were left out of the fit.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "physics/accelerator.h"

namespace gw::physics {

/// How much of its nominal rates a GPU generation reaches.
struct ChipConstants {
  double gemm_16bit = 0;  ///< Of the dense peak, in large matrix products.
  double gemm_8bit = 0;
  double gemm_4bit = 0;
  double attention = 0;  ///< Of the dense 16-bit peak, in fused attention.
  double memory = 0;     ///< Of the memory bandwidth, in element-wise kernels.
};

/// What a family of training software does about everything that is not a matrix product.
struct FamilyConstants {
  double attention = 1;               ///< Rate of attention over that of the chip's best kernels.
  double elementwise = 1;             ///< Bytes that element-wise kernels move over those of a plain fusion.
  double tensor_exposed = 1;          ///< Share of tensor-parallel communication that nothing hides.
  double context_exposed = 1;         ///< The same of context parallel,
  double expert_exposed = 1;          ///< of expert parallel inside scale-up domains
  double expert_network_exposed = 1;  ///< and across the network,
  double pipeline_exposed = 1;        ///< and of pipeline communication.
  double data_overlap = 0;   ///< Share of the window (one micro-batch) that can hide gradient exchange.
  double shard_overlap = 0;  ///< Share of computing that can hide the exchange of sharded weights.
  double host_layer_s = 0;   ///< Least time of a dense layer's forward and backward pass: launches.
  double host_expert_s = 0;  ///< Added for each local expert, where its number of tokens is not fixed.
  double step_s = 0;         ///< Once a step: data, logging, optimizer launches.
};

enum class Family : std::uint8_t { kMegatron, kNemo, kComposer, kInHouse, kDeepspeed };
inline constexpr int kFamilies = 5;

/// A version of training software.
struct Stack {
  std::string_view name;
  Family family = Family::kNemo;
  double year = 0;              ///< When it was current, as 2024.25.
  bool fused_attention = true;  ///< Attention never writes its scores (FlashAttention, cuDNN).
  double gradient_bytes = 2;    ///< Per parameter, as exchanged.
  bool flat_gather = false;     ///< Sharded weights come from each owner through one's own network port.
  std::string_view note;
  bool whole_gradients =
      false;  ///< Every replica gets all gradients, though each steps its share of weights.
  bool stops_early =
      false;  ///< Full recomputation leaves a layer's last product out: nothing reads its result.
};

inline constexpr int kStacks = 21;

struct Calibration {
  std::array<ChipConstants, kGenerations> chips;
  std::array<FamilyConstants, kFamilies> families;
  std::array<double, kStacks> speed;  ///< Of kernels, by stack; 1 = the one that the chip's constants are of.
  double gemm_bytes = 1;        ///< Bytes of a matrix product's operands that its arithmetic does not hide.
  double kernel_s = 0;          ///< Of each matrix product: launch, prologue, last wave.
  double softmax_flops = 0;     ///< Of attention, per score, at the matrix rate, beside the products.
  double score_bytes = 0;       ///< Of unfused attention, per score, forward and backward.
  double cast_bytes = 0;        ///< Per element that is quantised to 8 or 4 bits.
  double block_scaling = 1;     ///< Rate of MXFP8 over that of FP8.
  double overlap_slowdown = 0;  ///< Computing slows by this share of the communication that it hides.
  double straggler = 0;         ///< A step lengthens by this share for each doubling of GPUs beyond eight.
  double routed_bytes = 8;      ///< Per element of a routed token: put in the order of experts and back.
  double unaligned = 1;         ///< Time of products whose sizes are not whole tiles, over others.
  double grouped_penalty = 1;   ///< Time of grouped (expert) products over that of plain ones.
};

[[nodiscard]] const std::array<Stack, kStacks>& stacks();
/// The stack of that name; the error lists those there are.
[[nodiscard]] Result<int> find_stack(std::string_view name);
/// The newest that constants of a generation were fitted with.
[[nodiscard]] int default_stack(Generation generation);

/// The constants as fitted to the published measurements.
[[nodiscard]] const Calibration& published_calibration();

/// Those of `gpu`, or for a generation without any what its measured rates suggest.
[[nodiscard]] ChipConstants chip_constants(const Calibration& calibration, const Accelerator& gpu);

}  // namespace gw::physics
