// The environment variables that a job's processes find: a pure function. The table: docs/job-environment.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "live/engine.h"

namespace gw::live {

/// What the machine knows beside the launch.
struct JobPlace {
  std::string account;         ///< Name of the account that the job runs under.
  std::string home;            ///< Its home, or where the job may act as if it were.
  std::string shell;           ///< Its login shell.
  std::string working_folder;  ///< Where the job starts.
  std::string mark;            ///< By which its processes are found again.
  std::uint32_t machine_gpus = 0;
  /// How GPU i is called in CUDA_VISIBLE_DEVICES; empty or too short: by its number.
  std::vector<std::string> gpu_names;
  std::optional<std::int64_t> end_unix;  ///< Second at which its limit is over.
};

/// Variables by name, ascending, each once: those of the user, then ours in place of any of the same name.
/// Those of the user that no environment can hold (an empty name, a `=` in it, a zero byte) are left out.
/// Nothing of the caller's own environment is in it. `node` is an index into launch.nodes, `local_rank` below
/// tasks_per_node.
std::vector<std::pair<std::string, std::string>> job_environment(const Launch& launch, const JobPlace& place,
                                                                 std::uint32_t node,
                                                                 std::uint32_t local_rank);

/// The port where the processes of an attempt meet: the same for all of them, another for the next attempt,
/// below the ports that systems hand out by themselves.
std::uint32_t master_port(AttemptId id);

/// The values behind CUDA_VISIBLE_DEVICES for the GPUs of a mask.
std::string visible_gpus(std::uint64_t mask, const std::vector<std::string>& names);

}  // namespace gw::live
