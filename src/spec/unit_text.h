// Units as people write them: `15 MW`, `180 GB`, `1h 30min`, `140 EUR/MWh` to numbers and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace gw::spec {

/// What a field measures; the number that a reader stores counts the first-named unit.
enum class Unit : std::uint8_t {
  kNone,            ///< A plain number.
  kNanoseconds,     ///< Written 90s, 30min, 24h, 28d; parts add up: 1h 30min.
  kSeconds,         ///< As kNanoseconds, kept as seconds.
  kMilliwatts,      ///< Written W, kW, MW, GW.
  kBytes,           ///< Written GB (10^9), GiB (2^30), ...
  kDataSetBytes,    ///< As kBytes, and PB and PiB: of what no memory holds.
  kMessageBytes,    ///< As kDataSetBytes, and B, kB and KiB: of what goes over links.
  kMebibytes,       ///< As kBytes, kept as MiB.
  kTflops,          ///< Written TFLOP/s, PFLOP/s.
  kTbytePerSecond,  ///< Written GB/s, TB/s.
  kGbytePerSecond,  ///< As kTbytePerSecond, kept as GB/s.
  kGbitPerSecond,   ///< Written Gbit/s, Tbit/s.
  kEuroPerMwh,      ///< Written EUR/MWh, EUR/kWh, ct/kWh.
  kGramsPerKwh,     ///< Written g/kWh, kg/MWh.
};

struct UnitSuffix {
  std::string_view text;
  double factor;  ///< To the stored unit.
};

/// The spellings of a unit, smallest first; empty for kNone.
const std::vector<UnitSuffix>& suffixes(Unit unit);
/// What to write, e.g. `15 MW`; for messages and docs.
std::string_view unit_example(Unit unit);
/// A regular expression (ECMA-262) that exactly the accepted texts match.
std::string unit_pattern(Unit unit);

/// The value of `text` in the stored unit, or nothing where the text is no such amount. Amounts are not
/// negative, except of kNone and kEuroPerMwh (prices fall below zero).
std::optional<double> parse_amount(std::string_view text, Unit unit);

/// A plain decimal number (`12`, `-0.5`, `1e6`), all of `text`; nothing for hexadecimal, inf and nan.
std::optional<double> parse_number(std::string_view text);

/// The shortest exact way to write a stored amount: `7d`, `30min`, `14.3 kW`, `200 GiB`.
std::string amount_text(double value, Unit unit);
inline std::string amount_text(Nanoseconds span) {
  return amount_text(static_cast<double>(span.count()), Unit::kNanoseconds);
}
inline std::string amount_text(Milliwatts power) {
  return amount_text(static_cast<double>(power.count()), Unit::kMilliwatts);
}
inline std::string amount_text(Bytes size) {
  return amount_text(static_cast<double>(size.count()), Unit::kBytes);
}

}  // namespace gw::spec
