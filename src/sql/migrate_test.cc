// Migrations: in order, once, whole or not at all, and never backwards.
#include "sql/migrate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/rng.h"
#include "sql/testing/both_databases.h"
#include "sql/testing/power_cut_vfs.h"

namespace gw::sql {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::number_of;
using testing::rows_of;

const std::vector<Migration> kAll = {
    {1, "jobs",
     "CREATE TABLE job(id BIGINT PRIMARY KEY, state TEXT NOT NULL); CREATE INDEX job_state ON job(state)"},
    {2, "owners", "ALTER TABLE job ADD COLUMN owner TEXT; UPDATE job SET owner = 'nobody'"},
    {3, "numbers", "CREATE TABLE number(x BIGINT); INSERT INTO number VALUES (7)",
     "CREATE TABLE number(x BIGINT); INSERT INTO number VALUES (8)"},
};

class Migrate : public testing::BothDatabases {
 protected:
  Result<Migrated> to(std::size_t version) {
    return migrate(*database_, std::span(kAll).subspan(0, version));
  }
};
GW_BOTH_DATABASES(Migrate);

TEST_P(Migrate, AppliesWhatIsMissingInOrderAndOnce) {
  Result<Migrated> done = to(1);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(done->from, 0);
  EXPECT_EQ(done->to, 1);
  run("INSERT INTO job(id, state) VALUES (1, 'queued')");
  done = to(3);
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(done->from, 1);
  EXPECT_THAT(rows("SELECT id, state, owner FROM job"), ElementsAre("1|queued|nobody"));
  EXPECT_EQ(number("SELECT x FROM number"), postgres() ? 8 : 7);
  done = to(3);
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(done->from, 3);
  EXPECT_THAT(rows("SELECT version, name FROM schema_version ORDER BY version"),
              ElementsAre("1|jobs", "2|owners", "3|numbers"));
  EXPECT_EQ(number("SELECT count(*) FROM number"), 1);
}

TEST_P(Migrate, ANewerDatabaseIsLeftAlone) {
  ASSERT_TRUE(to(3).has_value());
  const Result<Migrated> done = to(2);
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message, AllOf(HasSubstr(database_->name()), HasSubstr("schema version 3"),
                                          HasSubstr("only up to 2"), HasSubstr("use the newer program")));
  const Result<void> checked = check_schema(*database_, std::span(kAll).subspan(0, 2));
  ASSERT_FALSE(checked.has_value());
  EXPECT_THAT(checked.error().message, HasSubstr("only up to 2"));
}

TEST_P(Migrate, AReaderSeesWhetherTheSchemaIsItsOwn) {
  const std::unique_ptr<Database> other = reader();
  Result<void> checked = check_schema(*other, kAll);
  ASSERT_FALSE(checked.has_value());
  EXPECT_THAT(checked.error().message, AllOf(HasSubstr("schema version 0"), HasSubstr("needs 3")));
  ASSERT_TRUE(to(3).has_value());
  checked = check_schema(*other, kAll);
  EXPECT_TRUE(checked.has_value()) << checked.error().message;
}

TEST_P(Migrate, AnotherProgramsDatabaseIsRefused) {
  const std::vector<Migration> others = {{1, "recipes", "CREATE TABLE recipe(x BIGINT)"}};
  ASSERT_TRUE(migrate(*database_, others).has_value());
  const Result<Migrated> done = to(3);
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message, AllOf(HasSubstr("\"recipes\""), HasSubstr("another program")));
}

TEST_P(Migrate, AFailedStepLeavesNothingBehind) {
  std::vector<Migration> broken(kAll);
  broken[1].sql = "CREATE TABLE half(x BIGINT); INSERT INTO half VALUES (1); INSERT INTO nowhere VALUES (1)";
  const Result<Migrated> done = migrate(*database_, broken);
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message, AllOf(HasSubstr("nowhere"), HasSubstr("version 2, \"owners\"")));
  EXPECT_THAT(rows("SELECT version FROM schema_version"), ElementsAre("1"));
  EXPECT_FALSE(rows_of(*database_, "SELECT x FROM half").has_value());
  ASSERT_TRUE(to(3).has_value());
}

TEST_P(Migrate, AStepMayNotDivideItsTransaction) {
  std::vector<Migration> broken(kAll);
  broken[1].sql = "CREATE TABLE half(x BIGINT); COMMIT; INSERT INTO nowhere VALUES (1)";
  const Result<Migrated> done = migrate(*database_, broken);
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message, AllOf(HasSubstr("migration 2"), HasSubstr("COMMIT")));
  EXPECT_FALSE(rows_of(*database_, "SELECT version FROM schema_version").has_value());
}

TEST_P(Migrate, SeveralServersAtOnceAgree) {
  if (!postgres()) GTEST_SKIP() << "SQLite has one writer";
  constexpr int kServers = 4;
  std::vector<Result<Migrated>> results(kServers, fail("did not run"));
  std::vector<std::unique_ptr<Database>> databases;
  for (int number = 0; number < kServers; ++number) databases.push_back(open());
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < kServers; ++number)
    threads.emplace_back([&, number] { results[number] = migrate(*databases[number], kAll); });
  for (std::thread& thread : threads) thread.join();
  for (const Result<Migrated>& result : results) EXPECT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(number("SELECT count(*) FROM number"), 1);
}

/// Whenever the power goes, the database stands between two steps, with all that the first ones did.
TEST(MigrateAndPowerCut, NoStepIsHalfDone) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Rng rng(seed);
    testing::PowerCutVfs vfs({.seed = seed});
    const auto opened = [&] { return open_sqlite("factory.db", {.vfs = vfs.name()}); };
    vfs.stop_after(1 + seed % 50);
    if (Result<std::unique_ptr<Database>> database = opened(); database)
      static_cast<void>(migrate(**database, kAll));
    vfs.cut_power(rng);
    Result<std::unique_ptr<Database>> database = opened();
    ASSERT_TRUE(database.has_value()) << "seed " << seed << ": " << database.error().message;
    const std::int64_t tables = number_of(
        **database, "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('job', 'number')");
    const std::int64_t versions =
        number_of(**database, "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'") == 0
            ? 0
            : number_of(**database, "SELECT count(*) FROM schema_version");
    EXPECT_EQ(tables, versions == 0 ? 0 : versions == 3 ? 2 : 1) << "seed " << seed;
    const Result<Migrated> done = migrate(**database, kAll);
    ASSERT_TRUE(done.has_value()) << "seed " << seed << ": " << done.error().message;
    EXPECT_EQ(done->from, versions);
    EXPECT_EQ(number_of(**database, "SELECT count(*) FROM number"), 1);
  }
}

}  // namespace
}  // namespace gw::sql
