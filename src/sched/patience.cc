// A look at the first waiting job of each tenant.
#include "sched/patience.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace gw::sched {
namespace {

constexpr int kMostLooks = 256;    ///< At gangs that have waited even longer, and at jobs that never start.
constexpr int kMostGangs = 1'024;  ///< That have lost patience.

using Never = std::function<bool(const Job&)>;

bool share_a_pool(const State& state, const Job& a, const Job& b) {
  const std::vector<std::uint32_t>& pools = state.classes[a.shape_class].pools;
  return std::ranges::any_of(state.classes[b.shape_class].pools, [&](std::uint32_t pool) {
    return std::ranges::find(pools, pool) != pools.end();
  });
}

/// Apart from what nodes could hold.
bool is_let(const State& state, const Job& job) {
  return !job.request.window.valid() && state.quota_bar(job).ok();
}

bool waits_longer(const Job& a, const Job& b) {
  return std::tie(a.waits_since, a.id) < std::tie(b.waits_since, b.id);
}

/// Whoever is first in the order and has waited even longer has lost as much patience.
bool is_behind_the_first(const State& state, const Job& gang, const Never& never) {
  const JobId first = state.pending.first();
  if (!first.valid()) return false;
  const Job& head = state.jobs[first];
  return waits_longer(head, gang) && is_let(state, head) && !never(head);
}

bool is_overtaken_by_right(State& state, const Job& gang, const Never& never) {
  bool by_right = false;
  bool last_of_tenant = false;
  int looks = 0;
  int hopeless = 0;
  state.pending.scan(
      JobId{},
      [&](TenantId tenant) {
        PendingQueue::Bounds bounds;
        if (std::exchange(last_of_tenant, false) || state.pending.oldest(tenant) >= gang.waits_since)
          bounds.free = -1;
        return bounds;
      },
      [&](JobId id) {
        const Job& other = state.jobs[id];
        // Within a tenant jobs wait in the order in which they came.
        if (other.waits_since >= gang.waits_since) {
          last_of_tenant = true;
          return false;
        }
        const bool competes = !state.is_gang(other) && share_a_pool(state, gang, other);
        last_of_tenant = competes || ++looks > kMostLooks;
        if (competes && other.request.priority >= gang.request.priority && is_let(state, other))
          by_right = hopeless++ < kMostLooks && !never(other);
        return false;
      },
      [&] { return by_right || hopeless > kMostLooks; });
  return by_right;
}

}  // namespace

JobId gang_to_reserve(State& state, Instant now, const Never& never) {
  int gangs = 0;
  for (const auto& [since, id] : state.waiting_gangs) {
    if (now - since <= state.policy.patience || ++gangs > kMostGangs) break;
    const Job& gang = state.jobs[id];
    if (!is_let(state, gang) || state.is_hopeless(gang)) continue;
    const bool by_right =
        is_behind_the_first(state, gang, never) || is_overtaken_by_right(state, gang, never);
    // One that is hopeless stands in nobody's way, whether that is known already or not.
    if (!never(gang)) return by_right ? JobId{} : id;
  }
  return JobId{};
}

}  // namespace gw::sched
