// What the folder of an attempt says about it: the only memory that outlives the server.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "live/engine.h"
#include "supervise/records.h"

namespace gw::live {

struct AttemptSight {
  enum class Stage : std::uint8_t {
    kNew,       ///< Nothing has run: it may be started.
    kRunning,   ///< Its supervisor lives.
    kEnded,     ///< `exit` says how.
    kDeserted,  ///< It was begun, its supervisor has gone, and nobody knows how it ended.
  };
  Stage stage = Stage::kNew;
  pid_t supervisor = 0;
  std::optional<std::int64_t> started_unix_ns;
  std::int64_t ran_ns = 0;  ///< At least so long, where it has not ended.
  /// Of the job that the folder is of; none where nothing there says it.
  std::optional<std::uint64_t> identity;
  supervise::ExitRecord exit;
};

AttemptSight look_at_attempt(const std::filesystem::path& folder);

/// As AttemptSight::identity; looks at nothing else.
std::optional<std::uint64_t> attempt_identity(const std::filesystem::path& folder);

/// The record that its supervisor works from; none where it cannot be read.
std::optional<supervise::LaunchRecord> read_launch_record(const std::filesystem::path& folder);

/// The engine's own list of attempts that are not forgotten: without it, it would have to look through the
/// folders of all that ever ran. Files JOB.ATTEMPT in the folder `live`.
class LiveList {
 public:
  explicit LiveList(std::filesystem::path folder) : folder_(std::move(folder)) {}
  Result<void> make() const;
  /// `launch`: its launch file.
  Result<void> add(AttemptId id, const std::filesystem::path& launch) const;
  void remove(AttemptId id) const;
  [[nodiscard]] std::vector<AttemptId> all() const;

 private:
  [[nodiscard]] std::filesystem::path file_of(AttemptId id) const;
  std::filesystem::path folder_;
};

/// Another account that owns a job's files.
struct Owner {
  std::uint32_t user = 0;
  std::uint32_t group = 0;
};

/// Makes the folder of an attempt with all that its supervisor needs. What is there already stays: who wrote
/// it may just be starting.
Result<void> write_attempt(const std::filesystem::path& folder, const supervise::LaunchRecord& record,
                           const std::string& script, const std::optional<Owner>& owner);

/// Moves the folder of another job's attempt, which has ended, out of the way; there need not be one.
Result<void> set_attempt_aside(const std::filesystem::path& folder);

/// Writes an exit record in place of a supervisor: for an attempt that never ran (`claim`: nobody may begin
/// it any more; false if somebody has) or that was deserted.
bool write_exit_record(const std::filesystem::path& folder, const supervise::ExitRecord& record, bool claim);

/// Asks the supervisor that has the attempt, or will have it, to end it, with its own grace but at most
/// `most_grace`. False where not even that fits.
bool write_stop(const std::filesystem::path& folder, Nanoseconds most_grace = kLongestSpan);

/// Tells the supervisor another time limit; it reads it when it gets SIGUSR1.
bool write_limit(const std::filesystem::path& folder, Nanoseconds limit);

/// Removes what only the engine and the supervisor need; the exit record and the output stay.
void tidy_attempt(const std::filesystem::path& folder);

/// A note of which start of the machine the state in a folder belongs to. After another start, files that say
/// that an attempt was begun may have been lost with the machine's memory.
class BootNote {
 public:
  explicit BootNote(std::filesystem::path file) : file_(std::move(file)) {}
  /// Whether the note is of this start.
  [[nodiscard]] bool is_current() const;
  [[nodiscard]] bool exists() const;
  Result<void> renew() const;

 private:
  std::filesystem::path file_;
};

}  // namespace gw::live
