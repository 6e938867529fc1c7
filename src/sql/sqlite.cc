// Opening SQLite files: who may write, how durable, how much memory.
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "sql/counting_vfs.h"
#include "sql/sqlite_database.h"
#include "sql/sqlite_error.h"

namespace gw::sql {
namespace {

namespace fs = std::filesystem;

constexpr int kBusyMs = 10'000;

/// What `path` names once its links are followed; its folder must exist.
Result<std::string> resolve(const std::string& path) {
  std::error_code error;
  fs::path full = fs::absolute(path, error);
  const fs::path found = fs::canonical(full, error);
  if (!error) {
    if (fs::is_directory(found)) return fail(fmt::format("{}: is a folder, not a database", path));
    return found.string();
  }
  const fs::path folder = fs::canonical(full.parent_path(), error);
  if (error || path.empty() || full.filename().empty()) {
    return fail(fmt::format("{}: cannot open the database: its folder does not exist; make it first",
                            path.empty() ? "\"\"" : path));
  }
  return (folder / full.filename()).string();
}

/// Every `kOperations` steps of the virtual machine a reader looks whether it must stop.
constexpr int kOperations = 20'000;

}  // namespace

SqliteDatabase::SqliteDatabase(std::string path, SqliteOptions options, Role role,
                               std::optional<WriterLock> lock)
    : path_(std::move(path)),
      options_(std::move(options)),
      role_(role),
      lock_(std::move(lock)),
      watch_(path_, options_.wal_bytes_max) {}

Result<std::unique_ptr<Database>> SqliteDatabase::open(const std::string& path, const SqliteOptions& options,
                                                       Role role, std::optional<WriterLock> lock) {
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path, options, role, std::move(lock)));
  const char* vfs = options.vfs.empty() ? counting_vfs() : options.vfs.c_str();
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  flags |= role == Role::kReader ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (role == Role::kWriter && options.create) flags |= SQLITE_OPEN_CREATE;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, vfs);
  database->handle_.reset(handle);
  if (code != SQLITE_OK) return std::unexpected(sqlite_error(handle, code, path, ""));
  if (Result<void> done = database->set_up(); !done) return std::unexpected(std::move(done.error()));
  database->counters_ = {};
  return database;
}

Result<void> SqliteDatabase::set(const char* pragma) {
  const int code = sqlite3_exec(handle_.get(), pragma, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code, pragma));
  return {};
}

Result<std::string> SqliteDatabase::first_text(const char* sql) {
  std::string text;
  Result<void> done = visit(Statement{sql}, {}, [&](const Row& row) {
    text = row.text(0);
    return false;
  });
  if (!done) return std::unexpected(std::move(done.error()));
  return text;
}

Result<void> SqliteDatabase::set_up() {
  sqlite3* handle = handle_.get();
  sqlite3_busy_timeout(handle, kBusyMs);
  // "name" is a column and never a string, as in PostgreSQL; and a schema from elsewhere runs no code.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // mmap off: a failing disk would end the process with SIGBUS instead of giving an error.
  for (const char* pragma : {"PRAGMA foreign_keys=ON", "PRAGMA mmap_size=0", "PRAGMA temp_store=MEMORY",
                             "PRAGMA case_sensitive_like=ON"}) {
    if (Result<void> done = set(pragma); !done) return done;
  }
  if (role_ == Role::kWriter) {
    if (Result<void> done = set_up_writer(); !done) return done;
  } else {
    sqlite3_progress_handler(
        handle, kOperations,
        [](void* self) { return static_cast<SqliteDatabase*>(self)->watch_.too_old() ? 1 : 0; }, this);
    if (Result<void> done = set("PRAGMA cache_size=-16384"); !done) return done;
  }
  // The first look into the file: it may be no database, or a damaged one.
  if (Result<std::string> looked = first_text("SELECT count(*) FROM sqlite_schema"); !looked)
    return std::unexpected(std::move(looked.error()));
  return {};
}

Result<void> SqliteDatabase::set_up_writer() {
  if (Result<void> done = set("PRAGMA page_size=4096"); !done) return done;
  Result<std::string> mode = first_text("PRAGMA journal_mode=WAL");
  if (!mode) return std::unexpected(std::move(mode.error()));
  if (*mode != "wal") {
    return fail(fmt::format(
        "{}: cannot keep a write-ahead log here (journal mode is \"{}\"); use a local file system", path_,
        *mode));
  }
  for (const char* pragma : {"PRAGMA synchronous=FULL", "PRAGMA cache_size=-65536",
                             "PRAGMA secure_delete=OFF", "PRAGMA journal_size_limit=67108864"}) {
    if (Result<void> done = set(pragma); !done) return done;
  }
  checkpoints_.attach(handle_.get(), kBusyMs);
  // SQLite's own RAISE works in triggers only.
  const int code = sqlite3_create_function_v2(
      handle_.get(), "gigawerk_raise", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, nullptr,
      [](sqlite3_context* context, int, sqlite3_value** values) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
        sqlite3_result_error(context, text != nullptr ? text : "", -1);
      },
      nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(error(code, ""));
  return {};
}

Result<std::unique_ptr<Database>> open_sqlite(const std::string& path, const SqliteOptions& options) {
  const SqliteDatabase::Role role =
      options.read_only ? SqliteDatabase::Role::kReader : SqliteDatabase::Role::kWriter;
  if (!options.vfs.empty()) return SqliteDatabase::open(path, options, role, std::nullopt);
  const Result<std::string> resolved = resolve(path);
  if (!resolved) return std::unexpected(resolved.error());
  struct stat status{};
  const bool exists = ::stat(resolved->c_str(), &status) == 0;
  if (!exists && (options.read_only || !options.create))
    return fail(fmt::format("{}: there is no such database; check the path", path));
  if (options.read_only) return SqliteDatabase::open(*resolved, options, role, std::nullopt);
  Result<WriterLock> lock = WriterLock::take(*resolved);
  if (!lock) return std::unexpected(std::move(lock.error()));
  return SqliteDatabase::open(*resolved, options, role, std::move(*lock));
}

}  // namespace gw::sql
