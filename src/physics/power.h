// GPU and node power: what a GPU draws at a given use of its memory and arithmetic, and what the node adds.
//
// docs/physics-power.md holds the equations, the sources and the measured errors.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "physics/accelerator.h"
#include "physics/units.h"

namespace gw::physics {

/// Shares of the memory bandwidth and of the dense peak (of the precision in use), and of the time in which a
/// kernel runs; 0 to 1.
struct Use {
  double memory = 0;
  double arithmetic = 0;
  double kernels = 1;  ///< Below 1 where the host is slower than the GPU. One that waits in a kernel counts.
};

/// Shares of the TDP of one GPU generation; see `raw_share`.
struct GpuPowerConstants {
  double base = 0;        ///< Clocks up and a kernel resident, nothing else.
  double memory = 0;      ///< Added by the whole memory bandwidth,
  double arithmetic = 0;  ///< and by the whole dense peak.
};

struct PowerConstants {
  std::array<GpuPowerConstants, kGenerations> gpus;
  double between_kernels = 0;  ///< Clocks up, no kernel resident; of the TDP, at most `base`.
  double memory_exponent = 1;
  double arithmetic_exponent = 1;
  double host_w = 0;  ///< Of a node, for each GPU: processors, memory, network ports.
  double host_share =
      0;  ///< The same that grows with the GPU: links' switches, voltage regulators; of its TDP.
  double air_fans = 0;        ///< Of what else an air-cooled node draws, at full load.
  double liquid_fans = 0;     ///< The same where liquid takes most of the heat.
  double supply_loss = 0;     ///< Of a node's power, in its power supplies.
  double strong_scaling = 0;  ///< A fixed problem on n nodes keeps GPUs busy n^-this of the time.
  double start_s = 0;         ///< Of a benchmark run, near idle: start, evaluation, stop.
};

/// As tools/physics_fit/power.cc found them.
[[nodiscard]] const PowerConstants& published_power();

/// Where the heat of a node goes first.
enum class Cooling : std::uint8_t { kAir, kRearDoor, kDirectLiquid, kImmersion };
[[nodiscard]] std::string_view cooling_name(Cooling cooling);
[[nodiscard]] Result<Cooling> find_cooling(std::string_view name);

/// Power of one GPU, its clock free: TDP min(1, resident + memory u_m^g + arithmetic u_a^d), where
/// `resident` is resident_share().
[[nodiscard]] Watts gpu_power(const PowerConstants& constants, const Accelerator& gpu, Use use);
/// Of the TDP, whatever kernels do: between `between_kernels` and `base` by the time in which one runs.
[[nodiscard]] double resident_share(const PowerConstants& constants, const Accelerator& gpu, const Use& use);
/// Nothing runs.
[[nodiscard]] Watts gpu_idle_power(const Accelerator& gpu);
/// Busy with `use` for a share of the time, idle for the rest: an inference server between requests.
[[nodiscard]] Watts gpu_power(const PowerConstants& constants, const Accelerator& gpu, Use use, double busy);

/// Of one node; the parts add up to `total`, all of which becomes heat.
struct NodePower {
  Watts gpus;
  Watts host;      ///< Processors, memory, network ports, switches of links.
  Watts fans;      ///< And pumps inside the node.
  Watts supplies;  ///< Lost in power supplies.
  Watts total;     ///< At the wall.

  [[nodiscard]] Watts inside() const { return total - supplies; }  ///< Behind the power supplies.
};
/// `gpus` GPUs that draw `each`.
[[nodiscard]] NodePower node_power(const PowerConstants& constants, const Accelerator& gpu, double gpus,
                                   Watts each, Cooling cooling);

/// Nodes, and the switches and storage that serve them.
struct RackPower {
  Watts nodes;
  Watts network;  ///< Leaf and spine switches, by the GPU.
  [[nodiscard]] Watts total() const { return nodes + network; }
};
/// Of the network: the submitter's estimate for 64 nodes of MLPerf Training v4.0 (116 W a GPU at 400 Gbit/s)
/// is of nameplates; half of it is drawn.
[[nodiscard]] RackPower rack_power(const NodePower& node, double nodes, double gpus_of_node,
                                   const Accelerator& gpu);

}  // namespace gw::physics
