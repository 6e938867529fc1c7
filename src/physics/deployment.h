// Deployment: a model on the GPUs of one serving replica, in what numbers, and what memory that takes.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "physics/accelerator.h"
#include "physics/model_shape.h"

namespace gw::physics {

/// In what numbers weights are kept and multiplied. The output layer stays in 16 bits.
enum class WeightFormat : std::uint8_t {
  k16Bit,
  k8Bit,   ///< All matrices of layers.
  kMxfp4,  ///< Only experts: 4 bits, one scale for 32 (gpt-oss).
  kNvfp4,  ///< All matrices of layers but latent attention: 4 bits, one scale for 16.
};
inline constexpr int kWeightFormats = 4;
[[nodiscard]] std::string_view weight_format_name(WeightFormat format);

/// How one replica spreads the model. `tensor` GPUs split attention and dense layers; `data` such groups each
/// serve their own sequences; experts are spread over `expert` of the `tensor` x `data` GPUs, and each of
/// them is split between the rest.
struct ServingLayout {
  std::uint32_t tensor = 1;
  std::uint32_t data = 1;
  std::uint32_t expert = 1;

  [[nodiscard]] double gpus() const { return double{1} * tensor * data; }
};

/// The pointers outlive it.
struct Deployment {
  const ModelShape* model = nullptr;
  const Accelerator* gpu = nullptr;
  int engine = 0;  ///< Index into serving_engines().
  ServingLayout layout;
  WeightFormat weights = WeightFormat::k16Bit;
  double cache_bytes = 2;  ///< Of one number in the key-value cache.
  bool fp16 = false;       ///< 16-bit numbers are fp16, which take as long as bf16.
};

/// What the weights are kept in: `bf16`, `fp16`, `fp8` and so on.
[[nodiscard]] std::string_view weights_name(const Deployment& deployment);

/// Whether model, layout and GPU go together; else what does not.
[[nodiscard]] Result<void> check_deployment(const Deployment& deployment);

/// Bytes of the weights of dense layers, attention and norms (`dense`) or of experts, per parameter.
[[nodiscard]] double dense_weight_bytes(const Deployment& deployment);
[[nodiscard]] double expert_weight_bytes(const Deployment& deployment);
/// The same of attention's matrices.
[[nodiscard]] double attention_weight_bytes(const Deployment& deployment);

/// Bytes of keys and values that attention to `context` tokens reads on each of a sequence's GPUs,
[[nodiscard]] double cache_bytes_read(const Deployment& deployment, double context);
/// and what they take in memory: more where the engine keeps what windows never read again.
[[nodiscard]] double cache_bytes_kept(const Deployment& deployment, double context);

/// Bytes on one GPU.
struct ServingMemory {
  double weights = 0;
  double workspace = 0;  ///< Activations of the largest pass, communication buffers, the engine itself.
  double available = 0;  ///< What the engine may take.

  /// For keys and values; 0 where not even the weights fit.
  [[nodiscard]] double cache() const {
    return weights + workspace < available ? available - weights - workspace : 0;
  }
  [[nodiscard]] bool fits() const { return weights + workspace < available; }
  [[nodiscard]] double short_by() const { return fits() ? 0 : weights + workspace - available; }
};

[[nodiscard]] ServingMemory serving_memory(const Deployment& deployment);

/// How many sequences of `context` tokens the whole replica can hold; not more than the engine runs in one
/// pass. Not a whole number.
[[nodiscard]] double cache_sequences(const Deployment& deployment, double context);

}  // namespace gw::physics
