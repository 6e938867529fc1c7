// Level by level down the tree.
#include "sched/deserved.h"

#include <algorithm>

#include "base/check.h"

namespace gw::sched {
namespace {

__extension__ using Wide = __int128;

/// One that asks for more than its guarantee.
struct Hungry {
  std::uint32_t tenant;
  std::uint32_t weight;
  std::int64_t wants;  ///< Beyond its guarantee.
};

/// Whoever wants less than its part gets what it wants; then the others share the rest.
void share_out(std::vector<Hungry>& hungry, std::int64_t rest, std::vector<std::int64_t>& deserved) {
  std::stable_sort(hungry.begin(), hungry.end(), [](const Hungry& a, const Hungry& b) {
    return Wide{a.wants} * b.weight < Wide{b.wants} * a.weight;
  });
  Wide weights = 0;
  for (const Hungry& each : hungry) weights += each.weight;
  for (const auto& [tenant, weight, wants] : hungry) {
    const std::int64_t given = std::min(wants, static_cast<std::int64_t>(Wide{rest} * weight / weights));
    deserved[tenant] += given;
    rest -= given;
    weights -= weight;
  }
}

}  // namespace

std::vector<std::int64_t> divide(std::span<const Claimant> tenants, std::int64_t capacity) {
  const std::size_t count = tenants.size();
  std::vector<std::int64_t> deserved(count);
  if (count == 0) return deserved;
  // What is asked for by each with all below it, no more than limits there let have; and by its own jobs.
  std::vector<std::int64_t> asked(count);
  std::vector<std::int64_t> own(count);
  std::vector<std::uint32_t> begins(count + 1);  // Of its children, in `children`.
  std::vector<bool> spent(count);
  for (std::size_t tenant = 0; tenant < count; ++tenant) {
    const Claimant& each = tenants[tenant];
    spent[tenant] = each.spent || (tenant > 0 && spent[each.parent.value()]);
    asked[tenant] = own[tenant] = each.used + (spent[tenant] ? 0 : each.waiting);
  }
  for (std::size_t tenant = count; tenant-- > 1;) {
    const Claimant& each = tenants[tenant];
    GW_CHECK(each.parent.value() < tenant && each.weight > 0);
    asked[tenant] = std::min(asked[tenant], std::max(each.terms.most_milli(), each.used));
    asked[each.parent.value()] += asked[tenant] - each.used;
    own[each.parent.value()] -= each.used;
    ++begins[each.parent.value() + 1];
  }
  for (std::size_t tenant = 0; tenant < count; ++tenant) begins[tenant + 1] += begins[tenant];
  std::vector<std::uint32_t> children(count);
  std::vector<std::uint32_t> next(begins.begin(), begins.end() - 1);
  for (std::uint32_t tenant = 1; tenant < count; ++tenant)
    children[next[tenants[tenant].parent.value()]++] = tenant;

  deserved[0] = capacity;
  std::vector<Hungry> hungry;
  for (std::size_t parent = 0; parent < count; ++parent) {
    std::int64_t needed = 0;
    hungry.clear();
    for (std::uint32_t at = begins[parent]; at < begins[parent + 1]; ++at) {
      const std::uint32_t tenant = children[at];
      const Claimant& child = tenants[tenant];
      const std::int64_t guaranteed = child.terms.guaranteed_milli;
      deserved[tenant] = guaranteed;
      needed += std::max(std::min(guaranteed, asked[tenant]), child.terms.kept_milli());
      if (asked[tenant] > guaranteed) hungry.push_back({tenant, child.weight, asked[tenant] - guaranteed});
    }
    std::int64_t rest = std::max<std::int64_t>(0, deserved[parent] - needed);
    rest -= std::clamp<std::int64_t>(own[parent], 0, rest);
    share_out(hungry, rest, deserved);
  }
  return deserved;
}

}  // namespace gw::sched
