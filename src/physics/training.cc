// Step time by mechanism; docs/physics-training.md holds the equations under the same names.
#include "physics/training.h"

#include <algorithm>
#include <cmath>

#include "base/math.h"

namespace gw::physics {

namespace {

/// One layer's forward pass on one micro-batch, before it is scaled to forward and backward.
struct LayerCost {
  double products = 0;
  double last_product = 0;  ///< Whose result no backward pass reads: the feed-forward part's second.
  double attention = 0;     ///< Forward.
  double elementwise = 0;   ///< Forward.
  double all_to_all = 0;    ///< One of them.
  bool crosses = false;     ///< It does so beyond a scale-up domain.
};

/// All that the costs of one run share.
struct Machine {
  const TrainingRun& run;
  const Calibration& calibration;
  const Stack& stack;
  const FamilyConstants& family;
  ChipConstants chip;
  Fabric fabric;
  double product_rate = 0;  ///< FLOP/s of large products in the run's precision.
  double rate_16bit = 0;
  double memory_rate = 0;
  double operand_bytes = 2;
  double tokens = 0;  ///< Of one micro-batch on one GPU, before sequence parallelism.
};

Machine make_machine(const TrainingRun& run, const Calibration& calibration) {
  const Stack& stack = stacks()[static_cast<std::size_t>(run.stack)];
  Machine machine{run,
                  calibration,
                  stack,
                  calibration.families[static_cast<std::size_t>(stack.family)],
                  chip_constants(calibration, *run.gpu),
                  run.links != nullptr ? fabric_of(*run.gpu, *run.links) : fabric_of(*run.gpu)};
  const double speed = calibration.speed[static_cast<std::size_t>(run.stack)];
  machine.rate_16bit = run.gpu->dense_16bit_flops * machine.chip.gemm_16bit * speed;
  switch (run.precision) {
    case Precision::kFp16:
    case Precision::kBf16:
      machine.product_rate = machine.rate_16bit;
      break;
    case Precision::kFp8:
      machine.product_rate = run.gpu->dense_8bit_flops * machine.chip.gemm_8bit * speed;
      machine.operand_bytes = 1;
      break;
    case Precision::kMxfp8:
      machine.product_rate =
          run.gpu->dense_8bit_flops * machine.chip.gemm_8bit * calibration.block_scaling * speed;
      machine.operand_bytes = 1;
      break;
    case Precision::kNvfp4:
      machine.product_rate = run.gpu->dense_4bit_flops * machine.chip.gemm_4bit * speed;
      machine.operand_bytes = 0.5;
      break;
  }
  if (!run.model->aligned()) machine.product_rate /= calibration.unaligned;
  machine.memory_rate = run.gpu->memory_bytes_s * machine.chip.memory * speed;
  machine.tokens = run.layout.micro_batch * run.sequence / run.layout.context;
  return machine;
}

/// A product of an m x k by a k x n matrix, done `count` times in one launch.
double product_s(const Machine& machine, double m, double n, double k, double count = 1) {
  const double bytes = machine.operand_bytes * (m * k + k * n) + 2 * m * n;
  return count * (2 * m * n * k / machine.product_rate +
                  machine.calibration.gemm_bytes * bytes / machine.memory_rate) +
         machine.calibration.kernel_s;
}

double cast_s(const Machine& machine, double elements) {
  if (machine.run.precision <= Precision::kBf16) return 0;
  return machine.calibration.cast_bytes * elements / machine.memory_rate;
}

void add_attention(const Machine& machine, LayerCost& cost) {
  const ModelShape& model = *machine.run.model;
  const double tensor = machine.run.layout.tensor;
  const double tokens = machine.tokens;
  const double hidden = model.hidden;
  const double query = model.query_width() / tensor;
  const double value = model.value_width() / tensor;
  double inputs = hidden + value;
  if (model.latent.key_value_rank != 0) {
    const LatentShape& latent = model.latent;
    cost.products +=
        product_s(machine, tokens, latent.query_rank, hidden) +
        product_s(machine, tokens, query, latent.query_rank) +
        product_s(machine, tokens, latent.key_value_rank + latent.head_rotary, hidden) +
        product_s(machine, tokens, model.heads / tensor * (latent.head_plain + latent.head_value),
                  latent.key_value_rank) +
        product_s(machine, tokens, hidden, value);
    inputs += latent.query_rank + latent.key_value_rank;
    cost.elementwise += 2 * tokens * (8 * query) / machine.memory_rate;
  } else {
    const double kv = 2.0 * std::max(1.0, model.kv_heads / tensor) * model.head_size;
    cost.products +=
        product_s(machine, tokens, query + kv, hidden) + product_s(machine, tokens, hidden, value);
    cost.elementwise += 2 * tokens * (2 * query + kv) / machine.memory_rate;
  }
  cost.elementwise += cast_s(machine, tokens * inputs);
  const double heads = model.heads / tensor;
  const double scores = tokens * machine.run.sequence * heads * model.attention_share;
  const double per_score = 2 * (query + value) / heads;
  if (machine.stack.fused_attention) {
    const double speed = machine.calibration.speed[static_cast<std::size_t>(machine.run.stack)];
    const double rate =
        machine.run.gpu->dense_16bit_flops * machine.chip.attention * machine.family.attention * speed;
    cost.attention += 0.5 * scores * (per_score + machine.calibration.softmax_flops) / rate;
  } else {
    // A third of the bytes forward, two thirds backward, as of everything else.
    cost.attention += scores * per_score / machine.rate_16bit +
                      scores * machine.calibration.score_bytes / 3 / machine.memory_rate;
  }
}

void add_feed_forward(const Machine& machine, double inner, double copies, LayerCost& cost) {
  const ModelShape& model = *machine.run.model;
  const double tensor = machine.run.layout.tensor;
  const double gates = model.gated ? 2 : 1;
  const double local = inner * copies / tensor;
  cost.last_product = product_s(machine, machine.tokens, model.hidden, local);
  cost.products += product_s(machine, machine.tokens, gates * local, model.hidden) + cost.last_product;
  cost.elementwise += 2 * machine.tokens * (gates + 1) * local / machine.memory_rate +
                      cast_s(machine, machine.tokens * (model.hidden + local));
}

void add_residuals(const Machine& machine, LayerCost& cost) {
  const Layout& layout = machine.run.layout;
  const double spread = layout.sequence_parallel ? layout.tensor : 1;
  cost.elementwise += 2 * machine.tokens * 10 * machine.run.model->hidden / spread / machine.memory_rate;
}

bool sends_to_experts(const TrainingRun& run) { return run.copies_per_expert || run.drops_tokens; }

void add_experts(const Machine& machine, LayerCost& cost) {
  const ModelShape& model = *machine.run.model;
  const Layout& layout = machine.run.layout;
  const ExpertShape& experts = model.experts;
  // Each GPU brings its own part of the tokens; experts are not split by tensor parallelism.
  const double own = machine.tokens / layout.tensor;
  const double routed = own * experts.active;
  const double local_experts = std::max(1.0, double{1} * experts.count / layout.expert);
  const double each = routed / local_experts;
  const double gates = model.gated ? 2 : 1;
  cost.products += machine.calibration.grouped_penalty *
                   (product_s(machine, each, gates * experts.ffn, model.hidden, local_experts) +
                    product_s(machine, each, model.hidden, experts.ffn, local_experts));
  // Router; tokens are put in the order of their experts and back.
  cost.elementwise +=
      2 *
          (routed * (machine.calibration.routed_bytes / 2 * model.hidden + (gates + 1) * experts.ffn) +
           own * experts.count * 6) /
          machine.memory_rate +
      cast_s(machine, routed * (model.hidden + experts.ffn));
  if (experts.shared > 0) add_feed_forward(machine, experts.ffn, experts.shared, cost);
  if (layout.expert <= 1) return;
  const Group group = group_of(machine.fabric, layout.expert);
  const double domains = group.domains();
  const double copies = token_copies(machine.run, domains);
  cost.crosses = domains > 1;
  cost.all_to_all =
      collective_seconds(Collective::kAllToAll, own * copies * model.hidden * 2, group, machine.fabric);
}

/// What one layer takes for one micro-batch, forward and backward.
struct LayerTime {
  double products = 0;
  double attention = 0;
  double elementwise = 0;
  double recompute = 0;
  double tensor = 0;
  double context = 0;
  double expert = 0;
  double host = 0;

  [[nodiscard]] double computing() const { return products + attention + elementwise + recompute; }
  [[nodiscard]] double total() const { return computing() + tensor + context + expert + host; }
};

/// Of the processors of a GPU, those that move tokens beside the computing: 20 of 132
/// (arXiv:2412.19437, 3.2.2).
constexpr double kExchangeProcessors = 20.0 / 132;
constexpr double kAttentionBackward = 2.5;  // FlashAttention-2 (arXiv:2307.08691): five products to two.

LayerTime layer_time(const Machine& machine, bool mixture) {
  const TrainingRun& run = machine.run;
  const Layout& layout = run.layout;
  const ModelShape& model = *run.model;
  LayerCost cost;
  add_attention(machine, cost);
  add_residuals(machine, cost);
  if (mixture)
    add_experts(machine, cost);
  else
    add_feed_forward(machine, model.ffn, 1, cost);
  cost.elementwise *= machine.family.elementwise;

  LayerTime time;
  const double backward = machine.stack.fused_attention ? kAttentionBackward : 2.0;
  time.products = 3 * cost.products;
  time.attention = (1 + backward) * cost.attention;
  time.elementwise = 3 * cost.elementwise;
  double passes = 2;  // Forward and backward, in units of a forward pass's communication.
  if (layout.recompute == Recompute::kFull) {
    time.recompute = cost.products + cost.attention + cost.elementwise;
    if (machine.stack.stops_early && !mixture) time.recompute -= cost.last_product;
    passes = 3;
  } else if (layout.recompute == Recompute::kSelective && !machine.stack.fused_attention) {
    time.recompute = cost.attention;
  }

  if (layout.tensor > 1) {
    const Group group = group_of(machine.fabric, layout.tensor);
    const double reduce =
        collective_seconds(Collective::kAllReduce, machine.tokens * model.hidden * 2, group, machine.fabric);
    time.tensor = passes * (mixture ? 1 : 2) * reduce * machine.family.tensor_exposed;
  }
  if (layout.context > 1) {
    // Keys and values go round the ring forward; backward also their gradients.
    const double width =
        model.latent.key_value_rank != 0
            ? model.query_width() + model.value_width()
            : 2.0 * std::max(1.0, double{1} * model.kv_heads / layout.tensor) * model.head_size;
    const Group group = group_of(machine.fabric, layout.context, layout.tensor);
    const double gather = collective_seconds(
        Collective::kAllGather, machine.tokens * layout.context * width * 2, group, machine.fabric);
    time.context = 3 * gather * machine.family.context_exposed;
  }
  // Inside a domain a plain all-to-all is waited for; the others hide most of themselves.
  const double exposed = cost.crosses            ? machine.family.expert_network_exposed
                         : sends_to_experts(run) ? 1
                                                 : machine.family.expert_exposed;
  // No more of it is hidden than there is computing to hide it behind.
  const double exchange = 2 * passes * cost.all_to_all;
  time.expert = std::max(exchange * exposed, exchange - time.computing());
  if (run.overlaps_experts) {
    const double hidden = std::min(time.expert, time.computing());
    time.expert -= (1 - kExchangeProcessors) * hidden;
  }
  const double hidden_s = time.tensor / std::max(1e-3, machine.family.tensor_exposed) - time.tensor;
  time.elementwise += machine.calibration.overlap_slowdown * std::max(0.0, hidden_s);
  // Each local expert has products of its own, whose sizes the host waits for where tokens are not dropped.
  double least = machine.family.host_layer_s;
  if (mixture && !run.drops_tokens)
    least += machine.family.host_expert_s * std::max(1.0, double{1} * model.experts.count / layout.expert);
  // The longer of what the GPU and what the host takes, rounded where they are near: they take turns waiting.
  const double busy = time.total();
  const double launches = least * passes / 2;
  const double ratio = launches / busy;
  const double fourth = ratio * ratio * ratio * ratio;
  time.host = busy * (std::sqrt(std::sqrt(1 + fourth)) - 1);
  return time;
}

/// Output layer, softmax and loss on one micro-batch, forward and backward.
double logits_s(const Machine& machine) {
  const ModelShape& model = *machine.run.model;
  const double local = double{1} * model.vocabulary / machine.run.layout.tensor;
  const double products = 3 * 2 * machine.tokens * local * model.hidden / machine.rate_16bit;
  return products + machine.tokens * local * 16 / machine.memory_rate;
}

/// Gradients and weights between the replicas of a stage: time that nothing hides.
struct DataCost {
  double exposed = 0;
  double optimizer = 0;
};

DataCost data_cost(const Machine& machine, double micro_batches, double layer_s, double layers) {
  const TrainingRun& run = machine.run;
  const Layout& layout = run.layout;
  const ModelShape& model = *run.model;
  const double expert_parameters = model.routed_expert_parameters() / layout.pipeline / layout.expert;
  const double dense_parameters =
      (model.parameters() - model.routed_expert_parameters()) / layout.pipeline / layout.tensor;
  const double replicas = double{1} * layout.data * layout.context;
  const double expert_replicas = std::max(1.0, layout.tensor * replicas / layout.expert);
  Fabric fabric = machine.fabric;
  if (machine.stack.flat_gather) fabric.rails = 1;
  const Group group = group_of(fabric, replicas, layout.tensor);
  const Group expert_group = group_of(fabric, expert_replicas, layout.expert);
  const auto both = [&](Collective collective, double bytes) {
    return collective_seconds(collective, bytes * dense_parameters, group, fabric) +
           (expert_parameters > 0
                ? collective_seconds(collective, bytes * expert_parameters, expert_group, fabric)
                : 0.0);
  };
  DataCost cost;
  // The copies and sums of a domain take processors and memory from what computes; a network card does not.
  // Of a group that was spread over more servers than it needs as much is taken: it must not gain by that.
  Fabric packed = fabric;
  constexpr std::uint32_t kServer = 8;
  packed.domain = std::max(packed.domain, kServer);
  const double together = group_of(packed, replicas, layout.tensor).per_domain;
  const double slowdown = machine.calibration.overlap_slowdown * (together - 1) / std::max(1.0, together);
  const double computing = layer_s * layers;  // Of one micro-batch, forward and backward.
  switch (layout.sharding) {
    case Sharding::kNone:
    case Sharding::kOptimizer: {
      double exchange = 0;
      if (layout.sharding == Sharding::kNone || machine.stack.whole_gradients)
        exchange = both(Collective::kAllReduce, machine.stack.gradient_bytes);
      else
        exchange = both(Collective::kReduceScatter, machine.stack.gradient_bytes);
      if (layout.sharding == Sharding::kOptimizer) exchange += both(Collective::kAllGather, 2);
      // No more is hidden than there is computing in the whole step.
      const double window = std::min(machine.family.data_overlap, micro_batches) * computing;
      cost.exposed = std::max(0.0, exchange - window) + slowdown * std::min(exchange, window);
      break;
    }
    case Sharding::kGradients:
    case Sharding::kFull: {
      const double gathers = layout.sharding == Sharding::kFull ? 2 : 1;
      // A layer at a time.
      const double exchange =
          layers * (gathers * both(Collective::kAllGather, 2 / layers) +
                    both(Collective::kReduceScatter, machine.stack.gradient_bytes / layers));
      const double window = machine.family.shard_overlap * computing;
      const double first = exchange / std::max(1.0, layers);  // Nothing runs before the first layer is there.
      cost.exposed =
          micro_batches * (std::max(first, exchange - window) + slowdown * std::min(exchange, window));
      break;
    }
  }
  double stepped = dense_parameters + expert_parameters;
  if (layout.sharding != Sharding::kNone)
    stepped = dense_parameters / replicas + expert_parameters / expert_replicas;
  constexpr double kOptimizerBytes = 34;  // Weight, two moments and gradient read, all but the last written.
  cost.optimizer = kOptimizerBytes * stepped / machine.memory_rate;
  return cost;
}

}  // namespace

double token_copies(const TrainingRun& run, double domains) {
  const double active = run.model->experts.active;
  // Once to each domain that holds one of its experts (DeepEP, hybrid EP), or to each expert.
  if (sends_to_experts(run) || domains <= 1) return active;
  return domains * (1 - stable_pow(1 - 1 / domains, active));
}

StepTime step_time(const TrainingRun& run, const Calibration& calibration) {
  const Machine machine = make_machine(run, calibration);
  const ModelShape& model = *run.model;
  const Layout& layout = run.layout;
  const double stages = layout.pipeline;
  const double chunks = layout.chunks;
  const double micro_batches = run.global_batch / (double{1} * layout.data * layout.micro_batch);

  LayerTime mean;
  const double layers = model.computed_layers();
  const double mixtures = model.mixture() ? 1 - model.dense_layers() / layers : 0;
  const auto add = [&mean](const LayerTime& time, double share) {
    mean.products += share * time.products;
    mean.attention += share * time.attention;
    mean.elementwise += share * time.elementwise;
    mean.recompute += share * time.recompute;
    mean.tensor += share * time.tensor;
    mean.context += share * time.context;
    mean.expert += share * time.expert;
    mean.host += share * time.host;
  };
  if (mixtures > 0) add(layer_time(machine, true), mixtures);
  if (mixtures < 1) add(layer_time(machine, false), 1 - mixtures);
  const double layer = mean.total();
  const double logits = logits_s(machine) * (1 + model.more_predictions);

  // The stage that the others wait for. Where layers do not divide evenly, the embedding and the output layer
  // stand in for one layer each, as Megatron lays them out.
  const double slots = stages * chunks;
  const double even = layers / slots;
  double fullest = layers * layer + logits;
  if (slots > 1) {
    if (even == std::floor(even)) {
      fullest = chunks * even * layer + logits;
    } else {
      const double per_slot = std::ceil((layers + 2) / slots);
      fullest = std::max(chunks * per_slot * layer, (chunks * per_slot - 1) * layer + logits);
    }
  }
  const double mean_stage = (layers * layer + logits) / stages;
  const double stage_layers = layers / stages;

  StepTime step;
  const double scale = micro_batches * stage_layers;
  step.products = scale * mean.products;
  step.attention = scale * mean.attention;
  step.elementwise = scale * mean.elementwise;
  step.recompute = scale * mean.recompute;
  step.host = scale * mean.host + machine.family.step_s;
  step.tensor = scale * mean.tensor;
  step.context = scale * mean.context;
  step.expert = scale * mean.expert;
  step.logits = micro_batches * logits / stages;
  step.imbalance = micro_batches * (fullest - mean_stage);
  if (stages > 1) {
    // Each tensor-parallel GPU sends its part (scatter and gather, arXiv:2104.04473, 4.1).
    const double bytes = machine.tokens * model.hidden * 2 / layout.tensor;
    const double across = double{1} * layout.tensor * layout.context * layout.data;
    const Group pair = group_of(machine.fabric, 2, across);
    const double send = collective_seconds(Collective::kSendReceive, bytes, pair, machine.fabric);
    step.pipeline = machine.family.pipeline_exposed * 2 * send * chunks * micro_batches;
    step.bubble = (stages - 1) / chunks * (mean_stage + step.pipeline / micro_batches);
  }
  const DataCost data = data_cost(machine, micro_batches, layer, stage_layers);
  step.data = data.exposed;
  step.optimizer = data.optimizer;
  const double before = step.products + step.attention + step.elementwise + step.recompute + step.host +
                        step.tensor + step.context + step.expert + step.logits + step.imbalance +
                        step.pipeline + step.bubble + step.data + step.optimizer;
  const double gpus = layout.gpus();
  if (gpus > 8) step.stragglers = before * calibration.straggler * stable_log2(gpus / 8);
  step.total = before + step.stragglers;

  const double tokens = run.global_batch * run.sequence;
  step.tokens_s_gpu = tokens / step.total / gpus;
  step.model_flops_gpu = step.tokens_s_gpu * model.training_flops_per_token(run.sequence);
  const double peak = run.gpu->peak_flops(run.precision);
  step.utilisation = peak > 0 ? step.model_flops_gpu / peak : 0;
  return step;
}

}  // namespace gw::physics
