// Claiming of attempts.
#include "supervise/claim.h"

#include <fcntl.h>

#include <cerrno>

namespace gw::supervise {

std::optional<Claimed> claim_attempt(int& status) {
  const auto failed = [&] {
    status = kFailedStatus + errno;
    return std::nullopt;
  };
  Claimed claimed;
  claimed.launch = Descriptor(::open(kLaunchFile, O_RDWR | O_CLOEXEC));
  if (!claimed.launch) return failed();
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(claimed.launch.get(), F_SETLK, &lock) != 0) {
    if (errno == EACCES || errno == EAGAIN) {
      status = kTakenStatus;
      return std::nullopt;
    }
    return failed();
  }
  const off_t size = ::lseek(claimed.launch.get(), 0, SEEK_END);
  if (size < 0) return failed();
  claimed.bytes.resize(static_cast<std::size_t>(size));
  std::size_t have = 0;
  while (have < claimed.bytes.size()) {
    const ssize_t got = ::pread(claimed.launch.get(), claimed.bytes.data() + have,
                                claimed.bytes.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  claimed.bytes.resize(have);

  if (::access(kClaimFile, F_OK) == 0) {
    status = kTakenStatus;
    return std::nullopt;
  }
  // Before the claim: who cannot keep how the attempt ends must not begin it.
  claimed.partial_exit = Descriptor(::open(kPartialExitFile, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!claimed.partial_exit) return failed();
  if (!write_all(claimed.partial_exit.get(), std::string(kExitRecordBytes, '\0'))) return failed();
  claimed.claim = Descriptor(::open(kClaimFile, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644));
  if (!claimed.claim) {
    if (errno != EEXIST) return failed();
    status = kTakenStatus;
    return std::nullopt;
  }
  // What it says is for people and for the time of the start: that it exists is what counts.
  (void)write_all(claimed.claim.get(), encode_claimed(::getpid()));
  return claimed;
}

std::optional<pid_t> lock_holder(const std::string& attempt_folder) {
  const Descriptor launch(::open((attempt_folder + "/" + kLaunchFile).c_str(), O_RDONLY | O_CLOEXEC));
  if (!launch) return std::nullopt;
  struct flock lock{};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (::fcntl(launch.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
  return lock.l_pid;
}

}  // namespace gw::supervise
