// VictimIndex: the running jobs of a pool that could be made to leave, by node, by child of the root, and in
// the order of what they would lose.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "sched/job_table.h"
#include "sched/save_order.h"

namespace gw::sched {

/// Has beside each other what a search for victims asks of many jobs. To list a job or to take it off costs a
/// step for each of its nodes and those beside it there.
class VictimIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  /// For a pool of so many nodes.
  explicit VictimIndex(std::uint32_t nodes) : nodes_(nodes) {}

  struct Entry {
    JobId job;  ///< None: the slot is free.
    TenantId tenant;
    std::int32_t priority = 0;
    std::uint32_t position = kNone;  ///< In `of`.
    std::uint32_t loose = kNone;     ///< In its branch's list of them; none if it is in one of the orders.
    std::uint32_t first_node = 0;
    std::uint16_t gpus = 0;  ///< On each of its nodes.
    /// What it would lose does not lie on its nodes by their GPUs: it has shares of GPUs, or more GPUs on
    /// some nodes than on others.
    bool uneven = false;
    Instant started;
    Nanoseconds interval;  ///< Between checkpoints; 0: it keeps none.
    /// How long ago it has saved its work last, or started.
    [[nodiscard]] Nanoseconds since(Instant now) const {
      if (now <= started) return Nanoseconds{0};
      const Nanoseconds ran = now - started;
      return interval > Nanoseconds{0} ? ran - interval * (ran / interval) : ran;
    }
  };

  /// The jobs of a child of the root and of those below it.
  struct Branch {
    TenantId top;
    std::vector<TenantId> tenants;  ///< That have any, in no order.
    struct Order {
      std::uint16_t gpus;  ///< What each has on each of its nodes.
      SaveOrder jobs;
    };
    /// Those that are even and have GPUs, as they save their work: by GPUs on a node and interval.
    std::vector<Order> orders;
    /// The slots of all others, in no order, and of those for which there are too many orders, or whose
    /// interval is not of whole seconds.
    std::vector<std::uint32_t> loose;
  };
  static constexpr std::size_t kMostOrders = 64;  ///< In a branch.

  /// A job that runs on its placement, and the child of the root that its tenant is or is below; gives its
  /// slot.
  std::uint32_t add(const Job& job, TenantId top);
  /// The same job on the same placement.
  void remove(const Job& job, TenantId top, std::uint32_t slot);

  [[nodiscard]] std::size_t size() const { return size_; }
  /// Slots are below this.
  [[nodiscard]] std::size_t slots() const { return entries_.size(); }
  [[nodiscard]] const Entry& entry(std::uint32_t slot) const { return entries_[slot]; }
  /// Of the children of the root that have any jobs themselves or below them, in no order.
  [[nodiscard]] std::span<const Branch> branches() const { return branches_; }
  /// That of a child of the root; null if it has none.
  [[nodiscard]] const Branch* branch(TenantId top) const {
    return top.value() < branch_of_.size() && branch_of_[top.value()] != kNone
               ? &branches_[branch_of_[top.value()]]
               : nullptr;
  }
  /// The slots of a tenant's own jobs, in no order.
  [[nodiscard]] std::span<const std::uint32_t> of(TenantId tenant) const { return of_[tenant.value()]; }
  /// Calls visit(slot) for those that have started after `when`, the oldest first, until it gives false; one
  /// may be visited twice. It costs least if `when` does not go back.
  template <class Visit>
  void for_each_started_after(Instant when, Visit&& visit) {
    for (std::size_t at = recent_after(when); at < recent_.size(); ++at) {
      if (is_there(recent_[at]) && !visit(recent_[at].slot)) return;
    }
  }
  /// Calls visit(slot, its GPUs there) for those on a node.
  template <class Visit>
  void for_each_on(std::uint32_t node, Visit&& visit) const {
    if (first_.empty()) return;
    for (std::uint32_t at = first_[node]; at != kNone; at = places_[at].next)
      visit(places_[at].slot, places_[at].gpus);
  }
  /// The GPUs on a node that they have; shares of a GPU count as one each.
  [[nodiscard]] std::uint32_t gpus_on(std::uint32_t node) const { return gpus_.empty() ? 0 : gpus_[node]; }
  /// Is the slot that job's, as it runs now?
  [[nodiscard]] bool holds(const Job& job, TenantId top, std::uint32_t slot) const;

 private:
  struct OnNode {
    std::uint32_t slot;
    std::uint32_t next;  ///< On the same node, or free.
    std::uint16_t gpus;
  };
  /// A start; of no account once the slot has no job that started then.
  struct Recent {
    Instant started;
    std::uint32_t slot;
    auto operator<=>(const Recent&) const = default;
  };
  [[nodiscard]] bool is_there(const Recent& recent) const {
    return entries_[recent.slot].job.valid() && entries_[recent.slot].started == recent.started;
  }
  /// The first of recent_ that started after that.
  [[nodiscard]] std::size_t recent_after(Instant when);
  void note_start(std::uint32_t slot);
  /// Puts it into an order of its branch, or beside them.
  void put_in_order(Branch& branch, std::uint32_t slot);
  [[nodiscard]] static SaveOrder::Key key_of(const Entry& entry, std::uint32_t slot) {
    return {entry.started, entry.first_node, slot};
  }
  [[nodiscard]] static bool is_of(const Branch::Order& order, const Entry& entry) {
    return order.gpus == entry.gpus && order.jobs.interval() == entry.interval;
  }
  void take_out_of_order(Branch& branch, std::uint32_t slot);

  std::uint32_t nodes_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::vector<Branch> branches_;
  std::vector<std::uint32_t> branch_of_;        ///< By child of the root; or none.
  std::vector<std::vector<std::uint32_t>> of_;  ///< By tenant.
  std::vector<std::uint32_t> first_;            ///< By node, of places_; empty until there is a job.
  std::vector<std::uint32_t> gpus_;             ///< By node, likewise.
  std::vector<OnNode> places_;
  std::uint32_t free_place_ = kNone;
  std::size_t size_ = 0;
  std::vector<Recent> recent_;  ///< All that started after forgotten_, and some that have gone.
  bool recent_sorted_ = true;   ///< Else all is in it, in no order.
  Instant forgotten_{INT64_MIN};
};

}  // namespace gw::sched
