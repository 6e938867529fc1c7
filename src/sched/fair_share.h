// FairShare: hierarchical weighted fair share with half-life decay: which tenant comes next.
//
// Each tenant's key is its decayed GPU-time plus a commitment for what runs now, over its weight; among
// siblings the smallest key comes first. GPUs of several kinds are counted apart, and the kind of which the
// tenant has the largest part decides (its dominant share; Ghodsi et al., NSDI 2011). Decay scales all keys
// alike, so usage is kept "inflated" by 2^(t / half-life) and never has to be decayed: only running usage is
// charged, at every `charge_interval`.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/policy.h"

namespace gw::sched {

class FairShare {
 public:
  explicit FairShare(const PolicyConfig& policy);

  /// How many GPUs (thousandths) of each kind there are, before the first tenant; one kind if never called.
  void set_kinds(const std::vector<std::int64_t>& capacity_milli);
  [[nodiscard]] std::uint32_t kinds() const { return static_cast<std::uint32_t>(scale_.size()); }

  /// Tenants must be added in id order, parents first; the root (id 0) is there from the start.
  void add_tenant(TenantId parent, std::uint32_t weight);
  [[nodiscard]] std::uint32_t tenants() const { return static_cast<std::uint32_t>(nodes_.size()); }

  /// From now on; what has been used counts as before, over the new weight.
  void set_weight(TenantId tenant, std::uint32_t weight);

  [[nodiscard]] TenantId parent(TenantId tenant) const { return nodes_[tenant.value()].parent; }
  [[nodiscard]] std::uint32_t weight(TenantId tenant) const {
    return static_cast<std::uint32_t>(nodes_[tenant.value()].weight);
  }

  /// Steps from the root; the tree may not be deeper than kMostDepth.
  static constexpr std::uint32_t kMostDepth = 64;
  [[nodiscard]] std::uint32_t depth(TenantId tenant) const;

  /// Charges running usage up to `now` if a charge interval has passed. True if the order may have changed.
  bool advance(Instant now);

  /// `since_charge`: how long before now the last charge was, so that each job pays for exactly the time it
  /// ran.
  void started(TenantId tenant, std::int64_t gpu_milli, Nanoseconds since_charge, std::uint32_t kind = 0);
  void stopped(TenantId tenant, std::int64_t gpu_milli, Nanoseconds since_charge, std::uint32_t kind = 0);
  [[nodiscard]] Nanoseconds since_charge(Instant now) const { return now - charged_to_; }
  /// A tenant that has less than is guaranteed to it comes before its siblings that have not.
  void set_owed(TenantId tenant, bool owed);
  [[nodiscard]] bool is_owed(TenantId tenant) const { return nodes_[tenant.value()].owed; }
  /// It, or one below it?
  [[nodiscard]] bool any_owed(TenantId tenant) const { return nodes_[tenant.value()].owed_here > 0; }
  /// Would a job of `a` come before one of `b` (another tenant), were it for nothing but shares?
  [[nodiscard]] bool comes_before(TenantId a, TenantId b) const;
  /// A tenant (not counting its children) gets its first, or loses its last, waiting job.
  void set_waiting(TenantId tenant, bool waiting);

  /// Calls visit(tenant) for the tenants with waiting jobs, best first, until it gives false. The call that
  /// gives false may have changed who waits and what runs. Leaves out the children of the root, with all
  /// below them, for which enter(child) gives false.
  template <class Visit, class Enter>
  void for_each_waiting(Visit&& visit, Enter&& enter) const {
    const Node& root = nodes_[0];
    if (root.waiting && !visit(TenantId{0})) return;
    for (const TenantId child : root.active) {
      if (enter(child) && !walk(child, visit)) return;
    }
  }
  /// Those below whom, or of whom, jobs wait, best first.
  [[nodiscard]] const std::vector<TenantId>& waiting_children(TenantId tenant) const {
    return nodes_[tenant.value()].active;
  }
  /// All of them, best first.
  void ordered(std::vector<TenantId>& out) const;
  /// The best tenant with waiting jobs; none if there is none.
  [[nodiscard]] TenantId first() const;

  /// Decayed usage as of the last charge, GPU-seconds of all kinds (reports).
  [[nodiscard]] double usage_gpu_seconds(TenantId tenant) const;
  /// What that is of the kind of which it is the largest part: 1 is all of it, for many half-lives. Where
  /// GPUs of each kind have been told.
  [[nodiscard]] double dominant_share(TenantId tenant) const;

  /// For snapshots: the whole state that decisions depend on.
  struct State {
    Instant charged_to;
    double inflation = 1;
    std::vector<double> usage;                ///< By tenant, then kind.
    std::vector<std::int64_t> running_milli;  ///< Likewise.
  };
  [[nodiscard]] State save() const;
  void restore(const State& state);

 private:
  struct Node {
    TenantId parent;
    double weight = 1;
    double key = 0;
    bool waiting = false;          ///< Own jobs wait.
    bool owed = false;             ///< It has less than is guaranteed to it.
    std::uint32_t owed_here = 0;   ///< How many have, it and those below it.
    std::vector<TenantId> active;  ///< Children with waiting jobs below, by (key, id).
  };
  [[nodiscard]] bool is_active(const Node& node) const { return node.waiting || !node.active.empty(); }
  [[nodiscard]] double key_of(std::size_t tenant) const;
  [[nodiscard]] bool before(TenantId a, TenantId b) const;
  void change_running(TenantId tenant, std::int64_t delta_milli, Nanoseconds since_charge,
                      std::uint32_t kind);
  void insert_active(TenantId child);
  void erase_active(TenantId child);
  template <class Visit>
  bool walk(TenantId at, Visit& visit) const {
    const Node& node = nodes_[at.value()];
    if (node.waiting && !visit(at)) return false;
    for (const TenantId child : node.active) {
      if (!walk(child, visit)) return false;
    }
    return true;
  }

  double half_life_s_;
  double commitment_s_;
  Nanoseconds charge_interval_;
  Instant charged_to_;
  double inflation_ =
      1;  ///< 2^((charged_to - epoch) / half-life); the epoch moves so that it stays below 2^64.
  std::vector<Node> nodes_;
  std::vector<double> scale_;                ///< By kind: all GPUs over those of the kind.
  double all_milli_ = 0;                     ///< GPUs of all kinds.
  std::vector<double> usage_;                ///< Inflated GPU-seconds, by tenant, then kind.
  std::vector<std::int64_t> running_milli_;  ///< Likewise.
};

}  // namespace gw::sched
