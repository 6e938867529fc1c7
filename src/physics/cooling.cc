// A plant in four lines of arithmetic a part; docs/physics-power.md says where each number is from.
#include "physics/cooling.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "base/math.h"

namespace gw::physics {

namespace {

/// Of each kind of cooling.
struct CoolingConstants {
  double usual_supply;  ///< Degrees.
  double liquid;        ///< Share of the heat that liquid takes from the nodes.
  double room_fans;     ///< Power of room and door fans over the heat that air takes.
  double pumps;         ///< Over the heat that liquid takes, the plant's own loop with it.
};
// Supplies: ASHRAE TC 9.9 (air 18 to 27 degrees; water classes W32 to W45). Shares of heat: rear doors all of
// it from the air behind the nodes, cold plates some 85 %, tanks all. Room fans 4 to 6 % of the heat with
// contained aisles, half of that through a passive or slow door.
constexpr std::array<CoolingConstants, 4> kCooling = {{
    {25, 0.00, 0.060, 0.010},
    {20, 0.00, 0.015, 0.015},
    {35, 0.85, 0.060, 0.010},
    {40, 1.00, 0.000, 0.010},
}};

constexpr double kDryApproach = 8;   // Kelvin between outside air and water of a dry cooler.
constexpr double kWetApproach = 5;   // Kelvin between wet bulb and water of a tower.
constexpr double kExchangers = 3;    // Kelvin between the plant's water and what nodes get.
constexpr double kAirExchanger = 6;  // The same where nodes get air.
constexpr double kRange = 10;  // Kelvin by which water warms at the nodes: partly free cooling within it.
constexpr double kOutdoorDry = 0.018;  // Fans over heat.
constexpr double kOutdoorWet = 0.010;
constexpr double kCarnotShare = 0.5;  // Of centrifugal and screw chillers at part load.
constexpr double kCondenserLift = 8;  // Kelvin of condenser above the water that cools it.
constexpr double kLeastLift = 12;     // Compressors need a difference.
constexpr double kKelvin = 273.15;

}  // namespace

std::string_view rejection_name(Rejection rejection) {
  constexpr std::array<std::string_view, 3> kNames = {"dry", "evaporative", "chiller"};
  return kNames[static_cast<std::size_t>(rejection)];
}

Result<Rejection> find_rejection(std::string_view name) {
  for (const Rejection each : {Rejection::kDryCooler, Rejection::kEvaporative, Rejection::kChiller}) {
    if (rejection_name(each) == name) return each;
  }
  return fail(fmt::format("there is no heat rejection \"{}\"; take dry, evaporative or chiller", name));
}

Celsius wet_bulb(const Weather& weather) {
  const double t = std::clamp(weather.outside.value(), -20.0, 50.0);
  const double rh = std::clamp(100 * weather.humidity, 5.0, 99.0);
  const double bulb = t * std::atan(0.151977 * std::sqrt(rh + 8.313659)) + std::atan(t + rh) -
                      std::atan(rh - 1.676331) + 0.00391838 * rh * std::sqrt(rh) * std::atan(0.023101 * rh) -
                      4.686035;
  const double beyond = weather.outside.value() - t;  // Outside the fit: moves with the dry bulb.
  return Celsius{std::min(bulb, t) + beyond};
}

Celsius usual_supply(Cooling cooling) {
  return Celsius{kCooling[static_cast<std::size_t>(cooling)].usual_supply};
}

FacilityPower facility_power(const Plant& plant, Watts it, const Weather& weather) {
  const CoolingConstants& own = kCooling[static_cast<std::size_t>(plant.cooling)];
  const double supply = plant.supply ? plant.supply->value() : own.usual_supply;
  FacilityPower power;
  power.it = it;
  power.distribution = it * (plant.distribution_loss / (1 - plant.distribution_loss));
  power.other = it * plant.other_share;
  const Watts by_liquid = it * own.liquid;
  const Watts by_air = it - by_liquid;
  power.air = by_air * own.room_fans;
  power.pumps = it * own.pumps;
  // Losses and fans are heat inside the building too.
  const Watts inside = it + power.distribution + power.other + power.air + power.pumps;

  const bool wet = plant.rejection == Rejection::kEvaporative;
  const double sink = wet ? wet_bulb(weather).value() + kWetApproach : weather.outside.value() + kDryApproach;
  // Water that nodes or air coolers need, after the heat exchangers in between.
  const bool air_supply = plant.cooling == Cooling::kAir;
  const double water = supply - kExchangers - (air_supply ? kAirExchanger : 0);
  power.chilled = plant.rejection == Rejection::kChiller ? 1 : std::clamp((sink - water) / kRange, 0.0, 1.0);
  // What air takes beside cold plates is cooled by a loop of its own, as cold as for air.
  double air_chilled = power.chilled;
  if (plant.cooling == Cooling::kDirectLiquid && plant.rejection != Rejection::kChiller) {
    const double air_water = kCooling[0].usual_supply - kExchangers - kAirExchanger;
    air_chilled = std::clamp((sink - air_water) / kRange, 0.0, 1.0);
    power.chilled = power.chilled * own.liquid + air_chilled * (1 - own.liquid);
  }
  if (power.chilled > 0) {
    const double cold = std::min(water, kCooling[0].usual_supply - kExchangers - kAirExchanger);
    const double lift = std::max(kLeastLift, sink + kCondenserLift - cold);
    power.coefficient = kCarnotShare * (cold + kKelvin) / lift;
    power.compressors = inside * (power.chilled / power.coefficient);
  }
  power.outdoor = (inside + power.compressors) * (wet ? kOutdoorWet : kOutdoorDry);
  power.rejected = inside + power.compressors + power.outdoor;
  power.total = power.it + power.distribution + power.air + power.pumps + power.outdoor + power.compressors +
                power.other;
  return power;
}

double yearly_pue(const Plant& plant, const Climate& climate) {
  constexpr int kMonths = 12;
  constexpr int kHours = 24;
  double sum = 0;
  for (int month = 0; month < kMonths; ++month) {
    for (int hour = 0; hour < kHours; ++hour) {
      Weather weather;
      weather.humidity = climate.humidity;
      weather.outside =
          climate.mean + Celsius{climate.season * stable_cos(2 * std::numbers::pi * month / kMonths) +
                                 climate.day * stable_cos(2 * std::numbers::pi * hour / kHours)};
      sum += facility_power(plant, Watts{1}, weather).pue();
    }
  }
  return sum / (kMonths * kHours);
}

RunEnergy run_energy(const FacilityPower& power, Seconds time, CarbonIntensity intensity) {
  RunEnergy energy;
  energy.it = power.it * time;
  energy.facility = power.total * time;
  energy.carbon = energy.facility * intensity;
  return energy;
}

}  // namespace gw::physics
