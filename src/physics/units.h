// Strong types for what physics computes in `double`: only like adds to like, only meaningful products exist.
//
// The core keeps integers (base/units.h); `rounded` is where a value of physics enters it, once.
#pragma once

#include <cmath>
#include <compare>
#include <cstdint>

#include "base/units.h"

namespace gw::physics {

/// An amount of one dimension. `Watts + Seconds` does not compile; a plain number goes in and out by name.
template <class Tag>
class Amount {
 public:
  constexpr Amount() = default;
  constexpr explicit Amount(double value) : value_(value) {}
  [[nodiscard]] constexpr double value() const { return value_; }

  friend constexpr auto operator<=>(Amount, Amount) = default;
  friend constexpr bool operator==(Amount, Amount) = default;
  constexpr Amount operator+(Amount other) const { return Amount{value_ + other.value_}; }
  constexpr Amount operator-(Amount other) const { return Amount{value_ - other.value_}; }
  constexpr Amount operator*(double factor) const { return Amount{value_ * factor}; }
  constexpr Amount operator/(double divisor) const { return Amount{value_ / divisor}; }
  constexpr double operator/(Amount other) const { return value_ / other.value_; }
  constexpr Amount& operator+=(Amount other) { return *this = *this + other; }
  friend constexpr Amount operator*(double factor, Amount amount) { return amount * factor; }

 private:
  double value_ = 0;
};

using Watts = Amount<struct WattsTag>;
using Seconds = Amount<struct SecondsTag>;
using WattHours = Amount<struct WattHoursTag>;
using Celsius = Amount<struct CelsiusTag>;  ///< A temperature; the difference of two is in kelvin.
using Kilometres = Amount<struct KilometresTag>;
using DataBytes = Amount<struct DataBytesTag>;
using BytesPerSecond = Amount<struct BytesPerSecondTag>;
using CarbonGrams = Amount<struct CarbonGramsTag>;               ///< Of CO2 or its equivalent.
using CarbonIntensity = Amount<struct GramsPerKilowattHourTag>;  ///< Grams for each kilowatt-hour.

inline constexpr double kSecondsPerHour = 3600;

constexpr WattHours operator*(Watts power, Seconds time) {
  return WattHours{power.value() * time.value() / kSecondsPerHour};
}
constexpr WattHours operator*(Seconds time, Watts power) { return power * time; }
constexpr Watts operator/(WattHours energy, Seconds time) {
  return Watts{energy.value() * kSecondsPerHour / time.value()};
}
constexpr Seconds operator/(WattHours energy, Watts power) {
  return Seconds{energy.value() * kSecondsPerHour / power.value()};
}
constexpr DataBytes operator*(BytesPerSecond rate, Seconds time) {
  return DataBytes{rate.value() * time.value()};
}
constexpr DataBytes operator*(Seconds time, BytesPerSecond rate) { return rate * time; }
constexpr Seconds operator/(DataBytes size, BytesPerSecond rate) {
  return Seconds{size.value() / rate.value()};
}
constexpr BytesPerSecond operator/(DataBytes size, Seconds time) {
  return BytesPerSecond{size.value() / time.value()};
}
constexpr CarbonGrams operator*(WattHours energy, CarbonIntensity intensity) {
  return CarbonGrams{energy.value() / 1000 * intensity.value()};
}
constexpr CarbonGrams operator*(CarbonIntensity intensity, WattHours energy) { return energy * intensity; }

constexpr BytesPerSecond gigabits_per_second(double count) { return BytesPerSecond{count * 1e9 / 8}; }
constexpr double in_gigabits_per_second(BytesPerSecond rate) { return rate.value() * 8 / 1e9; }

/// To the nearest unit of the core.
inline Milliwatts rounded(Watts power) { return Milliwatts{std::llround(power.value() * 1000)}; }
inline Joules rounded(WattHours energy) { return Joules{std::llround(energy.value() * kSecondsPerHour)}; }
inline Nanoseconds rounded(Seconds time) { return Nanoseconds{std::llround(time.value() * 1e9)}; }
inline Bytes rounded(DataBytes size) { return Bytes{std::llround(size.value())}; }

constexpr Watts exact(Milliwatts power) { return Watts{static_cast<double>(power.count()) / 1000}; }
constexpr Seconds exact(Nanoseconds span) { return Seconds{to_seconds(span)}; }
constexpr DataBytes exact(Bytes size) { return DataBytes{static_cast<double>(size.count())}; }

}  // namespace gw::physics
