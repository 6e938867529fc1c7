// One pass: matrix products against memory and arithmetic, the cache, communication, launches and the host.
#include "physics/inference.h"

#include <algorithm>
#include <cmath>

#include "base/math.h"
#include "physics/collectives.h"

namespace gw::physics {

namespace {

/// What all kernels of a pass share.
struct Rates {
  double leak = 0;  // Of the shorter of memory and arithmetic time, what is not hidden.
  double memory = 1;
  double bytes = 0;  // Moved so far,
  double peaks = 0;  // and seconds that the arithmetic takes at the peak of its numbers.

  double seconds(double kernel_bytes, double memory_share, double flops, double peak, double share) {
    if (flops <= 0 && kernel_bytes <= 0) return 0;
    bytes += kernel_bytes;
    peaks += flops / peak;
    const double moving = kernel_bytes / (memory * memory_share);
    const double counting = flops / (peak * share);
    return std::max(moving, counting) + leak * std::min(moving, counting);
  }
};

struct ProductRate {
  double peak = 1;
  double share = 1;
};

/// The rate of products whose weights are kept in `bytes` each. Numbers that the GPU has no units for are
/// widened to the next that it has.
ProductRate product_rate(const Accelerator& gpu, const ServingChip& chip, double bytes, bool block_scaled,
                         double widened) {
  // mxfp4 weights meet 8-bit activations on GPUs with 4-bit units and 16-bit ones elsewhere (gpt-oss).
  const bool narrow = bytes < 1 && !block_scaled;
  if (narrow && gpu.dense_4bit_flops > 0) return {gpu.dense_4bit_flops, chip.products_4bit};
  const bool eight = bytes == 1 || (bytes < 1 && gpu.dense_4bit_flops > 0);
  if (eight && gpu.dense_8bit_flops > 0) return {gpu.dense_8bit_flops, chip.products_8bit};
  return {gpu.dense_16bit_flops, chip.products_16bit * (bytes < 2 ? widened : 1.0)};
}

/// The busiest of `gpus` holders of `experts` when `touched` of them are: the mean and the spread of drawing.
double busiest_share(double experts, double touched, double gpus) {
  if (gpus <= 1) return touched;
  const double held = experts / gpus;
  const double mean = touched / gpus;
  const double spread = std::sqrt(std::max(0.0, mean * (1 - mean / held)));
  return std::min(held, mean + std::sqrt(2 * stable_log(gpus)) * spread);
}

/// Tokens that an answer has so far, seen at any time: long answers are seen more often.
double mean_progress(double output, double spread) { return output * (1 + spread * spread) / 2; }

/// Tokens of a prompt that passes have to compute.
double fresh_tokens(const ServingLoad& load) {
  return load.prompts_here ? std::max(0.0, load.input - load.cached_input) : 0;
}

/// A pass has room for the engine's chunk of tokens: one of each beam under way and the prompts of those that
/// begin. Where more requests are there than leave that room, fewer are under way, so that as many begin as
/// end.
double sequences_under_way(const Deployment& deployment, const ServingLoad& load) {
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  const double chunk = engine.pass_tokens(*deployment.gpu) * deployment.layout.data;
  return std::min(load.sequences, std::max(1.0, chunk / (load.beams + fresh_tokens(load) / load.output)));
}

}  // namespace

double distinct_experts(double experts, double active, double tokens) {
  if (tokens <= 0 || experts <= 0) return 0;
  if (active >= experts) return experts;
  return experts * (1 - stable_exp(std::max(-600.0, tokens * stable_log(1 - active / experts))));
}

PassTime pass_time(const Deployment& deployment, const Pass& pass, const ServingCalibration& calibration) {
  const ModelShape& model = *deployment.model;
  const Accelerator& gpu = *deployment.gpu;
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  const EngineConstants& family = calibration.families[static_cast<std::size_t>(engine.family)];
  const ServingChip chip = serving_chip(calibration, gpu);
  const double tensor = deployment.layout.tensor;
  const double data = deployment.layout.data;
  const double gpus = deployment.layout.gpus();
  const double rank_sequences = pass.sequences / data;
  // Ranks wait for the one that has most prompts; those that gather tokens fill up to as many.
  const bool uneven = engine.gathers_tokens || engine.prompt_wait_passes > 0;
  const double rank_prompts = std::max(pass.prompt_tokens / data, uneven ? pass.busiest_prompt_tokens : 0.0);
  const double rank_tokens = rank_sequences + rank_prompts;
  const double tokens = pass.sequences + (engine.gathers_tokens ? rank_prompts * data : pass.prompt_tokens);
  const double hidden = model.hidden;
  PassTime time;
  if (tokens <= 0) return time;
  Rates rates;
  rates.leak = calibration.leak;
  rates.memory = gpu.memory_bytes_s;

  const auto product = [&](double parameters, double bytes, double rows, bool block_scaled) {
    const ProductRate rate = product_rate(gpu, chip, bytes, block_scaled, calibration.widened);
    return rates.seconds(parameters * bytes, chip.memory, 2 * parameters * rows, rate.peak,
                         rate.share * family.products);
  };
  const double shared = model.mixture() ? model.mixture_layers() * model.experts.shared *
                                              model.feed_forward_parameters(model.experts.ffn)
                                        : 0;
  const double feed_forward = model.dense_layers() * model.feed_forward_parameters(model.ffn) + shared;
  time.dense = product(model.layers * model.attention_parameters() / tensor,
                       attention_weight_bytes(deployment), rank_tokens, false) +
               product(feed_forward / tensor, dense_weight_bytes(deployment), rank_tokens, false);

  if (model.mixture()) {
    const double layers = model.mixture_layers();
    const double each = model.feed_forward_parameters(model.experts.ffn);
    const double count = model.experts.count;
    const double active = model.experts.active;
    const double holders = deployment.layout.expert;
    const double touched = distinct_experts(count, active, tokens * calibration.same_experts);
    const double slice = holders / gpus;  // Of each expert, on one of its holders.
    const double bytes =
        busiest_share(count, touched, holders) * each * slice * expert_weight_bytes(deployment) * layers;
    const double busiest = 1 + calibration.imbalance * (1 - 1 / holders);
    const double tile = expert_weight_bytes(deployment) == 1 ? family.expert_tile_8bit : 0;
    const double products_rows =
        tokens * active / gpus * busiest + tile * busiest_share(count, touched, holders) * slice;
    const double flops = 2 * each * products_rows * layers;
    const ProductRate rate = product_rate(gpu, chip, expert_weight_bytes(deployment),
                                          deployment.weights == WeightFormat::kMxfp4, calibration.widened);
    time.experts = rates.seconds(bytes, chip.memory * family.expert_memory, flops, rate.peak,
                                 rate.share * family.products * family.expert_products);
  }

  if (pass.sequences > 0) {
    // Latent attention decodes in its compressed space: each score and value is of the rank's size.
    const double width =
        model.latent.key_value_rank != 0
            ? double{1} * model.heads * (2.0 * model.latent.key_value_rank + model.latent.head_rotary)
            : model.query_width() + model.value_width();
    const double looked = model.tokens_looked_at(pass.context);
    // Latent attention on an 8-bit cache multiplies in 8 bits.
    const bool eight =
        model.latent.key_value_rank != 0 && deployment.cache_bytes == 1 && gpu.dense_8bit_flops > 0;
    time.cache =
        rates.seconds(rank_sequences * cache_bytes_read(deployment, pass.context),
                      chip.memory * family.cache_memory, rank_sequences * 2 * width / tensor * looked,
                      eight ? gpu.dense_8bit_flops : gpu.dense_16bit_flops, chip.attention);
  }
  if (pass.prompt_tokens > 0) {
    const double looked = model.tokens_looked_at(pass.prompt_context);
    time.attention =
        rates.seconds(0, 1, rank_prompts * 2 * (model.query_width() + model.value_width()) / tensor * looked,
                      gpu.dense_16bit_flops, chip.attention);
  }

  const double layer_traffic = rank_tokens * model.layers * hidden * family.layer_bytes;
  const double routed_traffic = model.mixture()
                                    ? tokens / (engine.gathers_tokens ? 1 : gpus) * model.mixture_layers() *
                                          model.experts.active * hidden * calibration.routed_bytes
                                    : 0;
  time.elementwise = rates.seconds(layer_traffic + routed_traffic, chip.memory, 0, 1, 1);

  // Only sequences that get a token have their logits computed.
  const double logits = std::max(1.0, rank_sequences);
  time.output = product(double{1} * model.vocabulary * hidden / tensor, 2, logits, false);

  if (gpus > 1) {
    Fabric fabric = fabric_of(gpu);
    for (double* each : {&fabric.scaleup.base_s, &fabric.scaleup.hop_s, &fabric.scaleup.bulk_s,
                         &fabric.scaleup.switch_s, &fabric.scaleup.fill_s, &fabric.scaleup.fill_gpu_s})
      *each *= family.collective_latency;
    const double residual = rank_tokens * hidden * 2;
    const Group members = group_of(fabric, tensor);
    const double reduced = collective_seconds(Collective::kAllReduce, residual, members, fabric);
    const double dense_layers = model.mixture() ? model.dense_layers() : model.layers;
    time.communication = (model.layers + dense_layers) * reduced;
    if (model.mixture()) {
      const Group all = group_of(fabric, gpus);
      double exchanged = reduced;
      if (data > 1 && engine.gathers_tokens) {
        const double whole = tokens * hidden * 2;
        exchanged = collective_seconds(Collective::kAllGather, whole, all, fabric) +
                    collective_seconds(Collective::kReduceScatter, whole, all, fabric);
      } else if (data > 1) {
        // A token goes once to each GPU that holds any of its experts, in 8 bits, and comes back in 16.
        const double reached = distinct_experts(gpus, 1, model.experts.active);
        const double sent = rank_tokens / tensor * reached * hidden;
        exchanged = collective_seconds(Collective::kAllToAll, sent, all, fabric) +
                    collective_seconds(Collective::kAllToAll, 2 * sent, all, fabric);
      }
      time.communication += model.mixture_layers() * exchanged;
    }
  }

  time.launches = model.dense_layers() * family.layer_s + model.mixture_layers() * family.expert_layer_s +
                  (model.normed_heads ? model.layers * family.norm_s : 0) +
                  model.layers * calibration.launch_s[static_cast<std::size_t>(deployment.engine)];
  time.host = family.pass_s + family.sequence_s * rank_sequences +
              (pass.prompt_tokens > 0 ? family.prompt_s + family.token_s * rank_prompts : 0);

  const double slower = 1 / calibration.speed[static_cast<std::size_t>(deployment.engine)];
  for (double* each : {&time.dense, &time.experts, &time.cache, &time.attention, &time.elementwise,
                       &time.output, &time.communication, &time.launches, &time.host}) {
    *each *= slower;
    time.total += *each;
  }
  time.memory_use = rates.bytes / (rates.memory * time.total);
  time.arithmetic_use = rates.peaks / time.total;
  time.kernel_share = 1 - (time.communication + time.launches + time.host) / time.total;
  return time;
}

ServingState steady_state(const Deployment& deployment, const ServingLoad& load,
                          const ServingCalibration& calibration) {
  ServingState state;
  if (load.sequences <= 0 || load.output <= 0) return state;
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  const double fresh = fresh_tokens(load);
  const double sequences = sequences_under_way(deployment, load);
  Pass pass;
  pass.sequences = sequences * load.beams;
  pass.context = load.input + mean_progress(load.output, load.spread);
  state.decode = pass_time(deployment, pass, calibration);
  state.pass_s = state.decode.total;
  state.memory_use = state.decode.memory_use;
  state.arithmetic_use = state.decode.arithmetic_use;
  state.kernel_share = state.decode.kernel_share;
  if (fresh > 0) {
    // As many requests begin as end: sequences / output in each pass. Those passes that have prompts share
    // them; a pass takes no more than its chunk, so that large prompts need several.
    const double begun = sequences / load.output;
    const double tokens = begun * fresh;
    const double chunk = engine.pass_tokens(*deployment.gpu) * deployment.layout.data;
    double with = std::max(1 - stable_exp(std::max(-600.0, -begun)), std::min(1.0, tokens / chunk));
    if (deployment.layout.data > 1 && engine.prompt_wait_passes > 0) {
      // Prompts wait for each other: passes that have some have those of several.
      const double gathered =
          std::clamp(begun * engine.prompt_wait_passes, 1.0, double{1} * deployment.layout.data);
      with = std::max(std::min(with, begun / gathered), std::min(1.0, tokens / chunk));
    }
    pass.prompt_tokens = tokens / with;
    pass.busiest_prompt_tokens = std::max(pass.prompt_tokens / deployment.layout.data,
                                          std::min<double>(fresh, engine.pass_tokens(*deployment.gpu)));
    if (deployment.layout.data == 1) pass.busiest_prompt_tokens = 0;
    pass.prompt_context = load.cached_input + fresh / 2;
    const PassTime mixed = pass_time(deployment, pass, calibration);
    state.pass_s = (1 - with) * state.decode.total + with * mixed.total;
    state.prompt_share = with * (mixed.total - state.decode.total) / state.pass_s;
    const double decoding = (1 - with) * state.decode.total / state.pass_s;
    state.memory_use = decoding * state.decode.memory_use + (1 - decoding) * mixed.memory_use;
    state.arithmetic_use = decoding * state.decode.arithmetic_use + (1 - decoding) * mixed.arithmetic_use;
    state.kernel_share = decoding * state.decode.kernel_share + (1 - decoding) * mixed.kernel_share;
  }
  state.tokens_s = sequences / state.pass_s;
  state.requests_s = state.tokens_s / load.output;
  state.tokens_s_gpu = state.tokens_s / deployment.layout.gpus();
  return state;
}

ServingState steady_state_within(const Deployment& deployment, const ServingLoad& load, double pass_s,
                                 const ServingCalibration& calibration) {
  const auto with = [&](double sequences) {
    ServingLoad fewer = load;
    fewer.sequences = sequences;
    return steady_state(deployment, fewer, calibration);
  };
  const ServingState all = with(load.sequences);
  if (all.pass_s <= pass_s) return all;
  constexpr int kHalvings = 30;
  double low = 0;
  double high = load.sequences;
  for (int i = 0; i < kHalvings; ++i) {
    const double middle = (low + high) / 2;
    (with(middle).pass_s <= pass_s ? low : high) = middle;
  }
  return low < 1 ? ServingState{} : with(low);
}

namespace {

/// The least number that a Poisson count of that mean exceeds with no more than 1 - `share`.
double poisson_quantile(double mean, double share) {
  if (mean > 200) {
    // Nearly normal. The quantile of a logistic of the same spread: right to some per cent of the spread.
    const double spread = std::sqrt(mean);
    return std::max(0.0, std::round(mean + spread * stable_log(share / (1 - share)) / 1.702));
  }
  double probability = stable_exp(-mean);
  double sum = probability;
  double count = 0;
  while (sum < share && count < 1000) {
    ++count;
    probability *= mean / count;
    sum += probability;
  }
  return count;
}

}  // namespace

double token_gap(const Deployment& deployment, const ServingLoad& load, double share,
                 const ServingCalibration& calibration) {
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  const double data = deployment.layout.data;
  Pass pass;
  const double sequences = load.output > 0 ? sequences_under_way(deployment, load) : load.sequences;
  pass.sequences = sequences * load.beams;
  pass.context = load.input + mean_progress(load.output, load.spread);
  const double fresh = fresh_tokens(load);
  if (fresh > 0 && load.output > 0) {
    // Prompts longer than a chunk come in pieces, one a pass.
    const double pieces = std::ceil(fresh / engine.pass_tokens(*deployment.gpu));
    const double count = poisson_quantile(sequences / load.output * pieces, share);
    pass.prompt_tokens = std::min(count * fresh / pieces, engine.pass_tokens(*deployment.gpu) * data);
    if (data > 1 && count > 0)
      pass.busiest_prompt_tokens =
          std::max(pass.prompt_tokens / data, std::min<double>(fresh, engine.pass_tokens(*deployment.gpu)));
    pass.prompt_context = load.cached_input + fresh / 2;
  }
  return pass_time(deployment, pass, calibration).total;
}

double most_sequences(const Deployment& deployment, double input, double output, double spread) {
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  return cache_sequences(deployment,
                         input + (engine.reserves_output ? output : mean_progress(output, spread)));
}

double prompt_seconds(const Deployment& deployment, double input, const ServingCalibration& calibration) {
  const ServingEngine& engine = serving_engines()[static_cast<std::size_t>(deployment.engine)];
  double seconds = 0;
  double done = 0;
  while (done < input) {
    const double tokens = std::min<double>(engine.pass_tokens(*deployment.gpu), input - done);
    Pass pass;
    pass.prompt_tokens = tokens;
    pass.prompt_context = done + tokens / 2;
    seconds += pass_time(deployment, pass, calibration).total;
    done += tokens;
  }
  return seconds;
}

}  // namespace gw::physics
