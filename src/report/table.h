// Table: rows of text in aligned columns.
#pragma once

#include <string>
#include <vector>

#include "report/text.h"

namespace gw::report {

/// Columns are as wide as their widest cell; the first is aligned left, the others right unless said
/// otherwise.
class Table {
 public:
  explicit Table(std::vector<std::string> header) : header_(std::move(header)), left_(header_.size(), false) {
    left_[0] = true;
  }
  void align_left(std::size_t column) { left_[column] = true; }
  /// Names in cells may hold any bytes: they are shown, not obeyed.
  void add(std::vector<std::string> cells) {
    for (std::string& cell : cells) cell = printable_name(cell);
    rows_.push_back(std::move(cells));
  }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  /// Each line indented by two columns; the header dim; columns two apart, or one where the style is narrow.
  /// Cells may not contain escapes.
  [[nodiscard]] std::string text(const Style& style) const;

 private:
  std::vector<std::string> header_;
  std::vector<bool> left_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace gw::report
