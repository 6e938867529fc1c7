// The variables of Slurm, torch, CUDA and our own.
#include "live/job_environment.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <iterator>
#include <map>
#include <string_view>

#include "live/job_environment_hosts.h"

namespace gw::live {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

constexpr std::int64_t kMilliPerCore = 1000;

/// Whole cores of a share, at least one; 0 where there is no limit.
std::int64_t whole_cores(std::int64_t cpu_milli) {
  return cpu_milli <= 0 ? 0 : std::max<std::int64_t>(cpu_milli / kMilliPerCore, 1);
}

std::string text(std::uint64_t number) { return fmt::format("{}", number); }
std::string signed_text(std::int64_t number) { return fmt::format("{}", number); }

std::string gpu_numbers(std::uint64_t mask) { return visible_gpus(mask, {}); }

void add_account(Variables& variables, const JobPlace& place) {
  variables.try_emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  variables.try_emplace("LANG", "C.UTF-8");
  variables.try_emplace("HOME", place.home);
  variables["USER"] = place.account;
  variables["LOGNAME"] = place.account;
  variables.try_emplace("SHELL", place.shell.empty() ? "/bin/sh" : place.shell);
}

void add_nodes(Variables& variables, const Launch& launch, std::uint32_t node) {
  const NodeShare& share = launch.nodes[node];
  std::vector<std::string> names;
  for (const NodeShare& each : launch.nodes) names.push_back(each.node);
  const std::string hosts = compressed_hosts(names);
  variables["SLURM_JOB_NODELIST"] = hosts;
  variables["SLURM_NODELIST"] = hosts;
  variables["SLURM_JOB_NUM_NODES"] = text(names.size());
  variables["SLURM_NNODES"] = text(names.size());
  variables["SLURM_NODEID"] = text(node);
  variables["SLURMD_NODENAME"] = share.node;
  variables["GIGAWERK_NODE"] = share.node;
  variables["GIGAWERK_NODES"] = text(names.size());
}

void add_tasks(Variables& variables, const Launch& launch, std::uint32_t node, std::uint32_t local_rank) {
  const std::uint32_t per_node = launch.spec->tasks_per_node;
  const std::string all = text(std::uint64_t{per_node} * launch.nodes.size());
  const std::string rank = text(std::uint64_t{node} * per_node + local_rank);
  variables["SLURM_NTASKS"] = all;
  variables["SLURM_NPROCS"] = all;
  variables["SLURM_NTASKS_PER_NODE"] = text(per_node);
  const std::string by_node = tasks_per_node_text(per_node, launch.nodes.size());
  variables["SLURM_TASKS_PER_NODE"] = by_node;
  variables["SLURM_PROCID"] = rank;
  variables["SLURM_LOCALID"] = text(local_rank);
  variables["MASTER_ADDR"] = "127.0.0.1";
  variables["MASTER_PORT"] = text(master_port(launch.id));
  variables["NODE_RANK"] = text(node);
  variables["GROUP_RANK"] = text(node);
  // Where a launcher such as torchrun runs once, the ranks are its own to give.
  if (launch.spec->launch == LaunchKind::kFirstNode) return;
  variables["RANK"] = rank;
  variables["WORLD_SIZE"] = all;
  variables["LOCAL_RANK"] = text(local_rank);
  variables["LOCAL_WORLD_SIZE"] = text(per_node);
}

void add_shares(Variables& variables, const Launch& launch, std::uint32_t node) {
  const NodeShare& share = launch.nodes[node];
  if (const std::int64_t cores = whole_cores(share.cpu_milli); cores > 0) {
    const std::int64_t per_task =
        std::max<std::int64_t>(cores / std::max<std::int64_t>(launch.spec->tasks_per_node, 1), 1);
    variables["SLURM_CPUS_ON_NODE"] = signed_text(cores);
    variables["SLURM_CPUS_PER_TASK"] = signed_text(per_task);
    variables.try_emplace("OMP_NUM_THREADS", signed_text(per_task));
  }
  if (share.memory_mib > 0) variables["SLURM_MEM_PER_NODE"] = signed_text(share.memory_mib);
}

/// Where the machine has GPUs, a job without any is shown none; where it has none, nothing is said.
void add_gpus(Variables& variables, const Launch& launch, const JobPlace& place, std::uint32_t node) {
  const NodeShare& share = launch.nodes[node];
  if (share.gpu_mask == 0 && place.machine_gpus == 0) return;
  const std::string visible = visible_gpus(share.gpu_mask, place.gpu_names);
  // Else CUDA numbers them by speed, and the numbers of the mask would mean others.
  variables["CUDA_DEVICE_ORDER"] = "PCI_BUS_ID";
  variables["CUDA_VISIBLE_DEVICES"] = visible;
  variables["NVIDIA_VISIBLE_DEVICES"] = visible.empty() ? "void" : visible;
  variables["ROCR_VISIBLE_DEVICES"] = visible;
  // ROCR has left only these; HIP counts what is left from 0.
  std::vector<std::string> left;
  for (int index = 0; index < std::popcount(share.gpu_mask); ++index)
    left.push_back(fmt::format("{}", index));
  variables["HIP_VISIBLE_DEVICES"] = fmt::format("{}", fmt::join(left, ","));
  if (share.gpu_mask == 0) return;
  variables["SLURM_JOB_GPUS"] = gpu_numbers(share.gpu_mask);
  variables["SLURM_GPUS_ON_NODE"] = signed_text(std::popcount(share.gpu_mask));
  if (!launch.gpu_type.empty()) variables["GIGAWERK_GPU_TYPE"] = launch.gpu_type;
  if (share.gpu_milli > 0) {
    constexpr std::uint32_t kMilliPerPercent = 10;
    variables["GIGAWERK_GPU_MILLI"] = text(share.gpu_milli);
    variables["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] =
        text(std::max<std::uint32_t>(share.gpu_milli / kMilliPerPercent, 1));
  }
}

void add_array(Variables& variables, const Launch& launch) {
  if (launch.array_job == 0 || !launch.array_index) return;
  variables["SLURM_ARRAY_JOB_ID"] = text(launch.array_job);
  variables["SLURM_ARRAY_TASK_ID"] = text(*launch.array_index);
  variables["SLURM_ARRAY_TASK_COUNT"] = text(launch.array_tasks);
  variables["SLURM_ARRAY_TASK_MIN"] = text(launch.array_first);
  variables["SLURM_ARRAY_TASK_MAX"] = text(launch.array_last);
}

void add_job(Variables& variables, const Launch& launch, const JobPlace& place) {
  variables["SLURM_JOB_ID"] = text(launch.id.job);
  variables["SLURM_JOBID"] = text(launch.id.job);
  variables["SLURM_JOB_NAME"] = launch.spec->name;
  variables["SLURM_JOB_USER"] = launch.user;
  variables["SLURM_JOB_ACCOUNT"] = launch.tenant;
  variables["SLURM_SUBMIT_DIR"] =
      launch.spec->working_folder.empty() ? place.working_folder : launch.spec->working_folder;
  variables["SLURM_RESTART_COUNT"] = text(launch.id.attempt > 0 ? launch.id.attempt - 1 : 0);
  if (place.end_unix) variables["SLURM_JOB_END_TIME"] = signed_text(*place.end_unix);
  variables["GIGAWERK_JOB_ID"] = text(launch.id.job);
  variables["GIGAWERK_ATTEMPT"] = text(launch.id.attempt);
  variables["GIGAWERK_TENANT"] = launch.tenant;
  variables["GIGAWERK_USER"] = launch.user;
  if (!place.mark.empty()) variables["GIGAWERK_MARK"] = place.mark;
}

/// Variables that we set for some jobs only, and which must not come along from inside another job.
bool is_ours(std::string_view name) {
  constexpr std::array kSometimes = {"SLURM_CPUS_ON_NODE",  "SLURM_CPUS_PER_TASK", "SLURM_MEM_PER_NODE",
                                     "SLURM_JOB_GPUS",      "SLURM_GPUS_ON_NODE",  "SLURM_JOB_END_TIME",
                                     "SLURM_RESTART_COUNT", "SLURM_STEP_ID",       "SLURM_STEPID"};
  return name.starts_with("GIGAWERK_") || name.starts_with("SLURM_ARRAY_") ||
         std::find(kSometimes.begin(), kSometimes.end(), name) != kSometimes.end();
}

}  // namespace

std::uint32_t master_port(AttemptId id) {
  constexpr std::uint64_t kFirst = 20'000;
  constexpr std::uint64_t kPorts = 10'000;      // Below 32768, where Linux begins to hand out ports.
  constexpr std::uint64_t kPerAttempt = 4'999;  // Far from the ports of the jobs numbered next.
  return static_cast<std::uint32_t>(kFirst + (id.job % kPorts + id.attempt * kPerAttempt) % kPorts);
}

std::string visible_gpus(std::uint64_t mask, const std::vector<std::string>& names) {
  std::string list;
  for (std::size_t index = 0; index < 64; ++index) {
    if ((mask >> index & 1U) == 0) continue;
    if (!list.empty()) list += ',';
    list += index < names.size() ? names[index] : fmt::format("{}", index);
  }
  return list;
}

std::vector<std::pair<std::string, std::string>> job_environment(const Launch& launch, const JobPlace& place,
                                                                 std::uint32_t node,
                                                                 std::uint32_t local_rank) {
  Variables variables;
  for (const auto& [name, value] : launch.spec->environment) {
    const bool possible = !name.empty() && name.find('=') == std::string::npos &&
                          name.find('\0') == std::string::npos && value.find('\0') == std::string::npos;
    if (possible && !is_ours(name)) variables[name] = value;
  }
  add_account(variables, place);
  add_job(variables, launch, place);
  add_nodes(variables, launch, node);
  add_tasks(variables, launch, node, local_rank);
  add_shares(variables, launch, node);
  add_gpus(variables, launch, place, node);
  add_array(variables, launch);
  for (auto& [name, value] : variables) {  // Ours may hold a user's words: a job's name, a tenant's.
    if (const std::size_t zero = value.find('\0'); zero != std::string::npos) value.resize(zero);
  }
  return {std::make_move_iterator(variables.begin()), std::make_move_iterator(variables.end())};
}

}  // namespace gw::live
