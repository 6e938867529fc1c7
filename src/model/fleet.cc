// Look-ups over a fleet and the check of its invariants.
#include "model/fleet.h"

#include <fmt/format.h>

#include <algorithm>

namespace gw {

std::uint32_t Partition::vertex_of(NodeId node) const {
  const auto after = std::upper_bound(first.begin(), first.end(), node.value());
  return static_cast<std::uint32_t>(after - first.begin()) - 1;
}

std::uint64_t Fleet::gpus() const {
  std::vector<std::uint64_t> count(node_types.size());
  for (const std::uint16_t type : node_type_of) ++count[type];
  std::uint64_t total = 0;
  for (std::size_t type = 0; type < count.size(); ++type) total += count[type] * node_types[type].gpus;
  return total;
}

bool Zone::same_facts(const Zone& other) const {
  return country == other.country && jurisdictions == other.jurisdictions &&
         operator_countries == other.operator_countries && certifications == other.certifications &&
         by_chip == other.by_chip && gpu_types == other.gpu_types && performance == other.performance &&
         covered_by == other.covered_by;
}

int Fleet::fabric_level(const std::string& level) const {
  for (std::size_t index = 0; index < fabric.size(); ++index) {
    if (fabric[index].level == level) return static_cast<int>(index);
  }
  return -1;
}

std::string Fleet::feed_name(std::uint32_t level, std::uint32_t vertex) const {
  std::string path;
  std::uint32_t parent_begin = 0;
  const NodeId node{feed[level].partition.begin(vertex)};
  for (std::size_t index = feed.size(); index-- > level;) {
    const FeedLevel& part = feed[index];
    const std::uint32_t at = part.partition.vertex_of(node);
    if (!path.empty()) path += '/';
    if (at < part.names.size() && !part.names[at].empty()) {
      path += part.names[at];
    } else {
      const std::uint32_t first_sibling = part.partition.vertex_of(NodeId{parent_begin});
      path += fmt::format("{}-{:02}", part.partition.level, at - first_sibling + 1);
    }
    parent_begin = part.partition.begin(at);
  }
  return path;
}

std::optional<Fleet::FeedAt> Fleet::find_feed(std::string_view path) const {
  std::optional<FeedAt> found;
  bool several = false;
  for (std::uint32_t level = 0; level < feed.size(); ++level) {
    for (std::uint32_t vertex = 0; vertex < feed[level].partition.vertices(); ++vertex) {
      const std::string whole = feed_name(level, vertex);
      if (whole == path) return FeedAt{level, vertex};
      if (whole.size() <= path.size() || !whole.ends_with(path) ||
          whole[whole.size() - path.size() - 1] != '/')
        continue;
      several = found.has_value();
      found = FeedAt{level, vertex};
    }
  }
  return several ? std::nullopt : found;
}

std::string Fleet::node_name(NodeId node) const {
  if (!node_names.empty()) return node_names[node.value()];
  if (feed.empty()) return fmt::format("node-{}", node.value() + 1);
  const std::uint32_t vertex = feed[0].partition.vertex_of(node);
  return feed_name(0, vertex) + fmt::format("/node-{}", node.value() - feed[0].partition.begin(vertex) + 1);
}

std::uint32_t GpuType::speed_permille(std::uint32_t power_permille) const {
  if (power_permille >= 1000 || power_floor_permille >= 1000) return 1000;
  const std::uint32_t above =
      power_permille > power_floor_permille ? power_permille - power_floor_permille : 0;
  return floor_speed_permille + (1000 - floor_speed_permille) * above / (1000 - power_floor_permille);
}

namespace {

std::string check_partition(const Partition& partition, std::uint32_t nodes) {
  if (partition.vertices() == 0) return fmt::format("level `{}` has no vertex", partition.level);
  if (partition.first.front() != 0 || partition.first.back() != nodes)
    return fmt::format("level `{}` does not cover all {} nodes", partition.level, nodes);
  for (std::uint32_t vertex = 0; vertex < partition.vertices(); ++vertex) {
    if (partition.begin(vertex) >= partition.end(vertex))
      return fmt::format("vertex {} of level `{}` is empty", vertex, partition.level);
  }
  return {};
}

std::string check_nesting(const Partition& inner, const Partition& outer) {
  if (!std::includes(inner.first.begin(), inner.first.end(), outer.first.begin(), outer.first.end()))
    return fmt::format("level `{}` does not nest in level `{}`", inner.level, outer.level);
  return {};
}

}  // namespace

std::string check_fleet(const Fleet& fleet) {
  if (fleet.nodes() == 0) return "the fleet has no nodes";
  if (!fleet.node_names.empty() && fleet.node_names.size() != fleet.nodes())
    return "not every node has a name";
  for (const std::uint16_t type : fleet.node_type_of) {
    if (type >= fleet.node_types.size()) return "a node has an unknown node type";
  }
  for (const NodeType& type : fleet.node_types) {
    if (type.gpus > 64) return fmt::format("node type `{}` has {} GPUs; at most 64", type.name, type.gpus);
    if (type.gpu_type != NodeType::kNoGpu && type.gpu_type >= fleet.gpu_types.size())
      return fmt::format("node type `{}` has an unknown GPU type", type.name);
  }
  if (fleet.zones.size() > kMostZones) return fmt::format("more than {} zones", kMostZones);
  if (!fleet.zone_of_node.empty() && fleet.zone_of_node.size() != fleet.nodes())
    return "not every node has a zone";
  for (const std::uint8_t zone : fleet.zone_of_node) {
    if (zone >= fleet.zones.size()) return "a node has an unknown zone";
  }
  if (fleet.gpu_types.size() > 63) return "more than 63 GPU types";
  if (fleet.fabric.size() > 64) return "more than 64 fabric levels";
  if (fleet.fabric.empty() || fleet.fabric.back().vertices() != 1) return "the fabric has no single root";
  if (!fleet.uplink_gbit_s.empty() && fleet.uplink_gbit_s.size() != fleet.fabric.size())
    return "the uplinks are not one list for each fabric level";
  for (std::size_t level = 0; level < fleet.fabric.size(); ++level) {
    if (!fleet.uplink_gbit_s.empty() && fleet.uplink_gbit_s[level].size() != fleet.fabric[level].vertices())
      return "a fabric level has not one uplink for each vertex";
    std::string problem = check_partition(fleet.fabric[level], fleet.nodes());
    if (problem.empty() && level > 0) problem = check_nesting(fleet.fabric[level - 1], fleet.fabric[level]);
    if (!problem.empty()) return problem;
  }
  for (std::size_t level = 0; level < fleet.feed.size(); ++level) {
    const FeedLevel& feed = fleet.feed[level];
    std::string problem = check_partition(feed.partition, fleet.nodes());
    if (problem.empty() && level > 0)
      problem = check_nesting(fleet.feed[level - 1].partition, feed.partition);
    if (problem.empty() && feed.capacity.size() != feed.partition.vertices())
      problem = fmt::format("feed level `{}` has {} capacities for {} vertices", feed.partition.level,
                            feed.capacity.size(), feed.partition.vertices());
    if (!problem.empty()) return problem;
  }
  return {};
}

Fleet flat_fleet(std::uint32_t nodes, std::uint32_t processors_per_node) {
  Fleet fleet;
  fleet.name = fmt::format("{} nodes of {} processor{}", nodes, processors_per_node,
                           processors_per_node == 1 ? "" : "s");
  NodeType type;
  type.name = "node";
  type.gpus = processors_per_node;
  fleet.node_types.push_back(type);
  fleet.node_type_of.assign(nodes, 0);
  fleet.fabric.push_back(Partition{"fleet", {0, nodes}});
  return fleet;
}

}  // namespace gw
