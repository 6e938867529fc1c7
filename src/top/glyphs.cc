// Decodes, measures and disarms characters.
#include "top/glyphs.h"

#include <fmt/format.h>

#include <clocale>
#include <cwchar>

#include "base/utf8.h"

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

bool is_variation_selector(char32_t code) { return code >= 0xfe00 && code <= 0xfe0f; }

}  // namespace

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
    } else if (columns == 0 && !steers_layout(code.value)) {
      if (unicode && !glyph.text.empty() && marks++ < kMostMarks) glyph.text += bytes;
    } else {
      if (!flush()) return;
      const bool hidden = steers_layout(code.value) || columns < 0;
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
