// Small questions about ASCII text that HTTP asks, without locales.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gw::http {

constexpr bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }
constexpr char to_lower(char byte) {
  return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
}
constexpr bool is_letter_or_digit(char byte) {
  return is_digit(byte) || (to_lower(byte) >= 'a' && to_lower(byte) <= 'z');
}

constexpr bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, to_lower, to_lower);
}

/// RFC 9110 `token`: what header names and methods are made of.
constexpr bool is_token(std::string_view text) {
  constexpr std::string_view kPunctuation = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char byte) {
    return is_letter_or_digit(byte) || kPunctuation.find(byte) != std::string_view::npos;
  });
}

/// Digits alone, at most 18 of them.
constexpr std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char byte : text) {
    if (!is_digit(byte)) return std::nullopt;
    value = value * 10 + static_cast<unsigned>(byte - '0');
  }
  return value;
}

/// Without spaces and tabs at both ends.
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Whether a comma-separated list such as Connection's holds `token`.
constexpr bool list_has(std::string_view list, std::string_view token) {
  while (true) {
    const std::size_t end = std::min(list.find(','), list.size());
    if (equals_ignoring_case(trim(list.substr(0, end)), token)) return true;
    if (end == list.size()) return false;
    list.remove_prefix(end + 1);
  }
}

}  // namespace gw::http
