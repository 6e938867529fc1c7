// Whole numbers in texts: digits and nothing else.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gw::spec {

/// The number that all of `text` writes in decimal digits, if it is at most `max`.
inline std::optional<std::uint64_t> whole_number(std::string_view text, std::uint64_t max) {
  if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
  std::uint64_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || stop != text.data() + text.size() || number > max) return std::nullopt;
  return number;
}

}  // namespace gw::spec
