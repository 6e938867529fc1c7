// Lays out a Table.
#include "report/table.h"

#include <algorithm>

namespace gw::report {

std::string Table::text(const Style& style) const {
  std::vector<std::size_t> width(header_.size());
  for (std::size_t column = 0; column < header_.size(); ++column) {
    width[column] = columns(header_[column]);
    for (const auto& row : rows_) width[column] = std::max(width[column], columns(row[column]));
  }
  std::size_t used = 0;
  for (const std::size_t column : width) used += column + 2;
  const std::string gap(used <= style.width ? 2 : 1, ' ');
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text = " ";
    for (std::size_t column = 0; column < cells.size(); ++column) {
      text += column == 0 ? " " : gap;
      text +=
          left_[column] ? pad_right(cells[column], width[column]) : pad_left(cells[column], width[column]);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
  };
  std::string text = paint(style, Colour::kDim, line(header_)) + "\n";
  for (const auto& row : rows_) text += line(row) + "\n";
  return text;
}

}  // namespace gw::report
