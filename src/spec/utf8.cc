// Checks UTF-8 (Unicode, table 3-7).
#include "spec/utf8.h"

#include <cstdint>
#include <cstring>

namespace gw::spec {

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

}  // namespace gw::spec
