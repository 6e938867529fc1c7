// Layout: how a training run is spread over GPUs, and whether the numbers fit together.
#pragma once

#include <cstdint>
#include <string_view>

#include "physics/model_shape.h"

namespace gw::physics {

enum class Recompute : std::uint8_t { kNone, kSelective, kFull };
[[nodiscard]] std::string_view recompute_name(Recompute recompute);

/// What of weights, gradients and optimizer state is spread over the data-parallel GPUs.
enum class Sharding : std::uint8_t {
  kNone,       ///< Each has all.
  kOptimizer,  ///< The optimizer's state (ZeRO-1, distributed optimizer).
  kGradients,  ///< Also gradients (ZeRO-2, SHARD_GRAD_OP): weights are gathered once a micro-batch.
  kFull,       ///< Also weights (ZeRO-3, FSDP): gathered before each layer's forward and backward pass.
};
[[nodiscard]] std::string_view sharding_name(Sharding sharding);

/// Ranks fill scale-up domains in the order tensor, context, data, pipeline; experts are spread over
/// consecutive ranks of the first three.
struct Layout {
  std::uint32_t tensor = 1;
  std::uint32_t pipeline = 1;
  std::uint32_t chunks = 1;  ///< Virtual stages per pipeline stage (interleaving).
  std::uint32_t data = 1;
  std::uint32_t context = 1;
  std::uint32_t expert = 1;
  std::uint32_t micro_batch = 1;  ///< Sequences of one data-parallel replica at a time.
  bool sequence_parallel = true;  ///< Norms and residuals are spread over the tensor-parallel GPUs too.
  Recompute recompute = Recompute::kNone;
  Sharding sharding = Sharding::kOptimizer;

  [[nodiscard]] double gpus() const { return double{1} * tensor * pipeline * data * context; }
};

/// Whether the layout splits that model and that batch evenly; else the first number that does not.
[[nodiscard]] Result<void> check_layout(const Layout& layout, const ModelShape& model,
                                        std::uint32_t global_batch);

}  // namespace gw::physics
