// Time of one pass of a serving replica over its batch, by mechanism, and what a steady state of such passes
// yields: pure functions of model, GPUs, numbers and software (docs/physics-inference.md).
#pragma once

#include "physics/deployment.h"
#include "physics/serving_engine.h"

namespace gw::physics {

/// What one pass computes, over the whole replica.
struct Pass {
  double sequences = 0;       ///< That get one more token.
  double context = 0;         ///< Tokens that each of them has, on average.
  double prompt_tokens = 0;   ///< Of prompts.
  double prompt_context = 0;  ///< Tokens that each of these looks back at, on average.
  /// Of `prompt_tokens`, those of the data-parallel rank that has most: the others wait for it. 0 = all have
  /// equally many.
  double busiest_prompt_tokens = 0;
};

/// Seconds of one pass by cause; they add up to `total`.
struct PassTime {
  double dense = 0;          ///< Matrix products of attention, dense layers and shared experts.
  double experts = 0;        ///< Of routed experts.
  double cache = 0;          ///< Attention of decoding: reading keys and values.
  double attention = 0;      ///< Attention of prompts.
  double elementwise = 0;    ///< Norms, activations, routing.
  double output = 0;         ///< Output layer.
  double communication = 0;  ///< Tensor and expert parallel.
  double launches = 0;       ///< Kernels that wait for each other.
  double host = 0;           ///< Scheduling, sampling, sending tokens.
  double total = 0;

  /// Bytes read over what the memory could have delivered in `total`: what the power model asks for.
  double memory_use = 0;
  /// Floating-point operations over the peak of their numbers in `total`.
  double arithmetic_use = 0;
  /// Of `total`, what kernels compute in: neither launches, nor the host, nor exchanges with other GPUs.
  double kernel_share = 0;
};

/// `check_deployment` must have passed. No allocation, below 10 microseconds; equal arguments give equal
/// bits.
[[nodiscard]] PassTime pass_time(const Deployment& deployment, const Pass& pass,
                                 const ServingCalibration& calibration);

/// How many of `experts` a batch of `tokens` touches if each chooses `active` at random.
[[nodiscard]] double distinct_experts(double experts, double active, double tokens);

/// Requests of one kind, `sequences` of them at any time in one replica.
struct ServingLoad {
  double input = 0;          ///< Tokens of a prompt.
  double output = 0;         ///< Tokens of an answer.
  double sequences = 0;      ///< At once, in the replica.
  double spread = 0;         ///< Standard deviation of answers' lengths over their mean.
  double cached_input = 0;   ///< Tokens of the prompt whose keys and values are at hand already.
  double beams = 1;          ///< Answers that are searched at once for each request, one of which is given.
  bool prompts_here = true;  ///< False where another pool computes the prompts (disaggregated).
};

/// A replica that always has `sequences` requests under way.
struct ServingState {
  PassTime decode;      ///< A pass that only decodes.
  double pass_s = 0;    ///< The mean pass, prompts mixed in: the mean time per output token.
  double tokens_s = 0;  ///< Output tokens of the replica.
  double requests_s = 0;
  double tokens_s_gpu = 0;
  double prompt_share = 0;    ///< Of the time, what prompts take.
  double memory_use = 0;      ///< As in PassTime, over the mean pass: of each GPU,
  double arithmetic_use = 0;  ///< and this,
  double kernel_share = 0;    ///< and this.
};

[[nodiscard]] ServingState steady_state(const Deployment& deployment, const ServingLoad& load,
                                        const ServingCalibration& calibration);

/// The same with the most requests at once, no more than `load` has, whose mean pass takes no longer than
/// `pass_s`: what a limit of the time between tokens leaves. No tokens where a lone request takes longer.
[[nodiscard]] ServingState steady_state_within(const Deployment& deployment, const ServingLoad& load,
                                               double pass_s, const ServingCalibration& calibration);

/// Seconds between two tokens of a request that `share` (below 1) of such gaps do not exceed: passes take
/// longer by the prompts that begin in them by chance.
[[nodiscard]] double token_gap(const Deployment& deployment, const ServingLoad& load, double share,
                               const ServingCalibration& calibration);

/// Most requests of that kind at once, by memory and by the engine's limit; below 1 where none fits.
[[nodiscard]] double most_sequences(const Deployment& deployment, double input, double output,
                                    double spread = 0);

/// Seconds until a prompt of `input` tokens has its first token, alone in the replica.
[[nodiscard]] double prompt_seconds(const Deployment& deployment, double input,
                                    const ServingCalibration& calibration);

}  // namespace gw::physics
