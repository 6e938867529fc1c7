// Pool: all nodes of one type in one zone: what is free on each, and where a shape fits.
//
// A node is open (anyone's) or held (kept for the job with the reservation; others only if they end in time).
// It may also be off: down (lost with everything on it) or closed (drained or kept back: what runs there goes
// on, nothing new starts); or dark: there is no power for new work on it now. Open and held nodes each have a
// capacity index of their own, so that both questions cost the same; nodes that are off or dark are in
// neither.
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "model/fleet.h"
#include "model/job.h"
#include "model/policy.h"
#include "sched/capacity_index.h"
#include "sched/placement.h"

namespace gw::sched {

enum class View : std::uint8_t { kOpen, kHeld };

/// Why a node is closed; each on its own, and it is open again once none is left.
enum class Closure : std::uint8_t {
  kDrained = 1,  ///< By an operator.
  kClaimed = 2,  ///< Jobs are made to leave it for one that will start there.
  kDark = 4,     ///< There is no power for more load on it.
  kWindow = 8,   ///< It is reserved, now or too soon for some job that may wait.
};

class Pool {
 public:
  /// The nodes of `fleet` in `zone` whose type is `node_type`; all free and open.
  Pool(const Fleet& fleet, std::uint16_t node_type, std::uint32_t zone = 0);
  [[nodiscard]] std::uint32_t nodes() const { return fabric_->nodes; }
  [[nodiscard]] std::uint32_t gpus_per_node() const { return fabric_->gpus; }
  [[nodiscard]] std::uint32_t gpu_type() const { return gpu_type_; }
  [[nodiscard]] std::uint32_t zone() const { return zone_; }
  [[nodiscard]] const PoolFabric& fabric() const { return *fabric_; }
  [[nodiscard]] NodeId fleet_node(std::uint32_t node) const { return NodeId{fleet_node_[node]}; }
  /// The pool-local number of a fleet node of this type and zone.
  [[nodiscard]] std::uint32_t local_node(NodeId node) const;

  /// Could an empty pool without failures hold it?
  [[nodiscard]] bool could_ever_fit(const Shape& shape) const;
  /// Where `shape` fits now among the nodes of `view`; nothing is changed.
  [[nodiscard]] std::optional<Placement> place(const Shape& shape, View view, PlacementKind kind) const;
  /// CPU (thousandths of cores) and memory (MiB) of one node.
  struct Side {
    std::int64_t cpu_milli;
    std::int64_t memory_mib;
    [[nodiscard]] bool covers(const Side& need) const {
      return need.cpu_milli <= cpu_milli && need.memory_mib <= memory_mib;
    }
  };
  /// What a shape takes from a node where it uses `gpus` GPUs.
  static Side side_on_node(const Shape& shape, std::uint32_t gpus) {
    return {cpu_on_node(shape, gpus), memory_on_node(shape, gpus)};
  }
  /// What is free on a node; more than anyone asks for where the fleet does not say.
  [[nodiscard]] Side side_free(std::uint32_t node) const {
    constexpr std::int64_t kPlenty = INT64_MAX / 2;
    return {cpu_free_.empty() ? kPlenty : cpu_free_[node],
            memory_free_.empty() ? kPlenty : memory_free_[node]};
  }
  /// Does the shape ask for CPU or memory that this pool counts?
  [[nodiscard]] bool wishes_side(const Shape& shape) const;
  /// Does the shape ask for no more CPU and memory than its GPUs' share of a node?
  [[nodiscard]] bool within_share(const Shape& shape) const;
  /// Nodes with less CPU or memory left than their free GPUs' share.
  [[nodiscard]] std::uint32_t tight_nodes() const { return tight_nodes_; }
  /// GPUs of the node that no job holds, also where it is held or down.
  [[nodiscard]] std::uint32_t free_count(std::uint32_t node) const {
    return static_cast<std::uint32_t>(std::popcount(free_mask(node)));
  }
  /// A cheap necessary condition for `place` to succeed.
  [[nodiscard]] bool may_fit(const Shape& shape, View view) const;

  /// Is `placement` one that `shape` could take now? (Snapshots and journals from outside.)
  /// Also on nodes that are closed for no reason but `despite` and windows.
  [[nodiscard]] bool is_free(const Shape& shape, const Placement& placement,
                             std::optional<Closure> despite = {}) const;
  /// What a gang would have on that node; none if it does not fit there now. Open or held.
  [[nodiscard]] std::optional<Piece> piece_on(const Shape& shape, std::uint32_t node) const;
  /// A placed gang gives one node up and takes another, which has room for it; its place then.
  [[nodiscard]] Placement exchange(const Shape& shape, const Placement& placement, std::uint32_t node,
                                   const Piece& for_this);
  /// Sorts and merges the pieces and finds the span.
  void settle(Placement& placement) const;
  void take(const Shape& shape, const Placement& placement);
  void give(const Shape& shape, const Placement& placement);

  void hold(std::uint32_t node);
  void release_hold(std::uint32_t node);
  /// `node` must hold no job.
  void set_down(std::uint32_t node);
  void set_up(std::uint32_t node);
  /// Nothing new starts on a closed node; jobs that run there may go on. Also of nodes that are down.
  void close(std::uint32_t node, Closure why = Closure::kDrained);
  void reopen(std::uint32_t node, Closure why = Closure::kDrained);
  /// As a closed node, for want of power; independent of it.
  void darken(std::uint32_t node);
  void lighten(std::uint32_t node);
  /// Where feeds have caps, work without GPUs must not go to nodes whose GPUs are all in use: they count with
  /// what they draw now.
  void set_power_limited(bool limited) {
    if (power_limited_ && !limited) ++version_;  // From now on it may go there.
    power_limited_ = limited;
  }
  [[nodiscard]] bool is_down(std::uint32_t node) const { return bit(down_, node); }
  [[nodiscard]] bool is_closed(std::uint32_t node) const { return bit(closed_, node); }
  [[nodiscard]] bool is_closed(std::uint32_t node, Closure why) const {
    return bit(closed_, node) && (closures_.at(node) & static_cast<std::uint8_t>(why)) != 0;
  }
  /// For any reason but a window? Its owner's jobs come to such a node, and may draw all that it can.
  [[nodiscard]] bool is_closed_for_all(std::uint32_t node) const {
    return bit(closed_, node) &&
           (closures_.at(node) & ~static_cast<unsigned>(static_cast<std::uint8_t>(Closure::kWindow))) != 0;
  }
  [[nodiscard]] bool is_off(std::uint32_t node) const { return is_down(node) || is_closed(node); }
  [[nodiscard]] bool is_dark(std::uint32_t node) const { return bit(dark_, node); }
  /// May new work start there, if it fits?
  [[nodiscard]] bool takes_work(std::uint32_t node) const { return !is_off(node) && !bit(dark_, node); }
  [[nodiscard]] std::uint32_t closed_nodes() const { return closed_nodes_; }
  /// Has the node a GPU (or, without GPUs, CPU) left for anyone, by what runs on it?
  [[nodiscard]] bool has_room(std::uint32_t node) const;
  /// The most thousandths that are free of a GPU of that node of which jobs hold shares.
  [[nodiscard]] std::uint32_t most_partial_milli(std::uint32_t node) const;
  /// The GPU with the least left that has `milli`, among those of which jobs hold shares; 64: none.
  [[nodiscard]] std::uint32_t partial_for(std::uint32_t node, std::uint32_t milli) const;
  [[nodiscard]] std::uint64_t free_gpu_mask(std::uint32_t node) const { return free_mask(node); }
  /// Calls visit(node), ascending, for the nodes with at least `gpus` (>= 1) GPUs free that are not off; dark
  /// ones too.
  template <class Visit>
  void for_each_free(std::uint32_t gpus, Visit&& visit) const {
    for (std::uint32_t word = 0; word < dark_.size(); ++word) {
      std::uint64_t bits = dark_[word] & ~(closed_[word] | down_[word]);
      for (std::uint32_t free = gpus; free <= fabric_->gpus; ++free)
        bits |= open_.exact(free).words()[word] | held_index_.exact(free).words()[word];
      for (; bits != 0; bits &= bits - 1) {
        const std::uint32_t node = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
        if (free_count(node) >= gpus) visit(node);
      }
    }
  }
  /// See Placement::span.
  [[nodiscard]] std::uint8_t span_of(const std::vector<Piece>& pieces) const;
  [[nodiscard]] bool is_held(std::uint32_t node) const { return bit(held_, node); }

  /// GPUs free for whole-GPU jobs, open and held, without nodes that are off.
  [[nodiscard]] std::int64_t free_gpus() const { return open_.total(0) + held_index_.total(0); }
  [[nodiscard]] std::int64_t free_gpus(View view) const { return index(view).total(0); }
  /// GPUs that nobody can have: of nodes that are down, and the free ones of closed nodes.
  [[nodiscard]] std::int64_t down_gpus() const { return down_gpus_; }
  /// Free GPUs of nodes that are dark and not off.
  [[nodiscard]] std::int64_t dark_gpus() const { return dark_gpus_; }
  /// Thousandths of GPUs in partly used GPUs that are still free.
  [[nodiscard]] std::int64_t partial_free_milli() const { return partial_free_milli_; }
  /// Thousandths that are free of a GPU of which jobs hold shares.
  [[nodiscard]] std::uint32_t partial_milli(std::uint32_t node, std::uint32_t gpu) const {
    return partial_remaining_.at({node, gpu});
  }
  [[nodiscard]] const CapacityIndex& index(View view) const {
    return view == View::kOpen ? open_ : held_index_;
  }
  /// Grows with everything by which a shape may come to fit: what did not fit at one version does not fit
  /// until the next.
  [[nodiscard]] std::uint64_t version() const { return version_; }
  /// After trying something and undoing it: the capacity is again what it was at `version`.
  void set_version(std::uint64_t version) { version_ = version; }

  /// Recounts everything from the nodes up and compares; the text says what differs (tests, twin's checks).
  [[nodiscard]] std::string check() const;

 private:
  struct Partial {
    std::uint32_t remaining_milli;
    std::uint32_t node;
    std::uint32_t gpu;
    auto operator<=>(const Partial&) const = default;
  };
  class Finder;
  friend class Finder;
  class GroupFinder;
  friend class GroupFinder;

  /// `place` for gangs that ask how their nodes lie to one another (pool_groups.cc).
  [[nodiscard]] std::optional<Placement> place_group(const Shape& shape, View view, PlacementKind kind) const;
  [[nodiscard]] bool could_ever_group(const Shape& shape) const;
  /// `need` nodes of a gang inside a vertex that has so many; nothing binds but GPUs.
  [[nodiscard]] std::vector<Piece> inside_vertex(const Shape& shape, View view, PlacementKind kind,
                                                 std::uint32_t level, std::uint32_t vertex,
                                                 std::uint32_t need) const;

  static bool bit(const std::vector<std::uint64_t>& words, std::uint32_t at) {
    return (words[at / 64] >> (at % 64)) & 1U;
  }
  /// In neither index, though it is up.
  [[nodiscard]] bool is_shut(std::uint32_t node) const { return bit(closed_, node) || bit(dark_, node); }
  [[nodiscard]] std::int64_t& shut_gpus(std::uint32_t node) {
    return bit(closed_, node) ? down_gpus_ : dark_gpus_;
  }
  static void set_bit(std::vector<std::uint64_t>& words, std::uint32_t at, bool on);
  [[nodiscard]] CapacityIndex& index_of(std::uint32_t node) { return bit(held_, node) ? held_index_ : open_; }
  [[nodiscard]] std::uint64_t free_mask(std::uint32_t node) const {
    return fabric_->gpus == 1 ? static_cast<std::uint64_t>(bit(free_bits_, node)) : free_mask_[node];
  }
  void set_free_mask(std::uint32_t node, std::uint64_t mask);
  void count_free(std::uint32_t first, std::uint32_t last, std::uint32_t before, std::uint32_t after);
  void change_free_bits(const Piece& piece, bool free);
  void change_side(const Shape& shape, const Piece& piece, int sign);
  void change_partial(std::uint32_t node, std::uint32_t gpu, std::int64_t delta_milli);
  void move_partials(std::uint32_t node, std::set<Partial>& from, std::set<Partial>& to);
  [[nodiscard]] bool side_tight(std::uint32_t node) const;
  [[nodiscard]] bool side_fits(const Shape& shape, std::uint32_t gpus, std::uint32_t node) const;
  /// CPU and memory that a shape takes from one node where it uses `gpus` GPUs.
  static std::int64_t cpu_on_node(const Shape& shape, std::uint32_t gpus);
  static std::int64_t memory_on_node(const Shape& shape, std::uint32_t gpus);
  [[nodiscard]] std::set<Partial>& partials_of(std::uint32_t node) {
    if (is_shut(node)) return closed_partials_;
    return bit(held_, node) ? held_partials_ : open_partials_;
  }

  std::vector<std::uint32_t> fleet_node_;     ///< Filled while fabric_ is made.
  std::shared_ptr<const PoolFabric> fabric_;  ///< Copies of the pool and their indices share it.
  std::uint32_t gpu_type_;
  std::uint32_t zone_;
  std::int64_t cpu_milli_;
  std::int64_t memory_mib_;
  CapacityIndex open_;
  CapacityIndex held_index_;
  std::vector<std::uint64_t> free_bits_;  ///< One bit a node where gpus == 1.
  std::vector<std::uint64_t> free_mask_;  ///< One mask a node where gpus > 1.
  std::vector<std::uint64_t> held_;
  std::vector<std::uint64_t> down_;
  std::vector<std::uint64_t> closed_;
  std::vector<std::uint64_t> dark_;
  std::map<std::uint32_t, std::uint8_t> closures_;  ///< Of closed nodes, why.
  std::vector<std::int64_t> cpu_free_;              ///< Empty where not tracked.
  std::vector<std::int64_t> memory_free_;           ///< Empty where not tracked.
  std::uint32_t held_nodes_ = 0;
  std::uint32_t closed_nodes_ = 0;
  std::uint32_t dark_nodes_ = 0;
  bool power_limited_ = false;
  std::uint32_t tight_nodes_ = 0;
  /// (node, GPU) -> thousandths left, for partly used GPUs; the sets below order them by what is left.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> partial_remaining_;
  std::set<Partial> open_partials_;  ///< Of open nodes.
  std::set<Partial> held_partials_;
  std::set<Partial> closed_partials_;  ///< Of closed and dark ones.
  std::int64_t partial_free_milli_ = 0;
  std::int64_t down_gpus_ = 0;
  std::int64_t dark_gpus_ = 0;
  std::uint64_t version_ = 1;
};

}  // namespace gw::sched
