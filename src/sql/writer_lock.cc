// flock, and the number of the process that holds it in the file.
#include "sql/writer_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace gw::sql {
namespace {

/// " (process 4711)", or nothing where the file does not say.
std::string holder(int descriptor) {
  std::array<char, 16> text{};
  const ssize_t got = ::pread(descriptor, text.data(), text.size() - 1, 0);
  std::string number;
  for (const char c : std::string_view(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0)) {
    if (c < '0' || c > '9') break;
    number.push_back(c);
  }
  return number.empty() ? "" : fmt::format(" (process {})", number);
}

}  // namespace

Result<WriterLock> WriterLock::take(const std::string& path) {
  const std::string name = path + ".lock";
  // Whoever may open it may lock it, and keep its owner out.
  const int descriptor = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return fail(fmt::format("{}: cannot open the lock file: {}; the database's folder must be writable", name,
                            std::strerror(errno)));
  }
  WriterLock lock(descriptor);
  while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK)
      return fail(fmt::format("{}: cannot lock the file: {}", name, std::strerror(errno)));
    return fail(fmt::format("{}: another process{} writes to this database and holds {}; stop it first", path,
                            holder(descriptor), name));
  }
  // Only for the message above, so it may fail.
  const std::string number = fmt::format("{}\n", ::getpid());
  if (::ftruncate(descriptor, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(descriptor, number.data(), number.size(), 0);
  }
  return lock;
}

WriterLock::WriterLock(WriterLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

WriterLock::~WriterLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace gw::sql
