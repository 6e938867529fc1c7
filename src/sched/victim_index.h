// VictimIndex: the running jobs of a pool that could be made to leave, by node and by child of the root.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "sched/job_table.h"

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
    std::uint32_t gpus = 0;          ///< On each of its nodes.
    std::uint32_t first_node = 0;
    /// What it would lose does not lie on its nodes by their GPUs: it has shares of GPUs, or more GPUs on
    /// some nodes than on others.
    bool uneven = false;
    Instant started;
    Nanoseconds interval;           ///< Between checkpoints; 0: it keeps none.
    Instant saved;                  ///< When it has saved its work last, as of the last `save`.
    Instant next = Instant::max();  ///< When that is out of date.
  };

  /// A job that runs on its placement, and the child of the root that its tenant is or is below; gives its
  /// slot.
  std::uint32_t add(const Job& job, TenantId top);
  /// The same job on the same placement.
  void remove(const Job& job, TenantId top, std::uint32_t slot);

  [[nodiscard]] std::size_t size() const { return size_; }
  /// Slots are below this.
  [[nodiscard]] std::size_t slots() const { return entries_.size(); }
  [[nodiscard]] const Entry& entry(std::uint32_t slot) const { return entries_[slot]; }
  /// The children of the root that have any jobs themselves or below them, in no order; so is what follows.
  [[nodiscard]] std::span<const TenantId> tops() const { return tops_; }
  /// The tenants that have any, of a child of the root and of those below it.
  [[nodiscard]] std::span<const TenantId> tenants(TenantId top) const { return tenants_[top.value()]; }
  /// The slots of a tenant's own jobs.
  [[nodiscard]] std::span<const std::uint32_t> of(TenantId tenant) const { return of_[tenant.value()]; }
  /// Brings `saved` of a job up to date; time must not go back.
  void save(std::uint32_t slot, Instant now) {
    if (now >= entries_[slot].next) save(entries_[slot], now);
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
  static void save(Entry& entry, Instant now);

  std::uint32_t nodes_;
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> free_;
  std::vector<TenantId> tops_;
  std::vector<std::vector<TenantId>> tenants_;  ///< By child of the root.
  std::vector<std::vector<std::uint32_t>> of_;  ///< By tenant.
  std::vector<std::uint32_t> first_;            ///< By node, of places_; empty until there is a job.
  std::vector<std::uint32_t> gpus_;             ///< By node, likewise.
  std::vector<OnNode> places_;
  std::uint32_t free_place_ = kNone;
  std::size_t size_ = 0;
};

}  // namespace gw::sched
