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

/// By tenant; tenant 0, the root, has all. At each level of the tree every tenant deserves its guarantee.
/// What can be borrowed is what its parent deserves, less what the guarantees need or do not lend, less what
/// the parent's own jobs ask for. It is divided among those that ask for more than their guarantees, by
/// weight and to none more than it asks for, or may have: weighted max-min fairness (Bertsekas and Gallager,
/// Data Networks, 1992, section 6.5.2). O(n log n).
[[nodiscard]] std::vector<std::int64_t> divide(std::span<const Claimant> tenants, std::int64_t capacity);

}  // namespace gw::sched
