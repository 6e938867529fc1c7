// What survives the death of the server, of a supervisor, of the machine: nothing is lost, nothing runs
// twice.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <fstream>

#include "live/local_engine_attempts.h"
#include "live/local_engine_test_case.h"

namespace gw::live {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class LocalEngineRecoverTest : public LocalEngineTestCase {
 protected:
  void forget_reports() {
    started_.clear();
    ended_.clear();
    all_.clear();
  }
  /// Another server on the same folder.
  void open_again() {
    engine_.reset();
    forget_reports();
    open_engine();
  }
  template <class Done>
  static bool wait_without_engine(Done done) {
    for (int number = 0; number < 500 && !done(); ++number)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return done();
  }
  /// Processes of this test whose command line holds `text`.
  [[nodiscard]] std::vector<pid_t> commands_with(const std::string& text) const {
    std::vector<pid_t> found;
    for (const pid_t process : processes_with(folder_.string())) {
      if (text_of("/proc/" + std::to_string(process) + "/cmdline").find(text) != std::string::npos)
        found.push_back(process);
    }
    return found;
  }
  static std::string text_of(const fs::path& path) {
    return supervise::read_file_at(AT_FDCWD, path.c_str()).value_or("");
  }
};

TEST_F(LocalEngineRecoverTest, ARunningAttemptIsTakenOver) {
  open_engine();
  const Launch launch =
      launch_of(shell("echo first; until [ -e go ]; do sleep 0.02; done; echo second; exit 6"));
  engine_->start(launch);
  ASSERT_TRUE(wait_for_output("first"));
  wait_for_start();
  const Instant started = started_[launch.id].front().started;
  open_again();
  engine_->recover({launch});
  wait_for_start();
  EXPECT_EQ(started_[launch.id].front().started, started);
  EXPECT_FALSE(ended_.contains(launch.id));
  std::ofstream(folder_of() / "work" / "go");
  const Report report = wait_for_end();
  EXPECT_EQ(report.exit_code, 6);
  EXPECT_EQ(report.started, started);
  EXPECT_EQ(output_of(), "first\nsecond\n");
}

TEST_F(LocalEngineRecoverTest, AnAttemptThatIsTakenOverCanBeStopped) {
  open_engine();
  const Launch launch = launch_of(shell("echo ready; sleep 60"));
  engine_->start(launch);
  ASSERT_TRUE(wait_for_output("ready"));
  open_again();
  engine_->recover({launch});
  engine_->stop({launch.id, StopKind::kCancel});
  EXPECT_EQ(wait_for_end().end, AttemptEnd::kStopped);
}

TEST_F(LocalEngineRecoverTest, AnAttemptThatEndedMeanwhileIsReported) {
  open_engine();
  const Launch launch = launch_of(shell("sleep 0.2; echo done; exit 3"));
  engine_->start(launch);
  wait_for_start();
  engine_.reset();
  while (!fs::exists(folder_of() / "exit")) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  open_again();
  engine_->recover({launch});
  const Report report = wait_for_end();
  EXPECT_EQ(report.end, AttemptEnd::kExited);
  EXPECT_EQ(report.exit_code, 3);
  EXPECT_EQ(started_[launch.id].size(), 1U);
  EXPECT_EQ(output_of(), "done\n");
}

TEST_F(LocalEngineRecoverTest, AnAttemptThatNeverStartedIsStarted) {
  open_engine();
  const Launch launch = launch_of(shell("exit 8"));
  engine_->recover({launch});
  EXPECT_EQ(wait_for_end().exit_code, 8);
  // And one whose server was killed after it had written what is to be started.
  const Launch prepared = launch_of(shell("echo run"), 2);
  LaunchSite site;
  site.folder = folder_of({2, 1});
  site.mark = "0123456789abcdef";
  const auto record = make_launch_record(prepared, options_.rules, site);
  ASSERT_TRUE(record.has_value());
  ASSERT_TRUE(write_attempt(site.folder, *record, "", std::nullopt).has_value());
  open_again();
  engine_->recover({prepared});
  EXPECT_EQ(wait_for_end({2, 1}).exit_code, 0);
  EXPECT_EQ(output_of({2, 1}), "run\n");
  // And one that was to end before it began.
  const Launch stopped = launch_of(shell("echo run"), 4);
  ASSERT_TRUE(write_attempt(folder_of({4, 1}), *record, "", std::nullopt).has_value());
  ASSERT_TRUE(write_stop(folder_of({4, 1})));
  engine_->start(stopped);
  EXPECT_EQ(wait_for_end({4, 1}).end, AttemptEnd::kStopped);
  EXPECT_EQ(output_of({4, 1}), "");
  EXPECT_FALSE(started_.contains({4, 1}));
  // And one where it was killed while it wrote.
  const Launch torn = launch_of(shell("echo run"), 3);
  fs::create_directories(folder_of({3, 1}));
  {
    std::ofstream(folder_of({3, 1}) / "launch") << encode(*record).substr(0, 100);
  }
  engine_->start(torn);
  EXPECT_EQ(wait_for_end({3, 1}).exit_code, 0);
}

TEST_F(LocalEngineRecoverTest, AServerThatIsKilledLosesNothing) {
  // A server in a process of its own, killed at once while it starts jobs, again and again.
  constexpr std::uint64_t kJobs = 60;
  const fs::path count = folder_ / "count";
  std::vector<Launch> launches;
  for (std::uint64_t job = 1; job <= kJobs; ++job) {
    launches.push_back(launch_of(
        shell(fmt::format("echo {} >> {}; sleep 0.0{}; exit {}", job, count.string(), job % 10, job)), job));
  }
  options_.to_instant = [](std::int64_t unix_ns) { return Instant{unix_ns}; };
  for (int life = 1; life <= 6; ++life) {
    const pid_t server = ::fork();
    ASSERT_GE(server, 0);
    if (server == 0) {
      Result<std::unique_ptr<LocalEngine>> engine = LocalEngine::open(options_);
      if (!engine) ::_exit(1);
      (*engine)->recover(launches);
      ::pause();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10 * life));
    ::kill(server, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(server, &status, 0), server);
    ASSERT_TRUE(WIFSIGNALED(status));
  }
  open_engine();
  engine_->recover(launches);
  ASSERT_TRUE(wait_until([&] { return ended_.size() == kJobs; }));
  for (const auto& [id, reports] : ended_) {
    EXPECT_EQ(reports.size(), 1U);
    EXPECT_EQ(reports.front().end, AttemptEnd::kExited) << id.job << ": " << reports.front().note;
    EXPECT_EQ(reports.front().exit_code, static_cast<int>(id.job));
  }
  std::map<std::string, int> times;
  std::ifstream lines(count);
  for (std::string line; std::getline(lines, line);) ++times[line];
  EXPECT_EQ(times.size(), kJobs);
  for (const auto& [job, number] : times) EXPECT_EQ(number, 1) << "job " << job;
}

TEST_F(LocalEngineRecoverTest, WhatWasToldIsToldAgain) {
  open_engine();
  const Launch over = launch_of(shell("exit 3"), 1);
  const Launch runs = launch_of(shell("until [ -e go ]; do sleep 0.02; done; exit 4"), 2);
  const Launch refused = launch_of(job_of({"/no/such/program"}), 3);
  const Launch kept = launch_of(shell("true"), 4);
  for (const Launch& launch : {over, runs, refused, kept}) engine_->start(launch);
  for (const std::uint64_t job : {1, 3, 4}) wait_for_end({job, 1});
  wait_for_start({2, 1});
  // Nothing of this could be kept, but the last, which is not expected any more.
  for (int number = 0; number < 2; ++number) {
    forget_reports();
    engine_->recover({over, runs, refused});
    EXPECT_EQ(wait_for_end({1, 1}).exit_code, 3);
    EXPECT_TRUE(started_.contains({1, 1}));
    EXPECT_EQ(wait_for_end({3, 1}).end, AttemptEnd::kLaunchFailed);
    wait_for_start({2, 1});
    EXPECT_TRUE(wait_until([&] { return !fs::exists(folder_of({4, 1}) / "launch"); }));
    EXPECT_TRUE(fs::exists(folder_of({3, 1}) / "exit"));
  }
  engine_->start(over);  // It is known.
  std::ofstream(folder_of({2, 1}) / "work" / "go");
  EXPECT_EQ(wait_for_end({2, 1}).exit_code, 4);
  EXPECT_EQ(ended_[over.id].size(), 1U);
  EXPECT_FALSE(ended_.contains({4, 1}));
}

TEST_F(LocalEngineRecoverTest, WithNothingExpectedAllIsStopped) {
  open_engine();
  const Launch before = launch_of(shell("echo ready; sleep 60"), 1);
  engine_->start(before);
  ASSERT_TRUE(wait_for_output("ready", {1, 1}));
  open_again();
  engine_->recover({before});
  const Launch mine = launch_of(shell("echo ready; sleep 60"), 2);
  engine_->start(mine);
  ASSERT_TRUE(wait_for_output("ready", {2, 1}));
  wait_for_start({1, 1});
  forget_reports();
  engine_->recover({});  // Of this server, and taken over.
  EXPECT_TRUE(wait_until([&] {
    return !fs::exists(folder_of({1, 1}) / "launch") && !fs::exists(folder_of({2, 1}) / "launch");
  }));
  EXPECT_THAT(processes_with(folder_.string()), testing::IsEmpty());
  EXPECT_THAT(all_, testing::IsEmpty());
  engine_->recover({before, mine});  // Nobody has asked for their end: they were lost.
  for (const std::uint64_t job : {1, 2}) {
    const Report report = wait_for_end({job, 1});
    EXPECT_EQ(report.end, AttemptEnd::kLost);
    EXPECT_GT(report.ended_at, report.started);
  }
  // And of a server that is no more.
  const Launch left = launch_of(shell("echo ready; sleep 60"), 3);
  engine_->start(left);
  ASSERT_TRUE(wait_for_output("ready", {3, 1}));
  open_again();
  engine_->recover({});
  EXPECT_TRUE(wait_until([&] { return !fs::exists(folder_of({3, 1}) / "launch"); }));
  EXPECT_THAT(processes_with(folder_.string()), testing::IsEmpty());
  EXPECT_THAT(all_, testing::IsEmpty());
}

TEST_F(LocalEngineRecoverTest, AnAttemptThatIsExpectedAgainWhileItEndsIsToldAsLost) {
  open_engine();
  const Launch launch =
      launch_of(shell("trap 'sleep 0.3; exit 0' TERM; echo ready; while true; do sleep 0.02; done"));
  engine_->start(launch);
  ASSERT_TRUE(wait_for_output("ready"));
  engine_->recover({});
  engine_->recover({launch});
  EXPECT_EQ(wait_for_end().end, AttemptEnd::kLost);
}

TEST_F(LocalEngineRecoverTest, WhatNobodyExpectsIsStopped) {
  open_engine();
  const Launch wanted = launch_of(shell("until [ -e go ]; do sleep 0.02; done"), 1);
  const Launch unwanted = launch_of(shell("echo ready; sleep 60"), 2);
  const Launch over = launch_of(shell("true"), 3);
  engine_->start(wanted);
  engine_->start(unwanted);
  engine_->start(over);
  ASSERT_TRUE(wait_for_output("ready", {2, 1}));
  wait_for_end({3, 1});
  open_again();
  engine_->recover({wanted});
  EXPECT_TRUE(wait_until([&] {
    return fs::exists(folder_of({2, 1}) / "exit") && !fs::exists(folder_of({2, 1}) / "launch") &&
           !fs::exists(folder_of({3, 1}) / "launch");
  }));
  EXPECT_FALSE(ended_.contains({2, 1}));
  EXPECT_FALSE(ended_.contains({1, 1}));
  std::ofstream(folder_of() / "work" / "go");
  EXPECT_EQ(wait_for_end().exit_code, 0);
}

TEST_F(LocalEngineRecoverTest, ASupervisorThatIsKilledLeavesNothingBehind) {
  for (const bool control_groups : {true, false}) {
    options_.control_groups = control_groups;
    open_engine();
    const std::uint64_t job = control_groups ? 1 : 2;
    engine_->start(launch_of(shell("setsid sleep 400 & (setsid sleep 401 & ) ; echo ready; sleep 402"), job));
    ASSERT_TRUE(wait_for_output("ready", {job, 1}));
    ::kill(look_at_attempt(folder_of({job, 1})).supervisor, SIGKILL);
    const Report report = wait_for_end({job, 1});
    EXPECT_EQ(report.end, AttemptEnd::kLost);
    EXPECT_THAT(report.note, HasSubstr("its supervisor was killed"));
    EXPECT_GE(report.ended_at, report.started);
    EXPECT_EQ(output_of({job, 1}), "ready\n");
    EXPECT_TRUE(read_output(folder_of({job, 1}), OutputStream::kOutput, 0, 1)->ended);
    EXPECT_THAT(processes_with(folder_.string()), testing::IsEmpty());
    engine_.reset();
  }
}

TEST_F(LocalEngineRecoverTest, ALostAttemptIsChargedForWhatIsKnown) {
  // One that ran for two seconds and more, and whose loss is found a second after it.
  open_engine();
  const Launch launch = launch_of(shell("echo ready; sleep 60"));
  engine_->start(launch);
  ASSERT_TRUE(wait_for_output("ready"));
  wait_for_start();
  const Clock::time_point begin = Clock::now();
  ASSERT_TRUE(wait_until([&] { return look_at_attempt(folder_of()).ran_ns > 2'000'000'000; }));
  engine_.reset();
  const auto supervisor = look_at_attempt(folder_of()).supervisor;
  ::kill(supervisor, SIGKILL);
  ::waitpid(supervisor, nullptr, 0);
  const std::int64_t ran_ns = (Clock::now() - begin) / std::chrono::nanoseconds(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'100));
  open_again();
  // And one that was lost with its machine, days ago.
  constexpr std::int64_t kHour = 3'600'000'000'000;
  const Launch old = launch_of(shell("true"), 2);
  supervise::ClaimRecord claim;
  claim.supervisor = 1;
  claim.started_unix_ns = supervise::unix_now() - 72 * kHour;
  claim.ran_ns = kHour;
  fs::create_directories(folder_of({2, 1}));
  {
    std::ofstream(folder_of({2, 1}) / "claim") << encode(claim) + std::string(1'000, '\0');
  }
  engine_->recover({launch, old});
  const Report report = wait_for_end({1, 1});
  EXPECT_EQ(report.end, AttemptEnd::kLost);
  EXPECT_GT((report.ended_at - report.started).count(), 2'000'000'000);
  EXPECT_LE((report.ended_at - report.started).count(), ran_ns + 500'000'000);
  const Report older = wait_for_end({2, 1});
  EXPECT_EQ(older.end, AttemptEnd::kLost);
  EXPECT_EQ(older.started.count(), *claim.started_unix_ns);
  EXPECT_EQ((older.ended_at - older.started).count(), kHour);
}

TEST_F(LocalEngineRecoverTest, ASupervisorThatWasKilledWithItsServerIsFoundOut) {
  open_engine();
  const Launch launch = launch_of(shell("setsid sleep 400 & echo ready; while true; do sleep 402; done"));
  engine_->start(launch);
  ASSERT_TRUE(wait_for_output("ready"));
  const pid_t supervisor = look_at_attempt(folder_of()).supervisor;
  engine_.reset();
  ::kill(supervisor, SIGKILL);
  ::waitpid(supervisor, nullptr, 0);
  // Its tasks die with it, without a server.
  EXPECT_TRUE(wait_without_engine([&] { return commands_with("sleep 402").empty(); }));
  open_again();
  engine_->recover({launch});
  EXPECT_EQ(wait_for_end().end, AttemptEnd::kLost);
  // Once more: the same answer, from what was written.
  open_again();
  engine_->recover({launch});
  EXPECT_EQ(wait_for_end().end, AttemptEnd::kLost);
}

TEST_F(LocalEngineRecoverTest, AfterARestartOfTheMachineNothingRunsTwice) {
  open_engine();
  const Launch ended = launch_of(shell("exit 5"), 1);
  run(ended);
  const Launch begun = launch_of(shell("true"), 2);
  const Launch maybe = launch_of(shell("touch " + (folder_ / "ran").string()), 3);
  engine_.reset();
  // As a machine leaves it that went down: another start is noted, a claim has no owner, a third attempt no
  // trace at all.
  {
    std::ofstream(options_.folder / "boot") << "11111111-2222-3333-4444-555555555555";
  }
  fs::create_directories(folder_of({2, 1}));
  {
    std::ofstream(folder_of({2, 1}) / "claim");
  }
  {
    std::ofstream(folder_of({2, 1}) / "launch");
  }
  for (int life = 0; life < 2; ++life) {
    open_again();
    engine_->recover({ended, begun, maybe});
    EXPECT_EQ(wait_for_end({1, 1}).exit_code, 5);
    EXPECT_EQ(wait_for_end({2, 1}).end, AttemptEnd::kLost);
    EXPECT_EQ(wait_for_end({3, 1}).end, AttemptEnd::kLost);
  }
  EXPECT_FALSE(fs::exists(folder_ / "ran"));
  // From then on all is as before.
  EXPECT_EQ(run(launch_of(shell("exit 4"), 3, 2)).exit_code, 4);
}

TEST_F(LocalEngineRecoverTest, TwoSupervisorsOfOneAttemptRunItOnce) {
  const Launch launch = launch_of(shell("echo once; sleep 0.3"));
  open_engine();
  engine_->start(launch);
  ASSERT_TRUE(wait_for_output("once"));
  for (int number = 0; number < 2; ++number) {  // While it runs, and after.
    const pid_t second = ::fork();
    if (second == 0) {
      ::execl(find_supervisor().c_str(), "gw-supervise", folder_of().c_str(), nullptr);
      ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(second, &status, 0), second);
    EXPECT_EQ(WEXITSTATUS(status), supervise::kTakenStatus);
    wait_for_end();
  }
  EXPECT_EQ(output_of(), "once\n");
  EXPECT_EQ(ended_[launch.id].size(), 1U);
}

TEST_F(LocalEngineRecoverTest, WithoutDescriptorsOfProcessesAllIsAsWithThem) {
  options_.process_descriptors = false;
  open_engine();
  const Launch stays = launch_of(shell("echo ready; until [ -e go ]; do sleep 0.02; done; exit 2"), 1);
  engine_->start(stays);
  engine_->start(launch_of(shell("echo ready; sleep 60"), 2));
  ASSERT_TRUE(wait_for_output("ready", {1, 1}));
  ASSERT_TRUE(wait_for_output("ready", {2, 1}));
  engine_->stop({{2, 1}, StopKind::kCancel});
  EXPECT_EQ(wait_for_end({2, 1}).end, AttemptEnd::kStopped);
  engine_->start(launch_of(shell("exit 9"), 3));
  EXPECT_EQ(wait_for_end({3, 1}).exit_code, 9);
  engine_->forget({2, 1});
  engine_->forget({3, 1});
  open_again();
  engine_->recover({stays});
  wait_for_start({1, 1});
  std::ofstream(folder_of() / "work" / "go");
  EXPECT_EQ(wait_for_end().exit_code, 2);
}

TEST_F(LocalEngineRecoverTest, WithoutDescriptorsNothingStartsAndTheReasonIsTold) {
  open_engine();
  EXPECT_EQ(run(launch_of(shell("true"), 1)).exit_code, 0);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit none = before;
  none.rlim_cur = 3;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Report refused = run(launch_of(shell("true"), 2));
  Launch other = launch_of(shell("true"), 4);
  other.unix_user = "no-such-account";
  const Report not_found = run(other);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(refused.end, AttemptEnd::kLost);
  EXPECT_THAT(refused.note, HasSubstr("Too many open files"));
  EXPECT_EQ(refused.ended_at, refused.started);
  EXPECT_EQ(not_found.end, AttemptEnd::kLost);
  EXPECT_THAT(not_found.note,
              HasSubstr("the account 'no-such-account' cannot be looked up: Too many open files"));
  EXPECT_EQ(run(launch_of(shell("exit 3"), 3)).exit_code, 3);
}

TEST_F(LocalEngineRecoverTest, ASupervisorThatCannotRunIsReported) {
  options_.supervisor = folder_ / "no-supervisor";
  {
    std::ofstream(options_.supervisor) << "no program";
  }
  fs::permissions(options_.supervisor, fs::perms::owner_all);
  const Report report = run(launch_of(shell("true"), 1));
  EXPECT_EQ(report.end, AttemptEnd::kLost);
  EXPECT_THAT(report.note, HasSubstr("no-supervisor"));
  engine_.reset();
  {
    std::ofstream(options_.supervisor) << "#!/bin/sh\nkill -KILL $$\n";
  }
  const Report killed = run(launch_of(shell("true"), 2));
  EXPECT_EQ(killed.end, AttemptEnd::kLost);
  EXPECT_THAT(killed.note, HasSubstr("killed by signal 9 before it began"));
}

TEST_F(LocalEngineRecoverTest, AFaultOfTheMachineIsToldEverMoreSlowly) {
  options_.supervisor = folder_ / "supervisor";
  const auto breaks = [&] {
    fs::remove(options_.supervisor);
    std::ofstream(options_.supervisor) << "no program";
    fs::permissions(options_.supervisor, fs::perms::owner_all);
  };
  const auto works = [&] {
    fs::remove(options_.supervisor);
    fs::create_symlink(find_supervisor(), options_.supervisor);
  };
  breaks();
  open_engine();
  const Clock::time_point begin = Clock::now();
  const auto since_ms = [&] { return (Clock::now() - begin) / std::chrono::milliseconds(1); };
  for (std::uint64_t job = 1; job <= 6; ++job) engine_->start(launch_of(shell("exit 6"), job));
  engine_->start(launch_of(shell("exit 6"), 3));  // Known already.
  EXPECT_EQ(wait_for_end({1, 1}).end, AttemptEnd::kLost);
  EXPECT_LT(since_ms(), 900);
  wait_for_end({2, 1});
  EXPECT_GE(since_ms(), 1'000);
  EXPECT_FALSE(ended_.contains({3, 1}));
  wait_for_end({3, 1});
  EXPECT_GE(since_ms(), 2'000);
  // Neither who wants it to end nor anybody else waits meanwhile.
  engine_->stop({{6, 1}, StopKind::kCancel});
  wait_for_end({6, 1});
  works();
  EXPECT_EQ(run(launch_of(shell("exit 3"), 7)).exit_code, 3);
  EXPECT_LT(since_ms(), 4'000);
  EXPECT_FALSE(ended_.contains({4, 1}) || ended_.contains({5, 1}));
  // It has worked: the next failure is the first again.
  breaks();
  const Clock::time_point again = Clock::now();
  run(launch_of(shell("true"), 8));
  EXPECT_LT((Clock::now() - again) / std::chrono::milliseconds(1), 900);
  // What is not told yet is neither run twice nor forgotten.
  works();
  open_again();
  engine_->recover({launch_of(shell("exit 6"), 5)});
  EXPECT_EQ(wait_for_end({5, 1}).exit_code, 6);
  EXPECT_TRUE(wait_until([&] { return !fs::exists(folder_of({4, 1}) / "launch"); }));
}

}  // namespace
}  // namespace gw::live
