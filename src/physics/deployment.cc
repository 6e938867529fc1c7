// Weights, caches and what fits.
#include "physics/deployment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "physics/serving_engine.h"

namespace gw::physics {

namespace {

// Four bits and an 8-bit scale for 32 (OCP MX 1.0) or 16 numbers (NVFP4).
constexpr double kMxfp4Bytes = 4.25 / 8;
constexpr double kNvfp4Bytes = 4.5 / 8;
// CUDA context, libraries, sampling and communication buffers.
constexpr double kEngineBytes = 2.5e9;
// Activations of one token that live at once, per element of the hidden size and of the widest inner size.
constexpr double kActivationBytes = 8;

}  // namespace

std::string_view weight_format_name(WeightFormat format) {
  constexpr std::array<std::string_view, kWeightFormats> kNames = {"bf16", "fp8", "mxfp4", "nvfp4"};
  return kNames[static_cast<std::size_t>(format)];
}

std::string_view weights_name(const Deployment& deployment) {
  return deployment.fp16 && deployment.weights == WeightFormat::k16Bit
             ? "fp16"
             : weight_format_name(deployment.weights);
}

Result<void> check_deployment(const Deployment& deployment) {
  const ModelShape& model = *deployment.model;
  const ServingLayout& layout = deployment.layout;
  const auto gpus = layout.tensor * layout.data;
  if (layout.tensor == 0 || layout.data == 0 || layout.expert == 0)
    return fail("a parallel degree is 0; each is 1 or more");
  if (model.heads % layout.tensor != 0)
    return fail(fmt::format("{} attention heads of {} do not divide over tensor {}", model.heads, model.name,
                            layout.tensor));
  if (!model.mixture() && layout.expert != 1)
    return fail(fmt::format("{} has no experts: leave the expert-parallel degree at 1", model.name));
  if (!model.mixture() && layout.data != 1)
    return fail(fmt::format(
        "data-parallel copies of {}, a dense model, share nothing: count them as replicas", model.name));
  if (model.mixture() && gpus % layout.expert != 0)
    return fail(fmt::format("tensor {} x data {} = {} GPUs do not divide over expert {}", layout.tensor,
                            layout.data, gpus, layout.expert));
  if (model.mixture() && model.experts.count % layout.expert != 0)
    return fail(fmt::format("{} experts of {} do not divide over expert {}", model.experts.count, model.name,
                            layout.expert));
  const auto divides = [&](std::uint32_t width, std::uint32_t parts) {
    return parts <= 1 || width % parts == 0;
  };
  if (!divides(model.ffn, layout.tensor) && model.dense_layers() > 0)
    return fail(fmt::format("the feed-forward width {} of {} does not divide over tensor {}", model.ffn,
                            model.name, layout.tensor));
  if (model.latent.key_value_rank == 0 && model.kv_heads % layout.tensor != 0 &&
      layout.tensor % model.kv_heads != 0)
    return fail(fmt::format("{} key-value heads of {} neither divide over tensor {} nor are copied evenly",
                            model.kv_heads, model.name, layout.tensor));
  if (model.mixture()) {
    const std::uint32_t parts = gpus / layout.expert;
    if (!divides(model.experts.ffn, parts))
      return fail(
          fmt::format("with expert {} on {} GPUs each expert of {} is cut over {} of them, which do not "
                      "divide its width of "
                      "{}; take --ep {} or other degrees",
                      layout.expert, gpus, model.name, parts, model.experts.ffn, gpus));
    if (model.experts.shared > 0 && !divides(model.experts.ffn * model.experts.shared, layout.tensor))
      return fail(fmt::format("the shared experts of {}, {} wide, do not divide over tensor {}", model.name,
                              model.experts.ffn * model.experts.shared, layout.tensor));
  }
  return check_known(*deployment.gpu, layout.gpus());
}

double dense_weight_bytes(const Deployment& deployment) {
  switch (deployment.weights) {
    case WeightFormat::k16Bit:
    case WeightFormat::kMxfp4:
      return 2;
    case WeightFormat::k8Bit:
      return 1;
    case WeightFormat::kNvfp4:
      return kNvfp4Bytes;
  }
  return 2;
}

double expert_weight_bytes(const Deployment& deployment) {
  return deployment.weights == WeightFormat::kMxfp4 ? kMxfp4Bytes : dense_weight_bytes(deployment);
}

double attention_weight_bytes(const Deployment& deployment) {
  const bool latent = deployment.model->latent.key_value_rank != 0;
  return latent && deployment.weights == WeightFormat::kNvfp4 ? 2 : dense_weight_bytes(deployment);
}

namespace {

/// Of `tokens` in all layers together.
double cache_bytes_of(const Deployment& deployment, double tokens) {
  const ModelShape& model = *deployment.model;
  if (model.latent.key_value_rank != 0)
    // One compressed vector for all heads, kept by each tensor-parallel GPU (arXiv:2405.04434, table 1).
    return tokens * (model.latent.key_value_rank + model.latent.head_rotary) * deployment.cache_bytes;
  // Heads are spread; where there are fewer than GPUs, some are kept twice.
  const double heads = std::max(1.0, double{1} * model.kv_heads / deployment.layout.tensor);
  return tokens * 2 * heads * model.head_size * deployment.cache_bytes;
}

}  // namespace

double cache_bytes_read(const Deployment& deployment, double context) {
  return cache_bytes_of(deployment, deployment.model->tokens_looked_at(context));
}

double cache_bytes_kept(const Deployment& deployment, double context) {
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  return engine.one_pool ? cache_bytes_of(deployment, deployment.model->layers * context)
                         : cache_bytes_read(deployment, context);
}

ServingMemory serving_memory(const Deployment& deployment) {
  const ModelShape& model = *deployment.model;
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  const double tensor = deployment.layout.tensor;
  const double embeddings = 2 * double{1} * model.vocabulary * model.hidden * (model.tied_embeddings ? 1 : 2);
  const double attention = model.layers * model.attention_parameters() * attention_weight_bytes(deployment);
  const double feed_forward = (model.dense_layers() * model.feed_forward_parameters(model.ffn) +
                               (model.mixture() ? model.mixture_layers() * model.experts.shared *
                                                      model.feed_forward_parameters(model.experts.ffn)
                                                : 0)) *
                              dense_weight_bytes(deployment);
  ServingMemory memory;
  memory.weights = (embeddings + attention + feed_forward) / tensor + model.routed_expert_parameters() *
                                                                          expert_weight_bytes(deployment) /
                                                                          deployment.layout.gpus();
  const double inner = std::max<double>(model.ffn, double{1} * model.experts.ffn * model.experts.active);
  memory.workspace =
      kEngineBytes + engine.pass_tokens(*deployment.gpu) * kActivationBytes * (model.hidden + inner / tensor);
  memory.available = deployment.gpu->memory_bytes * engine.memory_share;
  return memory;
}

double cache_sequences(const Deployment& deployment, double context) {
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  const double each = cache_bytes_kept(deployment, std::max(1.0, context));
  return deployment.layout.data *
         std::min<double>(engine.rank_sequences, serving_memory(deployment).cache() / each);
}

}  // namespace gw::physics
