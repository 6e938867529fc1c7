// WindowView: searches for a place on nodes that windows keep back, for a job that they admit.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "sched/state.h"

namespace gw::sched {

/// While it lives, some nodes that are kept back are open to searches; nobody else may change the pools'
/// nodes meanwhile, except by taking a place. (Pools are reached through a const State: they end as they
/// were.)
class WindowView {
 public:
  /// Opens the groups that are kept back and admit the job now.
  WindowView(const State& state, const Job& job, Instant now);
  /// Opens these groups, as far as they are kept back.
  WindowView(const State& state, std::vector<std::uint32_t> groups);
  ~WindowView();
  WindowView(const WindowView&) = delete;
  WindowView& operator=(const WindowView&) = delete;
  WindowView(WindowView&&) = delete;

 private:
  void open();
  const State& state_;
  std::vector<std::uint32_t> groups_;
  std::vector<std::uint64_t> versions_;  ///< Of the pools.
};

/// Groups in the job's pools on which it may start now.
struct WindowChoice {
  std::vector<std::uint32_t> own;   ///< By a window of its own.
  std::vector<std::uint32_t> kept;  ///< All that are kept back, own or not: it ends before others' times.
};
WindowChoice window_choice(const State& state, const Job& job, Instant now);

/// Where the job fits on nodes of these groups alone, but for those in `except` (of pool `except_pool`). No
/// node may be held.
std::optional<Placement> place_in_groups(const State& state, const Job& job,
                                         const std::vector<std::uint32_t>& groups, std::uint32_t except_pool,
                                         const std::vector<std::uint32_t>& except);

/// Would the job fit now if there were no windows?
bool fits_without_windows(const State& state, const Job& job);

/// What of a shape's need the nodes of a group could provide at most now: nodes of a gang, GPUs otherwise. A
/// cheap bound.
std::int64_t group_room(const State& state, std::uint32_t group, const Shape& shape);

}  // namespace gw::sched
