// Copies of what is in a database: its rows into another database of either kind, or its whole SQLite file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "sql/database.h"

namespace gw::sql {

struct CopyOptions {
  /// 0: all tables in one transaction: the target has all or nothing. Else one for so many rows.
  std::uint64_t rows_per_commit = 0;
};

struct CopiedTable {
  std::string table;
  std::uint64_t rows = 0;
};

/// Copies all rows of `tables`, in that order (tables that others refer to first), from one state of `source`
/// while others go on writing there. The target's tables exist and are empty; columns go by name, and those
/// that only the target has get their defaults. Rows stream: memory does not grow with the tables. A value
/// whose type is not its column's (SQLite allows that) is an Error that names table, column and row.
Result<std::vector<CopiedTable>> copy_tables(Database& source, Database& target,
                                             std::span<const std::string> tables,
                                             const CopyOptions& options = {});

/// Copies a live SQLite database into a new file, as it is at one moment, while others go on writing; checks
/// the copy and gives its size in bytes. The file appears under its name when it is whole and synced; one
/// that is there already is not replaced. The copy needs no log beside it and can be opened like the
/// original. `database` itself is not used but for its name, so any thread may call this while it lives.
Result<std::uint64_t> backup_sqlite(Database& database, const std::string& path);

}  // namespace gw::sql
