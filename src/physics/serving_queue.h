// Requests that arrive at serving replicas: a simulation of continuous batching pass by pass, with latencies
// at percentiles, the highest rate under latency targets and the replicas that a load needs.
//
// Deterministic: equal arguments give equal bits. docs/physics-inference.md says what it leaves out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/rng.h"
#include "physics/inference.h"

namespace gw::physics {

struct ServingRequest {
  double at_s = 0;
  double input = 0;   ///< Tokens of the prompt; 1 or more.
  double output = 0;  ///< Tokens of the answer; 1 or more.
};

/// Replicas that all serve alike, each taking every n-th request.
struct ServingPool {
  Deployment deployment;
  /// Where prompts are computed by replicas of their own (disaggregated): how they are deployed. model ==
  /// nullptr: each replica computes its prompts between other tokens.
  Deployment prompt_deployment;
  /// Prompt replicas for each decoding replica; need not be whole.
  double prompt_replicas = 1;
  /// Most requests that a replica serves at once (a batch limit); 0 = as many as memory and engine allow.
  double sequences_max = 0;

  [[nodiscard]] bool disaggregated() const { return prompt_deployment.model != nullptr; }
  /// GPUs of a decoding replica and its share of prompt replicas, which need not be whole.
  [[nodiscard]] double gpus() const;
  /// Prompt replicas that stand beside so many decoding ones: a whole number,
  [[nodiscard]] double whole_prompt_replicas(double replicas) const;
  /// and the GPUs of both.
  [[nodiscard]] double gpus_of(double replicas) const;
};

struct LatencySummary {
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
};

struct QueueResult {
  std::size_t requests = 0;    ///< Served.
  std::size_t impossible = 0;  ///< Longer than the replica's whole cache: refused.
  LatencySummary first_token;  ///< Seconds from arrival to the first token,
  LatencySummary per_token;    ///< and between later tokens, mean of each request.
  double tokens_s = 0;         ///< Output tokens, over the time from the first arrival to the last token.
  double busy = 0;             ///< Share of that time with a pass under way,
  double sequences = 0;        ///< and how many sequences a pass had, on average.
  double memory_use = 0;       ///< Over the passes, as in PassTime.
  double arithmetic_use = 0;
  /// Values by request, in the order of arrival; what the summaries are of.
  std::vector<double> first_tokens;
  std::vector<double> per_tokens;
};

/// One replica serving `requests`, which are sorted by arrival.
[[nodiscard]] QueueResult simulate_queue(const ServingPool& pool, std::span<const ServingRequest> requests,
                                         const ServingCalibration& calibration);

/// `count` requests with exponential gaps of mean 1/rate. Lengths are lognormal with those means and standard
/// deviations of `spread` times the mean; 0 = all alike. Equal seeds give the same gaps and lengths at every
/// rate, only faster. Every `sharers`-th request of a stream that is as many times as fast: what one of so
/// many replicas gets.
[[nodiscard]] std::vector<ServingRequest> random_requests(double rate, double input, double output,
                                                          double spread, std::size_t count,
                                                          std::uint64_t seed, std::uint32_t sharers = 1);

struct LatencyTargets {
  double first_token_s = 0;  ///< 0 = none.
  double per_token_s = 0;
  double percentile = 99;  ///< Of requests that must keep both, each on its own.
};

[[nodiscard]] bool meets(const QueueResult& result, const LatencyTargets& targets);

/// The value that `percentile` per cent do not exceed (the nearest rank); 0 of none.
[[nodiscard]] double percentile_of(std::vector<double> values, double percentile);

/// How many requests the searches below draw.
inline constexpr std::size_t kSearchRequests = 2000;

/// Requests alike but for their lengths' spread, which come at random.
struct RandomLoad {
  double input = 0;   ///< Mean tokens of prompts
  double output = 0;  ///< and answers.
  double spread = 0;  ///< As random_requests() takes it.
  std::uint64_t seed = 1;
  /// Replicas that take requests of a random stream in turn: those of one come more evenly the more they are.
  std::uint32_t sharers = 1;
  std::size_t count = kSearchRequests;  ///< Drawn; several times as many as a replica serves at once.
};

/// The rate of such requests that a full replica serves in its steady state: no queue beyond it ever ends. 0
/// where none fits.
[[nodiscard]] double steady_rate(const ServingPool& pool, const RandomLoad& requests,
                                 const ServingCalibration& calibration);

/// Such requests at one a second, for keeps_targets().
[[nodiscard]] std::vector<ServingRequest> sample_of(const RandomLoad& load);

/// Whether one replica keeps the targets where `sample` comes `rate` times as fast: as meets() says, sooner.
[[nodiscard]] bool keeps_targets(const ServingPool& pool, double rate, std::span<const ServingRequest> sample,
                                 const LatencyTargets& targets, const ServingCalibration& calibration);

/// Highest rate of such requests at which one replica keeps the targets, not above steady_rate(); 0 where it
/// keeps them at no rate.
[[nodiscard]] double highest_rate(const ServingPool& pool, const RandomLoad& load,
                                  const LatencyTargets& targets, const ServingCalibration& calibration);
[[nodiscard]] inline double highest_rate(const ServingPool& pool, double input, double output, double spread,
                                         const LatencyTargets& targets, std::uint64_t seed,
                                         const ServingCalibration& calibration) {
  return highest_rate(pool, RandomLoad{input, output, spread, seed}, targets, calibration);
}

/// Fewest replicas, each taking every n-th of `requests`, which all keep the targets; 0 where `most` do not.
[[nodiscard]] std::uint32_t replicas_for(const ServingPool& pool, std::span<const ServingRequest> requests,
                                         const LatencyTargets& targets, std::uint32_t most,
                                         const ServingCalibration& calibration);

/// All requests over `replicas` replicas.
[[nodiscard]] QueueResult simulate_replicas(const ServingPool& pool, std::span<const ServingRequest> requests,
                                            std::uint32_t replicas, const ServingCalibration& calibration);

}  // namespace gw::physics
