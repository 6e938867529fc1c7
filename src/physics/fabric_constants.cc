// Constants of the links by generation, fitted to published collectives; docs/physics-collectives.md says
// how.
#include "physics/collectives.h"

namespace gw::physics {

LinkConstants scaleup_constants(Generation generation) {
  switch (generation) {
    case Generation::kVolta:
    case Generation::kAmpere:
      return {.base_s = 14.9e-6,
              .hop_s = 4.64e-6,
              .efficiency = 0.782,
              .fill_s = 119e-6,
              .fill_gpu_s = 14.7e-6,
              .fill_bytes = 29.5e6};
    case Generation::kHopper:
      return {.base_s = 8.0e-6,
              .hop_s = 5.06e-6,
              .efficiency = 0.810,
              .fill_s = 188e-6,
              .fill_gpu_s = 1.98e-6,
              .fill_bytes = 238e6,
              .switch_efficiency = 1.066};
    case Generation::kBlackwell:
    case Generation::kBlackwellUltra:
      return {.base_s = 12.6e-6,
              .hop_s = 0.91e-6,
              .efficiency = 0.746,
              .fill_s = 14.5e-6,
              .fill_gpu_s = 6.91e-6,
              .fill_bytes = 13.2e6,
              .switch_efficiency = 0.918};
    case Generation::kOther:
      break;
  }
  // Nothing was measured of these links: Ampere's latencies, and a share of the bandwidth that all reach.
  return {.base_s = 14.9e-6,
          .hop_s = 4.64e-6,
          .efficiency = 0.75,
          .fill_s = 119e-6,
          .fill_gpu_s = 7e-6,
          .fill_bytes = 29.5e6};
}

LinkConstants network_constants() {
  return {.base_s = 19.6e-6,
          .hop_s = 15e-6,
          .efficiency = 0.97,
          .fill_s = 35e-6,
          .fill_gpu_s = 3.06e-6,
          .fill_bytes = 13.3e6};
}

Fabric fabric_of(const Accelerator& gpu) {
  Fabric fabric;
  fabric.scaleup_bytes_s = gpu.scaleup_bytes_s;
  fabric.domain = gpu.scaleup_domain;
  fabric.network_bytes_s = gpu.network_bytes_s;
  fabric.scaleup = scaleup_constants(gpu.generation);
  fabric.network = network_constants();
  return fabric;
}

}  // namespace gw::physics
