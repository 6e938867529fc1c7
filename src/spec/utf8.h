// UTF-8: whether a text is, how many characters it has, where it may be cut.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace gw::spec {

/// Whether `text` is UTF-8 (without surrogates and overlong forms).
bool is_utf8(std::string_view text);

/// Whether a byte goes on with a character that has begun before.
constexpr bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// Code points in `text`, which is UTF-8.
inline std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

/// The longest front part of at most `bytes` that does not end within a character.
inline std::string_view utf8_front(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && continues_character(text[bytes])) --bytes;
  return text.substr(0, bytes);
}

}  // namespace gw::spec
