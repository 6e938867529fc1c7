// Batch scripts: every option and form, what is refused and how, and the precedence of the command line.
#include "spec/sbatch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "spec/catalog.h"
#include "spec/job_json.h"
#include "spec/sbatch_options.h"

namespace gw::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::int64_t kNow = 1796108400;  // 2026-12-01T07:00:00Z, a Tuesday.

SbatchContext context() { return {"/home/ada", kNow}; }

/// A script with these options, each line of them from line 2.
std::string script(const std::string& options) {
  std::string text = "#!/bin/bash\n";
  std::size_t begin = 0;
  while (begin <= options.size()) {
    const std::size_t end = std::min(options.find('\n', begin), options.size());
    text += "#SBATCH " + options.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  return text + "hostname\n";
}

std::vector<std::string> messages(const std::vector<Diagnostic>& all) {
  std::vector<std::string> texts;
  for (const Diagnostic& finding : all) texts.push_back(finding.text());
  return texts;
}

SbatchJob good(const std::string& options, const std::vector<std::string>& command_line = {}) {
  Checked<SbatchJob> job = parse_sbatch(script(options), "s.sbatch", command_line, context());
  EXPECT_TRUE(job.has_value()) << options << '\n' << diagnostics_text(job.error());
  return job.value_or(SbatchJob{});
}

/// What differs from a script without options, as JSON.
std::string told(JobSpec job) {
  job.script.clear();
  if (job.name == "s.sbatch") job.name.clear();
  if (job.working_folder == "/home/ada") job.working_folder.clear();
  if (job.launch == LaunchKind::kFirstNode) job.launch = LaunchKind::kEveryTask;
  return job_json(job);
}

std::string refused(const std::string& options, const std::vector<std::string>& command_line = {}) {
  const Checked<SbatchJob> job = parse_sbatch(script(options), "s", command_line, context());
  return job ? "no error" : diagnostics_text(job.error());
}

TEST(Sbatch, WhatIsNotSupportedIsNamedBesideWhatIsWrong) {
  const std::string all = refused("--time=soon\n--partition=gpu\n--qos=high");
  EXPECT_THAT(all, HasSubstr("s:2:9: --time=soon: "));
  EXPECT_THAT(all, HasSubstr("s:3:9: warning: --partition=gpu is not supported: "));
  EXPECT_THAT(all, HasSubstr("s:4:9: warning: --qos=high is not supported: "));
}

TEST(Sbatch, AScriptWithoutOptions) {
  const std::string text = "#!/bin/bash\necho hello\n";
  const Checked<SbatchJob> job = parse_sbatch(text, "/home/ada/hello.sh", {}, context());
  ASSERT_TRUE(job.has_value());
  JobSpec wanted;
  wanted.name = "hello.sh";
  wanted.script = text;
  wanted.launch = LaunchKind::kFirstNode;
  wanted.working_folder = "/home/ada";
  EXPECT_EQ(job->job, wanted);
  EXPECT_EQ(job->environment, SbatchExport{});
  EXPECT_EQ(job->client, SbatchClient{});
  EXPECT_THAT(job->unsupported, IsEmpty());
  EXPECT_THAT(job->warnings, IsEmpty());
}

/// Options and the job they make; the first option of each row is the one that the row is about.
const std::vector<std::pair<std::string, std::string>>& rows() {
  static const std::vector<std::pair<std::string, std::string>> all = {
      // Names and texts.
      {"--job-name=train", R"({"name":"train"})"},
      {"-J train", R"({"name":"train"})"},
      {"--job=train", R"({"name":"train"})"},
      {"-Jtrain", R"({"name":"train"})"},
      {"--job-name \"my job\"", R"({"name":"my job"})"},
      {"--job-name=\"a b\"'c d'\\ e", R"({"name":"a bc d e"})"},
      {"--account=acme/vision", R"({"tenant":"acme/vision"})"},
      {"-A acme.vision", R"({"tenant":"acme.vision"})"},
      {"--comment='see \"x\" # y'", R"({"comment":"see \"x\" # y"})"},
      {"--comment=a#b", R"({"comment":"a"})"},
      {"--chdir=/scratch/run", R"({"working_folder":"/scratch/run"})"},
      {"-D runs/../a/", R"({"working_folder":"/home/ada/a"})"},
      {"-D .", "{}"},
      {"--output=logs/%x-%j.out", R"({"output":"logs/%x-%j.out"})"},
      {"--output=log.%4a", R"({"output":"log.%4a"})"},
      {"-o %A_%a_%N_%u_%t_%%.out", R"({"output":"%A_%a_%N_%u_%t_%%.out"})"},
      {"--error=err.%j", R"({"error":"err.%j"})"},
      {"-e err", R"({"error":"err"})"},
      {"--open-mode=append", "{}"},
      {"--export=NONE", "{}"},
      // Nodes and tasks.
      {"--nodes=2", R"({"nodes":2})"},
      {"-N 2", R"({"nodes":2})"},
      {"-N2", R"({"nodes":2})"},
      {"--nodes=2-2", R"({"nodes":2})"},
      {"--nodes=4-16", R"({"nodes":4,"nodes_max":16})"},
      {"-N 4-16 --gpus-per-node=8", R"({"nodes":4,"nodes_max":16,"gpus":8})"},
      {"-N 1-1k", R"({"nodes_max":1024})"},
      {"--nodes=1k", R"({"nodes":1024})"},
      {"--ntasks=1", "{}"},
      {"--ntasks=8", R"({"cpus":8,"tasks_per_node":8})"},
      {"-n 8 -N 2", R"({"nodes":2,"cpus":4,"tasks_per_node":4})"},
      {"--ntasks=8 --ntasks-per-node=4", R"({"nodes":2,"cpus":4,"tasks_per_node":4})"},
      {"--ntasks=3 --ntasks-per-node=4", R"({"cpus":3,"tasks_per_node":3})"},
      {"--ntasks=8 --nodes=4 --ntasks-per-node=4", R"({"nodes":4,"cpus":2,"tasks_per_node":2})"},
      {"--ntasks-per-node=4 --nodes=3", R"({"nodes":3,"cpus":4,"tasks_per_node":4})"},
      {"--tasks-per-node=4", R"({"cpus":4,"tasks_per_node":4})"},
      // Cores and memory.
      {"--cpus-per-task=8", R"({"cpus":8})"},
      {"-c 8 --ntasks-per-node=4", R"({"cpus":32,"tasks_per_node":4})"},
      {"--cpus-per-gpu=6 --gpus-per-node=4", R"({"gpus":4,"cpus":24})"},
      {"--mem=64G", R"({"memory":"64 GiB"})"},
      {"--mem=64GB", R"({"memory":"64 GiB"})"},
      {"--mem=1t", R"({"memory":"1 TiB"})"},
      {"--mem=2000", R"({"memory":"2000 MiB"})"},
      {"--mem=2000M", R"({"memory":"2000 MiB"})"},
      {"--mem=1025K", R"({"memory":"2 MiB"})"},
      {"--mem-per-cpu=2G", R"({"memory":"2 GiB"})"},
      {"--mem-per-cpu=2G -c 4 --ntasks-per-node=2", R"({"cpus":8,"memory":"16 GiB","tasks_per_node":2})"},
      {"--mem-per-cpu=2G --ntasks-per-node=2 --gpus-per-node=1",
       R"({"gpus":1,"memory":"4 GiB","tasks_per_node":2})"},
      {"--mem-per-gpu=100G --gpus-per-node=2", R"({"gpus":2,"memory":"200 GiB"})"},
      // GPUs.
      {"--gpus=1", R"({"gpus":1})"},
      {"-G h100:4", R"({"gpus":4,"gpu_types":["h100"]})"},
      {"--gpus=16 --nodes=2", R"({"nodes":2,"gpus":8})"},
      {"--gpus-per-node=8 -N 4", R"({"nodes":4,"gpus":8})"},
      {"--gpus-per-node=a100:8", R"({"gpus":8,"gpu_types":["a100"]})"},
      {"--gpus-per-node=a100", R"({"gpus":1,"gpu_types":["a100"]})"},
      {"--gpus-per-task=2 --ntasks-per-node=4", R"({"gpus":8,"tasks_per_node":4})"},
      {"--gpus-per-task=1 --gpus=8", R"({"gpus":8,"tasks_per_node":8})"},
      {"--gpus-per-task=1 --gpus=8 --nodes=2", R"({"nodes":2,"gpus":4,"tasks_per_node":4})"},
      {"--gpus-per-task=h100:1", R"({"gpus":1,"gpu_types":["h100"]})"},
      {"--gres=gpu", R"({"gpus":1})"},
      {"--gres=gpu:4", R"({"gpus":4})"},
      {"--gres=gpu:a100:4", R"({"gpus":4,"gpu_types":["a100"]})"},
      {"--gres=gpu:a100", R"({"gpus":1,"gpu_types":["a100"]})"},
      {"--gres=gres/gpu:2", R"({"gpus":2})"},
      {"--gres=gpu:0", "{}"},
      {"--gres=none", "{}"},
      {"--gres=gpu:4 --gpus=8 --nodes=2", R"({"nodes":2,"gpus":4})"},
      {"--tres-per-node=gres/gpu:h200:8", R"({"gpus":8,"gpu_types":["h200"]})"},
      {"--tres-per-node=gres:gpu:8", R"({"gpus":8})"},
      {"--tres-per-task=cpu=4,gres/gpu=1", R"({"gpus":1,"cpus":4})"},
      {"--switches=1", R"({"within":"leaf"})"},
      {"--segment=4 --nodes=8", R"({"nodes":8,"segment":4})"},
      {"--exclusive", R"({"exclusive":"node"})"},
      {"--spread-job --nodes=4", R"({"nodes":4,"spread":"leaf"})"},
      {"--reservation=demo-day --nodes=4", R"({"nodes":4,"reservation":"demo-day"})"},
      // Times.
      {"--time=90", R"({"limit":"90min"})"},
      {"-t 10:30", R"({"limit":"630s"})"},
      {"-t 04:00:00", R"({"limit":"4h"})"},
      {"-t 2-12", R"({"limit":"60h"})"},
      {"-t 2-12:30", R"({"limit":"3630min"})"},
      {"-t 2-12:30:15", R"({"limit":"217815s"})"},
      {"-t 90:00", R"({"limit":"90min"})"},
      {"-t UNLIMITED", R"({"limit":"36500d"})"},
      {"-t infinite", R"({"limit":"36500d"})"},
      {"-t -1", R"({"limit":"36500d"})"},
      {"-t 0", R"({"limit":"36500d"})"},
      {"--begin=now+1hour", R"({"begin":"2026-12-01T08:00:00Z"})"},
      {"-b 2026-12-24", R"({"begin":"2026-12-24T00:00:00Z"})"},
      {"--signal=USR1@300", R"({"warning":{"signal":"USR1","before":"5min"}})"},
      {"--signal=B:USR2", R"({"warning":{"signal":"USR2","before":"1min","to":"first"}})"},
      {"--signal=b:SIGTERM@90", R"({"warning":{"signal":"TERM","before":"90s","to":"first"}})"},
      {"--signal=10", R"({"warning":{"signal":"USR1","before":"1min"}})"},
      // Order.
      {"--array=0-99:3%10", R"({"array":"0-99:3%10"})"},
      {"-a 1,3,5", R"({"array":"1,3,5"})"},
      {"--dependency=afterok:12", R"({"depends":["afterok:12"]})"},
      {"-d afterok:12:13,after:14,afternotok:15,afterany:16",
       R"({"depends":["afterok:12","afterok:13","after:14","afternotok:15","afterany:16"]})"},
      {"-d afterok:1:2?afterany:3",
       R"({"depends":["afterok:1","afterok:2","afterany:3"],"depends_any":true})"},
      {"-d 17", R"({"depends":["afterany:17"]})"},
      {"--hold", R"({"hold":true})"},
      {"-H", R"({"hold":true})"},
      {"--priority=100", R"({"priority":100})"},
      {"--nice", R"({"priority":-100})"},
      {"--nice=20 --priority=100", R"({"priority":80})"},
      {"--nice=-20", R"({"priority":20})"},
      {"--requeue", "{}"},
      {"--no-requeue", R"({"requeue":false})"},
      {"--no-requeue --requeue", "{}"},
      // Several on one line, and later ones win.
      {"-HN2 -c4 --time=5 # a comment --hold", R"({"nodes":2,"cpus":4,"limit":"5min","hold":true})"},
      {"--time=5\n--time=6", R"({"limit":"6min"})"},
  };
  return all;
}

TEST(Sbatch, EveryOptionAndForm) {
  for (const auto& [options, wanted] : rows()) EXPECT_EQ(told(good(options).job), wanted) << options;
}

/// An option may be neither mapped nor named: each of the table is tried here.
TEST(Sbatch, EveryOptionOfTheTableIsTried) {
  std::set<std::string_view> tried;
  for (const auto& [options, wanted] : rows()) {
    const std::string_view first = std::string_view(options).substr(0, options.find_first_of(" =\n"));
    tried.insert(first.starts_with("--") ? first.substr(2) : first);
  }
  for (const SbatchOption& option : sbatch_options()) {
    const std::string use =
        fmt::format("--{}{}", option.name, option.argument == SbatchArgument::kRequired ? "=x" : "");
    if (option.id == SbatchId::kUnsupported) {
      const SbatchJob job = good(use);
      EXPECT_EQ(told(job.job), "{}") << use;
      EXPECT_THAT(
          messages(job.unsupported),
          ElementsAre(fmt::format("s.sbatch:2:9: warning: {} is not supported: {}", use, option.note)));
      EXPECT_FALSE(option.note.empty()) << use;
    } else if (option.id < SbatchId::kHelp) {
      EXPECT_TRUE(tried.contains(option.name)) << use << " has no row in the table of this test";
      EXPECT_THAT(option.note,
                  HasSubstr(option.id == SbatchId::kOpenMode                                     ? "nothing"
                            : option.name.starts_with("tres") || option.name == "tasks-per-node" ? "as --"
                                                                                                 : "`"));
    }
  }
  std::set<char> letters;
  std::string_view before;
  for (const SbatchOption& option : sbatch_options()) {
    EXPECT_LT(before, option.name);
    before = option.name;
    EXPECT_TRUE(option.letter == 0 || letters.insert(option.letter).second) << option.letter;
  }
  EXPECT_EQ(sbatch_options().size(), 124U) << "121 of Slurm 22.05 to 26.05, and three older ones";
}

TEST(Sbatch, EachMistakeIsNamedWithItsPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"--gpus-per-nod=8 --bogus", "s:2:26: unknown option --bogus"},
      {"--job-nam", "s:2:9: --job-name needs a value: --job-name=NAME"},
      {"--cpus-per-tsk=4", "s:2:9: unknown option --cpus-per-tsk; did you mean \"--cpus-per-task\"?"},
      {"--ntasks_per_node=4", "s:2:9: unknown option --ntasks_per_node; did you mean \"--ntasks-per-node\"?"},
      {"--cpus=4", "s:2:9: --cpus may be --cpus-per-gpu, --cpus-per-task; write one of them"},
      {"--frobnicate-it", "s:2:9: unknown option --frobnicate-it; sbatch has no such option"},
      {"-z", "s:2:9: unknown option -z"},
      {"-Hz", "s:2:9: unknown option -Hz"},
      {"--hold=yes", "s:2:9: --hold takes no value; leave \"=yes\" out"},
      {"-N", "s:2:9: --nodes needs a value: --nodes=N"},
      {"--nodes 2 gpus", "s:2:19: \"gpus\" is no option; a value with blanks stands in quotes"},
      {"--job-name=my job", "s:2:23: \"job\" is no option; a value with blanks stands in quotes"},
      {"--comment=\"a", "s:2:19: this \" has no partner in its line"},
      {"-N=2", "s:2:9: --nodes==2: \"=2\" is no number of nodes from 1 to 20000000"},
      {"--nodes=4-2", "s:2:9: --nodes=4-2: \"4-2\" begins with more nodes than it ends with"},
      {"--nodes=2-", "s:2:9: --nodes=2-: \"2-\" is no number of nodes from 1 to 20000000"},
      {"--nodes=2-4 --segment=2", "s:2:9: --nodes=2-4: \"nodes_max\" excludes \"segment\" and \"spread\""},
      {"--nodes=2-4 --ntasks=8",
       "s:2:21: --ntasks=8 does not say how many are on each of --nodes=2-4; write --ntasks-per-node"},
      {"--nodes=2-4 --gpus=8",
       "s:2:21: --gpus=8 does not say how many are on each of --nodes=2-4; write --gpus-per-node"},
      {"--nodes=1,2",
       "s:2:9: --nodes=1,2: Gigawerk does not choose between single numbers of nodes; write one, such as 2"},
      {"--nodes=0", "s:2:9: --nodes=0: \"0\" is no number of nodes from 1 to 20000000"},
      {"--nodes=20000001", "s:2:9: --nodes=20000001: \"20000001\" is no number of nodes"},
      {"--nodes=20m", "s:2:9: --nodes=20m: \"20m\" is no number of nodes"},
      {"--ntasks=0", "s:2:9: --ntasks=0: \"0\" is no whole number from 1 to 81920000000"},
      {"--ntasks=10 --nodes=4",
       "s:2:9: --ntasks=10 does not spread evenly over 4 nodes; write --ntasks-per-node"},
      {"--ntasks=2 --nodes=4",
       "s:2:9: --ntasks=2 does not spread evenly over 4 nodes; write --ntasks-per-node"},
      {"--ntasks=10 --ntasks-per-node=4",
       "s:2:9: --ntasks=10 does not fill whole nodes with --ntasks-per-node=4; say --nodes too"},
      {"--ntasks=16 --nodes=2 --ntasks-per-node=4",
       "s:2:9: --ntasks=16 does not fit on 2 nodes with --ntasks-per-node=4"},
      {"--ntasks=5000", "s:2:9: --ntasks=5000: \"tasks_per_node\" must be a whole number from 1 to 4096"},
      {"--cpus-per-task=4 --cpus-per-gpu=4 --gpus=1",
       "s:2:27: --cpus-per-task and --cpus-per-gpu exclude each other; keep one"},
      {"--cpus-per-gpu=4", "s:2:9: --cpus-per-gpu=4 needs GPUs; say --gpus-per-node too"},
      {"--cpus-per-task=1000000000 --ntasks-per-node=4096",
       "s:2:9: --cpus-per-task=1000000000: \"cpus\" must be from 0 to 1000000000"},
      {"--mem=64X",
       "s:2:9: --mem=64X: \"64X\" is no size; write for example 64G (units: K, M, G, T; none is M)"},
      {"--mem=6.5G", "s:2:9: --mem=6.5G: \"6.5G\" is no size"},
      {"--mem=B", "s:2:9: --mem=B: \"B\" is no size"},
      {"--mem=9999999999T", "s:2:9: --mem=9999999999T: \"9999999999T\" is more than 1 EiB"},
      {"--mem=1G --mem-per-cpu=1G",
       "s:2:18: --mem, --mem-per-cpu and --mem-per-gpu exclude each other; keep one"},
      {"--mem-per-gpu=1G", "s:2:9: --mem-per-gpu=1G needs GPUs; say --gpus-per-node too"},
      {"--mem-per-cpu=1000000T -c 1000000",
       "s:2:9: --mem-per-cpu=1000000T: \"memory\" must be from 0 to 1 EiB"},
      {"--mem-per-cpu=1048576T -c 1000000000",
       "s:2:9: --mem-per-cpu=1048576T comes to more \"memory\" on each node than there can be"},
      {"--gpus=6 --nodes=4", "s:2:9: --gpus=6 does not spread evenly over 4 nodes; write --gpus-per-node"},
      {"--gpus=128",
       "s:2:9: --gpus=128 without --nodes is planned on one node, which has at most 64; say --nodes too"},
      {"--gpus-per-node=65",
       "s:2:9: --gpus-per-node=65: \"gpus\" must be a whole number from 0 to 64 for each node"},
      {"--gpus=8 --gpus-per-node=4",
       "s:2:9: --gpus=8 asks for 8 GPUs on each node, --gpus-per-node=4 for 4; keep one"},
      {"--gpus=a100:8 --gpus-per-node=h100:8",
       "s:2:9: --gpus=a100:8 asks for another type of GPU than --gpus-per-node=h100:8; keep one"},
      {"--gpus=5 --gpus-per-task=2", "s:2:9: --gpus=5 is no multiple of --gpus-per-task=2"},
      {"--gpus=many:", "s:2:9: --gpus=many:: \"many:\" is no number of GPUs; write for example 4 or h100:4"},
      {"--gpus=:4", "s:2:9: --gpus=:4: \":4\" is no number of GPUs"},
      {"--gpus=a/b:4", "s:2:9: --gpus=a/b:4: \"a/b\" is no type of GPU; write for example h100:4"},
      {"--gpus=a100:1,h100:1",
       "s:2:9: --gpus=a100:1,h100:1: a job's GPUs are all of one kind here; ask for one, or list"},
      {"--gres=gpu:a100:1,gpu:h100:1",
       "s:2:9: --gres=gpu:a100:1,gpu:h100:1: a job's GPUs are all of one kind here"},
      {"--gpus-per-node=h100:0",
       "s:2:9: --gpus-per-node=h100:0: \"gpu_types\" needs GPUs; write \"gpus\" too"},
      {"--time=abc",
       "s:2:9: --time=abc: \"abc\" is no time; write minutes, mm:ss, hh:mm:ss, d-hh, d-hh:mm, d-hh:mm:ss"},
      {"--time=1:2:3:4", "s:2:9: --time=1:2:3:4: \"1:2:3:4\" is no time"},
      {"--time=1-", "s:2:9: --time=1-: \"1-\" is no time"},
      {"--time=36501-0",
       "s:2:9: --time=36501-0: \"36501-0\" is longer than a hundred years; write UNLIMITED"},
      {"--time=", "s:2:9: --time=: \"\" is no time"},
      {"--begin=soon",
       "s:2:9: --begin=soon: \"soon\" is no time; write for example now+1hour, 16:00, tomorrow or 2026"},
      {"--signal=USR9", "s:2:9: --signal=USR9: there is no signal \"USR9\"; did you mean \"USR1\"?"},
      {"--signal=X:USR1", "s:2:9: --signal=X:USR1: \"X\" stands before the colon, where only B and R may"},
      {"--signal=USR1@0",
       "s:2:9: --signal=USR1@0: \"0\" is no whole number from 1 to 65535 (seconds before the limit)"},
      {"--time=1 --signal=B:USR1@60",
       "s:2:18: --signal=B:USR1@60: \"warning.before\" must be shorter than the job's limit"},
      {"--array=5-1", "s:2:9: --array=5-1: \"5-1\" ends before it begins"},
      {"--array=0-9%x", "s:2:9: --array=0-9%x: after % stands how many tasks may run at a time"},
      {"--dependency=afterok",
       "s:2:9: --dependency=afterok: \"afterok\" names no job; write for example afterok:12"},
      {"--dependency=afterokay:1",
       "s:2:9: --dependency=afterokay:1: there is no dependency \"afterokay\"; did you mean"},
      {"--dependency=afterok:$ID", "s:2:9: --dependency=afterok:$ID: \"$ID\" is no job's number"},
      {"--dependency=afterok:1,after:2?after:3",
       "s:2:9: --dependency=afterok:1,after:2?after:3: `,` (all must hold) and"},
      {"--priority=-1", "s:2:9: --priority=-1: \"-1\" is no whole number from 0 to 2147483647"},
      {"--nice=2147483645 --priority=0", "no error"},
      {"--nice=-2000000000 --priority=2000000000", "s:2:9: a priority of 4000000000 is out of range"},
      {"--nice=x", "s:2:9: --nice=x: \"x\" is no whole number"},
      {"--open-mode=x", "s:2:9: --open-mode=x: write append"},
      {"--output=log.%q",
       "s:2:9: --output=log.%q: \"output\" takes no \"%q\"; there are %j %A %a %x %N %u %t (%5a: at least "
       "five "
       "digits), and %% for %"},
      {"--output=%5x.out", "s:2:9: --output=%5x.out: \"output\" takes no \"%5x\""},
      {"--error=a\\\\b", "s:2:9: --error=a\\b: backslashes in names of files are not supported"},
      {"--output=", "s:2:9: --output names no file"},
      {"--chdir=$HOME/run",
       "s:2:9: --chdir=$HOME/run: no shell reads `#SBATCH` lines, so $ and ~ stand for themselves; write"},
      {"--chdir=", "s:2:9: --chdir=: write an absolute path"},
      {"--account=a//b", "s:2:9: --account=a//b: \"tenant\" must be a tenant's path such as acme/vision"},
      {"--job-name=" + std::string(201, 'x'),
       "s:2:9: --job-name=" + std::string(60, 'x') + "...: \"name\" has 201 bytes"},
      {"--export=1A", "s:2:9: --export=1A: \"1A\" is no variable's name; write for example ALL,EPOCHS=3"},
      {"--export=A='x", "s:2:20: this ' has no partner in its line"},
      {"--export=A=\\'x", "s:2:9: --export=A='x: a quote has no partner"},
      {"--switches=x", "s:2:9: --switches=x: \"x\" is no whole number from 0 to 1000000"},
      {"--wrap=ls", "s:2:9: --wrap belongs on the command line; this is a script already"},
      {"hetjob",
       "s:2:9: jobs of several different parts (hetjob) are not supported; submit each part as a job"},
      {": -N2", "s:2:9: \":\" is no option"},
  };
  for (const auto& [options, finding] : cases) EXPECT_THAT(refused(options), StartsWith(finding)) << options;
}

TEST(Sbatch, AllMistakesAreReportedAtOnceInOrder) {
  EXPECT_EQ(refused("--time=x\n--bogus -N0\n--mem=1G", {"--nice=x"}),
            "s:2:9: --time=x: \"x\" is no time; write minutes, mm:ss, hh:mm:ss, d-hh, d-hh:mm, d-hh:mm:ss or "
            "UNLIMITED\n"
            "s:3:9: unknown option --bogus; sbatch has no such option\n"
            "s:3:17: --nodes=0: \"0\" is no number of nodes from 1 to 20000000\n"
            "command line: --nice=x: \"x\" is no whole number from -2147483645 to 2147483645");
}

TEST(Sbatch, WhatIsNotSupportedIsNamedAndTheRestIsRead) {
  const auto named = [](const std::string& options) { return messages(good(options).unsupported); };
  EXPECT_THAT(
      named("--partition=gpu"),
      ElementsAre(
          "s.sbatch:2:9: warning: --partition=gpu is not supported: Gigawerk has no partitions; say which "
          "type of GPU will do (--gpus-per-node=h100:8), or leave it out"));
  EXPECT_THAT(named("-p gpu -q normal -x node7"), testing::SizeIs(3));
  EXPECT_THAT(named("--mem=0"),
              ElementsAre(HasSubstr("--mem=0 is not supported: all memory of a node cannot be asked")));
  EXPECT_THAT(named("--exclusive=user"),
              ElementsAre(HasSubstr("--exclusive=user is not supported: only whole nodes are;")));
  EXPECT_THAT(named("--open-mode=truncate"),
              ElementsAre(HasSubstr("--open-mode=truncate is not supported: files are appended")));
  EXPECT_THAT(named("--switches=2"), ElementsAre(HasSubstr("--switches=2 is not supported: only 1 is")));
  EXPECT_THAT(named("--requeue=expedite"), ElementsAre(HasSubstr("--requeue=expedite is not supported")));
  EXPECT_THAT(named("--priority=TOP"), ElementsAre(HasSubstr("--priority=TOP is not supported")));
  EXPECT_THAT(named("--signal=R:USR1"),
              ElementsAre(HasSubstr("--signal=R:USR1 is not supported: R: has no meaning")));
  EXPECT_THAT(named("--gres=gpu:1,nvme:2"),
              ElementsAre(HasSubstr("there is no resource \"nvme\", only gpu")));
  EXPECT_THAT(named("--tres-per-task=cpu:1,license/x:2"),
              ElementsAre(HasSubstr("there is no resource \"license/x\"")));
  EXPECT_EQ(told(good("--gres=nvme:2,gpu:1").job), R"({"gpus":1})");
  EXPECT_THAT(
      named("-d singleton,afterok:1,aftercorr:2,after:3+5,afterok:4_5"),
      ElementsAre(HasSubstr("there is no dependency singleton;"), HasSubstr("no dependency aftercorr:2;"),
                  HasSubstr("no dependency after:3+5;"), HasSubstr("no dependency afterok:4_5;")));
  EXPECT_EQ(told(good("-d singleton?afterok:1").job), R"({"depends":["afterok:1"],"depends_any":true})");
  EXPECT_EQ(told(good("-d singleton").job), "{}");
  EXPECT_EQ(told(good("-d singleton?aftercorr:1").job), "{}");
}

TEST(Sbatch, WhatIsProbablyNotMeantIsSaid) {
  const auto warned = [](const std::string& options) { return messages(good(options).warnings); };
  EXPECT_THAT(warned("--ntasks=64"), ElementsAre("s.sbatch:2:9: warning: --ntasks=64 without --nodes is "
                                                 "planned on one node; say --nodes to spread it"));
  EXPECT_THAT(warned("--gpus=16"),
              ElementsAre(HasSubstr("--gpus=16 without --nodes is planned on one node")));
  EXPECT_THAT(warned("--gpus=8"), IsEmpty());
  EXPECT_THAT(warned("--nodes=1 --gpus=16 --ntasks=16"), IsEmpty());
  EXPECT_THAT(warned("--signal=USR1@60"),
              ElementsAre(HasSubstr("the script's shell gets the signal too, which ends it "
                                    "unless it says for example `trap : USR1`")));
  EXPECT_THAT(warned("--signal=B:USR1@60"), IsEmpty());
  EXPECT_THAT(warned("--output=$HOME/x"), ElementsAre(HasSubstr("no shell reads `#SBATCH` lines")));
  EXPECT_THAT(warned("--switches=1@1:00:00"), ElementsAre(HasSubstr("it does not wait for one switch")));
  EXPECT_THAT(
      warned("-J=a"),
      ElementsAre(HasSubstr("after a short option `=` is part of the value; write -J a or --job-name=a")));
  EXPECT_EQ(good("-J=a").job.name, "=a") << "as Slurm reads it";
}

// --- Lines ---

std::string lines(const std::string& text) {
  const Checked<SbatchJob> job = parse_sbatch(text, "s.sbatch", {}, context());
  if (!job) return diagnostics_text(job.error());
  std::string told_all = told(job->job);
  for (const std::string& message : messages(job->warnings)) told_all += "\n" + message;
  return told_all;
}

TEST(Sbatch, OnlyLinesBeforeTheFirstCommandAreRead) {
  EXPECT_EQ(lines("#!/bin/sh\n\n# text\n   # more\n#SBATCH -t1\n\t\n#SBATCH -H\n:\n"),
            R"({"limit":"1min","hold":true})");
  EXPECT_EQ(lines("#!/bin/sh\n#SBATCH -t1\nexport A=1\n#SBATCH -H\n#SBATCH -t2\n"),
            "{\"limit\":\"1min\"}\ns.sbatch:4:1: warning: this line has no effect: options stand before the "
            "first command, "
            "which is in line 3");
  EXPECT_EQ(lines("#!/bin/sh\n##SBATCH -H\n# SBATCH -H\n#SBATCHES -H\n #SBATCH -H\n"),
            "{}\ns.sbatch:5:2: warning: this line is a comment: options stand behind `#SBATCH`, in capitals, "
            "at the line's "
            "begin");
  EXPECT_THAT(lines("#!/bin/sh\n#sbatch -H\n"), HasSubstr("s.sbatch:2:1: warning: this line is a comment"));
  EXPECT_THAT(lines("#!/bin/sh\n#SLURM -H\n"), HasSubstr("s.sbatch:2:1: warning: this line is a comment"));
  EXPECT_EQ(lines("#!/bin/sh\n#SBATCH--hold\n#SBATCH\n#SBATCH # nothing\n#SBATCH\t-t\t1"),
            R"({"limit":"1min","hold":true})");
  EXPECT_EQ(lines("#!/bin/sh\n#PBS -l walltime=1:00\n"),
            "{}\ns.sbatch: warning: `#PBS` lines are not read; write `#SBATCH`");
  EXPECT_EQ(lines("#!/bin/sh\n#PBS -l walltime=1:00\n#SBATCH --ignore-pbs\n"), "{}");
}

TEST(Sbatch, ColumnsCountCharacters) {
  EXPECT_THAT(lines("#!/bin/sh\n#SBATCH -J ünü --bogus\n"),
              StartsWith("s.sbatch:2:16: unknown option --bogus"));
}

TEST(Sbatch, WindowsLineEndsAreReadWithAWarning) {
  const Checked<SbatchJob> job = parse_sbatch("#!/bin/bash\r\n#SBATCH -J a\r\necho\r\n", "s", {}, context());
  ASSERT_TRUE(job.has_value()) << diagnostics_text(job.error());
  EXPECT_EQ(job->job.script, "#!/bin/bash\n#SBATCH -J a\necho\n");
  EXPECT_EQ(job->job.name, "a");
  EXPECT_THAT(messages(job->warnings),
              ElementsAre(HasSubstr("s:1:1: warning: the script has Windows line ends")));
}

TEST(Sbatch, WhatIsNoScriptIsRefused) {
  EXPECT_EQ(lines(""), "s.sbatch: the script is empty");
  EXPECT_EQ(lines("echo\n"),
            "s.sbatch:1:1: the first line must be `#!` and an interpreter, for example `#!/bin/bash`");
  EXPECT_EQ(lines("#!\n"),
            "s.sbatch: \"script\" must begin with `#!` and an interpreter, for example `#!/bin/bash`");
  EXPECT_EQ(lines(std::string("#!/bin/sh\n\0\n", 12)),
            "s.sbatch: the script holds zero bytes: it is not a text");
  EXPECT_EQ(lines("#!/bin/sh\n# \xfc\n"),
            "s.sbatch:2:1: this line is not UTF-8; convert the script, for example with `iconv -f latin1 -t "
            "utf-8`");
  EXPECT_THAT(lines("\xef\xbb\xbf#!/bin/sh\n"), HasSubstr("byte order mark"));
  EXPECT_EQ(lines("#!/bin/sh\n" + std::string(1 << 20, 'x')),
            "s.sbatch: the script has 1048586 bytes; at most 1048576 are allowed");
}

// --- The command line ---

TEST(Sbatch, TheCommandLineWins) {
  EXPECT_EQ(told(good("--time=5 --nodes=2 -J a", {"--time=6", "-N4", "--hold"}).job),
            R"({"name":"a","nodes":4,"limit":"6min","hold":true})");
  EXPECT_EQ(told(good("--mem=1G", {"--mem-per-cpu=2G", "-c", "2"}).job), R"({"cpus":2,"memory":"4 GiB"})");
  EXPECT_EQ(told(good("--gres=gpu:a100:4", {"--gpus-per-node=h100:2"}).job),
            R"({"gpus":2,"gpu_types":["h100"]})");
  EXPECT_EQ(told(good("--cpus-per-task=4 --gpus=1", {"--cpus-per-gpu=2"}).job), R"({"gpus":1,"cpus":2})");
  EXPECT_EQ(refused("--nodes=2", {"--gpus=3"}),
            "command line: --gpus=3 does not spread evenly over 2 nodes; write --gpus-per-node");
  EXPECT_EQ(refused("-H", {"-N", "2", "x"}), "command line: \"x\" is no option");
  EXPECT_EQ(refused("-H", {"--comment=\xff"}), "command line: the value of --comment is not UTF-8");
  EXPECT_EQ(refused("-H", {"a\xff"}), "command line: \"a?\" is no option");
  const SbatchJob job = good("-H", {"--output=$HOME/x", "-p", "gpu"});
  EXPECT_THAT(job.warnings, IsEmpty()) << "a shell has read it";
  EXPECT_THAT(messages(job.unsupported),
              ElementsAre(StartsWith("command line: warning: --partition=gpu is not supported")));
}

TEST(Sbatch, Wrap) {
  const Checked<SbatchJob> job = parse_sbatch("", "", {"-c2", "--wrap", "python x.py"}, context());
  ASSERT_TRUE(job.has_value()) << diagnostics_text(job.error());
  EXPECT_EQ(job->job.script, "#!/bin/sh\n# This script was created by sbatch --wrap.\n\npython x.py\n");
  EXPECT_EQ(job->job.name, "wrap");
  EXPECT_EQ(job->job.cpu_milli, 2000);
  EXPECT_EQ(refused("-H", {"--wrap=ls"}),
            "command line: --wrap takes the place of a script; leave one of them out");
  EXPECT_EQ(parse_sbatch("#!/bin/sh\n", "-", {}, context())->job.name, "sbatch");
}

TEST(Sbatch, WhatConcernsTheSubmittingProgram) {
  const SbatchClient client = good("--wait", {"--parsable", "-Qv", "--test-only", "--usage", "-V"}).client;
  EXPECT_EQ(client, (SbatchClient{true, true, true, true, true, true, true}));
}

TEST(Sbatch, Export) {
  const auto wanted = [](const std::string& value) { return good("-H", {"--export=" + value}).environment; };
  EXPECT_EQ(wanted("ALL"), SbatchExport{});
  EXPECT_EQ(wanted("NONE"), (SbatchExport{false, {}, {}}));
  EXPECT_EQ(wanted("nil"), (SbatchExport{false, {}, {}}));
  EXPECT_EQ(wanted("A,B"), (SbatchExport{false, {"A", "B"}, {}}));
  EXPECT_EQ(wanted("ALL,A=1,B"), (SbatchExport{true, {"B"}, {{"A", "1"}}}));
  EXPECT_EQ(wanted("A='x,y',B=\"p,q\",C="),
            (SbatchExport{false, {}, {{"A", "x,y"}, {"B", "p,q"}, {"C", ""}}}));
  EXPECT_EQ(wanted("A=it's"), (SbatchExport{false, {}, {{"A", "it's"}}}));
}

TEST(Sbatch, CommandLinesAreTakenApart) {
  const auto parts = [](const std::vector<std::string>& words) {
    const Checked<SbatchCommandLine> line = split_sbatch_command_line(words);
    if (!line) return diagnostics_text(line.error());
    return fmt::format("{}|{}|{}", fmt::join(line->options, " "), line->script,
                       fmt::join(line->arguments, " "));
  };
  EXPECT_EQ(parts({}), "||");
  EXPECT_EQ(parts({"train.sh"}), "|train.sh|");
  EXPECT_EQ(parts({"-N", "2", "--gpus", "8", "-H", "train.sh", "-N", "x"}), "-N 2 --gpus 8 -H|train.sh|-N x");
  EXPECT_EQ(parts({"--nice", "5"}), "--nice|5|") << "an optional value stands behind = only";
  EXPECT_EQ(parts({"-H", "--", "-odd.sh", "--", "a"}), "-H|-odd.sh|-- a");
  EXPECT_EQ(parts({"--comment", "--", "a.sh"}), "--comment --|a.sh|");
  EXPECT_EQ(parts({"--wrap", "ls"}), "--wrap ls||");
  EXPECT_EQ(parts({"--wrap", "ls", "a.sh"}),
            "command line: --wrap takes the place of a script; leave \"a.sh\" out");
  EXPECT_EQ(parts({"--bogus", "a.sh"}), "command line: unknown option --bogus; sbatch has no such option");
  EXPECT_EQ(parts({"-N"}), "command line: --nodes needs a value: --nodes=N");
  EXPECT_EQ(parts({"-"}), "|-|");
}

// --- --begin ---

/// Sets the time zone of the process while it lives.
class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    setenv("TZ", name, 1);
    tzset();
  }
  ~Zone() {
    before_.empty() ? unsetenv("TZ") : setenv("TZ", before_.c_str(), 1);
    tzset();
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

 private:
  std::string before_;
};

TEST(Sbatch, BeginIsReadInLocalTime) {
  const Zone berlin("CET-1CEST,M3.5.0,M10.5.0/3");  // It is 08:00 there.
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"now", "2026-12-01T07:00:00Z"},
      {"now+90", "2026-12-01T07:01:30Z"},
      {"now + 30 minutes", "2026-12-01T07:30:00Z"},
      {"now+2days", "2026-12-03T07:00:00Z"},
      {"now+1week", "2026-12-08T07:00:00Z"},
      {"now-1hour", "2026-12-01T06:00:00Z"},
      {"16:00", "2026-12-01T15:00:00Z"},
      {"07:30", "2026-12-02T06:30:00Z"},
      {"08:00", "2026-12-02T07:00:00Z"},
      {"8:01:30", "2026-12-01T07:01:30Z"},
      {"4:30 PM", "2026-12-01T15:30:00Z"},
      {"12:10am", "2026-12-01T23:10:00Z"},
      {"12:10pm", "2026-12-01T11:10:00Z"},
      {"today", "2026-11-30T23:00:00Z"},
      {"tomorrow", "2026-12-01T23:00:00Z"},
      {"tomorrow 8:00", "2026-12-02T07:00:00Z"},
      {"noon", "2026-12-01T11:00:00Z"},
      {"midnight", "2026-12-01T23:00:00Z"},
      {"teatime", "2026-12-01T15:00:00Z"},
      {"fika tomorrow", "2026-12-02T14:00:00Z"},
      {"2026-12-24", "2026-12-23T23:00:00Z"},
      {"2026-12-24T18:00", "2026-12-24T17:00:00Z"},
      {"2027-07-01T12:00:30", "2027-07-01T10:00:30Z"},
      {"12/24", "2026-12-23T23:00:00Z"},
      {"11/24", "2027-11-23T23:00:00Z"},
      {"1224", "2026-12-23T23:00:00Z"},
      {"122430", "2030-12-23T23:00:00Z"},
      {"12/24/30-18:00", "2030-12-24T17:00:00Z"},
      {"12.24.30", "2030-12-23T23:00:00Z"},
  };
  for (const auto& [text, wanted] : cases)
    EXPECT_EQ(told(good("-H", {"--begin=" + text}).job),
              fmt::format(R"({{"begin":"{}","hold":true}})", wanted))
        << text;
  for (const char* text : {"", "soon", "now+", "now+x", "now+1hour extra", "24:00", "12:60", "13:00pm",
                           "2026-02-30", "13/01", "2026-12", "now*2", "T", "--", "99", "16:0"})
    EXPECT_THAT(refused("-H", {std::string("--begin=") + text}),
                HasSubstr("is no time; write for example now+1hour"))
        << text;
}

// --- Scripts as users write them ---

TEST(Sbatch, ScriptsOfUsers) {
  namespace fs = std::filesystem;
  const Zone utc("UTC0");
  const bool update = std::getenv("GW_UPDATE_GOLDEN") != nullptr;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(GW_SOURCE_DIR "/tests/data/sbatch")) {
    if (entry.path().extension() == ".sbatch") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_GE(files.size(), 12U);
  for (const fs::path& file : files) {
    const std::string text = read_text_file(file.string()).value_or("");
    const Checked<SbatchJob> job = parse_sbatch(text, file.filename().string(), {}, context());
    ASSERT_TRUE(job.has_value()) << diagnostics_text(job.error());
    EXPECT_TRUE(looks_like_sbatch(text)) << file;
    EXPECT_EQ(job->job.launch, LaunchKind::kFirstNode);
    EXPECT_EQ(parse_job_json(job_json(job->job)), job->job) << file;
    std::string told_all = told(job->job) + "\n";
    for (const auto& finding : {messages(job->unsupported), messages(job->warnings)}) {
      for (const std::string& message : finding) told_all += message + "\n";
    }
    if (!job->environment.all) told_all += "environment: none\n";
    fs::path expected = file;
    expected.replace_extension(".expected");
    if (update) std::ofstream(expected) << told_all;
    EXPECT_EQ(told_all, read_text_file(expected.string()).value_or(""))
        << "if it is meant: GW_UPDATE_GOLDEN=1";
  }
}

/// The warnings about a script of these lines, which begin in line 2.
std::vector<std::string> calls(const std::string& lines, const std::string& first = "#!/bin/bash\n") {
  const Checked<SbatchJob> job = parse_sbatch(first + lines, "s", {}, context());
  EXPECT_TRUE(job.has_value());
  std::vector<std::string> texts;
  for (const std::string& text : messages(job->warnings)) texts.push_back(text.substr(0, text.find(';')));
  return texts;
}

std::string call(const std::string& place, const std::string& name) {
  return "s:" + place + ": warning: jobs of Gigawerk have no " + name;
}

TEST(Sbatch, SlurmCommandsAreFound) {
  EXPECT_THAT(calls("echo a\n  srun -n 4 train\n"), ElementsAre(call("3:3", "srun")));
  EXPECT_THAT(calls("cd x && srun a; squeue | cat"),
              ElementsAre(call("2:9", "srun"), call("2:17", "squeue")));
  EXPECT_THAT(calls("J=$(sbatch --parsable b.sh)"), ElementsAre(call("2:5", "sbatch")));
  EXPECT_THAT(calls("echo \"$(sacct -j 1) x\""), ElementsAre(call("2:9", "sacct")));
  EXPECT_THAT(calls("J=`scontrol show job`"), ElementsAre(call("2:4", "scontrol")));
  EXPECT_THAT(calls("if A=1 time srun x; then scancel 2; fi"),
              ElementsAre(call("2:13", "srun"), call("2:26", "scancel")));
  EXPECT_THAT(calls("/usr/bin/srun a\nsrun b\nsrun c"), ElementsAre(call("2:1", "srun (also in line 3, 4)")));
  EXPECT_THAT(calls("cat <<EOF\nsrun a\nEOF\nsrun b"), ElementsAre(call("5:1", "srun")));
}

TEST(Sbatch, OtherWordsAreNotTakenForSlurmCommands) {
  for (const char* lines :
       {"echo srun", "# srun a", "echo 'a\nsrun b'", "echo \"\nsrun b\"", "echo a \\\nsrun b",
        "srun() { \"$@\"; }\nsrun a", "srunner a", "module load slurm", "command -v srun",
        "cat <<'X' <<-Y\nsrun\nX\n\tsrun\n\tY\n", "echo a#b srun", "case $1 in x) echo srun;; esac"})
    EXPECT_THAT(calls(lines), IsEmpty()) << lines;
  EXPECT_THAT(calls("srun = 1\n", "#!/usr/bin/env python3\n"), IsEmpty());
  EXPECT_THAT(calls("srun a\n", "#!/usr/bin/env bash\n"), testing::SizeIs(1));
}

}  // namespace
}  // namespace gw::spec
