// Database: the few things that a durable store needs of an SQL database; SQLite and PostgreSQL stand behind
// it.
//
// One text serves both: parameters are $1, $2, ... in order of first use; types are BIGINT, DOUBLE PRECISION,
// TEXT and BYTEA (SQLite takes any type name); INSERT ... ON CONFLICT works in both. A connection belongs to
// one thread at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

namespace gw::sql {

/// Bytes that are no text.
struct Blob {
  std::string_view bytes;
};

/// A parameter. Texts and blobs are only looked at during the call.
using Param = std::variant<std::monostate, std::int64_t, double, std::string_view, Blob>;

/// A statement that is used again and again; drivers keep what they prepared by its text.
struct Statement {
  const char* sql;
};

/// What a value is; shared SQL knows no other types (a truth value is an integer).
enum class ValueKind : std::uint8_t { kNull, kInteger, kReal, kText, kBlob };

/// One row of an answer; valid inside the callback only. A column of NULL reads as 0 and empty.
class Row {
 public:
  virtual ~Row() = default;
  [[nodiscard]] virtual int columns() const { return 0; }
  [[nodiscard]] virtual std::string_view column_name([[maybe_unused]] int column) const { return {}; }
  /// Ask before reading the column: reading it as another type may change the answer.
  [[nodiscard]] virtual ValueKind kind(int column) const {
    return null(column) ? ValueKind::kNull : ValueKind::kText;
  }
  [[nodiscard]] virtual bool null(int column) const = 0;
  [[nodiscard]] virtual std::int64_t integer(int column) const = 0;
  [[nodiscard]] virtual double real(int column) const = 0;
  [[nodiscard]] virtual std::string_view text(int column) const = 0;
  [[nodiscard]] virtual std::string_view blob(int column) const = 0;
};

enum class Dialect : std::uint8_t { kSqlite, kPostgres };

/// What a database has done since it was opened.
struct Counters {
  std::uint64_t commits = 0;
  std::uint64_t statements = 0;
  std::uint64_t syncs = 0;  ///< Calls of fsync or fdatasync by SQLite; commits that wrote, with PostgreSQL.
};

class Database {
 public:
  virtual ~Database() = default;

  /// Begins a transaction that writes. It must end with `commit` or `rollback`. On a reader it is one that
  /// sees a single state of the database to its end.
  virtual Result<void> begin() = 0;
  /// Runs a statement without an answer inside the transaction. An error is kept and given by `commit`, which
  /// then rolls back; drivers may send statements in batches.
  virtual void execute(const Statement& statement, std::span<const Param> params) = 0;
  /// Makes the transaction durable: when it returns without an error, a power cut cannot undo it.
  virtual Result<void> commit() = 0;
  /// Nothing happens where no transaction is open.
  virtual void rollback() = 0;
  /// After a `commit` that failed: whether it may have become durable all the same (its answer was lost, or a
  /// sync failed). Then the caller must read again what is there.
  [[nodiscard]] virtual bool outcome_unknown() const { return false; }

  /// Calls `row` for each row of the answer until it gives false. Works inside a transaction (seeing its
  /// writes; an error is kept for `commit`, too) and outside. `row` must not use this Database.
  virtual Result<void> query(const Statement& statement, std::span<const Param> params,
                             const std::function<bool(const Row&)>& row) = 0;
  /// Runs a text of one or more statements without parameters (schema changes), outside of a transaction or
  /// inside.
  virtual Result<void> run(const std::string& sql) = 0;

  /// Another connection to the same database that only reads, for another thread. Any thread may ask for it.
  virtual Result<std::unique_ptr<Database>> open_reader() = 0;

  [[nodiscard]] virtual Dialect dialect() const = 0;
  [[nodiscard]] virtual const Counters& counters() const = 0;
  /// For messages: a path, or a URL without its password.
  [[nodiscard]] virtual const std::string& name() const = 0;
};

struct SqliteOptions {
  bool create = true;
  bool read_only = false;
  std::string vfs{};  ///< Name of a registered VFS; empty: the system's (tests).
  /// A query of a reader that has held an old state while the log of writes grew past this is stopped with an
  /// Error.
  std::uint64_t wal_bytes_max = std::uint64_t{256} << 20;
};

/// Opens the file (WAL, synchronous=FULL, one writer). An Error says what to do where another process holds
/// it.
Result<std::unique_ptr<Database>> open_sqlite(const std::string& path, const SqliteOptions& options = {});

struct PostgresOptions {
  /// A server that sends nothing for so long is given up. `run` waits as long as the connection lives.
  std::uint32_t answer_seconds = 60;
  /// How long the server lets a transaction stand idle before it ends the session (a paused process must not
  /// keep its locks).
  std::uint32_t idle_transaction_seconds = 20;
};

/// Opens `postgres://user:password@host:port/database?sslmode=...`.
Result<std::unique_ptr<Database>> open_postgres(const std::string& url, const PostgresOptions& options = {});

}  // namespace gw::sql
