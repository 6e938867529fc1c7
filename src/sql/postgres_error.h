// PostgresFailure: what went wrong on a connection to PostgreSQL, and how much is known of it.
#pragma once

#include <libpq-fe.h>

#include <string>
#include <string_view>

namespace gw::sql {

struct PostgresFailure {
  std::string message;    ///< Whole: where, what, in which statement, what to do.
  bool answered = false;  ///< The server has said so; otherwise the connection broke or nothing came.
  bool fatal = false;     ///< The server ended the session with it.
  bool at_commit = false;
  bool stale = false;  ///< What is prepared no longer fits the tables.
};

/// From an error that stands in `result`.
PostgresFailure postgres_failure(const PGresult* result, const PGconn* connection, const std::string& name,
                                 std::string_view sql);

/// libpq's text on one line.
std::string one_line(std::string_view text);

}  // namespace gw::sql
