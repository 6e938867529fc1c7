// WindowStarts: starts on nodes that windows keep back, and which waiting shapes could get such nodes at all.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <vector>

#include "sched/node_reservation.h"
#include "sched/shapes_alive.h"
#include "sched/state.h"

namespace gw::sched {

/// Remembers what has failed, by the version of the pools, so that each shape is searched for once while
/// nothing is given back. `shape_decides` says of a job that another one of its shape would have failed too.
class WindowStarts {
 public:
  /// At the beginning of a pass.
  void begin(const State& state);

  /// Starts the job on the nodes of its own windows alone, also where they are held for another that will
  /// not need them before its limit. A reservation of its own is dropped with that.
  bool start_in_own(State& state, NodeReservation& reservation, Job& job,
                    const std::vector<std::uint32_t>& own, bool shape_decides, Instant now, Plan& plan);
  /// Starts the job on nodes of windows that begin after its limit, together with open ones and, where
  /// `may_hold`, with held ones.
  bool start_between(State& state, Job& job, const std::vector<std::uint32_t>& kept, bool may_hold,
                     bool shape_decides, Instant now, Plan& plan);

  /// What could start on nodes that windows keep back now: finds the three below.
  void look(const State& state, Instant now);
  [[nodiscard]] const ShapesAlive& shapes() const { return shapes_; }
  /// GPUs that a job could find with their help at most; -1 if none is kept back.
  [[nodiscard]] std::int64_t free() const { return free_; }
  /// The longest limit with which it could; -1 ns if none is kept back.
  [[nodiscard]] Nanoseconds span() const { return span_; }

 private:
  /// What has failed on these groups and on nodes that are (held and) open.
  struct Attempt {
    Shape shape;
    std::vector<std::uint32_t> groups;
    bool own;  ///< On the groups' nodes alone.
    bool held;
    friend auto operator<=>(const Attempt&, const Attempt&) = default;
  };
  [[nodiscard]] bool has_failed(const State& state, const Attempt& what, std::uint64_t version) const;

  ShapesAlive shapes_;
  std::int64_t free_ = -1;
  Nanoseconds span_{-1};
  std::map<Attempt, std::uint64_t> failures_;  ///< With the version of the pools.
  std::uint64_t edges_ = 0;                    ///< State::window_edges, of the failures.
};

}  // namespace gw::sched
