// Thin covers of system calls: descriptors that close themselves, the two clocks, whole small files.
#pragma once

#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace gw::supervise {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      close();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  ~Descriptor() { close(); }
  [[nodiscard]] int get() const { return number_; }
  [[nodiscard]] explicit operator bool() const { return number_ >= 0; }
  void close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

/// Nanoseconds since 1970; people set this clock.
std::int64_t unix_now();
/// Nanoseconds since the machine was started, its sleep included; nobody sets this clock.
std::int64_t boot_now();

/// `span` after `from`, or so far in the future that it never comes: sums do not overflow.
constexpr std::int64_t later(std::int64_t from, std::int64_t span) {
  constexpr std::int64_t kNever = std::int64_t{1} << 62;
  return span >= kNever ? kNever : from + span;
}

/// False with errno set, possibly after a part was written.
bool write_all(int descriptor, std::string_view bytes);
/// The whole of a file, at most `most` bytes; none with errno set. `folder` as for openat.
std::optional<std::string> read_file_at(int folder, const char* name, std::size_t most = 1U << 28);
/// Writes `bytes` into a file that exists (of /proc, /sys or a control group) in one call; false with errno.
bool write_existing(const std::string& path, std::string_view bytes);

/// "No such file or directory": in English, without the locale's machinery.
const char* reason(int error);

/// Decimal digits; std::to_string without its baggage.
void append_number(std::string& text, std::uint64_t number);

}  // namespace gw::supervise
