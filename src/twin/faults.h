// FaultProcess: node failures and repairs as a seeded stream of events.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <vector>

#include "base/ids.h"
#include "base/rng.h"
#include "base/units.h"
#include "model/faults.h"
#include "model/fleet.h"
#include "physics/failure_events.h"

namespace gw::twin {

/// Nodes fail independently and equally often (a Poisson process over the fleet, as the published
/// interruption counts support at the scale of a factory); a failed node comes back after a log-normal repair
/// time. With `by_component` they fail as physics::OutageStream draws it, also many at once.
class FaultProcess {
 public:
  FaultProcess(const FaultSpec& spec, const Fleet& fleet, const Rng& rng);

  struct Change {
    Instant when;
    NodeId node;
    bool up;
  };
  /// When the next failure or repair is due; Instant::max() if nodes never fail.
  [[nodiscard]] Instant next_due() const;
  /// When the next repair is due; Instant::max() if all nodes are up.
  [[nodiscard]] Instant next_repair() const {
    return repairs_.empty() ? Instant::max() : repairs_.top().when;
  }
  /// Takes the next change; next_due() must not be max().
  Change take();

 private:
  struct Repair {
    Instant when;
    std::uint32_t node;
    bool operator>(const Repair& other) const {
      return when != other.when ? when > other.when : node > other.node;
    }
  };
  void draw_failure();
  void draw_outage();

  FaultSpec spec_;
  std::uint32_t nodes_;
  Rng rng_;
  Instant next_failure_ = Instant::max();
  std::priority_queue<Repair, std::vector<Repair>, std::greater<>> repairs_;
  std::vector<bool> down_;
  std::optional<physics::OutageStream> outages_;
  std::deque<std::uint32_t> falling_;  ///< Of the outage at `next_failure_`, nodes that are still to be told.
  Instant falling_until_;
};

}  // namespace gw::twin
