// Time of one training step, by mechanism: pure functions of model, layout, GPU and software.
#pragma once

#include <cstdint>

#include "physics/calibration.h"
#include "physics/collectives.h"
#include "physics/layout.h"

namespace gw::physics {

/// What is trained, where and how. `check_layout` must have passed. The pointers outlive the call.
struct TrainingRun {
  const ModelShape* model = nullptr;
  const Accelerator* gpu = nullptr;
  int stack = 0;  ///< Index into stacks().
  Layout layout;
  Precision precision = Precision::kBf16;
  double sequence = 0;        ///< Tokens in one sequence.
  double global_batch = 0;    ///< Sequences in one step.
  bool drops_tokens = false;  ///< Experts have a fixed capacity: the host need not wait for their loads.
  const FabricConstants* links = nullptr;  ///< nullptr: published_fabric_constants().
  /// A token goes once to each of its experts (all-to-all), not once to each domain that holds some (DeepEP,
  /// HybridEP); so it does where tokens are dropped.
  bool copies_per_expert = false;
  bool overlaps_experts =
      false;  ///< Tokens travel beside the computing of another micro-batch (1F1B overlap).
};

/// How often a token is sent to its experts, of which some are in each of `domains`.
[[nodiscard]] double token_copies(const TrainingRun& run, double domains);

/// Seconds of one step by cause; they add up to `total`.
struct StepTime {
  double products = 0;     ///< Matrix products of layers.
  double attention = 0;    ///< Scores, softmax and values.
  double elementwise = 0;  ///< Norms, activations, residuals, rotary positions, casts.
  double logits = 0;       ///< Output layer and loss.
  double recompute = 0;    ///< Forward work done twice.
  double host = 0;         ///< What launching kernels takes beyond what the GPU does meanwhile.
  double tensor = 0;       ///< Communication that nothing hides, by kind of parallelism.
  double context = 0;
  double expert = 0;
  double pipeline = 0;
  double data = 0;
  double imbalance = 0;  ///< The fullest pipeline stage beyond the mean one.
  double bubble = 0;     ///< Pipeline stages that wait at the step's beginning and end.
  double optimizer = 0;
  double stragglers = 0;
  double total = 0;

  double tokens_s_gpu = 0;
  double model_flops_gpu = 0;  ///< FLOP/s per GPU, causal attention counted half, recomputation not counted.
  double utilisation = 0;      ///< MFU: of the dense peak of the run's precision.
};

/// No allocation, below 10 microseconds; equal arguments give equal bits.
[[nodiscard]] StepTime step_time(const TrainingRun& run, const Calibration& calibration);

}  // namespace gw::physics
