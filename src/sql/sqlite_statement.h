// Prepared statements of SQLite: kept by their text, with their parameters $1, $2, ... in any order.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "sql/database.h"

namespace gw::sql {

class SqliteStatement {
 public:
  /// `sql` must be one statement.
  static Result<std::unique_ptr<SqliteStatement>> prepare(sqlite3* connection, const std::string& path,
                                                          const char* sql);
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;
  ~SqliteStatement();

  [[nodiscard]] sqlite3_stmt* get() const { return statement_; }
  /// How many parameters it takes.
  [[nodiscard]] std::size_t parameters() const { return slots_.size(); }
  /// Gives a code of SQLite. The bytes behind `params` must stay until `reset`.
  int bind(std::span<const Param> params);
  void reset();

 private:
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  sqlite3_stmt* statement_;
  std::vector<int> slots_;  ///< SQLite's index of $1, $2, ...; 0 where the text does not use it.
};

/// What one connection has prepared.
class SqliteStatements {
 public:
  /// Valid until the next call.
  Result<SqliteStatement*> find(sqlite3* connection, const std::string& path, const char* sql);
  void clear() { prepared_.clear(); }

 private:
  /// Texts made on the fly must not fill the memory.
  static constexpr std::size_t kMost = 1024;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  std::unordered_map<std::string, std::unique_ptr<SqliteStatement>, Hash, std::equal_to<>> prepared_;
};

/// The row at which a statement stands.
class SqliteRow final : public Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) : statement_(statement) {}
  [[nodiscard]] int columns() const override { return sqlite3_column_count(statement_); }
  [[nodiscard]] std::string_view column_name(int column) const override;
  [[nodiscard]] ValueKind kind(int column) const override;
  [[nodiscard]] bool null(int column) const override {
    return sqlite3_column_type(statement_, column) == SQLITE_NULL;
  }
  [[nodiscard]] std::int64_t integer(int column) const override {
    return sqlite3_column_int64(statement_, column);
  }
  [[nodiscard]] double real(int column) const override { return sqlite3_column_double(statement_, column); }
  [[nodiscard]] std::string_view text(int column) const override;
  [[nodiscard]] std::string_view blob(int column) const override;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace gw::sql
