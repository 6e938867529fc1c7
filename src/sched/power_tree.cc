// The sums over the feed tree, and which node goes dark or is lit next.
#include "sched/power_tree.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace gw::sched {
namespace {

__extension__ typedef __int128 Int128;

}  // namespace

PowerTree::PowerTree(const Fleet& fleet) : type_of_(fleet.node_type_of) {
  const bool powered = std::any_of(fleet.node_types.begin(), fleet.node_types.end(),
                                   [](const NodeType& type) { return type.power_max.count() > 0; });
  if (fleet.feed.empty() || !powered) return;
  for (const NodeType& type : fleet.node_types) {
    const std::int64_t idle = std::min(type.power_idle, type.power_max).count();
    types_.push_back({idle, type.power_max.count() - idle, type.gpus, type.cpu_milli});
  }
  const std::uint32_t nodes = fleet.nodes();
  load_.assign(nodes, 0);
  floor_.assign(nodes, 0);
  claim_.assign(nodes, 0);
  leaving_.assign(nodes, 0);
  flags_.assign(nodes, kUp | kRoom | kWhole);
  leaf_.resize(nodes);
  whole_ = Bitmap(nodes);
  part_ = Bitmap(nodes);
  whole_.set_range(0, nodes);
  for (std::size_t index = 0; index < fleet.feed.size(); ++index) {
    const FeedLevel& feed = fleet.feed[index];
    Level& level = levels_.emplace_back();
    const std::uint32_t count = feed.partition.vertices();
    level.first = feed.partition.first;
    for (const Milliwatts cap : feed.capacity) level.cap.push_back(cap.count());
    level.built_cap = level.cap;
    level.draw.assign(count, 0);
    level.reach.assign(count, 0);
    level.promised.assign(count, 0);
    level.worst.assign(count, 0);
    level.least.assign(count, kUnlimited);
    level.candidates.assign(count, 0);
    level.slowed.assign(count, 0);
    level.marks.assign(count, 0);
    level.lightable = Bitmap(count);
    for (std::uint32_t vertex = 0; vertex < count; ++vertex) {
      for (std::uint32_t node = level.first[vertex]; node < level.first[vertex + 1]; ++node) {
        if (index == 0) leaf_[node] = vertex;
        level.draw[vertex] += draw_of(node);
        level.reach[vertex] += reach_of(node);
        level.worst[vertex] += types_[type_of_[node]].idle + range(node);
        level.least[vertex] = std::min(level.least[vertex], range(node));
      }
      if (index + 1 < fleet.feed.size())
        level.parent.push_back(fleet.feed[index + 1].partition.vertex_of(NodeId{level.first[vertex]}));
    }
  }
  for (std::uint32_t level = 0; level < levels(); ++level) {
    for (std::uint32_t vertex = 0; vertex < vertices(level); ++vertex) {
      count_limited({level, vertex});
      settle({level, vertex});
    }
  }
}

void PowerTree::count_limited(FeedId feed) {
  Level& level = levels_[feed.level];
  std::uint8_t& marks = level.marks[feed.vertex];
  const bool now = level.worst[feed.vertex] > limit(feed);
  if (now == ((marks & kLimited) != 0)) return;
  marks ^= kLimited;
  limited_feeds_ = now ? limited_feeds_ + 1 : limited_feeds_ - 1;
}

void PowerTree::set_cap(FeedId feed, Milliwatts cap) {
  GW_CHECK(feed.level < levels() && feed.vertex < vertices(feed.level) && cap.count() >= 0);
  levels_[feed.level].cap[feed.vertex] = cap.count();
  count_limited(feed);
  // Its bit may change, and with it those above.
  for (FeedId at = feed;;) {
    settle(at);
    if (at.level + 1 == levels()) break;
    at = {at.level + 1, parent(at)};
  }
}

std::int64_t PowerTree::increment(std::uint32_t node, const JobRequest& request, std::uint32_t gpus,
                                  std::uint32_t clock) const {
  const Type& type = types_[type_of_[node]];
  const Shape& shape = request.shape;
  std::int64_t part = 1;
  std::int64_t of = 1;
  if (gpus > 0) {
    part = shape.gpu_milli != 0 ? shape.gpu_milli : std::int64_t{1000} * gpus;
    of = 1000 * type.gpus;
  } else if (type.cpu_milli > 0 && shape.cpu_milli > 0) {
    part = std::min(shape.cpu_milli, type.cpu_milli);
    of = type.cpu_milli;
  }
  if (request.power_permille == kFull && clock == kFull) {
    // A node's range is at most 10 MW, its parts at most 2^40.
    if (part == of) return type.range;
    if (gpus > 0) return (type.range * part + (of - 1)) / of;
  }
  const Int128 whole = Int128{of} * kFull * kFull;
  return static_cast<std::int64_t>(
      (Int128{type.range} * part * request.power_permille * clock + (whole - 1)) / whole);
}

std::int64_t PowerTree::draw_of(std::uint32_t node) const {
  const Type& type = types_[type_of_[node]];
  return (flags_[node] & kUp) == 0 ? 0 : type.idle + std::min(type.range, load_[node]);
}

std::int64_t PowerTree::reach_of(std::uint32_t node) const {
  const Type& type = types_[type_of_[node]];
  if (takes_work(node)) return type.idle + type.range;
  if ((flags_[node] & kUp) == 0) return 0;
  const std::int64_t claimed = load_[node] - leaving_[node] + claim_[node];
  return type.idle + std::min(type.range, std::max({load_[node], floor_[node], claimed}));
}

std::int64_t PowerTree::promised_of(std::uint32_t node) const {
  if (claim_[node] == 0 || (flags_[node] & kUp) == 0) return 0;
  const std::int64_t claimed =
      types_[type_of_[node]].idle + std::min(range(node), load_[node] - leaving_[node] + claim_[node]);
  return std::max<std::int64_t>(0, claimed - draw_of(node));
}

void PowerTree::list(std::uint32_t node) {
  const bool takes = takes_work(node);
  const bool whole = (flags_[node] & kWhole) != 0;
  takes&& whole ? whole_.set(node) : whole_.clear(node);
  takes && !whole ? part_.set(node) : part_.clear(node);
}

template <class Change>
void PowerTree::alter(std::uint32_t node, Change&& change) {
  const Shift before{draw_of(node), reach_of(node), promised_of(node), lights_up(node), 0};
  const bool took = takes_work(node);
  change();
  list(node);
  const Shift by{draw_of(node) - before.draw, reach_of(node) - before.reach,
                 promised_of(node) - before.promised, std::int64_t{lights_up(node)} - before.dark, 0};
  if (by.draw != 0 || by.reach != 0 || by.promised != 0 || by.dark != 0 || takes_work(node) != took)
    shift(leaf_[node], by);
}

/// Adds to a vertex of the lowest level and to all above it.
void PowerTree::shift(std::uint32_t leaf, const Shift& by) {
  std::uint32_t vertex = leaf;
  for (std::uint32_t at = 0; at < levels(); ++at) {
    Level& level = levels_[at];
    level.draw[vertex] += by.draw;
    level.reach[vertex] += by.reach;
    level.promised[vertex] += by.promised;
    level.slowed[vertex] = static_cast<std::uint32_t>(level.slowed[vertex] + by.slowed);
    if (at == 0) level.candidates[vertex] = static_cast<std::uint32_t>(level.candidates[vertex] + by.dark);
    settle({at, vertex});
    if (at + 1 < levels()) vertex = level.parent[vertex];
  }
}

/// Brings what is derived from a vertex's sums up to date.
void PowerTree::settle(FeedId feed) {
  Level& level = levels_[feed.level];
  std::uint8_t& marks = level.marks[feed.vertex];
  if ((marks & kTouched) == 0) {
    marks |= kTouched;
    touched_.push_back(feed);
  }
  const std::int64_t most = limit(feed);
  const std::int64_t reach = level.reach[feed.vertex];
  if (reach > most && (marks & kOverReach) == 0) {
    marks |= kOverReach;
    over_reach_.push_back(feed);
  }
  if (level.draw[feed.vertex] > most && (marks & kOverDraw) == 0) {
    marks |= kOverDraw;
    over_draw_.push_back(feed);
  }
  const bool lightable = level.candidates[feed.vertex] > 0 && level.slowed[feed.vertex] == 0 &&
                         most - reach >= level.least[feed.vertex];
  if (lightable == level.lightable.test(feed.vertex)) return;
  lightable ? level.lightable.set(feed.vertex) : level.lightable.clear(feed.vertex);
  if (feed.level + 1 == levels()) return;
  const std::uint32_t above = level.parent[feed.vertex];
  levels_[feed.level + 1].candidates[above] += lightable ? 1U : ~0U;
}

void PowerTree::add_load(std::uint32_t first, std::uint32_t last, std::int64_t load, int slowed) {
  for (std::uint32_t at = first; at < last;) {
    const std::uint32_t leaf = leaf_[at];
    const std::uint32_t end = std::min(last, levels_[0].first[leaf + 1]);
    Shift by;
    for (; at < end; ++at) {
      by.draw -= draw_of(at);
      by.reach -= reach_of(at);
      by.promised -= promised_of(at);
      load_[at] += load;
      GW_CHECK(load_[at] >= 0);
      by.draw += draw_of(at);
      by.reach += reach_of(at);
      by.promised += promised_of(at);
      by.slowed += slowed;
    }
    shift(leaf, by);
  }
}

void PowerTree::set_room(std::uint32_t node, bool room, bool whole) {
  const auto flags = static_cast<std::uint8_t>((room ? kRoom : 0) | (whole ? kWhole : 0));
  if ((flags_[node] & (kRoom | kWhole)) == flags) return;
  alter(node, [&] { flags_[node] = static_cast<std::uint8_t>((flags_[node] & ~(kRoom | kWhole)) | flags); });
}

void PowerTree::set_up(std::uint32_t node, bool up) {
  alter(node, [&] { flags_[node] = static_cast<std::uint8_t>((flags_[node] & ~kUp) | (up ? kUp : 0)); });
}

void PowerTree::set_closed(std::uint32_t node, bool closed) {
  alter(node, [&] {
    flags_[node] = static_cast<std::uint8_t>((flags_[node] & ~kClosed) | (closed ? kClosed : 0));
  });
}

void PowerTree::set_dark(std::uint32_t node, bool dark) {
  alter(node,
        [&] { flags_[node] = static_cast<std::uint8_t>((flags_[node] & ~kDark) | (dark ? kDark : 0)); });
}

void PowerTree::set_floor(std::uint32_t node, std::int64_t load) {
  alter(node, [&] { floor_[node] = load; });
}

void PowerTree::set_claim(std::uint32_t node, std::int64_t load) {
  alter(node, [&] { claim_[node] = load; });
}

void PowerTree::end_claim(std::uint32_t node) {
  alter(node, [&] { claim_[node] = leaving_[node] = 0; });
}

void PowerTree::add_leaving(std::uint32_t node, std::int64_t load) {
  alter(node, [&] { leaving_[node] += load; });
}

std::vector<FeedId> PowerTree::take_over_reach() {
  std::vector<FeedId> taken;
  taken.swap(over_reach_);
  for (const FeedId feed : taken)
    levels_[feed.level].marks[feed.vertex] &= static_cast<std::uint8_t>(~kOverReach);
  std::sort(taken.begin(), taken.end());
  return taken;
}

std::vector<FeedId> PowerTree::take_over_draw() {
  std::vector<FeedId> taken;
  taken.swap(over_draw_);
  for (const FeedId feed : taken)
    levels_[feed.level].marks[feed.vertex] &= static_cast<std::uint8_t>(~kOverDraw);
  std::sort(taken.begin(), taken.end());
  return taken;
}

void PowerTree::forget_touched() {
  for (const FeedId feed : touched_)
    levels_[feed.level].marks[feed.vertex] &= static_cast<std::uint8_t>(~kTouched);
  touched_.clear();
}

std::uint32_t PowerTree::last_in(const Bitmap& nodes, FeedId feed) const {
  const std::uint32_t node = nodes.previous(end(feed) - 1);
  return node != Bitmap::kNone && node >= begin(feed) ? node : Bitmap::kNone;
}

std::uint32_t PowerTree::before(const Bitmap& nodes, FeedId feed, std::uint32_t node) const {
  if (node == begin(feed)) return Bitmap::kNone;
  const std::uint32_t next = nodes.previous(node - 1);
  return next != Bitmap::kNone && next >= begin(feed) ? next : Bitmap::kNone;
}

bool PowerTree::has_power_for(std::uint32_t node) const {
  const std::int64_t more = types_[type_of_[node]].idle + range(node) - reach_of(node);
  std::uint32_t vertex = leaf_[node];
  for (std::uint32_t at = 0; at < levels(); ++at) {
    const FeedId feed{at, vertex};
    if (levels_[at].reach[vertex] + more > limit(feed)) return false;
    if (at + 1 < levels()) vertex = levels_[at].parent[vertex];
  }
  return true;
}

std::uint32_t PowerTree::next_to_light() const {
  constexpr int kMostProbes = 64;  // Only where nodes of unlike power share a feed does more than one fail.
  int probes = 0;
  // A walk down the marked vertices, in the order of nodes.
  const std::uint32_t top = levels() - 1;
  std::uint32_t from = 0;
  while (from < type_of_.size() && probes < kMostProbes) {
    // The first leaf at or after `from` whose feeds are all marked.
    std::uint32_t node = from;
    std::uint32_t leaf = Bitmap::kNone;
    for (std::uint32_t at = top;;) {
      const Level& level = levels_[at];
      const auto vertex = static_cast<std::uint32_t>(
          std::upper_bound(level.first.begin(), level.first.end(), node) - level.first.begin() - 1);
      const std::uint32_t next = level.lightable.next(vertex);
      if (next == Bitmap::kNone) return Bitmap::kNone;
      if (next != vertex) {
        node = level.first[next];
        if (at != top) {  // Perhaps below another vertex above, which is not marked: from the top again.
          at = top;
          if (++probes == kMostProbes) return Bitmap::kNone;
          continue;
        }
      }
      if (at == 0) {
        leaf = next;
        break;
      }
      --at;
    }
    const std::uint32_t end = levels_[0].first[leaf + 1];
    for (; node < end; ++node) {
      if (lights_up(node) && has_power_for(node)) return node;
    }
    from = end;
    ++probes;
  }
  return Bitmap::kNone;
}

std::vector<std::uint32_t> PowerTree::dark_nodes() const {
  std::vector<std::uint32_t> dark;
  for (std::uint32_t node = 0; node < nodes(); ++node) {
    if (is_dark(node)) dark.push_back(node);
  }
  return dark;
}

std::string PowerTree::check() const {
  for (std::uint32_t at = 0; at < levels(); ++at) {
    for (std::uint32_t vertex = 0; vertex < vertices(at); ++vertex) {
      const FeedId feed{at, vertex};
      std::int64_t draw = 0;
      std::int64_t reach = 0;
      std::int64_t promised = 0;
      std::uint32_t candidates = 0;
      for (std::uint32_t node = begin(feed); node < end(feed); ++node) {
        draw += draw_of(node);
        reach += reach_of(node);
        promised += promised_of(node);
        if (at == 0) candidates += lights_up(node);
        const bool takes = takes_work(node);
        const bool whole = (flags_[node] & kWhole) != 0;
        if (whole_.test(node) != (takes && whole) || part_.test(node) != (takes && !whole))
          return fmt::format("node {} is in the wrong list of lit nodes", node);
      }
      for (std::uint32_t below = 0; at > 0 && below < vertices(at - 1); ++below)
        candidates += parent({at - 1, below}) == vertex && levels_[at - 1].lightable.test(below);
      const Level& level = levels_[at];
      if (promised != level.promised[vertex])
        return fmt::format("feed {} of level {} promises {}, counted {}", vertex, at, promised,
                           level.promised[vertex]);
      if (draw != level.draw[vertex] || reach != level.reach[vertex] ||
          candidates != level.candidates[vertex])
        return fmt::format("feed {} of level {}: draws {}, reaches {}, {} candidates; counted {}, {}, {}",
                           vertex, at, draw, reach, candidates, level.draw[vertex], level.reach[vertex],
                           level.candidates[vertex]);
    }
  }
  return {};
}

}  // namespace gw::sched
