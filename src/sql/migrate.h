// Migrations: how a database's tables come to be what this program expects.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "sql/database.h"

namespace gw::sql {

/// One step. Once released it is never changed: a database remembers its number and name only.
struct Migration {
  std::int64_t version = 0;        ///< 1, 2, 3, ... without gaps.
  std::string_view name;           ///< What it brings, for messages.
  std::string_view sql;            ///< Any number of statements, none of which begins or ends a transaction.
  std::string_view postgres = {};  ///< Instead of `sql` on PostgreSQL, where one text cannot serve both.
};

struct Migrated {
  std::int64_t from = 0;  ///< Version that was found; 0 = an empty database.
  std::int64_t to = 0;
};

/// Brings the database to the last of `migrations`, each in one transaction with the row of `schema_version`
/// that says so: after an error or a crash it stands between two of them. Several processes may try at once.
/// A database that is newer than the program, or was made by another, is left as it is, with an Error.
Result<Migrated> migrate(Database& database, std::span<const Migration> migrations);

/// For readers: an Error unless the database is at the last of `migrations`.
Result<void> check_schema(Database& database, std::span<const Migration> migrations);

}  // namespace gw::sql
