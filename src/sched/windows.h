// Windows: the calendar of reserved nodes, and who may start where and when by it.
//
// Nodes with the same windows form a group, so that all questions cost O(groups), not O(nodes). A window's
// times are computed from its terms: nothing is kept that a repetition would have to change.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/window.h"

namespace gw::sched {

class Windows {
 public:
  /// One time of a window.
  struct Time {
    Instant from;
    Instant to;
  };
  /// Who asks: what counts about a job.
  struct User {
    TenantId tenant;
    JobId job;
    WindowId names;  ///< The one window in which it may run.
    Nanoseconds limit;
  };
  struct Group {
    std::uint32_t pool = 0;
    std::vector<std::uint32_t> nodes;  ///< Pool-local, ascending.
    std::vector<WindowId> windows;     ///< Ascending.
    bool closed = false;               ///< Its nodes are kept back (Closure::kWindow).
  };
  static constexpr std::uint32_t kNoGroup = 0xffffffffU;
  /// So many times of windows are looked at by one question about the future.
  static constexpr std::size_t kMostTimes = 4096;

  void add_tenant(TenantId parent) { parents_.push_back(parent); }
  [[nodiscard]] bool in_use() const { return !terms_.empty(); }
  [[nodiscard]] const std::map<WindowId, WindowTerms>& all() const { return terms_; }
  [[nodiscard]] const WindowTerms* find(WindowId id) const {
    const auto at = terms_.find(id);
    return at == terms_.end() ? nullptr : &at->second;
  }
  /// After either, `regroup` is due.
  void add(WindowId id, const WindowTerms& terms) { terms_.emplace(id, terms); }
  void remove(WindowId id) { terms_.erase(id); }
  /// Makes the groups anew, all open. `place_of(node)` gives a node's pool and its number there; `nodes` is
  /// the size of each pool.
  template <class PlaceOf>
  void regroup(const std::vector<std::uint32_t>& nodes, PlaceOf&& place_of);

  [[nodiscard]] std::vector<Group>& groups() { return groups_; }
  [[nodiscard]] const std::vector<Group>& groups() const { return groups_; }
  /// The group of a node, or kNoGroup.
  [[nodiscard]] std::uint32_t group_of(std::uint32_t pool, std::uint32_t node) const {
    return pool < group_of_.size() && !group_of_[pool].empty() ? group_of_[pool][node] : kNoGroup;
  }
  [[nodiscard]] bool in_pool(std::uint32_t pool) const {
    return pool < group_of_.size() && !group_of_[pool].empty();
  }

  /// The first time of a window that is not over at `when`; none if all are.
  [[nodiscard]] static std::optional<Time> time_at(const WindowTerms& terms, Instant when);
  /// Is any time of one inside any of the other?
  [[nodiscard]] static bool overlap(const WindowTerms& a, const WindowTerms& b);
  /// When the last time of it is over; Instant::max() if that never is.
  [[nodiscard]] static Instant last_end(const WindowTerms& terms);

  [[nodiscard]] bool owns(WindowId id, const WindowTerms& terms, const User& user) const;
  /// May the user's job start at `when` on the group's nodes, by its limit? On nodes that are in no group,
  /// every job may that names no window.
  [[nodiscard]] bool admits(const Group& group, const User& user, Instant when) const;
  /// Is one of the user's own windows the reason why it may?
  [[nodiscard]] bool is_own(const Group& group, const User& user, Instant when) const;
  /// When groups of the pool begin to admit the user, after `now`, ascending: all times until `settled` and
  /// as far beyond as windows differ, at most kMostTimes.
  [[nodiscard]] std::vector<Instant> openings(std::uint32_t pool, const User& user, Instant now,
                                              Instant settled) const;
  /// Should the group be closed at `now`, if jobs with limits up to `horizon` wait? A job that it does not
  /// admit could otherwise start there.
  [[nodiscard]] bool keeps_back(const Group& group, Instant now, Nanoseconds horizon) const;

 private:
  [[nodiscard]] bool is_within(TenantId tenant, TenantId above) const {
    while (tenant != above && tenant != TenantId{0}) tenant = parents_[tenant.value()];
    return tenant == above;
  }

  std::vector<TenantId> parents_{TenantId{}};
  std::map<WindowId, WindowTerms> terms_;
  std::vector<Group> groups_;                         ///< By pool and windows.
  std::vector<std::vector<std::uint32_t>> group_of_;  ///< [pool][node]; empty where a pool has none.
};

template <class PlaceOf>
void Windows::regroup(const std::vector<std::uint32_t>& nodes, PlaceOf&& place_of) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<WindowId>> windows_of;
  for (const auto& [id, terms] : terms_) {
    for (const NodeRun& run : terms.nodes) {
      for (std::uint32_t node = run.first.value(); node < run.first.value() + run.count; ++node)
        windows_of[place_of(NodeId{node})].push_back(id);
    }
  }
  std::map<std::pair<std::uint32_t, std::vector<WindowId>>, std::vector<std::uint32_t>> members;
  for (auto& [place, windows] : windows_of) members[{place.first, windows}].push_back(place.second);
  groups_.clear();
  group_of_.assign(nodes.size(), {});
  for (auto& [key, local] : members) {
    std::vector<std::uint32_t>& map = group_of_[key.first];
    map.resize(nodes[key.first], kNoGroup);
    for (const std::uint32_t node : local) map[node] = static_cast<std::uint32_t>(groups_.size());
    groups_.push_back({key.first, std::move(local), key.second});
  }
}

}  // namespace gw::sched
