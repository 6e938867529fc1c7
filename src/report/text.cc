// Formatting for people, not for programs.
#include "report/text.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "base/utf8.h"

namespace gw::report {
namespace {

/// Digits in groups of three.
std::string group_digits(std::string digits) {
  for (std::size_t place = digits.size(); place > 3;) {
    place -= 3;
    digits.insert(place, ",");
  }
  return digits;
}

std::string without_trailing_zeros(std::string text) {
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

std::string format_count(std::uint64_t count) { return group_digits(fmt::format("{}", count)); }

std::string format_number(double value) {
  if (value < 0) return "-" + format_number(-value);
  if (value >= 99.95) return group_digits(fmt::format("{:.0f}", value));
  if (value >= 9.995) return without_trailing_zeros(fmt::format("{:.1f}", value));
  if (value >= 0.0995 || value == 0) return without_trailing_zeros(fmt::format("{:.2f}", value));
  return fmt::format("{:.2g}", value);
}

std::string format_duration(double seconds) {
  if (seconds < 0) return "-" + format_duration(-seconds);
  if (seconds == 0) return "0 s";
  if (seconds < 0.9995e-3) return format_number(seconds * 1e6) + " us";
  if (seconds < 0.9995) return format_number(seconds * 1e3) + " ms";
  if (seconds < 99.5) return format_number(seconds) + " s";
  if (seconds < 99.5 * 60) return fmt::format("{} min", format_number(seconds / 60));
  if (seconds < 99.5 * 3600) return fmt::format("{} h", format_number(seconds / 3600));
  return fmt::format("{} d", format_number(seconds / 86400));
}

std::string format_percent(double share) { return fmt::format("{:.1f} %", share * 100); }

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  return fmt::format("{} {}", format_number(value), kUnits[unit]);
}

Style terminal_style(bool colour) {
  Style style;
  style.colour = colour;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* locale = std::getenv(name);
    if (locale == nullptr || *locale == '\0') continue;
    const std::string_view text = locale;
    style.unicode =
        text.find("UTF-8") != text.npos || text.find("utf8") != text.npos || text.find("UTF8") != text.npos;
    break;
  }
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0)
    style.width = std::clamp<std::size_t>(size.ws_col, 80, 100);
  return style;
}

std::string paint(const Style& style, Colour colour, std::string_view text) {
  if (!style.colour || colour == Colour::kPlain) return std::string(text);
  constexpr std::array<const char*, 8> kCodes = {"0", "1", "2", "32", "33", "31", "34", "36"};
  return fmt::format("\033[{}m{}\033[0m", kCodes[static_cast<std::size_t>(colour)], text);
}

std::string bar(const Style& style, double share, std::size_t width) {
  share = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  std::string text;
  if (!style.unicode) {
    const auto full = static_cast<std::size_t>(share * static_cast<double>(width) + 0.5);
    return std::string(full, '#') + std::string(width - full, '.');
  }
  constexpr std::array<const char*, 8> kParts = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const auto eighths = static_cast<std::size_t>(share * static_cast<double>(width) * 8 + 0.5);
  for (std::size_t column = 0; column < eighths / 8; ++column) text += "█";
  text += kParts[eighths % 8];
  return pad_right(text, width);
}

std::string sparkline(const Style& style, std::span<const double> values, double top, std::size_t width) {
  if (values.empty() || width == 0) return std::string(width, ' ');
  static constexpr std::array<const char*, 9> kMarks = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  static constexpr std::array<const char*, 9> kAscii = {" ", ".", ":", "-", "=", "+", "*", "#", "@"};
  std::string text;
  for (std::size_t column = 0; column < width; ++column) {
    const std::size_t begin = column * values.size() / width;
    const std::size_t end = std::max(begin + 1, (column + 1) * values.size() / width);
    double sum = 0;
    for (std::size_t index = begin; index < end; ++index) sum += values[index];
    const double level = top > 0 ? sum / static_cast<double>(end - begin) / top : 0;
    auto mark = static_cast<std::size_t>(std::clamp(level, 0.0, 1.0) * 8 + 0.5);
    if (mark == 0 && sum > 0) mark = 1;  // A little is not nothing.
    text += style.unicode ? kMarks[mark] : kAscii[mark];
  }
  return text;
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char byte) {
    return (static_cast<unsigned char>(byte) & 0xc0U) != 0x80;
  }));
}

std::string pad_left(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string(width > used ? width - used : 0, ' ') + std::string(text);
}

std::string pad_right(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string(text) + std::string(width > used ? width - used : 0, ' ');
}

std::string shorten(const Style& style, std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  const std::string_view mark = style.unicode ? "…" : "~";
  std::size_t end = 0;
  for (std::size_t column = 0; column + 1 < width; ++column) {
    ++end;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80) ++end;
  }
  return std::string(text.substr(0, end)) + std::string(mark);
}

namespace {

std::string shown_bytes(std::string_view text, bool one_line) {
  std::string shown;
  while (!text.empty()) {
    const auto [code, length] = first_code_point(text);
    const auto first = static_cast<unsigned char>(text.front());
    const bool laid_out = !one_line && (first == '\n' || first == '\t');
    const bool c1 = code >= 0x80 && code < 0xa0;  // Some terminals obey them.
    if (length == 0 || c1 || (first < 0x20 && !laid_out) || first == 0x7f) {
      shown += fmt::format("\\x{:02x}", first);
      text.remove_prefix(1);
      continue;
    }
    if (steers_layout(code)) {
      shown += fmt::format("\\u{{{:x}}}", static_cast<std::uint32_t>(code));
    } else {
      shown += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
  return shown;
}

}  // namespace

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    if (lines.empty() || columns(lines.back()) + 1 + columns(word) > width) {
      lines.emplace_back(word);
    } else {
      lines.back() += ' ';
      lines.back() += word;
    }
    text.remove_prefix(std::min(text.size(), word.size() + 1));
  }
  return lines;
}

std::string printable(std::string_view text) { return shown_bytes(text, false); }
std::string printable_name(std::string_view text) { return shown_bytes(text, true); }

}  // namespace gw::report
