// Parameters and rows in PostgreSQL's binary format.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sql/database.h"

namespace gw::sql {

// Numbers of built-in types (pg_type.dat); they never change.
inline constexpr Oid kBoolOid = 16;
inline constexpr Oid kByteaOid = 17;
inline constexpr Oid kInt8Oid = 20;
inline constexpr Oid kInt2Oid = 21;
inline constexpr Oid kInt4Oid = 23;
inline constexpr Oid kTextOid = 25;
inline constexpr Oid kFloat4Oid = 700;
inline constexpr Oid kFloat8Oid = 701;
inline constexpr Oid kNumericOid = 1700;

/// The type that a parameter is sent as; 0 for NULL, which has every type.
Oid postgres_type(const Param& param);

/// Parameters as libpq takes them; valid until the next `set`, and as long as the texts behind `params`.
class PostgresParams {
 public:
  void set(std::span<const Param> params);
  [[nodiscard]] int count() const { return static_cast<int>(values_.size()); }
  [[nodiscard]] const char* const* values() const { return values_.data(); }
  [[nodiscard]] const int* lengths() const { return lengths_.data(); }
  [[nodiscard]] const int* formats() const { return formats_.data(); }
  /// What they add to a message.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::vector<std::uint64_t> numbers_;  ///< In network byte order.
  std::vector<const char*> values_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
  std::size_t bytes_ = 0;
};

/// A NUMERIC (what SUM gives of BIGINT) as a decimal text; empty if the bytes are none.
std::string numeric_text(std::string_view bytes);

/// One row of a result; `refused` says which of its columns have a type that shared SQL does not know.
class PostgresRow final : public Row {
 public:
  explicit PostgresRow(const PGresult* result) : result_(result) {}
  /// Empty, or what is wrong with the types.
  [[nodiscard]] std::string refused() const;
  void move_to(const PGresult* result, int row) {
    result_ = result;
    row_ = row;
  }

  [[nodiscard]] int columns() const override { return PQnfields(result_); }
  [[nodiscard]] std::string_view column_name(int column) const override;
  [[nodiscard]] ValueKind kind(int column) const override;
  [[nodiscard]] bool null(int column) const override { return PQgetisnull(result_, row_, column) != 0; }
  [[nodiscard]] std::int64_t integer(int column) const override;
  [[nodiscard]] double real(int column) const override;
  [[nodiscard]] std::string_view text(int column) const override;
  [[nodiscard]] std::string_view blob(int column) const override;

 private:
  [[nodiscard]] std::string_view bytes(int column) const;

  const PGresult* result_;
  int row_ = 0;
  mutable std::vector<std::string> texts_;  ///< Of numbers that were asked for as text.
};

}  // namespace gw::sql
