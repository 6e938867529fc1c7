// Where on this machine control groups for jobs can be made, and what they can limit.
#pragma once

#include <filesystem>
#include <string>

namespace gw::live {

struct ControlGroups {
  std::filesystem::path folder;  ///< In which one group per attempt is made; empty: there can be none.
  bool cpu = false;              ///< These controllers work in the groups below `folder`.
  bool memory = false;
  bool processes = false;
  std::string missing;  ///< For people: why not everything is there; empty if it is.
};

/// Looks for a cgroup2 file system that this process may write to: where it stands itself (`process` is
/// /proc/self, or a likeness in a test), or `root` if that is not empty. Turns the controllers on; where that
/// takes it, moves this process into the group `server` below. A cgroup2 without controllers (the hybrid
/// set-up) still serves to kill a job whole.
ControlGroups prepare_control_groups(const std::filesystem::path& root,
                                     const std::filesystem::path& process = "/proc/self");

/// The folder of the group that `process` stands in, in the mounted cgroup2 file system; empty: none.
std::filesystem::path own_control_group(const std::filesystem::path& process = "/proc/self");

}  // namespace gw::live
