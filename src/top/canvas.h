// Canvas: a screen of cells that is drawn to in memory, for a terminal to show or a test to read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "top/glyphs.h"

namespace gw::top {

enum class Hue : std::uint8_t { kPlain, kGreen, kYellow, kRed, kBlue, kCyan };

/// How a cell looks. What colour says is always said by text or shape too.
struct Look {
  Hue hue = Hue::kPlain;
  bool bold = false;
  bool dim = false;
  bool reverse = false;
  friend bool operator==(const Look&, const Look&) = default;
};

struct Cell {
  std::string text = " ";  ///< Empty: the right half of the wide glyph before it.
  Look look;
};

enum class Align : std::uint8_t { kLeft, kRight };
/// Which end of a text that is too long is left out.
enum class Cut : std::uint8_t { kEnd, kBegin };

class Canvas {
 public:
  Canvas(std::size_t columns, std::size_t rows, bool unicode)
      : columns_(columns), rows_(rows), unicode_(unicode), cells_(columns * rows) {}

  [[nodiscard]] std::size_t columns() const { return columns_; }
  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] bool unicode() const { return unicode_; }
  [[nodiscard]] const Cell& at(std::size_t row, std::size_t column) const {
    return cells_[row * columns_ + column];
  }

  /// Draws `text`, which may hold any bytes, and gives the column behind it. What does not fit before the
  /// right edge is left out without a mark; a row that is not there is no mistake.
  std::size_t put(std::size_t row, std::size_t column, std::string_view text, Look look = {});
  /// Draws `text` into exactly `width` cells; an ellipsis stands for what is left out.
  void put_in(std::size_t row, std::size_t column, std::size_t width, std::string_view text, Look look = {},
              Align align = Align::kLeft, Cut cut = Cut::kEnd);
  /// Gives the cells of a row another look, leaving their text.
  void tint(std::size_t row, std::size_t column, std::size_t width, Look look);

  /// A part of a bar; parts follow one another from the left, the rest is empty.
  struct Part {
    double share = 0;
    Hue hue = Hue::kPlain;
    bool hatched = false;
  };
  /// A bar of `width` cells; the last unhatched part ends in eighths of a cell. `mark`, if it is in 0..1, is
  /// shown as a line across.
  void bar(std::size_t row, std::size_t column, std::size_t width, std::span<const Part> parts,
           double mark = -1);

  /// Rows as lines, without the blanks at their ends.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string row_text(std::size_t row) const;

 private:
  void set(std::size_t row, std::size_t column, const Glyph& glyph, Look look);

  std::size_t columns_;
  std::size_t rows_;
  bool unicode_;
  std::vector<Cell> cells_;
};

}  // namespace gw::top
