// PowerSearch: when, by the running jobs' limits, will there be nodes and power for a job, and where?
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "sched/state.h"

namespace gw::sched {

/// Looks at every node that is up and not closed, dark ones too, and at what the job itself would draw rather
/// than at the most that it could. So a job that fits under the caps finds a place, though all nodes may be
/// dark because others could draw more there. Costs a walk over the pool and some of the running jobs; it is
/// made for the job that is first in the order, not for each. No node may be held.
class PowerSearch {
 public:
  struct Answer {
    Instant when;
    std::vector<std::uint32_t> nodes;  ///< Pool-local, ascending.
  };
  /// None if there is no place before `bound`, however many jobs end.
  [[nodiscard]] std::optional<Answer> find(const State& state, std::uint32_t pool, const Job& job,
                                           Instant now, Instant bound);
  /// A place where the job can start now. None for gangs in blocks or spread.
  [[nodiscard]] std::optional<Placement> place(const State& state, const Job& job);

 private:
  using Found = std::pair<std::uint32_t, std::uint32_t>;  ///< (what a node provides, the node).
  struct Share {
    std::uint32_t node;
    std::uint32_t gpus;  ///< On that node; 0 where the job wants none, or a share.
  };
  /// What is free on a node, and what the jobs draw there, by then.
  struct Free {
    std::uint32_t gpus;
    std::uint32_t partial_milli;
    Pool::Side side;
    std::int64_t load;
  };
  struct Left {
    std::int64_t milliwatts = 0;
    std::uint32_t stamp = 0;
  };
  void begin(const State& state, std::uint32_t pool, const Job& job);
  [[nodiscard]] Free& free_of(std::uint32_t node);
  [[nodiscard]] Free free_now(std::uint32_t node) const;
  /// What of `need_` the node provides.
  [[nodiscard]] std::uint32_t provides(const Free& free) const;
  /// Gives a running job's nodes and power back; `units_` grows with what they provide.
  void give(const Job& job);
  /// From the smallest part of the fabric that has the nodes and the power.
  [[nodiscard]] std::optional<std::vector<Share>> choose();
  [[nodiscard]] std::optional<std::vector<Share>> choose_in(std::span<const Found> found);
  /// Those that come first are taken first.
  [[nodiscard]] std::span<const Found> ranked(std::span<const Found> found);
  /// Takes power for `gpus` GPUs on a node from what its feeds have left; false if they have not so much.
  [[nodiscard]] bool take(std::uint32_t node, std::uint32_t gpus);
  void undo();
  /// Beside what is drawn now and what others claim.
  [[nodiscard]] static std::int64_t free_power(const PowerTree& power, FeedId feed) {
    return power.limit(feed) - power.draw(feed).count() - power.promised(feed).count();
  }
  /// The power that the feed has left by then.
  [[nodiscard]] std::int64_t& left(FeedId feed) {
    Left& entry = left_[feed.level][feed.vertex];
    if (entry.stamp != stamp_) entry = {free_power(state_->power, feed), stamp_};
    return entry.milliwatts;
  }

  const State* state_ = nullptr;
  const Pool* pool_ = nullptr;
  const Job* job_ = nullptr;
  bool anywhere_ = false;  ///< GPUs on whichever nodes, else nodes of `per_node_`.
  bool side_ = false;      ///< CPU or memory could bind.
  std::uint32_t per_node_ = 0;
  std::uint32_t need_ = 0;  ///< Nodes, or GPUs where anywhere_.
  std::int64_t units_ = 0;
  std::uint32_t last_level_ = 0;
  // Scratch: what is free on a node, or left of a feed, is valid where its stamp is the current one; else it
  // is what it is now.
  std::uint32_t stamp_ = 0;
  std::vector<std::uint32_t> stamps_;
  std::vector<Free> free_;
  std::vector<std::uint32_t> touched_;
  std::vector<Found> found_now_;  ///< By node.
  std::vector<Found> found_, ranked_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> shares_;  ///< (node, GPU) -> free.
  std::map<std::uint32_t, std::int64_t> other_load_;  ///< By fleet node, of other pools.
  std::vector<std::vector<Left>> left_;               ///< By level and vertex.
  std::vector<std::pair<FeedId, std::int64_t>> taken_;
};

}  // namespace gw::sched
