// How jobs are made to end: limits of time, requests to stop, and processes that try to stay.
#include <fmt/format.h>
#include <sys/mount.h>

#include <csignal>
#include <fstream>
#include <string>

#include "live/local_engine_attempts.h"
#include "live/local_engine_test_case.h"

namespace gw::live {
namespace {

namespace fs = std::filesystem;
using std::string_literals::operator""s;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

constexpr std::int64_t kMillisecond = 1'000'000;

class LocalEngineEndTest : public LocalEngineTestCase {
 protected:
  /// Starts a job, waits until it has printed "ready", asks it to stop.
  Report stop(JobSpec spec) {
    if (!engine_) open_engine();
    engine_->start(launch_of(std::move(spec)));
    EXPECT_TRUE(wait_for_output("ready"));
    engine_->stop({{1, 1}, StopKind::kCancel});
    return wait_for_end();
  }
  static std::int64_t lasted_ms(const Report& report) {
    return (report.ended_at - report.started).count() / kMillisecond;
  }
};

TEST_F(LocalEngineEndTest, AJobIsAskedToStop) {
  const Report report = stop(shell("trap 'echo asked; exit 3' TERM; echo ready; sleep 60 & wait"));
  EXPECT_EQ(report.end, AttemptEnd::kStopped);
  EXPECT_EQ(report.exit_code, 3);
  EXPECT_EQ(output_of(), "ready\nasked\n");
  EXPECT_LT(lasted_ms(report), 4'000);
}

TEST_F(LocalEngineEndTest, AJobThatDoesNotListenIsKilledAfterItsGrace) {
  JobSpec spec = shell("trap '' TERM; echo ready; while true; do sleep 0.05; done");
  spec.grace = Nanoseconds{400 * kMillisecond};
  const Report report = stop(spec);
  EXPECT_EQ(report.end, AttemptEnd::kStopped);
  EXPECT_EQ(report.signal, SIGKILL);
  EXPECT_THAT(lasted_ms(report), AllOf(Ge(400), Le(4'000)));
}

TEST_F(LocalEngineEndTest, WhoWantsItsPlaceMayShortenItsGrace) {
  const std::string deaf = "trap '' TERM; echo ready; while true; do sleep 0.05; done";
  for (const bool twice : {false, true}) {
    if (!engine_) open_engine();
    const std::uint64_t job = twice ? 2 : 1;
    JobSpec spec = shell(deaf);
    spec.grace = seconds(600);
    engine_->start(launch_of(spec, job));
    ASSERT_TRUE(wait_until([&] { return output_of({job, 1}).find("ready") != std::string::npos; }));
    if (twice) engine_->stop({{job, 1}, StopKind::kCancel});  // At first with all its grace.
    engine_->stop({{job, 1}, StopKind::kPreempt, Nanoseconds{300 * kMillisecond}});
    ASSERT_TRUE(wait_until([&] { return ended_.contains({job, 1}); }));
    const Report& report = ended_.at({job, 1}).front();
    EXPECT_EQ(report.end, AttemptEnd::kStopped);
    EXPECT_EQ(report.signal, SIGKILL);
    EXPECT_THAT(lasted_ms(report), AllOf(Ge(300), Le(4'000)));
  }
}

TEST_F(LocalEngineEndTest, ARequestToStopIsNotLostHoweverEarlyItComes) {
  constexpr std::uint64_t kJobs = 40;
  open_engine();
  for (std::uint64_t job = 1; job <= kJobs; ++job) {
    engine_->start(launch_of(job_of({"/bin/sleep", "60"}), job));
    engine_->stop({{job, 1}, StopKind::kRequeue});
    engine_->stop({{job, 1}, StopKind::kRequeue});
  }
  engine_->stop({{kJobs + 1, 1}, StopKind::kCancel});  // Nobody knows it.
  EXPECT_TRUE(wait_until([&] { return ended_.size() == kJobs; }));
  for (const auto& [id, reports] : ended_) EXPECT_EQ(reports.front().end, AttemptEnd::kStopped);
}

TEST_F(LocalEngineEndTest, TheTimeLimitIsKept) {
  open_engine();
  JobSpec spec = shell(
      "trap 'echo warned' USR1; trap 'echo asked; exit 0' TERM; "
      "while true; do sleep 0.05; done");
  spec.warning = {SIGUSR1, Nanoseconds{500 * kMillisecond}, true};
  Launch launch = launch_of(spec);
  launch.limit = Nanoseconds{800 * kMillisecond};
  const Report report = run(launch);
  EXPECT_EQ(report.end, AttemptEnd::kTimeLimit);
  EXPECT_THAT(output_of(), HasSubstr("warned\n"));
  EXPECT_THAT(output_of(), HasSubstr("asked\n"));
  EXPECT_THAT(lasted_ms(report), AllOf(Ge(800), Le(4'000)));
}

TEST_F(LocalEngineEndTest, AWarningGoesToTheWholeGroupOrToTheTasksAlone) {
  // The inner shell, a child of the task, prints what it gets.
  const std::string text =
      "trap 'echo task' USR1; sh -c 'trap \"echo child\" USR1; echo ready; "
      "while true; do sleep 0.02; done' & while true; do sleep 0.02; done";
  std::uint64_t job = 0;
  for (const bool whole : {true, false}) {
    JobSpec spec = shell(text);
    spec.warning = {SIGUSR1, Nanoseconds{600 * kMillisecond}, whole};
    Launch launch = launch_of(spec, ++job);
    launch.limit = Nanoseconds{1'000 * kMillisecond};
    run(launch);
    EXPECT_THAT(output_of({job, 1}), HasSubstr("task\n"));
    if (whole) {
      EXPECT_THAT(output_of({job, 1}), HasSubstr("child\n"));
    } else {
      EXPECT_THAT(output_of({job, 1}), testing::Not(HasSubstr("child\n")));
    }
  }
}

TEST_F(LocalEngineEndTest, ProcessesThatAJobLeavesBehindGoWithIt) {
  // One in the group, one in a session of its own, one twice forked without environment, one deaf. The last
  // is found by how long it would sleep, as no other process does.
  const std::string seconds = std::to_string(100'000 + ::getpid());
  const Report report =
      run(shell("sleep 300 & setsid sleep 301 & (setsid env -i sh -c 'trap \"\" TERM; cd /; sleep " +
                seconds + "; sleep 303' & ) & sleep 0.2; echo done"));
  EXPECT_EQ(report.end, AttemptEnd::kExited);
  EXPECT_EQ(report.exit_code, 0);
  EXPECT_EQ(output_of(), "done\n");
  EXPECT_THAT(processes_with(seconds), testing::IsEmpty());
  EXPECT_LT(lasted_ms(report), 5'000);
}

TEST_F(LocalEngineEndTest, ADaemonIsAskedAndKilledLikeTheRest) {
  JobSpec spec = shell(
      "setsid sh -c 'trap \"echo daemon asked\" TERM; while true; do sleep 0.05; done' & "
      "trap '' TERM; sleep 0.2; echo ready; while true; do sleep 0.05; done");
  spec.grace = Nanoseconds{500 * kMillisecond};
  const Report report = stop(spec);
  EXPECT_EQ(report.end, AttemptEnd::kStopped);
  EXPECT_THAT(output_of(), HasSubstr("daemon asked"));
}

TEST_F(LocalEngineEndTest, ALimitThatMovesIsKept) {
  open_engine();
  ClockLimit limit;
  const auto start = [&](std::uint64_t job, int first_ms, int then_ms) {
    Launch launch = launch_of(job_of({"/bin/sleep", "60"}), job);
    launch.limit = Nanoseconds{first_ms * kMillisecond};
    engine_->start(launch);
    limit.id = launch.id;
    limit.limit = Nanoseconds{then_ms * kMillisecond};
    engine_->limit_clocks(limit);
  };
  start(1, 500, 1500);
  start(2, 60'000, 600);
  limit.id = {3, 1};  // Nobody knows it.
  engine_->limit_clocks(limit);
  EXPECT_TRUE(wait_until([&] { return ended_.size() == 2; }));
  for (const auto& [id, reports] : ended_) {
    const Report& report = reports.front();
    EXPECT_EQ(report.end, AttemptEnd::kTimeLimit);
    const Nanoseconds ran = report.ended_at - report.started;
    EXPECT_GE(ran, Nanoseconds{(id.job == 1 ? 1500 : 600) * kMillisecond});
    EXPECT_LT(ran, seconds(20));
  }
}

TEST_F(LocalEngineEndTest, AForkBombIsKilledWhole) {
  // Half of its processes leave the group. It stops growing, and ends, by itself: others use this
  // machine too.
  const std::string bomb = (folder_ / "bomb").string();
  {
    std::ofstream(bomb)
        << "#!/bin/sh\ntrap '' TERM\nif [ $1 -lt 8 ]; then setsid $0 $(($1 + 1)) & $0 $(($1 + 1)) & fi\n"
           "sleep 20\n";
  }
  fs::permissions(bomb, fs::perms::owner_all);
  std::uint64_t job = 0;
  for (const bool control_groups : {false, true}) {
    options_.control_groups = control_groups;
    JobSpec spec = job_of({bomb, "0"});
    spec.grace = Nanoseconds{50 * kMillisecond};
    Launch launch = launch_of(spec, ++job);
    launch.limit = Nanoseconds{300 * kMillisecond};  // In the midst of it.
    const Report report = run(launch);
    EXPECT_EQ(report.end, AttemptEnd::kTimeLimit);
    EXPECT_THAT(processes_with(bomb), testing::IsEmpty());
    engine_.reset();
  }
}

TEST_F(LocalEngineEndTest, ASupervisorThatIsToldToEndTakesItsJobAlong) {
  open_engine();
  engine_->start(launch_of(shell("echo ready; sleep 60")));
  ASSERT_TRUE(wait_for_output("ready"));
  const AttemptSight sight = look_at_attempt(folder_of());
  ASSERT_EQ(sight.stage, AttemptSight::Stage::kRunning);
  ::kill(sight.supervisor, SIGTERM);  // As init does at a shutdown.
  const Report report = wait_for_end();
  EXPECT_EQ(report.end, AttemptEnd::kLost);
  EXPECT_THAT(report.note, HasSubstr("SIGTERM"));
}

TEST_F(LocalEngineEndTest, OutputIsCappedAndItsOffsetsStayValid) {
  options_.rules.segment_bytes = 10'000;
  options_.rules.output_cap_bytes = 40'000;
  // Lines of ten characters: the number in a line is its offset over ten.
  const Report report = run(shell("seq -f '%09.0f' 0 19999"));
  EXPECT_EQ(report.output_bytes, 200'000U);
  const Result<OutputPart> part = read_output(folder_of(), OutputStream::kOutput, 0, 1'000'000);
  ASSERT_TRUE(part.has_value());
  EXPECT_TRUE(part->ended);
  EXPECT_EQ(part->next, 200'000U);
  EXPECT_EQ(part->offset, part->first);
  EXPECT_THAT(part->next - part->offset, AllOf(Ge(30'000U), Le(40'000U)));
  EXPECT_EQ(report.output_lost_bytes, part->first);
  EXPECT_THAT(report.note, HasSubstr(fmt::format("the oldest {} bytes", part->first)));
  const Result<OutputPart> line = read_output(folder_of(), OutputStream::kOutput, 195'550, 10);
  ASSERT_TRUE(line.has_value());
  EXPECT_EQ(line->bytes, "000019555\n");
  std::uintmax_t kept = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_of())) {
    if (entry.path().filename().string().starts_with("out.")) kept += entry.file_size();
  }
  EXPECT_LE(kept, 40'000U);
}

TEST_F(LocalEngineEndTest, AFullDiskLosesOutputButNotTheJob) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can mount a small disk";
  const fs::path disk = folder_ / "disk";
  fs::create_directory(disk);
  if (::mount("none", disk.c_str(), "tmpfs", 0, "size=400k") != 0)
    GTEST_SKIP() << "no small disk can be mounted here";
  options_.folder = disk / "jobs";
  options_.rules.segment_bytes = 20'000;
  const Report report = run(shell("head -c 900000 /dev/zero; echo the end; exit 5"));
  EXPECT_EQ(report.end, AttemptEnd::kExited);
  EXPECT_EQ(report.exit_code, 5);
  EXPECT_EQ(report.output_bytes, 900'008U);
  EXPECT_GT(report.output_lost_bytes, 400'000U);
  EXPECT_THAT(report.note, HasSubstr("bytes of its output could not be written: No space left on device"));
  // Nothing can be started now, and the engine says why.
  {
    std::ofstream(disk / "filler") << std::string(500'000, 'x');
  }
  const Report refused = run(launch_of(shell("true"), 2));
  EXPECT_EQ(refused.end, AttemptEnd::kLost);
  EXPECT_THAT(refused.note, HasSubstr("No space left on device"));
  fs::remove(disk / "filler");
  EXPECT_TRUE(remove_attempt(options_.folder, {1, 1}).has_value());
  EXPECT_EQ(run(launch_of(shell("exit 4"), 3)).exit_code, 4);
  engine_.reset();
  EXPECT_EQ(::umount(disk.c_str()), 0);
}

}  // namespace
}  // namespace gw::live
