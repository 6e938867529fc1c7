// What commands of `gw physics` share on power: sizes of nodes, watts as people read them.
#pragma once

#include <string>

#include "physics/training_power.h"

namespace gw {

/// GPUs of one node: trays of four where a scale-up domain is a rack, else eight; no more than there are.
double node_size(const physics::Accelerator& gpu, double gpus);

/// `640 W`, `7.21 kW`, `12.4 MW`.
std::string power_text(physics::Watts power);

/// How heat usually leaves the nodes of that type, by its catalog entry.
physics::Cooling usual_cooling(const physics::Accelerator& gpu);
/// As it is said in a sentence: `air`, `liquid`.
std::string cooling_text(physics::Cooling cooling);

}  // namespace gw
