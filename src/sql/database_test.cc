// What both drivers must do alike: transactions, errors, readers, threads.
#include "sql/database.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "sql/testing/both_databases.h"

namespace gw::sql {
namespace {

using ::testing::AnyOf;
using testing::change;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::number_of;
using testing::rows_of;

constexpr Statement kInsert{"INSERT INTO t(id, i, r, s, b) VALUES ($1, $2, $3, $4, $5)"};
constexpr Statement kInsertText{"INSERT INTO t(id, s) VALUES ($1, $2)"};

class BothDatabases : public testing::BothDatabases {
 protected:
  void SetUp() override {
    testing::BothDatabases::SetUp();
    if (IsSkipped()) return;
    run("CREATE TABLE t(id BIGINT PRIMARY KEY, i BIGINT, r DOUBLE PRECISION, s TEXT, b BYTEA);"
        "CREATE INDEX t_i ON t(i)");
  }
  void insert(std::int64_t id, std::string_view text) { must_change(kInsertText.sql, {id, text}); }
  std::int64_t count() { return number("SELECT count(*) FROM t"); }
};

GW_BOTH_DATABASES(BothDatabases);

TEST_P(BothDatabases, AQueryInATransactionSeesItsWrites) {
  ASSERT_TRUE(database_->begin().has_value());
  for (std::int64_t id = 0; id < 10; ++id) database_->execute(kInsertText, std::array<Param, 2>{id, "x"});
  EXPECT_EQ(count(), 10);
  database_->execute({"DELETE FROM t WHERE id >= $1"}, std::array<Param, 1>{std::int64_t{4}});
  EXPECT_EQ(count(), 4);
  ASSERT_TRUE(database_->commit().has_value());
  EXPECT_EQ(count(), 4);
}

TEST_P(BothDatabases, RollbackLeavesNothing) {
  insert(1, "kept");
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{2}, "x"});
  database_->rollback();
  database_->rollback();  // Harmless.
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{3}, "x"});
  EXPECT_EQ(count(), 2);
  database_->rollback();
  EXPECT_EQ(count(), 1);
}

TEST_P(BothDatabases, TheFirstErrorComesAtCommitAndUndoesAll) {
  insert(1, "first");
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{2}, "x"});
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{1}, "again"});
  database_->execute({"INSERT INTO no_such_table VALUES (1)"}, {});
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{3}, "x"});
  const Result<void> committed = database_->commit();
  ASSERT_FALSE(committed.has_value());
  EXPECT_THAT(committed.error().message, HasSubstr(database_->name()));
  EXPECT_THAT(committed.error().message, HasSubstr("INSERT INTO t(id, s) VALUES ($1, $2)"));
  EXPECT_THAT(committed.error().message,
              AnyOf(HasSubstr("unique constraint"), HasSubstr("UNIQUE constraint")));
  EXPECT_THAT(committed.error().message, Not(HasSubstr("no_such_table")));
  EXPECT_FALSE(database_->outcome_unknown());
  EXPECT_THAT(*rows_of(*database_, "SELECT s FROM t"), ElementsAre("first"));
  insert(2, "after");
}

TEST_P(BothDatabases, AnErrorIsSeenByALaterQueryAndAtCommit) {
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute({"INSERT INTO t(id, no_such_column) VALUES (1, 2)"}, {});
  const auto rows = rows_of(*database_, "SELECT id FROM t");
  ASSERT_FALSE(rows.has_value());
  EXPECT_THAT(rows.error().message, HasSubstr("no_such_column"));
  const Result<void> committed = database_->commit();
  ASSERT_FALSE(committed.has_value());
  EXPECT_THAT(committed.error().message, HasSubstr("no_such_column"));
  EXPECT_EQ(count(), 0);
}

TEST_P(BothDatabases, AFailedQueryFailsTheCommit) {
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{2}, "x"});
  EXPECT_FALSE(rows_of(*database_, "SELECT nothing FROM nowhere").has_value());
  EXPECT_FALSE(database_->commit().has_value());
  EXPECT_EQ(count(), 0);
  EXPECT_FALSE(rows_of(*database_, "SELECT nothing FROM nowhere").has_value());
  EXPECT_EQ(count(), 0);
}

TEST_P(BothDatabases, AStatementThatFailedAtFirstWorksLater) {
  constexpr Statement kOther{"INSERT INTO other(id) VALUES ($1)"};
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{1}, "x"});
  database_->execute(kOther, std::array<Param, 1>{std::int64_t{1}});
  database_->execute(kInsert, std::array<Param, 5>{std::int64_t{2}, {}, {}, {}, {}});
  EXPECT_FALSE(database_->commit().has_value());
  ASSERT_TRUE(database_->run("CREATE TABLE other(id BIGINT)").has_value());
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{1}, "x"});
  database_->execute(kOther, std::array<Param, 1>{std::int64_t{1}});
  database_->execute(kInsert, std::array<Param, 5>{std::int64_t{2}, {}, {}, {}, {}});
  const Result<void> committed = database_->commit();
  ASSERT_TRUE(committed.has_value()) << committed.error().message;
  EXPECT_EQ(count(), 2);
}

TEST_P(BothDatabases, AQueryStopsWhenItsReaderHasEnough) {
  ASSERT_TRUE(database_->begin().has_value());
  for (std::int64_t id = 0; id < 5000; ++id) database_->execute(kInsertText, std::array<Param, 2>{id, "x"});
  ASSERT_TRUE(database_->commit().has_value());
  int seen = 0;
  ASSERT_TRUE(database_->query({"SELECT id FROM t ORDER BY id"}, {}, [&](const Row&) { return ++seen < 3; }));
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(count(), 5000);
}

TEST_P(BothDatabases, ACallbackThatThrowsLeavesTheDatabaseUsable) {
  for (std::int64_t id = 0; id < 3; ++id) insert(id, "x");
  const auto throwing = [](const Row&) -> bool { throw std::runtime_error("no"); };
  EXPECT_THROW(static_cast<void>(database_->query({"SELECT id FROM t"}, {}, throwing)), std::runtime_error);
  EXPECT_EQ(count(), 3);
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{7}, "x"});
  EXPECT_THROW(static_cast<void>(database_->query({"SELECT id FROM t"}, {}, throwing)), std::runtime_error);
  database_->rollback();
  EXPECT_EQ(count(), 3);
}

TEST_P(BothDatabases, ALargeTransactionGoesThrough) {
  constexpr std::int64_t kRows = 20'000;
  const std::string text(300, 'x');
  ASSERT_TRUE(database_->begin().has_value());
  for (std::int64_t id = 0; id < kRows; ++id)
    database_->execute(kInsertText, std::array<Param, 2>{id, std::string_view(text)});
  const Result<void> committed = database_->commit();
  ASSERT_TRUE(committed.has_value()) << committed.error().message;
  EXPECT_EQ(count(), kRows);
  // An error in the middle of many is found, too, and the connection is as good as before.
  ASSERT_TRUE(database_->begin().has_value());
  for (std::int64_t id = 0; id < kRows; ++id)
    database_->execute(kInsertText, std::array<Param, 2>{kRows + id % 15'000, std::string_view(text)});
  EXPECT_FALSE(database_->commit().has_value());
  EXPECT_EQ(count(), kRows);
  // And where it is rolled back before anyone asked.
  ASSERT_TRUE(database_->begin().has_value());
  for (std::int64_t id = 0; id < 2000; ++id)
    database_->execute(kInsertText, std::array<Param, 2>{id, std::string_view(text)});
  database_->rollback();
  EXPECT_EQ(count(), kRows);
}

TEST_P(BothDatabases, AReaderSeesWhatIsCommittedAndOneStateInATransaction) {
  insert(1, "old");
  const std::unique_ptr<Database> other = reader();
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute({"UPDATE t SET s = 'new'"}, {});
  EXPECT_THAT(*rows_of(*other, "SELECT s FROM t"), ElementsAre("old"));
  ASSERT_TRUE(database_->commit().has_value());
  EXPECT_THAT(*rows_of(*other, "SELECT s FROM t"), ElementsAre("new"));

  ASSERT_TRUE(other->begin().has_value());
  EXPECT_THAT(*rows_of(*other, "SELECT s FROM t"), ElementsAre("new"));
  insert(2, "newer");
  EXPECT_THAT(*rows_of(*other, "SELECT s FROM t"), ElementsAre("new"));
  ASSERT_TRUE(other->commit().has_value());
  EXPECT_THAT(*rows_of(*other, "SELECT s FROM t ORDER BY id"), ElementsAre("new", "newer"));
}

TEST_P(BothDatabases, AReaderCannotWrite) {
  const std::unique_ptr<Database> other = reader();
  ASSERT_TRUE(other->begin().has_value());
  other->execute(kInsertText, std::array<Param, 2>{std::int64_t{1}, "x"});
  EXPECT_FALSE(other->commit().has_value());
  EXPECT_FALSE(other->run("DROP TABLE t").has_value());
  EXPECT_FALSE(rows_of(*other, "INSERT INTO t(id) VALUES (1) RETURNING id").has_value());
  EXPECT_EQ(count(), 0);
}

TEST_P(BothDatabases, RunTakesManyStatementsInsideAndOutsideOfTransactions) {
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{1}, "x"});
  const Result<void> done =
      database_->run("CREATE TABLE a(x BIGINT); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2)");
  ASSERT_TRUE(done.has_value()) << done.error().message;
  EXPECT_EQ(number_of(*database_, "SELECT sum(x) FROM a"), 3);
  database_->rollback();
  EXPECT_FALSE(rows_of(*database_, "SELECT x FROM a").has_value());
  EXPECT_EQ(count(), 0);

  const Result<void> broken = database_->run("SELEC 1");
  ASSERT_FALSE(broken.has_value());
  EXPECT_THAT(broken.error().message, HasSubstr("SELEC 1"));
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{1}, "x"});
  EXPECT_FALSE(database_->run("SELEC 1").has_value());
  EXPECT_FALSE(database_->commit().has_value());
  EXPECT_EQ(count(), 0);
}

TEST_P(BothDatabases, RunMayNotBeginOrEndATransaction) {
  EXPECT_FALSE(database_->run("BEGIN; INSERT INTO t(id) VALUES (1)").has_value());
  EXPECT_EQ(count(), 0);
  ASSERT_TRUE(database_->begin().has_value());
  const Result<void> done = database_->run("INSERT INTO t(id) VALUES (1); ROLLBACK");
  ASSERT_FALSE(done.has_value());
  EXPECT_THAT(done.error().message, HasSubstr("must neither begin nor end a transaction"));
  EXPECT_FALSE(database_->commit().has_value());
  EXPECT_EQ(count(), 0);
  insert(1, "and on");
}

TEST_P(BothDatabases, TablesMayChangeUnderPreparedStatements) {
  insert(1, "x");
  const std::unique_ptr<Database> other = reader();
  constexpr const char* kAll = "SELECT * FROM t";
  EXPECT_EQ(rows_of(*database_, kAll)->at(0), "1|NULL|NULL|x|NULL");
  EXPECT_EQ(rows_of(*other, kAll)->at(0), "1|NULL|NULL|x|NULL");
  ASSERT_TRUE(database_->run("ALTER TABLE t ADD COLUMN more BIGINT DEFAULT 7").has_value());
  EXPECT_EQ(rows_of(*database_, kAll)->at(0), "1|NULL|NULL|x|NULL|7");
  // Another connection may be told once that what it has prepared is old.
  static_cast<void>(rows_of(*other, kAll));
  EXPECT_EQ(rows_of(*other, kAll)->at(0), "1|NULL|NULL|x|NULL|7");
}

TEST_P(BothDatabases, WhatIsCountedIsWhatWasDone) {
  const Counters before = database_->counters();
  insert(1, "a");
  insert(2, "b");
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute(kInsertText, std::array<Param, 2>{std::int64_t{1}, "again"});
  EXPECT_FALSE(database_->commit().has_value());
  EXPECT_EQ(database_->counters().commits - before.commits, 2U);
  EXPECT_EQ(database_->counters().statements - before.statements, 3U);
  EXPECT_EQ(database_->counters().syncs - before.syncs, 2U);
}

TEST_P(BothDatabases, AWriterAndReadersWorkAtTheSameTime) {
  // Each transaction keeps the sum of all rows at zero; a reader must never see another.
  constexpr int kTransactions = 300;
  ASSERT_TRUE(database_->begin().has_value());
  for (std::int64_t id = 0; id < 10; ++id)
    database_->execute({"INSERT INTO t(id, i) VALUES ($1, 0)"}, std::array<Param, 1>{id});
  ASSERT_TRUE(database_->commit().has_value());
  std::atomic<bool> over = false;
  std::atomic<int> looks = 0;
  std::atomic<int> wrong = 0;
  const auto look = [&](Database& other) {
    while (!over || looks < 20) {
      const auto rows = rows_of(other, "SELECT sum(i), count(*) FROM t");
      if (!rows || rows->at(0) != "0|10") ++wrong;
      ++looks;
    }
  };
  const std::unique_ptr<Database> readers[] = {reader(), reader()};
  std::thread first([&] { look(*readers[0]); });
  std::thread second([&] { look(*readers[1]); });
  for (std::int64_t number = 0; number < kTransactions; ++number) {
    EXPECT_TRUE(database_->begin().has_value());
    for (const std::int64_t sign : {1, -1}) {
      database_->execute({"UPDATE t SET i = i + $2 WHERE id = $1"},
                         std::array<Param, 2>{(number + (sign > 0 ? 0 : 3)) % 10, sign * number});
    }
    const Result<void> committed = database_->commit();
    EXPECT_TRUE(committed.has_value()) << committed.error().message;
  }
  over = true;
  first.join();
  second.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(number_of(*database_, "SELECT count(*) FROM t WHERE i <> 0"), 10);
}

}  // namespace
}  // namespace gw::sql
