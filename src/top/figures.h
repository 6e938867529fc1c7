// Figures in five columns or so: spans of time, amounts, memory, as a table of a screen shows them.
#pragma once

#include <cstdint>
#include <string>

namespace gw::top {

/// `45s`, `2m14s`, `59m`, `3h12m`, `47h`, `4d3h`, `12d`: rounded down; never wider than 5 up to 9,999 days.
std::string short_span(std::int64_t seconds);
/// `0.5`, `12.5`, `1024`, `12.3k`, `4.56M`: at most 5 columns.
std::string short_amount(double amount);
/// `512M`, `118G`, `1.5T` of mebibytes.
std::string short_memory(std::int64_t mebibytes);
/// `12:03:45`, UTC.
std::string clock_text(std::int64_t unix_ns);
/// `2026-11-26 12:03:45`, UTC.
std::string date_text(std::int64_t unix_ns);

}  // namespace gw::top
