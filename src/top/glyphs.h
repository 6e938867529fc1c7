// Glyphs: text from anywhere as the cells of a terminal can hold it: shown, not obeyed.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace gw::top {

/// What one cell, or two neighbours, show.
struct Glyph {
  std::string text;       ///< UTF-8 of one visible character with its combining marks (four at most).
  std::size_t cells = 1;  ///< 1 or 2.
};

/// Calls `visit` for each glyph of `text` until it gives false. Bytes that are no UTF-8 and control
/// characters become `\xNN`, characters that steer a terminal's text (direction marks, joiners) U+FFFD. Where
/// `unicode` is false everything beyond ASCII becomes `?`.
void for_each_glyph(std::string_view text, bool unicode, const std::function<bool(const Glyph&)>& visit);

/// Cells that `text` takes.
std::size_t cells_of(std::string_view text, bool unicode);

}  // namespace gw::top
