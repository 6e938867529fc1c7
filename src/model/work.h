// WorkProfile: what a job computes, for runs in which physics says how fast that goes where the job is.
#pragma once

#include <cstdint>
#include <string>

namespace gw {

enum class WorkKind : std::uint8_t {
  kNone,        ///< Nothing is known of it: jobs take as long as they were drawn.
  kTraining,    ///< Of a transformer (docs/physics-training.md).
  kPerception,  ///< Training of vision models on images, as for automated driving.
  kRobotics,    ///< Simulation and training of many robots at once.
  kCfd,         ///< Computational fluid dynamics on a grid.
};
inline constexpr int kWorkKinds = 5;

struct WorkProfile {
  WorkKind kind = WorkKind::kNone;
  std::string model;  ///< Of training: an entry of the catalog's models.
  std::string precision = "bf16";
  std::uint32_t sequence = 4096;  ///< Tokens.
  std::uint32_t batch = 512;      ///< Sequences in one step.
  /// How large the work of one job is, in its own units: tokens of training, otherwise images, steps of one
  /// robot, updates of one cell. 0 = as much as it does in the run time drawn for it where it is at its best.
  double amount = 0;
  /// What of the amount and its like is spread over the GPUs; all 1 and `best`: the fastest layout that fits.
  struct Layout {
    bool best = true;
    std::uint32_t tensor = 1;
    std::uint32_t pipeline = 1;
    std::uint32_t context = 1;
    std::uint32_t expert = 1;
    std::uint32_t micro_batch = 1;
    bool full_sharding = false;
    bool recompute = false;
  } layout;
  // Of the other kinds; 0 = what the kind's source has (docs/physics-twin.md).
  double per_gpu = 0;     ///< Images, robots or cells that one GPU has at a time.
  double cost = 1;        ///< Of one unit, over the source's.
  double parameters = 0;  ///< Whose gradients are exchanged.

  [[nodiscard]] bool any() const { return kind != WorkKind::kNone; }
};

}  // namespace gw
