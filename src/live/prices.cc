// The one rounding of a price.
#include "live/prices.h"

#include "base/check.h"

namespace gw::live {

MicroEuros PricePlan::price(std::string_view gpu_type, std::int64_t micro_gpu_s,
                            std::int64_t micro_core_s) const {
  GW_CHECK(micro_gpu_s >= 0 && micro_core_s >= 0);
  const MicroEuros per_gpu = of_gpu(gpu_type);
  __extension__ using Wide = __int128;
  constexpr Wide kHour = Wide{3600} * 1'000'000;  // In millionths of a second.
  const Wide sum = Wide{per_gpu.count()} * micro_gpu_s + Wide{per_core_hour.count()} * micro_core_s;
  return MicroEuros{static_cast<std::int64_t>((sum + kHour / 2) / kHour)};
}

}  // namespace gw::live
