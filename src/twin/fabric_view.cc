// Scale-up domains are the largest parts of the fabric that hold no more GPUs than the type connects.
#include "twin/fabric_view.h"

#include <algorithm>
#include <bit>

namespace gw::twin {

namespace {

constexpr double kGbit = 1e9 / 8;  // Bytes.

}  // namespace

FabricView::FabricView(const Fleet& fleet) : domain_gpus_(fleet.gpu_types.size(), 1) {
  const std::uint32_t nodes = fleet.nodes();
  domain_of_.resize(nodes);
  std::vector<std::uint64_t> gpus_before(nodes + 1);  // Of all nodes with smaller ids.
  for (std::uint32_t node = 0; node < nodes; ++node) {
    const NodeType& type = fleet.type_of(NodeId{node});
    domain_of_[node] = node;
    gpus_before[node + 1] = gpus_before[node] + type.gpus;
    if (type.gpu_type != NodeType::kNoGpu)
      domain_gpus_[type.gpu_type] = std::max({domain_gpus_[type.gpu_type], type.gpus});
  }
  std::uint32_t links = 0;
  for (std::size_t index = 0; index < fleet.fabric.size(); ++index) {
    const Partition& partition = fleet.fabric[index];
    Level level;
    level.level = static_cast<std::uint32_t>(index);
    level.first_link = links;
    const bool given = index < fleet.uplink_gbit_s.size() &&
                       std::ranges::any_of(fleet.uplink_gbit_s[index], [](double rate) { return rate > 0; });
    if (given) {
      level.vertex_of.resize(nodes);
      for (const double rate : fleet.uplink_gbit_s[index]) capacities_.push_back(rate * kGbit);
      links += partition.vertices();
    }
    for (std::uint32_t vertex = 0; vertex < partition.vertices(); ++vertex) {
      const std::uint32_t begin = partition.begin(vertex);
      const std::uint32_t end = partition.end(vertex);
      if (given) std::fill(level.vertex_of.begin() + begin, level.vertex_of.begin() + end, vertex);
      if (begin == end) continue;
      const std::uint32_t type = fleet.type_of(NodeId{begin}).gpu_type;
      if (type == NodeType::kNoGpu) continue;
      const std::uint64_t gpus = gpus_before[end] - gpus_before[begin];
      const GpuType& gpu = fleet.gpu_types[type];
      if (gpu.scaleup_gbyte_s <= 0 || gpus > gpu.scaleup_domain_gpus) continue;
      std::fill(domain_of_.begin() + begin, domain_of_.begin() + end, begin);
      domain_gpus_[type] = std::max(domain_gpus_[type], static_cast<std::uint32_t>(gpus));
    }
    if (given) levels_.push_back(std::move(level));
  }
}

Lie FabricView::lie_of(const sched::Placement& placement, const sched::Pool& pool) const {
  Lie lie;
  // Nodes ascend in the pool and in the fleet, so those of one vertex follow one another.
  std::uint32_t domain = 0xffffffffU;
  std::uint32_t in_domain = 0;
  const auto close = [&] {
    if (in_domain > 0) lie.per_domain = lie.per_domain == 0 ? in_domain : std::min(lie.per_domain, in_domain);
  };
  for (const sched::Piece& piece : placement.pieces) {
    const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    lie.gpus += gpus * piece.count;
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      const std::uint32_t at = domain_of_[pool.fleet_node(node).value()];
      if (at != domain) {
        close();
        domain = at;
        in_domain = 0;
      }
      in_domain += gpus;
    }
  }
  close();
  for (const Level& level : levels_) {
    if (level.level + 1 >= placement.span) break;  // All of it lies in one vertex from here on.
    std::uint32_t last = 0xffffffffU;
    for (const sched::Piece& piece : placement.pieces) {
      const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        const std::uint32_t vertex = level.vertex_of[pool.fleet_node(node).value()];
        const std::uint32_t link = level.first_link + vertex;
        if (capacities_[link] <= 0) continue;
        if (link != last) {
          lie.links.push_back({link, 0});
          last = link;
        }
        lie.links.back().gpus += gpus;
      }
    }
  }
  return lie;
}

}  // namespace gw::twin
