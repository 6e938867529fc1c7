// Watts of a pool of GPUs that serve, and joules of a token.
#include "physics/serving_power.h"

namespace gw::physics {

Use use_of(const ServingState& state) { return {state.memory_use, state.arithmetic_use, state.kernel_share}; }

Use use_of(const PassTime& time) { return {time.memory_use, time.arithmetic_use, time.kernel_share}; }

ServingPower& ServingPower::operator+=(const ServingPower& other) {
  gpus += other.gpus;
  it += other.it;
  facility += other.facility;
  return *this;
}

ServingPower serving_power(const PowerConstants& constants, const ServingGpus& pool, const Plant& plant,
                           const Weather& weather) {
  const Watts each = gpu_power(constants, *pool.gpu, pool.use, pool.busy);
  const NodePower node = node_power(constants, *pool.gpu, pool.node_gpus, each, plant.cooling);
  ServingPower power;
  power.gpus = each * pool.gpus;
  power.it = rack_power(node, pool.gpus / pool.node_gpus, pool.node_gpus, *pool.gpu).total();
  power.facility = facility_power(plant, power.it, weather).total;
  return power;
}

TokenEnergy token_energy(const ServingPower& power, double tokens_s, CarbonIntensity intensity) {
  TokenEnergy energy;
  energy.gpus_j = power.gpus.value() / tokens_s;
  energy.it_j = power.it.value() / tokens_s;
  energy.facility_j = power.facility.value() / tokens_s;
  energy.carbon = power.facility * Seconds{1 / tokens_s} * intensity;
  return energy;
}

}  // namespace gw::physics
