// The daily curve of mobile traffic, and what it leaves.
#include "physics/edge_site.h"

#include <algorithm>
#include <cmath>

namespace gw::physics {

const DailyCurve& mobile_traffic_curve() {
  // Shape of the daily variation of traffic in Europe (EARTH project, deliverable D2.3, 2012, section on the
  // long-term traffic model: least in the early morning at about an eighth of the evening's peak), recalled
  // and rounded to five hundredths.
  static constexpr DailyCurve kCurve = {0.80, 0.60, 0.40, 0.25, 0.15, 0.15, 0.15, 0.20,
                                        0.30, 0.45, 0.55, 0.60, 0.65, 0.65, 0.70, 0.70,
                                        0.75, 0.80, 0.85, 0.90, 0.95, 1.00, 1.00, 0.90};
  return kCurve;
}

std::array<EdgeHour, kHoursOfDay> edge_day(const EdgeSite& site) {
  std::array<EdgeHour, kHoursOfDay> day;
  for (std::size_t hour = 0; hour < kHoursOfDay; ++hour) {
    const double wanted = std::ceil(site.curve[hour] * site.radio_peak * (1 + site.headroom));
    day[hour].radio = std::min(wanted, site.gpus);
    day[hour].left = site.gpus - day[hour].radio;
    day[hour].unserved = wanted - day[hour].radio;
  }
  return day;
}

double left_of_day(const std::array<EdgeHour, kHoursOfDay>& day) {
  double hours = 0;
  for (const EdgeHour& each : day) hours += each.left;
  return hours;
}

}  // namespace gw::physics
