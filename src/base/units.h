// Strong integer types for time, energy, power, money and sizes: explicit in, `.count()` out.
#pragma once

#include <compare>
#include <cstdint>
#include <limits>

namespace gw {

/// An amount of one dimension, held as a signed 64-bit count of its unit. Only like adds to like:
/// `Milliwatts + Nanoseconds` does not compile.
template <class Tag>
class Quantity {
 public:
  constexpr Quantity() = default;
  constexpr explicit Quantity(std::int64_t count) : count_(count) {}
  [[nodiscard]] constexpr std::int64_t count() const { return count_; }

  friend constexpr auto operator<=>(Quantity, Quantity) = default;
  constexpr Quantity operator+(Quantity other) const { return Quantity{count_ + other.count_}; }
  constexpr Quantity operator-(Quantity other) const { return Quantity{count_ - other.count_}; }
  constexpr Quantity operator-() const { return Quantity{-count_}; }
  constexpr Quantity operator*(std::int64_t factor) const { return Quantity{count_ * factor}; }
  constexpr Quantity operator/(std::int64_t divisor) const { return Quantity{count_ / divisor}; }
  constexpr std::int64_t operator/(Quantity other) const { return count_ / other.count_; }
  constexpr Quantity& operator+=(Quantity other) { return *this = *this + other; }
  constexpr Quantity& operator-=(Quantity other) { return *this = *this - other; }
  static constexpr Quantity max() { return Quantity{std::numeric_limits<std::int64_t>::max()}; }

 private:
  std::int64_t count_ = 0;
};

using Nanoseconds = Quantity<struct NanosecondsTag>;  ///< A span of time.
using Milliwatts = Quantity<struct MilliwattsTag>;
using Joules = Quantity<struct JoulesTag>;
using Bytes = Quantity<struct BytesTag>;
using MicroEuros = Quantity<struct MicroEurosTag>;

/// A point in time: nanoseconds since the run's own zero (a trace's first second, a scenario's start).
class Instant {
 public:
  constexpr Instant() = default;
  constexpr explicit Instant(std::int64_t nanoseconds) : count_(nanoseconds) {}
  [[nodiscard]] constexpr std::int64_t count() const { return count_; }
  friend constexpr auto operator<=>(Instant, Instant) = default;
  constexpr Instant operator+(Nanoseconds span) const { return Instant{count_ + span.count()}; }
  constexpr Instant operator-(Nanoseconds span) const { return Instant{count_ - span.count()}; }
  constexpr Nanoseconds operator-(Instant other) const { return Nanoseconds{count_ - other.count_}; }
  static constexpr Instant max() { return Instant{std::numeric_limits<std::int64_t>::max()}; }

 private:
  std::int64_t count_ = 0;
};

inline constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

constexpr Nanoseconds seconds(std::int64_t count) { return Nanoseconds{count * kNanosecondsPerSecond}; }
constexpr Nanoseconds minutes(std::int64_t count) { return seconds(count * 60); }
constexpr Nanoseconds hours(std::int64_t count) { return seconds(count * 3600); }
constexpr Nanoseconds days(std::int64_t count) { return seconds(count * 86400); }

/// For reports only: decisions never use floating-point time.
constexpr double to_seconds(Nanoseconds span) { return static_cast<double>(span.count()) * 1e-9; }
constexpr double to_seconds(Instant point) { return static_cast<double>(point.count()) * 1e-9; }

/// The longest span that the core plans with (about 146 years); longer wishes are cut to it so that sums of
/// an instant and a span never overflow.
inline constexpr Nanoseconds kLongestSpan{std::numeric_limits<std::int64_t>::max() / 2};

}  // namespace gw
