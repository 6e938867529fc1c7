// Parsers of single fields; none allocates, all refuse what they do not understand whole.
#include "workload/field_text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace gw::workload {
namespace {

constexpr std::int64_t kMostThousandths = 1'000'000'000'000'000;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Takes 1 to `most` digits off the front of `text`.
std::optional<std::int64_t> take_digits(std::string_view& text, std::size_t most = 18) {
  std::size_t size = 0;
  std::int64_t value = 0;
  while (size < text.size() && is_digit(text[size])) {
    if (size == most) return std::nullopt;
    value = value * 10 + (text[size] - '0');
    ++size;
  }
  if (size == 0) return std::nullopt;
  text.remove_prefix(size);
  return value;
}

bool take(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

/// Takes `.digits` off the front if it is there: nanoseconds, or none for a dot without digits.
std::optional<std::int64_t> take_fraction_ns(std::string_view& text) {
  if (!take(text, '.')) return 0;
  std::int64_t unit = kNanosecondsPerSecond;
  std::int64_t ns = 0;
  bool any = false;
  while (!text.empty() && is_digit(text.front())) {
    unit /= 10;
    ns += unit * (text.front() - '0');
    text.remove_prefix(1);
    any = true;
  }
  if (!any) return std::nullopt;
  return ns;
}

/// Days since 1970-01-01 of a date of the Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level
/// Date Algorithms").
std::int64_t days_of(std::int64_t year, std::int64_t month, std::int64_t day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

/// Takes a zone off the front: `Z`, `+08:00`, `-0700`, `+08`; its offset in seconds.
std::optional<std::int64_t> take_zone_s(std::string_view& text) {
  if (take(text, 'Z') || text.empty()) return 0;
  const bool west = text.front() == '-';
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  if (text.size() < 2) return std::nullopt;
  std::string_view hours_text = text.substr(0, 2);
  text.remove_prefix(2);
  take(text, ':');
  std::string_view minutes_text = text.empty() ? "00" : text.substr(0, 2);
  text.remove_prefix(std::min<std::size_t>(2, text.size()));
  const std::optional<std::int64_t> hour = take_digits(hours_text, 2);
  const std::optional<std::int64_t> minute = take_digits(minutes_text, 2);
  if (!hour || !minute || !hours_text.empty() || !minutes_text.empty() || *hour > 15 || *minute > 59) {
    return std::nullopt;
  }
  return (west ? -1 : 1) * (*hour * 3600 + *minute * 60);
}

}  // namespace

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool is_absent(std::string_view text) {
  if (text.empty()) return true;
  constexpr std::array<std::string_view, 7> kWords = {"nan", "none", "null",   "unknown",
                                                      "n/a", "na",   "invalid"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [text](std::string_view word) { return equals_ignoring_case(text, word); });
}

std::optional<std::int64_t> parse_thousandths(std::string_view text) {
  const bool negative = take(text, '-');
  if (!negative) take(text, '+');
  std::int64_t value = 0;
  if (!text.starts_with('.')) {
    const std::optional<std::int64_t> whole = take_digits(text);
    if (!whole || *whole > kMostThousandths / 1000) return std::nullopt;
    value = *whole * 1000;
  } else if (text.size() < 2) {
    return std::nullopt;
  }
  if (text == ".") text = {};  // `8.` is 8.
  const std::optional<std::int64_t> fraction_ns = take_fraction_ns(text);
  if (!fraction_ns || !text.empty()) return std::nullopt;
  value += *fraction_ns / 1'000'000;
  return negative ? -value : value;
}

std::optional<std::int64_t> parse_whole(std::string_view text) {
  const std::optional<std::int64_t> thousandths = parse_thousandths(text);
  if (!thousandths || *thousandths % 1000 != 0) return std::nullopt;
  return *thousandths / 1000;
}

std::optional<Nanoseconds> parse_seconds(std::string_view text) {
  const std::optional<std::int64_t> thousandths = parse_thousandths(text);
  if (!thousandths || *thousandths / 1000 > kMostSeconds || *thousandths / 1000 < -kMostSeconds)
    return std::nullopt;
  return Nanoseconds{*thousandths * 1'000'000};
}

std::optional<Instant> parse_date(std::string_view text) {
  std::string_view rest = text;
  const auto part = [&rest](std::size_t size) -> std::int64_t {
    std::string_view digits = rest.substr(0, size);
    const std::optional<std::int64_t> value =
        digits.size() == size ? take_digits(digits, size) : std::nullopt;
    if (!value || !digits.empty()) return -1;
    rest.remove_prefix(size);
    return *value;
  };
  const std::int64_t year = part(4);
  if (!take(rest, '-')) return std::nullopt;
  const std::int64_t month = part(2);
  if (!take(rest, '-')) return std::nullopt;
  const std::int64_t day = part(2);
  if (!take(rest, 'T') && !take(rest, ' ')) return std::nullopt;
  const std::int64_t hour = part(2);
  if (!take(rest, ':')) return std::nullopt;
  const std::int64_t minute = part(2);
  std::int64_t second = 0;
  std::int64_t fraction_ns = 0;
  if (take(rest, ':')) {
    second = part(2);
    const std::optional<std::int64_t> fraction = take_fraction_ns(rest);
    if (!fraction) return std::nullopt;
    fraction_ns = *fraction;
  }
  if (year < 1970 || year > 2199 || month < 1 || month > 12 || day < 1 || hour < 0 || hour > 23 ||
      minute < 0 || minute > 59 || second < 0 || second > 60) {
    return std::nullopt;
  }
  constexpr std::array<std::int64_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  if (day > kDays[static_cast<std::size_t>(month - 1)] + (leap && month == 2 ? 1 : 0)) return std::nullopt;
  const std::optional<std::int64_t> zone_s = take_zone_s(rest);
  if (!zone_s || !rest.empty()) return std::nullopt;
  const std::int64_t seconds_since =
      days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - *zone_s;
  return Instant{seconds_since * kNanosecondsPerSecond + fraction_ns};
}

std::optional<Nanoseconds> parse_elapsed(std::string_view text) {
  std::optional<std::int64_t> first = take_digits(text, 9);
  if (!first) return std::nullopt;
  std::int64_t days_count = 0;
  const bool has_days = take(text, '-');
  std::array<std::int64_t, 3> parts{};  // As they come; their meaning depends on how many there are.
  std::size_t count = 0;
  if (has_days) {
    days_count = *first;
    first = take_digits(text, 9);
    if (!first) return std::nullopt;
  }
  parts[count++] = *first;
  while (take(text, ':')) {
    const std::optional<std::int64_t> next = count < parts.size() ? take_digits(text, 9) : std::nullopt;
    if (!next) return std::nullopt;
    parts[count++] = *next;
  }
  const std::optional<std::int64_t> fraction_ns = take_fraction_ns(text);
  if (!fraction_ns || !text.empty()) return std::nullopt;
  std::int64_t total = days_count * 86400;
  if (has_days || count == 3) {
    total += parts[0] * 3600 + parts[1] * 60 + parts[2];
  } else if (count == 2) {
    total += parts[0] * 60 + parts[1];
  } else {
    return std::nullopt;  // A lone number: minutes or seconds, nobody knows.
  }
  if (total > kMostSeconds) return std::nullopt;
  return Nanoseconds{total * kNanosecondsPerSecond + *fraction_ns};
}

std::optional<std::int64_t> parse_memory_mib(std::string_view text) {
  std::int64_t kib_per_unit = 1024;
  if (!text.empty() && !is_digit(text.back()) && text.back() != '.') {
    switch (lower(text.back())) {
      case 'k':
        kib_per_unit = 1;
        break;
      case 'm':
        kib_per_unit = 1024;
        break;
      case 'g':
        kib_per_unit = std::int64_t{1} << 20;
        break;
      case 't':
        kib_per_unit = std::int64_t{1} << 30;
        break;
      case 'p':
        kib_per_unit = std::int64_t{1} << 40;
        break;
      default:
        return std::nullopt;
    }
    text.remove_suffix(1);
  }
  const std::optional<std::int64_t> amount = parse_thousandths(text);
  constexpr std::int64_t kMost = std::int64_t{1} << 60;
  if (!amount || *amount < 0 || *amount > kMost / kib_per_unit) return std::nullopt;
  const std::int64_t kib = *amount * kib_per_unit / 1000;
  return (kib + 1023) / 1024;
}

}  // namespace gw::workload
