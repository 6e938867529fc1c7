// `gw ledger`: what can be proven about a factory's store while it runs, or when it does not.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/store_access.h"
#include "cli/text_table.h"
#include "live/archive.h"
#include "live/sql_store.h"

namespace gw {

Result<std::unique_ptr<sql::Database>> open_store_reader(const StoreAccess& access) {
  if (!access.store.empty()) return sql::open_postgres(access.store);
  const std::string folder = access.data.empty() ? client::default_data_folder() : access.data;
  const std::string path = folder + "/gigawerk.db";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    return fail(fmt::format("{}: there is no factory's store; say where it is with --data or --store", path));
  sql::SqliteOptions options;
  options.create = false;
  options.read_only = true;
  return sql::open_sqlite(path, options);
}

void add_store_options(CLI::App& command, StoreAccess& access) {
  CLI::Option* data =
      command.add_option("--data", access.data, "Folder of the server (default: that of gw serve)")
          ->type_name("DIR");
  command.add_option("--store", access.store, "Its PostgreSQL database")->type_name("URL")->excludes(data);
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
