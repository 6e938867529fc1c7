// SteadyUnixClock: the time that a live factory goes by: Unix time that never goes back and never leaps.
//
// It runs with the machine's boot-time clock (suspended time counts). Where the system's clock is ahead, it
// catches up by at most a tenth of the time that passes; where the system's clock is behind, it goes on at
// its own pace. So a clock that is set does not end jobs' limits, nor turn durations to zero.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

namespace gw::serve {

class SteadyUnixClock {
 public:
  using Source = std::function<std::int64_t()>;  ///< Nanoseconds.

  /// The system's clocks.
  SteadyUnixClock();
  SteadyUnixClock(Source boot_time, Source wall_time);

  /// From any thread.
  std::int64_t now_unix_ns();
  /// How far the system's clock is ahead of this one (behind: negative).
  std::int64_t ahead_ns();

 private:
  Source boot_time_;
  Source wall_time_;
  std::mutex mutex_;
  std::int64_t last_boot_;
  std::int64_t now_;
};

}  // namespace gw::serve
