// SqliteDatabase: one connection to an SQLite file, as the drivers' parts see it.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <optional>
#include <string>

#include "sql/database.h"
#include "sql/sqlite_statement.h"
#include "sql/sqlite_wal.h"
#include "sql/writer_lock.h"

namespace gw::sql {

struct SqliteCloser {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
};
using SqliteHandle = std::unique_ptr<sqlite3, SqliteCloser>;

class SqliteDatabase final : public Database {
 public:
  enum class Role : std::uint8_t { kWriter, kReader };

  /// `path` is absolute, without links. A writer brings its lock, except on a VFS of its own.
  static Result<std::unique_ptr<Database>> open(const std::string& path, const SqliteOptions& options,
                                                Role role, std::optional<WriterLock> lock);
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;
  ~SqliteDatabase() override;

  Result<void> begin() override;
  void execute(const Statement& statement, std::span<const Param> params) override;
  Result<void> commit() override;
  void rollback() override;
  [[nodiscard]] bool outcome_unknown() const override { return outcome_unknown_; }
  Result<void> query(const Statement& statement, std::span<const Param> params,
                     const std::function<bool(const Row&)>& row) override;
  Result<void> run(const std::string& sql) override;
  Result<std::unique_ptr<Database>> open_reader() override;

  [[nodiscard]] Dialect dialect() const override { return Dialect::kSqlite; }
  [[nodiscard]] const Counters& counters() const override { return counters_; }
  [[nodiscard]] const std::string& name() const override { return path_; }
  [[nodiscard]] sqlite3* handle() const { return handle_.get(); }

 private:
  class CountsSyncs;

  SqliteDatabase(std::string path, SqliteOptions options, Role role, std::optional<WriterLock> lock);
  Result<void> set_up();
  Result<void> set_up_writer();
  Result<void> set(const char* pragma);
  Result<std::string> first_text(const char* sql);
  /// Runs a statement to its end; gives a code of SQLite.
  int step_all(SqliteStatement& statement);
  Result<void> run_alone(const char* sql);
  Result<void> visit(const Statement& statement, std::span<const Param> params,
                     const std::function<bool(const Row&)>& row);
  Result<SqliteStatement*> bound(const Statement& statement, std::span<const Param> params);
  [[nodiscard]] Error error(int code, std::string_view sql);
  [[nodiscard]] bool open_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }
  void keep(Error error);

  std::string path_;
  SqliteOptions options_;
  Role role_;
  std::optional<WriterLock> lock_;  // Let go after the connection is closed.
  WalCheckpoints checkpoints_;
  WalWatch watch_;
  SqliteHandle handle_;
  SqliteStatements statements_;
  std::optional<Error> error_;  ///< The first of the transaction.
  bool in_transaction_ = false;
  bool in_query_ = false;
  bool outcome_unknown_ = false;
  Counters counters_;
};

}  // namespace gw::sql
