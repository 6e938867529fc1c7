// Leases: who holds them, for how long, and that a superseded holder cannot write.
#include "sql/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "sql/testing/both_databases.h"

namespace gw::sql {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::number_of;

constexpr Nanoseconds kLong{60'000'000'000};
constexpr Nanoseconds kShort{100'000'000};

void outlast(Nanoseconds span) {
  std::this_thread::sleep_for(std::chrono::nanoseconds(span.count() * 3 / 2));
}

class Leases : public testing::BothDatabases {
 protected:
  void SetUp() override {
    testing::BothDatabases::SetUp();
    if (IsSkipped()) return;
    run(kLeaseTable);
    run("CREATE TABLE t(id BIGINT PRIMARY KEY)");
    if (postgres()) second_ = open();
  }
  /// The other process's connection; SQLite has one for both.
  Database& second() { return second_ != nullptr ? *second_ : *database_; }

  static LeaseState value(const Result<LeaseState>& state) {
    if (!state) ADD_FAILURE() << state.error().message;
    return state.value_or(LeaseState{});
  }
  /// A transaction of a holder.
  static Result<void> write(Database& database, const Lease& lease, std::int64_t id) {
    if (Result<void> begun = database.begin(); !begun) return begun;
    database.execute({"INSERT INTO t(id) VALUES ($1)"}, std::array<Param, 1>{id});
    lease.fence(database);
    return database.commit();
  }

  std::unique_ptr<Database> second_;
};
GW_BOTH_DATABASES(Leases);

TEST_P(Leases, OneHolderAtATime) {
  Lease ours("leader");
  Lease theirs("leader");
  LeaseState state = value(ours.acquire(*database_, "a", kLong));
  EXPECT_TRUE(state.held);
  EXPECT_EQ(state.epoch, 1);
  EXPECT_GT(state.left, Nanoseconds{50'000'000'000});
  EXPECT_LE(state.left, kLong);
  state = value(theirs.acquire(second(), "b", kLong));
  EXPECT_FALSE(state.held);
  EXPECT_EQ(state.holder, "a");
  EXPECT_EQ(state.epoch, 1);
  // Its own, again: nothing changes but the time.
  state = value(ours.acquire(*database_, "a", kLong));
  EXPECT_TRUE(state.held);
  EXPECT_EQ(state.epoch, 1);
  // Leases of other names are others.
  Lease other("backup");
  EXPECT_TRUE(value(other.acquire(second(), "b", kLong)).held);
  EXPECT_FALSE(value(theirs.renew(second(), kLong)).held);
}

TEST_P(Leases, AnExpiredLeaseIsTakenAndItsHolderFencedOut) {
  Lease ours("leader");
  Lease theirs("leader");
  EXPECT_TRUE(value(ours.acquire(*database_, "a", kShort)).held);
  EXPECT_TRUE(write(*database_, ours, 1).has_value());
  EXPECT_FALSE(value(theirs.acquire(second(), "b", kLong)).held);
  outlast(kShort);
  // Expired but not taken: it may go on, as nobody else has written.
  EXPECT_TRUE(write(*database_, ours, 2).has_value());
  const LeaseState taken = value(theirs.acquire(second(), "b", kLong));
  EXPECT_TRUE(taken.held);
  EXPECT_EQ(taken.epoch, 2);
  const Result<void> late = write(*database_, ours, 3);
  ASSERT_FALSE(late.has_value());
  EXPECT_THAT(late.error().message, AllOf(HasSubstr("the lease leader was taken over"),
                                          HasSubstr("this process must not write any more")));
  EXPECT_FALSE(database_->outcome_unknown());
  EXPECT_FALSE(value(ours.renew(*database_, kLong)).held);
  EXPECT_TRUE(ours.release(*database_).has_value());  // Not its to release.
  EXPECT_TRUE(write(second(), theirs, 4).has_value());
  EXPECT_THAT(rows("SELECT id FROM t ORDER BY id"), ElementsAre("1", "2", "4"));
}

TEST_P(Leases, AHolderThatStopsInsideATransactionCannotCommitAfterTheTakeOver) {
  if (!postgres()) GTEST_SKIP() << "SQLite has one writer";
  Lease ours("leader");
  Lease theirs("leader");
  EXPECT_TRUE(value(ours.acquire(*database_, "a", kShort)).held);
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute({"INSERT INTO t(id) VALUES ($1)"}, std::array<Param, 1>{std::int64_t{1}});
  EXPECT_EQ(number("SELECT count(*) FROM t"), 1);  // Sent, not only queued.
  outlast(kShort);
  EXPECT_TRUE(value(theirs.acquire(second(), "b", kLong)).held);
  EXPECT_TRUE(write(second(), theirs, 7).has_value());
  ours.fence(*database_);
  const Result<void> late = database_->commit();
  ASSERT_FALSE(late.has_value());
  EXPECT_THAT(late.error().message, HasSubstr("was taken over"));
  EXPECT_THAT(rows("SELECT id FROM t"), ElementsAre("7"));
}

TEST_P(Leases, ATakerWaitsForACommitUnderWay) {
  if (!postgres()) GTEST_SKIP() << "SQLite has one writer";
  Lease ours("leader");
  Lease theirs("leader");
  EXPECT_TRUE(value(ours.acquire(*database_, "a", kShort)).held);
  ASSERT_TRUE(database_->begin().has_value());
  database_->execute({"INSERT INTO t(id) VALUES ($1)"}, std::array<Param, 1>{std::int64_t{1}});
  ours.fence(*database_);
  EXPECT_EQ(number("SELECT count(*) FROM t"), 1);
  outlast(kShort);
  std::atomic<bool> took = false;
  std::thread taker([&] {
    EXPECT_TRUE(value(theirs.acquire(second(), "b", kLong)).held);
    took = true;
    EXPECT_EQ(number_of(second(), "SELECT count(*) FROM t"), 1);  // What was fenced in is there.
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_FALSE(took);
  const Result<void> committed = database_->commit();
  EXPECT_TRUE(committed.has_value()) << committed.error().message;
  taker.join();
  EXPECT_FALSE(write(*database_, ours, 2).has_value());
}

TEST_P(Leases, AHolderThatSleepsOverItsFenceDoesNotBlockOthersForEver) {
  if (!postgres()) GTEST_SKIP() << "SQLite has one writer";
  Result<std::unique_ptr<Database>> sleeper = open_postgres(test_->where(), {.idle_transaction_seconds = 1});
  ASSERT_TRUE(sleeper.has_value());
  Lease ours("leader");
  Lease theirs("leader");
  EXPECT_TRUE(value(ours.acquire(**sleeper, "a", kShort)).held);
  ASSERT_TRUE((*sleeper)->begin().has_value());
  (*sleeper)->execute({"INSERT INTO t(id) VALUES ($1)"}, std::array<Param, 1>{std::int64_t{1}});
  ours.fence(**sleeper);
  EXPECT_EQ(number_of(**sleeper, "SELECT count(*) FROM t"), 1);
  outlast(kShort);
  EXPECT_TRUE(value(theirs.acquire(second(), "b", kLong)).held);
  EXPECT_FALSE((*sleeper)->commit().has_value());
  EXPECT_EQ(number("SELECT count(*) FROM t"), 0);
}

TEST_P(Leases, AReleasedLeaseIsFreeAtOnceAndItsEpochGrows) {
  Lease ours("leader");
  Lease theirs("leader");
  EXPECT_TRUE(value(ours.acquire(*database_, "a", kLong)).held);
  EXPECT_TRUE(ours.release(*database_).has_value());
  EXPECT_FALSE(write(*database_, ours, 1).has_value());
  EXPECT_TRUE(value(ours.acquire(*database_, "a", kLong)).held);
  EXPECT_EQ(ours.epoch(), 2);
  EXPECT_TRUE(ours.release(*database_).has_value());
  EXPECT_EQ(value(theirs.acquire(second(), "b", kLong)).epoch, 3);
}

TEST_P(Leases, RenewingKeepsOthersOut) {
  Lease ours("leader");
  Lease theirs("leader");
  EXPECT_TRUE(value(ours.acquire(*database_, "a", kShort)).held);
  EXPECT_TRUE(value(ours.renew(*database_, kLong)).held);
  outlast(kShort);
  EXPECT_FALSE(value(theirs.acquire(second(), "b", kLong)).held);
}

TEST_P(Leases, WithoutARowNobodyWrites) {
  Lease ours("leader");
  EXPECT_FALSE(write(*database_, ours, 1).has_value());
  EXPECT_TRUE(value(ours.acquire(*database_, "a", kLong)).held);
  run("DELETE FROM lease");  // As after a restored backup.
  EXPECT_FALSE(write(*database_, ours, 1).has_value());
  EXPECT_EQ(number("SELECT count(*) FROM t"), 0);
}

TEST_P(Leases, OfManyTakersOneWins) {
  if (!postgres()) GTEST_SKIP() << "SQLite has one writer";
  constexpr int kTakers = 6;
  std::vector<std::unique_ptr<Database>> databases;
  for (int number = 0; number < kTakers; ++number) databases.push_back(open());
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> winners = 0;
    std::vector<std::thread> threads;
    for (std::size_t number = 0; number < kTakers; ++number) {
      threads.emplace_back([&, number] {
        Lease lease("round " + std::to_string(round));
        if (value(lease.acquire(*databases[number], std::to_string(number), kLong)).held) ++winners;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(winners, 1);
  }
}

}  // namespace
}  // namespace gw::sql
