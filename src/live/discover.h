// What this machine has: cores, memory and GPUs, and the fleet of one node that they make.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/units.h"
#include "live/local_engine_launch.h"
#include "model/fleet.h"
#include "spec/catalog.h"

namespace gw::live {

struct FoundGpu {
  std::string name;  ///< As its driver writes it: "NVIDIA H100 80GB HBM3".
  std::string uuid;  ///< "GPU-..."
  Bytes memory;
  Milliwatts power_limit;    ///< 0 = not known.
  std::uint32_t index = 0;   ///< In the driver's order, which is that of the bus.
  std::uint32_t device = 0;  ///< Of its device node.
};

struct FoundMachine {
  std::string host;
  std::int64_t cpu_milli = 0;  ///< Of the cores that this process may use, less what control groups withhold.
  std::int64_t memory_mib = 0;  ///< As well.
  std::uint32_t numa_nodes = 1;
  std::vector<FoundGpu> gpus;
  std::string no_gpus;  ///< For people: why none were found; empty where some were.
};

/// Where to look; other places are for tests.
struct DiscoverPlaces {
  std::filesystem::path system = "/";  ///< Folder that holds proc and sys.
  std::string nvml = "libnvidia-ml.so.1";
};

FoundMachine discover_machine(const DiscoverPlaces& places = {});

/// The catalog's entry for a GPU: the one with most words of its key in the driver's name for it and, within
/// an eighth, its memory; nullptr: none.
const spec::GpuEntry* find_gpu(const FoundGpu& gpu, const spec::Catalog& catalog);

struct MachineFleet {
  Fleet fleet;                 ///< One node, `node-1`; check_fleet holds.
  std::vector<LocalGpu> gpus;  ///< For LaunchRules, in the order of the node's GPUs.
  std::string note;            ///< For people: what of the machine is not in the fleet.
};

/// GPUs of a type that the catalog does not know become a type of their own. A node has GPUs of one type: the
/// most frequent, the others are left out.
MachineFleet machine_fleet(const FoundMachine& machine, const spec::Catalog& catalog);

}  // namespace gw::live
