// Draws texts and bars into cells.
#include "top/canvas.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>

namespace gw::top {

void Canvas::set(std::size_t row, std::size_t column, const Glyph& glyph, Look look) {
  if (row >= rows_ || column + glyph.cells > columns_) return;
  Cell* cell = &cells_[row * columns_ + column];
  // Half of a wide glyph must not stay behind.
  if (cell->text.empty() && column > 0) cell[-1].text = " ";
  const std::size_t after = column + glyph.cells;
  if (after < columns_ && cell[glyph.cells].text.empty()) cell[glyph.cells].text = " ";
  *cell = {glyph.text, look};
  if (glyph.cells == 2) cell[1] = {"", look};
}

std::size_t Canvas::put(std::size_t row, std::size_t column, std::string_view text, Look look) {
  for_each_glyph(text, unicode_, [&](const Glyph& glyph) {
    if (column + glyph.cells > columns_) return false;
    set(row, column, glyph, look);
    column += glyph.cells;
    return true;
  });
  return column;
}

void Canvas::put_in(std::size_t row, std::size_t column, std::size_t width, std::string_view text, Look look,
                    Align align, Cut cut) {
  if (width == 0) return;
  std::deque<Glyph> glyphs;
  std::size_t cells = 0;
  bool whole = true;
  for_each_glyph(text, unicode_, [&](const Glyph& glyph) {
    glyphs.push_back(glyph);
    cells += glyph.cells;
    if (cells <= width) return true;
    whole = false;
    if (cut == Cut::kEnd) return false;
    while (cells > width) {  // Room for the ellipsis is made below.
      cells -= glyphs.front().cells;
      glyphs.pop_front();
    }
    return true;
  });
  if (!whole) {
    const auto drop = [&] {
      cells -= cut == Cut::kEnd ? glyphs.back().cells : glyphs.front().cells;
      if (cut == Cut::kEnd) {
        glyphs.pop_back();
      } else {
        glyphs.pop_front();
      }
    };
    while (!glyphs.empty() && cells + 1 > width) drop();
    const Glyph ellipsis{unicode_ ? "…" : "~", 1};
    if (cut == Cut::kEnd) {
      glyphs.push_back(ellipsis);
    } else {
      glyphs.push_front(ellipsis);
    }
    ++cells;
  }
  const std::size_t before = align == Align::kRight ? width - cells : 0;
  const Glyph blank{" ", 1};
  for (std::size_t at = 0; at < before; ++at) set(row, column++, blank, look);
  for (const Glyph& glyph : glyphs) {
    set(row, column, glyph, look);
    column += glyph.cells;
  }
  for (std::size_t at = before + cells; at < width; ++at) set(row, column++, blank, look);
}

void Canvas::tint(std::size_t row, std::size_t column, std::size_t width, Look look) {
  if (row >= rows_) return;
  for (; width > 0 && column < columns_; --width, ++column) cells_[row * columns_ + column].look = look;
}

void Canvas::bar(std::size_t row, std::size_t column, std::size_t width, std::span<const Part> parts,
                 double mark) {
  static constexpr std::array<const char*, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  double end = 0;
  std::size_t at = 0;
  for (std::size_t index = 0; index < parts.size(); ++index) {
    const Part& part = parts[index];
    const double share = std::isfinite(part.share) ? std::max(0.0, part.share) : 0;
    end = std::min(1.0, end + share);
    const Look look{part.hue, false, false, false};
    const double cells = end * static_cast<double>(width);
    const bool is_last = index + 1 == parts.size();
    if (unicode_ && !part.hatched && is_last) {
      auto eighths = static_cast<std::size_t>(cells * 8 + 0.5);
      if (share > 0) eighths = std::max(eighths, at * 8 + 1);  // A little is not nothing.
      for (; at < eighths / 8 && at < width; ++at) set(row, column + at, {"█", 1}, look);
      if (eighths % 8 != 0 && at < width) set(row, column + at++, {kEighths[eighths % 8], 1}, look);
    } else {
      auto full = static_cast<std::size_t>(cells + 0.5);
      if (share > 0) full = std::max(full, at + 1);
      const char* glyph = part.hatched ? (unicode_ ? "▒" : "x") : (unicode_ ? "█" : "#");
      for (; at < full && at < width; ++at) set(row, column + at, {glyph, 1}, look);
    }
  }
  for (; at < width; ++at)
    set(row, column + at, {unicode_ ? "·" : ".", 1}, {Hue::kPlain, false, true, false});
  if (mark >= 0 && mark <= 1 && width > 0) {
    const std::size_t place =
        std::min(width - 1, static_cast<std::size_t>(mark * static_cast<double>(width)));
    set(row, column + place, {unicode_ ? "┃" : "|", 1}, {Hue::kPlain, true, false, false});
  }
}

std::string Canvas::row_text(std::size_t row) const {
  std::string line;
  for (std::size_t column = 0; column < columns_; ++column) line += at(row, column).text;
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string Canvas::text() const {
  std::string text;
  for (std::size_t row = 0; row < rows_; ++row) text += row_text(row) + '\n';
  return text;
}

}  // namespace gw::top
