// Prices: what an attempt's use of the factory costs under a price plan.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/units.h"

namespace gw::live {

struct PricePlan {
  std::map<std::string, MicroEuros, std::less<>> per_gpu_hour;  ///< By GPU type.
  MicroEuros per_other_gpu_hour;                                ///< Of types that are not named.
  MicroEuros per_core_hour;

  [[nodiscard]] MicroEuros of_gpu(std::string_view gpu_type) const {
    const auto named = per_gpu_hour.find(gpu_type);
    return named != per_gpu_hour.end() ? named->second : per_other_gpu_hour;
  }
  /// Rounded once, half up, to whole micro-euros. Amounts as in TransferRecord; not negative.
  [[nodiscard]] MicroEuros price(std::string_view gpu_type, std::int64_t micro_gpu_s,
                                 std::int64_t micro_core_s) const;
};

/// Plans by name. Tenants without one have `default`; a plan that is not there costs nothing.
using Prices = std::map<std::string, PricePlan, std::less<>>;

}  // namespace gw::live
