// What a simulated attempt does, by its command, its environment and by chance.
#include "serve/simulated_run.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace gw::serve {
namespace {

using live::AttemptEnd;

live::Launch launch(JobSpec spec, Nanoseconds limit = hours(10)) {
  live::Launch launch;
  launch.id = {7, 1};
  launch.spec = std::make_shared<const JobSpec>(std::move(spec));
  launch.nodes.push_back({"node-0", 1, 0, 0, 0});
  launch.limit = limit;
  return launch;
}

SimulatedRun of_command(std::vector<std::string> command) {
  JobSpec spec;
  spec.command = std::move(command);
  return simulate_run(launch(std::move(spec)), 1);
}

SimulatedRun of_script(std::string script) {
  JobSpec spec;
  spec.script = std::move(script);
  return simulate_run(launch(std::move(spec)), 1);
}

SimulatedRun of_environment(std::vector<std::pair<std::string, std::string>> environment,
                            std::vector<std::string> command) {
  JobSpec spec;
  spec.command = std::move(command);
  spec.environment = std::move(environment);
  return simulate_run(launch(std::move(spec)), 1);
}

/// By chance: neither the very time that a text could mean nor at once.
bool is_drawn(const SimulatedRun& run) { return run.run_time.count() % 1'000'000 != 0; }

TEST(SimulatedRun, SleepsAsLongAsItIsTold) {
  EXPECT_EQ(of_command({"sleep", "30"}).run_time, seconds(30));
  EXPECT_EQ(of_command({"/bin/sleep", "1.5m"}).run_time, seconds(90));
  EXPECT_EQ(of_command({"sleep", "1h", "30s", ".5"}).run_time, Nanoseconds{3'630'500'000'000});
  EXPECT_EQ(of_command({"sh", "-c", "sleep 4"}).run_time, seconds(4));
  EXPECT_EQ(of_command({"bash", "-c", " sleep 0.1d # for a while"}).run_time, seconds(8640));
  EXPECT_EQ(of_script("#!/bin/sh\n#SBATCH --nodes=2\n\n  sleep 12\n# done\n").run_time, seconds(12));
  EXPECT_EQ(of_script("#!/bin/sh\r\nsleep 12\r\n").run_time, seconds(12));
  const SimulatedRun run = of_command({"sleep", "30"});
  EXPECT_EQ(run.end, AttemptEnd::kExited);
  EXPECT_EQ(run.exit_code, 0);
}

TEST(SimulatedRun, TrueAndFalseEndAtOnce) {
  EXPECT_EQ(of_command({"true"}).run_time, Nanoseconds{0});
  EXPECT_EQ(of_command({"true"}).exit_code, 0);
  EXPECT_EQ(of_command({"/usr/bin/false"}).run_time, Nanoseconds{0});
  EXPECT_EQ(of_command({"/usr/bin/false"}).exit_code, 1);
  EXPECT_EQ(of_script("#!/bin/sh\nfalse\n").exit_code, 1);
}

TEST(SimulatedRun, WhatDoesMoreThanThatIsDrawn) {
  EXPECT_TRUE(is_drawn(of_command({"python3", "train.py"})));
  EXPECT_TRUE(is_drawn(of_command({"sleep"})));
  EXPECT_TRUE(is_drawn(of_command({"sleep", "-5"})));
  EXPECT_TRUE(is_drawn(of_command({"sleep", "5", "&&", "ls"})));
  EXPECT_TRUE(is_drawn(of_command({"sh", "-c", "sleep 5; ls"})));
  EXPECT_TRUE(is_drawn(of_command({"sh", "-c", "true && ls"})));
  EXPECT_TRUE(is_drawn(of_script("#!/bin/sh\nsleep 5\npython3 train.py\n")));
  EXPECT_TRUE(is_drawn(of_script("#!/bin/sh\n")));
}

TEST(SimulatedRun, TheEnvironmentSaysItInPlaceOfTheCommand) {
  EXPECT_EQ(of_environment({{"GIGAWERK_SIM_RUN_TIME", "90s"}}, {"train"}).run_time, seconds(90));
  EXPECT_EQ(of_environment({{"GIGAWERK_SIM_RUN_TIME", "1h 30min"}}, {"sleep", "5"}).run_time, minutes(90));
  EXPECT_EQ(of_environment({{"GIGAWERK_SIM_RUN_TIME", "90s"}}, {"false"}).exit_code, 1);
  const SimulatedRun failed =
      of_environment({{"GIGAWERK_SIM_EXIT_CODE", "3"}, {"GIGAWERK_SIM_RUN_TIME", "10s"}}, {"train"});
  EXPECT_EQ(failed.run_time, seconds(10));
  EXPECT_EQ(failed.exit_code, 3);
  EXPECT_EQ(of_environment({{"GIGAWERK_SIM_EXIT_CODE", "0"}}, {"false"}).exit_code, 0);
  EXPECT_TRUE(is_drawn(of_environment({{"GIGAWERK_SIM_EXIT_CODE", "3"}}, {"train"})));
  // What makes no sense says nothing.
  EXPECT_TRUE(is_drawn(of_environment({{"GIGAWERK_SIM_RUN_TIME", "soon"}}, {"train"})));
  EXPECT_EQ(of_environment({{"GIGAWERK_SIM_EXIT_CODE", "256"}}, {"true"}).exit_code, 0);
}

TEST(SimulatedRun, NothingRunsPastItsLimit) {
  for (const char* time : {"11", "infinity", "1e300"}) {
    const SimulatedRun run = of_command({"sleep", time});
    EXPECT_EQ(run.run_time, std::string(time) == "11" ? seconds(11) : hours(10)) << time;
    EXPECT_EQ(run.end, std::string(time) == "11" ? AttemptEnd::kExited : AttemptEnd::kTimeLimit) << time;
  }
  JobSpec spec;
  spec.command = {"sleep", "60"};
  EXPECT_EQ(simulate_run(launch(spec, seconds(60)), 1).end, AttemptEnd::kExited);
  EXPECT_EQ(simulate_run(launch(spec, seconds(59)), 1).end, AttemptEnd::kTimeLimit);
  EXPECT_EQ(simulate_run(launch(spec, seconds(59)), 1).run_time, seconds(59));
}

TEST(SimulatedRun, DrawsHaveTheStatedShape) {
  JobSpec spec;
  spec.command = {"train"};
  constexpr int kRuns = 20'000;
  int below_median = 0;
  int late = 0;
  int failed = 0;
  live::Launch one = launch(spec, seconds(1000));
  for (int job = 0; job < kRuns; ++job) {
    one.id = {static_cast<std::uint64_t>(job), 1};
    const SimulatedRun run = simulate_run(one, 1);
    EXPECT_LE(run.run_time, one.limit);
    EXPECT_GE(run.startup, seconds(1));
    EXPECT_LE(run.startup, seconds(3));
    below_median += run.run_time < seconds(400);
    late += run.end == AttemptEnd::kTimeLimit;
    failed += run.exit_code != 0;
  }
  // Failures are early: 0.96 * 0.5 + 0.04 * 0.64 are below the median of the others; 0.96 * 0.126 + 0.04 *
  // 0.06 late.
  EXPECT_NEAR(below_median / double{kRuns}, 0.509, 0.015);
  EXPECT_NEAR(late / double{kRuns}, 0.123, 0.01);
  EXPECT_NEAR(failed / double{kRuns}, 0.04, 0.006);
}

TEST(SimulatedRun, FollowsFromSeedAndAttemptAlone) {
  JobSpec spec;
  spec.command = {"train"};
  live::Launch one = launch(spec);
  const SimulatedRun run = simulate_run(one, 1);
  one.decided = Instant{5};
  one.tenant = "other";
  EXPECT_EQ(simulate_run(one, 1).run_time, run.run_time);
  EXPECT_NE(simulate_run(one, 2).run_time, run.run_time);
  one.id.attempt = 2;
  EXPECT_NE(simulate_run(one, 1).run_time, run.run_time);
}

}  // namespace
}  // namespace gw::serve
