// Encoding and decoding; numbers are big-endian (src/backend/utils/adt of PostgreSQL: *send and *recv).
#include "sql/postgres_values.h"

#include <endian.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace gw::sql {
namespace {

template <class Unsigned>
Unsigned big_endian(std::string_view bytes) {
  Unsigned value = 0;
  for (std::size_t index = 0; index < sizeof(Unsigned) && index < bytes.size(); ++index)
    value = static_cast<Unsigned>((value << 8) | static_cast<unsigned char>(bytes[index]));
  return value;
}

/// As SQLite reads a text as a number: as far as it goes, else 0.
double real_of_text(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// Toward zero; what is too large becomes the largest.
std::int64_t integer_of_real(double value) {
  constexpr double kEnd = 9223372036854775808.0;
  if (std::isnan(value)) return 0;
  if (value >= kEnd) return std::numeric_limits<std::int64_t>::max();
  if (value < -kEnd) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(value);
}

std::int64_t integer_of_text(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return integer_of_real(real_of_text(text));
  return value;
}

bool fits_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Oid postgres_type(const Param& param) {
  if (std::holds_alternative<std::int64_t>(param)) return kInt8Oid;
  if (std::holds_alternative<double>(param)) return kFloat8Oid;
  if (std::holds_alternative<std::string_view>(param)) return kTextOid;
  if (std::holds_alternative<Blob>(param)) return kByteaOid;
  return 0;
}

void PostgresParams::set(std::span<const Param> params) {
  const std::size_t count = params.size();
  numbers_.resize(count);
  values_.resize(count);
  lengths_.resize(count);
  formats_.assign(count, 1);
  bytes_ = 0;
  for (std::size_t index = 0; index < count; ++index) {
    const Param& param = params[index];
    const auto number = [&](std::uint64_t value) {
      numbers_[index] = htobe64(value);
      values_[index] = reinterpret_cast<const char*>(&numbers_[index]);
      lengths_[index] = sizeof(value);
    };
    const auto view = [&](std::string_view bytes) {
      values_[index] = bytes.data() != nullptr ? bytes.data() : "";  // A null pointer is NULL.
      lengths_[index] = static_cast<int>(bytes.size());
    };
    if (const auto* integer = std::get_if<std::int64_t>(&param)) {
      number(static_cast<std::uint64_t>(*integer));
    } else if (const auto* real = std::get_if<double>(&param)) {
      number(std::bit_cast<std::uint64_t>(*real));
    } else if (const auto* text = std::get_if<std::string_view>(&param)) {
      view(*text);
    } else if (const auto* blob = std::get_if<Blob>(&param)) {
      view(blob->bytes);
    } else {
      values_[index] = nullptr;
      lengths_[index] = 0;
    }
    bytes_ += static_cast<std::size_t>(lengths_[index]) + sizeof(std::uint32_t);
  }
}

/// int16 digits, weight, sign, scale, then the digits to base 10,000 from the weight down (numeric_send).
std::string numeric_text(std::string_view bytes) {
  constexpr std::uint16_t kNegative = 0x4000;
  constexpr std::uint16_t kNotANumber = 0xC000;
  constexpr std::uint16_t kInfinite = 0xD000;
  constexpr std::uint16_t kMinusInfinite = 0xF000;
  if (bytes.size() < 8) return {};
  const auto word = [&](std::size_t index) { return big_endian<std::uint16_t>(bytes.substr(2 * index)); };
  const std::size_t digits = word(0);
  const int weight = static_cast<std::int16_t>(word(1));
  const std::uint16_t sign = word(2);
  const int scale = word(3);
  if (bytes.size() != 8 + 2 * digits) return {};
  if (sign == kNotANumber) return "nan";
  if (sign == kInfinite) return "inf";
  if (sign == kMinusInfinite) return "-inf";
  const auto digit = [&](int index) {
    return index >= 0 && static_cast<std::size_t>(index) < digits ? word(4 + static_cast<std::size_t>(index))
                                                                  : std::uint16_t{0};
  };
  std::string text = sign == kNegative ? "-" : "";
  if (weight < 0) text += "0";
  for (int index = 0; index <= weight; ++index)
    text += index == 0 ? fmt::format("{}", digit(0)) : fmt::format("{:04}", digit(index));
  if (scale > 0) {
    std::string fraction;
    for (int index = weight + 1; fraction.size() < static_cast<std::size_t>(scale); ++index)
      fraction += fmt::format("{:04}", digit(index));
    text += ".";
    text.append(fraction, 0, static_cast<std::size_t>(scale));
  }
  return text;
}

std::string PostgresRow::refused() const {
  static constexpr Oid kKnown[] = {kBoolOid,           kByteaOid,       kInt8Oid,          kInt2Oid,
                                   kInt4Oid,           18 /* "char" */, kTextOid,          kFloat4Oid,
                                   kFloat8Oid,         19 /* name */,   705 /* unknown */, 1042 /* char(n) */,
                                   1043 /* varchar */, kNumericOid};
  for (int column = 0; column < columns(); ++column) {
    const Oid type = PQftype(result_, column);
    if (std::ranges::find(kKnown, type) == std::end(kKnown)) {
      return fmt::format(
          "column {} ({}) has a type that is not shared by all databases (number {} of pg_type); CAST it to "
          "BIGINT, "
          "DOUBLE PRECISION, TEXT or BYTEA",
          column + 1, column_name(column), type);
    }
  }
  return {};
}

std::string_view PostgresRow::column_name(int column) const {
  const char* name = PQfname(result_, column);
  return name != nullptr ? name : "";
}

std::string_view PostgresRow::bytes(int column) const {
  return {PQgetvalue(result_, row_, column), static_cast<std::size_t>(PQgetlength(result_, row_, column))};
}

ValueKind PostgresRow::kind(int column) const {
  if (null(column)) return ValueKind::kNull;
  switch (PQftype(result_, column)) {
    case kBoolOid:
    case kInt2Oid:
    case kInt4Oid:
    case kInt8Oid:
      return ValueKind::kInteger;
    case kFloat4Oid:
    case kFloat8Oid:
      return ValueKind::kReal;
    case kNumericOid:
      return fits_integer(numeric_text(bytes(column))) ? ValueKind::kInteger : ValueKind::kReal;
    case kByteaOid:
      return ValueKind::kBlob;
    default:
      return ValueKind::kText;
  }
}

std::int64_t PostgresRow::integer(int column) const {
  if (null(column)) return 0;
  const std::string_view value = bytes(column);
  switch (PQftype(result_, column)) {
    case kBoolOid:
      return big_endian<std::uint8_t>(value);
    case kInt2Oid:
      return static_cast<std::int16_t>(big_endian<std::uint16_t>(value));
    case kInt4Oid:
      return static_cast<std::int32_t>(big_endian<std::uint32_t>(value));
    case kInt8Oid:
      return static_cast<std::int64_t>(big_endian<std::uint64_t>(value));
    case kFloat4Oid:
    case kFloat8Oid:
      return integer_of_real(real(column));
    case kNumericOid:
      return integer_of_text(numeric_text(value));
    default:
      return integer_of_text(value);
  }
}

double PostgresRow::real(int column) const {
  if (null(column)) return 0;
  const std::string_view value = bytes(column);
  switch (PQftype(result_, column)) {
    case kFloat4Oid:
      return static_cast<double>(std::bit_cast<float>(big_endian<std::uint32_t>(value)));
    case kFloat8Oid:
      return std::bit_cast<double>(big_endian<std::uint64_t>(value));
    case kNumericOid:
      return real_of_text(numeric_text(value));
    case kBoolOid:
    case kInt2Oid:
    case kInt4Oid:
    case kInt8Oid:
      return static_cast<double>(integer(column));
    default:
      return real_of_text(value);
  }
}

std::string_view PostgresRow::text(int column) const {
  if (null(column)) return {};
  const ValueKind value_kind = kind(column);
  if (value_kind != ValueKind::kInteger && value_kind != ValueKind::kReal) return bytes(column);
  texts_.resize(static_cast<std::size_t>(columns()));
  std::string& made = texts_[static_cast<std::size_t>(column)];
  if (PQftype(result_, column) == kNumericOid) {
    made = numeric_text(bytes(column));
  } else {
    made = value_kind == ValueKind::kInteger ? fmt::format("{}", integer(column))
                                             : fmt::format("{}", real(column));
  }
  return made;
}

std::string_view PostgresRow::blob(int column) const { return text(column); }

}  // namespace gw::sql
