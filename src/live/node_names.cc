// One walk over the names of nodes for each name: parts are what stands before a slash of them.
#include "live/node_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "spec/near_miss.h"

namespace gw::live {
namespace {

/// Names compared with one that is not known.
constexpr std::size_t kMostCompared = 10'000;
/// Of those that a name could stand for, so many are said.
constexpr std::size_t kMostSaid = 3;

/// Where `part` stands in `path` as one or more whole names between slashes, from `from` on; npos: nowhere.
std::size_t find_names(std::string_view path, std::string_view part, std::size_t from = 0) {
  for (std::size_t at = path.find(part, from); at != path.npos; at = path.find(part, at + 1)) {
    const std::size_t end = at + part.size();
    if ((at == 0 || path[at - 1] == '/') && (end == path.size() || path[end] == '/')) return at;
  }
  return path.npos;
}

using Parts = std::map<std::string, std::vector<NodeId>, std::less<>>;

/// All that ends in `name`: nodes and what stands above them; only what is called so in full, if that is
/// there.
Parts parts_called(const Book& book, std::string_view name) {
  Parts parts;
  if (name.empty()) return parts;
  bool whole = false;
  for (std::uint32_t node = 0; node < book.fleet.nodes(); ++node) {
    const std::string& path = book.node_name(NodeId{node});
    for (std::size_t at = find_names(path, name); at != path.npos; at = find_names(path, name, at + 1)) {
      if (at == 0 && !whole) parts.clear(), whole = true;
      if (at == 0 || !whole) parts[path.substr(0, at + name.size())].emplace_back(node);
    }
  }
  if (!parts.empty()) return parts;
  // Nodes may have names of their own in a fleet that has feeds.
  if (const std::optional<Fleet::FeedAt> feed = book.fleet.find_feed(name)) {
    const Partition& partition = book.fleet.feed[feed->level].partition;
    std::vector<NodeId>& nodes = parts[book.fleet.feed_name(feed->level, feed->vertex)];
    for (std::uint32_t node = partition.begin(feed->vertex); node < partition.end(feed->vertex); ++node)
      nodes.emplace_back(node);
  }
  return parts;
}

/// The names that stand next below a part, or, of the empty one, anywhere in the names of nodes; in the
/// fleet's order.
std::vector<std::string> names_below(const Book& book, std::string_view part) {
  std::vector<std::string> names;
  std::set<std::string, std::less<>> known;
  const auto add = [&](std::string_view name) {
    if (known.emplace(name).second) names.emplace_back(name);
  };
  for (std::uint32_t node = 0; node < book.fleet.nodes() && names.size() < kMostCompared; ++node) {
    std::string_view path = book.node_name(NodeId{node});
    if (!part.empty()) {
      if (!path.starts_with(part) || path.size() <= part.size() || path[part.size()] != '/') continue;
      path.remove_prefix(part.size() + 1);
      add(path.substr(0, path.find('/')));
      continue;
    }
    for (std::size_t at = 0; at <= path.size();) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      add(path.substr(at, end - at));
      at = end + 1;
    }
  }
  return names;
}

std::string without_digits(std::string_view name) {
  std::string rest(name);
  std::erase_if(rest, [](char each) { return each >= '0' && each <= '9'; });
  return rest;
}

/// `; did you mean munich/hall-2?`, or what there is where the name goes wrong.
std::string hint(const Book& book, std::string_view name) {
  // The longest beginning that is known, and the first name after it, which is not.
  std::string known;
  std::string_view rest = name;
  for (std::size_t slash = name.rfind('/'); slash != name.npos && slash > 0;
       slash = name.rfind('/', slash - 1)) {
    const Parts parts = parts_called(book, name.substr(0, slash));
    if (parts.size() != 1) continue;
    known = parts.begin()->first;
    rest = name.substr(slash + 1);
    break;
  }
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view wrong = rest.substr(0, end);
  const std::vector<std::string> names = names_below(book, known);
  const std::vector<std::string_view> views(names.begin(), names.end());
  const std::optional<std::size_t> nearest = spec::nearest_name(wrong, views);
  // Which of ten rows was meant by an eleventh nobody knows: there it is said which there are.
  if (nearest && without_digits(names[*nearest]) != without_digits(wrong)) {
    const std::string meant =
        (known.empty() ? "" : known + "/") + names[*nearest] + std::string(rest.substr(end));
    if (!parts_called(book, meant).empty()) return fmt::format("; did you mean {}?", meant);
  }
  if (known.empty() || names.empty()) return "; gw nodes lists them";
  if (names.size() == 1) return fmt::format("; {} holds {}", known, names.front());
  return fmt::format("; {} holds {} {} {}", known, names.front(), names.size() > 2 ? "to" : "and",
                     names.back());
}

}  // namespace

std::expected<NamedNodes, Refusal> nodes_named(const Book& book, std::string_view name) {
  if (const NodeId node = book.node(name); node.valid()) return NamedNodes{std::string(name), {node}};
  while (name.ends_with('/')) name.remove_suffix(1);
  const auto refuse = [](std::string message) {
    return std::unexpected(Refusal{404, "unknown_node", std::move(message)});
  };
  Parts parts = parts_called(book, name);
  if (parts.size() == 1) return NamedNodes{parts.begin()->first, std::move(parts.begin()->second)};
  if (parts.empty())
    return refuse(
        fmt::format("there is no node {}, nor a part of the factory called so{}", name, hint(book, name)));
  std::string said;
  std::size_t count = 0;
  for (const auto& [path, nodes] : parts) {
    if (count++ == kMostSaid) break;
    said += (said.empty() ? "" : ", ") + path;
  }
  return refuse(
      fmt::format("{} is called so more than once: {}{}; write more of its name", name, said,
                  parts.size() > kMostSaid ? fmt::format(" and {} more", parts.size() - kMostSaid) : ""));
}

}  // namespace gw::live
