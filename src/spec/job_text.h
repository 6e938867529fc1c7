// The short texts inside a job's description: arrays, dependencies, signals, times; read and written.
//
// The readers' errors say what is wrong with the text, not where it stood. What a reader gives, its writer
// writes so that the reader gives the same again.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/job_spec.h"

namespace gw::spec {

inline constexpr std::uint64_t kMostArrayTasks = 1'000'000;
inline constexpr std::uint32_t kLargestArrayIndex = 2'147'483'647;
inline constexpr std::uint64_t kLargestJobNumber = 9'223'372'036'854'775'807;  ///< As databases count.

/// `0-99%10`, `1,3,5-9:2`: ranges of task indices, each perhaps with a step, and how many may run at a time.
Result<ArraySpec> parse_array(std::string_view text);
std::string array_text(const ArraySpec& array);
/// Tasks in all.
std::uint64_t array_tasks(const ArraySpec& array);
/// An index that two ranges hold, or -1. Every range must be in its normal form (see normal_range).
std::int64_t repeated_index(const ArraySpec& array);
/// The same indices with `last` being one of them, and step 1 for a single one.
ArrayRange normal_range(ArrayRange range);

/// `afterok:12`; kinds are afterok, afternotok, afterany and after.
Result<Dependency> parse_dependency(std::string_view text);
/// The kind in front of the colon, for readers of lists.
Result<DependencyKind> parse_dependency_kind(std::string_view text);
std::string dependency_text(const Dependency& dependency);

/// `USR1`, `SIGUSR1`, `RTMIN+2` or a number as Linux has it, in any case.
Result<int> parse_signal(std::string_view text);
/// Whether it is a signal that a process may be sent: 1 to 64 without the two that glibc keeps for itself.
bool is_signal(int signal);
std::string signal_text(int signal);

/// Unix time of `2026-12-01T08:00:00Z` or `...+01:00` (RFC 3339 without fractions; seconds may be left out).
Result<std::int64_t> parse_time_point(std::string_view text);
/// In UTC.
std::string time_point_text(std::int64_t unix);
inline constexpr std::int64_t kLastTimePoint = 253'402'300'799;  ///< The last second of the year 9999.

/// A whole span of seconds in the largest unit that fits: `36h`, `90s`.
std::string span_text(Nanoseconds span);
/// A whole number of MiB in the largest unit that fits: `64 GiB`.
std::string memory_text(std::int64_t mib);

/// What is wrong with a pattern of file names (`logs/%x-%j.out`), or empty.
std::string check_file_pattern(std::string_view pattern);

}  // namespace gw::spec
