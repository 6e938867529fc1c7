// Memory of training: weights and optimizer state by shard, activations by layer and micro-batch in flight.
//
// Activations per layer after Korthikanti et al. 2022 (arXiv:2205.05198, equations 1 to 4), for any shape.
#include "physics/memory.h"

#include <algorithm>
#include <cmath>

namespace gw::physics {

namespace {

constexpr double kMaster = 12;  // fp32 weight and two fp32 moments (Adam), per parameter.
// Vendors count device memory in units of 2^30 bytes (an 80 GB H100 reports 81,559 MiB); context, libraries
// and fragments take a part.
constexpr double kVendorGigabyte = 1.073741824;
constexpr double kReserve = 0.95;
constexpr double kWorkspace = 1.5e9;  // Communication buffers and matrix-product workspaces.

/// Bytes that one token keeps of a layer for the backward pass; `operand`: of an input of a product.
double layer_bytes(const ModelShape& model, const Layout& layout, double inner, double active, bool fused,
                   double sequence, double operand) {
  const double tensor = layout.tensor;
  const double spread = layout.sequence_parallel ? tensor : 1;
  const double hidden = model.hidden;
  // Inputs of the two norms and the residual in 16 bits; inputs of products as these take them.
  double bytes = (2 * 3 + operand * 2) * hidden / spread;
  const double kv = model.latent.key_value_rank != 0 ? model.query_width() + model.value_width()
                                                     : 2.0 * model.kv_heads * model.head_size;
  bytes += (2 * (model.query_width() + kv) + operand * model.value_width()) / tensor;
  bytes += (2 * (model.gated ? 2 : 1) + operand) * inner * active / tensor;
  if (active > 1) bytes += (2 + operand) * hidden * active / spread;  // Tokens in the order of their experts.
  if (!fused && layout.recompute == Recompute::kNone) bytes += 5.0 * model.heads * sequence / tensor;
  return bytes;
}

}  // namespace

TrainingMemory training_memory(const ModelShape& model, const Layout& layout, double sequence,
                               Precision precision, const Accelerator& gpu, const Stack& stack) {
  TrainingMemory memory;
  const double tensor = layout.tensor;
  const double stages = layout.pipeline;
  const double experts = model.routed_expert_parameters();
  const double dense = model.parameters() - experts;
  const double stage_layers = std::ceil(model.layers / stages);
  // The first stage holds the embedding, the last one the output layer: each one matrix.
  const double matrix = double{1} * model.vocabulary * model.hidden;
  const double body = dense - matrix * (model.tied_embeddings ? 1 : 2);
  const double ends = matrix * (stages > 1 || model.tied_embeddings ? 1 : 2);
  const double local_dense = (body * stage_layers / model.layers + ends) / tensor;
  const double local_experts = experts * stage_layers / model.layers / layout.expert;
  const double local = local_dense + local_experts;
  const double replicas = std::max(1.0, double{1} * layout.data * layout.context);
  const double expert_replicas =
      std::max(1.0, double{1} * layout.tensor * layout.context * layout.data / layout.expert);
  const double sharded = local_dense / replicas + local_experts / expert_replicas;
  const double weight_bytes = 2.0;
  const double gradient_bytes = stack.gradient_bytes;
  memory.weights = weight_bytes * (layout.sharding == Sharding::kFull ? sharded : local);
  memory.gradients = gradient_bytes * (layout.sharding >= Sharding::kGradients ? sharded : local);
  memory.optimizer = kMaster * (layout.sharding >= Sharding::kOptimizer ? sharded : local);
  if (precision >= Precision::kFp8)
    memory.weights *= 1.25;  // A copy in 8 bits for the forward pass, part of which replaces the other.

  const double tokens = layout.micro_batch * sequence / layout.context;
  const bool fused = stack.fused_attention || layout.recompute != Recompute::kNone;
  const double operand = precision >= Precision::kFp8 ? 1 : 2;
  double per_layer = 0;
  if (model.mixture()) {
    const double mixture = model.mixture_layers() / model.layers;
    per_layer = mixture * layer_bytes(model, layout, model.experts.ffn,
                                      model.experts.active + model.experts.shared, fused, sequence, operand) +
                (1 - mixture) * layer_bytes(model, layout, model.ffn, 1, fused, sequence, operand);
  } else {
    per_layer = layer_bytes(model, layout, model.ffn, 1, fused, sequence, operand);
  }
  const double kept = layout.recompute == Recompute::kFull
                          ? 2.0 * model.hidden / (layout.sequence_parallel ? tensor : 1)
                          : per_layer;
  // One-forward-one-backward keeps as many micro-batches on the first stage as there are stages; interleaving
  // adds (stages - 1) / (stages chunks) of them.
  const double in_flight = stages * (layout.chunks > 1 ? 1 + (stages - 1) / (stages * layout.chunks) : 1);
  memory.activations = tokens * kept * stage_layers * in_flight;
  if (layout.recompute == Recompute::kFull) memory.activations += tokens * per_layer;
  memory.logits = tokens * model.vocabulary / tensor * (stages > 1 ? 0 : 6);
  memory.buffers = kWorkspace;
  if (layout.sharding == Sharding::kFull && replicas > 1)
    memory.buffers += 2 * 2 * (local_dense + local_experts) / stage_layers;
  memory.total = memory.weights + memory.gradients + memory.optimizer + memory.activations + memory.logits +
                 memory.buffers;
  memory.available = gpu.memory_bytes * kVendorGigabyte * kReserve;
  return memory;
}

}  // namespace gw::physics
