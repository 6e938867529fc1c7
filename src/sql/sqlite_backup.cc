// SQLite's online backup into a partial file, which is checked, synced and given its name.
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "sql/copy.h"
#include "sql/sqlite_database.h"
#include "sql/sqlite_error.h"

namespace gw::sql {
namespace {

namespace fs = std::filesystem;

std::string reason() { return std::strerror(errno); }

/// A file of a name that no other has; removed unless it has been published.
class PartialFile {
 public:
  static Result<PartialFile> make(const std::string& path) {
    constexpr int kTries = 1000;
    for (int number = 0; number < kTries; ++number) {
      PartialFile file(fmt::format("{}.{}-{}.partial", path, ::getpid(), number));
      // Like the database, it is for its owner to share.
      const int descriptor = ::open(file.name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
      if (descriptor >= 0) {
        ::close(descriptor);
        return file;
      }
      file.name_.clear();
      if (errno != EEXIST) break;
    }
    return fail(fmt::format("{}: cannot write: {}; choose a folder that exists and that you may write to",
                            path, reason()));
  }
  PartialFile(PartialFile&& other) noexcept : name_(std::exchange(other.name_, {})) {}
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  [[nodiscard]] const std::string& name() const { return name_; }

  /// Syncs it, then gives it its name, unless that is taken, and syncs the folder.
  Result<void> publish(const std::string& path) {
    const fs::path folder = fs::path(path).parent_path();
    if (!sync(name_, O_RDONLY)) return fail(fmt::format("{}: cannot sync: {}", path, reason()));
    // Where the file system cannot rename without replacing, a look before must do.
    if (::renameat2(AT_FDCWD, name_.c_str(), AT_FDCWD, path.c_str(), RENAME_NOREPLACE) != 0) {
      const bool replaced =
          errno == EINVAL && ::access(path.c_str(), F_OK) != 0 && ::rename(name_.c_str(), path.c_str()) == 0;
      if (!replaced)
        return fail(fmt::format("{}: cannot put the finished copy in place: {}", path, reason()));
    }
    name_.clear();
    if (!sync(folder.empty() ? "." : folder.string(), O_RDONLY | O_DIRECTORY))
      return fail(fmt::format("{}: cannot sync its folder: {}", path, reason()));
    return {};
  }

 private:
  explicit PartialFile(std::string name) : name_(std::move(name)) {}
  static bool sync(const std::string& name, int flags) {
    const int descriptor = ::open(name.c_str(), flags | O_CLOEXEC);
    if (descriptor < 0) return false;
    const bool synced = ::fsync(descriptor) == 0;
    ::close(descriptor);
    return synced;
  }
  std::string name_;
};

Result<void> run(sqlite3* connection, const std::string& name, const char* sql) {
  const int code = sqlite3_exec(connection, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return std::unexpected(sqlite_error(connection, code, name, sql));
  return {};
}

/// "ok", or what is wrong with the copy.
Result<std::string> quick_check(sqlite3* connection, const std::string& name) {
  std::string found;
  const int code = sqlite3_exec(
      connection, "PRAGMA quick_check(1)",
      [](void* into, int, char** values, char**) {
        *static_cast<std::string*>(into) = values[0] != nullptr ? values[0] : "";
        return 0;
      },
      &found, nullptr);
  if (code != SQLITE_OK) return std::unexpected(sqlite_error(connection, code, name, "PRAGMA quick_check"));
  return found;
}

Result<void> fill(sqlite3* from, sqlite3* to, const std::string& path) {
  // A journal would be of no use: a copy that is not finished is thrown away.
  for (const char* pragma : {"PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF"}) {
    if (Result<void> done = run(to, path, pragma); !done) return done;
  }
  sqlite3_backup* backup = sqlite3_backup_init(to, "main", from, "main");
  if (backup == nullptr) return std::unexpected(sqlite_error(to, sqlite3_errcode(to), path, ""));
  const int stepped = sqlite3_backup_step(backup, -1);  // All pages, of one state.
  const int finished = sqlite3_backup_finish(backup);
  if (stepped != SQLITE_DONE || finished != SQLITE_OK)
    return std::unexpected(sqlite_error(to, finished != SQLITE_OK ? finished : stepped, path, ""));
  // The copied header asks for a write-ahead log, which a file at rest should not.
  if (Result<void> done = run(to, path, "PRAGMA journal_mode=DELETE"); !done) return done;
  const Result<std::string> checked = quick_check(to, path);
  if (!checked) return std::unexpected(checked.error());
  if (*checked != "ok") {
    return fail(fmt::format("{}: the copy is damaged ({}); check the original with `PRAGMA integrity_check`",
                            path, *checked));
  }
  return {};
}

}  // namespace

Result<std::uint64_t> backup_sqlite(Database& database, const std::string& path) {
  if (database.dialect() != Dialect::kSqlite) {
    return fail(fmt::format("{}: only SQLite databases are copied as a file; use pg_dump, or copy the rows",
                            database.name()));
  }
  std::error_code error;
  if (path.empty() || fs::exists(fs::symlink_status(path, error)))
    return fail(fmt::format("{}: is there already; choose another name for the copy", path));
  Result<std::unique_ptr<Database>> reader = database.open_reader();
  if (!reader) return std::unexpected(std::move(reader.error()));
  Result<PartialFile> partial = PartialFile::make(path);
  if (!partial) return std::unexpected(std::move(partial.error()));
  sqlite3* handle = nullptr;
  const int code =
      sqlite3_open_v2(partial->name().c_str(), &handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, "unix");
  SqliteHandle copy(handle);
  if (code != SQLITE_OK) return std::unexpected(sqlite_error(handle, code, path, ""));
  sqlite3* from = dynamic_cast<SqliteDatabase&>(**reader).handle();
  if (Result<void> filled = fill(from, copy.get(), path); !filled)
    return std::unexpected(std::move(filled.error()));
  copy.reset();
  if (Result<void> published = partial->publish(path); !published)
    return std::unexpected(std::move(published.error()));
  return fs::file_size(path, error);
}

}  // namespace gw::sql
