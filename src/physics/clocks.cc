// Voltage-frequency curve and the search for the clock that meets a cap.
#include "physics/clocks.h"

#include <algorithm>

#include "base/math.h"

namespace gw::physics {

namespace {

constexpr double kLowestClock = 0.17;  // 345 of 1980 MHz, the least that H100 offers.
// The voltage of NVIDIA GPUs falls about linearly with the clock and reaches its floor at some 0.6 of the
// highest clock (about 0.7 of the highest voltage): Guerreiro et al., "GPGPU Power Modeling for
// Multi-domain Voltage-Frequency Scaling", HPCA 2018, figure 6; recalled.
constexpr double kFloorClock = 0.6;
constexpr double kFloorVoltage = 0.72;

double rate_at(const ClockedWork& work, double clock) {
  const double compute = std::clamp(work.compute_share, 0.0, 1.0);
  return 1 / (compute / clock + (1 - compute));
}

/// Share of the TDP at a clock, not limited. At clock 1 it is what `gpu_power` limits.
double share_at(const PowerConstants& constants, const Accelerator& gpu, const ClockedWork& work,
                double clock) {
  const GpuPowerConstants& own = constants.gpus[static_cast<std::size_t>(gpu.generation)];
  const auto part = [](double use, double exponent) {
    return use <= 0 ? 0 : stable_pow(std::min(use, 1.0), exponent);
  };
  const double resident = resident_share(constants, gpu, work.use);
  const double idle = std::min(resident, gpu_idle_power(gpu).value() / gpu.power_max_w);
  const double voltage = voltage_share(clock);
  const double core =
      resident - idle + own.arithmetic * part(work.use.arithmetic, constants.arithmetic_exponent);
  // Memory has a clock of its own: it draws less only as it is asked less often.
  return idle + core * clock * voltage * voltage +
         own.memory * part(work.use.memory * rate_at(work, clock), constants.memory_exponent);
}

/// The highest clock up to `most` with no more than `share` of the TDP.
double clock_within(const PowerConstants& constants, const Accelerator& gpu, const ClockedWork& work,
                    double share, double most) {
  if (share_at(constants, gpu, work, most) <= share) return most;
  double low = std::min(kLowestClock, most);
  double high = most;
  for (int i = 0; i < 50; ++i) {
    const double middle = (low + high) / 2;
    (share_at(constants, gpu, work, middle) <= share ? low : high) = middle;
  }
  return low;
}

ClockedPower settle(const PowerConstants& constants, const Accelerator& gpu, const ClockedWork& work,
                    double clock, double cap) {
  // Without a cap the TDP itself may hold the clock down: speeds as measured have that in them.
  const double free = clock_within(constants, gpu, work, 1, 1);
  ClockedPower result;
  result.clock = clock_within(constants, gpu, work, std::min(cap, 1.0), std::clamp(clock, kLowestClock, 1.0));
  result.speed = rate_at(work, result.clock) / rate_at(work, free);
  const double drawn = std::min(1.0, share_at(constants, gpu, work, result.clock));
  result.met = drawn <= cap * (1 + 1e-9);
  result.power = Watts{gpu.power_max_w * drawn};
  return result;
}

}  // namespace

double voltage_share(double clock) {
  if (clock <= kFloorClock) return kFloorVoltage;
  return kFloorVoltage + (1 - kFloorVoltage) * (clock - kFloorClock) / (1 - kFloorClock);
}

ClockedPower at_clock(const PowerConstants& constants, const Accelerator& gpu, const ClockedWork& work,
                      double clock) {
  return settle(constants, gpu, work, std::min(clock, clock_within(constants, gpu, work, 1, 1)), 1);
}

ClockedPower under_cap(const PowerConstants& constants, const Accelerator& gpu, const ClockedWork& work,
                       Watts cap) {
  return settle(constants, gpu, work, 1, cap.value() / gpu.power_max_w);
}

}  // namespace gw::physics
