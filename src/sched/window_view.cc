// Nodes that are kept back are opened, searched and closed again.
#include "sched/window_view.h"

#include <algorithm>

#include "base/check.h"

namespace gw::sched {

WindowView::WindowView(const State& state, const Job& job, Instant now) : state_(state) {
  if (state.windows.in_use()) groups_ = window_choice(state, job, now).kept;
  open();
}

WindowView::WindowView(const State& state, std::vector<std::uint32_t> groups)
    : state_(state), groups_(std::move(groups)) {
  std::erase_if(groups_, [&](std::uint32_t group) { return !state.windows.groups()[group].closed; });
  open();
}

void WindowView::open() {
  if (groups_.empty()) return;
  for (const auto& pool : state_.pools) versions_.push_back(pool->version());
  for (const std::uint32_t index : groups_) {
    const Windows::Group& group = state_.windows.groups()[index];
    for (const std::uint32_t node : group.nodes) state_.pools[group.pool]->reopen(node, Closure::kWindow);
  }
}

WindowView::~WindowView() {
  if (groups_.empty()) return;
  for (const std::uint32_t index : groups_) {
    const Windows::Group& group = state_.windows.groups()[index];
    for (const std::uint32_t node : group.nodes) state_.pools[group.pool]->close(node, Closure::kWindow);
  }
  for (std::size_t pool = 0; pool < versions_.size(); ++pool)
    state_.pools[pool]->set_version(versions_[pool]);
}

WindowChoice window_choice(const State& state, const Job& job, Instant now) {
  WindowChoice choice;
  const Windows::User user = State::window_user(job);
  const std::vector<std::uint32_t>& pools = state.classes[job.shape_class].pools;
  const std::vector<Windows::Group>& groups = state.windows.groups();
  for (std::uint32_t index = 0; index < groups.size(); ++index) {
    const Windows::Group& group = groups[index];
    if (std::find(pools.begin(), pools.end(), group.pool) == pools.end()) continue;
    if (!state.windows.admits(group, user, now)) continue;
    if (state.windows.is_own(group, user, now)) choice.own.push_back(index);
    if (group.closed) choice.kept.push_back(index);
  }
  return choice;
}

std::optional<Placement> place_in_groups(const State& state, const Job& job,
                                         const std::vector<std::uint32_t>& groups, std::uint32_t except_pool,
                                         const std::vector<std::uint32_t>& except) {
  const WindowView view(state, groups);
  std::vector<std::pair<Pool*, std::uint32_t>> held;
  std::vector<std::uint64_t> versions;
  for (const auto& pool : state.pools) versions.push_back(pool->version());
  for (const std::uint32_t index : groups) {
    const Windows::Group& group = state.windows.groups()[index];
    Pool& pool = *state.pools[group.pool];
    for (const std::uint32_t node : group.nodes) {
      if (group.pool == except_pool && std::binary_search(except.begin(), except.end(), node)) continue;
      pool.hold(node);
      held.emplace_back(&pool, node);
    }
  }
  std::optional<Placement> placement = state.place(job, View::kHeld);
  for (const auto& [pool, node] : held) pool->release_hold(node);
  for (std::size_t pool = 0; pool < versions.size(); ++pool) state.pools[pool]->set_version(versions[pool]);
  return placement;
}

std::int64_t group_room(const State& state, std::uint32_t index, const Shape& shape) {
  const Windows::Group& group = state.windows.groups()[index];
  const Pool& pool = *state.pools[group.pool];
  std::int64_t room = 0;
  for (const std::uint32_t node : group.nodes) {
    if (pool.is_down(node)) continue;
    const std::uint32_t free = pool.free_count(node);
    if (shape.gpu_milli != 0 || (shape.nodes > 0 && shape.gpus == 0)) {
      ++room;  // Shares and jobs without GPUs: the index does not say.
    } else if (shape.nodes == 0) {
      room += free;
    } else {
      room += free >= shape.gpus;
    }
  }
  return room;
}

bool fits_without_windows(const State& state, const Job& job) {
  if (!state.windows.in_use()) return false;
  const std::vector<std::uint32_t>& pools = state.classes[job.shape_class].pools;
  const std::vector<Windows::Group>& groups = state.windows.groups();
  std::vector<std::uint32_t> kept;
  std::int64_t room = 0;
  for (std::uint32_t index = 0; index < groups.size(); ++index) {
    if (!groups[index].closed || std::find(pools.begin(), pools.end(), groups[index].pool) == pools.end())
      continue;
    kept.push_back(index);
    room += group_room(state, index, job.request.shape);
  }
  if (room == 0) return false;
  const WindowView view(state, kept);
  return state.place(job, View::kOpen).has_value() || state.place(job, View::kHeld).has_value();
}

}  // namespace gw::sched
