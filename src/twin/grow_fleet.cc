// Nodes put in at the end of a site, and both trees made to hold them.
#include "twin/grow_fleet.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <vector>

#include "base/check.h"

namespace gw::twin {
namespace {

constexpr std::uint32_t kMostNodes = 1'000'000;

/// The nodes [begin, end) of the site, by the feed level that is called so.
struct Range {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

Result<Range> range_of(const Fleet& fleet, const std::string& site) {
  if (site.empty() && fleet.sites.size() <= 1) return Range{0, fleet.nodes()};
  std::vector<std::string> names;
  for (const Site& each : fleet.sites) names.push_back(each.name);
  if (site.empty())
    return fail(fmt::format("say at which site the nodes are added (TYPE:COUNT@SITE); there are: {}",
                            fmt::join(names, ", ")));
  const auto at = std::find(names.begin(), names.end(), site);
  if (at == names.end())
    return fail(fmt::format("there is no site {}; there are: {}", site,
                            names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
  const auto index = static_cast<std::uint32_t>(at - names.begin());
  for (const FeedLevel& level : fleet.feed) {
    if (level.partition.level == "site" && level.partition.vertices() == fleet.sites.size())
      return Range{level.partition.begin(index), level.partition.end(index)};
  }
  if (fleet.sites.size() == 1) return Range{0, fleet.nodes()};
  return fail(fmt::format("the fleet does not say which nodes stand at the site {}", site));
}

/// Where vertices end among `count` new nodes, so that they nest in those of the level below.
std::vector<std::uint32_t> chunk_ends(std::uint32_t count, std::uint32_t size) {
  std::vector<std::uint32_t> ends;
  for (std::uint32_t end = size; end < count; end += size) ends.push_back(end);
  ends.push_back(count);
  return ends;
}

/// One level with the new nodes: new vertices below the site, a larger one where the site is part of it.
/// Gives for each new vertex the old one that it is like.
std::vector<std::uint32_t> grow(Partition& partition, Range site, std::uint32_t count,
                                std::uint32_t like_node, std::uint32_t& size_below) {
  const std::uint32_t last = partition.vertex_of(NodeId{site.end - 1});
  const bool holds_site = partition.begin(last) <= site.begin && partition.end(last) >= site.end;
  std::vector<std::uint32_t> like;
  if (holds_site) {
    for (std::uint32_t vertex = last + 1; vertex < partition.first.size(); ++vertex)
      partition.first[vertex] += count;
    return like;
  }
  const std::uint32_t model = partition.vertex_of(NodeId{like_node});
  const std::uint32_t model_size = partition.end(model) - partition.begin(model);
  // A multiple of the size below it: vertices nest.
  const std::uint32_t size = std::max(size_below, model_size / size_below * size_below);
  size_below = size;
  std::vector<std::uint32_t> first(partition.first.begin(), partition.first.begin() + last + 2);
  GW_CHECK(first.back() == site.end);
  for (const std::uint32_t end : chunk_ends(count, size)) {
    first.push_back(site.end + end);
    like.push_back(model);
  }
  for (std::size_t vertex = last + 2; vertex < partition.first.size(); ++vertex)
    first.push_back(partition.first[vertex] + count);
  partition.first = std::move(first);
  return like;
}

/// The zones of new nodes: those of the site's nodes of that kind, each as often as among these and in their
/// order, so that a rule that sets a share of them aside sets aside that share of the new ones, or more.
/// Where the site has none of the kind, the zone of another of its nodes that the law cannot tell from them.
Result<std::vector<std::uint8_t>> zones_of_new(const Fleet& fleet, Range site, std::uint16_t type,
                                               std::uint32_t count) {
  struct Part {
    std::uint8_t zone;
    std::uint64_t nodes;
  };
  std::vector<Part> parts;
  const auto add = [&](std::uint8_t zone) {
    const auto at =
        std::find_if(parts.begin(), parts.end(), [&](const Part& part) { return part.zone == zone; });
    if (at == parts.end()) {
      parts.push_back({zone, 1});
    } else {
      ++at->nodes;
    }
  };
  std::uint64_t all = 0;
  for (std::uint32_t node = site.begin; node < site.end; ++node) {
    if (fleet.node_type_of[node] != type) continue;
    add(fleet.zone_of_node[node]);
    ++all;
  }
  const NodeType& kind = fleet.node_types[type];
  const std::string chip =
      kind.gpus == 0 || kind.gpu_type == NodeType::kNoGpu ? "" : fleet.gpu_types[kind.gpu_type].name;
  for (std::uint32_t node = site.begin; all == 0 && node < site.end; ++node) {
    const Zone& zone = fleet.zones[fleet.zone_of_node[node]];
    const bool alike = !zone.by_chip ||
                       std::find(zone.gpu_types.begin(), zone.gpu_types.end(), chip) != zone.gpu_types.end();
    if (!alike || !zone.covered_by.empty()) continue;
    add(fleet.zone_of_node[node]);
    all = 1;
  }
  if (parts.empty())
    return fail(fmt::format(
        "no {} stands there yet, and the rules tell kinds of GPUs apart or set some of them aside: what may "
        "run "
        "on them is not known before the fleet's file has them; choose a site that has such nodes",
        kind.name));
  std::vector<std::uint8_t> zones;
  std::uint64_t before = 0;
  for (const Part& part : parts) {
    before += part.nodes;
    zones.resize(count * before / all, part.zone);
  }
  return zones;
}

}  // namespace

Result<Fleet> grow_fleet(const Fleet& fleet, const MoreNodes& more) {
  const auto type = std::find_if(fleet.node_types.begin(), fleet.node_types.end(),
                                 [&](const NodeType& each) { return each.name == more.type; });
  if (type == fleet.node_types.end()) {
    std::vector<std::string> names;
    for (const NodeType& each : fleet.node_types) names.push_back(each.name);
    return fail(fmt::format("there is no node type {}; there are: {}", more.type, fmt::join(names, ", ")));
  }
  if (more.count == 0 || more.count > kMostNodes - std::min(kMostNodes, fleet.nodes()))
    return fail(fmt::format("{} nodes cannot be added; a fleet has at most {}", more.count, kMostNodes));
  const Result<Range> site = range_of(fleet, more.site);
  if (!site) return std::unexpected(site.error());

  const auto type_index = static_cast<std::uint16_t>(type - fleet.node_types.begin());
  std::uint32_t like_node = site->begin;
  for (std::uint32_t node = fleet.nodes(); node-- > 0;) {
    if (fleet.node_type_of[node] == type_index) like_node = node;
  }
  Fleet grown = fleet;
  std::set<std::string> taken;
  grown.node_names.clear();
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) {
    grown.node_names.push_back(fleet.node_name(NodeId{node}));
    taken.insert(grown.node_names.back());
  }
  std::vector<std::string> names;
  for (std::uint32_t number = 1; names.size() < more.count; ++number) {
    std::string name = fmt::format("new-{}-{}", more.type, number);
    if (taken.insert(name).second) names.push_back(std::move(name));
  }
  grown.node_names.insert(grown.node_names.begin() + site->end, names.begin(), names.end());
  grown.node_type_of.insert(grown.node_type_of.begin() + site->end, more.count, type_index);
  if (!fleet.zone_of_node.empty()) {
    const Result<std::vector<std::uint8_t>> zones = zones_of_new(fleet, *site, type_index, more.count);
    if (!zones) return std::unexpected(zones.error());
    grown.zone_of_node.insert(grown.zone_of_node.begin() + site->end, zones->begin(), zones->end());
  }

  std::uint32_t size_below = 1;
  for (std::size_t level = 0; level < grown.fabric.size(); ++level) {
    const std::uint32_t last = grown.fabric[level].vertex_of(NodeId{site->end - 1});
    const std::vector<std::uint32_t> like =
        grow(grown.fabric[level], *site, more.count, like_node, size_below);
    if (level >= grown.uplink_gbit_s.size()) continue;
    std::vector<double> links;
    for (const std::uint32_t vertex : like) links.push_back(fleet.uplink_gbit_s[level][vertex]);
    grown.uplink_gbit_s[level].insert(grown.uplink_gbit_s[level].begin() + last + 1, links.begin(),
                                      links.end());
  }
  size_below = 1;
  for (FeedLevel& feed : grown.feed) {
    const std::uint32_t last = feed.partition.vertex_of(NodeId{site->end - 1});
    const std::vector<std::uint32_t> like = grow(feed.partition, *site, more.count, like_node, size_below);
    feed.capacity.insert(feed.capacity.begin() + last + 1, like.size(), Milliwatts{});
    if (feed.names.empty()) continue;
    std::vector<std::string> called;
    for (std::size_t index = 0; index < like.size(); ++index)
      called.push_back(fmt::format("new-{}-{}", feed.partition.level, index + 1));
    feed.names.insert(feed.names.begin() + last + 1, called.begin(), called.end());
  }
  if (const std::string problem = check_fleet(grown); !problem.empty())
    return fail(fmt::format("the fleet cannot be grown like that: {}", problem));
  return grown;
}

}  // namespace gw::twin
