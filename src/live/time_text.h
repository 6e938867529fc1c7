// Times as the API writes and reads them: RFC 3339 in UTC.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gw::live {

/// `2026-11-26T12:00:00.123Z`; times before 1970 and after 9999 are cut to these.
std::string time_text(std::int64_t unix_ns);

/// Nanoseconds since 1970 of `2026-11-26T12:00:00[.123][Z|+01:00]` (UTC where it does not say), `2026-11-26`,
/// or seconds since 1970 in digits. None for anything else.
std::optional<std::int64_t> parse_time(std::string_view text);

}  // namespace gw::live
