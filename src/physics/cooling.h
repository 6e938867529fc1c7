// From the nodes' power to the facility's: fans, pumps, heat rejection, chillers and losses by outside
// temperature.
#pragma once

#include <optional>
#include <string_view>

#include "physics/power.h"

namespace gw::physics {

/// Where heat leaves the building.
enum class Rejection : std::uint8_t {
  kDryCooler,    ///< Air over a coil; a chiller for the hours that are too warm.
  kEvaporative,  ///< Towers or wet pads: follows the wet bulb; a chiller for what is left.
  kChiller,      ///< Always through a compressor.
};
[[nodiscard]] std::string_view rejection_name(Rejection rejection);
[[nodiscard]] Result<Rejection> find_rejection(std::string_view name);

struct Weather {
  Celsius outside{15};
  double humidity = 0.6;  ///< Relative, 0 to 1.
};
/// Stull 2011 (doi:10.1175/JAMC-D-11-0143.1), for -20 to 50 degrees; never above the dry bulb.
[[nodiscard]] Celsius wet_bulb(const Weather& weather);

struct Plant {
  Cooling cooling = Cooling::kAir;
  Rejection rejection = Rejection::kDryCooler;
  double distribution_loss = 0.05;  ///< Of what is fed in for IT: transformers, UPS, busbars.
  double other_share = 0.01;        ///< Of IT: light, controls, offices.
  std::optional<Celsius> supply;    ///< Of water or air to the nodes; none: usual for the cooling.
};
/// Where `supply` is not given: air 25, rear doors 20, direct liquid 35, immersion 40.
[[nodiscard]] Celsius usual_supply(Cooling cooling);

/// Parts of what a facility draws; they add up to `total`, and so does `rejected`.
struct FacilityPower {
  Watts it;            ///< Nodes and network, as fed.
  Watts distribution;  ///< Lost on the way to them.
  Watts air;           ///< Fans of rooms and doors.
  Watts pumps;
  Watts outdoor;  ///< Fans of dry coolers or towers, sprays.
  Watts compressors;
  Watts other;
  Watts total;
  Watts rejected;          ///< Heat that leaves the building, with what its machines add.
  double chilled = 0;      ///< Share of the heat that passes a compressor.
  double coefficient = 0;  ///< Heat over work of the compressor; 0 = none runs.

  [[nodiscard]] double pue() const { return it.value() > 0 ? total / it : 1; }
};
[[nodiscard]] FacilityPower facility_power(const Plant& plant, Watts it, const Weather& weather);

/// Mean over a year of a place with that mean temperature: a season and a day, both as a cosine.
struct Climate {
  Celsius mean{11};
  double season = 9;  ///< Amplitude, kelvin.
  double day = 4.5;
  double humidity = 0.7;
};
[[nodiscard]] double yearly_pue(const Plant& plant, const Climate& climate);

/// Energy of a run, and the carbon of its electricity.
struct RunEnergy {
  WattHours it;
  WattHours facility;
  CarbonGrams carbon;
};
[[nodiscard]] RunEnergy run_energy(const FacilityPower& power, Seconds time, CarbonIntensity intensity);

}  // namespace gw::physics
