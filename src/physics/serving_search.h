// The best serving replicas on a GPU type: every layout that fits, batch limits, and prompts computed apart
// or not, by what they serve for each GPU while users wait no longer than they should.
#pragma once

#include <cstdint>
#include <vector>

#include "physics/serving_queue.h"

namespace gw::physics {

struct ServingSearchOptions {
  /// Model, GPU type, engine and numbers; its layout does not matter.
  Deployment base;
  /// GPU type of replicas that compute prompts apart; nullptr: that of `base`.
  const Accelerator* prompt_gpu = nullptr;
  RandomLoad load;
  /// Of a layout that keeps none of them, nothing is told. Without any, what replicas yield when full.
  LatencyTargets targets;
  double rate = 0;  ///< Requests per second in all: the fewest GPUs are sought. 0 = most for each GPU.
  std::size_t keep = 5;
  std::uint32_t gpus_max = 0;  ///< Most GPUs of a replica; 0 = the scale-up domain.
  /// Given; 0 = any.
  std::uint32_t gpus = 0;
  std::uint32_t tensor = 0;
  std::uint32_t data = 0;
  std::uint32_t expert = 0;
  double sequences_max = 0;
  bool together = true;  ///< Replicas that compute their own prompts,
  bool apart = true;     ///< and those whose prompts are computed apart, are tried.
};

struct ServingCandidate {
  ServingPool pool;            ///< With its batch limit and prompt replicas.
  double rate = 0;             ///< Highest of one replica, requests per second.
  double tokens_s_gpu = 0;     ///< Output tokens at that rate.
  std::uint32_t replicas = 1;  ///< For the rate that is asked,
  double prompt_replicas = 0;  ///< with these: a whole number. Without a rate: for one replica, any number.
  double gpus = 0;             ///< Of all these.
  QueueResult queue;           ///< Of one replica with its part of the rate; without a rate, at its highest.
};

struct ServingSearchResult {
  /// Best first, no layout twice in the same manner: fewest GPUs, then most tokens for each GPU.
  std::vector<ServingCandidate> best;
  std::uint64_t layouts = 0;    ///< That divide,
  std::uint64_t too_large = 0;  ///< of these, without room for one request, or for `sequences_max` of them,
  std::uint64_t too_slow = 0;   ///< and others too slow for the time per token even with one at a time.
  std::uint64_t simulated = 0;  ///< Queues.
};

/// A candidate is simulated only where its steady state, which its queue cannot outdo by more than a margin,
/// would be among the best. Tens of milliseconds to a second. Equal arguments give equal bits.
[[nodiscard]] ServingSearchResult search_serving(const ServingSearchOptions& options,
                                                 const ServingCalibration& calibration);

}  // namespace gw::physics
