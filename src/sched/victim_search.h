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
#include "sched/victim_index.h"

namespace gw::sched {

/// What a running job would lose if it left now: thousandths of GPU-seconds since its last checkpoint (since
/// its start, where it keeps none), plus the restart.
[[nodiscard]] std::int64_t lost_work(const State& state, const Job& job, Instant now);

/// Whole jobs only, none that is protected or that policy does not allow. Nodes are freed in the order of
/// what is lost on them (GPU-seconds since the last checkpoint, plus the restart); in the end no job goes
/// that need not. Leaves state as it was. Mostly it costs a look at the jobs that have saved their work of
/// late and at the nodes that are partly free (victim_walk.cc); where quota or the nodes' places bind, or CPU
/// and memory do, it costs O(running jobs of the pool).
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
  /// `as_indexed`: running jobs are on the places that the state's VictimIndex has them on.
  [[nodiscard]] std::optional<Answer> find(State& state, const Job& taker, Instant now, Instant& again,
                                           bool as_indexed = true);

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
  void forget_candidates(std::uint32_t pool);
  void collect(State& state, const Job& taker, std::uint32_t pool, Instant now, Instant& again);
  /// Which jobs of a tenant may go for the taker, as usage is now.
  struct Terms {
    std::int64_t reclaim = 0;  ///< Those that use no more than this.
    bool displace = false;     ///< Those of a lower priority.
    [[nodiscard]] bool none() const { return reclaim == 0 && !displace; }
  };
  [[nodiscard]] Terms terms_of(const State& state, const Job& taker, TenantId tenant, std::uint32_t pool);
  /// The same of all whose top, a child of the root, is another than the taker's: none if it is none for all.
  [[nodiscard]] Terms terms_below(const State& state, const Job& taker, TenantId top, std::uint32_t pool);
  /// Of one whose top is that.
  [[nodiscard]] Terms terms_up_to(const State& state, const Job& taker, TenantId holder, TenantId top,
                                  std::uint32_t pool);
  [[nodiscard]] static bool parts_at_root(const State& state, const Job& taker, TenantId top);
  [[nodiscard]] Terms ask_terms(const State& state, const Job& taker, TenantId holder,
                                std::uint32_t pool) const;
  /// Apart from those that are protected, and those whose places are regained.
  [[nodiscard]] bool may_be(const State& state, const Job& taker, const Job& job, const Terms& terms,
                            std::uint32_t pool) const;
  void add_candidate(const State& state, const Job& job, Instant now);
  /// What find_in does, where it can be done by looking at few nodes (victim_walk.cc).
  [[nodiscard]] bool may_walk(const State& state, const Job& taker, std::uint32_t pool) const;
  [[nodiscard]] std::optional<Answer> find_by_walk(State& state, const Job& taker, std::uint32_t pool,
                                                   Instant now, Instant& again);
  /// Begins at the jobs that lose least, apart from those that may not go, and finds `again`.
  void begin_walk(State& state, const Job& taker, Instant now, Instant& again);
  /// Could the job in a slot of the index go as far as its tenant, its priority and what is regained decide?
  [[nodiscard]] bool is_offered(State& state, const Job& taker, std::uint32_t slot);
  /// The same of one that has also run for long enough.
  [[nodiscard]] bool may_leave(State& state, const Job& taker, std::uint32_t slot) {
    return walked_->entry(slot).started + state.policy.protected_run_time <= now_ &&
           is_offered(state, taker, slot);
  }
  /// Terms are as they were when nobody had been chosen: asks for those that change once one below that child
  /// of the root is.
  void fix_terms(State& state, const Job& taker, TenantId top);
  bool free_nodes_by_walk(State& state, const Job& taker, std::uint32_t pool);
  /// Could a node that has not been seen cost less than this one, or as much and come before it?
  [[nodiscard]] bool may_be_beaten(std::int64_t cost, std::uint32_t node) const;
  /// Goes on with an order from its next job, if there is any.
  void line_up(const State& state, std::uint32_t order);
  void walk_on(State& state, const Job& taker);
  /// The next in the order, and past it.
  [[nodiscard]] std::uint32_t next_ahead() const {
    const std::uint32_t which = ahead_.front().which;
    return (which & kAlone) != 0 ? which & ~kAlone : walks_[which].jobs.slot();
  }
  void go_past(const State& state);
  /// At the front are all orders of jobs with so many GPUs on a node: they take its place.
  void open_orders(const State& state);
  [[nodiscard]] bool is_unopened() const { return (ahead_.front().which & kUnopened) != 0; }
  /// Puts what is at the front where it belongs.
  void sink_front();
  /// The candidate in a slot of the index; kNobody if it is none.
  [[nodiscard]] std::uint32_t candidate_in(State& state, const Job& taker, std::uint32_t slot);
  /// Lists a node that costs no less than `least`.
  void see(std::uint32_t node, std::int64_t least);
  /// A job on a node where so many GPUs must come free: the node costs no less than the least such bound of
  /// those that go. If the one that loses least for a GPU has as many, it loses what it has; else all of the
  /// missing GPUs lose as much each at least.
  [[nodiscard]] std::int64_t bound_by(const State& state, std::uint32_t slot, std::uint32_t missing) const;
  /// A better bound for a node that has been seen; INT64_MAX if it cannot be freed.
  [[nodiscard]] std::int64_t bound_of(const State& state, const Job& taker, std::uint32_t node);
  /// Finds out who is on a node that has been seen.
  void look_at(State& state, const Job& taker, std::uint32_t node);
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

  static constexpr std::uint32_t kNobody = 0xffffffffU;
  /// The terms of a tenant, or of many; valid for one search.
  struct Known {
    std::uint64_t search = 0;
    Terms terms;
  };
  /// What is on a slot of the index, or a node, as far as it is valid for this search.
  struct Seen {
    std::uint64_t search = 0;
    std::uint32_t what = kNobody;  ///< A candidate; or a group.
  };

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
  std::uint64_t searches_ = 0;
  std::vector<Known> of_tenant_;
  /// Of those that borrow up to another top than the taker's: if they do not all use more than they deserve,
  /// and if they do (or there are no shares). What can be reclaimed there, if it is no more than they use
  /// beyond that, is to be had from each by its own.
  Known parted_[2];
  // Where it walks (else null), nodes_ is in the order in which they were seen, and the `from` of a group
  // that has not been looked at is kSeen or kBounded.
  static constexpr std::uint32_t kSeen = 0xffffffffU;     ///< Its bound goes by what any job loses.
  static constexpr std::uint32_t kBounded = 0xfffffffeU;  ///< By who is on it.
  VictimIndex* walked_ = nullptr;
  bool as_indexed_ = false;
  Instant now_;
  struct Order {
    std::uint32_t gpus;
    SaveOrder::Walk jobs;
  };
  std::vector<Order> walks_;
  struct Ahead {
    std::int64_t least;  ///< What a full node with it costs at least.
    std::uint32_t first_node;
    std::uint32_t which;  ///< Of walks_, its next job; or a slot and kAlone; or GPUs on a node and kUnopened.
  };
  static constexpr std::uint32_t kAlone = 0x80000000U;
  static constexpr std::uint32_t kUnopened = 0x40000000U;
  static bool is_later(const Ahead& a, const Ahead& b) {
    return a.least != b.least ? a.least > b.least : a.first_node > b.first_node;
  }
  std::vector<Ahead> ahead_;  ///< Who is next in each order, or in none: a heap, the least first.
  std::vector<const VictimIndex::Branch*> offering_;  ///< Of whom anybody may go.
  std::vector<std::uint64_t> fixed_;  ///< By child of the root, the search in which its terms were fixed.
  std::vector<Seen> of_slot_, of_node_;
};

}  // namespace gw::sched
