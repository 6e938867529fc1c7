// Power by use, and the node around the GPU.
#include "physics/power.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/math.h"

namespace gw::physics {

namespace {

double power_of(double base, double exponent) { return base <= 0 ? 0 : stable_pow(base, exponent); }

}  // namespace

const PowerConstants& published_power() {
  static constexpr PowerConstants kPublished = {
  // BEGIN FITTED
#include "physics/power_values.inc"
      // END FITTED
  };
  return kPublished;
}

std::string_view cooling_name(Cooling cooling) {
  constexpr std::array<std::string_view, 4> kNames = {"air", "rear-door", "direct-liquid", "immersion"};
  return kNames[static_cast<std::size_t>(cooling)];
}

Result<Cooling> find_cooling(std::string_view name) {
  for (const Cooling each :
       {Cooling::kAir, Cooling::kRearDoor, Cooling::kDirectLiquid, Cooling::kImmersion}) {
    if (cooling_name(each) == name) return each;
  }
  return fail(
      fmt::format("there is no cooling \"{}\"; take air, rear-door, direct-liquid or immersion", name));
}

double resident_share(const PowerConstants& constants, const Accelerator& gpu, const Use& use) {
  const double base = constants.gpus[static_cast<std::size_t>(gpu.generation)].base;
  const double between = std::min(base, constants.between_kernels);
  return between + (base - between) * std::clamp(use.kernels, 0.0, 1.0);
}

Watts gpu_power(const PowerConstants& constants, const Accelerator& gpu, Use use) {
  const GpuPowerConstants& own = constants.gpus[static_cast<std::size_t>(gpu.generation)];
  const double share =
      resident_share(constants, gpu, use) +
      own.memory * power_of(std::clamp(use.memory, 0.0, 1.0), constants.memory_exponent) +
      own.arithmetic * power_of(std::clamp(use.arithmetic, 0.0, 1.0), constants.arithmetic_exponent);
  return Watts{gpu.power_max_w * std::min(1.0, share)};
}

Watts gpu_idle_power(const Accelerator& gpu) {
  // Of GPUs whose idle power the catalog does not know: about a ninth of the TDP, as A100 (55 of 400 W) and
  // H100 (75 of 700 W).
  return Watts{gpu.power_idle_w > 0 ? gpu.power_idle_w : gpu.power_max_w / 9};
}

Watts gpu_power(const PowerConstants& constants, const Accelerator& gpu, Use use, double busy) {
  const double share = std::clamp(busy, 0.0, 1.0);
  return gpu_power(constants, gpu, use) * share + gpu_idle_power(gpu) * (1 - share);
}

NodePower node_power(const PowerConstants& constants, const Accelerator& gpu, double gpus, Watts each,
                     Cooling cooling) {
  NodePower node;
  node.gpus = each * gpus;
  node.host = Watts{constants.host_w + constants.host_share * gpu.power_max_w} * gpus;
  double fans = 0;
  switch (cooling) {
    case Cooling::kAir:
    case Cooling::kRearDoor:
      fans = constants.air_fans;
      break;
    case Cooling::kDirectLiquid:
      fans = constants.liquid_fans;
      break;
    case Cooling::kImmersion:
      break;
  }
  // Fans turn with the heat: their power goes with the cube of the flow, and flow with heat, but they never
  // stand still. A straight line through full load is within a few percent between half and full load.
  node.fans = (node.gpus + node.host) * fans;
  node.total = (node.gpus + node.host + node.fans) / (1 - constants.supply_loss);
  node.supplies = node.total - (node.gpus + node.host + node.fans);
  return node;
}

RackPower rack_power(const NodePower& node, double nodes, double gpus_of_node, const Accelerator& gpu) {
  constexpr double kWattsPerGigabit = 0.5 * 116.0 / 400.0;
  RackPower rack;
  rack.nodes = node.total * nodes;
  rack.network = Watts{kWattsPerGigabit * in_gigabits_per_second(BytesPerSecond{gpu.network_bytes_s})} *
                 (nodes * gpus_of_node);
  return rack;
}

}  // namespace gw::physics
