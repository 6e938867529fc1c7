// Reads UTF-8 (Unicode, table 3-7).
#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace gw {

bool is_utf8(std::string_view text) {
  const auto* at = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = at + text.size();
  while (at != end) {
    std::uint64_t eight = 0;
    while (end - at >= 8 && (std::memcpy(&eight, at, 8), (eight & 0x8080808080808080) == 0)) at += 8;
    if (at == end) break;
    const unsigned char first = *at++;
    if (first < 0x80) continue;
    const int more = first >= 0xc2 && first <= 0xdf   ? 1
                     : first >= 0xe0 && first <= 0xef ? 2
                     : first >= 0xf0 && first <= 0xf4 ? 3
                                                      : 0;
    if (more == 0 || end - at < more) return false;
    // The second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF.
    const unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (*at < low || *at > high) return false;
    for (int index = 1; index < more; ++index) {
      if ((at[index] & 0xc0) != 0x80) return false;
    }
    at += more;
  }
  return true;
}

CodePoint first_code_point(std::string_view text) {
  if (text.empty()) return {};
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length == 0 || text.size() < length) return {};
  char32_t code = first & (0xffU >> (length + 1));
  for (std::size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xc0U) != 0x80) return {};
    code = (code << 6) | (byte(at) & 0x3fU);
  }
  constexpr char32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < kLeast[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return {};
  return {code, length};
}

std::string clean_line(std::string_view text, std::size_t bytes) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string line;
  while (!text.empty()) {
    const CodePoint code = first_code_point(text);
    const bool control = code.value < 0x20 || (code.value >= 0x7f && code.value < 0xa0);
    const std::string_view character = code.length == 0 ? kReplacement
                                       : control        ? std::string_view(" ")
                                                        : text.substr(0, code.length);
    if (line.size() + character.size() > bytes) break;
    line += character;
    text.remove_prefix(code.length == 0 ? 1 : code.length);
  }
  return line;
}

bool steers_layout(char32_t code) {
  return code == 0x61c || (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) ||
         (code >= 0xe0000 && code <= 0xe007f);
}

}  // namespace gw
