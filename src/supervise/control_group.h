// ControlGroup: the cgroup2 folder of one attempt, where the machine lets us make one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "supervise/records.h"
#include "supervise/system.h"

namespace gw::supervise {

class ControlGroup {
 public:
  /// Makes the folder and writes the limits. What cannot be limited is told in `notes`; none where the
  /// folder cannot be made.
  static std::optional<ControlGroup> make(const LaunchRecord& record, std::string& notes);

  [[nodiscard]] int descriptor() const { return folder_.get(); }
  [[nodiscard]] bool limits_memory() const { return limits_memory_; }
  /// Moves the calling process in: for kernels that cannot start a process in a group.
  [[nodiscard]] bool join() const;
  /// Kills all processes in it at once; false where the kernel cannot (before Linux 5.14).
  bool kill() const;
  /// Times that the kernel has killed a process of the group for its memory.
  [[nodiscard]] std::uint64_t out_of_memory_kills() const;
  [[nodiscard]] std::uint64_t memory_peak_bytes() const;  ///< 0 = not known.
  [[nodiscard]] std::int64_t cpu_ns() const;              ///< 0 = not known.
  void remove() const;

 private:
  ControlGroup(std::string path, Descriptor folder) : path_(std::move(path)), folder_(std::move(folder)) {}
  bool set(const char* file, const std::string& value) const;
  [[nodiscard]] std::uint64_t value_in(const char* file, const char* key) const;

  std::string path_;
  Descriptor folder_;
  bool limits_memory_ = false;
};

/// For a group whose supervisor has gone: kills what is in it and removes it.
void end_control_group(const std::string& path);

}  // namespace gw::supervise
