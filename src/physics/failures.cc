// Rates by cause, from published counts.
#include "physics/failures.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/math.h"
#include "base/rng.h"
#include "physics/random_count.h"

namespace gw::physics {

namespace {

// Unexpected interruptions of the Llama 3 405B run, 54 days on 2,048 nodes with 8 H100 (arXiv:2407.21783,
// table 5), summed by cause: 419. The paper counts NVLink with faulty GPUs; 29 of these 196 (15 %) is our own
// figure.
constexpr ByCause kLlamaCounts = {167, 72, 29, 35, 21, 2, 61, 32};
constexpr double kLlamaNodeHours = 54 * 24 * 2048.0;
constexpr double kLlamaGpus = 16384;

// What all ranks share (network, software) fails in proportion to pairs of ranks: its rate per node is one
// and a part that grows with the job. The size at which it has doubled is from an MTBF of 18 minutes at about
// 98,000 GPUs, where the Llama run alone extrapolates to 31.
constexpr double kSharedDoublesAtGpus = 10'000;

// Ampere over Hopper, per node: geometric mean over four clusters (Meta RSC-1 and RSC-2, OPT, BLOOM).
constexpr double kAmpere = 1.2;

// Large jobs of Meta's RSC-1 failed in 14 % before nodes that fail again and again were taken out and in 4 %
// after it (arXiv:2410.21680): -ln(1 - 0.14) / -ln(1 - 0.04).
constexpr double kUnscreened = 3.69;

// Standard deviation of ln(rate): between the four Ampere clusters 0.42; of a generation without any count
// and beyond the largest published job our own figures.
constexpr double kSiteSigma = 0.42;
constexpr double kUnknownGenerationSigma = 0.3;
constexpr double kSharedSigma = 0.5;      // Of the part that grows with the job.
constexpr double kBeyondSigma = 0.35;     // For each factor e beyond the largest published job.
constexpr double kTwoSided95 = 1.959964;  // Standard deviations.

bool is_shared(int cause) {
  return cause == static_cast<int>(FailureCause::kNetwork) ||
         cause == static_cast<int>(FailureCause::kSoftware);
}

double shared_factor(double gpus) { return 1 + gpus / kSharedDoublesAtGpus; }

/// Host, storage and maintenance go by nodes, all else by GPUs.
bool by_node(int cause) {
  return cause == static_cast<int>(FailureCause::kHost) ||
         cause == static_cast<int>(FailureCause::kStorage) ||
         cause == static_cast<int>(FailureCause::kMaintenance);
}

bool has_counts(Generation generation) {
  return generation == Generation::kAmpere || generation == Generation::kHopper;
}

}  // namespace

std::string_view failure_cause_name(FailureCause cause) {
  constexpr std::array<std::string_view, kFailureCauses> kNames = {
      "gpu", "memory", "scale-up", "network", "host", "storage", "software", "maintenance"};
  return kNames[static_cast<std::size_t>(cause)];
}

bool takes_node(FailureCause cause) {
  return cause != FailureCause::kSoftware && cause != FailureCause::kStorage &&
         cause != FailureCause::kNetwork;
}

double FailureSetting::nodes() const { return std::max(1.0, gpus / gpus_per_node); }

double usual_gpus_per_node(const Accelerator& gpu) { return gpu.scaleup_domain > 8 ? 4 : 8; }

double JobFailures::total_per_hour() const {
  double total = 0;
  for (const double each : per_hour) total += each;
  return total;
}

double JobFailures::nodes_per_hour() const {
  double total = 0;
  for (int i = 0; i < kFailureCauses; ++i) {
    if (takes_node(static_cast<FailureCause>(i))) total += per_hour[static_cast<std::size_t>(i)];
  }
  return total;
}

ByCause node_failures(Generation generation, double gpus_per_node, bool screened) {
  GW_CHECK(gpus_per_node > 0);
  ByCause rates{};
  const double factor =
      (generation == Generation::kAmpere ? kAmpere : 1) * (screened ? 1 : kUnscreened) / kLlamaNodeHours;
  for (int i = 0; i < kFailureCauses; ++i) {
    const auto at = static_cast<std::size_t>(i);
    rates[at] = kLlamaCounts[at] * factor * (by_node(i) ? 1 : gpus_per_node / 8);
    if (is_shared(i)) rates[at] /= shared_factor(kLlamaGpus);
  }
  return rates;
}

JobFailures job_failures(const FailureSetting& setting) {
  GW_CHECK(setting.gpus > 0);
  JobFailures failures;
  const ByCause one = node_failures(setting.generation, setting.gpus_per_node, setting.screened);
  double grown = 0;  // The part that only large jobs meet.
  for (int i = 0; i < kFailureCauses; ++i) {
    const auto at = static_cast<std::size_t>(i);
    failures.per_hour[at] = one[at] * setting.gpus / setting.gpus_per_node;
    if (!is_shared(i)) continue;
    grown += failures.per_hour[at] * (shared_factor(setting.gpus) - 1);
    failures.per_hour[at] *= shared_factor(setting.gpus);
  }
  const double shared = kSharedSigma * grown / failures.total_per_hour();
  double variance = kSiteSigma * kSiteSigma + shared * shared;
  if (!setting.own_generation || !has_counts(setting.generation))
    variance += kUnknownGenerationSigma * kUnknownGenerationSigma;
  if (setting.gpus > kLargestPublishedJob) {
    const double beyond = kBeyondSigma * std::log(setting.gpus / kLargestPublishedJob);
    variance += beyond * beyond;
  }
  failures.sigma = std::sqrt(variance);
  return failures;
}

Estimate mtbf_interval(const JobFailures& failures) {
  const double spread = std::exp(kTwoSided95 * failures.sigma);
  return {failures.mtbf_s(), failures.mtbf_s() / spread, failures.mtbf_s() * spread};
}

Estimate count_interval(double expected, double sigma, std::uint64_t seed) {
  constexpr std::size_t kDraws = 4000;
  Rng rng(seed);
  std::vector<double> counts(kDraws);
  for (double& each : counts) each = random_count(rng, expected * rng.lognormal(0, sigma));
  std::sort(counts.begin(), counts.end());
  return {expected, counts[kDraws / 40], counts[kDraws - 1 - kDraws / 40]};
}

Estimate poisson_interval(double count) {
  const auto quantile = [](double half_freedom, double deviations) {
    if (half_freedom <= 0) return 0.0;
    const double root = 1 - 1 / (9 * half_freedom) + deviations / (3 * std::sqrt(half_freedom));
    return root > 0 ? half_freedom * root * root * root : 0.0;
  };
  return {count, quantile(count, -kTwoSided95), quantile(count + 1, kTwoSided95)};
}

}  // namespace gw::physics
