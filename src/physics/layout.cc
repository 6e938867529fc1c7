// Checks of a parallel layout against its model and batch.
#include "physics/layout.h"

#include <fmt/format.h>

#include <array>

namespace gw::physics {

std::string_view recompute_name(Recompute recompute) {
  constexpr std::array<std::string_view, 3> kNames = {"none", "selective", "full"};
  return kNames[static_cast<std::size_t>(recompute)];
}

std::string_view sharding_name(Sharding sharding) {
  constexpr std::array<std::string_view, 4> kNames = {"none", "optimizer", "gradients", "full"};
  return kNames[static_cast<std::size_t>(sharding)];
}

Result<void> check_layout(const Layout& layout, const ModelShape& model, std::uint32_t global_batch) {
  for (const std::uint32_t degree : {layout.tensor, layout.pipeline, layout.chunks, layout.data,
                                     layout.context, layout.expert, layout.micro_batch}) {
    if (degree == 0) return fail("every degree of parallelism and the micro-batch must be at least 1");
  }
  if (model.heads % layout.tensor != 0)
    return fail(fmt::format("{} attention heads do not divide over {} tensor-parallel GPUs", model.heads,
                            layout.tensor));
  if (layout.pipeline * layout.chunks > model.layers + 2)
    return fail(fmt::format("{} layers are fewer than {} pipeline stages of {} chunks", model.layers,
                            layout.pipeline, layout.chunks));
  if (layout.chunks > 1 && layout.pipeline == 1)
    return fail("interleaving needs a pipeline of at least two stages");
  if (layout.expert > 1) {
    if (!model.mixture()) return fail("expert parallelism needs a model with experts");
    if (model.experts.count % layout.expert != 0)
      return fail(fmt::format("{} experts do not divide over {} GPUs", model.experts.count, layout.expert));
    if ((layout.tensor * layout.context * layout.data) % layout.expert != 0)
      return fail(fmt::format("{} expert-parallel GPUs do not divide the {} of a pipeline stage",
                              layout.expert, layout.tensor * layout.context * layout.data));
  }
  if (global_batch % (layout.data * layout.micro_batch) != 0)
    return fail(fmt::format("a global batch of {} does not divide over {} replicas with micro-batches of {}",
                            global_batch, layout.data, layout.micro_batch));
  return {};
}

}  // namespace gw::physics
