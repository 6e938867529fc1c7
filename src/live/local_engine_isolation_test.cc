// Jobs in views of their own and in containers.
#include "live/local_engine_isolation.h"

#include <fmt/format.h>
#include <pwd.h>

#include <csignal>
#include <fstream>

#include "live/local_engine_attempts.h"
#include "live/local_engine_test_case.h"

namespace gw::live {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;

class LocalEngineIsolationTest : public LocalEngineTestCase {};

/// Whether bubblewrap works here: in some containers it may not.
bool views_work() {
  return !find_program("bwrap").empty() &&
         std::system("bwrap --ro-bind / / --unshare-pid --proc /proc true 2>/dev/null") == 0;
}

TEST_F(LocalEngineIsolationTest, AViewShowsTheSystemAndTheWorkingFolder) {
  if (!views_work()) GTEST_SKIP() << "bubblewrap does not work here";
  const fs::path secret = folder_ / "secret";
  {
    std::ofstream(secret) << "hunter2";
  }
  JobSpec spec;
  spec.isolation = Isolation::kBubblewrap;
  spec.environment = {{"LD_PRELOAD", ""}, {"TOKEN", "two\nlines"}};
  spec.script =
      "#!/bin/sh\ncat " + secret.string() + " 2>/dev/null || echo hidden\n" +
      "touch /usr/made 2>/dev/null || echo read-only\n"
      "ls -d /proc/[0-9]* | wc -l\nls /tmp | wc -l\ntouch made /tmp/made && echo writable\n"
      "pwd\necho \"$TOKEN\"\nls /dev/vda /dev/sda 2>/dev/null\ngrep CapEff /proc/self/status\nexit 5\n";
  const Report report = run(spec);
  EXPECT_EQ(report.exit_code, 5) << report.note << output_of();
  EXPECT_THAT(output_of(), HasSubstr("hidden\nread-only\n"));
  EXPECT_THAT(output_of(), HasSubstr("writable\n" + (folder_of() / "work").string() + "\ntwo\nlines\n"));
  EXPECT_THAT(output_of(), HasSubstr("CapEff:\t0000000000000000\n"));
  EXPECT_THAT(output_of(), Not(HasSubstr("/dev/")));
  EXPECT_TRUE(fs::exists(folder_of() / "work" / "made"));
  EXPECT_FALSE(fs::exists("/tmp/made"));
}

TEST_F(LocalEngineIsolationTest, AJobInAViewHasItsGrace) {
  if (!views_work()) GTEST_SKIP() << "bubblewrap does not work here";
  open_engine();
  JobSpec spec = shell("trap 'echo asked; exit 3' TERM; echo ready; while true; do sleep 0.05; done");
  spec.isolation = Isolation::kBubblewrap;
  engine_->start(launch_of(spec));
  ASSERT_TRUE(wait_for_output("ready"));
  engine_->stop({{1, 1}, StopKind::kCancel});
  const Report report = wait_for_end();
  EXPECT_EQ(report.end, AttemptEnd::kStopped);
  EXPECT_EQ(report.exit_code, 3);
  EXPECT_THAT(output_of(), HasSubstr("asked\n"));
}

TEST_F(LocalEngineIsolationTest, AViewDiesWithItsSupervisor) {
  if (!views_work()) GTEST_SKIP() << "bubblewrap does not work here";
  open_engine();
  JobSpec spec = shell("setsid sleep 600 & echo ready; sleep 601");
  spec.isolation = Isolation::kBubblewrap;
  engine_->start(launch_of(spec));
  ASSERT_TRUE(wait_for_output("ready"));
  ::kill(look_at_attempt(folder_of()).supervisor, SIGKILL);
  EXPECT_EQ(wait_for_end().end, AttemptEnd::kLost);
}

TEST_F(LocalEngineIsolationTest, AViewUnderAnotherAccount) {
  if (::geteuid() != 0 || !views_work()) GTEST_SKIP() << "needs root and bubblewrap";
  JobSpec spec = shell("id -u; touch made && echo writable");
  spec.isolation = Isolation::kBubblewrap;
  Launch launch = launch_of(spec);
  launch.unix_user = "nobody";
  const Report report = run(launch);
  if (output_of().find("bwrap:") != std::string::npos)
    GTEST_SKIP() << "no user namespaces here: " << output_of();
  EXPECT_EQ(report.exit_code, 0) << output_of();
  EXPECT_EQ(output_of(), fmt::format("{}\nwritable\n", ::getpwnam("nobody")->pw_uid));
}

TEST_F(LocalEngineIsolationTest, AMissingToolIsNamed) {
  options_.rules.bubblewrap = "no-such-bwrap";
  JobSpec spec = shell("true");
  spec.isolation = Isolation::kBubblewrap;
  const Report report = run(spec);
  EXPECT_EQ(report.end, AttemptEnd::kLaunchFailed);
  EXPECT_THAT(report.note, HasSubstr("install the package bubblewrap"));
}

TEST(Isolation, AContainerGetsItsLimitsAndNoSecretsOnTheCommandLine) {
  IsolatedTask task;
  task.command = {"python3", "train.py", "--rm"};
  task.environment = {{"PASSWORD", "hunter2"}, {"RANK", "0"}};
  task.working_folder = "/data/run";
  ContainerOptions options;
  options.tool = "/usr/bin/podman";
  options.name = "gw-7-1-0-ab";
  options.image = "registry.example/torch:2";
  options.gpus = "0,3";
  options.cpu_milli = 2500;
  options.memory_mib = 4096;
  options.processes_max = 100;
  const Result<IsolatedCommand> podman = container_command(task, options);
  ASSERT_TRUE(podman.has_value());
  EXPECT_THAT(
      podman->command,
      ElementsAre("/usr/bin/podman", "run", "--rm", "--name", "gw-7-1-0-ab", "--network", "host", "--workdir",
                  "/data/run", "--volume", "/data/run:/data/run", "--env-file", "/dev/fd/3", "--cpus",
                  "2.500", "--memory", "4096m", "--pids-limit", "100", "--device", "nvidia.com/gpu=0",
                  "--device", "nvidia.com/gpu=3", "registry.example/torch:2", "python3", "train.py", "--rm"));
  EXPECT_EQ(podman->input, "PASSWORD=hunter2\nRANK=0\n");
  EXPECT_THAT(container_cleanup(options),
              ElementsAre("/usr/bin/podman", "rm", "--force", "--time", "0", "gw-7-1-0-ab"));
  options.kind = ContainerTool::kDocker;
  options.set_user = true;
  options.user = 1000;
  options.group = 100;
  const Result<IsolatedCommand> docker = container_command(task, options);
  ASSERT_TRUE(docker.has_value());
  EXPECT_THAT(docker->command, IsSupersetOf({"--gpus", "\"device=0,3\"", "--user", "1000:100",
                                             "--security-opt", "no-new-privileges"}));
  options.image = "--privileged";
  EXPECT_FALSE(container_command(task, options).has_value());
  options.image = "image";
  task.environment.emplace_back("KEY", "two\nlines");
  EXPECT_THAT(container_command(task, options).error().message, HasSubstr("'KEY' cannot be handed"));
}

/// An image with a shell that is on this machine already: GIGAWERK_TEST_IMAGE, else Debian's.
std::string image_at_hand() {
  const char* named = std::getenv("GIGAWERK_TEST_IMAGE");
  const std::string image = named != nullptr ? named : "docker.io/library/debian:12";
  const std::string look = fmt::format(
      "podman run --rm --network host {0} sh -c true >/dev/null 2>&1 || "
      "docker image inspect {0} >/dev/null 2>&1",
      image);
  return !image.starts_with('-') && std::system(look.c_str()) == 0 ? image : "";
}

TEST_F(LocalEngineIsolationTest, AContainerRunsAndGoesWithItsJob) {
  JobSpec spec;
  spec.isolation = Isolation::kContainer;
  spec.environment = {{"TOKEN", "hunter2"}};
  spec.script = "#!/bin/sh\necho inside $TOKEN $GIGAWERK_JOB_ID\necho made > made\nexit 3\n";
  if (find_program("podman").empty() && find_program("docker").empty()) {
    EXPECT_THAT(run(spec).note, HasSubstr("install the package podman"));
    return;
  }
  spec.image = image_at_hand();
  if (spec.image.empty()) GTEST_SKIP() << "no image is at hand that runs here (GIGAWERK_TEST_IMAGE)";
  const Report report = run(spec);
  EXPECT_EQ(report.exit_code, 3) << report.note << output_of();
  EXPECT_EQ(output_of(), "inside hunter2 1\n");
  EXPECT_EQ(supervise::read_file_at(AT_FDCWD, (folder_of() / "work" / "made").c_str()), "made\n");
  // Stopped, and left without its supervisor: nothing remains of it either way.
  spec.script = "#!/bin/sh\ntrap 'echo asked; exit 4' TERM\necho ready\nwhile true; do sleep 1; done\n";
  engine_->start(launch_of(spec, 2));
  ASSERT_TRUE(wait_for_output("ready", {2, 1}));
  engine_->stop({{2, 1}, StopKind::kCancel});
  const Report stopped = wait_for_end({2, 1});
  EXPECT_EQ(stopped.end, AttemptEnd::kStopped);
  EXPECT_EQ(stopped.exit_code, 4);
  EXPECT_THAT(output_of({2, 1}), HasSubstr("asked\n"));
  engine_->start(launch_of(spec, 3));
  ASSERT_TRUE(wait_for_output("ready", {3, 1}));
  ::kill(look_at_attempt(folder_of({3, 1})).supervisor, SIGKILL);
  EXPECT_EQ(wait_for_end({3, 1}).end, AttemptEnd::kLost);
}

}  // namespace
}  // namespace gw::live
