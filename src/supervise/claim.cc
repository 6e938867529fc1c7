// Claiming of attempts.
#include "supervise/claim.h"

#include <fcntl.h>

#include <cerrno>

namespace gw::supervise {
namespace {

ClaimRecord claim_record(const Claimed& claimed) {
  ClaimRecord record;
  record.supervisor = ::getpid();
  if (claimed.record) record.identity = claimed.record->identity;
  return record;
}

}  // namespace

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
  std::string launch(static_cast<std::size_t>(size), '\0');
  std::size_t have = 0;
  while (have < launch.size()) {
    const ssize_t got =
        ::pread(claimed.launch.get(), launch.data() + have, launch.size() - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    have += static_cast<std::size_t>(got);
  }
  launch.resize(have);
  claimed.record = decode_launch(launch);

  const auto taken = [&] {
    status = kTakenStatus;
    return std::nullopt;
  };
  claimed.claim = Descriptor(::open(kClaimFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!claimed.claim) return errno == EEXIST ? taken() : failed();
  std::string bytes = encode(claim_record(claimed));
  bytes.resize(kExitRecordBytes);
  if (!write_all(claimed.claim.get(), bytes)) {
    // Who cannot keep how the attempt ends must not begin it.
    status = kFailedStatus + errno;
    ::unlink(kClaimFile);
    return std::nullopt;
  }
  if (::access(kExitFile, F_OK) == 0) {  // It has ended: that file had the claim's name before.
    ::unlink(kClaimFile);
    return taken();
  }
  return claimed;
}

void write_start(const Claimed& claimed, std::int64_t unix_ns, std::int64_t ran_ns) {
  ClaimRecord record = claim_record(claimed);
  record.started_unix_ns = unix_ns;
  record.ran_ns = ran_ns;
  const std::string bytes = encode(record);
  (void)!::pwrite(claimed.claim.get(), bytes.data(), bytes.size(), 0);
}

bool write_exit(int folder, int claim, const ExitRecord& record) {
  const std::string bytes = encode(record);
  return ::pwrite(claim, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()) &&
         ::renameat(folder, kClaimFile, folder, kExitFile) == 0;
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
