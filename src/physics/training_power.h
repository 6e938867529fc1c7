// Power over one training step: phases that draw differently, their mean, and what the feed sees of them.
#pragma once

#include <array>

#include "physics/power.h"
#include "physics/training.h"

namespace gw::physics {

/// Parts of a step that draw different power.
enum class Phase : std::uint8_t { kProducts, kMemory, kCommunication, kWaiting };
inline constexpr int kPhases = 4;
[[nodiscard]] std::string_view phase_name(Phase phase);

struct PhasePower {
  Seconds time;  ///< Of one step.
  Use use;
  Watts gpu;
};

/// Of one GPU of a training run.
struct TrainingPower {
  std::array<PhasePower, kPhases> phases;
  Use mean_use;
  Watts mean;
  Watts peak;
  Watts least;
  Seconds step;
};

/// From a step's parts: matrix products and attention; element-wise kernels, optimizer and output layer's
/// softmax; communication that nothing hides; waiting (bubble, stragglers, host). All of a step is in one
/// phase.
[[nodiscard]] TrainingPower training_power(const PowerConstants& constants, const Accelerator& gpu,
                                           Precision precision, const StepTime& time);

/// A limit on every GPU of the run; 0 watts = no cap on power.
struct ClockLimit {
  double clock = 1;  ///< Share of the highest.
  Watts cap;
};
/// The same step under a limit: each phase is as much slower as its clock makes it. Communication, waiting
/// and the memory do not follow the clock.
struct LimitedPower {
  TrainingPower power;
  double speed = 1;  ///< Of steps, over those without the limit.
  double clock = 1;  ///< The lowest of any phase.
  bool met = true;   ///< False where even the lowest clock draws more than the cap in some phase.
};
[[nodiscard]] LimitedPower limited_power(const PowerConstants& constants, const Accelerator& gpu,
                                         const TrainingPower& free, const ClockLimit& limit);

/// Steps of one job as its feed sees them.
struct FeedSwing {
  Watts mean;
  Watts peak;
  Watts least;
  Seconds period;  ///< Of the deepest swing.

  [[nodiscard]] double peak_to_mean() const { return mean.value() > 0 ? peak / mean : 1; }
};

/// Share of time in pauses of `checkpoint`, one after each `every` of work; 0 where either is 0.
[[nodiscard]] double paused_share(Seconds checkpoint, Seconds every);
/// Of a GPU over steps and the pauses between them, in which it waits.
[[nodiscard]] Watts mean_with_pauses(const TrainingPower& power, double paused);

/// What the phases of a step and pauses for checkpoints make of `fixed` and the GPUs' power: all GPUs of a
/// job step together. `checkpoint`: a pause, once in `every`, in which GPUs wait; 0 = none.
struct SwingInput {
  double gpus = 0;
  Watts fixed_per_gpu;       ///< What does not swing: host, fans, network.
  double supply_factor = 1;  ///< Wall power for each watt inside.
  Seconds checkpoint;
  Seconds every;
  Seconds storage;  ///< Time constant of energy storage in power supplies; 0 = none.
};
[[nodiscard]] FeedSwing feed_swing(const TrainingPower& power, const SwingInput& input);

/// Several jobs behind one feed, which do not step together: means add, swings add in squares.
class FeedSum {
 public:
  void add(const FeedSwing& job);
  [[nodiscard]] FeedSwing total() const;

 private:
  Watts mean_;
  Watts highest_;
  Watts lowest_;
  double up_squared_ = 0;
  double down_squared_ = 0;
  Seconds period_;
};

}  // namespace gw::physics
