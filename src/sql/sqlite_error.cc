// Which advice belongs to which code.
#include "sql/sqlite_error.h"

#include <fmt/format.h>

#include <cstring>

#include "sql/sql_text.h"

namespace gw::sql {
namespace {

std::string_view advice(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "; the disk is full or the quota is used up: free some space";
    case SQLITE_IOERR:
      return "; the disk or file system failed: look at the kernel's log (dmesg), and restore a backup if "
             "the "
             "file is damaged";
    case SQLITE_READONLY:
      return "; the database may not be written: check the rights of the file and its folder, and whether "
             "the "
             "file system is mounted read-only";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "; another program has the database locked: close it (sqlite3 shells, copies in progress)";
    case SQLITE_CORRUPT:
      return "; the file is damaged: stop, keep a copy of it, and restore a backup (or try `sqlite3 FILE "
             ".recover`)";
    case SQLITE_NOTADB:
      return "; this is another kind of file: check the path";
    case SQLITE_CANTOPEN:
      return "; check that the folder exists and that its files may be read and written by this user";
    case SQLITE_NOMEM:
      return "; memory ran out";
    default:
      return "";
  }
}

}  // namespace

Error sqlite_error(sqlite3* connection, int code, const std::string& path, std::string_view sql) {
  std::string text = sqlite3_errstr(code);
  // The connection's own words say more, where they are about this error.
  if (connection != nullptr && (sqlite3_errcode(connection) & 0xff) == (code & 0xff))
    text = sqlite3_errmsg(connection);
  const int system = connection != nullptr ? sqlite3_system_errno(connection) : 0;
  const int primary = code & 0xff;
  if (system != 0 && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_FULL))
    text += fmt::format(" ({})", std::strerror(system));
  const std::string where = sql.empty() ? "" : fmt::format(", in {}", quoted_sql(sql));
  return Error{fmt::format("{}: {}{}{}", path, text, where, advice(code))};
}

}  // namespace gw::sql
