// Starts by the calendar of windows, and the bounds by which most jobs are passed over.
#include "sched/window_starts.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "sched/window_view.h"

namespace gw::sched {
namespace {

bool waits_without_gpus(const State& state) {
  for (std::uint32_t id = 0; id < state.classes.size(); ++id) {
    if (state.classes[id].waiting > 0 && state.classes[id].shape.total_gpu_milli() == 0) return true;
  }
  return false;
}

}  // namespace

void WindowStarts::begin(const State& state) {
  if (std::exchange(edges_, state.window_edges) != state.window_edges) failures_.clear();
}

bool WindowStarts::has_failed(const State& state, const Attempt& what, std::uint64_t version) const {
  if (state.thorough) return false;
  const auto at = failures_.find(what);
  if (at != failures_.end() && at->second == version) return true;
  return std::all_of(what.groups.begin(), what.groups.end(),
                     [&](std::uint32_t group) { return group_room(state, group, what.shape) == 0; });
}

bool WindowStarts::start_in_own(State& state, NodeReservation& reservation, Job& job,
                                const std::vector<std::uint32_t>& own, bool shape_decides, Instant now,
                                Plan& plan) {
  const std::uint64_t version = pools_version(state, state.classes[job.shape_class]);
  const Attempt what{job.request.shape, own, true, job.request.limit <= reservation.window(now)};
  if (has_failed(state, what, version)) return false;
  const bool apart = job.id != reservation.job() && !what.held;
  const std::vector<std::uint32_t> except = apart ? reservation.nodes() : std::vector<std::uint32_t>{};
  std::optional<Placement> placement = reservation.looking_past(
      state, [&] { return place_in_groups(state, job, own, reservation.pool(), except); });
  if (!placement) {
    if (shape_decides) failures_[what] = version;
    return false;
  }
  if (job.id == reservation.job()) reservation.drop(state);
  state.start(job, std::move(*placement), now, plan);
  return true;
}

bool WindowStarts::start_between(State& state, Job& job, const std::vector<std::uint32_t>& kept,
                                 bool may_hold, bool shape_decides, Instant now, Plan& plan) {
  const std::uint64_t version = pools_version(state, state.classes[job.shape_class]);
  const Attempt what{job.request.shape, kept, false, may_hold};
  if (has_failed(state, what, version)) return false;
  std::optional<Placement> placement;
  {
    const WindowView view(state, kept);
    placement = state.place(job, View::kOpen);
    if (!placement && may_hold) placement = state.place(job, View::kHeld);
  }
  if (placement) {
    state.start(job, std::move(*placement), now, plan);
    return true;
  }
  if (shape_decides) failures_[what] = version;
  return false;
}

void WindowStarts::look(const State& state, Instant now) {
  shapes_.reset(state.classes.size());
  free_ = -1;
  span_ = Nanoseconds{-1};
  if (!state.windows.in_use()) return;
  const std::vector<Windows::Group>& groups = state.windows.groups();
  std::vector<std::int64_t> free(state.pools.size());
  std::vector<bool> any(state.pools.size());
  for (std::uint32_t index = 0; index < groups.size(); ++index) {
    if (!groups[index].closed) continue;
    const std::uint32_t pool = groups[index].pool;
    const std::int64_t room = group_room(state, index, Shape{0, 1});
    if (room == 0 && state.pools[pool]->partial_free_milli() == 0 && state.pools[pool]->gpus_per_node() > 0 &&
        !waits_without_gpus(state))
      continue;
    free[pool] += room;
    any[pool] = true;
    Nanoseconds span = kLongestSpan;
    for (const WindowId id : groups[index].windows) {
      const WindowTerms& terms = *state.windows.find(id);
      const std::optional<Windows::Time> time = Windows::time_at(terms, now);
      if (!time) continue;
      const bool own_only = time->from <= now || terms.job.valid();
      span = std::min(span, (own_only ? time->to : time->from) - now);
    }
    span_ = std::max(span_, span);
  }
  for (std::size_t pool = 0; pool < free.size(); ++pool) {
    if (!any[pool]) continue;
    free_ = std::max(free_, free[pool] + state.pools[pool]->free_gpus() + 1);
  }
  for (std::uint32_t id = 0; free_ >= 0 && id < state.classes.size(); ++id) {
    const ShapeClasses::Class& shape = state.classes[id];
    if (shape.waiting > 0 &&
        std::any_of(shape.pools.begin(), shape.pools.end(), [&](std::uint32_t pool) { return any[pool]; }))
      shapes_.add(id);
  }
}

}  // namespace gw::sched
