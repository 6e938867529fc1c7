// Lines up columns and shortens numbers for people.
#include "cli/text_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>

#include "report/text.h"
#include "spec/power_text.h"

namespace gw {

namespace {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

/// `value` in the largest unit that leaves at least 1, to four significant digits.
template <std::size_t N>
std::string scaled(double value, const std::array<std::string_view, N>& units) {
  std::size_t unit = 0;
  while (unit + 1 < N && value >= 999.95) {
    value /= 1000;
    ++unit;
  }
  return fmt::format("{:.4g} {}", value, units[unit]);
}

}  // namespace

void TextTable::add(std::vector<std::string> row) {
  for (std::string& cell : row) cell = report::printable_name(cell);
  rows_.push_back(std::move(row));
}

namespace {

/// Doubles as they were meant: 0.000704 for 0.0007040000000000001.
void round_numbers(nlohmann::ordered_json& json) {
  if (json.is_structured()) {
    for (nlohmann::ordered_json& each : json) round_numbers(each);
  } else if (json.is_number_float() && std::isfinite(json.get<double>())) {
    json = std::strtod(fmt::format("{:.15g}", json.get<double>()).c_str(), nullptr);
  }
}

}  // namespace

std::string json_out(const nlohmann::ordered_json& json, int indent) {
  nlohmann::ordered_json rounded = json;
  round_numbers(rounded);
  return rounded.dump(indent, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

std::string TextTable::text() const {
  std::vector<std::size_t> widths(alignment_.size());
  for (const std::vector<std::string>& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column)
      widths[column] = std::max(widths[column], width_of(row[column]));
  }
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    bool first = true;
    for (std::size_t column = 0; column < row.size(); ++column) {
      if (widths[column] == 0) continue;
      if (!first) line += "  ";
      first = false;
      const std::string padding(widths[column] - width_of(row[column]), ' ');
      line += alignment_[column] == 'r' ? padding + row[column] : row[column] + padding;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string with_thousands(std::uint64_t number) {
  std::string digits = fmt::format("{}", number);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string power_text(double milliwatts) { return spec::power_text(milliwatts); }

std::string rate_text(double tflops) {
  if (tflops == 0) return {};
  return scaled(tflops, std::array<std::string_view, 4>{"TFLOP/s", "PFLOP/s", "EFLOP/s", "ZFLOP/s"});
}

std::string size_text(double bytes) {
  if (bytes == 0) return {};
  return scaled(bytes * 1e-9, std::array<std::string_view, 4>{"GB", "TB", "PB", "EB"});
}

}  // namespace gw
