// Folders, servers and one-liners for tests of databases.
#include "sql/testing/test_database.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace gw::sql::testing {

namespace fs = std::filesystem;

std::string TestDatabase::missing(Dialect dialect) {
  return dialect == Dialect::kPostgres ? PostgresServer::missing() : "";
}

Result<std::unique_ptr<TestDatabase>> TestDatabase::make(Dialect dialect) {
  std::unique_ptr<TestDatabase> made(new TestDatabase());
  if (dialect == Dialect::kPostgres) {
    Result<std::unique_ptr<PostgresServer>> server = PostgresServer::start();
    if (!server) return std::unexpected(std::move(server.error()));
    made->server_ = std::move(*server);
    return made;
  }
  std::string folder = (fs::temp_directory_path() / "gigawerk-sql-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) return fail(fmt::format("{}: cannot make the folder", folder));
  made->folder_ = folder;
  return made;
}

TestDatabase::~TestDatabase() {
  std::error_code error;
  if (!folder_.empty()) fs::remove_all(folder_, error);
}

std::string TestDatabase::where() const {
  return server_ != nullptr ? server_->url() : (folder_ / "test.db").string();
}

Result<std::unique_ptr<Database>> TestDatabase::open() const {
  return server_ != nullptr ? open_postgres(where()) : open_sqlite(where());
}

std::string dialect_name(Dialect dialect) { return dialect == Dialect::kSqlite ? "Sqlite" : "Postgres"; }

Result<void> change(Database& database, const char* sql, std::initializer_list<Param> params) {
  if (Result<void> begun = database.begin(); !begun) return begun;
  database.execute(Statement{sql}, {params.begin(), params.size()});
  return database.commit();
}

Result<std::vector<std::string>> rows_of(Database& database, const char* sql,
                                         std::initializer_list<Param> params) {
  std::vector<std::string> rows;
  Result<void> done = database.query(Statement{sql}, {params.begin(), params.size()}, [&](const Row& row) {
    std::string text;
    for (int column = 0; column < row.columns(); ++column) {
      if (column > 0) text += "|";
      switch (row.kind(column)) {
        case ValueKind::kNull:
          text += "NULL";
          break;
        case ValueKind::kBlob:
          text += "x'";
          for (const char c : row.blob(column)) text += fmt::format("{:02x}", static_cast<unsigned char>(c));
          text += "'";
          break;
        case ValueKind::kReal:
          text += fmt::format("{}", row.real(column));
          break;
        default:
          text += row.text(column);
      }
    }
    rows.push_back(std::move(text));
    return true;
  });
  if (!done) return std::unexpected(std::move(done.error()));
  return rows;
}

std::int64_t number_of(Database& database, const char* sql, std::initializer_list<Param> params) {
  std::int64_t number = -1;
  Result<void> done = database.query(Statement{sql}, {params.begin(), params.size()}, [&](const Row& row) {
    number = row.integer(0);
    return false;
  });
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return number;
}

}  // namespace gw::sql::testing
