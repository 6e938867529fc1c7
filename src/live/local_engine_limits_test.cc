// What a job may take: cores, memory, processes, GPUs, an account.
#include <fmt/format.h>
#include <pwd.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "live/local_engine_cores.h"
#include "live/local_engine_groups.h"
#include "live/local_engine_test_case.h"
#include "supervise/control_group.h"

namespace gw::live {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class LocalEngineLimitsTest : public LocalEngineTestCase {
 protected:
  static Launch with_share(JobSpec spec, std::int64_t cpu_milli, std::int64_t memory_mib,
                           std::uint64_t job = 1) {
    Launch launch = launch_of(std::move(spec), job);
    launch.nodes.front().cpu_milli = cpu_milli;
    launch.nodes.front().memory_mib = memory_mib;
    return launch;
  }
  static std::string read(const fs::path& path) {
    return supervise::read_file_at(AT_FDCWD, path.c_str()).value_or("(none)");
  }
  /// The likeness of a cgroup2 folder.
  fs::path fake_group(const std::string& controllers) {
    const fs::path folder = folder_ / "group";
    fs::create_directory(folder);
    std::ofstream(folder / "cgroup.controllers") << controllers << '\n';
    std::ofstream(folder / "cgroup.subtree_control");
    std::ofstream(folder / "cgroup.procs");
    return folder;
  }
};

TEST_F(LocalEngineLimitsTest, OneProcessThatTakesTooMuchMemoryFails) {
  options_.control_groups = false;
  const Report report = run(with_share(job_of({"/usr/bin/head", "-c", "1m", "/dev/zero"}), 0, 64));
  EXPECT_EQ(report.exit_code, 0) << "what needs little runs";
  // tail keeps its last line, which is all of it.
  const auto hog_of = [](int bytes) {
    return shell(fmt::format("head -c {} /dev/zero | tail -n 1 | wc -c", bytes));
  };
  run(with_share(hog_of(10'000'000), 0, 64, 2));
  EXPECT_EQ(output_of({2, 1}), "10000000\n");
  const Report hog = run(with_share(hog_of(200'000'000), 0, 64, 3));
  EXPECT_THAT(output_of({3, 1}), Not(HasSubstr("200000000")));
  EXPECT_THAT(output_of({3, 1}), HasSubstr("memory exhausted"));
  EXPECT_THAT(hog.note, HasSubstr("memory is limited for each process"));
  EXPECT_THAT(hog.note, HasSubstr("control groups are turned off"));
}

TEST_F(LocalEngineLimitsTest, ManyProcessesThatTakeTooMuchTogetherAreStopped) {
  options_.control_groups = false;
  // Each stays below the limit that it has.
  const std::string hog = "(head -c 50000000 /dev/zero; sleep 60) | tail -n 1";
  const Report report = run(with_share(shell(fmt::format("({0}) & ({0}) & ({0}) & wait", hog)), 0, 100));
  EXPECT_EQ(report.end, AttemptEnd::kOutOfMemory);
  EXPECT_THAT(report.note, HasSubstr("more than its 100 MiB"));
  EXPECT_GT(report.memory_peak.count(), 100 << 20);
}

TEST_F(LocalEngineLimitsTest, JobsGetCoresOfTheirOwn) {
  const std::size_t cores = usable_cores().size();
  if (cores < 2) GTEST_SKIP() << "there is one core only";
  options_.control_groups = false;
  open_engine();
  const JobSpec spec =
      shell("grep Cpus_allowed_list /proc/self/status; until [ -e go ]; do sleep 0.02; done");
  for (const std::uint64_t job : {1, 2}) engine_->start(with_share(spec, 1000, 0, job));
  for (const std::uint64_t job : {1, 2}) ASSERT_TRUE(wait_for_output("list", {job, 1}));
  const std::string first = output_of({1, 1});
  EXPECT_NE(first, output_of({2, 1}));
  std::ofstream(folder_of({1, 1}) / "work" / "go");
  wait_for_end({1, 1});
  engine_->start(with_share(spec, 500, 0, 3));
  ASSERT_TRUE(wait_for_output("list", {3, 1}));
  EXPECT_EQ(output_of({3, 1}), first) << "the core that came free";
  for (const std::uint64_t job : {2, 3}) std::ofstream(folder_of({job, 1}) / "work" / "go");
  for (const std::uint64_t job : {2, 3}) wait_for_end({job, 1});
}

TEST(CoreBook, SharesOutWhatIsLeastUsed) {
  CoreBook book({0, 1, 2, 3, 8, 9});
  EXPECT_THAT(book.take(0), IsEmpty());
  EXPECT_THAT(book.take(6000), IsEmpty());
  const std::vector<std::uint32_t> two = book.take(1500);
  EXPECT_THAT(two, ElementsAre(0, 1));
  EXPECT_THAT(book.take(2000), ElementsAre(2, 3));
  EXPECT_THAT(book.take(1000), ElementsAre(8));
  EXPECT_THAT(book.take(300), ElementsAre(9));
  EXPECT_THAT(book.take(300), ElementsAre(9));
  book.give_back(two, 1500);
  EXPECT_THAT(book.take(2000), ElementsAre(0, 1));
}

TEST_F(LocalEngineLimitsTest, ControllersAreTurnedOnWhereTheyAre) {
  const fs::path folder = fake_group("cpuset cpu io memory pids");
  const ControlGroups all = prepare_control_groups(folder);
  EXPECT_EQ(all.folder, folder);
  EXPECT_TRUE(all.cpu && all.memory && all.processes);
  EXPECT_EQ(all.missing, "");
  EXPECT_THAT(read(folder / "cgroup.subtree_control"), HasSubstr("+pids"));
  // The hybrid set-up: groups can be made and killed, not limited.
  fake_group("hugetlb");
  const ControlGroups none = prepare_control_groups(folder);
  EXPECT_EQ(none.folder, folder);
  EXPECT_FALSE(none.cpu || none.memory || none.processes);
  EXPECT_THAT(none.missing, HasSubstr("has no controller of cpu, memory, pids"));
  EXPECT_EQ(prepare_control_groups("/proc/self").folder, "") << "nothing can be made there";
}

TEST_F(LocalEngineLimitsTest, TheServerMovesOutOfTheGroupThatItPassesOn) {
  const fs::path folder = fake_group("cpu memory pids");
  std::ofstream(folder / "cgroup.type") << "domain\n";
  {
    std::ofstream(folder / "cgroup.procs") << ::getpid() << '\n';
  }
  fs::create_directory(folder / "server");
  std::ofstream(folder / "server" / "cgroup.procs");
  EXPECT_EQ(prepare_control_groups(folder).missing, "");
  EXPECT_EQ(read(folder / "server" / "cgroup.procs"), std::to_string(::getpid()));
  {
    std::ofstream(folder / "cgroup.procs") << ::getpid() << "\n1\n";
  }
  EXPECT_THAT(prepare_control_groups(folder).missing, HasSubstr("other processes stand in"));
}

TEST_F(LocalEngineLimitsTest, TheOwnGroupIsFoundThroughTheMounts) {
  const fs::path process = folder_ / "process";
  fs::create_directory(process);
  const auto found = [&](const std::string& mounts, const std::string& groups) {
    {
      std::ofstream(process / "mountinfo") << mounts;
    }
    {
      std::ofstream(process / "cgroup") << groups;
    }
    return own_control_group(process);
  };
  const std::string other = "22 1 0:21 / /proc rw,nosuid - proc proc rw\n";
  EXPECT_EQ(found(other + "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
                  "0::/system.slice/gigawerk.service\n"),
            "/sys/fs/cgroup/system.slice/gigawerk.service");
  EXPECT_EQ(found("32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
                  "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
                  "4:memory:/a\n1:cpu:/\n0::/\n"),
            "/sys/fs/cgroup/unified");
  EXPECT_EQ(found("30 23 0:26 /docker/1f /sys/fs/cgroup ro - cgroup2 cgroup rw\n", "0::/docker/1f/jobs\n"),
            "/sys/fs/cgroup/jobs");
  EXPECT_EQ(found("30 23 0:26 / /mnt/my\\040groups rw - cgroup2 cgroup rw\n", "0::/\n"), "/mnt/my groups");
  EXPECT_EQ(found(other, "0::/\n"), "");
  EXPECT_EQ(found("", ""), "");
}

TEST_F(LocalEngineLimitsTest, LimitsAreWrittenIntoTheGroup) {
  const fs::path folder = fake_group("") / "gw-1.1.mark";
  fs::create_directory(folder);
  for (const char* file :
       {"cpu.max", "memory.max", "memory.oom.group", "pids.max", "cgroup.procs", "cgroup.kill"})
    std::ofstream(folder / file);
  {
    std::ofstream(folder / "memory.events") << "low 0\noom 2\noom_kill 3\noom_group_kill 1\n";
  }
  {
    std::ofstream(folder / "memory.peak") << "123456\n";
  }
  {
    std::ofstream(folder / "cpu.stat") << "usage_usec 2500\nuser_usec 2000\n";
  }
  const Launch launch = with_share(shell("true"), 2500, 64);
  LaunchSite site;
  site.folder = folder_;
  site.mark = "mark";
  site.groups = {folder.parent_path(), true, true, true, ""};
  LaunchRules rules;
  rules.processes_max = 99;
  const Result<supervise::LaunchRecord> record = make_launch_record(launch, rules, site);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->control_group, folder.string());
  EXPECT_EQ(record->note, "");
  std::string notes;
  const std::optional<supervise::ControlGroup> group = supervise::ControlGroup::make(*record, notes);
  ASSERT_TRUE(group.has_value());
  EXPECT_EQ(notes, "");
  EXPECT_TRUE(group->limits_memory());
  EXPECT_EQ(read(folder / "cpu.max"), "250000 100000");
  EXPECT_EQ(read(folder / "memory.max"), "67108864");
  EXPECT_EQ(read(folder / "memory.oom.group"), "1");
  EXPECT_EQ(read(folder / "pids.max"), "99");
  EXPECT_TRUE(group->join());
  EXPECT_EQ(read(folder / "cgroup.procs"), "0");
  EXPECT_TRUE(group->kill());
  EXPECT_EQ(read(folder / "cgroup.kill"), "1");
  EXPECT_EQ(group->out_of_memory_kills(), 3U);
  EXPECT_EQ(group->memory_peak_bytes(), 123'456U);
  EXPECT_EQ(group->cpu_ns(), 2'500'000);
}

TEST_F(LocalEngineLimitsTest, WhatAGroupRefusesIsTold) {
  const fs::path folder = fake_group("") / "attempt";
  fs::create_directory(folder);
  std::ofstream(folder / "cpu.max");
  supervise::LaunchRecord record;
  record.control_group = folder.string();
  record.cpu_max = "max 100000";
  record.memory_bytes = 1000;
  record.memory_by_group = true;
  std::string notes;
  const std::optional<supervise::ControlGroup> group = supervise::ControlGroup::make(record, notes);
  ASSERT_TRUE(group.has_value());
  EXPECT_FALSE(group->limits_memory());
  EXPECT_EQ(notes,
            "memory of the job as a whole is not limited: the control group refused it (No such file or "
            "directory)");
  // A job that its group does not take in would run without limits: it does not run.
  options_.control_root = fake_group("cpu memory pids");
  const Report report = run(with_share(shell("echo runs"), 1000, 64));
  EXPECT_EQ(report.end, AttemptEnd::kLost);
  EXPECT_THAT(report.note, HasSubstr("its machine could not start it: cannot set the task's limits"));
  EXPECT_EQ(report.ended_at, report.started);
  EXPECT_EQ(output_of(), "");
}

TEST_F(LocalEngineLimitsTest, AJobHasAGroupThatGoesWithIt) {
  open_engine();
  const fs::path folder = prepare_control_groups("").folder;
  if (folder.empty()) GTEST_SKIP() << "no control groups can be made here";
  engine_->start(launch_of(shell("cat /proc/self/cgroup; setsid sleep 500 & sleep 0.1")));
  const Report report = wait_for_end();
  const std::string line = output_of().substr(output_of().find("0::"));
  EXPECT_THAT(line, HasSubstr("/gw-1.1."));
  for (const fs::directory_entry& entry : fs::directory_iterator(folder))
    EXPECT_THAT(line, Not(HasSubstr(entry.path().filename().string() + "\n")));
  EXPECT_GT(report.cpu_time.count(), 0);
}

TEST_F(LocalEngineLimitsTest, GpusAreShownAsShared) {
  options_.rules.gpus = {{"GPU-aaaa", 0}, {"GPU-bbbb", 1}, {"GPU-cccc", 2}};
  const std::string print = "echo [$CUDA_VISIBLE_DEVICES] [$NVIDIA_VISIBLE_DEVICES] [$HIP_VISIBLE_DEVICES]";
  Launch launch = launch_of(shell(print));
  launch.nodes.front().gpu_mask = 0b110;
  run(launch);
  EXPECT_EQ(output_of(), "[GPU-bbbb,GPU-cccc] [GPU-bbbb,GPU-cccc] [0,1]\n");
  run(launch_of(shell(print + "; env | grep -c ^CUDA_VISIBLE_DEVICES=$"), 2));
  EXPECT_EQ(output_of({2, 1}), "[] [void] []\n1\n");
}

TEST_F(LocalEngineLimitsTest, AJobRunsUnderItsOwnAccount) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can change the account";
  const passwd* nobody = ::getpwnam("nobody");
  ASSERT_NE(nobody, nullptr);
  JobSpec spec;
  spec.script =
      "#!/bin/sh\nid -u; id -G; grep -E 'CapEff|NoNewPrivs' /proc/self/status; touch mine; echo $USER "
      "$LOGNAME; "
      "cat " +
      (options_.folder / "lock").string() + " || echo kept out\n";
  Launch launch = launch_of(spec);
  launch.unix_user = "nobody";
  const Report report = run(launch);
  EXPECT_EQ(report.exit_code, 0) << report.note;
  EXPECT_EQ(output_of().substr(0, output_of().find("Cap")),
            fmt::format("{0}\n{1}\n", nobody->pw_uid, nobody->pw_gid));
  EXPECT_THAT(output_of(), HasSubstr("CapEff:\t0000000000000000"));
  EXPECT_THAT(output_of(), HasSubstr("NoNewPrivs:\t1"));
  EXPECT_THAT(output_of(), HasSubstr("nobody nobody\n"));
  EXPECT_THAT(output_of(), HasSubstr("kept out\n"));
  struct stat status{};
  ASSERT_EQ(::stat((folder_of() / "work" / "mine").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, nobody->pw_uid);
  // It cannot open what its account cannot.
  JobSpec output = shell("echo x");
  output.output = (folder_ / "roots.txt").string();
  Launch second = launch_of(output, 2);
  second.unix_user = "nobody";
  EXPECT_THAT(run(second).note, HasSubstr("cannot open the output file"));
}

TEST_F(LocalEngineLimitsTest, AnUnknownAccountIsALaunchFailure) {
  Launch launch = launch_of(shell("true"));
  launch.unix_user = "no-such-account";
  const Report report = run(launch);
  EXPECT_EQ(report.end, AttemptEnd::kLaunchFailed);
  EXPECT_THAT(report.note, HasSubstr("this machine has no account 'no-such-account'"));
  if (::geteuid() == 0) return;
  Launch root = launch_of(shell("true"), 2);
  root.unix_user = "root";
  EXPECT_THAT(run(root).note, HasSubstr("only root can change"));
}

TEST_F(LocalEngineLimitsTest, AnAccountHasAtMostSoManyProcesses) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can change the account";
  options_.control_groups = false;
  options_.rules.processes_max = 20;
  Launch launch = launch_of(shell("i=0; while [ $i -lt 40 ]; do sleep 60 & i=$((i+1)); done; echo all"));
  launch.unix_user = "nobody";
  const Report report = run(launch);
  EXPECT_NE(report.exit_code, 0);
  EXPECT_THAT(output_of(), Not(HasSubstr("all\n")));
}

TEST_F(LocalEngineLimitsTest, DescriptorsOfTheServerAreNoGiftToJobs) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit lower = before;
  lower.rlim_cur = 777;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &lower), 0);
  run(shell("ulimit -n"));
  EXPECT_EQ(output_of(), "777\n");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace gw::live
