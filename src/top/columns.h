// Columns of a table on a screen of any width: the important ones first, the rest as there is room.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "top/canvas.h"

namespace gw::top {

struct Column {
  std::string_view title;
  std::size_t least = 1;    ///< Cells without which it is left out.
  std::size_t good = 1;     ///< Cells that it has before columns below kExtra are shown; at least `least`.
  std::size_t most = 1;     ///< Cells that it can make use of.
  unsigned importance = 0;  ///< Larger stays longer.
  Align align = Align::kLeft;
  std::string_view sort = {};  ///< The sorting that it shows; see sorts_of.
};

/// Columns of less importance are shown only where all others have what is good for them.
inline constexpr unsigned kExtra = 70;

/// Cells of each column, 0 for those that are left out; one blank between columns. What is left over goes to
/// columns that can use it, in proportion to how much they can; the rest to the last one.
std::vector<std::size_t> fit_columns(std::span<const Column> columns, std::size_t width);

}  // namespace gw::top
