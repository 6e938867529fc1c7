// TextTable: columns that line up, for what commands print to a terminal.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace gw {

/// Rows of texts; widths count code points.
class TextTable {
 public:
  /// One letter per column: `l` left, `r` right. The last column is not padded when left.
  explicit TextTable(std::string_view alignment) : alignment_(alignment) {}
  /// Names in cells may hold any bytes: they are shown, not obeyed.
  void add(std::vector<std::string> row);
  /// Each line ends with a newline; two spaces between columns; columns that are empty in every row are left
  /// out.
  [[nodiscard]] std::string text() const;

 private:
  std::string alignment_;
  std::vector<std::vector<std::string>> rows_;
};

/// `json` as text; bytes that are no UTF-8 (names from files may hold any) become U+FFFD.
std::string json_out(const nlohmann::ordered_json& json, int indent = 2);

/// `1,234,567`.
std::string with_thousands(std::uint64_t number);
/// `12.1 MW`, `457.6 kW`: at most four significant digits.
std::string power_text(double milliwatts);
/// `9.22 EFLOP/s`, `72 PFLOP/s`, or empty for 0.
std::string rate_text(double tflops);
/// `180 GB`, `1.6 PB` (decimal), or empty for 0.
std::string size_text(double bytes);

}  // namespace gw
