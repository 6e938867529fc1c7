// Parsing and printing of amounts with units.
#include "spec/unit_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

namespace gw::spec {

const std::vector<UnitSuffix>& suffixes(Unit unit) {
  static const std::vector<UnitSuffix> none;
  static const std::vector<UnitSuffix> nanoseconds = {
      {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
  static const std::vector<UnitSuffix> seconds = {
      {"ms", 1e-3}, {"s", 1}, {"min", 60}, {"h", 3600}, {"d", 86400}};
  static const std::vector<UnitSuffix> milliwatts = {{"W", 1e3}, {"kW", 1e6}, {"MW", 1e9}, {"GW", 1e12}};
  static const std::vector<UnitSuffix> bytes = {{"MB", 1e6},  {"MiB", 1048576.0},
                                                {"GB", 1e9},  {"GiB", 1073741824.0},
                                                {"TB", 1e12}, {"TiB", 1099511627776.0}};
  static const std::vector<UnitSuffix> data_set = [] {
    std::vector<UnitSuffix> all = bytes;
    all.push_back({"PB", 1e15});
    all.push_back({"PiB", 1125899906842624.0});
    return all;
  }();
  static const std::vector<UnitSuffix> message = [] {
    std::vector<UnitSuffix> all = {{"B", 1}, {"kB", 1e3}, {"KiB", 1024.0}};
    all.insert(all.end(), data_set.begin(), data_set.end());
    return all;
  }();
  static const std::vector<UnitSuffix> mebibytes = {{"MB", 1e6 / 1048576},  {"MiB", 1},
                                                    {"GB", 1e9 / 1048576},  {"GiB", 1024},
                                                    {"TB", 1e12 / 1048576}, {"TiB", 1048576}};
  static const std::vector<UnitSuffix> tflops = {{"TFLOP/s", 1}, {"PFLOP/s", 1e3}};
  static const std::vector<UnitSuffix> tbyte_s = {{"GB/s", 1e-3}, {"TB/s", 1}};
  static const std::vector<UnitSuffix> gbyte_s = {{"GB/s", 1}, {"TB/s", 1e3}};
  static const std::vector<UnitSuffix> gbit_s = {{"Gbit/s", 1}, {"Tbit/s", 1e3}};
  static const std::vector<UnitSuffix> price = {{"EUR/MWh", 1}, {"ct/kWh", 10}, {"EUR/kWh", 1e3}};
  static const std::vector<UnitSuffix> carbon = {{"g/kWh", 1}, {"kg/MWh", 1}};
  switch (unit) {
    case Unit::kNone:
      return none;
    case Unit::kNanoseconds:
      return nanoseconds;
    case Unit::kSeconds:
      return seconds;
    case Unit::kMilliwatts:
      return milliwatts;
    case Unit::kBytes:
      return bytes;
    case Unit::kDataSetBytes:
      return data_set;
    case Unit::kMessageBytes:
      return message;
    case Unit::kMebibytes:
      return mebibytes;
    case Unit::kTflops:
      return tflops;
    case Unit::kTbytePerSecond:
      return tbyte_s;
    case Unit::kGbytePerSecond:
      return gbyte_s;
    case Unit::kGbitPerSecond:
      return gbit_s;
    case Unit::kEuroPerMwh:
      return price;
    case Unit::kGramsPerKwh:
      return carbon;
  }
  return none;
}

std::string_view unit_example(Unit unit) {
  switch (unit) {
    case Unit::kNone:
      return "1";
    case Unit::kNanoseconds:
    case Unit::kSeconds:
      return "90s, 30min, 24h or 28d";
    case Unit::kMilliwatts:
      return "700 W, 14.3 kW or 15 MW";
    case Unit::kBytes:
    case Unit::kDataSetBytes:
    case Unit::kMebibytes:
      return "180 GB or 2 TiB";
    case Unit::kMessageBytes:
      return "8 B, 64 KiB, 1.5 MB or 20 TB";
    case Unit::kTflops:
      return "2250 TFLOP/s";
    case Unit::kTbytePerSecond:
      return "8 TB/s";
    case Unit::kGbytePerSecond:
      return "900 GB/s";
    case Unit::kGbitPerSecond:
      return "400 Gbit/s";
    case Unit::kEuroPerMwh:
      return "140 EUR/MWh";
    case Unit::kGramsPerKwh:
      return "300 g/kWh";
  }
  return {};
}

namespace {

bool is_time(Unit unit) { return unit == Unit::kNanoseconds || unit == Unit::kSeconds; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

void skip_spaces(std::string_view& text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
}

/// `12` or `12.5` from the front of `text`.
std::optional<double> take_decimal(std::string_view& text) {
  std::size_t end = 0;
  while (end < text.size() && is_digit(text[end])) ++end;
  if (end == 0) return std::nullopt;
  if (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1])) {
    ++end;
    while (end < text.size() && is_digit(text[end])) ++end;
  }
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + end, value, std::chars_format::fixed);
  if (error != std::errc() || stop != text.data() + end) return std::nullopt;
  text.remove_prefix(end);
  return value;
}

/// The longest spelling of the unit at the front of `text`.
std::optional<double> take_suffix(std::string_view& text, Unit unit) {
  const UnitSuffix* best = nullptr;
  for (const UnitSuffix& suffix : suffixes(unit)) {
    if (text.starts_with(suffix.text) && (best == nullptr || suffix.text.size() > best->text.size()))
      best = &suffix;
  }
  if (best == nullptr) return std::nullopt;
  text.remove_prefix(best->text.size());
  return best->factor;
}

}  // namespace

std::string unit_pattern(Unit unit) {
  std::string choices;
  for (const UnitSuffix& suffix : suffixes(unit)) {
    if (!choices.empty()) choices += '|';
    choices += suffix.text;
  }
  const std::string amount = fmt::format("[0-9]+(\\.[0-9]+)? *({})", choices);
  if (is_time(unit)) return fmt::format("^{0}( *{0})*$", amount);
  return fmt::format("^{}{}$", unit == Unit::kEuroPerMwh ? "-?" : "", amount);
}

std::optional<double> parse_number(std::string_view text) {
  std::string_view digits = text;
  if (!digits.empty() && digits.front() == '-') digits.remove_prefix(1);
  if (digits.empty() || !is_digit(digits.front())) return std::nullopt;
  if (digits.size() > 1 && digits[0] == '0' && is_digit(digits[1]))
    return std::nullopt;  // Octal in YAML 1.1.
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<double> parse_amount(std::string_view text, Unit unit) {
  if (unit == Unit::kNone) return parse_number(text);
  bool negative = false;
  if (unit == Unit::kEuroPerMwh && text.starts_with('-')) {
    negative = true;
    text.remove_prefix(1);
  }
  double sum = 0;
  do {
    const std::optional<double> number = take_decimal(text);
    if (!number) return std::nullopt;
    skip_spaces(text);
    const std::optional<double> factor = take_suffix(text, unit);
    if (!factor) return std::nullopt;
    sum += *number * *factor;
    if (is_time(unit) && !text.empty()) {
      skip_spaces(text);
      if (text.empty()) return std::nullopt;
    }
  } while (is_time(unit) && !text.empty());
  if (!text.empty() || !std::isfinite(sum)) return std::nullopt;
  return negative ? -sum : sum;
}

std::string amount_text(double value, Unit unit) {
  if (unit == Unit::kNone) return fmt::format("{}", value);
  const std::vector<UnitSuffix>& all = suffixes(unit);
  const char* const gap = is_time(unit) ? "" : " ";
  const UnitSuffix& smallest = is_time(unit) ? all[1] : all[0];
  if (value == 0) return fmt::format("0{}{}", gap, smallest.text);
  std::string best;
  for (const UnitSuffix& suffix : all) {
    const double count = value / suffix.factor;
    std::string text = fmt::format("{}{}{}", count, gap, suffix.text);
    if (text.find('e') != text.npos || count * suffix.factor != value) continue;
    // The larger unit where it is about as short: 10min rather than 600s, but 90s rather than 0.025h.
    if (best.empty() || (count >= 1 ? text.size() <= best.size() + 2 : text.size() < best.size()))
      best = std::move(text);
  }
  if (best.empty()) {  // No exact short form: plain decimals, as exponents are not read back.
    std::string digits = fmt::format("{:.24f}", value / all.back().factor);
    digits.erase(digits.find_last_not_of('0') + 1);
    best = fmt::format("{}{}{}", digits, gap, all.back().text);
  }
  return best;
}

}  // namespace gw::spec
