// Reads --begin as Slurm's parse_time does, in the local time zone.
#include <fmt/format.h>

#include <array>
#include <ctime>
#include <optional>
#include <string_view>
#include <utility>

#include "spec/job_text.h"
#include "spec/number.h"
#include "spec/sbatch_options.h"
#include "spec/sbatch_values.h"

namespace gw::spec {

namespace {

struct Day {
  int year = 0;   ///< As std::tm counts: from 1900.
  int month = 0;  ///< From 0.
  int day = 0;
};

struct Clock {
  int hour = 0;
  int minute = 0;
  int second = 0;
};

std::tm local(std::int64_t unix) {
  const auto time = static_cast<std::time_t>(unix);
  std::tm parts{};
  localtime_r(&time, &parts);
  return parts;
}

Day day_of(std::int64_t unix) {
  const std::tm parts = local(unix);
  return {parts.tm_year, parts.tm_mon, parts.tm_mday};
}

std::optional<std::int64_t> to_unix(const Day& day, const Clock& clock) {
  std::tm parts{};
  parts.tm_year = day.year;
  parts.tm_mon = day.month;
  parts.tm_mday = day.day;
  parts.tm_hour = clock.hour;
  parts.tm_min = clock.minute;
  parts.tm_sec = clock.second;
  parts.tm_isdst = -1;
  const std::time_t time = mktime(&parts);
  if (time == -1 || parts.tm_mday != day.day || parts.tm_mon != day.month)
    return std::nullopt;  // February 30.
  return std::int64_t{time};
}

class BeginReader {
 public:
  BeginReader(std::string_view text, std::int64_t now) : text_(text), now_(now) {}

  std::optional<std::int64_t> read() {
    while (!text_.empty()) {
      if (!part()) return std::nullopt;
    }
    return sum();
  }

 private:
  bool part() {
    if (text_.front() == ' ' || text_.front() == '\t' || text_.front() == '-') {
      text_.remove_prefix(1);
      return true;
    }
    if (take("today")) return set(day_of(now_));
    if (take("tomorrow")) return set(day_of(now_ + 86400));
    if (take("midnight")) return set(Clock{0, 0, 0});
    if (take("noon")) return set(Clock{12, 0, 0});
    if (take("elevenses")) return set(Clock{11, 0, 0});
    if (take("fika")) return set(Clock{15, 0, 0});
    if (take("teatime")) return set(Clock{16, 0, 0});
    if (take("now")) return now_and_more();
    if (text_.front() == 'T') {
      text_.remove_prefix(1);
      return true;
    }
    const std::size_t colon = text_.find(':');
    return colon == 1 || colon == 2 ? clock_time() : date();
  }

  /// Takes a word in any case.
  bool take(std::string_view word) {
    if (text_.size() < word.size()) return false;
    for (std::size_t index = 0; index < word.size(); ++index) {
      if ((text_[index] | 0x20) != word[index]) return false;
    }
    text_.remove_prefix(word.size());
    return true;
  }
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// One or two digits, or exactly `digits`.
  std::optional<int> number(std::size_t least, std::size_t most, int low, int high) {
    std::size_t digits = 0;
    while (digits < most && digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9') ++digits;
    if (digits < least) return std::nullopt;
    const std::optional<std::uint64_t> value =
        whole_number(text_.substr(0, digits), static_cast<std::uint64_t>(high));
    text_.remove_prefix(digits);
    if (!value || static_cast<int>(*value) < low) return std::nullopt;
    return static_cast<int>(*value);
  }

  bool set(Day day) {
    day_ = day;
    return true;
  }
  bool set(Clock clock) {
    clock_ = clock;
    return true;
  }

  /// `now`, `now+60`, `now + 2 hours`.
  bool now_and_more() {
    skip_blanks();
    unix_ = now_;
    if (text_.empty()) return true;
    const bool later = take('+');
    if (!later && !take('-')) return false;
    skip_blanks();
    std::size_t digits = 0;
    while (digits < text_.size() && text_[digits] >= '0' && text_[digits] <= '9') ++digits;
    const std::optional<std::uint64_t> count = whole_number(text_.substr(0, digits), 4'000'000'000);
    if (!count) return false;
    text_.remove_prefix(digits);
    skip_blanks();
    static constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
        {"seconds", 1}, {"second", 1},   {"minutes", 60}, {"minute", 60},    {"hours", 3600},
        {"hour", 3600}, {"days", 86400}, {"day", 86400},  {"weeks", 604800}, {"week", 604800}};
    std::int64_t unit = 1;
    for (const auto& [name, seconds] : kUnits) {
      if (!take(name)) continue;
      unit = seconds;
      break;
    }
    unix_ = now_ + (later ? 1 : -1) * static_cast<std::int64_t>(*count) * unit;
    return text_.empty();
  }

  void skip_blanks() {
    while (take(' ') || take('\t')) continue;
  }

  /// `HH:MM[:SS] [AM|PM]`
  bool clock_time() {
    const std::optional<int> hour = number(1, 2, 0, 23);
    if (!hour || !take(':')) return false;
    const std::optional<int> minute = number(2, 2, 0, 59);
    if (!minute) return false;
    std::optional<int> second = 0;
    if (take(':')) second = number(2, 2, 0, 59);
    if (!second) return false;
    Clock clock{*hour, *minute, *second};
    skip_blanks();
    if (take("pm")) {
      if (clock.hour > 12) return false;
      clock.hour = clock.hour == 12 ? 12 : clock.hour + 12;
    } else if (take("am")) {
      if (clock.hour > 12) return false;
      clock.hour = clock.hour == 12 ? 0 : clock.hour;
    }
    return set(clock);
  }

  /// `YYYY-MM-DD`, `MMDD[YY]`, `MM/DD[/YY]` or `MM.DD[.YY]`
  bool date() {
    if (text_.size() >= 8 && text_[4] == '-') {
      const std::optional<int> year = number(4, 4, 1970, 9999);
      if (!year || !take('-')) return false;
      const std::optional<int> month = number(1, 2, 1, 12);
      if (!month || !take('-')) return false;
      const std::optional<int> day = number(1, 2, 1, 31);
      if (!day) return false;
      return set(Day{*year - 1900, *month - 1, *day});
    }
    const std::optional<int> month = number(1, 2, 1, 12);
    if (!month) return false;
    if (!take('/')) take('.');
    const std::optional<int> day = number(1, 2, 1, 31);
    if (!day) return false;
    if (!take('/')) take('.');
    std::optional<int> year = -1;  // The next such day.
    if (!text_.empty() && text_.front() >= '0' && text_.front() <= '9') {
      year = number(2, 2, 0, 99);
      if (!year) return false;
      *year += 100;
    }
    return set(Day{*year, *month - 1, *day});
  }

  [[nodiscard]] std::optional<std::int64_t> sum() const {
    if (unix_) return unix_;
    if (!day_ && !clock_) return std::nullopt;
    const Clock clock = clock_.value_or(Clock{});
    if (!day_) {  // The next time that it is so late.
      const std::tm now = local(now_);
      const bool today = clock.hour > now.tm_hour || (clock.hour == now.tm_hour && clock.minute > now.tm_min);
      return to_unix(day_of(today ? now_ : now_ + 86400), clock);
    }
    if (day_->year != -1) return to_unix(*day_, clock);
    Day day = *day_;
    day.year = day_of(now_).year;
    const std::optional<std::int64_t> this_year = to_unix(day, clock);
    if (this_year && *this_year > now_) return this_year;
    ++day.year;
    return to_unix(day, clock);
  }

  std::string_view text_;
  std::int64_t now_;
  std::optional<Day> day_;
  std::optional<Clock> clock_;
  std::optional<std::int64_t> unix_;
};

}  // namespace

Result<std::int64_t> sbatch_begin(std::string_view text, std::int64_t now_unix) {
  const std::optional<std::int64_t> unix = BeginReader(text, now_unix).read();
  if (!unix || *unix < 0 || *unix > kLastTimePoint)
    return fail(
        fmt::format("\"{}\" is no time; write for example now+1hour, 16:00, tomorrow or 2026-12-01T08:00:00",
                    shown(text)));
  return *unix;
}

}  // namespace gw::spec
