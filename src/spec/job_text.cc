// Reads and writes arrays, dependencies, signals and times.
#include "spec/job_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <vector>

#include "spec/near_miss.h"
#include "spec/number.h"

namespace gw::spec {

// --- Arrays ---

ArrayRange normal_range(ArrayRange range) {
  range.last = range.first + (range.last - range.first) / range.step * range.step;
  if (range.first == range.last) range.step = 1;
  return range;
}

std::uint64_t array_tasks(const ArraySpec& array) {
  std::uint64_t tasks = 0;
  for (const ArrayRange& range : array.ranges)
    tasks += std::uint64_t{range.last - range.first} / range.step + 1;
  return tasks;
}

namespace {

Result<ArrayRange> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  const std::size_t colon = text.find(':');
  const auto number = [](std::string_view digits) { return whole_number(digits, kLargestArrayIndex); };
  const std::optional<std::uint64_t> first = number(text.substr(0, std::min(dash, colon)));
  std::optional<std::uint64_t> last = first;
  std::optional<std::uint64_t> step = 1;
  if (dash != std::string_view::npos)
    last = number(text.substr(dash + 1, colon == std::string_view::npos ? colon : colon - dash - 1));
  if (colon != std::string_view::npos) step = number(text.substr(colon + 1));
  const bool step_alone = colon != std::string_view::npos && (dash == std::string_view::npos || colon < dash);
  if (!first || !last || !step || step_alone)
    return fail(
        fmt::format("\"{}\" is no task index or range; write for example 0-15 or 0-15:4 (from 0 to {})", text,
                    kLargestArrayIndex));
  if (*last < *first) return fail(fmt::format("\"{}\" ends before it begins", text));
  if (*step == 0) return fail(fmt::format("\"{}\" has a step of 0; write 1 or more", text));
  return normal_range({static_cast<std::uint32_t>(*first), static_cast<std::uint32_t>(*last),
                       static_cast<std::uint32_t>(*step)});
}

}  // namespace

std::int64_t repeated_index(const ArraySpec& array) {
  std::vector<ArrayRange> ranges = array.ranges;
  std::sort(ranges.begin(), ranges.end(),
            [](const ArrayRange& a, const ArrayRange& b) { return a.first < b.first; });
  bool apart = true;
  for (std::size_t index = 1; index < ranges.size(); ++index)
    apart = apart && ranges[index - 1].last < ranges[index].first;
  if (apart) return -1;
  std::vector<std::uint32_t> indices;  // Ranges with steps may interleave: look at each index.
  indices.reserve(array_tasks(array));
  for (const ArrayRange& range : ranges) {
    for (std::uint64_t index = range.first; index <= range.last; index += range.step)
      indices.push_back(static_cast<std::uint32_t>(index));
  }
  std::sort(indices.begin(), indices.end());
  const auto twice = std::adjacent_find(indices.begin(), indices.end());
  return twice == indices.end() ? -1 : std::int64_t{*twice};
}

Result<ArraySpec> parse_array(std::string_view text) {
  ArraySpec array;
  const std::size_t percent = text.find('%');
  if (percent != std::string_view::npos) {
    const std::optional<std::uint64_t> most = whole_number(text.substr(percent + 1), kMostArrayTasks);
    if (!most || *most == 0)
      return fail(fmt::format("after % stands how many tasks may run at a time, from 1 to {}, not \"{}\"",
                              kMostArrayTasks, text.substr(percent + 1)));
    array.most_running = static_cast<std::uint32_t>(*most);
    text = text.substr(0, percent);
  }
  std::uint64_t tasks = 0;
  for (;;) {
    const std::size_t comma = text.find(',');
    const Result<ArrayRange> range = parse_range(text.substr(0, comma));
    if (!range) return fail(range.error().message);
    array.ranges.push_back(*range);
    tasks += (range->last - range->first) / range->step + 1;
    if (tasks > kMostArrayTasks)
      return fail(fmt::format("the array has more than {} tasks; split it", kMostArrayTasks));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  if (const std::int64_t twice = repeated_index(array); twice >= 0)
    return fail(fmt::format("task index {} stands there twice; keep one", twice));
  return array;
}

std::string array_text(const ArraySpec& array) {
  std::string text;
  for (const ArrayRange& range : array.ranges) {
    if (!text.empty()) text += ',';
    text += fmt::format_int(range.first).c_str();
    if (range.last == range.first) continue;
    text += fmt::format("-{}", range.last);
    if (range.step != 1) text += fmt::format(":{}", range.step);
  }
  if (array.most_running != 0) text += fmt::format("%{}", array.most_running);
  return text;
}

// --- Dependencies ---

namespace {

constexpr std::string_view kDependencyKinds[] = {"afterok", "afternotok", "afterany", "after"};

}  // namespace

Result<DependencyKind> parse_dependency_kind(std::string_view text) {
  const auto* const kind = std::find(std::begin(kDependencyKinds), std::end(kDependencyKinds), text);
  if (kind == std::end(kDependencyKinds))
    return fail(fmt::format("there is no dependency \"{}\"{}", text, suggestion(text, kDependencyKinds)));
  return static_cast<DependencyKind>(kind - std::begin(kDependencyKinds));
}

Result<Dependency> parse_dependency(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos)
    return fail(fmt::format("\"{}\" is no dependency; write for example afterok:12", text));
  const Result<DependencyKind> kind = parse_dependency_kind(text.substr(0, colon));
  if (!kind) return fail(kind.error().message);
  const std::optional<std::uint64_t> job = whole_number(text.substr(colon + 1), kLargestJobNumber);
  if (!job || *job == 0)
    return fail(fmt::format("\"{}\" is no job's number; write for example {}:12", text.substr(colon + 1),
                            text.substr(0, colon)));
  return Dependency{*kind, *job};
}

std::string dependency_text(const Dependency& dependency) {
  return fmt::format("{}:{}", kDependencyKinds[static_cast<std::size_t>(dependency.kind)], dependency.job);
}

// --- Signals ---

namespace {

/// By number, as Linux has them on x86-64 and ARM.
constexpr std::array<std::string_view, 32> kSignals = {
    "",     "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
    "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
    "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS"};
constexpr int kFirstRealTime = 34;
constexpr int kLastRealTime = 64;

}  // namespace

bool is_signal(int signal) { return signal >= 1 && signal <= kLastRealTime && signal != 32 && signal != 33; }

Result<int> parse_signal(std::string_view text) {
  std::string name(text);
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  if (name.starts_with("SIG")) name.erase(0, 3);
  std::optional<std::uint64_t> number = whole_number(text, kLastRealTime);
  if (!name.empty()) {
    const auto* const known = std::find(kSignals.begin(), kSignals.end(), name);
    if (known != kSignals.end()) number = known - kSignals.begin();
  }
  if (name == "RTMIN") number = kFirstRealTime;
  if (name == "RTMAX") number = kLastRealTime;
  if (name.starts_with("RTMIN+")) {
    const std::optional<std::uint64_t> step =
        whole_number(std::string_view(name).substr(6), kLastRealTime - kFirstRealTime);
    if (step) number = kFirstRealTime + *step;
  }
  if (!number || !is_signal(static_cast<int>(*number)))
    return fail(fmt::format("there is no signal \"{}\"{}", text,
                            suggestion(name, std::span(kSignals).subspan(1), "write for example USR1")));
  return static_cast<int>(*number);
}

std::string signal_text(int signal) {
  if (signal > 0 && signal < static_cast<int>(kSignals.size()))
    return std::string(kSignals[static_cast<std::size_t>(signal)]);
  if (signal == kFirstRealTime) return "RTMIN";
  return signal > kFirstRealTime ? fmt::format("RTMIN+{}", signal - kFirstRealTime)
                                 : fmt::format("{}", signal);
}

// --- Times ---

namespace {

/// Takes `digits` digits from the front of `text`, at most `max`.
std::optional<int> take_number(std::string_view& text, std::size_t digits, int max) {
  if (text.size() < digits) return std::nullopt;
  const std::optional<std::uint64_t> number =
      whole_number(text.substr(0, digits), static_cast<std::uint64_t>(max));
  if (!number) return std::nullopt;
  text.remove_prefix(digits);
  return static_cast<int>(*number);
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// Seconds east of Greenwich from `Z` or `+01:00`; all of `text`.
std::optional<int> take_zone(std::string_view text) {
  if (text == "Z") return 0;
  const int sign = take(text, '+') ? 1 : take(text, '-') ? -1 : 0;
  if (sign == 0) return std::nullopt;
  const std::optional<int> hour = take_number(text, 2, 23);
  if (!hour || !take(text, ':')) return std::nullopt;
  const std::optional<int> minute = take_number(text, 2, 59);
  if (!minute || !text.empty()) return std::nullopt;
  return sign * (*hour * 3600 + *minute * 60);
}

std::optional<std::int64_t> read_time_point(std::string_view text) {
  const std::optional<int> year = take_number(text, 4, 9999);
  if (!year || !take(text, '-')) return std::nullopt;
  const std::optional<int> month = take_number(text, 2, 12);
  if (!month || !take(text, '-')) return std::nullopt;
  const std::optional<int> day = take_number(text, 2, 31);
  if (!day || !take(text, 'T')) return std::nullopt;
  const std::optional<int> hour = take_number(text, 2, 23);
  if (!hour || !take(text, ':')) return std::nullopt;
  const std::optional<int> minute = take_number(text, 2, 59);
  if (!minute) return std::nullopt;
  std::optional<int> second = 0;
  if (take(text, ':')) second = take_number(text, 2, 59);
  if (!second) return std::nullopt;
  const std::optional<int> zone = take_zone(text);
  if (!zone) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  const std::int64_t unix = days * 86400 + *hour * 3600 + *minute * 60 + *second - *zone;
  if (unix < 0 || unix > kLastTimePoint) return std::nullopt;
  return unix;
}

}  // namespace

Result<std::int64_t> parse_time_point(std::string_view text) {
  if (const std::optional<std::int64_t> unix = read_time_point(text)) return *unix;
  const bool lacks_zone = read_time_point(std::string(text) + "Z").has_value();
  return fail(fmt::format("\"{}\" {}", text,
                          lacks_zone
                              ? "does not say in which time zone; end it with Z (UTC) or for example +01:00"
                              : "is no time from 1970 to 9999; write for example 2026-12-01T08:00:00Z"));
}

std::string time_point_text(std::int64_t unix) {
  const std::chrono::sys_days day{std::chrono::days(unix / 86400)};
  const std::chrono::year_month_day date{day};
  const std::int64_t second = unix % 86400;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), second / 3600,
                     second / 60 % 60, second % 60);
}

std::string span_text(Nanoseconds span) {
  const std::int64_t whole = span.count() / kNanosecondsPerSecond;
  if (whole != 0 && whole % 86400 == 0) return fmt::format("{}d", whole / 86400);
  if (whole != 0 && whole % 3600 == 0) return fmt::format("{}h", whole / 3600);
  if (whole != 0 && whole % 60 == 0) return fmt::format("{}min", whole / 60);
  return fmt::format("{}s", whole);
}

std::string memory_text(std::int64_t mib) {
  if (mib % (1 << 20) == 0) return fmt::format("{} TiB", mib >> 20);
  if (mib % (1 << 10) == 0) return fmt::format("{} GiB", mib >> 10);
  return fmt::format("{} MiB", mib);
}

// --- File patterns ---

std::string check_file_pattern(std::string_view pattern) {
  constexpr std::string_view kKnown = "jAaxNut%";
  constexpr std::string_view kPadded = "jAat";  // Numbers, to so many digits.
  for (std::size_t at = pattern.find('%'); at != std::string_view::npos;) {
    const std::size_t letter = std::min(pattern.find_first_not_of("0123456789", at + 1), pattern.size());
    const std::string_view sign = pattern.substr(at, letter - at + 1);
    const std::string_view known = letter == at + 1 ? kKnown : kPadded;
    if (letter == pattern.size() || known.find(pattern[letter]) == std::string_view::npos || letter > at + 3)
      return fmt::format(
          "takes no \"{}\"; there are %j %A %a %x %N %u %t (%5a: at least five digits), and %% for %", sign);
    at = pattern.find('%', letter + 1);
  }
  return {};
}

}  // namespace gw::spec
