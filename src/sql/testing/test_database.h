// TestDatabase: a fresh database of either kind for a test, and short ways to use it.
#pragma once

#include <filesystem>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "sql/database.h"
#include "sql/testing/postgres_server.h"

namespace gw::sql::testing {

/// A folder with an SQLite file to be, or a PostgreSQL server; removed with the object.
class TestDatabase {
 public:
  /// Empty where a database of that kind can be had; else why not (for GTEST_SKIP).
  static std::string missing(Dialect dialect);
  static Result<std::unique_ptr<TestDatabase>> make(Dialect dialect);
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;
  ~TestDatabase();

  /// A writing connection; of SQLite there can be one at a time.
  [[nodiscard]] Result<std::unique_ptr<Database>> open() const;
  /// What `open` opens: a path or a URL.
  [[nodiscard]] std::string where() const;
  /// Null with SQLite.
  [[nodiscard]] PostgresServer* server() { return server_.get(); }

 private:
  TestDatabase() = default;
  std::filesystem::path folder_;
  std::unique_ptr<PostgresServer> server_;
};

/// For names of parametrised tests.
std::string dialect_name(Dialect dialect);

/// Runs one statement in a transaction of its own.
Result<void> change(Database& database, const char* sql, std::initializer_list<Param> params = {});

/// The whole answer: a row is its values joined by `|`, blobs as x'hex', NULL as `NULL`.
Result<std::vector<std::string>> rows_of(Database& database, const char* sql,
                                         std::initializer_list<Param> params = {});

/// The first value of the answer as a number; -1 and a note where it fails.
std::int64_t number_of(Database& database, const char* sql, std::initializer_list<Param> params = {});

}  // namespace gw::sql::testing
