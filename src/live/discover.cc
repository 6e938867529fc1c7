// Asks the system.
#include "live/discover.h"

#include <sched.h>
#include <unistd.h>

#include <array>

namespace gw::live {

Result<Machine> discover_machine() {
  Machine machine;
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) == 0) machine.name = name.data();
  if (machine.name.empty()) machine.name = "localhost";
  cpu_set_t cores;
  CPU_ZERO(&cores);
  if (sched_getaffinity(0, sizeof cores, &cores) == 0)
    machine.cores = static_cast<std::uint32_t>(CPU_COUNT(&cores));
  machine.memory_mib = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE) >> 20;
  return machine;
}

Fleet fleet_of(const Machine& machine) {
  Fleet fleet;
  fleet.name = machine.name;
  NodeType type;
  type.name = "this-machine";
  type.cpu_milli = std::int64_t{1000} * machine.cores;
  type.memory_mib = machine.memory_mib;
  fleet.node_types.push_back(type);
  fleet.node_type_of = {0};
  fleet.fabric.push_back(Partition{"site", {0, 1}});
  fleet.node_names = {machine.name};
  return fleet;
}

}  // namespace gw::live
