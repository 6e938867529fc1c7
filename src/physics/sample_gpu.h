// A GPU for programs that have no catalog at hand: benchmarks and fuzz targets.
#pragma once

#include "physics/accelerator.h"

namespace gw::physics {

/// An H100 SXM as the catalog has it.
inline Accelerator sample_h100() {
  Accelerator gpu;
  gpu.name = "h100";
  gpu.generation = Generation::kHopper;
  gpu.dense_16bit_flops = 989e12;
  gpu.dense_8bit_flops = 1979e12;
  gpu.memory_bytes = 80e9;
  gpu.memory_bytes_s = 3.35e12;
  gpu.scaleup_bytes_s = 450e9;
  gpu.scaleup_domain = 8;
  gpu.network_bytes_s = 50e9;
  return gpu;
}

}  // namespace gw::physics
