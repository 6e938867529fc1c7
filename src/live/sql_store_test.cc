// How a commit goes about it; what it keeps is tried by the simulation and on real servers.
#include "live/sql_store.h"

#include <gtest/gtest.h>

#include "sql/testing/power_cut_vfs.h"

namespace gw::live {
namespace {

TEST(SqlStore, TheFenceComesLast) {
  const sql::testing::PowerCutVfs disk({.seed = 1});
  Result<std::unique_ptr<sql::Database>> database = sql::open_sqlite("factory.db", {.vfs = disk.name()});
  ASSERT_TRUE(database);
  Result<std::unique_ptr<SqlStore>> store = SqlStore::open(std::move(*database));
  ASSERT_TRUE(store);
  std::int64_t seen = 0;
  // With PostgreSQL it locks the lease's row: held while all is written, that would keep its renewals out.
  (*store)->set_fence([&](sql::Database& writer) {
    EXPECT_TRUE(writer.query({"SELECT COUNT(*) FROM settings"}, {}, [&](const sql::Row& row) {
      seen = row.integer(0);
      return true;
    }));
  });
  Changes changes;
  changes.settings.emplace_back("key", "value");
  ASSERT_TRUE((*store)->commit(changes));
  EXPECT_EQ(seen, 1);
}

}  // namespace
}  // namespace gw::live
