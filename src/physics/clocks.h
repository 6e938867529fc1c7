// Clock against power and speed: what a power cap or a clock cap does to a GPU's work.
#pragma once

#include "physics/power.h"

namespace gw::physics {

/// Voltage at a share of the highest clock, over the voltage there: falls with the clock down to a floor.
[[nodiscard]] double voltage_share(double clock);

/// Work of a GPU while it is busy, as clocks see it.
struct ClockedWork {
  Use use;  ///< At the highest clock that the TDP allows.
  double compute_share =
      1;  ///< Share of the time that goes with the clock; the rest waits for memory or links.
};

struct ClockedPower {
  double clock = 1;  ///< Share of the highest.
  double speed = 1;  ///< Of the work, over that without a cap.
  Watts power;
  bool met = true;  ///< Even the lowest clock draws more than the cap where this is false.
};

/// With the clock held at a share of the highest; still no more than the TDP.
[[nodiscard]] ClockedPower at_clock(const PowerConstants& constants, const Accelerator& gpu,
                                    const ClockedWork& work, double clock);
/// With power held below `cap`: the highest clock that does.
[[nodiscard]] ClockedPower under_cap(const PowerConstants& constants, const Accelerator& gpu,
                                     const ClockedWork& work, Watts cap);

}  // namespace gw::physics
