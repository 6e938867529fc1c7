// One job at a time, as real processes: how it starts, ends, and what is said about it.
#include "live/local_engine.h"

#include <fmt/format.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

#include "base/utf8.h"
#include "live/local_engine_test_case.h"

namespace gw::live {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;

class LocalEngineTest : public LocalEngineTestCase {};

TEST_F(LocalEngineTest, AJobRunsAndItsExitCodeComesBack) {
  const Report report = run(shell("echo hello; echo oops >&2; exit 7"));
  EXPECT_EQ(report.end, AttemptEnd::kExited);
  EXPECT_EQ(report.exit_code, 7);
  EXPECT_EQ(output_of(), "hello\noops\n");
  EXPECT_EQ(report.output_bytes, 11U);
  EXPECT_EQ(report.output_lost_bytes, 0U);
  ASSERT_EQ(started_[report.id].size(), 1U);
  EXPECT_EQ(started_[report.id].front().started, report.started);
  EXPECT_GT(report.ended_at, report.started);
  EXPECT_GT(report.cpu_time.count(), 0);
  EXPECT_GT(report.memory_peak.count(), 100'000);
}

TEST_F(LocalEngineTest, TimesAreThoseOfTheWorld) {
  const std::int64_t before = supervise::unix_now();
  const Report report = run(shell("sleep 0.3"));
  const std::int64_t after = supervise::unix_now();
  EXPECT_THAT(report.started.count(), AllOf(Ge(before), Le(after)));
  EXPECT_LE(report.ended_at.count(), after);
  EXPECT_THAT((report.ended_at - report.started).count(), AllOf(Ge(300'000'000), Le(5'000'000'000)));
}

TEST_F(LocalEngineTest, AJobThatASignalKillsSaysWhich) {
  const Report report = run(shell("kill -SEGV $$"));
  EXPECT_EQ(report.end, AttemptEnd::kSignalled);
  EXPECT_EQ(report.signal, SIGSEGV);
}

TEST_F(LocalEngineTest, AnUnknownCommandIsALaunchFailure) {
  const Report report = run(job_of({"no-such-command-anywhere"}));
  EXPECT_EQ(report.end, AttemptEnd::kLaunchFailed);
  EXPECT_EQ(report.exit_code, 127);
  EXPECT_EQ(report.note, "cannot run 'no-such-command-anywhere': No such file or directory");
  EXPECT_FALSE(started_.contains(report.id));
}

TEST_F(LocalEngineTest, WhatIsNoProgramIsALaunchFailure) {
  std::uint64_t job = 0;
  const auto report_of = [&](JobSpec spec) { return run(launch_of(std::move(spec), ++job)); };
  const Report folder = report_of(job_of({"/"}));
  EXPECT_EQ(folder.end, AttemptEnd::kLaunchFailed);
  EXPECT_EQ(folder.exit_code, 126);
  EXPECT_EQ(folder.note, "cannot run '/': Permission denied");
  // execvp would hand this to /bin/sh.
  const fs::path text = folder_ / "no-format";
  ASSERT_TRUE(fs::exists("/bin/sh"));
  {
    std::ofstream(text) << "touch " << (folder_ / "made").string() << "\n";
  }
  fs::permissions(text, fs::perms::owner_all);
  const Report no_format = report_of(job_of({text.string()}));
  EXPECT_EQ(no_format.exit_code, 126);
  EXPECT_THAT(no_format.note, HasSubstr("Exec format error"));
  EXPECT_FALSE(fs::exists(folder_ / "made"));
  JobSpec script;
  script.script = "#!/no/such/interpreter\n";
  const Report interpreter = report_of(script);
  EXPECT_EQ(interpreter.end, AttemptEnd::kLaunchFailed);
  EXPECT_EQ(interpreter.note,
            "cannot run 'script': the interpreter that its first line names does not exist");
  JobSpec nothing;
  EXPECT_EQ(report_of(nothing).end, AttemptEnd::kLaunchFailed);
  JobSpec elsewhere = shell("true");
  elsewhere.working_folder = "/no/such/folder";
  EXPECT_EQ(report_of(elsewhere).note,
            "cannot enter the working folder '/no/such/folder': No such file or directory");
}

TEST_F(LocalEngineTest, AScriptRunsThroughItsFirstLineWithItsArguments) {
  JobSpec spec;
  spec.name = "script";
  spec.script = "#!/bin/sh -e\necho \"$# $1 $2\"\ntouch made\npwd\n";
  spec.arguments = {"two words", "$(touch evil)"};
  const Report report = run(spec);
  EXPECT_EQ(report.exit_code, 0) << report.note;
  EXPECT_EQ(output_of(), "2 two words $(touch evil)\n" + (folder_of() / "work").string() + "\n");
  EXPECT_TRUE(fs::exists(folder_of() / "work" / "made"));
}

TEST_F(LocalEngineTest, NoFieldReachesAShell) {
  const std::string evil = "'; touch " + (folder_ / "evil").string() + " #`touch " +
                           (folder_ / "evil").string() + "`$(touch " + (folder_ / "evil").string() +
                           ")\n\";|&<>";
  JobSpec spec = job_of({"/usr/bin/env", "-0"});
  spec.name = evil;
  spec.tenant = evil;
  spec.comment = evil;
  spec.environment = {{"EVIL", evil}, {"$(touch evil)", evil}};
  spec.arguments = {};
  spec.output = "";
  Launch launch = launch_of(spec);
  launch.user = evil;
  launch.tenant = evil;
  launch.nodes.front().node = evil;
  launch.gpu_type = evil;
  EXPECT_EQ(run(launch).exit_code, 0);
  EXPECT_THAT(output_of(), HasSubstr("EVIL=" + evil + '\0'));
  EXPECT_THAT(output_of(), HasSubstr("SLURM_JOB_NAME=" + evil + '\0'));
  JobSpec pattern = job_of({"/bin/echo", evil});
  pattern.name = evil;
  pattern.output = "out-%x-%u;$(touch evil)";
  Launch second = launch_of(pattern, 2);
  second.user = "../../up";
  EXPECT_EQ(run(second).exit_code, 0);
  const Report third = run(launch_of(job_of({evil}), 3));
  EXPECT_EQ(third.exit_code, 127);
  const fs::path work = folder_of({2, 1}) / "work";
  ASSERT_EQ(std::distance(fs::directory_iterator(work), fs::directory_iterator()), 1);
  EXPECT_EQ(fs::directory_iterator(work)->path().filename().string().find('/'), std::string::npos);
  EXPECT_THAT(fs::directory_iterator(work)->path().filename().string(), HasSubstr("_.._up"));
  EXPECT_FALSE(fs::exists(folder_ / "evil"));
}

TEST_F(LocalEngineTest, TheServersOwnEnvironmentAndDescriptorsStayWithIt) {
  ASSERT_EQ(::setenv("GW_TEST_SECRET", "hunter2", 1), 0);
  const int leak = ::open("/dev/null", O_RDONLY);  // Without O_CLOEXEC.
  const Report report = run(shell("env; cat /proc/$PPID/environ; ls /proc/self/fd | tr '\\n' ' '"));
  ::close(leak);
  ::unsetenv("GW_TEST_SECRET");
  EXPECT_EQ(report.exit_code, 0);
  EXPECT_THAT(output_of(), testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(output_of(), testing::EndsWith("0 1 2 3 "));  // 3 is the folder that ls reads.
}

TEST_F(LocalEngineTest, StandardErrorCanBeKeptByItself) {
  options_.rules.separate_error = true;
  run(shell("echo one; echo two >&2"));
  EXPECT_EQ(output_of(), "one\n");
  EXPECT_EQ(output_of({1, 1}, OutputStream::kError), "two\n");
}

TEST_F(LocalEngineTest, OutputGoesToTheFilesThatTheJobNames) {
  JobSpec spec = shell("echo task $RANK; echo error $RANK >&2");
  spec.tasks_per_node = 2;
  spec.output = "log-%j-%t.txt";
  spec.error = "err-%4j.txt";
  const Report report = run(launch_of(spec, 12));
  EXPECT_EQ(report.exit_code, 0) << report.note;
  const fs::path work = folder_of({12, 1}) / "work";
  const auto text_of = [&](const char* name) {
    return supervise::read_file_at(AT_FDCWD, (work / name).c_str()).value_or("(none)");
  };
  EXPECT_EQ(text_of("log-12-0.txt"), "task 0\n");
  EXPECT_EQ(text_of("log-12-1.txt"), "task 1\n");
  EXPECT_THAT(text_of("err-0012.txt"), AllOf(HasSubstr("error 0\n"), HasSubstr("error 1\n")));
  EXPECT_EQ(output_of({12, 1}), "");
  EXPECT_EQ(report.output_bytes, 0U);
  JobSpec both = shell("echo one; echo two >&2");
  both.output = "both.txt";
  run(launch_of(both, 13));
  EXPECT_EQ(supervise::read_file_at(AT_FDCWD, (folder_of({13, 1}) / "work" / "both.txt").c_str()),
            "one\ntwo\n");
  JobSpec nowhere = shell("true");
  nowhere.output = "/no/such/folder/out";
  const Report failed = run(launch_of(nowhere, 14));
  EXPECT_EQ(failed.end, AttemptEnd::kLaunchFailed);
  EXPECT_EQ(failed.note, "cannot open the output file '/no/such/folder/out': No such file or directory");
}

TEST_F(LocalEngineTest, NotesAreTextWhateverAJobIsCalled) {
  std::string name = "/no/such/";
  for (int number = 0; number < 100; ++number) name += "\xe6\xbc\xa2";
  for (std::uint64_t job = 1; job <= 3; ++job) {  // The cut falls on each byte of a character.
    name.insert(1, "x");
    const Report report = run(launch_of(job_of({name}), job));
    EXPECT_EQ(report.end, AttemptEnd::kLaunchFailed);
    EXPECT_THAT(report.note, HasSubstr("cannot run '/x"));
    EXPECT_THAT(report.note, HasSubstr("\xe6\xbc\xa2...': No such file"));
    EXPECT_TRUE(is_utf8(report.note)) << report.note;
  }
  const Report odd = run(launch_of(job_of({"/no/\xff\n\x1b[2J"}), 4));
  EXPECT_EQ(odd.note, "cannot run '/no/\xef\xbf\xbd  [2J': No such file or directory");
}

TEST_F(LocalEngineTest, TasksKnowTheirRanks) {
  JobSpec spec = shell(
      "echo rank=$RANK of $WORLD_SIZE node=$NODE_RANK local=$LOCAL_RANK of $LOCAL_WORLD_SIZE "
      "name=$SLURMD_NODENAME list=$SLURM_JOB_NODELIST proc=$SLURM_PROCID");
  spec.nodes = 2;
  spec.tasks_per_node = 2;
  EXPECT_EQ(run(spec).exit_code, 0);
  for (int rank = 0; rank < 4; ++rank) {
    EXPECT_THAT(output_of(),
                HasSubstr(fmt::format(
                    "rank={0} of 4 node={1} local={2} of 2 name=node-{3} list=node-[1-2] proc={0}\n", rank,
                    rank / 2, rank % 2, rank / 2 + 1)));
  }
  JobSpec first = shell("echo $SLURM_NTASKS $SLURM_PROCID [$RANK]");
  first.nodes = 2;
  first.tasks_per_node = 2;
  first.launch = LaunchKind::kFirstNode;
  run(launch_of(first, 2));
  EXPECT_EQ(output_of({2, 1}), "4 0 []\n");
}

TEST_F(LocalEngineTest, OneTaskThatFailsEndsTheOthers) {
  JobSpec spec = shell(
      "if [ $RANK = 2 ]; then sleep 0.2; exit 9; fi; trap 'echo asked $RANK; exit 3' TERM; "
      "sleep 60 & wait");
  spec.tasks_per_node = 4;
  const Report report = run(spec);
  EXPECT_EQ(report.end, AttemptEnd::kExited);
  EXPECT_EQ(report.exit_code, 9);
  EXPECT_EQ(report.note, "task 2 was the first to fail");
  EXPECT_LT((report.ended_at - report.started).count(), 5'000'000'000);
  for (const int rank : {0, 1, 3}) EXPECT_THAT(output_of(), HasSubstr(fmt::format("asked {}\n", rank)));
}

TEST_F(LocalEngineTest, AnArrayTaskKnowsItsIndex) {
  Launch launch = launch_of(shell("echo $SLURM_ARRAY_JOB_ID $SLURM_ARRAY_TASK_ID $SLURM_ARRAY_TASK_COUNT "
                                  "$SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX"),
                            42);
  launch.array_job = 40;
  launch.array_index = 7;
  launch.array_tasks = 5;
  launch.array_first = 3;
  launch.array_last = 11;
  run(launch);
  EXPECT_EQ(output_of({42, 1}), "40 7 5 3 11\n");
}

TEST_F(LocalEngineTest, AnAttemptStartsOnce) {
  open_engine();
  const fs::path count = folder_ / "count";
  JobSpec spec = shell("echo once >> " + count.string() + "; sleep 0.2");
  for (int number = 0; number < 3; ++number) engine_->start(launch_of(spec));
  wait_for_end();
  engine_->start(launch_of(spec));  // It has ended and is known still.
  engine_->forget({1, 1});
  engine_->start(launch_of(spec));  // Only its record is left.
  EXPECT_TRUE(wait_until([&] { return ended_[{1, 1}].size() >= 2; }));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  collect();
  EXPECT_EQ(supervise::read_file_at(AT_FDCWD, count.c_str()), "once\n");
}

TEST_F(LocalEngineTest, ForgettingKeepsTheOutput) {
  JobSpec spec;
  spec.script = "#!/bin/sh\necho kept; echo result > file\n";
  run(spec);
  engine_->forget({1, 1});
  EXPECT_TRUE(wait_until([&] { return !fs::exists(folder_of() / "launch"); }));
  engine_.reset();
  EXPECT_EQ(output_of(), "kept\n");
  EXPECT_TRUE(fs::exists(folder_of() / "work" / "file"));
  EXPECT_FALSE(fs::exists(folder_of() / "script"));
  EXPECT_THAT(fs::directory_iterator(options_.folder / "live"), testing::Eq(fs::directory_iterator()));
  EXPECT_TRUE(remove_attempt(options_.folder, {1, 1}).has_value());
  EXPECT_FALSE(fs::exists(folder_of()));
}

TEST_F(LocalEngineTest, TwoEnginesDoNotShareAFolder) {
  open_engine();
  const Result<std::unique_ptr<LocalEngine>> second = LocalEngine::open(options_);
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, HasSubstr("another server uses this folder"));
}

TEST_F(LocalEngineTest, WithoutASupervisorItDoesNotOpen) {
  options_.to_instant = [](std::int64_t unix_ns) { return Instant{unix_ns}; };
  options_.supervisor = folder_ / "gw-supervise";
  const Result<std::unique_ptr<LocalEngine>> engine = LocalEngine::open(options_);
  ASSERT_FALSE(engine.has_value());
  EXPECT_THAT(engine.error().message, HasSubstr("gw-supervise"));
}

TEST_F(LocalEngineTest, ManyJobsAtATimeAllEnd) {
  constexpr std::uint64_t kJobs = 200;
  open_engine();
  for (std::uint64_t job = 1; job <= kJobs; ++job)
    engine_->start(launch_of(shell("exit " + std::to_string(job % 100)), job));
  EXPECT_TRUE(wait_until([&] { return ended_.size() == kJobs; }));
  for (std::uint64_t job = 1; job <= kJobs; ++job) {
    EXPECT_EQ((ended_[{job, 1}].front().exit_code), static_cast<int>(job % 100));
    EXPECT_EQ((started_[{job, 1}].size()), 1U);
  }
}

}  // namespace
}  // namespace gw::live
