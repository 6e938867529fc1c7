// One scale for every message and table.
#include "spec/power_text.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <cstddef>

namespace gw::spec {

std::string power_text(double milliwatts) {
  constexpr std::array<const char*, 4> kUnits{"W", "kW", "MW", "GW"};
  double value = milliwatts * 1e-3;
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && std::abs(value) >= 999.95) {
    value /= 1000;
    ++unit;
  }
  // Never as 1.25e+04: above the last unit all digits are said.
  return std::abs(value) >= 9999.5 ? fmt::format("{:.0f} {}", value, kUnits[unit])
                                   : fmt::format("{:.4g} {}", value, kUnits[unit]);
}

}  // namespace gw::spec
