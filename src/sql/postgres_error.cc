// Errors of PostgreSQL as messages that a person can act on.
#include "sql/postgres_error.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "sql/sql_text.h"

namespace gw::sql {
namespace {

/// By the beginning of SQLSTATE (PostgreSQL's manual, appendix A).
constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kAdvice = {{
    {"53100", "the database server's disk is full: free some space there"},
    {"53200", "the database server has run out of memory"},
    {"53300", "the server takes no more connections: raise max_connections there"},
    {"25006", "this server only reads (a standby?): connect to the primary"},
    {"42501", "the user lacks that right: GRANT it, or connect as another"},
    {"55P03", "another session keeps a lock for too long: look at pg_stat_activity there"},
    {"57P01", "the server was shut down or an administrator ended the session; the next call connects again"},
    {"25P03", "this process stood still inside the transaction; the next call connects again"},
    {"57P03", "the server is starting or stopping; try again"},
    {"40", "another session was in the way; try again"},
    {"XX", "the database server reports damage: look at its log"},
    {"58", "the database server's disk or files failed: look at its log"},
}};

}  // namespace

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) {
    if (c == '\n' || c == '\t') {
      if (!line.empty() && line.back() != ' ') line.push_back(' ');
    } else {
      line.push_back(c);
    }
  }
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

PostgresFailure postgres_failure(const PGresult* result, const PGconn* connection, const std::string& name,
                                 std::string_view sql) {
  const auto field = [&](int code) -> std::string_view {
    const char* text = PQresultErrorField(result, code);
    return text != nullptr ? text : "";
  };
  PostgresFailure failure;
  const std::string_view state = field(PG_DIAG_SQLSTATE);
  const std::string_view severity = field(PG_DIAG_SEVERITY_NONLOCALIZED);
  failure.answered = !state.empty();
  failure.fatal = severity == "FATAL" || severity == "PANIC";
  // "cached plan must not change result type", and a statement that a pooler has dropped.
  failure.stale = state == "0A000" || state == "26000";
  std::string what = one_line(field(PG_DIAG_MESSAGE_PRIMARY));
  if (const std::string_view detail = field(PG_DIAG_MESSAGE_DETAIL); !detail.empty())
    what += fmt::format(" ({})", one_line(detail));
  if (what.empty()) what = one_line(PQresultErrorMessage(result));
  if (what.empty()) what = one_line(PQerrorMessage(connection));
  std::string advice;
  for (const auto& [beginning, text] : kAdvice) {
    if (!state.starts_with(beginning)) continue;
    advice = fmt::format("; {}", text);
    break;
  }
  const std::string where = sql.empty() ? "" : fmt::format(", in {}", quoted_sql(sql));
  failure.message = fmt::format("{}: {}{}{}", name, what, where, advice);
  return failure;
}

}  // namespace gw::sql
