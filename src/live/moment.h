// Points in time as people write them to a factory: by a date, or from now on by its own clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace gw::live {

/// What to write, for messages.
inline constexpr std::string_view kMomentExamples = "2026-11-28T08:00:00Z, 2026-11-28 (UTC), or now+4h";

/// Nanoseconds since 1970 of what parse_time reads, of `now`, and of `now` with a span behind it:
/// `now+90min`, or as Slurm writes it `now+1hour`.
std::optional<std::int64_t> parse_moment(std::string_view text, std::int64_t now_unix_ns);

}  // namespace gw::live
