// What a training step sends into the network beyond scale-up domains: the load that jobs put on links which
// they share with others.
#pragma once

#include "physics/training.h"

namespace gw::physics {

/// Bytes that one GPU sends into the network in one step, by how the traffic lies over it.
struct NetworkTraffic {
  /// Rings and pipelines: neighbours only. What leaves a part of the fabric comes from the domains at its
  /// edge.
  double ring_bytes = 0;
  /// All-to-all: every GPU sends to every other.
  double exchange_bytes = 0;
};

/// `run.gpu` has the domain that the placement gives it. No allocation.
[[nodiscard]] NetworkTraffic training_traffic(const TrainingRun& run);

}  // namespace gw::physics
