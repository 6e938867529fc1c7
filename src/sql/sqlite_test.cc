// SQLite alone: who may open a file, what its errors say, how its log is kept short.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "sql/database.h"
#include "sql/testing/test_database.h"

namespace gw::sql {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::change;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::number_of;
using testing::rows_of;

constexpr const char* kCount = "SELECT count(*) FROM t";

class Sqlite : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = ::testing::TempDir() + "gigawerk-sqlite-XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = fs::canonical(folder);
    path_ = (folder_ / "factory.db").string();
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] std::unique_ptr<Database> open(const SqliteOptions& options = {}) const {
    Result<std::unique_ptr<Database>> opened = open_sqlite(path_, options);
    if (!opened) ADD_FAILURE() << opened.error().message;
    return std::move(*opened);
  }
  /// With one table.
  [[nodiscard]] std::unique_ptr<Database> make(const SqliteOptions& options = {}) const {
    std::unique_ptr<Database> database = open(options);
    EXPECT_TRUE(database->run("CREATE TABLE t(id BIGINT PRIMARY KEY, s TEXT)").has_value());
    return database;
  }
  static std::string error_of(const std::string& path, const SqliteOptions& options = {}) {
    const Result<std::unique_ptr<Database>> opened = open_sqlite(path, options);
    return opened ? "(opened)" : opened.error().message;
  }
  /// One commit with about `bytes` of new rows.
  static void write(Database& database, std::size_t bytes) {
    const std::string text(1000, 'x');
    ASSERT_TRUE(database.begin().has_value());
    for (std::size_t done = 0; done < bytes; done += text.size()) {
      database.execute({"INSERT INTO t(id, s) VALUES ((SELECT coalesce(max(id), 0) + 1 FROM t), $1)"},
                       std::array<Param, 1>{std::string_view(text)});
    }
    const Result<void> committed = database.commit();
    ASSERT_TRUE(committed.has_value()) << committed.error().message;
  }
  [[nodiscard]] std::uintmax_t log_bytes() const { return fs::file_size(path_ + "-wal"); }

  fs::path folder_;
  std::string path_;
};

TEST_F(Sqlite, IsAsDurableAsItSays) {
  const std::unique_ptr<Database> database = make();
  EXPECT_THAT(*rows_of(*database, "PRAGMA journal_mode"), ElementsAre("wal"));
  EXPECT_THAT(*rows_of(*database, "PRAGMA synchronous"), ElementsAre("2"));
  EXPECT_THAT(*rows_of(*database, "PRAGMA foreign_keys"), ElementsAre("1"));
  EXPECT_EQ(database->name(), path_);
}

TEST_F(Sqlite, OneProcessAtATimeWrites) {
  std::unique_ptr<Database> first = make();
  EXPECT_THAT(error_of(path_),
              AllOf(HasSubstr(path_ + ".lock"), HasSubstr("another process"),
                    HasSubstr(fmt::format("(process {})", ::getpid())), HasSubstr("stop it first")));
  // Also under another name, and for another process.
  fs::create_symlink(path_, folder_ / "other-name.db");
  EXPECT_THAT(error_of((folder_ / "other-name.db").string()), HasSubstr(path_ + ".lock"));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(error_of(path_).find("another process") != std::string::npos ? 7 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  // Who only reads need not wait.
  ASSERT_TRUE(change(*first, "INSERT INTO t(id) VALUES (1)").has_value());
  const std::unique_ptr<Database> reading = open({.read_only = true});
  EXPECT_EQ(number_of(*reading, kCount), 1);
  first.reset();
  const std::unique_ptr<Database> second = open();
  EXPECT_EQ(number_of(*second, kCount), 1);
}

TEST_F(Sqlite, WhatIsCommittedIsThereAfterAKill) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    Result<std::unique_ptr<Database>> opened = open_sqlite(path_);
    if (opened && (*opened)->run("CREATE TABLE t(id BIGINT PRIMARY KEY, s TEXT)") &&
        change(**opened, "INSERT INTO t(id) VALUES (1)") && (*opened)->begin()) {
      (*opened)->execute({"INSERT INTO t(id) VALUES (2)"}, {});
      ::kill(::getpid(), SIGKILL);
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status));
  const std::unique_ptr<Database> database = open();
  EXPECT_EQ(number_of(*database, kCount), 1);
}

TEST_F(Sqlite, ErrorsOfOpeningSayWhatToDo) {
  EXPECT_THAT(error_of(path_, {.create = false}), HasSubstr("there is no such database; check the path"));
  EXPECT_THAT(error_of(path_, {.read_only = true}), HasSubstr("there is no such database; check the path"));
  EXPECT_FALSE(fs::exists(path_ + ".lock"));
  EXPECT_THAT(error_of((folder_ / "no" / "factory.db").string()),
              AllOf(HasSubstr("/no/factory.db"), HasSubstr("folder does not exist; make it first")));
  EXPECT_THAT(error_of(folder_.string()), HasSubstr("is a folder"));
  EXPECT_THAT(error_of(""), HasSubstr("does not exist"));
  std::ofstream(path_) << std::string(5000, 'x');
  EXPECT_THAT(error_of(path_),
              AllOf(HasSubstr(path_), HasSubstr("file is not a database"), HasSubstr("check the path")));
  if (::geteuid() == 0) return;  // Root may write everywhere.
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_THAT(error_of((folder_ / "new.db").string()), HasSubstr("folder must be writable"));
  fs::permissions(folder_, fs::perms::owner_all);
}

TEST_F(Sqlite, ADamagedFileIsNamedAsSuch) {
  make().reset();
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(8192, '\x5a');
  }
  const std::unique_ptr<Database> database = open();
  const auto rows = rows_of(*database, kCount);
  ASSERT_FALSE(rows.has_value());
  EXPECT_THAT(rows.error().message, AllOf(HasSubstr("malformed"), HasSubstr("restore a backup")));
}

TEST_F(Sqlite, AFullDiskIsAnErrorAndNoMore) {
  const std::unique_ptr<Database> database = make();
  ASSERT_TRUE(change(*database, "INSERT INTO t(id) VALUES (1)").has_value());
  ASSERT_TRUE(database->run("PRAGMA max_page_count=20").has_value());
  ASSERT_TRUE(database->begin().has_value());
  const std::string large(200'000, 'x');
  database->execute({"INSERT INTO t(id, s) VALUES (2, $1)"}, std::array<Param, 1>{std::string_view(large)});
  const Result<void> committed = database->commit();
  ASSERT_FALSE(committed.has_value());
  EXPECT_THAT(committed.error().message, HasSubstr("free some space"));
  EXPECT_EQ(number_of(*database, kCount), 1);
  EXPECT_TRUE(change(*database, "INSERT INTO t(id) VALUES (2)").has_value());
}

TEST_F(Sqlite, ASmallCommitIsOneSync) {
  const std::unique_ptr<Database> database = make();
  write(*database, 1000);
  const std::uint64_t before = database->counters().syncs;
  for (int number = 0; number < 50; ++number) write(*database, 1000);
  EXPECT_EQ(database->counters().syncs - before, 50U);
}

TEST_F(Sqlite, TheLogIsKeptShort) {
  const std::unique_ptr<Database> database = make();
  for (int number = 0; number < 100; ++number) write(*database, 400'000);
  EXPECT_LT(log_bytes(), 20'000'000U);
}

TEST_F(Sqlite, AQueryThatHoldsAnOldStateForTooLongIsStopped) {
  const std::unique_ptr<Database> database = make({.wal_bytes_max = 4 << 20});
  write(*database, 100'000);
  const std::unique_ptr<Database> holder = *database->open_reader();
  const std::unique_ptr<Database> quick = *database->open_reader();
  ASSERT_TRUE(holder->begin().has_value());
  EXPECT_EQ(number_of(*holder, kCount), 100);
  const auto grow = [&] {
    for (int number = 0; number < 20; ++number) write(*database, 500'000);
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
  };
  grow();
  EXPECT_GT(log_bytes(), 8'000'000U);
  const auto rows = rows_of(*holder, kCount);
  ASSERT_FALSE(rows.has_value());
  EXPECT_THAT(rows.error().message, AllOf(HasSubstr("old state"), HasSubstr("read less at a time")));
  EXPECT_FALSE(holder->commit().has_value());
  // A query that began after that is let be, and the holder is gone: the log does not grow any more.
  EXPECT_EQ(number_of(*quick, kCount), 100 + 20 * 500);
  write(*database, 500'000);
  const std::uintmax_t before = log_bytes();
  grow();
  EXPECT_LE(log_bytes(), before);

  // The same inside a single query: while its rows are read, and while it looks for the next.
  for (const char* sql :
       {"SELECT id FROM t", "SELECT count(*) FROM t AS a, t AS b, t AS c WHERE a.s <> b.s"}) {
    std::atomic<bool> over = false;
    std::thread writing([&] {
      while (!over) write(*database, 500'000);
    });
    const Result<void> done = holder->query({sql}, {}, [](const Row&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      return true;
    });
    over = true;
    writing.join();
    ASSERT_FALSE(done.has_value()) << sql;
    EXPECT_THAT(done.error().message, HasSubstr("old state")) << sql;
  }
}

TEST_F(Sqlite, ReadersThatOverlapAllTheTimeDoNotMakeTheLogGrow) {
  const std::unique_ptr<Database> database = make();
  write(*database, 100'000);
  std::atomic<bool> over = false;
  std::vector<std::thread> threads;
  for (int number = 0; number < 3; ++number) {
    threads.emplace_back([&, reader = std::shared_ptr<Database>(*database->open_reader())] {
      while (!over) {
        int rows = 0;
        static_cast<void>(reader->query({"SELECT id FROM t"}, {}, [&](const Row&) {
          std::this_thread::sleep_for(std::chrono::microseconds(300));
          return ++rows < 50;
        }));
      }
    });
  }
  for (int number = 0; number < 400; ++number) write(*database, 500'000);
  over = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_LT(log_bytes(), 100'000'000U);  // Of 200 MB that were written.
}

}  // namespace
}  // namespace gw::sql
