// `gw backup`, `restore`, `ledger verify`: a factory's store copied, brought back, and proven exact.
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/store_access.h"
#include "cli/text_table.h"
#include "live/archive.h"
#include "live/sql_store.h"
#include "sql/copy.h"

namespace gw {

Result<std::unique_ptr<sql::Database>> open_store_reader(const StoreAccess& access) {
  if (!access.store.empty()) return sql::open_postgres(access.store);
  // As commands find their server: one's own, or that of the service.
  const std::vector<std::string> folders =
      access.data.empty() ? client::data_folders() : std::vector<std::string>{access.data};
  const auto has_store = [](const std::string& folder) {
    std::error_code ignored;
    return std::filesystem::exists(folder + "/gigawerk.db", ignored);
  };
  const auto found = std::find_if(folders.begin(), folders.end(), has_store);
  if (found == folders.end())
    return fail(
        fmt::format("{}/gigawerk.db: there is no factory's store; say where it is with --data or --store",
                    folders.front()));
  sql::SqliteOptions options;
  options.create = false;
  options.read_only = true;
  return sql::open_sqlite(*found + "/gigawerk.db", options);
}

void add_store_options(CLI::App& command, StoreAccess& access) {
  CLI::Option* data =
      command.add_option("--data", access.data, "Folder of the server (default: that of gw serve)")
          ->type_name("DIR");
  command.add_option("--store", access.store, "Its PostgreSQL database")->type_name("URL")->excludes(data);
}

namespace {

/// A copy of everything but the jobs' output, as an SQLite file, whatever the source is.
Result<ExitCode> backup(const StoreAccess& access, const std::string& file, bool json) {
  Result<std::unique_ptr<sql::Database>> source = open_store_reader(access);
  if (!source) return std::unexpected(source.error());
  if (Result<void> known = live::check_store(**source); !known) return std::unexpected(known.error());
  std::uint64_t rows = 0;
  if ((*source)->dialect() == sql::Dialect::kSqlite) {
    const Result<std::uint64_t> bytes = sql::backup_sqlite(**source, file);
    if (!bytes) return std::unexpected(bytes.error());
  } else {
    std::error_code error;
    if (std::filesystem::exists(file, error))
      return fail(fmt::format("{}: exists already; take another name", file));
    const std::string partial = file + ".partial";
    std::filesystem::remove(partial, error);
    Result<std::unique_ptr<sql::Database>> target = sql::open_sqlite(partial);
    if (!target) return std::unexpected(target.error());
    if (Result<void> made = live::migrate_store(**target); !made) return std::unexpected(made.error());
    const Result<std::vector<sql::CopiedTable>> copied =
        sql::copy_tables(**source, **target, live::store_tables());
    if (!copied) return std::unexpected(copied.error());
    for (const sql::CopiedTable& table : *copied) rows += table.rows;
    // As one file: its log is folded in when the last connection closes.
    target->reset();
    std::filesystem::rename(partial, file, error);
    std::filesystem::remove(partial + ".lock");
    if (error) return fail(fmt::format("{}: {}", file, error.message()));
  }
  if (json) {
    fmt::print("{}\n", json_out({{"file", file}, {"bytes", std::filesystem::file_size(file)}}));
  } else {
    fmt::print("{}: {} bytes; the output of jobs is not in it\n", file,
               with_thousands(std::filesystem::file_size(file)));
  }
  return ExitCode::ok;
}

/// Into an empty place only: what is there is never replaced.
Result<ExitCode> restore(const StoreAccess& access, const std::string& file, bool json) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return fail(fmt::format("{}: there is no such file", file));
  sql::SqliteOptions reading;
  reading.create = false;
  reading.read_only = true;
  Result<std::unique_ptr<sql::Database>> source = sql::open_sqlite(file, reading);
  if (!source) return std::unexpected(source.error());
  if (Result<void> known = live::check_store(**source); !known) return std::unexpected(known.error());
  const std::string folder = access.data.empty() ? client::default_data_folder() : access.data;
  if (access.store.empty()) {
    for (const char* name : {"gigawerk.db", "jobs"}) {
      const std::filesystem::path path = std::filesystem::path(folder) / name;
      if (std::filesystem::exists(path, error))
        return fail(fmt::format("{}: exists already; move it away, or restore into another folder (--data)",
                                path.string()));
    }
    std::filesystem::create_directories(folder, error);
    if (error) return fail(fmt::format("{}: cannot make the folder: {}", folder, error.message()));
  }
  Result<std::unique_ptr<sql::Database>> target =
      access.store.empty() ? sql::open_sqlite(folder + "/gigawerk.db") : sql::open_postgres(access.store);
  if (!target) return std::unexpected(target.error());
  if (Result<void> made = live::migrate_store(**target); !made) return std::unexpected(made.error());
  std::int64_t settings = 0;
  static constexpr sql::Statement kCount{"SELECT COUNT(*) FROM settings"};
  const Result<void> counted = (*target)->query(kCount, {}, [&](const sql::Row& row) {
    settings = row.integer(0);
    return true;
  });
  if (!counted) return std::unexpected(counted.error());
  if (settings > 0)
    return fail(
        fmt::format("{}: holds a factory already; restore into an empty database", (*target)->name()));
  const Result<std::vector<sql::CopiedTable>> copied =
      sql::copy_tables(**source, **target, live::store_tables());
  if (!copied) return std::unexpected(copied.error());
  // What ran when the backup was made has gone on since: no engine may take it for its own.
  std::string after = "UPDATE settings SET value = 'restored' WHERE name = 'engine_id'";
  if ((*target)->dialect() == sql::Dialect::kPostgres)
    after += "; SELECT setval(pg_get_serial_sequence('snapshots', 'id'), (SELECT MAX(id) FROM snapshots))";
  if (Result<void> done = (*target)->run(after); !done) return std::unexpected(done.error());
  std::uint64_t rows = 0;
  for (const sql::CopiedTable& table : *copied) rows += table.rows;
  if (json) {
    fmt::print("{}\n", json_out({{"rows", rows}, {"into", (*target)->name()}}));
  } else {
    fmt::print("{} rows restored into {}; jobs that ran at the time of the backup are held, or lost\n",
               with_thousands(rows), (*target)->name());
  }
  return ExitCode::ok;
}

}  // namespace

void add_backup_commands(CLI::App& app, AppContext& context) {
  for (const bool into : {false, true}) {
    auto access = std::make_shared<StoreAccess>();
    auto file = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    CLI::App* command =
        app.add_subcommand(into ? "restore" : "backup",
                           into ? "Bring a backup into an empty folder or database; the server must not run"
                                : "Copy a factory's store into one file, also while the server works");
    command->group(kGroupOperate);
    command->add_option("FILE", *file, into ? "The backup" : "File to write; it must not exist")
        ->required()
        ->type_name("FILE");
    add_store_options(*command, *access);
    command->add_flag("--json", *json, "Print JSON");
    command->footer(
        into ? "A backup of an SQLite store may be restored into PostgreSQL, and the other way round."
             : "Examples:\n"
               "  gw backup /backup/factory-2026-11-26.db\n"
               "  gw backup factory.db --store postgres://gigawerk@db/gigawerk");
    set_action(*command, context, [access, file, json, into] {
      umask(0077);  // It holds everybody's jobs.
      return into ? restore(*access, *file, *json) : backup(*access, *file, *json);
    });
  }
}

void add_ledger_command(CLI::App& app, AppContext& context) {
  CLI::App* ledger = app.add_subcommand("ledger", "Check the ledger of a factory");
  ledger->group(kGroupOperate);
  ledger->require_subcommand(1);
  auto access = std::make_shared<StoreAccess>();
  auto json = std::make_shared<bool>(false);
  CLI::App* command =
      ledger->add_subcommand("verify", "Prove that accounts equal their transfers and sum to zero");
  add_store_options(*command, *access);
  command->add_flag("--json", *json, "Print JSON");
  set_action(*command, context, [access, json]() -> Result<ExitCode> {
    Result<std::unique_ptr<sql::Database>> database = open_store_reader(*access);
    if (!database) return std::unexpected(database.error());
    const Result<live::LedgerCheck> check = live::Archive(std::move(*database)).check_ledger();
    if (!check) return std::unexpected(check.error());
    if (*json) {
      fmt::print("{}\n", json_out({{"transfers", check->transfers}, {"accounts", check->accounts}}));
    } else {
      fmt::print("the ledger is exact: {} transfers in {} accounts, which sum to zero\n",
                 with_thousands(check->transfers), with_thousands(check->accounts));
    }
    return ExitCode::ok;
  });
}

}  // namespace gw
