// Radio-edge sites: GPUs that carry a mobile network first and do other work in the hours that leave room.
#pragma once

#include <array>
#include <cstdint>

namespace gw::physics {

inline constexpr std::size_t kHoursOfDay = 24;

/// Load of each hour of the local day as a share of the busiest.
using DailyCurve = std::array<double, kHoursOfDay>;

/// Mobile data traffic of a European network.
[[nodiscard]] const DailyCurve& mobile_traffic_curve();

struct EdgeSite {
  double gpus = 0;
  double radio_peak = 0;   ///< GPUs that the radio takes in its busiest hour.
  double headroom = 0.15;  ///< Kept free above the hour's load: bursts within an hour.
  DailyCurve curve = mobile_traffic_curve();
};

struct EdgeHour {
  double radio = 0;     ///< GPUs that are held for the radio, whole ones.
  double left = 0;      ///< GPUs for other work.
  double unserved = 0;  ///< GPUs that the radio would need beyond what is there.
};

/// The radio is served first: `left` is what remains, never below zero; radio + left = gpus.
[[nodiscard]] std::array<EdgeHour, kHoursOfDay> edge_day(const EdgeSite& site);

/// GPU-hours of a day that other work gets.
[[nodiscard]] double left_of_day(const std::array<EdgeHour, kHoursOfDay>& day);

}  // namespace gw::physics
