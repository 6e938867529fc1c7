// Reading schema_version and applying what is missing.
#include "sql/migrate.h"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "base/check.h"
#include "sql/sql_text.h"

namespace gw::sql {
namespace {

constexpr Statement kTableOfSqlite{"SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'"};
constexpr Statement kTableOfPostgres{
    "SELECT count(*) FROM information_schema.tables WHERE table_name = 'schema_version' AND table_schema = "
    "current_schema()"};
constexpr Statement kVersions{"SELECT version, name FROM schema_version ORDER BY version"};
constexpr Statement kAdd{"INSERT INTO schema_version(version, name) VALUES ($1, $2)"};
/// Held to the end of the transaction. The number is ours: the first bytes of "gigawerk".
constexpr Statement kLockOfPostgres{"SELECT CAST(pg_advisory_xact_lock(7451613777) AS TEXT)"};

struct Step {
  std::int64_t version = 0;
  std::string name;
};

Result<std::vector<Step>> steps_of(Database& database) {
  std::int64_t tables = 0;
  Result<void> looked = database.query(
      database.dialect() == Dialect::kSqlite ? kTableOfSqlite : kTableOfPostgres, {}, [&](const Row& row) {
        tables = row.integer(0);
        return true;
      });
  std::vector<Step> steps;
  if (looked && tables > 0) {
    looked = database.query(kVersions, {}, [&](const Row& row) {
      steps.push_back({row.integer(0), std::string(row.text(1))});
      return true;
    });
  }
  if (!looked) return std::unexpected(std::move(looked.error()));
  return steps;
}

/// The version that the steps lead to, if they are the beginning of `migrations`.
Result<std::int64_t> version_of(const Database& database, const std::vector<Step>& steps,
                                std::span<const Migration> migrations) {
  const auto known = static_cast<std::int64_t>(migrations.size());
  if (!steps.empty() && steps.back().version > known) {
    return fail(
        fmt::format("{}: the database has schema version {} and this program knows only up to {}: use the "
                    "newer program, or restore a backup from before the update",
                    database.name(), steps.back().version, known));
  }
  for (std::size_t index = 0; index < steps.size(); ++index) {
    const Migration& expected = migrations[index];
    if (steps[index].version == expected.version && steps[index].name == expected.name) continue;
    return fail(fmt::format(
        "{}: its schema version {} is \"{}\" where this program has {} \"{}\": it is the database "
        "of another program; name another one",
        database.name(), steps[index].version, steps[index].name, expected.version, expected.name));
  }
  return static_cast<std::int64_t>(steps.size());
}

Result<std::int64_t> current(Database& database, std::span<const Migration> migrations) {
  const Result<std::vector<Step>> steps = steps_of(database);
  if (!steps) return std::unexpected(steps.error());
  return version_of(database, *steps, migrations);
}

/// Begins a transaction in which no other process migrates.
Result<void> begin_alone(Database& database) {
  if (Result<void> begun = database.begin(); !begun || database.dialect() == Dialect::kSqlite) return begun;
  Result<void> locked = database.query(kLockOfPostgres, {}, [](const Row&) { return true; });
  if (!locked) database.rollback();
  return locked;
}

/// One step, unless another process has been quicker.
Result<void> apply(Database& database, const Migration& migration, std::span<const Migration> migrations) {
  if (Result<void> begun = begin_alone(database); !begun) return begun;
  const Result<std::int64_t> version = current(database, migrations);
  if (!version || *version >= migration.version) {
    database.rollback();
    return version ? Result<void>{} : fail(version.error().message);
  }
  const bool own = database.dialect() == Dialect::kPostgres && !migration.postgres.empty();
  Result<void> done = database.run(std::string(own ? migration.postgres : migration.sql));
  if (done) {
    database.execute(kAdd, std::array<Param, 2>{migration.version, migration.name});
    done = database.commit();
  } else {
    database.rollback();
  }
  if (done) return done;
  return fail(
      fmt::format("{} (while migrating to schema version {}, \"{}\"; the database is as it was before)",
                  done.error().message, migration.version, migration.name));
}

/// A list that is wrong in itself.
Result<void> check(std::span<const Migration> migrations) {
  std::int64_t expected = 1;
  for (const Migration& migration : migrations) {
    GW_CHECK(migration.version == expected && !migration.name.empty());
    ++expected;
    for (const std::string_view sql : {migration.sql, migration.postgres}) {
      const std::string word = transaction_word(sql);
      if (word.empty()) continue;
      return fail(
          fmt::format("migration {} (\"{}\") has a statement that begins with {}: a migration is one "
                      "transaction and may not divide it",
                      migration.version, migration.name, word));
    }
  }
  return {};
}

}  // namespace

Result<Migrated> migrate(Database& database, std::span<const Migration> migrations) {
  if (Result<void> checked = check(migrations); !checked) return std::unexpected(std::move(checked.error()));
  const Result<std::int64_t> found = current(database, migrations);
  if (!found) return std::unexpected(found.error());
  Migrated migrated{*found, static_cast<std::int64_t>(migrations.size())};
  if (migrated.from == migrated.to) return migrated;
  Result<void> done = begin_alone(database);
  if (done) {
    done = database.run(
        "CREATE TABLE IF NOT EXISTS schema_version(version BIGINT PRIMARY KEY, name TEXT NOT NULL)");
    if (done) {
      done = database.commit();
    } else {
      database.rollback();
    }
  }
  for (const Migration& migration : migrations.subspan(static_cast<std::size_t>(migrated.from))) {
    if (done) done = apply(database, migration, migrations);
  }
  if (!done) return std::unexpected(std::move(done.error()));
  return migrated;
}

Result<void> check_schema(Database& database, std::span<const Migration> migrations) {
  const Result<std::int64_t> found = current(database, migrations);
  if (!found) return std::unexpected(found.error());
  const auto wanted = static_cast<std::int64_t>(migrations.size());
  if (*found == wanted) return {};
  return fail(
      fmt::format("{}: the database has schema version {} and this program needs {}: start the server once, "
                  "which brings it there",
                  database.name(), *found, wanted));
}

}  // namespace gw::sql
