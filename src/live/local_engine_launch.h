// From a Launch to the record that a supervisor works from: commands, variables, limits, isolation.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "live/engine.h"
#include "live/local_engine_accounts.h"
#include "live/local_engine_groups.h"
#include "supervise/records.h"

namespace gw::live {

/// A GPU of this machine, as its drivers know it.
struct LocalGpu {
  std::string name;          ///< For CUDA_VISIBLE_DEVICES: its number or its UUID.
  std::uint32_t device = 0;  ///< Number of its device node (/dev/nvidia0).
};

/// How jobs are started on this machine.
struct LaunchRules {
  std::uint64_t segment_bytes = std::uint64_t{16} << 20;
  std::uint64_t output_cap_bytes = std::uint64_t{256} << 20;  ///< Of each stream.
  bool separate_error = false;  ///< Captured standard error goes to a stream of its own.
  /// Of a job where control groups can limit it, else of its account if that is not root's; threads count.
  /// Never more than half of what the machine can have. 0 = no limit.
  std::uint64_t processes_max = 32'768;
  bool no_new_privileges = true;  ///< For jobs under another account: sudo and the like do not work.
  std::vector<LocalGpu> gpus;     ///< By their index in a node's GPU mask.
  std::string bubblewrap = "bwrap";
  std::vector<std::string> read_only_folders;  ///< That views show beside the system's own.
  std::vector<std::string> writable_folders;
  bool network = true;  ///< For views.
};

/// What is known only when an attempt is to start.
struct LaunchSite {
  std::filesystem::path folder;  ///< Of the attempt, absolute.
  std::string mark;
  Account account;
  bool change_user = false;
  ControlGroups groups;
  std::vector<std::uint32_t> cores;  ///< Where no control group limits CPU time; empty: all.
  std::uint64_t open_files = 0;
  std::int64_t now_unix_ns = 0;
};

/// An Error for the owner of the job: why it cannot be started like this.
Result<supervise::LaunchRecord> make_launch_record(const Launch& launch, const LaunchRules& rules,
                                                   const LaunchSite& site);

/// Shares of all nodes together: on this machine they are one.
std::int64_t total_cpu_milli(const Launch& launch);
std::int64_t total_memory_mib(const Launch& launch);

}  // namespace gw::live
