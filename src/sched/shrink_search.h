// ShrinkSearch: which running elastic jobs must give up nodes beyond their least so that a job can start?
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sched/state.h"
#include "sched/victim_search.h"

namespace gw::sched {

/// The lowest priority first, then those with the most nodes to give, so that few are disturbed. In the end
/// each gives no more than the nodes that the job gets, unless quota asks for more. Leaves state as it was.
class ShrinkSearch {
 public:
  struct Answer {
    Placement placement;
    std::vector<Shrink> shrinks;  ///< Ascending by job; never empty.
    [[nodiscard]] std::vector<JobId> jobs() const;
  };
  /// Could it be worth a search: is there anyone of whom the policy lets it ask nodes?
  [[nodiscard]] static bool may_try(const State& state, const Job& taker, const Regained& regained);
  /// None if it cannot be. Then `again` is when a job that is still protected could make it possible;
  /// Instant::max() if none could.
  [[nodiscard]] static std::optional<Answer> find(State& state, const Job& taker, const Regained& regained,
                                                  Instant now, Instant& again);
  /// Where that is not enough: who must leave as a whole besides. All that leave, in whatever way, are
  /// victims of the answer.
  struct Mixed {
    Placement placement;
    std::vector<JobId> victims;   ///< Ascending; never empty.
    std::vector<Shrink> shrinks;  ///< Of them, who goes on with fewer nodes.
  };
  [[nodiscard]] static std::optional<Mixed> find_with_victims(State& state, const Job& taker,
                                                              const Regained& regained, Instant now,
                                                              VictimSearch& search, Instant& again);
};

}  // namespace gw::sched
