// Numbers, spans of time and bars as people read them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace gw::report {

std::string format_count(std::uint64_t count);  ///< `1,234,567`
std::string format_number(
    double value);  ///< Three significant digits or all before the point: `0.25`, `18.3`, `1,234`.
std::string format_duration(
    double seconds);  ///< `0 s`, `87.5 us`, `3.2 ms`, `45 s`, `12.5 min`, `3.2 h`, `4.1 d`
std::string format_percent(double share);       ///< `87.3 %`
std::string format_bytes(std::uint64_t bytes);  ///< `11.4 MiB`

/// How a terminal shows text.
struct Style {
  bool colour = false;
  bool unicode = true;
  std::size_t width = 92;  ///< Columns at most.
};

/// The style for standard output: as wide as the terminal (80 to 100 columns), plain ASCII where the locale
/// says that it shows no UTF-8 (LC_ALL, LC_CTYPE, LANG; a locale that is not set shows it).
Style terminal_style(bool colour);

enum class Colour { kPlain, kBold, kDim, kGreen, kYellow, kRed, kBlue, kCyan };
std::string paint(const Style& style, Colour colour, std::string_view text);

/// A bar of `width` columns, `share` of it full, in eighths of a column where Unicode is shown.
std::string bar(const Style& style, double share, std::size_t width);

/// One column per mark, each the mean of its part of `values`, 0 at the foot and `top` at the head.
std::string sparkline(const Style& style, std::span<const double> values, double top, std::size_t width);

/// `text` for a terminal: control bytes (but line feed and tab) and bytes that are no UTF-8, as names from a
/// file may hold, are shown as \xNN, and characters that steer how others are laid out as \u{NNNN}: not
/// obeyed.
std::string printable(std::string_view text);
/// As printable, on one line: a line feed or a tab is shown too.
std::string printable_name(std::string_view text);

/// Words of `text` on lines of at most `width` columns; a longer word has a line of its own.
std::vector<std::string> wrapped(std::string_view text, std::size_t width);

/// Columns that a terminal uses for UTF-8 `text` without escapes (one per code point).
std::size_t columns(std::string_view text);
std::string pad_left(std::string_view text, std::size_t width);   ///< Text at the right.
std::string pad_right(std::string_view text, std::size_t width);  ///< Text at the left.
/// At most `width` columns; what is left out shows as an ellipsis.
std::string shorten(const Style& style, std::string_view text, std::size_t width);

}  // namespace gw::report
