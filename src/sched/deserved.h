// Deserved: what each tenant deserves of the fleet now, by guarantees, weights and what is asked for.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/ids.h"
#include "model/quota.h"

namespace gw::sched {

/// A tenant as the division sees it; amounts in thousandths of what is divided.
struct Claimant {
  TenantId parent;  ///< Of a lower id; the root's own is not looked at.
  std::uint32_t weight = 1;
  QuotaTerms terms;
  std::int64_t used = 0;     ///< With all below it.
  std::int64_t waiting = 0;  ///< What its own waiting jobs ask for, without those below it.
  /// Its budget is: waiting jobs of its own and below it do not start, so they ask for nothing.
  bool spent = false;
};

/// At each level of the tree every tenant deserves its guarantee. What can be borrowed is what its parent
/// deserves, less what the guarantees need or do not lend, less what the parent's own jobs ask for. It is
/// divided among those that ask for more than their guarantees, by weight and to none more than it asks for,
/// or may have: weighted max-min fairness (Bertsekas and Gallager, Data Networks, 1992, section 6.5.2).
///
/// It is kept from one time to the next: only those are divided among anew where something has changed, or
/// whose parent deserves more or less than before.
class Division {
 public:
  Division() { add(TenantId{0}, 1); }

  /// The next tenant, by id; the first is the root, which deserves all.
  void add(TenantId parent, std::uint32_t weight);
  void set_weight(TenantId tenant, std::uint32_t weight);
  void set_terms(TenantId tenant, const QuotaTerms& terms);
  void set_spent(TenantId tenant, bool spent);
  /// The tenant, with all above it, uses so much more (less).
  void use(TenantId tenant, std::int64_t milli);
  /// The tenant, with all below it, uses this.
  void set_used(TenantId tenant, std::int64_t milli);
  /// Its own waiting jobs ask for so much more (less).
  void wait(TenantId tenant, std::int64_t milli);

  /// Divides `capacity`. Gives the tenants that deserve another amount than before, or all if anything but
  /// use and waiting jobs has changed; until the next time. O(n log n) then; else O(children) of each that
  /// is divided among anew.
  std::span<const std::uint32_t> divide(std::int64_t capacity);
  /// By the last division; those added since deserve nothing yet.
  [[nodiscard]] std::int64_t deserved_milli(TenantId tenant) const { return deserved_[tenant.value()]; }
  [[nodiscard]] std::int64_t used_milli(TenantId tenant) const { return nodes_[tenant.value()].used; }
  [[nodiscard]] std::int64_t waiting_milli(TenantId tenant) const { return nodes_[tenant.value()].waiting; }

 private:
  struct Node {
    std::uint32_t parent = 0;
    std::uint32_t weight = 1;
    QuotaTerms terms;
    std::int64_t used = 0;
    std::int64_t waiting = 0;
    bool spent = false;        ///< Its own budget.
    bool spent_above = false;  ///< Its own or one above.
    bool touched = false;      ///< It is in `touched_`.
    bool anew = false;         ///< Its children are to be divided among anew.
    bool mixed = false;        ///< They may stand in another order.
    std::int64_t asked = 0;    ///< With all below it, no more than limits there let have.
    std::int64_t counted = 0;  ///< Of what it uses, in the sums of its parent.
    // Sums over its children:
    std::int64_t asked_below = 0;  ///< Beyond what they use.
    std::int64_t used_below = 0;
    std::int64_t needed_below = 0;  ///< Of what is guaranteed to them: they ask for it, or do not lend it.
    std::uint32_t first_child = 0;  ///< In `children_`.
    std::uint32_t children = 0;

    [[nodiscard]] std::int64_t own() const { return used - used_below + (spent_above ? 0 : waiting); }
    /// What `asked` is to be.
    [[nodiscard]] std::int64_t asks() const {
      const std::int64_t most = terms.most_milli() > used ? terms.most_milli() : used;
      const std::int64_t all = used + (spent_above ? 0 : waiting) + asked_below;
      return all < most ? all : most;
    }
    /// Beyond its guarantee.
    [[nodiscard]] std::int64_t wants() const {
      return asked > terms.guaranteed_milli ? asked - terms.guaranteed_milli : 0;
    }
    [[nodiscard]] std::int64_t needs() const;
  };

  void touch(std::uint32_t tenant);
  void build();
  [[nodiscard]] bool stands_before(std::uint32_t a, std::uint32_t b) const;
  void count(std::uint32_t tenant);
  void divide_below(std::uint32_t parent);
  void put(std::uint32_t tenant, std::int64_t milli);

  std::vector<Node> nodes_;
  std::vector<std::int64_t> deserved_;
  std::vector<std::uint32_t> children_;  ///< Of each parent together, in the order in which they are served.
  std::vector<std::uint32_t> parents_;   ///< Those that have children, by id.
  std::vector<std::uint32_t> touched_;
  std::vector<std::uint32_t> changed_;
  bool built_ = false;
};

/// All of it once; by tenant, tenant 0 is the root.
[[nodiscard]] std::vector<std::int64_t> divide(std::span<const Claimant> tenants, std::int64_t capacity);

}  // namespace gw::sched
