// A look at the first waiting job of each tenant.
#include "sched/patience.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace gw::sched {
namespace {

constexpr int kMostLooks = 256;  ///< At gangs that have waited even longer.

bool share_a_pool(const State& state, const Job& a, const Job& b) {
  const std::vector<std::uint32_t>& pools = state.classes[a.shape_class].pools;
  return std::ranges::any_of(state.classes[b.shape_class].pools, [&](std::uint32_t pool) {
    return std::ranges::find(pools, pool) != pools.end();
  });
}

}  // namespace

JobId gang_to_reserve(State& state, Instant now) {
  const JobId gang = state.impatient_gang(now);
  if (!gang.valid()) return gang;
  const Job& own = state.jobs[gang];
  bool overtaken = true;
  bool last_of_tenant = false;
  int looks = 0;
  state.pending.scan(
      JobId{},
      [&](TenantId) {
        PendingQueue::Bounds bounds;
        if (std::exchange(last_of_tenant, false)) bounds.free = -1;
        return bounds;
      },
      [&](JobId id) {
        const Job& other = state.jobs[id];
        const bool is_gang = state.waiting_gangs.contains({other.waits_since, id});
        const bool waits_longer = other.waits_since < own.waits_since;
        const bool competes = !is_gang && share_a_pool(state, own, other);
        // Within a tenant jobs wait in the order in which they came.
        last_of_tenant = competes || !waits_longer || ++looks > kMostLooks;
        if (waits_longer && competes && other.request.priority >= own.request.priority &&
            !other.request.window.valid() && !state.is_hopeless(other) && state.quota_bar(other).ok())
          overtaken = false;
        return false;
      },
      [&] { return !overtaken; });
  return overtaken ? gang : JobId{};
}

}  // namespace gw::sched
