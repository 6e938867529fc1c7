// How commands that look into a factory's store by themselves find it.
#pragma once

#include <memory>
#include <string>

#include "cli/app.h"
#include "client/connection.h"
#include "sql/database.h"

namespace gw {

struct StoreAccess {
  std::string data;   ///< Folder of gw serve; empty: its default.
  std::string store;  ///< `postgres://...`; empty: SQLite in the folder.
};

/// Adds --data and --store.
void add_store_options(CLI::App& command, StoreAccess& access);
/// A connection that only reads, also while the server works.
Result<std::unique_ptr<sql::Database>> open_store_reader(const StoreAccess& access);

}  // namespace gw
