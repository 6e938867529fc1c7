// Variables of a job, as the table in docs/job-environment.md says.
#include "live/job_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "live/job_environment_hosts.h"
#include "live/job_output_pattern.h"

namespace gw::live {
namespace {

using testing::Contains;
using testing::Key;
using testing::Not;
using testing::Pair;

Launch two_nodes() {
  JobSpec spec;
  spec.name = "train";
  spec.nodes = 2;
  spec.tasks_per_node = 4;
  spec.working_folder = "/data/run";
  spec.environment = {{"MINE", "1"}, {"RANK", "99"}, {"SLURM_ARRAY_TASK_ID", "5"}, {"SLURM_CONF", "/etc/x"}};
  Launch launch;
  launch.id = {17, 2};
  launch.spec = std::make_shared<const JobSpec>(spec);
  launch.nodes = {{"rack-1/node-07", 0b1010, 0, 9000, 65536}, {"rack-1/node-08", 0b0110, 0, 8000, 65536}};
  launch.tenant = "lab/vision/ada";
  launch.user = "ada";
  launch.gpu_type = "h100";
  launch.limit = hours(1);
  return launch;
}

JobPlace place() {
  JobPlace place;
  place.account = "ada1";
  place.home = "/home/ada";
  place.shell = "/bin/bash";
  place.working_folder = "/data/run";
  place.mark = "m";
  place.machine_gpus = 4;
  place.end_unix = 1'800'000'000;
  return place;
}

std::map<std::string, std::string> environment(const Launch& launch, const JobPlace& where,
                                               std::uint32_t node, std::uint32_t rank) {
  const auto list = job_environment(launch, where, node, rank);
  const std::map<std::string, std::string> map(list.begin(), list.end());
  EXPECT_EQ(list, (std::vector<std::pair<std::string, std::string>>(map.begin(), map.end())))
      << "ascending, each name once";
  return map;
}

TEST(JobEnvironment, HoldsTheWholeTable) {
  const auto second = environment(two_nodes(), place(), 1, 2);
  const std::map<std::string, std::string> expected = {
      {"CUDA_DEVICE_ORDER", "PCI_BUS_ID"},
      {"CUDA_VISIBLE_DEVICES", "1,2"},
      {"GIGAWERK_ATTEMPT", "2"},
      {"GIGAWERK_GPU_TYPE", "h100"},
      {"GIGAWERK_JOB_ID", "17"},
      {"GIGAWERK_MARK", "m"},
      {"GIGAWERK_NODE", "rack-1/node-08"},
      {"GIGAWERK_NODES", "2"},
      {"GIGAWERK_TENANT", "lab/vision/ada"},
      {"GIGAWERK_USER", "ada"},
      {"GROUP_RANK", "1"},
      {"HIP_VISIBLE_DEVICES", "0,1"},
      {"HOME", "/home/ada"},
      {"LANG", "C.UTF-8"},
      {"LOCAL_RANK", "2"},
      {"LOCAL_WORLD_SIZE", "4"},
      {"LOGNAME", "ada1"},
      {"MASTER_ADDR", "127.0.0.1"},
      {"MASTER_PORT", std::to_string(master_port({17, 2}))},
      {"MINE", "1"},
      {"NODE_RANK", "1"},
      {"NVIDIA_VISIBLE_DEVICES", "1,2"},
      {"OMP_NUM_THREADS", "2"},
      {"PATH", "/usr/local/bin:/usr/bin:/bin"},
      {"RANK", "6"},
      {"ROCR_VISIBLE_DEVICES", "1,2"},
      {"SHELL", "/bin/bash"},
      {"SLURMD_NODENAME", "rack-1/node-08"},
      {"SLURM_CONF", "/etc/x"},
      {"SLURM_CPUS_ON_NODE", "8"},
      {"SLURM_CPUS_PER_TASK", "2"},
      {"SLURM_GPUS_ON_NODE", "2"},
      {"SLURM_JOBID", "17"},
      {"SLURM_JOB_ACCOUNT", "lab/vision/ada"},
      {"SLURM_JOB_END_TIME", "1800000000"},
      {"SLURM_JOB_GPUS", "1,2"},
      {"SLURM_JOB_ID", "17"},
      {"SLURM_JOB_NAME", "train"},
      {"SLURM_JOB_NODELIST", "rack-1/node-[07-08]"},
      {"SLURM_JOB_NUM_NODES", "2"},
      {"SLURM_JOB_USER", "ada"},
      {"SLURM_LOCALID", "2"},
      {"SLURM_MEM_PER_NODE", "65536"},
      {"SLURM_NNODES", "2"},
      {"SLURM_NODEID", "1"},
      {"SLURM_NODELIST", "rack-1/node-[07-08]"},
      {"SLURM_NPROCS", "8"},
      {"SLURM_NTASKS", "8"},
      {"SLURM_NTASKS_PER_NODE", "4"},
      {"SLURM_PROCID", "6"},
      {"SLURM_RESTART_COUNT", "1"},
      {"SLURM_SUBMIT_DIR", "/data/run"},
      {"SLURM_TASKS_PER_NODE", "4(x2)"},
      {"USER", "ada1"},
      {"WORLD_SIZE", "8"},
  };
  EXPECT_EQ(second, expected);
}

TEST(JobEnvironment, TheUsersOwnComesFirstWhereItMay) {
  JobSpec spec = *two_nodes().spec;
  spec.environment = {{"OMP_NUM_THREADS", "1"},
                      {"PATH", "/opt/bin"},
                      {"HOME", "/elsewhere"},
                      {"USER", "root"},
                      {"A=B", "x"},
                      {"", "x"},
                      {std::string("Z\0Z", 3), "x"},
                      {"ZERO", std::string("a\0b", 3)}};
  Launch launch = two_nodes();
  launch.spec = std::make_shared<const JobSpec>(spec);
  const auto result = environment(launch, place(), 0, 0);
  EXPECT_EQ(result.at("OMP_NUM_THREADS"), "1");
  EXPECT_EQ(result.at("PATH"), "/opt/bin");
  EXPECT_EQ(result.at("HOME"), "/elsewhere");
  EXPECT_EQ(result.at("USER"), "ada1");
  EXPECT_THAT(result, Not(Contains(Key("A=B"))));
  EXPECT_THAT(result, Not(Contains(Key(""))));
  EXPECT_THAT(result, Not(Contains(Key("ZERO"))));
}

TEST(JobEnvironment, ALauncherGivesItsOwnRanks) {
  JobSpec spec = *two_nodes().spec;
  spec.launch = LaunchKind::kFirstNode;
  spec.environment.clear();
  Launch launch = two_nodes();
  launch.spec = std::make_shared<const JobSpec>(spec);
  const auto result = environment(launch, place(), 0, 0);
  for (const char* name : {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"})
    EXPECT_THAT(result, Not(Contains(Key(name))));
  EXPECT_EQ(result.at("SLURM_NTASKS"), "8");
  EXPECT_EQ(result.at("MASTER_ADDR"), "127.0.0.1");
}

TEST(JobEnvironment, SharesOfOneGpuAndNoLimitsAtAll) {
  Launch launch = two_nodes();
  launch.nodes = {{"n", 0b1, 255, 0, 0}};
  auto result = environment(launch, place(), 0, 0);
  EXPECT_EQ(result.at("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"), "25");
  EXPECT_EQ(result.at("GIGAWERK_GPU_MILLI"), "255");
  for (const char* name : {"OMP_NUM_THREADS", "SLURM_CPUS_ON_NODE", "SLURM_MEM_PER_NODE",
                           "SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"})
    EXPECT_THAT(result, Not(Contains(Key(name))));
  launch.nodes = {{"n", 0, 0, 500, 0}};
  result = environment(launch, place(), 0, 0);
  EXPECT_EQ(result.at("CUDA_VISIBLE_DEVICES"), "");
  EXPECT_EQ(result.at("NVIDIA_VISIBLE_DEVICES"), "void");
  EXPECT_EQ(result.at("SLURM_CPUS_ON_NODE"), "1");
  JobPlace no_gpus = place();
  no_gpus.machine_gpus = 0;
  EXPECT_THAT(environment(launch, no_gpus, 0, 0), Not(Contains(Key("CUDA_VISIBLE_DEVICES"))));
}

TEST(JobEnvironment, NothingOfOursIsInIt) {
  ASSERT_EQ(::setenv("GW_TEST_SECRET", "hunter2", 1), 0);
  EXPECT_THAT(environment(two_nodes(), place(), 0, 0), Not(Contains(Key("GW_TEST_SECRET"))));
  ::unsetenv("GW_TEST_SECRET");
}

TEST(JobEnvironment, PortsStandApart) {
  std::set<std::uint32_t> ports;
  for (std::uint64_t job = 1; job <= 2000; ++job) {
    const std::uint32_t port = master_port({job, 1});
    EXPECT_GE(port, 20'000U);
    EXPECT_LT(port, 30'000U);
    ports.insert(port);
  }
  EXPECT_EQ(ports.size(), 2000U);
  EXPECT_NE(master_port({7, 1}), master_port({7, 2}));
}

/// What Slurm's own readers make of a list.
std::vector<std::string> expanded(const std::string& list) {
  std::vector<std::string> names;
  std::size_t at = 0;
  while (at < list.size()) {
    std::size_t end = at;
    while (end < list.size() && list[end] != ',' && list[end] != '[') ++end;
    const std::string prefix = list.substr(at, end - at);
    if (end == list.size() || list[end] == ',') {
      names.push_back(prefix);
      at = end + 1;
      continue;
    }
    const std::size_t close = list.find(']', end);
    std::string ranges = list.substr(end + 1, close - end - 1) + ',';
    for (std::size_t comma = 0; (comma = ranges.find(',')) != std::string::npos; ranges.erase(0, comma + 1)) {
      const std::string range = ranges.substr(0, comma);
      const std::size_t dash = range.find('-');
      const std::string first = range.substr(0, dash);
      const unsigned long last = std::stoul(dash == std::string::npos ? first : range.substr(dash + 1));
      for (unsigned long number = std::stoul(first); number <= last; ++number) {
        std::string digits = std::to_string(number);
        if (digits.size() < first.size()) digits.insert(0, first.size() - digits.size(), '0');
        names.push_back(prefix + digits);
      }
    }
    at = close + 2;
  }
  return names;
}

TEST(Hosts, AreWrittenAsSlurmDoes) {
  EXPECT_EQ(compressed_hosts({"n1"}), "n1");
  EXPECT_EQ(compressed_hosts({"n1", "n2", "n3"}), "n[1-3]");
  EXPECT_EQ(compressed_hosts({"n1", "n3", "n4", "m7", "login"}), "n[1,3-4],m7,login");
  EXPECT_EQ(compressed_hosts({"n08", "n09", "n10"}), "n[08-10]");
  EXPECT_EQ(compressed_hosts({"n9", "n10"}), "n[9-10]");
  EXPECT_EQ(compressed_hosts({"n1", "n5"}), "n[1,5]");
  EXPECT_EQ(compressed_hosts({"login", "login"}), "login,login");
  EXPECT_EQ(compressed_hosts({}), "");
  EXPECT_EQ(tasks_per_node_text(2, 4), "2(x4)");
  EXPECT_EQ(tasks_per_node_text(2, 1), "2");
}

RC_GTEST_PROP(Hosts, ComeBackInOrder, ()) {
  const auto name = rc::gen::apply(
      [](const std::string& prefix, int number, int width) {
        std::string digits = std::to_string(number);
        if (static_cast<int>(digits.size()) < width)
          digits.insert(0, static_cast<std::size_t>(width) - digits.size(), '0');
        return prefix + digits;
      },
      rc::gen::element<std::string>("a", "b-", "rack-1/n"), rc::gen::inRange(0, 130), rc::gen::inRange(1, 4));
  const auto names = *rc::gen::container<std::vector<std::string>>(name);
  RC_ASSERT(expanded(compressed_hosts(names)) == names);
}

TEST(OutputPattern, PutsValuesIn) {
  OutputPatternValues values;
  values.job = 17;
  values.array_job = 15;
  values.array_index = 3;
  values.name = "train";
  values.node = "n1";
  values.user = "ada";
  values.rank = 2;
  EXPECT_EQ(expand_output_pattern("%x-%j_%A_%a.%N.%u.%t.out", values), "train-17_15_3.n1.ada.2.out");
  EXPECT_EQ(expand_output_pattern("%5j-%3a-%99t", values), "00017-003-0000000002");
  EXPECT_EQ(expand_output_pattern("100%%-%z-%", values), "100%-%z-%");
  EXPECT_EQ(expand_output_pattern("%5", values), "%5");
  values.array_job = 0;
  EXPECT_EQ(expand_output_pattern("%A", values), "17");
}

TEST(OutputPattern, NoValueLeadsElsewhere) {
  OutputPatternValues values;
  values.name = "../../etc/passwd";
  values.user = ".";
  values.node = "a/b\n";
  EXPECT_EQ(expand_output_pattern("logs/%x", values), "logs/_._.._etc_passwd");
  EXPECT_EQ(expand_output_pattern("logs/%u%u/x", values), "logs/_./x");
  EXPECT_EQ(expand_output_pattern("%N", values), "a_b_");
  values.name = "..";
  EXPECT_EQ(expand_output_pattern("%x/x", values), "_./x");
  EXPECT_EQ(expand_output_pattern(".%u/x", values), "._/x");
}

}  // namespace
}  // namespace gw::live
