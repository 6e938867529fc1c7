// What a serving replica draws in a steady state, from its GPUs to the facility, and what a token costs in
// energy.
#pragma once

#include "physics/cooling.h"
#include "physics/inference.h"

namespace gw::physics {

/// Use of each GPU of a replica, as `gpu_power` asks for it.
[[nodiscard]] Use use_of(const ServingState& state);
[[nodiscard]] Use use_of(const PassTime& time);

/// GPUs of one kind that serve, with what is around them.
struct ServingGpus {
  const Accelerator* gpu = nullptr;  ///< Outlives this.
  double gpus = 0;
  double node_gpus = 8;  ///< Of one node, which other replicas may share.
  Use use;
  double busy = 1;  ///< Share of the time with a pass under way; nothing runs else.
};

struct ServingPower {
  Watts gpus;      ///< All of them,
  Watts it;        ///< with their nodes and network,
  Watts facility;  ///< and the plant.

  ServingPower& operator+=(const ServingPower& other);
};
[[nodiscard]] ServingPower serving_power(const PowerConstants& constants, const ServingGpus& pool,
                                         const Plant& plant, const Weather& weather);

/// Of one output token, prompts' share included.
struct TokenEnergy {
  double gpus_j = 0;
  double it_j = 0;
  double facility_j = 0;
  CarbonGrams carbon;  ///< Of the facility's electricity.
};
/// `tokens_s` above 0.
[[nodiscard]] TokenEnergy token_energy(const ServingPower& power, double tokens_s, CarbonIntensity intensity);

}  // namespace gw::physics
