// Job files: every key, what is wrong with each and where, and the bounds.
#include "spec/job_spec_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "spec/broken_jobs.h"
#include "spec/job_check.h"
#include "spec/job_text.h"

namespace gw::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

JobSpec good(const std::string& text) {
  Checked<JobSpec> job = parse_job(text, "j.yaml");
  EXPECT_TRUE(job.has_value()) << diagnostics_text(job.error());
  return job.value_or(JobSpec{});
}

std::string told(const std::string& text) {
  const Checked<JobSpec> job = parse_job(text, "j.yaml");
  return job ? "no error" : diagnostics_text(job.error());
}

/// A file with a command and these keys, each on a line from line 4.
std::string with(const std::string& keys) { return BrokenJob{keys.c_str(), ""}.text(); }

TEST(JobFile, TheSmallest) {
  const JobSpec job = good("gigawerk: 1\njob: {command: [hostname]}\n");
  JobSpec wanted;
  wanted.command = {"hostname"};
  EXPECT_EQ(job, wanted);
}

TEST(JobFile, EveryKey) {
  const JobSpec job = good(R"(gigawerk: 1
job:
  name: train-llm
  tenant: acme/vision
  script: |
    #!/bin/bash
    python train.py "$@"
  arguments: [--epochs, "3", ""]
  working_folder: /home/ada/run
  environment: {OMP_NUM_THREADS: "8", A: ""}
  output: logs/%j.out
  error: logs/%A_%a.%N.%u.%t.%x.%%.err
  nodes: 2
  gpus: 8
  gpu_types: [h100, h200]
  cpus: 16.5
  memory: 64 GiB
  tasks_per_node: 8
  within: leaf
  within_required: true
  limit: 4h
  warning: {signal: SIGUSR1, before: 5min, to: first}
  grace: 1min 30s
  begin: 2026-12-01T08:00:00+01:00
  priority: -10
  hold: true
  preemptible: true
  requeue: false
  checkpoint_interval: 30min
  array: "0-99%10"
  depends: ["afterok:12", "afterany:13", "afternotok:14", "after:15"]
  depends_any: true
  image: docker.io/pytorch/pytorch:2.4
  launch: first-node
  comment: |
    two
    lines
)");
  JobSpec wanted;
  wanted.name = "train-llm";
  wanted.tenant = "acme/vision";
  wanted.script = "#!/bin/bash\npython train.py \"$@\"\n";
  wanted.arguments = {"--epochs", "3", ""};
  wanted.working_folder = "/home/ada/run";
  wanted.environment = {{"A", ""}, {"OMP_NUM_THREADS", "8"}};
  wanted.output = "logs/%j.out";
  wanted.error = "logs/%A_%a.%N.%u.%t.%x.%%.err";
  wanted.nodes = 2;
  wanted.gpus = 8;
  wanted.gpu_types = {"h100", "h200"};
  wanted.cpu_milli = 16500;
  wanted.memory_mib = 65536;
  wanted.tasks_per_node = 8;
  wanted.level = "leaf";
  wanted.level_required = true;
  wanted.limit = hours(4);
  wanted.warning = {10, minutes(5), false};
  wanted.grace = seconds(90);
  wanted.begin_unix = 1796108400;
  wanted.priority = -10;
  wanted.hold = true;
  wanted.preemptible = true;
  wanted.requeue = false;
  wanted.checkpoint_interval = minutes(30);
  wanted.array = ArraySpec{{{0, 99, 1}}, 10};
  wanted.dependencies = {{DependencyKind::kAfterOk, 12},
                         {DependencyKind::kAfterAny, 13},
                         {DependencyKind::kAfterNotOk, 14},
                         {DependencyKind::kAfterStart, 15}};
  wanted.any_dependency = true;
  wanted.image = "docker.io/pytorch/pytorch:2.4";
  wanted.isolation = Isolation::kContainer;  // Follows from the image.
  wanted.launch = LaunchKind::kFirstNode;
  wanted.comment = "two\nlines\n";
  EXPECT_EQ(job, wanted);
}

TEST(JobFile, TheFormsOfGpus) {
  const JobSpec anywhere = good(with("  gpus_anywhere: 24\n"));
  EXPECT_EQ(anywhere.nodes, 0U);
  EXPECT_EQ(anywhere.gpus, 24U);
  const JobSpec share = good(with("  gpu_share: 0.25\n"));
  EXPECT_EQ(share.gpu_milli, 250U);
  EXPECT_EQ(share.nodes, 1U);
  EXPECT_EQ(share.gpus, 0U);
  EXPECT_EQ(good(with("  gpu_share: 0.333\n")).gpu_milli, 333U);
  EXPECT_EQ(good(with("  cpus: 0.001\n")).cpu_milli, 1);
  EXPECT_EQ(good(with("  memory: 64 GB\n")).memory_mib, 61035) << "as a node of 64 GB is counted";
  EXPECT_EQ(good(with("  isolation: bubblewrap\n")).isolation, Isolation::kBubblewrap);
}

TEST(JobFile, EachMistakeIsNamedWithItsPlace) {
  for (const BrokenJob& job : broken_jobs())
    EXPECT_THAT(told(job.text()), StartsWith(std::string("j.yaml:") + job.finding)) << job.keys;
}

TEST(JobFile, MistakesOfTheFile) {
  EXPECT_EQ(told("gigawerk: 1\n"), "j.yaml:1:1: \"job file\" lacks the key \"job\"");
  EXPECT_EQ(told("job: {command: [a]}\n"), "j.yaml:1:1: \"job file\" lacks the key \"gigawerk\"");
  EXPECT_EQ(told("gigawerk: 1\njob: {name: a}\n"), "j.yaml:2:6: \"job\" needs one of: command, script");
  EXPECT_THAT(told("gigawerk: 1\njob: [a]\n"),
              HasSubstr("j.yaml:2:6: \"job\" must be a mapping with the keys name, "));
  EXPECT_EQ(told("gigawerk: 1\njob: {command: []}\n"),
            "j.yaml:2:16: \"command\" must have at least 1 item, not 0");
  EXPECT_EQ(told("gigawerk: 1\njob: {command: [\"\"]}\n"),
            "j.yaml:2:16: \"command\" begins with an empty text; name a program");
  EXPECT_EQ(told("gigawerk: 1\njob: {command: [a, 3]}\n"),
            "j.yaml:2:20: \"command\" must be a text; write \"3\" in quotes");
  EXPECT_EQ(told("gigawerk: 1\njob: {script: \"echo\"}\n"),
            "j.yaml:2:15: \"script\" must begin with `#!` and an interpreter, for example `#!/bin/bash`");
  EXPECT_THAT(told("gigawerk: 1\njob: {script: \"#!/bin/sh\\r\\necho\\r\\n\"}\n"),
              HasSubstr("\"script\" has Windows line ends"));
  EXPECT_THAT(told("gigawerk: 1\njob: {comment: \"\xff\"}\n"),
              StartsWith("j.yaml: the file is not UTF-8; convert it"));
  EXPECT_THAT(told(""), HasSubstr("the file is empty"));
}

TEST(JobFile, AllErrorsAreReportedAtOnceInOrder) {
  EXPECT_EQ(told(with("  gpus: many\n  memory: 1\n  limitt: 4h\n  hold: no\n")),
            "j.yaml:4:9: \"gpus\" must be a whole number from 0 to 64, not \"many\"\n"
            "j.yaml:5:11: \"memory\" must be an amount with its unit, not \"1\"; write for example 180 GB or "
            "2 TiB (units, "
            "as they are written here: MB, MiB, GB, GiB, TB, TiB)\n"
            "j.yaml:6:3: unknown key \"limitt\"; did you mean \"limit\"?\n"
            "j.yaml:7:9: \"hold\" must be true or false, not \"no\"");
}

TEST(JobFile, WhatIsWrongBeyondSingleValuesIsReportedBesideThem) {
  EXPECT_EQ(told("gigawerk: 1\njob:\n  name: x\n  comand: [a]\n  depends: [afterok12]\n  begin: yesterday\n"),
            "j.yaml:3:3: \"job\" needs one of: command, script\n"
            "j.yaml:4:3: unknown key \"comand\"; did you mean \"command\"?\n" +
                told(with("  depends: [afterok12]\n")).replace(7, 1, "5") + "\n" +
                told(with("  begin: yesterday\n")).replace(7, 1, "6"));
  const std::string bad = "j.yaml:4:9: \"hold\" must be true or false, not \"no\"\n";
  EXPECT_EQ(told(with("  hold: no\n  nodes: 4\n  nodes_max: 2\n")),
            bad + "j.yaml:6:14: \"nodes_max\" must be a whole number from 5 to 20000000");
  EXPECT_EQ(told(with("  hold: no\n  limit: 1h\n  warning: {signal: TERM, before: 2h}\n")),
            bad + "j.yaml:6:35: \"warning.before\" must be shorter than the job's limit");
}

TEST(JobFile, NothingIsSaidOfWhatOnlyFollowsFromAMistake) {
  const auto one = [](const std::string& keys) {
    const std::string all = told(with(keys));
    EXPECT_EQ(all.find('\n'), std::string::npos) << all;
  };
  one("  gpus: many\n  gpu_types: [h100]\n");
  one("  gpuss: 8\n  gpu_types: [h100]\n");
  one("  nodes: many\n  segment: 4\n");
  one("  nodes: many\n  nodes_max: 1\n");
  one("  gpus_anywhere: many\n  tasks_per_node: 2\n");
  one("  isolation: jail\n  image: x\n");
  one("  limit: 0.5s\n  warning: {signal: TERM, before: 2h}\n");
  one("  deadline: [x]\n  flexible: true\n");
  one("  depends: afterok:12\n  depends_any: true\n");
  one("  depends: [3]\n  depends_any: true\n");
  one("  gpus: 1\n  gpus: 2\n");
  one("  gpus: 1\n  gpu_share: 0.5\n");
  one("  within: \"\"\n  within_required: true\n");
}

TEST(JobFile, LongTextsAreRefused) {
  const auto yaml = [](const std::string& key, const std::string& value) {
    return with("  " + key + ": \"" + value + "\"\n");
  };
  const auto x = [](std::size_t count) { return std::string(count, 'x'); };
  EXPECT_EQ(told(yaml("name", x(200))), "no error");
  EXPECT_EQ(told(yaml("name", x(201))), "j.yaml:4:9: \"name\" has 201 bytes; at most 200 are allowed");
  EXPECT_EQ(told(yaml("comment", x(4096))), "no error");
  EXPECT_THAT(told(yaml("comment", x(4097))), HasSubstr("\"comment\" has 4097 bytes; at most 4096"));
  EXPECT_EQ(told(yaml("output", x(4095))), "no error");
  EXPECT_THAT(told(yaml("output", x(4096))), HasSubstr("\"output\" has 4096 bytes"));
  const auto command = [&](std::size_t words, std::size_t bytes) {
    std::string text = "gigawerk: 1\njob:\n  command:\n";
    for (std::size_t word = 0; word < words; ++word) text += "    - " + x(bytes) + "\n";
    return told(text);
  };
  EXPECT_EQ(command(4096, 31), "no error");
  EXPECT_THAT(command(4097, 1), HasSubstr("\"command\" must have at most 4096 items, not 4097"));
  EXPECT_THAT(command(4096, 32),
              HasSubstr("\"command\" has 135168 bytes in all; at most 131072 are allowed"));
  const auto script = [&](std::size_t bytes) {
    return told("gigawerk: 1\njob:\n  script: \"#!/bin/sh\\n" + x(bytes - 10) + "\"\n");
  };
  EXPECT_EQ(script(1 << 20), "no error");
  EXPECT_THAT(script((1 << 20) + 1), HasSubstr("\"script\" has 1048577 bytes; at most 1048576 are allowed"));
  const auto environment = [&](std::size_t variables, std::size_t bytes) {
    std::string text = "  environment:\n";
    for (std::size_t index = 0; index < variables; ++index)
      text += "    V" + std::to_string(100 + index) + ": \"" + x(bytes) + "\"\n";
    return told(with(text));
  };
  EXPECT_EQ(environment(1, 131066), "no error");
  EXPECT_THAT(environment(1, 131067),
              HasSubstr("\"environment.V100\" has 131067 bytes; at most 131066 are allowed"));
  EXPECT_EQ(environment(8, 131066), "no error");
  EXPECT_THAT(environment(9, 131066),
              HasSubstr("\"environment\" has 1179648 bytes in all; at most 1048576 are"));
}

TEST(JobFile, ArraysOfAMillionTasksAreCheckedQuickly) {
  EXPECT_EQ(array_tasks(*good(with("  array: 0-999999\n")).array), 1'000'000U);
  EXPECT_EQ(array_tasks(*good(with("  array: 0-999998:2,1-999999:2\n")).array), 1'000'000U);
  EXPECT_EQ(good(with("  array: \"1,3,5-10:2,20-20:7\"\n")).array->ranges,
            (std::vector<ArrayRange>{{1, 1, 1}, {3, 3, 1}, {5, 9, 2}, {20, 20, 1}}));
}

TEST(JobFile, IsToldFromOtherFiles) {
  EXPECT_TRUE(looks_like_job("gigawerk: 1\njob: {}\n"));
  EXPECT_FALSE(looks_like_job("gigawerk: 1\nfleet: {}\n"));
  EXPECT_FALSE(looks_like_job("- job\n"));
  EXPECT_FALSE(looks_like_job("job: ["));
}

TEST(JobFile, FilesAreRead) {
  const Checked<JobSpec> missing = read_job("/nonexistent/job.yaml");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(diagnostics_text(missing.error()),
              StartsWith("/nonexistent/job.yaml: cannot open: No such file"));
}

TEST(JobCheck, FindsWhatNoFileCanSay) {
  const auto keys = [](const JobSpec& job) {
    std::vector<std::string> all;
    for (const JobProblem& problem : check_job(job)) all.push_back(problem.key);
    return all;
  };
  JobSpec job;
  job.command = {"a"};
  EXPECT_THAT(keys(job), ElementsAre());
  job.command = {"a\xff"};
  job.environment = {{"B", ""}, {"A", ""}};
  job.gpu_milli = 1000;
  job.memory_mib = -1;
  job.warning.before = seconds(1);
  job.grace = Nanoseconds{1};
  job.begin_unix = -1;
  job.array = ArraySpec{{{0, 10, 3}}, 0};
  job.dependencies = {{DependencyKind::kAfterOk, 0}};
  EXPECT_THAT(keys(job), ElementsAre("command", "environment", "gpu_share", "memory", "grace",
                                     "warning.signal", "begin", "array", "depends"));
}

TEST(JobCheck, Utf8) {
  for (const char* text :
       {"", "abc", "12345678ü", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"})
    EXPECT_TRUE(is_utf8(text)) << text;
  for (const char* text : {"\x80", "12345678\xff", "\xc0\xaf", "\xc3", "\xe0\x9f\xbf", "\xed\xa0\x80",
                           "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xf0\x9f\x98"})
    EXPECT_FALSE(is_utf8(text)) << text;
}

TEST(JobCheck, NamesAfterTheProgram) {
  JobSpec job;
  job.script = "#!/bin/sh\n";
  EXPECT_EQ(default_job_name(job), "script");
  job.command = {"/usr/bin/python3", "x"};
  EXPECT_EQ(default_job_name(job), "python3");
  job.command = {"bin/"};
  EXPECT_EQ(default_job_name(job), "job");
}

}  // namespace
}  // namespace gw::spec
