// Preparing, binding and reading with SQLite.
#include "sql/sqlite_statement.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>

#include "base/check.h"
#include "sql/sql_text.h"
#include "sql/sqlite_error.h"

namespace gw::sql {

Result<std::unique_ptr<SqliteStatement>> SqliteStatement::prepare(sqlite3* connection,
                                                                  const std::string& path, const char* sql) {
  sqlite3_stmt* made = nullptr;
  const char* rest = nullptr;
  const int code = sqlite3_prepare_v3(connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &made, &rest);
  if (code != SQLITE_OK) return std::unexpected(sqlite_error(connection, code, path, sql));
  std::unique_ptr<SqliteStatement> statement(new SqliteStatement(made));
  if (made == nullptr || std::string_view(rest).find_first_not_of(" \t\r\n;") != std::string_view::npos)
    return fail(fmt::format("{}: not one statement: {}", path, quoted_sql(sql)));
  // `$1` is a name to SQLite, which numbers names as they appear.
  for (int slot = 1; slot <= sqlite3_bind_parameter_count(made); ++slot) {
    const char* name = sqlite3_bind_parameter_name(made, slot);
    const std::string_view digits = name != nullptr && name[0] == '$' ? name + 1 : "";
    std::size_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    constexpr std::size_t kMostParameters = 32'766;
    if (error != std::errc{} || end != digits.data() + digits.size() || number == 0 ||
        number > kMostParameters)
      return fail(fmt::format("{}: parameters are written $1, $2, ..., in {}", path, quoted_sql(sql)));
    if (statement->slots_.size() < number) statement->slots_.resize(number, 0);
    statement->slots_[number - 1] = slot;
  }
  return statement;
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

int SqliteStatement::bind(std::span<const Param> params) {
  GW_CHECK(params.size() == slots_.size());
  for (std::size_t index = 0; index < params.size(); ++index) {
    const int slot = slots_[index];
    if (slot == 0) continue;
    // SQLite takes a null pointer for NULL, whatever the length.
    const auto bytes = [](std::string_view view) { return view.data() != nullptr ? view.data() : ""; };
    int code = SQLITE_OK;
    const Param& param = params[index];
    if (const auto* integer = std::get_if<std::int64_t>(&param)) {
      code = sqlite3_bind_int64(statement_, slot, *integer);
    } else if (const auto* text = std::get_if<std::string_view>(&param)) {
      code = sqlite3_bind_text64(statement_, slot, bytes(*text), text->size(), SQLITE_STATIC, SQLITE_UTF8);
    } else if (const auto* blob = std::get_if<Blob>(&param)) {
      code = sqlite3_bind_blob64(statement_, slot, bytes(blob->bytes), blob->bytes.size(), SQLITE_STATIC);
    } else if (const auto* real = std::get_if<double>(&param)) {
      code = sqlite3_bind_double(statement_, slot, *real);
    } else {
      code = sqlite3_bind_null(statement_, slot);
    }
    if (code != SQLITE_OK) return code;
  }
  return SQLITE_OK;
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_);
  // What was bound is not ours after the call.
  if (!slots_.empty()) sqlite3_clear_bindings(statement_);
}

Result<SqliteStatement*> SqliteStatements::find(sqlite3* connection, const std::string& path,
                                                const char* sql) {
  const auto found = prepared_.find(std::string_view(sql));
  if (found != prepared_.end()) return found->second.get();
  Result<std::unique_ptr<SqliteStatement>> made = SqliteStatement::prepare(connection, path, sql);
  if (!made) return std::unexpected(std::move(made.error()));
  if (prepared_.size() >= kMost) prepared_.clear();
  return prepared_.emplace(sql, std::move(*made)).first->second.get();
}

std::string_view SqliteRow::column_name(int column) const {
  const char* name = sqlite3_column_name(statement_, column);
  return name != nullptr ? name : "";
}

ValueKind SqliteRow::kind(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER:
      return ValueKind::kInteger;
    case SQLITE_FLOAT:
      return ValueKind::kReal;
    case SQLITE_TEXT:
      return ValueKind::kText;
    case SQLITE_BLOB:
      return ValueKind::kBlob;
    default:
      return ValueKind::kNull;
  }
}

std::string_view SqliteRow::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view SqliteRow::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

}  // namespace gw::sql
