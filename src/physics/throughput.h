// Work that is known by its throughput: training of perception models, simulation of robots, fluid dynamics.
//
// Each is one published measurement, carried to other GPUs and placements by what bounds it
// (docs/physics-twin.md, which also says how far that reaches).
#pragma once

#include "model/work.h"
#include "physics/accelerator.h"

namespace gw::physics {

/// What the published measurement of a kind says.
struct ThroughputSource {
  std::string_view unit;  ///< Of the work.
  double per_gpu = 0;     ///< Units that one GPU has at a time.
  double parameters = 0;  ///< Whose gradients are exchanged.
  std::string_view source;
};
/// Of a kind other than kNone and kTraining.
[[nodiscard]] const ThroughputSource& throughput_source(WorkKind kind);

/// Seconds of one step on each of `gpus` GPUs, in which they do `units` together, and what one of them sends
/// into the network.
struct ThroughputStep {
  double seconds = 0;
  double units = 0;
  double ring_bytes = 0;
};

/// `gpu` has the domain, network and clock of the placement; `clock` is its clock over the free one.
[[nodiscard]] ThroughputStep throughput_step(const WorkProfile& work, const Accelerator& gpu,
                                             std::uint32_t gpus, double clock);

}  // namespace gw::physics
