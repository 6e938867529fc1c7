// VictimSearch: which running jobs must go so that a job can start, at the least loss of work?
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sched/quota.h"
#include "sched/regained.h"
#include "sched/state.h"

namespace gw::sched {

/// What a running job would lose if it left now: thousandths of GPU-seconds since its last checkpoint (since
/// its start, where it keeps none), plus the restart.
[[nodiscard]] std::int64_t lost_work(const State& state, const Job& job, Instant now);

/// Whole jobs only, none that is protected or that policy does not allow. Nodes are freed in the order of
/// what is lost on them (GPU-seconds since the last checkpoint, plus the restart); in the end no job goes
/// that need not. Costs O(running jobs of the pool), and leaves state as it was.
class VictimSearch {
 public:
  /// Jobs in places that `regained` knows (null: none) stay. It must outlive the search.
  explicit VictimSearch(const Regained* regained = nullptr) : regained_(regained) {}

  struct Answer {
    Placement placement;
    std::vector<JobId> victims;         ///< Ascending; never empty.
    std::int64_t lost_gpu_milli_s = 0;  ///< Thousandths of GPU-seconds.
  };
  /// None if it cannot be. Then `again` is when a job that is still protected could make it possible, if that
  /// is all that lacks; Instant::max() otherwise.
  [[nodiscard]] std::optional<Answer> find(State& state, const Job& taker, Instant now, Instant& again);

 private:
  struct Candidate {
    const Job* job;
    std::int64_t cost;
    std::int64_t share;  ///< Of the cost, for each of its nodes.
    bool chosen = false;
    bool dead = false;  ///< It may not go any more: its tenant no longer borrows.
  };
  struct Need {
    std::uint32_t per_node = 0;
    std::uint32_t count = 0;  ///< Nodes; GPUs where `anywhere`.
    bool anywhere = false;
    bool side = false;
  };
  struct OnNode {
    std::uint32_t node;
    std::uint32_t candidate;
    std::uint32_t gpus;
  };
  struct Trial {
    std::vector<std::uint32_t> chosen;  ///< Candidates.
    std::int64_t cost = 0;
  };

  [[nodiscard]] std::optional<Answer> find_in(State& state, const Job& taker, std::uint32_t pool, Instant now,
                                              Instant& again);
  void collect(State& state, const Job& taker, std::uint32_t pool, Instant now, Instant& again);
  [[nodiscard]] bool may_go(const State& state, const Job& taker, const Job& victim,
                            std::uint32_t pool) const;
  /// Chooses until quota permits the taker; false if it never does.
  bool free_quota(State& state, const Job& taker, std::uint32_t pool);
  /// Chooses until the nodes [first, last) hold the taker; false if they cannot.
  bool free_nodes(State& state, const Job& taker, std::uint32_t pool, std::uint32_t first,
                  std::uint32_t last);
  /// The same for gangs in blocks, or that must be spread (victim_groups.cc).
  bool free_groups(State& state, const Job& taker, std::uint32_t pool, std::uint32_t first,
                   std::uint32_t last);
  bool free_anywhere(State& state, const Job& taker, std::uint32_t pool, std::uint32_t first,
                     std::uint32_t last);
  bool choose(State& state, const Job& taker, std::uint32_t pool, std::uint32_t candidate);
  void unchoose(State& state, std::uint32_t candidate);
  void unchoose_all(State& state);
  /// Lets those stay who need not go, the dearest first.
  void prune(State& state, const Job& taker, std::uint32_t pool, std::uint32_t first, std::uint32_t last);
  /// The same by looking for a place without each.
  void prune_by_trial(State& state, const Job& taker, std::uint32_t pool);
  void keep(State& state, std::uint32_t candidate);
  [[nodiscard]] bool all_may_go(State& state, const Job& taker, std::uint32_t pool) const;
  /// The place if all that are chosen were gone.
  [[nodiscard]] std::optional<Placement> place_without(State& state, const Job& taker,
                                                       std::uint32_t pool) const;
  [[nodiscard]] std::optional<Answer> try_out(State& state, const Job& taker, std::uint32_t pool);
  /// A node that the search looks at, and its part of places_.
  struct Group {
    std::uint32_t node;
    std::uint32_t from;
    std::uint32_t to;
  };
  [[nodiscard]] Group on_node(std::uint32_t node) const;
  /// What freeing the node costs, and who must go; INT64_MAX if it cannot be freed.
  std::int64_t cost_of_node(const Pool& pool, const Shape& shape, std::uint32_t node,
                            std::vector<std::uint32_t>* who) const {
    return cost_of(pool, shape, on_node(node), who);
  }
  std::int64_t cost_of(const Pool& pool, const Shape& shape, const Group& group,
                       std::vector<std::uint32_t>* who) const;
  /// The nodes of [first, last) to look at; the others that hold the taker's share are counted by the result.
  std::uint32_t make_groups(const Pool& pool, std::uint32_t first, std::uint32_t last);

  const Regained* regained_;
  Need need_;
  std::uint32_t pool_ = 0;
  std::vector<Candidate> candidates_;  ///< Ascending by (cost, id).
  std::vector<OnNode> places_;         ///< Ascending by (node, candidate).
  std::vector<std::uint32_t> chosen_;
  std::vector<Group> groups_;  ///< Ascending by node.
};

}  // namespace gw::sched
