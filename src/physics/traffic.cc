// The same groups and sizes as in training.cc, counted in bytes instead of seconds.
#include "physics/traffic.h"

#include <algorithm>

namespace gw::physics {

namespace {

/// Bytes that each GPU of a group sends across domains in one ring operation on `bytes`; `rounds` = 2 for an
/// all-reduce. All GPUs of a domain share what leaves it.
double ring_share(const Group& group, double bytes, double rounds) {
  if (group.domains() <= 1.0000001) return 0;
  return rounds * bytes * (group.gpus - 1) / group.gpus / group.per_domain;
}

}  // namespace

NetworkTraffic training_traffic(const TrainingRun& run) {
  const ModelShape& model = *run.model;
  const Layout& layout = run.layout;
  const Stack& stack = stacks()[static_cast<std::size_t>(run.stack)];
  const Fabric fabric = fabric_of(*run.gpu);
  const double micro_batches = run.global_batch / (double{1} * layout.data * layout.micro_batch);
  const double layers = model.computed_layers() / layout.pipeline;
  const double mixtures = model.mixture() ? 1 - model.dense_layers() / model.computed_layers() : 0;
  const double tokens = layout.micro_batch * run.sequence / layout.context;
  const double width = tokens * model.hidden * 2;  // Activations, in 16 bits.
  const double passes = layout.recompute == Recompute::kFull ? 3 : 2;

  NetworkTraffic traffic;
  // Gradients and weights.
  const double replicas = double{1} * layout.data * layout.context;
  const double expert_parameters = model.routed_expert_parameters() / layout.pipeline / layout.expert;
  const double dense_parameters =
      (model.parameters() - model.routed_expert_parameters()) / layout.pipeline / layout.tensor;
  const double expert_replicas = std::max(1.0, layout.tensor * replicas / layout.expert);
  double gathers = 1;
  double times = 1;
  if (layout.sharding == Sharding::kFull) gathers = 2;
  if (layout.sharding == Sharding::kFull || layout.sharding == Sharding::kGradients) times = micro_batches;
  const double bytes = times * (stack.gradient_bytes +
                                (layout.sharding == Sharding::kNone ? stack.gradient_bytes : 2 * gathers));
  traffic.ring_bytes +=
      ring_share(group_of(fabric, replicas, layout.tensor), bytes * dense_parameters, 1) +
      ring_share(group_of(fabric, expert_replicas, layout.expert), bytes * expert_parameters, 1);
  // Activations between the GPUs of a layer, where these do not fit in one domain.
  const double per_step = micro_batches * layers;
  if (layout.tensor > 1)
    traffic.ring_bytes +=
        per_step * passes * (2 - mixtures) * ring_share(group_of(fabric, layout.tensor), width, 2);
  if (layout.context > 1) {
    const double keys = 2.0 * std::max(1.0, double{1} * model.kv_heads / layout.tensor) * model.head_size;
    traffic.ring_bytes +=
        per_step * 3 *
        ring_share(group_of(fabric, layout.context, layout.tensor), tokens * layout.context * keys * 2, 1);
  }
  if (layout.expert > 1 && mixtures > 0) {
    const Group group = group_of(fabric, layout.expert);
    const double domains = group.domains();
    if (domains > 1.0000001) {
      const double copies = token_copies(run, domains);
      traffic.exchange_bytes += per_step * mixtures * 2 * passes * width / layout.tensor * copies *
                                (group.gpus - group.per_domain) / group.gpus;
    }
  }
  // Between pipeline stages.
  const double stage = double{1} * layout.tensor * layout.context * layout.data;
  if (layout.pipeline > 1 && group_of(fabric, 2, stage).domains() > 1.0000001)
    traffic.ring_bytes += 2 * micro_batches * layout.chunks * width / layout.tensor;
  return traffic;
}

}  // namespace gw::physics
