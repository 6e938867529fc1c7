// ModelShape: what the arithmetic of a decoder-only transformer needs to know of it, and the sums over it.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace gw::physics {

/// A mixture of experts; `count` 0 = none.
struct ExpertShape {
  std::uint32_t count = 0;
  std::uint32_t active = 0;
  std::uint32_t shared = 0;
  std::uint32_t ffn = 0;
  std::uint32_t dense_layers = 0;  ///< First layers that are not mixtures.
};

/// Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434); `key_value_rank` 0 = none.
struct LatentShape {
  std::uint32_t query_rank = 0;
  std::uint32_t key_value_rank = 0;
  std::uint32_t head_plain = 0;
  std::uint32_t head_rotary = 0;
  std::uint32_t head_value = 0;
};

struct ModelShape {
  std::string name;
  std::uint32_t layers = 0;
  std::uint32_t hidden = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_size = 0;
  std::uint32_t ffn = 0;  ///< Of dense layers; 0 where every layer is a mixture.
  std::uint32_t vocabulary = 0;
  bool gated = true;             ///< Three feed-forward matrices (SwiGLU) rather than two.
  bool tied_embeddings = false;  ///< The output layer is the embedding.
  ExpertShape experts;
  LatentShape latent;
  /// Modules that predict one more token each (DeepSeek-V3, section 2.2): a layer and an output layer more.
  std::uint32_t more_predictions = 0;
  bool normed_heads = false;          ///< Queries and keys are normalised per head.
  std::uint32_t window = 0;           ///< Tokens that layers with a window look back; 0 = there are none.
  std::uint32_t windowed_layers = 0;  ///< How many have it.
  double attention_share = 1;  ///< Of the causal scores that are computed: below 1 with sliding windows.

  [[nodiscard]] bool mixture() const { return experts.count != 0; }
  [[nodiscard]] double dense_layers() const { return mixture() ? experts.dense_layers : layers; }
  [[nodiscard]] double mixture_layers() const { return layers - dense_layers(); }
  /// Whether its sizes are whole tiles of matrix kernels (128).
  [[nodiscard]] bool aligned() const { return hidden % 128 == 0 && ffn % 128 == 0 && experts.ffn % 128 == 0; }
  /// Layers that are computed, with those of further predictions.
  [[nodiscard]] double computed_layers() const { return double{1} * layers + more_predictions; }
  /// Width of all queries and of all values, as attention sees them.
  [[nodiscard]] double query_width() const;
  [[nodiscard]] double value_width() const;

  /// Tokens that attention looks back at in all layers together, of `context` that there are.
  [[nodiscard]] double tokens_looked_at(double context) const;

  /// Parameters of one layer's attention; of one feed-forward block of inner size `inner`.
  [[nodiscard]] double attention_parameters() const;
  [[nodiscard]] double feed_forward_parameters(double inner) const;
  /// All parameters but norms and biases; of experts, those in all layers together.
  [[nodiscard]] double parameters() const;
  [[nodiscard]] double routed_expert_parameters() const;
  /// Floating-point operations of one token's forward and backward pass in a sequence of `sequence` tokens,
  /// recomputation not counted; attention half (a causal mask) or whole.
  [[nodiscard]] double training_flops_per_token(double sequence, bool causal = true) const;
};

/// Whether the numbers make sense together; else says which does not.
[[nodiscard]] Result<void> check_shape(const ModelShape& model);

}  // namespace gw::physics
