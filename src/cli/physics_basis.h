// What an answer of `gw physics` rests on: whose constants it takes where nothing like it was measured, and
// what the catalog does not tell and was assumed.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "physics/accelerator.h"
#include "physics/collectives.h"

namespace gw {

struct Basis {
  bool published = true;  ///< Measurements of that generation, at that size, are behind the constants.
  std::vector<std::string> notes;  ///< A sentence each on what is not; empty where all is.

  Basis& operator+=(const Basis& other);
};

/// Of the time of a training step.
Basis training_basis(const physics::Accelerator& gpu, double gpus);
/// Of the times of a serving replica; `over_network`: it sends through the GPUs' network ports.
Basis serving_basis(const physics::Accelerator& gpu, bool over_network);
/// Of watts.
Basis power_basis(const physics::Accelerator& gpu);
/// Of the time of a collective operation.
Basis collective_basis(const physics::Accelerator& gpu, const physics::Group& group);
/// Of interruptions; `over_network`: checkpoints go as fast as the nodes' network is usually.
Basis failures_basis(const physics::Accelerator& gpu, double gpus, bool over_network);

/// `{"published": ..., "notes": [...]}`.
nlohmann::ordered_json json_of(const Basis& basis);
/// A line for each note.
void print_basis(const Basis& basis);

}  // namespace gw
