// What stands in the fields of recorded workloads: numbers, dates, spans of time, amounts of memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/units.h"

namespace gw::workload {

/// Empty, or one of the words for nothing: `nan`, `none`, `null`, `unknown`, `n/a`, `invalid` (any case).
bool is_absent(std::string_view text);
bool equals_ignoring_case(std::string_view a, std::string_view b);
std::string_view trimmed(std::string_view text);

/// A decimal number in thousandths (`2.5` = 2500; further digits are dropped); none if it is no number or its
/// size exceeds 10^15 thousandths.
std::optional<std::int64_t> parse_thousandths(std::string_view text);
/// A whole number; decimals are allowed if they are zeros (`8.0`).
std::optional<std::int64_t> parse_whole(std::string_view text);

/// Seconds with or without decimals.
std::optional<Nanoseconds> parse_seconds(std::string_view text);

/// A date and time of the years 1970 to 2199 since 1970: `2023-03-01 00:18:22`,
/// `2023-03-01T00:18:22.5+08:00`, with or without seconds. Without a zone it is taken as UTC.
std::optional<Instant> parse_date(std::string_view text);

/// Slurm's spans: `[days-]hours:minutes:seconds[.fraction]`, `minutes:seconds`, `days-hours[:minutes]`.
std::optional<Nanoseconds> parse_elapsed(std::string_view text);

/// Slurm's memory: `4000M`, `1.5G`, `2T`, `512K`, and a plain number in MiB; in MiB, rounded up.
std::optional<std::int64_t> parse_memory_mib(std::string_view text);

/// Seconds beyond this make no sense and would not fit the core's clock together with a limit (146 years).
inline constexpr std::int64_t kMostSeconds = kLongestSpan.count() / kNanosecondsPerSecond - 1;

}  // namespace gw::workload
