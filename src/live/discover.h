// Discover: what this machine has: cores and memory.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "model/fleet.h"

namespace gw::live {

struct Machine {
  std::string name;
  std::uint32_t cores = 1;
  std::int64_t memory_mib = 0;
};

Result<Machine> discover_machine();
/// A fleet of that one node.
Fleet fleet_of(const Machine& machine);

}  // namespace gw::live
