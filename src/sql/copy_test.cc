// Copies between databases of every kind, and backups of a file that is being written.
#include "sql/copy.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <tuple>

#include "sql/testing/both_databases.h"

namespace gw::sql {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::change;
using ::testing::Combine;
using ::testing::HasSubstr;
using testing::number_of;
using testing::rows_of;
using ::testing::SizeIs;
using testing::TestDatabase;
using ::testing::Values;

constexpr const char* kTables =
    "CREATE TABLE owner(name TEXT PRIMARY KEY); CREATE TABLE job(id BIGINT PRIMARY KEY, owner TEXT "
    "REFERENCES "
    "owner(name), cost DOUBLE PRECISION, spec BYTEA, \"order\" BIGINT)";
constexpr const char* kAllJobs = "SELECT id, owner, cost, spec, \"order\" FROM job ORDER BY id";
const std::vector<std::string> kNames = {"owner", "job"};

/// From each kind of database into each.
class Copy : public ::testing::TestWithParam<std::tuple<Dialect, Dialect>> {
 protected:
  void SetUp() override {
    for (const Dialect dialect : {std::get<0>(GetParam()), std::get<1>(GetParam())}) {
      if (const std::string missing = TestDatabase::missing(dialect); !missing.empty())
        GTEST_SKIP() << missing;
    }
    from_ = make(std::get<0>(GetParam()), from_database_);
    to_ = make(std::get<1>(GetParam()), to_database_);
  }
  static std::unique_ptr<Database> make(Dialect dialect, std::unique_ptr<TestDatabase>& test) {
    Result<std::unique_ptr<TestDatabase>> made = TestDatabase::make(dialect);
    if (!made) ADD_FAILURE() << made.error().message;
    test = std::move(*made);
    Result<std::unique_ptr<Database>> opened = test->open();
    if (!opened) ADD_FAILURE() << opened.error().message;
    const Result<void> done = (*opened)->run(kTables);
    EXPECT_TRUE(done.has_value()) << done.error().message;
    return std::move(*opened);
  }
  void fill(std::int64_t jobs) {
    ASSERT_TRUE(from_->begin().has_value());
    for (const std::string_view owner : {"ada", "größe", ""})
      from_->execute({"INSERT INTO owner(name) VALUES ($1)"}, std::array<Param, 1>{owner});
    for (std::int64_t id = 0; id < jobs; ++id) {
      const std::string spec(static_cast<std::size_t>(id % 300), static_cast<char>(id));
      std::array<Param, 5> row = {id, std::string_view("ada"), static_cast<double>(id) / 3, Blob{spec}, -id};
      if (id % 5 > 0) row[static_cast<std::size_t>(id % 5)] = std::monostate{};
      from_->execute({"INSERT INTO job(id, owner, cost, spec, \"order\") VALUES ($1, $2, $3, $4, $5)"}, row);
    }
    const Result<void> done = from_->commit();
    ASSERT_TRUE(done.has_value()) << done.error().message;
  }

  std::unique_ptr<TestDatabase> from_database_;
  std::unique_ptr<TestDatabase> to_database_;
  std::unique_ptr<Database> from_;
  std::unique_ptr<Database> to_;
};
INSTANTIATE_TEST_SUITE_P(Sql, Copy,
                         Combine(Values(Dialect::kSqlite, Dialect::kPostgres),
                                 Values(Dialect::kSqlite, Dialect::kPostgres)),
                         [](const auto& test) {
                           return testing::dialect_name(std::get<0>(test.param)) + "To" +
                                  testing::dialect_name(std::get<1>(test.param));
                         });

TEST_P(Copy, AllRowsArriveAsTheyWere) {
  fill(5000);
  for (const std::uint64_t rows_per_commit : {0, 700}) {
    const auto copied = copy_tables(*from_, *to_, kNames, {.rows_per_commit = rows_per_commit});
    ASSERT_TRUE(copied.has_value()) << copied.error().message;
    ASSERT_THAT(*copied, SizeIs(2));
    EXPECT_EQ(copied->at(0).rows, 3U);
    EXPECT_EQ(copied->at(1).table, "job");
    EXPECT_EQ(copied->at(1).rows, 5000U);
    EXPECT_EQ(*rows_of(*to_, kAllJobs), *rows_of(*from_, kAllJobs));
    EXPECT_EQ(*rows_of(*to_, "SELECT name FROM owner ORDER BY name"),
              *rows_of(*from_, "SELECT name FROM owner ORDER BY name"));
    const auto again = copy_tables(*from_, *to_, kNames);
    ASSERT_FALSE(again.has_value());
    EXPECT_THAT(again.error().message, HasSubstr("owner has 3 rows already"));
    ASSERT_TRUE(to_->run("DELETE FROM job; DELETE FROM owner").has_value());
  }
}

TEST_P(Copy, AFailureLeavesTheTargetEmpty) {
  fill(3000);
  // The last row is refused by the target.
  ASSERT_TRUE(to_->run("CREATE UNIQUE INDEX job_order ON job(\"order\")").has_value());
  ASSERT_TRUE(change(*from_, "UPDATE job SET \"order\" = 0 WHERE id = 2990").has_value());
  const auto copied = copy_tables(*from_, *to_, kNames);
  ASSERT_FALSE(copied.has_value());
  EXPECT_THAT(copied.error().message, HasSubstr("job"));
  EXPECT_EQ(number_of(*to_, "SELECT count(*) FROM owner"), 0);
  EXPECT_EQ(number_of(*to_, "SELECT count(*) FROM job"), 0);
}

TEST_P(Copy, ColumnsGoByName) {
  fill(10);
  ASSERT_TRUE(
      to_->run("DROP TABLE job; CREATE TABLE job(spec BYTEA, \"order\" BIGINT, added BIGINT DEFAULT 5, cost "
               "DOUBLE PRECISION, owner TEXT, id BIGINT)")
          .has_value());
  const auto copied = copy_tables(*from_, *to_, kNames);
  ASSERT_TRUE(copied.has_value()) << copied.error().message;
  EXPECT_EQ(*rows_of(*to_, kAllJobs), *rows_of(*from_, kAllJobs));
  EXPECT_EQ(number_of(*to_, "SELECT sum(added) FROM job"), 50);

  ASSERT_TRUE(to_->run("DELETE FROM owner; DELETE FROM job; ALTER TABLE job DROP COLUMN cost").has_value());
  const auto missing = copy_tables(*from_, *to_, kNames);
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().message, HasSubstr("job has no column cost"));
  const std::vector<std::string> nowhere = {"nowhere"};
  const auto none = copy_tables(*from_, *to_, nowhere);
  ASSERT_FALSE(none.has_value());
  EXPECT_THAT(none.error().message, HasSubstr("no table nowhere"));
}

TEST_P(Copy, AValueOfTheWrongTypeIsNamed) {
  if (std::get<0>(GetParam()) != Dialect::kSqlite) GTEST_SKIP() << "PostgreSQL keeps types";
  fill(3);
  ASSERT_TRUE(from_->run("UPDATE job SET cost = 'dear' WHERE id = 1").has_value());
  const auto copied = copy_tables(*from_, *to_, kNames);
  ASSERT_FALSE(copied.has_value());
  EXPECT_THAT(copied.error().message,
              AllOf(HasSubstr("job.cost has a text in row 2"), HasSubstr("a real number is expected")));
}

TEST_P(Copy, IsOfOneStateWhileOthersWrite) {
  // Each transaction adds one row to each table; a copy must have as many of the one as of the other.
  fill(2000);
  // The first table takes a while to copy, in which many transactions end.
  constexpr std::uint64_t kOwners = 10'000;
  ASSERT_TRUE(from_->begin().has_value());
  for (std::uint64_t number = 3; number < kOwners; ++number) {
    const std::string name = fmt::format("early owner {}", number);
    from_->execute({"INSERT INTO owner(name) VALUES ($1)"}, std::array<Param, 1>{std::string_view(name)});
  }
  ASSERT_TRUE(from_->commit().has_value());
  std::atomic<bool> over = false;
  std::atomic<std::int64_t> written = 0;
  std::thread writer([&] {
    for (std::int64_t id = 1'000'000; !over; ++id) {
      const std::string name = fmt::format("owner {}", id);
      ASSERT_TRUE(from_->begin().has_value());
      from_->execute({"INSERT INTO owner(name) VALUES ($1)"}, std::array<Param, 1>{std::string_view(name)});
      from_->execute({"INSERT INTO job(id) VALUES ($1)"}, std::array<Param, 1>{id});
      ASSERT_TRUE(from_->commit().has_value());
      ++written;
    }
  });
  while (written < 5) std::this_thread::yield();
  Result<std::unique_ptr<Database>> source = from_->open_reader();
  const auto copied = copy_tables(**source, *to_, kNames);
  over = true;
  writer.join();
  ASSERT_TRUE(copied.has_value()) << copied.error().message;
  EXPECT_EQ(copied->at(0).rows - kOwners, copied->at(1).rows - 2000);
  EXPECT_GE(copied->at(0).rows, kOwners + 5);
}

class Backup : public testing::BothDatabases {
 protected:
  void SetUp() override {
    testing::BothDatabases::SetUp();
    if (IsSkipped()) return;
    std::string folder = ::testing::TempDir() + "gigawerk-backup-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    run("CREATE TABLE t(id BIGINT PRIMARY KEY, s TEXT)");
  }
  void TearDown() override {
    if (!folder_.empty()) fs::remove_all(folder_);
  }
  fs::path folder_;
};
GW_BOTH_DATABASES(Backup);

TEST_P(Backup, IsOfOneMomentWhileAnotherThreadWrites) {
  if (postgres()) {
    const auto refused = backup_sqlite(*database_, (folder_ / "copy.db").string());
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message, HasSubstr("pg_dump"));
    return;
  }
  // Two rows a transaction, so a copy has an even number; enough of them that copying takes a while.
  const std::string text(1000, 'x');
  const auto add = [&](std::int64_t id) {
    for (const std::int64_t one : {2 * id, 2 * id + 1})
      database_->execute({"INSERT INTO t(id, s) VALUES ($1, $2)"},
                         std::array<Param, 2>{one, std::string_view(text)});
  };
  ASSERT_TRUE(database_->begin().has_value());
  for (std::int64_t id = 0; id < 10'000; ++id) add(id);
  ASSERT_TRUE(database_->commit().has_value());
  std::atomic<bool> over = false;
  std::thread writer([&] {
    for (std::int64_t id = 10'000; !over; ++id) {
      ASSERT_TRUE(database_->begin().has_value());
      add(id);
      ASSERT_TRUE(database_->commit().has_value());
    }
  });
  std::vector<fs::path> copies;
  for (int number = 0; number < 3; ++number) {
    copies.push_back(folder_ / fmt::format("copy-{}.db", number));
    const Result<std::uint64_t> bytes = backup_sqlite(*database_, copies.back().string());
    ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
    EXPECT_EQ(*bytes, fs::file_size(copies.back()));
  }
  over = true;
  writer.join();
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder_)) ++files;
  EXPECT_EQ(files, copies.size());  // Nothing partial, no logs beside them.
  for (const fs::path& path : copies) {
    // As a file at rest: readable where nothing can be written.
    Result<std::unique_ptr<Database>> copy = open_sqlite(path.string(), {.read_only = true});
    ASSERT_TRUE(copy.has_value()) << copy.error().message;
    const std::int64_t rows = number_of(**copy, "SELECT count(*) FROM t");
    EXPECT_GE(rows, 20'000);
    EXPECT_EQ(rows % 2, 0);
    EXPECT_EQ(rows_of(**copy, "PRAGMA journal_mode")->at(0), "delete");
    EXPECT_EQ(rows_of(**copy, "PRAGMA integrity_check")->at(0), "ok");
    copy->reset();
    Result<std::unique_ptr<Database>> restored = open_sqlite(path.string());
    ASSERT_TRUE(restored.has_value()) << restored.error().message;
    EXPECT_TRUE(change(**restored, "INSERT INTO t(id) VALUES (-1)").has_value());
  }
}

TEST_P(Backup, ReplacesNothingAndLeavesNothingHalf) {
  if (postgres()) GTEST_SKIP() << "of SQLite only";
  const fs::path taken = folder_ / "taken";
  std::ofstream(taken) << "mine";
  const auto onto = backup_sqlite(*database_, taken.string());
  ASSERT_FALSE(onto.has_value());
  EXPECT_THAT(onto.error().message, HasSubstr("is there already; choose another name"));
  const auto onto_itself = backup_sqlite(*database_, database_->name());
  EXPECT_FALSE(onto_itself.has_value());
  const auto nowhere = backup_sqlite(*database_, (folder_ / "no" / "copy.db").string());
  ASSERT_FALSE(nowhere.has_value());
  EXPECT_THAT(nowhere.error().message, HasSubstr("choose a folder that exists"));
  // A damaged source: the copy is not published. Its index and table disagree, which only a check can find.
  must_change("INSERT INTO t(id, s) VALUES (1, 'x')");
  run("CREATE INDEX t_s ON t(s)");
  run("PRAGMA writable_schema=ON");
  must_change(
      "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 't') WHERE name "
      "= 't_s'");
  const auto damaged = backup_sqlite(*database_, (folder_ / "copy.db").string());
  ASSERT_FALSE(damaged.has_value());
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder_)) names.push_back(entry.path().filename().string());
  EXPECT_THAT(names, ::testing::ElementsAre("taken"));
}

}  // namespace
}  // namespace gw::sql
