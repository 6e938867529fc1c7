// Power as people read it: `6.667 MW`, `464 kW`, `58 W`.
#pragma once

#include <string>

#include "base/units.h"

namespace gw::spec {

/// In the largest of W, kW, MW and GW that leaves at least 1, to four significant digits.
[[nodiscard]] std::string power_text(double milliwatts);
[[nodiscard]] inline std::string power_text(Milliwatts power) {
  return power_text(static_cast<double>(power.count()));
}

}  // namespace gw::spec
