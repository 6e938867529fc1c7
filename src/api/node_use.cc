// One look at each node.
#include "api/node_use.h"

namespace gw::api {
namespace {

void add(NodeUse& use, Standing standing, std::int64_t all, std::int64_t free) {
  use.all += all;
  use.used += all - free;
  (standing == Standing::kOpen ? use.free : standing == Standing::kOff ? use.off : use.reserved) += free;
}

}  // namespace

NodeUse& NodeUse::operator+=(const NodeUse& other) {
  all += other.all, used += other.used, free += other.free;
  reserved += other.reserved, off += other.off;
  return *this;
}

Standing standing_of(const sched::Pool& pool, std::uint32_t node) {
  if (pool.is_down(node) || pool.is_closed(node, sched::Closure::kDrained)) return Standing::kOff;
  return pool.is_closed(node) ? Standing::kReserved : Standing::kOpen;
}

NodeUse gpus_of(const sched::Pool& pool) {
  NodeUse use;
  for (std::uint32_t node = 0; node < pool.nodes(); ++node)
    add(use, standing_of(pool, node), pool.gpus_per_node(),
        pool.is_down(node) ? pool.gpus_per_node() : pool.free_count(node));
  return use;
}

NodeUse cpus_of(const live::Book& book) {
  NodeUse use;
  for (const auto& pool : book.core->state().pools) {
    for (std::uint32_t node = 0; node < pool->nodes(); ++node) {
      const std::int64_t all = book.fleet.type_of(pool->fleet_node(node)).cpu_milli;
      if (all > 0)
        add(use, standing_of(*pool, node), all, pool->is_down(node) ? all : pool->side_free(node).cpu_milli);
    }
  }
  return use;
}

}  // namespace gw::api
