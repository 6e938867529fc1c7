// Phases of a step by power, and how they add at a feed.
#include "physics/training_power.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "physics/clocks.h"

namespace gw::physics {

namespace {

// Share of the memory bandwidth while large matrix products run: operands come through the cache several
// times over. A product of 8192 x 8192 x 8192 in 16 bits moves about 1 GB at 800 TFLOP/s in 1.4 ms, 0.7 TB/s
// of H100's 3.35.
constexpr double kProductMemory = 0.25;
constexpr double kElementwiseMemory = 0.75;  // As the step's time has it: ChipConstants::memory.
constexpr double kElementwiseArithmetic = 0.01;
constexpr double kCommunicationMemory = 0.15;  // Buffers are read and written once for each byte on a link.
// Of each phase's time, what goes with the clock: products are bound by arithmetic but for their first loads
// and last stores; memory's clock is its own, with some of the kernels short of addresses; links have theirs.
constexpr std::array<double, kPhases> kComputeShare = {0.95, 0.2, 0, 0};

/// Mean, highest and least of the phases, which add up to `power.step`.
void sum_phases(TrainingPower& power, const Accelerator& gpu) {
  WattHours energy;
  power.mean_use = {0, 0, 0};
  power.peak = Watts{0};
  power.least = Watts{gpu.power_max_w};
  for (const PhasePower& phase : power.phases) {
    const double share = phase.time / power.step;
    energy = energy + phase.gpu * phase.time;
    power.mean_use.memory += share * phase.use.memory;
    power.mean_use.arithmetic += share * phase.use.arithmetic;
    power.mean_use.kernels += share * phase.use.kernels;
    if (phase.time.value() <= 0) continue;
    power.peak = std::max(power.peak, phase.gpu);
    power.least = std::min(power.least, phase.gpu);
  }
  power.mean = energy / power.step;
  // Of phases alike the division may leave a last digit more than each of them has.
  if (power.least <= power.peak) power.mean = std::clamp(power.mean, power.least, power.peak);
}

}  // namespace

std::string_view phase_name(Phase phase) {
  constexpr std::array<std::string_view, kPhases> kNames = {"products", "memory", "communication", "waiting"};
  return kNames[static_cast<std::size_t>(phase)];
}

TrainingPower training_power(const PowerConstants& constants, const Accelerator& gpu, Precision precision,
                             const StepTime& time) {
  const double peak = gpu.peak_flops(precision);
  const double products = time.products + time.attention + time.logits + time.recompute;
  // Recomputation is arithmetic too, at the rate of the rest.
  const double useful = products - time.recompute;
  const double rate = useful > 0 && peak > 0 ? time.model_flops_gpu * time.total / useful / peak : 0;
  TrainingPower power;
  power.step = Seconds{time.total};
  const auto set = [&](Phase phase, double seconds, Use use) {
    power.phases[static_cast<std::size_t>(phase)] = {Seconds{seconds}, use, gpu_power(constants, gpu, use)};
  };
  set(Phase::kProducts, products, {kProductMemory, std::min(1.0, rate)});
  set(Phase::kMemory, time.elementwise + time.optimizer, {kElementwiseMemory, kElementwiseArithmetic});
  set(Phase::kCommunication, time.tensor + time.context + time.expert + time.pipeline + time.data,
      {kCommunicationMemory, 0});
  set(Phase::kWaiting, time.host + time.imbalance + time.bubble + time.stragglers, {0, 0});
  sum_phases(power, gpu);
  return power;
}

LimitedPower limited_power(const PowerConstants& constants, const Accelerator& gpu, const TrainingPower& free,
                           const ClockLimit& limit) {
  LimitedPower limited;
  limited.power = free;
  limited.power.step = Seconds{0};
  for (std::size_t i = 0; i < kPhases; ++i) {
    PhasePower& phase = limited.power.phases[i];
    const ClockedWork work{phase.use, kComputeShare[i]};
    ClockedPower settled = at_clock(constants, gpu, work, limit.clock);
    if (limit.cap.value() > 0 && settled.power > limit.cap)
      settled = under_cap(constants, gpu, work, limit.cap);
    phase.time = phase.time / settled.speed;
    phase.gpu = settled.power;
    limited.power.step += phase.time;
    if (phase.time.value() <= 0) continue;
    limited.clock = std::min(limited.clock, settled.clock);
    limited.met = limited.met && settled.met;
  }
  sum_phases(limited.power, gpu);
  limited.speed = free.step / limited.power.step;
  return limited;
}

double paused_share(Seconds checkpoint, Seconds every) {
  return checkpoint.value() > 0 && every.value() > 0 ? checkpoint / (every + checkpoint) : 0;
}

Watts mean_with_pauses(const TrainingPower& power, double paused) {
  const Watts waiting = power.phases[static_cast<std::size_t>(Phase::kWaiting)].gpu;
  return power.mean * (1 - paused) + waiting * paused;
}

FeedSwing feed_swing(const TrainingPower& power, const SwingInput& input) {
  const auto wall = [&](Watts gpu) {
    return (gpu + input.fixed_per_gpu) * (input.gpus * input.supply_factor);
  };
  FeedSwing swing;
  const double paused = paused_share(input.checkpoint, input.every);
  Watts least = power.least;
  swing.period = power.step;
  if (paused > 0) {
    least = std::min(least, power.phases[static_cast<std::size_t>(Phase::kWaiting)].gpu);
    swing.period = input.every + input.checkpoint;
  }
  const Watts mean = mean_with_pauses(power, paused);
  // Storage in power supplies is a low-pass filter of the step's own swings; a checkpoint is longer than it.
  double kept = 1;
  if (input.storage.value() > 0) {
    const double turns = 2 * std::numbers::pi * (input.storage / power.step);
    kept = 1 / std::sqrt(1 + turns * turns);
  }
  const Watts peak = mean + (power.peak - mean) * (paused > 0 ? 1 : kept);
  const Watts low = mean - (mean - least) * (paused > 0 ? 1 : kept);
  swing.mean = wall(mean);
  swing.peak = wall(std::max(mean, peak));
  swing.least = wall(std::min(mean, low));
  return swing;
}

void FeedSum::add(const FeedSwing& job) {
  mean_ += job.mean;
  highest_ += job.peak;
  lowest_ += job.least;
  const double up = (job.peak - job.mean).value();
  const double down = (job.mean - job.least).value();
  up_squared_ += up * up;
  down_squared_ += down * down;
  period_ = std::max(period_, job.period);
}

FeedSwing FeedSum::total() const {
  FeedSwing swing;
  swing.mean = mean_;
  swing.peak = std::min(highest_, mean_ + Watts{std::sqrt(up_squared_)});
  swing.least = std::max(lowest_, mean_ - Watts{std::sqrt(down_squared_)});
  swing.period = period_;
  return swing;
}

}  // namespace gw::physics
