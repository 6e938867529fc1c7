// What is committed survives, and what is not vanishes whole, however the power goes or the disk fails.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <optional>

#include "base/rng.h"
#include "sql/testing/power_cut_vfs.h"
#include "sql/testing/test_database.h"

namespace gw::sql {
namespace {

using ::testing::HasSubstr;
using testing::PowerCutDisk;
using testing::PowerCutVfs;
using testing::rows_of;

constexpr const char* kPath = "factory.db";
using Content = std::map<std::int64_t, std::string>;
/// What a transaction did to each row: its new text, or none.
using Changes = std::map<std::int64_t, std::optional<std::string>>;

void apply(Content& content, Changes changes) {
  for (auto& [id, text] : changes) {
    if (text) {
      content[id] = std::move(*text);
    } else {
      content.erase(id);
    }
  }
}

/// One table with two indexes, changed by random transactions, and what it must hold.
class Machine {
 public:
  struct Kind {
    bool synchronous = true;
    bool power_safe_overwrite = true;
  };
  explicit Machine(std::uint64_t seed) : Machine(seed, Kind{}) {}
  Machine(std::uint64_t seed, const Kind& kind)
      : rng_(seed), vfs_({.seed = seed, .power_safe_overwrite = kind.power_safe_overwrite}), kind_(kind) {}

  /// Empty, or what went wrong.
  std::string start() {
    Result<std::unique_ptr<Database>> opened = open_sqlite(kPath, {.vfs = vfs_.name()});
    if (!opened) return opened.error().message;
    database_ = std::move(*opened);
    if (!kind_.synchronous && !database_->run("PRAGMA synchronous=OFF")) return "no pragma";
    const Result<void> made = database_->run(
        "BEGIN; CREATE TABLE IF NOT EXISTS t(id BIGINT PRIMARY KEY, s TEXT NOT NULL); CREATE INDEX IF NOT "
        "EXISTS t_s "
        "ON t(s); CREATE INDEX IF NOT EXISTS t_length ON t(length(s), id); COMMIT");
    return made ? "" : made.error().message;
  }
  void stop() { database_.reset(); }

  /// A few statements, now and then many; large values now and then. False once something fails.
  bool transact() {
    Changes changes;
    if (!database_->begin()) return false;
    const std::uint64_t statements = rng_.chance(0.03) ? 400 : 1 + rng_.below(6);
    for (std::uint64_t number = 0; number < statements; ++number) {
      const std::int64_t id = rng_.between(0, 300);
      if (rng_.chance(0.25)) {
        database_->execute({"DELETE FROM t WHERE id = $1"}, std::array<Param, 1>{id});
        changes[id] = std::nullopt;
      } else {
        std::string text(rng_.below(rng_.chance(0.05) ? 20'000 : 200),
                         static_cast<char>('a' + rng_.below(26)));
        text += fmt::format(" {}", rng_.next());
        database_->execute(
            {"INSERT INTO t(id, s) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET s = excluded.s"},
            std::array<Param, 2>{id, std::string_view(text)});
        changes[id] = std::move(text);
      }
    }
    if (rng_.chance(0.05)) {
      database_->rollback();
      return true;
    }
    const Result<void> committed = database_->commit();
    if (committed) {
      apply(content_, std::move(changes));
      uncertain_.clear();  // Written over.
      ++commits_;
      return true;
    }
    error_ = committed.error().message;
    // Only commits whose outcome is called unknown may come back after all.
    if (database_->outcome_unknown()) {
      apply(uncertain_.emplace_back(content_), std::move(changes));
    }
    return false;
  }

  /// Empty, or how the database differs from what it must hold.
  std::string difference(bool may_be_uncertain) {
    const auto check = rows_of(*database_, "PRAGMA integrity_check");
    if (!check) return check.error().message;
    if (check->at(0) != "ok") return "damaged: " + check->at(0);
    Content found;
    const Result<void> read = database_->query({"SELECT id, s FROM t"}, {}, [&](const Row& row) {
      found[row.integer(0)] = row.text(1);
      return true;
    });
    if (!read) return read.error().message;
    if (may_be_uncertain && found != content_ && std::ranges::find(uncertain_, found) != uncertain_.end()) {
      content_ = found;
      ++came_through_;
    }
    uncertain_.clear();
    if (found == content_) return {};
    return fmt::format("{} rows instead of {}", found.size(), content_.size());
  }

  Rng& rng() { return rng_; }
  PowerCutVfs& vfs() { return vfs_; }
  Database& database() { return *database_; }
  [[nodiscard]] int commits() const { return commits_; }
  [[nodiscard]] int came_through() const { return came_through_; }
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  Rng rng_;
  PowerCutVfs vfs_;
  Kind kind_;
  std::unique_ptr<Database> database_;
  Content content_;
  std::vector<Content> uncertain_;
  int commits_ = 0;
  int came_through_ = 0;
  std::string error_;
};

/// The long ones, in parts of ten machines each. GW_SEED runs a single seed.
class PowerCuts : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  static std::vector<std::uint64_t> seeds() {
    if (const char* one = std::getenv("GW_SEED"); one != nullptr) return {std::strtoull(one, nullptr, 10)};
    std::vector<std::uint64_t> all(10);
    std::iota(all.begin(), all.end(), 10 * GetParam() + 1);
    return all;
  }
};
INSTANTIATE_TEST_SUITE_P(Sql, PowerCuts, ::testing::Range(std::uint64_t{0}, std::uint64_t{6}));

/// The power goes at a random operation, also while the database is opened for the first time or again.
TEST_P(PowerCuts, CommittedTransactionsSurviveAndOthersVanishWhole) {
  constexpr int kCutsPerMachine = 40;
  int cuts = 0;
  int commits = 0;
  int came_through = 0;
  for (const std::uint64_t seed : seeds()) {
    Machine machine(seed, {.power_safe_overwrite = seed % 3 != 0});
    for (int cut = 0; cut < kCutsPerMachine; ++cut, ++cuts) {
      // Mostly soon, now and then after a checkpoint or two.
      const std::uint64_t most = machine.rng().chance(0.1) ? 6000 : 80;
      machine.vfs().stop_after(1 + machine.rng().below(most));
      if (machine.start().empty()) {
        while (machine.transact()) {
        }
      }
      ASSERT_TRUE(machine.vfs().failed()) << "seed " << seed << ": " << machine.error();
      machine.stop();
      machine.vfs().cut_power(machine.rng());
      ASSERT_EQ(machine.start(), "") << "seed " << seed << ", cut " << cut;
      ASSERT_EQ(machine.difference(true), "") << "seed " << seed << ", cut " << cut;
      machine.stop();
    }
    commits += machine.commits();
    came_through += machine.came_through();
  }
  // The test is worth something only if there was much to lose, and if cuts fell into commits, too.
  EXPECT_GT(commits, cuts);
  EXPECT_GT(came_through, 0);
  RecordProperty("cuts", cuts);
  RecordProperty("commits", commits);
}

/// The same without syncs: the disk must be seen to lose transactions, or it proves nothing above.
TEST(PowerCut, WithoutSyncsCommittedTransactionsAreLost) {
  int cuts = 0;
  int lost = 0;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    Machine machine(seed, {.synchronous = false});
    ASSERT_EQ(machine.start(), "");
    for (int number = 0; number < 20; ++number) ASSERT_TRUE(machine.transact()) << machine.error();
    machine.vfs().stop_after(1);
    machine.stop();
    machine.vfs().cut_power(machine.rng());
    ++cuts;
    if (!machine.start().empty() || !machine.difference(false).empty()) ++lost;
    machine.stop();
  }
  EXPECT_GT(lost, cuts / 2);
}

/// And with syncs, but a disk that drops all that was not synced: nothing is missing after any commit.
TEST(PowerCut, EveryCommitIsDurableWhenItReturns) {
  Machine machine(7);
  ASSERT_EQ(machine.start(), "");
  for (int number = 0; number < 200; ++number) {
    ASSERT_TRUE(machine.transact()) << machine.error();
    machine.vfs().stop_after(1);
    machine.stop();
    machine.vfs().cut_power(machine.rng(), PowerCutDisk::Cut::kDropAll);
    ASSERT_EQ(machine.start(), "");
    ASSERT_EQ(machine.difference(false), "") << number;
  }
}

/// A write or sync fails, once or for a while; the program goes on, and then the power goes. The disk is one
/// on which torn writes harm nothing beside them, as SQLite takes Linux's to be. On others it fills the log
/// to a sector's end with copies of the last frame, and then this test finds both that a refused commit is
/// kept and that one is lost.
TEST_P(PowerCuts, AFailingDiskLosesNothingThatWasCommitted) {
  int failures = 0;
  for (const std::uint64_t seed : seeds()) {
    Machine machine(seed);
    ASSERT_EQ(machine.start(), "");
    for (int round = 0; round < 20; ++round) {
      const auto failure =
          machine.rng().chance(0.5) ? PowerCutVfs::Failure::kDiskFull : PowerCutVfs::Failure::kIoError;
      const std::uint64_t most = machine.rng().chance(0.3) ? 4000 : 60;
      machine.vfs().fail_after(1 + machine.rng().below(most), failure, machine.rng().chance(0.3));
      bool failed = false;
      for (int number = 0; number < 1000 && !machine.vfs().failed(); ++number)
        failed = !machine.transact() || failed;
      for (int number = 0; number < 3; ++number) failed = !machine.transact() || failed;
      failures += failed ? 1 : 0;
      machine.vfs().clear_failures();
      // Half of the time the disk is well again and the program goes on, else the power goes at once.
      const std::uint64_t more = machine.rng().below(2) * machine.rng().below(5);
      for (std::uint64_t number = 0; number < more; ++number)
        ASSERT_TRUE(machine.transact()) << "seed " << seed << ": " << machine.error();
      if (machine.rng().chance(0.5)) {
        machine.vfs().stop_after(1);
        machine.stop();
        machine.vfs().cut_power(machine.rng());
        ASSERT_EQ(machine.start(), "") << "seed " << seed << ", round " << round;
        ASSERT_EQ(machine.difference(true), "") << "seed " << seed << ", round " << round;
      } else if (more > 0) {
        ASSERT_EQ(machine.difference(false), "") << "seed " << seed << ", round " << round;
      }
    }
    machine.stop();
  }
  EXPECT_GT(failures, 50);
}

TEST(PowerCut, AFullDiskIsAnErrorThatSaysWhatToDo) {
  Machine machine(1);
  ASSERT_EQ(machine.start(), "");
  machine.vfs().fail_after(1, PowerCutVfs::Failure::kDiskFull, true);
  while (machine.transact()) {
  }
  EXPECT_THAT(machine.error(), HasSubstr("factory.db: "));
  EXPECT_THAT(machine.error(), HasSubstr("free some space"));
  EXPECT_FALSE(machine.database().outcome_unknown());
  machine.vfs().clear_failures();
  EXPECT_EQ(machine.difference(false), "");
  for (int number = 0; number < 10; ++number) EXPECT_TRUE(machine.transact());
  EXPECT_EQ(machine.difference(false), "");
}

TEST(PowerCut, AFailedSyncIsOfUnknownOutcome) {
  Machine machine(2);
  ASSERT_EQ(machine.start(), "");
  while (!machine.transact() || machine.commits() < 3) {
  }
  int unknown = 0;
  for (std::uint64_t after = 1; after < 20; ++after) {
    machine.vfs().fail_after(after, PowerCutVfs::Failure::kIoError);
    while (machine.transact() && !machine.vfs().failed()) {
    }
    if (machine.database().outcome_unknown()) {
      ++unknown;
      EXPECT_THAT(machine.error(), HasSubstr("shows after a restart"));
    }
    EXPECT_THAT(machine.error(), HasSubstr("disk"));
    machine.vfs().clear_failures();
  }
  EXPECT_GT(unknown, 0);
}

/// Connections share locks and the write-ahead log's index as on a real disk.
TEST(PowerCut, ReadersWorkBesideTheWriter) {
  PowerCutVfs vfs;
  Result<std::unique_ptr<Database>> writer = open_sqlite(kPath, {.vfs = vfs.name()});
  ASSERT_TRUE(writer.has_value()) << writer.error().message;
  ASSERT_TRUE((*writer)->run("CREATE TABLE t(id BIGINT)").has_value());
  Result<std::unique_ptr<Database>> reader = (*writer)->open_reader();
  ASSERT_TRUE(reader.has_value()) << reader.error().message;
  ASSERT_TRUE((*reader)->begin().has_value());
  EXPECT_EQ(testing::number_of(**reader, "SELECT count(*) FROM t"), 0);
  ASSERT_TRUE(testing::change(**writer, "INSERT INTO t VALUES (1)").has_value());
  EXPECT_EQ(testing::number_of(**reader, "SELECT count(*) FROM t"), 0);
  ASSERT_TRUE((*reader)->commit().has_value());
  EXPECT_EQ(testing::number_of(**reader, "SELECT count(*) FROM t"), 1);
  EXPECT_GT((*writer)->counters().syncs, 0U);
}

}  // namespace
}  // namespace gw::sql
