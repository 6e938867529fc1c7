// The search for victims where a gang asks how its nodes lie to one another: in blocks, or apart.
#include <algorithm>
#include <functional>

#include "sched/victim_search.h"

namespace gw::sched {

/// Chooses from all vertices of the group's level the cheapest blocks (or, spread, nodes), then frees so many
/// in each. The blocks of one vertex cost more and more, so the cheapest first is right but for jobs that lie
/// on several of them.
bool VictimSearch::free_groups(State& state, const Job& taker, std::uint32_t pool, std::uint32_t first,
                               std::uint32_t last) {
  const Pool& nodes = *state.pools[pool];
  const Shape& shape = taker.request.shape;
  const bool blocks = shape.segment_nodes > 1;
  const std::vector<PoolFabric::Level>& levels = nodes.fabric().levels;
  const std::size_t wanted = blocks ? shape.segment_level : shape.spread_level;
  const std::vector<std::uint32_t>& bounds = levels[std::min(wanted, levels.size() - 1)].first;
  const auto begin =
      static_cast<std::uint32_t>(std::upper_bound(bounds.begin(), bounds.end(), first) - bounds.begin() - 1);
  const auto end =
      static_cast<std::uint32_t>(std::lower_bound(bounds.begin(), bounds.end(), last) - bounds.begin());
  if (end - begin <= 1) return free_nodes(state, taker, pool, first, last);  // All of it is in one vertex.

  const std::uint32_t unit = blocks ? shape.segment_nodes : 1;
  const std::uint32_t most = blocks ? shape.nodes : (shape.nodes + (end - begin) - 1) / (end - begin);
  make_groups(nodes, bounds[begin], bounds[end]);             // What cost_of_node goes by.
  std::vector<std::pair<std::int64_t, std::uint32_t>> units;  // (cost, vertex)
  for (std::uint32_t vertex = begin; vertex < end; ++vertex) {
    std::vector<std::int64_t> costs;
    for (std::uint32_t node = bounds[vertex]; node < bounds[vertex + 1]; ++node) {
      const std::int64_t cost = cost_of_node(nodes, shape, node, nullptr);
      if (cost != INT64_MAX) costs.push_back(std::min(cost, INT64_MAX / (std::int64_t{1} << 24)));
    }
    std::sort(costs.begin(), costs.end());
    for (std::uint32_t at = 0; at + unit <= std::min<std::size_t>(costs.size(), most); at += unit) {
      std::int64_t cost = 0;
      for (std::uint32_t node = at; node < at + unit; ++node) cost += costs[node];
      units.emplace_back(cost, vertex);
    }
  }
  const std::uint32_t count = need_.count;
  if (units.size() < count / unit) return false;
  std::sort(units.begin(), units.end());
  std::vector<std::uint32_t> here(end - begin);
  for (std::uint32_t at = 0; at < count / unit; ++at) here[units[at].second - begin] += unit;
  bool done = true;
  for (std::uint32_t vertex = begin; vertex < end && done; ++vertex) {
    if (here[vertex - begin] == 0) continue;
    need_.count = here[vertex - begin];
    done = free_nodes(state, taker, pool, bounds[vertex], bounds[vertex + 1]);
  }
  need_.count = count;
  return done;
}

void VictimSearch::prune_by_trial(State& state, const Job& taker, std::uint32_t pool) {
  constexpr std::size_t kMostTrials = 64;
  const QuotaTree::Amount amount = state.quota_amount(taker, pool);
  std::vector<std::uint32_t> order = dearest_first();
  if (order.size() > kMostTrials) order.resize(kMostTrials);
  for (const std::uint32_t index : order) {
    unchoose(state, index);
    if (!state.quota.permits(taker.request.tenant, amount, taker.id).ok() ||
        !place_without(state, taker, pool))
      keep(state, index);
  }
}

}  // namespace gw::sched
