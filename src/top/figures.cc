// Formats figures for narrow columns.
#include "top/figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "live/time_text.h"

namespace gw::top {

std::string short_span(std::int64_t seconds) {
  seconds = std::max<std::int64_t>(0, seconds);
  const std::int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (minutes < 10)
    return seconds % 60 == 0 ? fmt::format("{}m", minutes) : fmt::format("{}m{}s", minutes, seconds % 60);
  if (minutes < 60) return fmt::format("{}m", minutes);
  if (hours < 10)
    return minutes % 60 == 0 ? fmt::format("{}h", hours) : fmt::format("{}h{}m", hours, minutes % 60);
  if (hours < 48) return fmt::format("{}h", hours);
  if (days < 10) return hours % 24 == 0 ? fmt::format("{}d", days) : fmt::format("{}d{}h", days, hours % 24);
  return fmt::format("{}d", days);
}

std::string short_amount(double amount) {
  if (!std::isfinite(amount)) return "-";
  if (amount < 0) return fmt::format("-{}", short_amount(-amount));
  if (amount >= 99'999.5) {
    constexpr const char* kUnits[] = {"k", "M", "G", "T"};
    std::size_t unit = 0;
    for (amount /= 1000; amount >= 999.5 && unit + 1 < std::size(kUnits); ++unit) amount /= 1000;
    return fmt::format("{:.{}f}{}", amount, amount < 9.995 ? 2 : amount < 99.95 ? 1 : 0, kUnits[unit]);
  }
  if (amount == std::floor(amount)) return fmt::format("{:.0f}", amount);
  std::string text = fmt::format("{:.{}f}", amount,
                                 amount < 9.9995   ? 3
                                 : amount < 99.995 ? 2
                                 : amount < 999.95 ? 1
                                                   : 0);
  if (text.find('.') != std::string::npos) {
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

std::string short_memory(std::int64_t mebibytes) {
  constexpr const char* kUnits[] = {"M", "G", "T", "P"};
  auto amount = static_cast<double>(std::max<std::int64_t>(0, mebibytes));
  std::size_t unit = 0;
  for (; amount >= 1000 && unit + 1 < std::size(kUnits); ++unit) amount /= 1024;
  const bool whole = amount == std::floor(amount) || amount >= 9.95;
  return fmt::format("{:.{}f}{}", amount, whole ? 0 : 1, kUnits[unit]);
}

std::string clock_text(std::int64_t unix_ns) { return live::time_text(unix_ns).substr(11, 8); }

std::string date_text(std::int64_t unix_ns) {
  std::string text = live::time_text(unix_ns).substr(0, 19);
  text[10] = ' ';
  return text;
}

}  // namespace gw::top
