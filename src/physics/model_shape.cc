// Sums over a transformer's matrices.
#include "physics/model_shape.h"

#include <fmt/format.h>

#include <algorithm>

namespace gw::physics {

double ModelShape::query_width() const {
  if (latent.key_value_rank != 0) return double{1} * heads * (latent.head_plain + latent.head_rotary);
  return double{1} * heads * head_size;
}

double ModelShape::value_width() const {
  if (latent.key_value_rank != 0) return double{1} * heads * latent.head_value;
  return double{1} * heads * head_size;
}

double ModelShape::tokens_looked_at(double context) const {
  const double windowed = window == 0 ? 0 : windowed_layers;
  return (layers - windowed) * context + windowed * std::min<double>(context, window);
}

double ModelShape::attention_parameters() const {
  const double width = hidden;
  if (latent.key_value_rank != 0) {
    // DeepSeek-V2, arXiv:2405.04434, equations 9 to 19.
    const double query = width * latent.query_rank + latent.query_rank * query_width();
    const double key_value =
        width * (latent.key_value_rank + latent.head_rotary) +
        double{1} * latent.key_value_rank * heads * (latent.head_plain + latent.head_value);
    return query + key_value + value_width() * width;
  }
  return width * head_size * (2.0 * heads + 2.0 * kv_heads);
}

double ModelShape::feed_forward_parameters(double inner) const {
  return double{1} * hidden * inner * (gated ? 3 : 2);
}

double ModelShape::routed_expert_parameters() const {
  return mixture() ? mixture_layers() * experts.count * feed_forward_parameters(experts.ffn) : 0;
}

double ModelShape::parameters() const {
  double total = double{1} * vocabulary * hidden * (tied_embeddings ? 1 : 2);
  total += layers * attention_parameters() + dense_layers() * feed_forward_parameters(ffn);
  if (mixture()) {
    total += routed_expert_parameters() +
             mixture_layers() *
                 (experts.shared * feed_forward_parameters(experts.ffn) + double{1} * hidden * experts.count);
  }
  return total;
}

double ModelShape::training_flops_per_token(double sequence, bool causal) const {
  const double more = more_predictions;
  double matrices = (1 + more) * vocabulary * hidden + computed_layers() * attention_parameters() +
                    (dense_layers() + (mixture() ? 0 : more)) * feed_forward_parameters(ffn);
  if (mixture()) {
    matrices += (mixture_layers() + more) *
                ((experts.active + experts.shared) * feed_forward_parameters(experts.ffn) +
                 double{1} * hidden * experts.count);
  }
  const double scores = 2 * sequence * (query_width() + value_width()) * computed_layers() *
                        (causal ? 0.5 * attention_share : 1.0);
  return 3 * (2 * matrices + scores);
}

Result<void> check_shape(const ModelShape& model) {
  const auto wrong = [&](const char* what) {
    return fail(fmt::format("model {}: {}; see gw catalog models", model.name, what));
  };
  if (model.layers == 0) return wrong("has no layers");
  if (model.hidden == 0) return wrong("has no hidden size");
  if (model.heads == 0) return wrong("has no attention heads");
  if (model.vocabulary == 0) return wrong("has no vocabulary");
  if (model.latent.key_value_rank == 0 && (model.head_size == 0 || model.kv_heads == 0))
    return wrong("has no head size or no key-value heads");
  if (model.dense_layers() > 0 && model.ffn == 0) return wrong("has dense layers but no feed-forward size");
  if (model.mixture()) {
    if (model.experts.dense_layers > model.layers) return wrong("has more dense layers than layers");
    if (model.experts.active == 0 || model.experts.active > model.experts.count)
      return wrong("uses no experts per token, or more than there are");
    if (model.experts.ffn == 0) return wrong("has experts without an inner size");
  }
  return {};
}

}  // namespace gw::physics
