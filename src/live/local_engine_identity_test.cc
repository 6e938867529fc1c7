// A number that is used again, since a database went back to an older state, never leads to another job's
// run.
#include <fstream>

#include "live/local_engine_attempts.h"
#include "live/local_engine_test_case.h"

namespace gw::live {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LocalEngineIdentityTest : public LocalEngineTestCase {
 protected:
  static Launch job(std::uint64_t identity, const std::string& text) {
    Launch launch = launch_of(shell(text));
    launch.identity = identity;
    return launch;
  }
  void open_again() {
    engine_.reset();
    started_.clear();
    ended_.clear();
    all_.clear();
    open_engine();
  }
  [[nodiscard]] std::string read_as(std::uint64_t identity) const {
    const Result<OutputPart> part = read_output(folder_of(), OutputStream::kOutput, 0, 1000, identity);
    return part ? part->bytes + (part->ended ? "(end)" : "") : part.error().message;
  }
  [[nodiscard]] fs::path aside(int number) const { return set_aside_attempt(folder_of(), number); }
};

TEST_F(LocalEngineIdentityTest, AnOldEndIsNotTheNewJobs) {
  EXPECT_EQ(run(job(5, "echo old; exit 3")).identity, 5U);
  engine_->forget({1, 1});
  EXPECT_EQ(read_as(5), "old\n(end)");
  EXPECT_EQ(read_as(6), "");  // It has not started.
  for (const std::uint64_t identity : {6, 7}) {
    open_again();
    engine_->recover({});
    const Report report = run(job(identity, "echo new; exit 4"));
    EXPECT_EQ(report.exit_code, 4);
    EXPECT_EQ(report.identity, identity);
    EXPECT_EQ(started_[report.id].front().identity, identity);
    EXPECT_EQ(read_as(identity), "new\n(end)");
  }
  // What the others left is kept, until all of that number is removed.
  EXPECT_TRUE(fs::exists(aside(1) / "exit"));
  EXPECT_TRUE(fs::exists(aside(2) / "exit"));
  EXPECT_TRUE(remove_attempt(options_.folder, {1, 1}).has_value());
  EXPECT_TRUE(fs::is_empty(folder_of().parent_path()));
}

TEST_F(LocalEngineIdentityTest, WithoutARestartTheSame) {
  EXPECT_EQ(run(job(5, "exit 3")).exit_code, 3);
  ended_.clear();
  engine_->start(job(5, "exit 3"));
  engine_->start(job(6, "exit 4"));
  EXPECT_EQ(wait_for_end().exit_code, 4);
  EXPECT_EQ(ended_[AttemptId(1, 1)].size(), 1U);
}

TEST_F(LocalEngineIdentityTest, WhatRunsUnderTheNumberIsEndedFirst) {
  for (const bool restart : {false, true}) {
    open_again();
    const std::uint64_t old = restart ? 15 : 5;
    engine_->start(
        job(old, "trap 'sleep 0.2; echo bye; exit' TERM; echo ready; while true; do sleep 0.02; done"));
    ASSERT_TRUE(wait_for_output("ready"));
    if (restart) open_again();
    engine_->start(job(old + 1, "echo new; sleep 60"));
    EXPECT_EQ(read_as(old + 1), "");
    engine_->start(job(old + 1, "echo new; sleep 60"));  // Known.
    ASSERT_TRUE(wait_for_output("new"));
    EXPECT_THAT(supervise::read_file_at(AT_FDCWD, (aside(restart ? 4 : 1) / "out.0000000000000000").c_str()),
                testing::Optional(HasSubstr("bye")));
    // Before it could begin, its owner has thought better of it.
    engine_->start(job(old + 2, "echo never"));
    engine_->stop({{1, 1}, StopKind::kCancel});
    const Report report = wait_for_end();
    EXPECT_EQ(report.identity, old + 2);
    EXPECT_EQ(report.end, AttemptEnd::kStopped);
    EXPECT_EQ(read_as(old + 2), "(end)");
    EXPECT_THAT(processes_with(folder_.string()), testing::IsEmpty());
  }
}

TEST_F(LocalEngineIdentityTest, AnExpectedAttemptIsNotTakenForAnothers) {
  open_again();
  engine_->start(job(5, "echo ready; sleep 60"));
  ASSERT_TRUE(wait_for_output("ready"));
  for (int life = 0; life < 3; ++life) {  // Also the answer is kept.
    open_again();
    engine_->recover({job(6, "echo new")});
    const Report report = wait_for_end();
    EXPECT_EQ(report.identity, 6U);
    EXPECT_EQ(report.end, AttemptEnd::kLost);
    EXPECT_EQ(report.ended_at, report.started);
    EXPECT_THAT(report.note, HasSubstr("another job's attempt was found in its place"));
    EXPECT_FALSE(started_.contains({1, 1}));
    EXPECT_THAT(processes_with(folder_.string()), testing::IsEmpty());
  }
  EXPECT_TRUE(fs::exists(aside(1) / "exit"));
  EXPECT_FALSE(fs::exists(aside(2)));
}

TEST_F(LocalEngineIdentityTest, WhatIsExpectedAgainGoesOnWithoutASuccessor) {
  open_again();
  const Launch first = job(5, "trap 'sleep 0.3; exit' TERM; echo ready; while true; do sleep 0.02; done");
  engine_->start(first);
  ASSERT_TRUE(wait_for_output("ready"));
  engine_->start(job(6, "echo new"));
  engine_->recover({first});
  EXPECT_EQ(wait_for_end().identity, 5U);
  EXPECT_FALSE(fs::exists(aside(1)));
}

TEST_F(LocalEngineIdentityTest, WhoHasNoIdentityIsNotAsked) {
  open_again();
  run(job(5, "exit 3"));
  open_again();
  engine_->recover({job(0, "exit 4")});
  EXPECT_EQ(wait_for_end().exit_code, 3);
  // But what was begun without one is not the job that has one.
  Launch old = launch_of(shell("exit 1"), 2);
  run(old);
  ended_.clear();
  old.identity = 8;
  engine_->start(old);
  EXPECT_EQ(wait_for_end({2, 1}).identity, 8U);
}

}  // namespace
}  // namespace gw::live
