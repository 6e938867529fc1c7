// A gang that loses a node keeps the others and goes on at once with a spare one near them, if it wishes.
#include <algorithm>
#include <map>
#include <tuple>

#include "base/check.h"
#include "sched/fabric_near.h"
#include "sched/state.h"

namespace gw::sched {

/// From the smallest part of the fabric that holds it with the rest; there the nearest to the failed one, one
/// that no reservation holds, the one with the fewest free GPUs.
std::optional<Piece> State::spare_for(const Job& job, std::uint32_t failed, Instant now) const {
  const Pool& pool = *pools[job.placement.pool];
  const Shape& shape = job.request.shape;
  const PoolFabric& fabric = pool.fabric();
  std::vector<std::uint32_t> rest;
  for (const Piece& piece : job.placement.pieces) {
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      if (node != failed) rest.push_back(node);
    }
  }
  const std::size_t root = fabric.levels.size() - 1;
  const std::size_t last = shape.level_required ? std::min<std::size_t>(shape.level, root) : root;
  // What its blocks and its spread forbid.
  const PoolFabric::Level& blocks = fabric.levels[std::min<std::size_t>(shape.segment_level, root)];
  const PoolFabric::Level& apart = fabric.levels[std::min<std::size_t>(shape.spread_level, last)];
  std::map<std::uint32_t, std::uint32_t> here;
  if (shape.spread_level != Shape::kAnyLevel) {
    for (const std::uint32_t node : rest) ++here[vertex_of(apart, node)];
  }
  std::uint32_t most = shape.nodes;
  if (shape.spread_required) {  // As many as it has in one now; that is what was found to be right.
    auto with_failed = here;
    ++with_failed[vertex_of(apart, failed)];
    most = 0;
    for (const auto& [vertex, count] : with_failed) most = std::max(most, count);
  }
  for (std::size_t level = level_between(fabric, rest.front(), rest.back()); level <= last; ++level) {
    const std::vector<std::uint32_t>& bounds = fabric.levels[level].first;
    const std::uint32_t vertex = vertex_of(fabric.levels[level], rest.front());
    using Rank = std::tuple<std::uint32_t, std::size_t, bool, std::uint32_t>;
    std::optional<std::pair<Rank, Piece>> best;
    for (std::uint32_t node = bounds[vertex]; node < bounds[vertex + 1]; ++node) {
      if (node == failed || std::binary_search(rest.begin(), rest.end(), node)) continue;
      const std::optional<Piece> piece = pool.piece_on(shape, node);
      if (!piece || !windows_admit(job, Placement{job.placement.pool, 0, {*piece}}, now)) continue;
      if (shape.segment_nodes > 1 && vertex_of(blocks, node) != vertex_of(blocks, failed)) continue;
      std::uint32_t crowd = 0;
      if (shape.spread_level != Shape::kAnyLevel) {
        const auto at = here.find(vertex_of(apart, node));
        crowd = at == here.end() ? 1 : at->second + 1;
        if (crowd > most) continue;
      }
      const Rank rank{crowd, level_between(fabric, node, failed), pool.is_held(node), pool.free_count(node)};
      if (!best || rank < best->first) best = {rank, *piece};
    }
    if (best) return best->second;
  }
  return std::nullopt;
}

bool State::replace_node(Job& job, std::uint32_t failed, Instant now, Plan& plan) {
  const Shape& shape = job.request.shape;
  const auto of_job = [&](const auto& entry) { return entry.job == job.id; };
  const bool again = std::erase_if(plan.starts, of_job) > 0;  // It has lost another node in this instant.
  std::optional<Piece> spare;
  const std::vector<std::uint32_t>& may =
      classes[job.shape_class].pools;  // What it may not start on any more.
  if (job.request.keep_on_failure && !job.leaving && shape.nodes > 1 && shape.gpu_milli == 0 &&
      std::find(may.begin(), may.end(), job.placement.pool) != may.end())
    spare = spare_for(job, failed, now);
  if (!spare) {
    if (!again) return false;
    forget_interruption(job, plan);
    return false;
  }
  Pool& pool = *pools[job.placement.pool];
  if (power.tracked()) {
    add_power(job, -1);
    if (job.clock < PowerTree::kFull) slowed.erase(job.id);
    job.clock = PowerTree::kFull;
  }
  unlist_victim(job);
  job.placement = pool.exchange(shape, job.placement, failed, *spare);
  if (power.tracked()) {
    add_power(job, +1);
    const std::uint32_t at = pool.fleet_node(failed).value();
    power.set_room(at, pool.has_room(failed), power.load(at) == 0);
  }
  EndProfile& ends = running[job.placement.pool];
  ends.erase(job.expected_end, job.id);
  job.started = now;
  list_victim(job);
  job.expected_end = now + job.request.limit;
  ends.insert({job.expected_end, job.id, amount_of(shape)});
  if (!again) plan.interrupted.push_back(job.id);
  plan.starts.push_back({job.id, job.placement});
  plan.replacements.push_back({job.id, pool.fleet_node(failed), pool.fleet_node(spare->node)});
  return true;
}

void State::forget_interruption(const Job& job, Plan& plan) {
  if (plan.interrupted.empty()) return;
  if (std::erase(plan.interrupted, job.id) == 0) return;
  const auto of_job = [&](const auto& entry) { return entry.job == job.id; };
  std::erase_if(plan.resizes, of_job);
  std::erase_if(plan.starts, of_job);
  std::erase_if(plan.replacements, of_job);
}

}  // namespace gw::sched
