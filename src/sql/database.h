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

/// A statement that is used again and again; make it static: drivers keep what they prepared by `sql`'s
/// address.
struct Statement {
  const char* sql;
};

/// One row of an answer; valid inside the callback only. A column of NULL reads as 0 and empty.
class Row {
 public:
  virtual ~Row() = default;
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

  /// Begins a transaction that writes. It must end with `commit` or `rollback`.
  virtual Result<void> begin() = 0;
  /// Runs a statement without an answer inside the transaction. An error is kept and given by `commit`, which
  /// then rolls back; drivers may send statements in batches.
  virtual void execute(const Statement& statement, std::span<const Param> params) = 0;
  /// Makes the transaction durable: when it returns without an error, a power cut cannot undo it.
  virtual Result<void> commit() = 0;
  virtual void rollback() = 0;

  /// Calls `row` for each row of the answer until it gives false. Works inside a transaction (seeing its
  /// writes) and outside.
  virtual Result<void> query(const Statement& statement, std::span<const Param> params,
                             const std::function<bool(const Row&)>& row) = 0;
  /// Runs a text of one or more statements without parameters (schema changes), outside of a transaction or
  /// inside.
  virtual Result<void> run(const std::string& sql) = 0;

  /// Another connection to the same database that only reads, for another thread.
  virtual Result<std::unique_ptr<Database>> open_reader() = 0;

  [[nodiscard]] virtual Dialect dialect() const = 0;
  [[nodiscard]] virtual const Counters& counters() const = 0;
  /// For messages: a path, or a URL without its password.
  [[nodiscard]] virtual const std::string& name() const = 0;
};

struct SqliteOptions {
  bool create = true;
  bool read_only = false;
  std::string vfs;  ///< Name of a registered VFS; empty: the system's (tests).
};

/// Opens the file (WAL, synchronous=FULL, one writer). An Error says what to do where another process holds
/// it.
Result<std::unique_ptr<Database>> open_sqlite(const std::string& path, const SqliteOptions& options = {});

/// Opens `postgres://user:password@host:port/database?sslmode=...`.
Result<std::unique_ptr<Database>> open_postgres(const std::string& url);

}  // namespace gw::sql
