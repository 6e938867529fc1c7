// Errors of SQLite as messages that a person can act on.
#pragma once

#include <sqlite3.h>

#include <string>
#include <string_view>

#include "base/result.h"

namespace gw::sql {

/// Of the last call on `connection`, which gave `code`. `sql` is the statement, or empty.
Error sqlite_error(sqlite3* connection, int code, const std::string& path, std::string_view sql);

}  // namespace gw::sql
