// Daly's complete model, its optimum, and the process that it describes.
#include "physics/goodput.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/rng.h"
#include "model/faults.h"
#include "physics/random_count.h"

namespace gw::physics {

namespace {

// Our own round figures: MegaScale finds and diagnoses faults in less than 10 minutes on 12,288 GPUs
// (arXiv:2402.15627); start of containers and programs does not depend on the size, connecting ranks does.
constexpr double kDetectSeconds = 300;
constexpr double kSwapSeconds = 60;  // A spare that stands ready.
constexpr double kStartSeconds = 180;
constexpr double kConnectSecondsPerGpu = 3e-3;
constexpr double kRecoverySigma = 0.35;  // Of ln(recovery), between sites.
constexpr double kLongestExponent = 600;

}  // namespace

TimeShares time_shares(const GoodputInput& input) {
  GW_CHECK(input.mtbf_s > 0 && input.interval_s > 0);
  const double mtbf = input.mtbf_s;
  const double down = input.recovery.total();
  const double segment = input.interval_s + input.pause_s;
  // A failure during the write goes back one checkpoint more: on average `behind_s` of work is done again.
  const double again = input.behind_s / mtbf;
  TimeShares shares;
  // Of a recovery that may itself be interrupted, the part between two of its moments.
  double at = 0;
  const auto phase = [&](double seconds) {
    const double share = std::exp(-at / mtbf) - std::exp(-(at + seconds) / mtbf);
    at += seconds;
    return share;
  };
  shares.detection = phase(input.recovery.detect_s);
  shares.swap = phase(input.recovery.swap_s);
  shares.restart = phase(input.recovery.restart_s);
  shares.read = phase(input.recovery.read_s);
  const double running = std::exp(-down / mtbf);
  if (segment / mtbf + again < kLongestExponent) {
    const double attempts = mtbf * std::exp(again) * std::expm1(segment / mtbf);
    shares.useful = running * input.interval_s / attempts;
    shares.checkpoint = running * input.pause_s / attempts;
  }
  shares.lost_work = running - shares.useful - shares.checkpoint;
  return shares;
}

double young_interval(const GoodputInput& input) { return std::sqrt(2 * input.pause_s * input.mtbf_s); }

double best_interval(const GoodputInput& input) {
  GW_CHECK(input.mtbf_s > 0);
  // d/dx of x / (exp(x + p) - 1) is zero where exp(x + p) (1 - x) = 1; left of it the product is larger.
  const double pause = input.pause_s / input.mtbf_s;
  double low = 0;
  double high = 1;
  for (int i = 0; i < 100; ++i) {
    const double x = (low + high) / 2;
    (x + pause + std::log1p(-x) > 0 ? low : high) = x;
  }
  return std::max({input.mtbf_s * high, input.behind_s, 1.0});
}

TimeShares simulate_shares(const GoodputInput& input, double horizon_s, std::uint64_t seed) {
  GW_CHECK(input.mtbf_s > 0 && input.interval_s > 0 && horizon_s > 0);
  Rng rng(seed);
  TimeShares spent;  // Seconds.
  double now = 0;
  double failure = rng.exponential(input.mtbf_s);
  const auto pass = [&](double seconds, double& account) {  // False where a failure cuts it short.
    const double until = std::min(now + seconds, failure);
    account += until - now;
    now = until;
    return failure > now;
  };
  const auto recover = [&] {
    for (;;) {
      failure = now + rng.exponential(input.mtbf_s);
      if (pass(input.recovery.detect_s, spent.detection) && pass(input.recovery.swap_s, spent.swap) &&
          pass(input.recovery.restart_s, spent.restart) && pass(input.recovery.read_s, spent.read))
        return;
    }
  };
  double work = 0;     // Of the job, since its beginning.
  double copied = 0;   // What the last pause held.
  double durable = 0;  // What can be read.
  double durable_at = 0;
  double done = 0;  // Work of all attempts.
  while (now < horizon_s) {
    const double before = done;
    bool whole = pass(input.interval_s, done);
    work += done - before;
    if (durable_at <= now) durable = copied;
    if (whole) whole = pass(input.pause_s, spent.checkpoint);
    if (durable_at <= now) durable = copied;
    if (whole) {
      copied = work;
      durable_at = now + input.behind_s;
      if (durable_at <= now) durable = copied;
      continue;
    }
    work = copied = durable;
    durable_at = now;
    recover();
  }
  spent.useful = work;
  spent.lost_work = done - work;
  for (double* each : {&spent.useful, &spent.checkpoint, &spent.lost_work, &spent.detection, &spent.swap,
                       &spent.restart, &spent.read})
    *each /= now;
  return spent;
}

Recovery usual_recovery(double gpus) {
  Recovery recovery;
  recovery.detect_s = kDetectSeconds;
  recovery.restart_s = kStartSeconds + kConnectSecondsPerGpu * gpus;
  return recovery;
}

double mean_repair_s() {
  const FaultSpec published = published_faults();
  return published.repair_median_s * std::exp(published.repair_sigma * published.repair_sigma / 2);
}

namespace {

/// Probability that all spares are out when a node fails.
double all_out(double load, std::uint32_t spares) {
  double blocked = 1;
  for (std::uint32_t k = 1; k <= spares; ++k) blocked = load * blocked / (k + load * blocked);
  return blocked;
}

}  // namespace

double swap_seconds(double nodes_per_hour, double repair_s, std::uint32_t spares) {
  const double load = nodes_per_hour / kHourSeconds * repair_s;
  return kSwapSeconds + all_out(load, spares) * repair_s / (spares + 1);
}

std::uint32_t enough_spares(double nodes_per_hour, double repair_s) {
  constexpr std::uint32_t kMost = 1'000'000;
  const double load = nodes_per_hour / kHourSeconds * repair_s;
  double blocked = 1;
  std::uint32_t spares = 0;
  while (blocked > 0.01 && spares < kMost) {
    ++spares;
    blocked = load * blocked / (spares + load * blocked);
  }
  return spares;
}

Estimate goodput_interval(const GoodputInput& input, const JobFailures& failures, double days,
                          std::uint64_t seed) {
  constexpr std::size_t kDraws = 2000;
  Rng rng(seed);
  std::vector<double> drawn(kDraws);
  for (double& each : drawn) {
    const double horizon = days * kDaySeconds;
    const double rate = rng.lognormal(0, failures.sigma) / input.mtbf_s;
    const double slow = rng.lognormal(0, kRecoverySigma);
    const double count = random_count(rng, rate * horizon);
    GoodputInput case_of = input;
    if (count <= 0) {  // Nothing is lost but to checkpoints.
      each = input.interval_s / (input.interval_s + input.pause_s);
      continue;
    }
    case_of.mtbf_s = horizon / count;
    case_of.recovery.detect_s *= slow;
    case_of.recovery.restart_s *= slow;
    case_of.recovery.swap_s *= slow;
    each = time_shares(case_of).useful;
  }
  std::sort(drawn.begin(), drawn.end());
  // Where hardly any run is interrupted, the mean lies below all but a few of them.
  const double mean = time_shares(input).useful;
  return {mean, std::min(mean, drawn[kDraws / 40]), std::max(mean, drawn[kDraws - 1 - kDraws / 40])};
}

}  // namespace gw::physics
