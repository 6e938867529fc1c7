// EndingPower: what attempts that were stopped for want of power draw until their processes have gone.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/units.h"
#include "live/records.h"
#include "sched/power_tree.h"

namespace gw::live {

/// The core counts what it stops as gone at once; a real job saves its work first, for its grace at most, and
/// a breaker trips on what is drawn meanwhile.
class EndingPower {
 public:
  struct Part {
    std::uint32_t node = 0;  ///< Of the fleet.
    std::int64_t load = 0;   ///< What the attempt adds to the node's draw, in milliwatts.
  };
  /// Once for each attempt.
  void add(AttemptId id, std::vector<Part> parts);
  /// It has ended; others are not known here, which is no fault.
  void remove(AttemptId id);

  [[nodiscard]] bool empty() const { return attempts_.empty(); }
  /// What they draw below a feed, beside what `power` counts there; a node draws no more than its nameplate.
  [[nodiscard]] Milliwatts below(const sched::PowerTree& power, sched::FeedId feed) const;

 private:
  std::map<AttemptId, std::vector<Part>> attempts_;
  std::map<std::uint32_t, std::int64_t> loads_;  ///< Of all of them, by node.
};

}  // namespace gw::live
