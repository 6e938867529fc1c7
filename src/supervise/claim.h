// Who runs an attempt: claimed exactly once, and known to live by a lock, not by a process id.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "supervise/records.h"
#include "supervise/system.h"

namespace gw::supervise {

/// A claimed attempt: the open descriptors that go with it.
struct Claimed {
  Descriptor launch;  ///< Holds the lock; closing it, or any other descriptor of that file, lets go.
  Descriptor claim;
  std::optional<LaunchRecord> record;  ///< None where it cannot be read.
};

/// Claims the attempt in the working folder. None with `status`, what the process should exit with.
///
/// The lock is one of fcntl: it is not inherited by children, falls when the process dies, and can be looked
/// at without being taken. It is taken on the launch file before the claim appears, so a claim without a
/// lock means that its owner has gone.
std::optional<Claimed> claim_attempt(int& status);

/// Writes into a claim when its attempt has started, and how long it has run.
void write_start(const Claimed& claimed, std::int64_t unix_ns, std::int64_t ran_ns);

/// Makes the claim file `claim` in `folder` (as for openat) the exit record; false with errno.
bool write_exit(int folder, int claim, const ExitRecord& record);

/// The process that holds the lock on an attempt's launch file; none if nobody does.
std::optional<pid_t> lock_holder(const std::string& attempt_folder);

}  // namespace gw::supervise
