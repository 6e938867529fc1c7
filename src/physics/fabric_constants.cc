// Constants of the links by generation, fitted to published collectives; docs/physics-collectives.md says
// how.
#include "physics/collectives.h"

namespace gw::physics {

const FabricConstants& published_fabric_constants() {
  static const FabricConstants kConstants = {
#include "physics/fabric_values.inc"
  };
  return kConstants;
}

Fabric fabric_of(const Accelerator& gpu, const FabricConstants& constants) {
  Fabric fabric;
  fabric.scaleup_bytes_s = gpu.scaleup_bytes_s;
  fabric.domain = gpu.scaleup_domain;
  fabric.network_bytes_s = gpu.network_bytes_s;
  fabric.scaleup = constants.scaleup[static_cast<std::size_t>(gpu.generation)];
  fabric.network = constants.network;
  return fabric;
}

}  // namespace gw::physics
