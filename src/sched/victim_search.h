// VictimSearch: which running jobs must go so that a job can start, at the least loss of work?
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "sched/bitmap.h"
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
    JobId id;
    bool chosen = false;
    bool dead = false;    ///< It may not go any more: its tenant no longer borrows.
    bool barred = false;  ///< It may not go together with those that were found with it.
    std::int64_t cost;
    std::int64_t share;  ///< Of the cost, for each of its nodes.
  };
  struct Need {
    std::uint32_t per_node = 0;
    std::uint32_t count = 0;  ///< Nodes; GPUs where `anywhere`.
    bool anywhere = false;
    bool side = false;
  };
  /// What a candidate has on a node; with its share of the cost, so that most nodes are judged by these
  /// alone.
  struct OnNode {
    std::uint32_t candidate;
    std::uint16_t gpus;
    bool part;  ///< Of a GPU: that comes free with the others on it only.
    std::int64_t share;
  };
  /// A node that the search looks at, and its part of places_.
  struct Group {
    std::uint32_t node;
    std::uint32_t from;
    std::uint32_t to;
  };

  [[nodiscard]] std::optional<Answer> find_in(State& state, const Job& taker, std::uint32_t pool, Instant now,
                                              Instant& again);
  void collect(State& state, const Job& taker, std::uint32_t pool, Instant now, Instant& again);
  /// Fills places_ and nodes_.
  void group_by_node(const Pool& pool);
  /// The order in which they are made to leave: by cost, then id.
  [[nodiscard]] bool is_cheaper(std::uint32_t a, std::uint32_t b) const {
    const Candidate& first = candidates_[a];
    const Candidate& second = candidates_[b];
    return first.cost != second.cost ? first.cost < second.cost : first.id < second.id;
  }
  /// Those chosen, the dearest first.
  [[nodiscard]] std::vector<std::uint32_t> dearest_first() const;
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
  /// The place if all that are chosen were gone.
  [[nodiscard]] std::optional<Placement> place_without(State& state, const Job& taker,
                                                       std::uint32_t pool) const;
  /// Who of the chosen may not go once the others are gone, the dearest of them.
  [[nodiscard]] std::optional<std::uint32_t> who_may_not_go(State& state, const Job& taker,
                                                            std::uint32_t pool) const;
  [[nodiscard]] std::optional<Answer> try_out(State& state, const Job& taker, std::uint32_t pool);
  /// The best answer with the nodes [first, last).
  [[nodiscard]] std::optional<Answer> find_between(State& state, const Job& taker, std::uint32_t pool,
                                                   std::uint32_t first, std::uint32_t last);
  [[nodiscard]] Group on_node(std::uint32_t node) const;
  /// What freeing the node costs, and who must go; INT64_MAX if it cannot be freed.
  std::int64_t cost_of_node(const Pool& pool, const Shape& shape, std::uint32_t node,
                            std::vector<std::uint32_t>* who) const {
    return cost_of(pool, shape, on_node(node), who);
  }
  std::int64_t cost_of(const Pool& pool, const Shape& shape, const Group& group,
                       std::vector<std::uint32_t>* who) const;
  /// The nodes of [first, last) to look at, in groups_. Gives how many of the range have room for the taker's
  /// share now; where CPU or memory count too, all are looked at and none is taken for ready.
  std::uint32_t make_groups(const Pool& pool, std::uint32_t first, std::uint32_t last);
  /// Is the node among those that make_groups counts?
  [[nodiscard]] bool is_ready(const Pool& pool, std::uint32_t node) const {
    return !need_.side && pool.takes_work(node) && pool.free_count(node) >= need_.per_node;
  }

  const Regained* regained_;
  Need need_;
  std::uint32_t pool_ = 0;
  std::vector<Candidate> candidates_;
  std::vector<std::uint32_t> by_cost_;  ///< Candidates, the cheapest first; empty until it is asked for.
  std::vector<OnNode> places_;          ///< By node, the cheapest first.
  std::vector<Group> nodes_;            ///< That candidates are on, ascending.
  std::vector<Group> all_;              ///< Reused where every node is looked at.
  std::span<const Group> groups_;       ///< Ascending by node.
  std::uint32_t ready_ = 0;             ///< What make_groups has counted.
  std::vector<std::uint32_t> chosen_, dead_;
  std::vector<std::uint32_t> starts_;  ///< By node; 0 between two searches. The rest is reused likewise.
  Bitmap touched_;                     ///< Empty between two searches.
  std::vector<std::int64_t> cost_of_group_;
  std::vector<std::pair<std::int64_t, std::uint32_t>> heap_;
};

}  // namespace gw::sched
