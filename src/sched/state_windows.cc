// What windows change in the state: nodes that are kept back, and who must leave for one.
#include <algorithm>

#include "base/check.h"
#include "sched/state.h"

namespace gw::sched {

void State::change_windows(const Event& event) {
  set_structured();  // It matters on which nodes jobs run.
  if (event.kind == EventKind::kWindowAdded) {
    GW_CHECK(windows.find(event.window) == nullptr);
    windows.add(event.window, event.reserved);
  } else {
    windows.remove(event.window);
  }
  regroup_windows();
  windows_changed_ = true;  // What is to be kept back is decided before the next pass.
  changes.released = changes.irregular = changes.windows = true;
}

void State::regroup_windows() {
  for (const Windows::Group& group : windows.groups()) {
    if (!group.closed) continue;
    for (const std::uint32_t node : group.nodes) pools[group.pool]->reopen(node, Closure::kWindow);
  }
  std::vector<std::uint32_t> nodes;
  for (const auto& pool : pools) nodes.push_back(pool->nodes());
  windows.regroup(nodes, [this](NodeId node) { return place_of(node); });
  ++node_changes;
  ++window_edges;
  hopeless.clear();
}

void State::refresh_windows(Instant now, Plan* plan) {
  if (!windows.in_use() && !windows_changed_) return;
  std::vector<WindowId> over;
  for (const auto& [id, terms] : windows.all()) {
    const Job* job = terms.job.valid() ? jobs.find(terms.job) : nullptr;
    if (plan == nullptr) break;
    if (Windows::last_end(terms) <= now || (terms.job.valid() && (job == nullptr || job->running)))
      over.push_back(id);
  }
  for (const WindowId id : over) windows.remove(id);
  if (!over.empty()) regroup_windows();
  const bool regrouped = windows_changed_ || !over.empty();
  windows_changed_ = false;
  const Nanoseconds horizon = longest_limit + policy.grace;
  if (!regrouped && now < window_edge_ && now < window_close_ && horizon == window_horizon_) {
    wake_at(window_edge_);
    return;
  }
  const bool edge = regrouped || now >= window_edge_;
  if (edge) {
    ++window_edges;
    ++node_changes;
    changes.released = changes.irregular = true;
  }
  window_horizon_ = horizon;
  window_edge_ = window_close_ = Instant::max();
  for (const auto& [id, terms] : windows.all()) {
    const std::optional<Windows::Time> time = Windows::time_at(terms, now);
    if (!time) continue;
    window_edge_ = std::min(window_edge_, time->from > now ? time->from : time->to);
    if (time->from > now && time->from - now >= horizon)
      window_close_ = std::min(window_close_, time->from - horizon + Nanoseconds{1});
    if (!terms.preempt) continue;
    if (time->from > now && time->from - now > policy.grace) {
      window_edge_ = std::min(window_edge_, time->from - policy.grace);
    } else if (edge && plan != nullptr) {
      tell_in_the_way(terms, id, *time, now, *plan);
    }
  }
  for (Windows::Group& group : windows.groups()) {
    const bool closed = windows.keeps_back(group, now, horizon);
    if (closed == group.closed) continue;
    group.closed = closed;
    Pool& pool = *pools[group.pool];
    for (const std::uint32_t node : group.nodes)
      closed ? pool.close(node, Closure::kWindow) : pool.reopen(node, Closure::kWindow);
  }
  wake_at(window_edge_);
}

/// Jobs that may be on the window's nodes then stay; so do those that cannot be preempted.
void State::tell_in_the_way(const WindowTerms& terms, WindowId id, const Windows::Time& time, Instant now,
                            Plan& plan) {
  std::vector<JobId> told;
  for (std::uint32_t pool = 0; pool < pools.size(); ++pool) {
    if (!windows.in_pool(pool)) continue;
    running[pool].for_each([&](const EndProfile::Entry& entry) {
      const Job& job = jobs[entry.job];
      if (job.leaving || !job.request.preemptible || job.expected_end <= time.from) return true;
      if (windows.owns(id, terms, window_user(job)) && job.expected_end <= time.to) return true;
      const bool there =
          std::any_of(job.placement.pieces.begin(), job.placement.pieces.end(), [&](const Piece& piece) {
            for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
              const std::uint32_t group = windows.group_of(pool, node);
              if (group == Windows::kNoGroup) continue;
              const std::vector<WindowId>& its = windows.groups()[group].windows;
              if (std::binary_search(its.begin(), its.end(), id)) return true;
            }
            return false;
          });
      if (there) told.push_back(job.id);
      return true;
    });
  }
  std::sort(told.begin(), told.end());
  for (const JobId job : told) leave_now(jobs[job], JobId{}, now, plan);
}

WindowId State::conflicting_window(const WindowTerms& terms) const {
  for (const auto& [id, other] : windows.all()) {
    const bool shared = std::any_of(terms.nodes.begin(), terms.nodes.end(), [&](const NodeRun& run) {
      const auto at = std::partition_point(other.nodes.begin(), other.nodes.end(), [&](const NodeRun& its) {
        return its.first.value() + its.count <= run.first.value();
      });
      return at != other.nodes.end() && at->first.value() < run.first.value() + run.count;
    });
    if (shared && Windows::overlap(terms, other)) return id;
  }
  return {};
}

void State::retire_windows(Instant now) {
  for (const auto& [id, terms] : windows.all()) {
    if (!terms.job.valid()) continue;
    const Job* job = jobs.find(terms.job);
    if (job == nullptr || job->running) wake_at(now + Nanoseconds{1'000'000});
  }
}

bool State::windows_admit(const Job& job, const Placement& placement, Instant when) const {
  if (!windows.in_pool(placement.pool)) return !job.request.window.valid();
  const Windows::User user = window_user(job);
  std::uint32_t last = Windows::kNoGroup;
  for (const Piece& piece : placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      const std::uint32_t group = windows.group_of(placement.pool, node);
      if (group == Windows::kNoGroup) {
        if (user.names.valid()) return false;
        continue;
      }
      if (group != last && !windows.admits(windows.groups()[group], user, when)) return false;
      last = group;
    }
  }
  return true;
}

bool State::waits_for_window(const Job& job, Instant now) const {
  if (!job.request.window.valid()) return false;
  const WindowTerms* terms = windows.find(job.request.window);
  if (terms == nullptr) return true;
  const std::optional<Windows::Time> time = Windows::time_at(*terms, now);
  return !time || (time->from > now && !terms->job.valid());
}

std::vector<WindowId> State::own_windows(const Job& job) const {
  std::vector<WindowId> own;
  for (const auto& [id, terms] : windows.all()) {
    if (windows.owns(id, terms, window_user(job))) own.push_back(id);
  }
  return own;
}

bool State::is_hopeless(const Job& job) const {
  const ShapeClasses::Class& shape = classes[job.shape_class];
  if (shape.hopeless_at == node_changes && shape.hopeless_power <= job.request.power_permille) return true;
  if (hopeless.empty()) return false;
  const auto at = hopeless.find({job.request.shape, own_windows(job)});
  return at != hopeless.end() && at->second.at == node_changes && job.request.limit >= at->second.limit;
}

void State::set_hopeless(const Job& job) {
  if (!windows.in_use()) {
    ShapeClasses::Class& shape = classes[job.shape_class];
    const std::uint32_t least = power.limited() ? job.request.power_permille : 0;
    shape.hopeless_power = shape.hopeless_at == node_changes ? std::min(shape.hopeless_power, least) : least;
    shape.hopeless_at = node_changes;
    return;
  }
  Hopeless& known = hopeless[{job.request.shape, own_windows(job)}];
  if (known.at != node_changes) known = {node_changes, kLongestSpan};
  known.limit = std::min(known.limit, job.request.limit);
}

}  // namespace gw::sched
