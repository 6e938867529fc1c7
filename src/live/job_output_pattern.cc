// Expansion of output patterns.
#include "live/job_output_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace gw::live {
namespace {

/// `value` as a part of a file name that stands behind `before`.
std::string harmless(std::string_view value, std::string_view before) {
  std::string text(value);
  for (char& character : text) {
    const auto code = static_cast<unsigned char>(character);
    if (character == '/' || code < 0x20 || code == 0x7f) character = '_';
  }
  const bool begins = before.empty() || before.back() == '/' || before.back() == '.';
  if (begins && text.starts_with('.')) text.front() = '_';
  return text;
}

std::optional<std::string> value_of(char letter, std::uint32_t width, const OutputPatternValues& values) {
  const auto number = [&](std::uint64_t value) { return fmt::format("{:0{}}", value, width); };
  switch (letter) {
    case 'j':
      return number(values.job);
    case 'A':
      return number(values.array_job != 0 ? values.array_job : values.job);
    case 'a':
      return number(values.array_index);
    case 't':
      return number(values.rank);
    case 'x':
      return values.name;
    case 'N':
      return values.node;
    case 'u':
      return values.user;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string expand_output_pattern(std::string_view pattern, const OutputPatternValues& values) {
  constexpr std::uint32_t kWidest = 10;
  std::string text;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] != '%' || at + 1 == pattern.size()) {
      text += pattern[at];
      continue;
    }
    if (pattern[at + 1] == '%') {
      text += '%';
      ++at;
      continue;
    }
    std::size_t letter = at + 1;
    std::uint32_t width = 0;
    while (letter < pattern.size() && pattern[letter] >= '0' && pattern[letter] <= '9' && width < 1000)
      width = 10 * width + static_cast<std::uint32_t>(pattern[letter++] - '0');
    const std::optional<std::string> value =
        letter < pattern.size() ? value_of(pattern[letter], std::min(width, kWidest), values) : std::nullopt;
    if (value) {
      text += harmless(*value, text);
      at = letter;
    } else {
      text += '%';
    }
  }
  return text;
}

}  // namespace gw::live
