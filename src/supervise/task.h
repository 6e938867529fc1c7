// Starting of one task: the process that becomes a job's command, set up as its launch record says.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "supervise/control_group.h"
#include "supervise/records.h"

namespace gw::supervise {

/// The last thing that a task tried before it gave up.
enum class StartStage : std::uint32_t {
  kRun,
  kRunScript,  ///< The file is there, its interpreter is not.
  kInput,
  kLimits,
  kUser,
  kWorkingFolder,
  kOutput,
  kError,
};

/// What a task that cannot become its command writes to the status pipe.
struct StartFailure {
  std::uint32_t rank = 0;
  StartStage stage = StartStage::kRun;
  std::int32_t error = 0;
};

/// "cannot run 'foo': No such file or directory"
std::string text_of(const StartFailure& failure, const LaunchRecord& record);
/// Whether the machine is to blame, not what the job asked for.
bool is_machines(const StartFailure& failure);
/// As shells do: 127 where there is no such command, else 126.
int exit_code_of(const StartFailure& failure);

/// Descriptors and the like that all tasks of an attempt share.
struct TaskSetting {
  const LaunchRecord& record;
  int null = -1;    ///< /dev/null
  int output = -1;  ///< Where captured output goes.
  int error = -1;
  int status = -1;                              ///< Takes a StartFailure; closes when the command runs.
  const ControlGroup* control_group = nullptr;  ///< To start them in; may be null.
  bool memory_per_process = false;
  pid_t group = 0;  ///< Process group to join; 0: of its own.
};

/// The new process, or -1 with errno.
pid_t start_task(const TaskSetting& setting, std::size_t rank);

}  // namespace gw::supervise
