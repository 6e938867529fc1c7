// The system's clocks, and how one follows the other.
#include "serve/steady_unix_clock.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace gw::serve {
namespace {

std::int64_t read(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

SteadyUnixClock::SteadyUnixClock()
    : SteadyUnixClock([] { return read(CLOCK_BOOTTIME); }, [] { return read(CLOCK_REALTIME); }) {}

SteadyUnixClock::SteadyUnixClock(Source boot_time, Source wall_time)
    : boot_time_(std::move(boot_time)),
      wall_time_(std::move(wall_time)),
      last_boot_(boot_time_()),
      now_(wall_time_()) {}

std::int64_t SteadyUnixClock::now_unix_ns() {
  const std::lock_guard lock(mutex_);
  const std::int64_t boot = boot_time_();
  const std::int64_t passed = std::max<std::int64_t>(0, boot - last_boot_);
  last_boot_ = std::max(last_boot_, boot);
  now_ += passed;
  now_ += std::clamp<std::int64_t>(wall_time_() - now_, 0, passed / 10);
  return now_;
}

std::int64_t SteadyUnixClock::ahead_ns() {
  const std::int64_t now = now_unix_ns();
  return wall_time_() - now;
}

}  // namespace gw::serve
