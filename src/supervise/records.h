// The records that an engine and gw-supervise exchange through the folder of an attempt: what to start, that
// it was claimed and started, how it ended. Format: docs/job-environment.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gw::supervise {

// Files in the folder of an attempt.
inline constexpr const char* kLaunchFile =
    "launch";  ///< LaunchRecord; locked by the supervisor while it lives.
inline constexpr const char* kClaimFile = "claim";    ///< Made once; becomes the exit file.
inline constexpr const char* kStopFile = "stop";      ///< There: the attempt is to end; see encode_stop.
inline constexpr const char* kLimitFile = "limit";    ///< There: another time limit; see encode_limit.
inline constexpr const char* kExitFile = "exit";      ///< ExitRecord; appears whole.
inline constexpr const char* kScriptFile = "script";  ///< The job's script, executable.
inline constexpr const char* kWorkFolder = "work";    ///< Where it runs, unless it names a folder.
inline constexpr const char* kOutputStem = "out";     ///< out.OFFSET: segments of what it printed.
inline constexpr const char* kErrorStem = "err";

/// Environment variable by which the processes of an attempt are found when their supervisor has gone.
inline constexpr const char* kMarkVariable = "GIGAWERK_MARK";

/// Whom the signals that ask to end go to. SIGKILL always goes to every process there is.
enum class SignalReach : std::uint8_t {
  kEveryProcess,  ///< The tasks and all that they started.
  kBelowTasks,    ///< What the tasks started: they are a view builder's own processes (bubblewrap).
  kTasksOnly,     ///< The tasks, which pass signals on (a container engine's client).
};

/// One process to start.
struct TaskRecord {
  std::vector<std::string> command;  ///< Empty: the attempt's.
  /// Entries of the attempt's environment that differ for this task, by index.
  std::vector<std::pair<std::uint64_t, std::string>> environment;
  std::string output;  ///< File that takes standard output; empty: captured.
  std::string error;   ///< File that takes standard error; empty: goes with the output.
  std::string input;   ///< Bytes that the task finds on descriptor 3; empty: there is none.
};

/// All that a supervisor needs.
struct LaunchRecord {
  std::uint64_t job = 0;
  std::uint32_t attempt = 0;
  std::uint64_t identity = 0;  ///< Of the job; 0 = not known. As in live::Launch.
  std::string mark;            ///< Unlike that of every other attempt.

  std::vector<std::string> command;
  std::vector<std::string> environment;  ///< NAME=VALUE.
  std::vector<TaskRecord> tasks;         ///< By rank; never empty.
  std::string working_folder;            ///< Absolute; empty: `work` in the attempt's own folder.
  bool separate_error = false;           ///< Captured error goes to segments of its own.
  std::uint64_t segment_bytes = 0;
  std::uint64_t output_cap_bytes = 0;

  std::int64_t limit_ns = 0;
  std::int64_t warning_before_ns = 0;
  std::int32_t warning_signal = 0;  ///< 0 = none.
  bool warn_every_process = true;
  std::int64_t grace_ns = 0;
  SignalReach reach = SignalReach::kEveryProcess;
  std::vector<std::vector<std::string>> cleanup;  ///< Commands to run when all tasks have ended.

  bool change_user = false;
  std::uint32_t user = 0;
  std::uint32_t group = 0;
  std::vector<std::uint32_t> groups;
  bool no_new_privileges = false;

  std::string control_group;       ///< Folder to make in a cgroup2 file system; empty: none.
  std::string cpu_max;             ///< For cpu.max; empty: not limited there.
  std::uint64_t memory_bytes = 0;  ///< Of all processes together; 0 = no limit.
  bool memory_by_group =
      false;  ///< The control group limits memory; else each process, and a watch over all.
  std::uint64_t processes_max = 0;   ///< 0 = no limit.
  bool processes_by_group = false;   ///< The control group limits them; else the account does, if not root.
  std::vector<std::uint32_t> cores;  ///< That the tasks may run on; empty: all.
  std::uint64_t open_files = 0;      ///< Soft limit for the tasks; 0 = as it is.
  std::string note;                  ///< Goes into the exit record.

  friend bool operator==(const LaunchRecord&, const LaunchRecord&) = default;
};
bool operator==(const TaskRecord&, const TaskRecord&);

/// How an attempt ended: as live::AttemptEnd, in its order.
enum class Ending : std::uint8_t {
  kExited,
  kSignalled,
  kTimeLimit,
  kStopped,
  kOutOfMemory,
  kLaunchFailed,
  kLost,
};

struct ExitRecord {
  std::uint64_t identity = 0;  ///< As in the LaunchRecord.
  bool ran = false;            ///< All its tasks had become their commands.
  Ending ending = Ending::kExited;
  std::int32_t exit_code = 0;
  std::int32_t signal = 0;
  std::int64_t started_unix_ns = 0;
  std::int64_t duration_ns = 0;  ///< By a clock that nobody sets.
  std::int64_t cpu_ns = 0;
  std::uint64_t memory_peak_bytes = 0;
  std::uint64_t output_bytes = 0;
  std::uint64_t output_lost_bytes = 0;
  std::string note;
  friend bool operator==(const ExitRecord&, const ExitRecord&) = default;
};

/// What the claim file says; the start, and how long it has run, are added to it.
struct ClaimRecord {
  std::int32_t supervisor = 0;  ///< Its process id, for people: who lives is told by the lock.
  /// As in the LaunchRecord; none where the record is not whole.
  std::optional<std::uint64_t> identity;
  std::optional<std::int64_t> started_unix_ns;
  /// Written now and then while it runs (by a clock that nobody sets): what is certain if it is lost.
  std::int64_t ran_ns = 0;
};

/// What a supervisor writes to the engine's pipe when all tasks run; lost without harm.
struct StartedMessage {
  std::uint64_t job = 0;
  std::uint64_t attempt = 0;
  std::int64_t unix_ns = 0;
};

/// How a supervisor ends that has not claimed its attempt; + errno where a call failed.
inline constexpr int kUnreadableStatus = 2;
inline constexpr int kTakenStatus = 3;
inline constexpr int kFailedStatus = 64;

/// The claim file has this size from the beginning, so that the exit record, which is written over it, has
/// its space whatever becomes of the disk. A note that is too long for it is cut at a whole character.
inline constexpr std::size_t kExitRecordBytes = 2048;

std::string encode(const LaunchRecord& record);
std::string encode(const ExitRecord& record);
std::string encode(const ClaimRecord& record);

/// What the stop file says where an attempt gets less than its own grace; else it is empty.
std::string encode_stop(std::int64_t most_grace_ns);
/// None where it says nothing.
std::optional<std::int64_t> decode_stop(std::string_view bytes);

/// What the limit file says: a time limit from the start of the attempt, in place of the launch record's.
std::string encode_limit(std::int64_t limit_ns);
/// None where it says nothing.
std::optional<std::int64_t> decode_limit(std::string_view bytes);

/// None where the bytes are damaged, cut short or of another version.
std::optional<LaunchRecord> decode_launch(std::string_view bytes);
std::optional<ExitRecord> decode_exit(std::string_view bytes);
/// As much of it as is whole: it may be read while it is written.
ClaimRecord decode_claim(std::string_view bytes);

}  // namespace gw::supervise
