// Transactions and queries on SQLite.
#include "sql/sqlite_database.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "sql/counting_vfs.h"
#include "sql/sql_text.h"
#include "sql/sqlite_error.h"

namespace gw::sql {

/// What this thread syncs while it lives counts as the database's.
class SqliteDatabase::CountsSyncs {
 public:
  explicit CountsSyncs(Counters& counters) : counters_(counters), before_(syncs_on_this_thread()) {}
  CountsSyncs(const CountsSyncs&) = delete;
  CountsSyncs& operator=(const CountsSyncs&) = delete;
  ~CountsSyncs() { counters_.syncs += syncs_on_this_thread() - before_; }

 private:
  Counters& counters_;
  std::uint64_t before_;
};

SqliteDatabase::~SqliteDatabase() {
  rollback();
  statements_.clear();
}

Error SqliteDatabase::error(int code, std::string_view sql) {
  if ((code & 0xff) == SQLITE_INTERRUPT && role_ == Role::kReader) {
    return Error{
        fmt::format("{}: stopped {}: while it looked at an old state of the database, the log of newer "
                    "writes grew to {} MiB; "
                    "read less at a time",
                    path_, quoted_sql(sql), watch_.bytes() >> 20)};
  }
  return sqlite_error(handle_.get(), code, path_, sql);
}

void SqliteDatabase::keep(Error error) {
  if (!error_) error_ = std::move(error);
}

int SqliteDatabase::step_all(SqliteStatement& statement) {
  int code = SQLITE_ROW;
  while (code == SQLITE_ROW) code = sqlite3_step(statement.get());
  return code == SQLITE_DONE ? SQLITE_OK : code;
}

/// BEGIN and COMMIT.
Result<void> SqliteDatabase::run_alone(const char* sql) {
  Result<SqliteStatement*> statement = statements_.find(handle_.get(), path_, sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  const int code = step_all(**statement);
  Result<void> result;
  if (code != SQLITE_OK) result = std::unexpected(error(code, sql));
  (*statement)->reset();
  return result;
}

Result<SqliteStatement*> SqliteDatabase::bound(const Statement& statement, std::span<const Param> params) {
  Result<SqliteStatement*> found = statements_.find(handle_.get(), path_, statement.sql);
  if (!found) return found;
  if ((*found)->parameters() != params.size()) {
    return fail(fmt::format("{}: {} takes {} parameters but was given {}", path_, quoted_sql(statement.sql),
                            (*found)->parameters(), params.size()));
  }
  const int code = (*found)->bind(params);
  if (code != SQLITE_OK) {
    (*found)->reset();
    return std::unexpected(error(code, statement.sql));
  }
  return found;
}

Result<void> SqliteDatabase::begin() {
  GW_CHECK(!in_transaction_ && !in_query_);
  const CountsSyncs counting(counters_);
  error_.reset();
  outcome_unknown_ = false;
  if (role_ == Role::kReader) watch_.begin();
  Result<void> begun = run_alone(role_ == Role::kWriter ? "BEGIN IMMEDIATE" : "BEGIN");
  in_transaction_ = begun.has_value();
  return begun;
}

void SqliteDatabase::execute(const Statement& statement, std::span<const Param> params) {
  GW_CHECK(in_transaction_ && !in_query_);
  if (error_) return;
  const CountsSyncs counting(counters_);
  ++counters_.statements;
  Result<SqliteStatement*> found = bound(statement, params);
  if (!found) return keep(std::move(found.error()));
  const int code = step_all(**found);
  if (code != SQLITE_OK) keep(error(code, statement.sql));
  (*found)->reset();
}

Result<void> SqliteDatabase::commit() {
  GW_CHECK(in_transaction_ && !in_query_);
  if (!error_) {
    const CountsSyncs counting(counters_);
    Result<void> done = run_alone("COMMIT");
    if (done) {
      in_transaction_ = false;
      ++counters_.commits;
      if (role_ == Role::kWriter) checkpoints_.committed(handle_.get());
      return {};
    }
    // The log may have the whole transaction, though the disk did not say so.
    outcome_unknown_ = (sqlite3_errcode(handle_.get()) & 0xff) == SQLITE_IOERR;
    keep(std::move(done.error()));
    if (outcome_unknown_) error_->message += "; whether the transaction was kept shows after a restart";
  }
  Error failure = *error_;
  rollback();
  return std::unexpected(std::move(failure));
}

void SqliteDatabase::rollback() {
  GW_CHECK(!in_query_);
  if (!in_transaction_) return;
  in_transaction_ = false;
  error_.reset();
  // SQLite itself has rolled back after the worst errors.
  if (open_transaction()) sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  GW_CHECK(!open_transaction());
}

Result<void> SqliteDatabase::query(const Statement& statement, std::span<const Param> params,
                                   const std::function<bool(const Row&)>& row) {
  GW_CHECK(!in_query_);
  if (error_ && in_transaction_) return std::unexpected(*error_);
  const CountsSyncs counting(counters_);
  ++counters_.statements;
  Result<void> done = visit(statement, params, row);
  if (!done && in_transaction_) keep(done.error());
  return done;
}

Result<void> SqliteDatabase::visit(const Statement& statement, std::span<const Param> params,
                                   const std::function<bool(const Row&)>& row) {
  if (role_ == Role::kReader && !in_transaction_) watch_.begin();
  Result<SqliteStatement*> found = bound(statement, params);
  if (!found) return std::unexpected(std::move(found.error()));
  struct Reset {  // Also where `row` throws.
    SqliteStatement& statement;
    bool& in_query;
    ~Reset() {
      statement.reset();
      in_query = false;
    }
  } reset{**found, in_query_};
  in_query_ = true;
  const SqliteRow current((*found)->get());
  for (;;) {
    int code = sqlite3_step((*found)->get());
    if (code == SQLITE_DONE) return {};
    if (code == SQLITE_ROW && role_ == Role::kReader && watch_.too_old()) code = SQLITE_INTERRUPT;
    if (code != SQLITE_ROW) return std::unexpected(error(code, statement.sql));
    if (!row(current)) return {};
  }
}

Result<void> SqliteDatabase::run(const std::string& sql) {
  GW_CHECK(!in_query_);
  if (error_ && in_transaction_) return std::unexpected(*error_);
  const CountsSyncs counting(counters_);
  ++counters_.statements;
  if (role_ == Role::kReader && !in_transaction_) watch_.begin();
  const int code = sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  Result<void> done;
  if (code != SQLITE_OK) {
    done = std::unexpected(error(code, sql));
  } else if (open_transaction() != in_transaction_) {
    done = fail(fmt::format("{}: {} must neither begin nor end a transaction", path_, quoted_sql(sql)));
  }
  if (in_transaction_) {
    if (!done) keep(done.error());
  } else if (open_transaction()) {
    sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  } else {
    checkpoints_.committed(handle_.get());
  }
  return done;
}

Result<std::unique_ptr<Database>> SqliteDatabase::open_reader() {
  return open(path_, options_, Role::kReader, std::nullopt);
}

}  // namespace gw::sql
