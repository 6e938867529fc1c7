// The search for a window's nodes: those asked for, or the nearest time at which there are enough.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/window.h"
#include "sched/state.h"

namespace gw::sched {

struct WindowAnswer {
  /// Why it cannot be at the time that was asked for.
  enum class Bar : std::uint8_t {
    kNone,
    kNodes,     ///< There are not so many nodes of that kind, up and not drained, within the level.
    kReserved,  ///< Too many are reserved at that time: `windows`.
    kRunning,   ///< Jobs run there whose limits end later: `jobs`.
    kQuota,     ///< Its tenant's quota or budget does not let the job start, whoever ends.
  };
  Bar bar = Bar::kNone;
  WindowTerms terms;              ///< With the nodes chosen; where it cannot be, at the nearest time.
  std::vector<JobId> jobs;        ///< Who will be told to go, or is in the way; ascending.
  std::vector<WindowId> windows;  ///< That are in the way; ascending.
  bool found = false;             ///< `terms` holds a time and nodes that could be reserved.
};

/// Looks at the time asked for, then at each later one at which something comes free (a running job's limit,
/// a window's end): so the nearest is exact, by limits. A time costs O(groups + log nodes) to count; only
/// with a level are nodes listed for each. Waiting jobs have no say.
WindowAnswer find_window(const State& state, const WindowWish& wish, Instant now);

/// A window for a waiting job where and when it could start by the limits of running jobs, for its limit and
/// `slack` more: the time is then promised to it. Where it needs a part of a node only, who is there by then
/// stays. It is no earlier than its tenant's quota has room for it by the same limits; nothing is kept for it
/// there. Not found if nothing can be promised.
WindowAnswer promise_window(const State& state, const Job& job, Nanoseconds slack, Instant now);

}  // namespace gw::sched
