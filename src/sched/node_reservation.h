// NodeReservation: the named nodes that are held for the first job that could not start, until it does or
// leaves.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "sched/power_search.h"
#include "sched/reservation_search.h"
#include "sched/state.h"

namespace gw::sched {

/// At most one job has one. What is held is off the open nodes and charged to the job's quota and to the
/// feeds where power is limited, so that nobody else is promised the same.
class NodeReservation {
 public:
  /// Where and when a job can start by the running jobs' limits.
  struct Found {
    std::uint32_t pool;
    ReservationSearch::Answer answer;
  };
  /// At the earliest in any pool that its quota lets it into; none if it could not even if all others ended.
  /// Nothing may be held.
  [[nodiscard]] std::optional<Found> find(State& state, const Job& job, Instant now, PowerSearch& power);

  [[nodiscard]] bool valid() const { return job_.valid(); }
  [[nodiscard]] JobId job() const { return job_; }
  [[nodiscard]] Instant when() const { return when_; }
  [[nodiscard]] std::uint32_t pool() const { return pool_; }
  [[nodiscard]] const std::vector<std::uint32_t>& nodes() const { return nodes_; }
  /// How long others may have what is held: until the promised time; nothing if that has passed.
  [[nodiscard]] Nanoseconds window(Instant now) const {
    return valid() && when_ > now ? when_ - now : Nanoseconds{0};
  }

  /// Holds what was found for the job; nothing may be held.
  void make(State& state, const Job& job, const Found& found);
  /// Lets go of everything.
  void drop(State& state);

  /// Drops it for `attempt`; if that gives false, all is held as before. `attempt` must then have changed
  /// nothing. Gives what `attempt` gives.
  template <class Attempt>
  bool without(State& state, const Job& job, Attempt&& attempt) {
    const std::vector<std::uint32_t> nodes = nodes_;
    const std::uint64_t version = state.pools[pool_]->version();
    drop(state);
    if (attempt()) return true;
    hold(state, job, nodes);
    state.pools[pool_]->set_version(version);
    return false;
  }
  /// Opens the held nodes for `attempt`, which may claim them for another job: then the reservation is
  /// dropped. Gives what `attempt` gives.
  template <class Attempt>
  bool with_nodes_open(State& state, Attempt&& attempt) {
    const std::vector<std::uint32_t> nodes = open_nodes(state);
    const bool done = attempt();
    close_nodes(state, nodes);
    return done;
  }
  /// Opens the held nodes for `search`, which changes nothing: to all others the pools are as if nothing had
  /// been done. Gives what `search` gives.
  template <class Search>
  auto looking_past(State& state, Search&& search) const {
    std::vector<std::uint64_t> versions;
    for (const auto& pool : state.pools) versions.push_back(pool->version());
    for (const std::uint32_t node : nodes_) state.pools[pool_]->release_hold(node);
    auto answer = search();
    for (const std::uint32_t node : nodes_) state.pools[pool_]->hold(node);
    for (std::size_t pool = 0; pool < versions.size(); ++pool) state.pools[pool]->set_version(versions[pool]);
    return answer;
  }

  /// Is a held node off for another reason than that it is held?
  [[nodiscard]] bool is_broken(const State& state) const;
  /// Has the calendar changed, or has its time passed so that a window now comes too early for its job?
  [[nodiscard]] bool misses_its_gap(const State& state, const Job& job, Instant now) const;
  /// Do the quotas, as they are now, still let its job in where it is to start?
  [[nodiscard]] bool is_permitted(State& state, const Job& job) const;
  /// Have the held nodes the GPUs that their job needs, be they dark or not?
  [[nodiscard]] bool has_all_gpus(const State& state, const Shape& shape) const;
  /// Jobs that have ended since it was made.
  [[nodiscard]] std::uint64_t ends_since(const State& state) const { return state.releases - releases_at_; }

  /// All but the job's id, which stands before it in a snapshot.
  void save(ByteWriter& out) const;
  /// As saved, for `job`; false on malformed bytes.
  [[nodiscard]] bool restore(State& state, JobId job, ByteReader& in);

 private:
  void hold(State& state, const Job& job, const std::vector<std::uint32_t>& nodes);
  void charge(State& state, const Job& job);
  [[nodiscard]] std::vector<std::uint32_t> open_nodes(State& state);
  void close_nodes(State& state, const std::vector<std::uint32_t>& nodes);

  JobId job_;
  Instant when_;
  std::uint32_t pool_ = 0;
  std::vector<std::uint32_t> nodes_;                ///< Pool-local.
  std::uint64_t releases_at_ = 0;                   ///< State::releases when it was made.
  std::pair<TenantId, QuotaTree::Amount> charged_;  ///< To the quota.
  ReservationSearch search_;
};

}  // namespace gw::sched
