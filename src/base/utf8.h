// UTF-8: whether a text is, what it begins with, how many characters it has, where it may be cut, how
// any text is made one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace gw {

/// Whether `text` is UTF-8 (without surrogates and overlong forms).
bool is_utf8(std::string_view text);

/// The code point that UTF-8 `text` begins with, and its length in bytes; length 0 where that is no UTF-8.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 0;
};
CodePoint first_code_point(std::string_view text);

/// A character that is invisible but changes how its neighbours are laid out, and so can make a text read as
/// another (direction marks, joiners, tags: Unicode Technical Report 36, section 2).
bool steers_layout(char32_t code);

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

/// `text` as one line of UTF-8 of at most `bytes`, cut at whole characters: for words that came from anywhere
/// and go into a database. What is no UTF-8 becomes U+FFFD, control characters become spaces.
std::string clean_line(std::string_view text, std::size_t bytes);

}  // namespace gw
