// Thin covers of system calls.
#include "supervise/system.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <ctime>

namespace gw::supervise {
namespace {

std::int64_t now_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

std::int64_t unix_now() { return now_of(CLOCK_REALTIME); }
std::int64_t boot_now() { return now_of(CLOCK_BOOTTIME); }

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::optional<std::string> read_file_at(int folder, const char* name, std::size_t most) {
  const Descriptor file(::openat(folder, name, O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::string bytes;
  struct stat status{};
  constexpr std::size_t kChunk = 4096;  // Files of /proc and control groups tell no size.
  std::size_t room = kChunk;
  if (::fstat(file.get(), &status) == 0 && status.st_size > 0)
    room = static_cast<std::size_t>(status.st_size) + 1;
  while (bytes.size() < most) {
    const std::size_t before = bytes.size();
    if (room > most - before) room = most - before;
    bytes.resize(before + room);
    const ssize_t got = ::read(file.get(), bytes.data() + before, room);
    bytes.resize(before + (got > 0 ? static_cast<std::size_t>(got) : 0));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    room = kChunk;
  }
  return bytes;
}

bool write_existing(const std::string& path, std::string_view bytes) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
}

const char* reason(int error) {
  const char* text = ::strerrordesc_np(error);
  return text != nullptr ? text : "unknown error";
}

void append_number(std::string& text, std::uint64_t number) {
  char digits[20];
  std::size_t at = sizeof digits;
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  text.append(digits + at, sizeof digits - at);
}

}  // namespace gw::supervise
