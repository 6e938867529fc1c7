// Decodes, measures and disarms characters.
#include "top/glyphs.h"

#include <fmt/format.h>

#include <clocale>
#include <cwchar>

namespace gw::top {
namespace {

constexpr std::size_t kMostMarks = 4;  // ncurses keeps no more in a cell.

/// Columns of a character; -1 for control characters. It is what ncurses itself goes by, in a locale that
/// knows all characters, whatever the user's is.
int columns_of(char32_t code) {
  if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return -1;
  if (code < 0x7f) return 1;
  static const locale_t unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  if (unicode == nullptr) return 1;
  const locale_t before = uselocale(unicode);
  const int columns = wcwidth(static_cast<wchar_t>(code));
  uselocale(before);
  return columns;
}

/// Invisible, but it changes how its neighbours are laid out.
bool steers(char32_t code) {
  return code == 0x61c || (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x206f) || code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) ||
         (code >= 0xe0000 && code <= 0xe007f);
}

bool is_variation_selector(char32_t code) { return code >= 0xfe00 && code <= 0xfe0f; }

}  // namespace

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

void for_each_glyph(std::string_view text, bool unicode, const std::function<bool(const Glyph&)>& visit) {
  Glyph glyph;  // The one that may still get marks.
  std::size_t marks = 0;
  const auto flush = [&] {
    if (glyph.text.empty()) return true;
    const bool go_on = visit(glyph);
    glyph.text.clear();
    marks = 0;
    return go_on;
  };
  const auto escape = [&](unsigned char byte) {
    if (!flush()) return false;
    for (const char c : fmt::format("\\x{:02x}", byte)) {
      if (!visit({std::string(1, c), 1})) return false;
    }
    return true;
  };
  while (!text.empty()) {
    const CodePoint code = first_code_point(text);
    if (code.length == 0) {
      if (!escape(static_cast<unsigned char>(text.front()))) return;
      text.remove_prefix(1);
      continue;
    }
    const std::string_view bytes = text.substr(0, code.length);
    text.remove_prefix(code.length);
    const int columns = columns_of(code.value);
    if (code.length == 1 && columns == 1) {
      if (!flush()) return;
      glyph = {std::string(bytes), 1};
    } else if (columns < 0 && code.value < 0xa0) {
      // C1 controls have two bytes: the second one is the code.
      if (!escape(static_cast<unsigned char>(code.value))) return;
    } else if (is_variation_selector(code.value)) {
      continue;
    } else if (columns == 0 && !steers(code.value)) {
      if (unicode && !glyph.text.empty() && marks++ < kMostMarks) glyph.text += bytes;
    } else {
      if (!flush()) return;
      const bool hidden = steers(code.value) || columns < 0;
      glyph.text = !unicode ? "?" : hidden ? "\uFFFD" : std::string(bytes);
      glyph.cells = unicode && !hidden ? static_cast<std::size_t>(columns) : 1;
    }
  }
  flush();
}

std::size_t cells_of(std::string_view text, bool unicode) {
  std::size_t cells = 0;
  for_each_glyph(text, unicode, [&](const Glyph& glyph) {
    cells += glyph.cells;
    return true;
  });
  return cells;
}

}  // namespace gw::top
