// The replicas that the options of `gw physics serve` describe, or why they cannot be.
#include <fmt/format.h>

#include <algorithm>

#include "cli/physics_serve_options.h"

namespace gw {

namespace {

constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

physics::ServingLayout layout_of(const PoolOptions& options, std::uint32_t gpus, bool mixture) {
  physics::ServingLayout layout;
  layout.data = std::max(1U, options.data);
  layout.tensor = options.tensor != 0 ? options.tensor : std::max(1U, gpus / layout.data);
  layout.expert = options.expert != 0 ? options.expert : (mixture ? layout.tensor * layout.data : 1);
  return layout;
}

/// The deployment as asked for; without any count, the fewest GPUs (a power of two) that hold one request.
Result<physics::Deployment> deployment_of(const PoolOptions& options, const physics::Deployment& base,
                                          double tokens) {
  physics::Deployment deployment = base;
  const bool mixture = deployment.model->mixture();
  const bool given = options.gpus != 0 || options.tensor != 0 || options.data != 0;
  for (std::uint32_t gpus = std::max(1U, options.gpus);; gpus *= 2) {
    deployment.layout = layout_of(options, gpus, mixture);
    if (!given && mixture && deployment.model->experts.count % deployment.layout.expert != 0) break;
    if (const Result<void> sound = physics::check_deployment(deployment); !sound)
      return std::unexpected(sound.error());
    if (physics::cache_sequences(deployment, tokens) >= 1) return deployment;
    if (given || gpus >= 1024) break;
  }
  const physics::ServingMemory memory = physics::serving_memory(deployment);
  if (memory.fits())
    return fail(fmt::format(
        "{:.0f} x {} hold the weights, but no request of {:.0f} tokens: it needs {:.1f} GiB of cache on each "
        "GPU and there are {:.1f}; give more --gpus, --tp or another --kv-precision",
        deployment.layout.gpus(), deployment.gpu->name, tokens,
        physics::cache_bytes_kept(deployment, tokens) / kGibibyte, memory.cache() / kGibibyte));
  return fail(
      fmt::format("{} in {} does not fit on {:.0f} x {}: short by {:.1f} GiB on each GPU ({:.1f} GiB needed, "
                  "{:.1f} there); "
                  "give more --gpus or another --precision",
                  deployment.model->name, physics::weights_name(deployment), deployment.layout.gpus(),
                  deployment.gpu->name, memory.short_by() / kGibibyte,
                  (memory.weights + memory.workspace) / kGibibyte, memory.available / kGibibyte));
}

}  // namespace

Result<void> check_pool_counts(const PoolOptions& options, const char* prefix) {
  const std::uint32_t product = std::max(1U, options.tensor) * std::max(1U, options.data);
  if (options.gpus != 0 && options.tensor != 0 && options.gpus != product)
    return fail(fmt::format("--{}gpus {} is not tensor {} x data {} = {}; leave one of them out", prefix,
                            options.gpus, options.tensor, std::max(1U, options.data), product));
  if (options.gpus != 0 && options.data != 0 && options.gpus % options.data != 0)
    return fail(fmt::format("--{}gpus {} does not divide over --{}dp {}", prefix, options.gpus, prefix,
                            options.data));
  return {};
}

Result<physics::Deployment> base_deployment(const ServeOptions& options, const ServeSubject& subject) {
  physics::Deployment base;
  base.model = &subject.model;
  base.gpu = &subject.gpu;
  base.engine = physics::default_serving_engine(subject.gpu);
  if (!options.engine.empty()) {
    const Result<int> engine = physics::find_serving_engine(options.engine);
    if (!engine) return std::unexpected(engine.error());
    base.engine = *engine;
  }
  for (const physics::Accelerator* gpu : {&subject.gpu, &subject.prompt_gpu}) {
    if (options.precision != "bf16") break;
    if (const Result<void> has = physics::check_precision(*gpu, physics::Precision::kBf16); !has)
      return std::unexpected(has.error());
  }
  base.fp16 = options.precision == "fp16" ||
              (options.precision.empty() && !(subject.gpu.has_bf16() && subject.prompt_gpu.has_bf16()));
  for (int i = 0; i < physics::kWeightFormats; ++i) {
    const auto format = static_cast<physics::WeightFormat>(i);
    if (physics::weight_format_name(format) == options.precision) base.weights = format;
  }
  if (base.weights == physics::WeightFormat::kMxfp4 && !subject.model.mixture())
    return fail("--precision mxfp4 narrows experts only, and " + subject.model.name +
                " has none; take nvfp4");
  base.cache_bytes = options.cache_precision == "fp8" ? 1 : 2;
  return base;
}

Result<void> deploy_pool(const ServeOptions& options, const ServeSubject& subject, double longest,
                         ServeAnswer& answer) {
  Result<physics::Deployment> found = base_deployment(options, subject);
  if (!found) return std::unexpected(found.error());
  physics::Deployment& base = *found;
  if (const Result<void> sound = check_pool_counts(options.pool, ""); !sound) return sound;
  const Result<physics::Deployment> deployment = deployment_of(options.pool, base, longest);
  if (!deployment) return std::unexpected(deployment.error());
  answer.pool.deployment = *deployment;
  if (options.disaggregated) {
    base.gpu = &subject.prompt_gpu;
    if (const Result<void> sound = check_pool_counts(options.prompts, "prompt-"); !sound) return sound;
    const Result<physics::Deployment> prompts = deployment_of(options.prompts, base, answer.input);
    if (!prompts) return std::unexpected(prompts.error());
    answer.pool.prompt_deployment = *prompts;
    answer.pool.prompt_replicas = options.prompt_replicas;
  }
  return {};
}

}  // namespace gw
