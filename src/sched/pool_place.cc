// The search for a place: smallest fabric span first, then the tightest fit, ties to the smallest id.
#include <algorithm>
#include <span>

#include "base/check.h"
#include "sched/pool.h"

namespace gw::sched {
namespace {

std::uint64_t lowest_bits(std::uint64_t mask, std::uint32_t count) {
  std::uint64_t taken = 0;
  for (; count > 0; --count) {
    const std::uint64_t lowest = mask & (~mask + 1);
    taken |= lowest;
    mask ^= lowest;
  }
  return taken;
}

}  // namespace

/// One search. `filter_` is set where CPU or memory could bind, so that each candidate node must be looked
/// at.
class Pool::Finder {
 public:
  Finder(const Pool& pool, const Shape& shape, View view, PlacementKind kind)
      : pool_(pool), index_(pool.index(view)), shape_(shape), view_(view), kind_(kind) {
    filter_ = pool.wishes_side(shape) && (pool.tight_nodes_ > 0 || !pool.within_share(shape));
    last_level_ = static_cast<std::uint32_t>(pool.fabric_->levels.size()) - 1;
    if (shape.level_required && shape.level != Shape::kAnyLevel) {
      while (last_level_ > 0 && pool.fabric_->levels[last_level_].fabric_level > shape.level) --last_level_;
    }
  }

  std::optional<Placement> find() {
    bool found = false;
    if (shape_.gpu_milli != 0) {
      found = find_fraction();
    } else if (shape_.gpus == 0) {
      found = find_without_gpus();
    } else if (shape_.nodes == 1 || (shape_.nodes == 0 && shape_.gpus <= gpus())) {
      found =
          find_single(shape_.gpus) || (shape_.nodes == 0 && shape_.gpus > 1 && find_anywhere(shape_.gpus));
    } else if (shape_.nodes == 0) {
      found = gpus() == 1 ? find_gang(shape_.gpus, 1) : find_anywhere(shape_.gpus);
    } else {
      found = find_gang(shape_.nodes, shape_.gpus);
    }
    if (!found) return std::nullopt;
    pool_.settle(placement_);
    return std::move(placement_);
  }

  /// `need` nodes of a gang inside a vertex that has so many, from as few of its children as can be.
  std::vector<Piece> inside_vertex(std::uint32_t level, std::uint32_t vertex, std::uint32_t need) {
    GW_CHECK(fill(level, vertex, need, shape_.gpus) == 0);
    return std::move(placement_.pieces);
  }

 private:
  [[nodiscard]] std::uint32_t gpus() const { return pool_.fabric_->gpus; }

  [[nodiscard]] bool accepts(std::uint32_t node, std::uint32_t used) const {
    return !filter_ || pool_.side_fits(shape_, used, node);
  }

  /// The first acceptable node in [from, end) with exactly `free` free GPUs, or kNone.
  [[nodiscard]] std::uint32_t next_node(std::uint32_t free, std::uint32_t from, std::uint32_t end,
                                        std::uint32_t used) const {
    std::uint32_t node = index_.next_exact(free, from);
    while (node < end && !accepts(node, used)) node = index_.next_exact(free, node + 1);
    return node < end ? node : Bitmap::kNone;
  }

  void add(std::uint32_t node, std::uint32_t used) {
    placement_.pieces.push_back(Piece{node, 1, used == 0 ? 0 : lowest_bits(pool_.free_mask(node), used)});
  }

  bool find_single(std::uint32_t used) {
    if (used > gpus()) return false;
    std::uint32_t best = Bitmap::kNone;
    if (kind_ == PlacementKind::kFirstFit) {
      for (std::uint32_t free = used; free <= gpus(); ++free)
        best = std::min(best, next_node(free, 0, pool_.fabric_->nodes, used));
    } else {
      for (std::uint32_t free = used; free < gpus() && best == Bitmap::kNone; ++free)
        best = next_node(free, 0, pool_.fabric_->nodes, used);
      if (best == Bitmap::kNone) best = untouched_node(used);
    }
    if (best == Bitmap::kNone) return false;
    add(best, used);
    return true;
  }

  /// A wholly free node, from the smallest domain's tightest vertex so that whole domains stay whole.
  [[nodiscard]] std::uint32_t untouched_node(std::uint32_t used) const {
    const std::vector<PoolFabric::Level>& levels = pool_.fabric_->levels;
    for (std::uint32_t v = index_.tightest(0, gpus(), 1); v != Bitmap::kNone;
         v = index_.tightest(0, gpus(), 1, v)) {
      const std::uint32_t node = next_node(gpus(), levels[0].first[v], levels[0].first[v + 1], used);
      if (node != Bitmap::kNone) return node;
    }
    return Bitmap::kNone;
  }

  bool find_fraction() {
    const std::set<Partial>& partials = view_ == View::kOpen ? pool_.open_partials_ : pool_.held_partials_;
    for (auto at = partials.lower_bound(Partial{shape_.gpu_milli, 0, 0}); at != partials.end(); ++at) {
      if (!accepts(at->node, 1)) continue;
      placement_.pieces.push_back(Piece{at->node, 1, std::uint64_t{1} << at->gpu});
      return true;
    }
    return find_single(1);
  }

  /// CPU and memory only: in the smallest span, the nodes with the fewest free GPUs, so that whole nodes stay
  /// whole. Linear in the pool.
  bool find_without_gpus() {
    const std::uint32_t need = std::max(shape_.nodes, 1U);
    const bool any_will_do = need == 1 ? gpus() == 0 : last_level_ + 1 == pool_.fabric_->levels.size();
    std::vector<std::uint64_t> candidates;  // Free GPUs in the high half, node in the low: sorts as wanted.
    for (std::uint32_t node = 0; node < pool_.fabric_->nodes; ++node) {
      if (!pool_.takes_work(node) || bit(pool_.held_, node) != (view_ == View::kHeld)) continue;
      if (pool_.power_limited_ && !pool_.has_room(node)) continue;
      if (!pool_.side_fits(shape_, 0, node)) continue;
      candidates.push_back(std::uint64_t{pool_.free_count(node)} << 32 | node);
      if (candidates.size() == need && any_will_do && (need == 1 || kind_ == PlacementKind::kFirstFit)) break;
    }
    if (candidates.size() < need) return false;
    auto begin = candidates.begin();
    auto end = candidates.end();
    if (need > 1 && !tightest_run(candidates, need, begin, end)) return false;
    std::nth_element(begin, begin + (need - 1), end);
    for (auto at = begin; at != begin + need; ++at) add(static_cast<std::uint32_t>(*at), 0);
    return true;
  }

  /// Of candidates in the order of nodes: those inside the tightest vertex with `need` of them, on the
  /// smallest level that has one.
  bool tightest_run(std::vector<std::uint64_t>& candidates, std::uint32_t need,
                    std::vector<std::uint64_t>::iterator& begin, std::vector<std::uint64_t>::iterator& end) {
    const std::uint32_t first_level = kind_ == PlacementKind::kFirstFit ? last_level_ : 0;
    for (std::uint32_t level = first_level; level <= last_level_; ++level) {
      const std::vector<std::uint32_t>& bounds = pool_.fabric_->levels[level].first;
      std::ptrdiff_t best = 0;
      std::uint32_t vertex = 0;
      for (auto at = candidates.begin(); at != candidates.end();) {
        while (bounds[vertex + 1] <= static_cast<std::uint32_t>(*at)) ++vertex;
        auto stop = at;
        while (stop != candidates.end() && static_cast<std::uint32_t>(*stop) < bounds[vertex + 1]) ++stop;
        if (stop - at >= std::ptrdiff_t{need} && (best == 0 || stop - at < best)) {
          best = stop - at;
          begin = at;
          end = stop;
        }
        at = stop;
      }
      if (best != 0) return true;
    }
    return false;
  }

  bool find_gang(std::uint32_t need, std::uint32_t used) {
    if (used > gpus() || index_.total(used) < need) return false;
    const std::uint32_t first_level = kind_ == PlacementKind::kFirstFit ? last_level_ : 0;
    for (std::uint32_t level = first_level; level <= last_level_; ++level) {
      for (std::uint32_t v = index_.tightest(level, used, need); v != Bitmap::kNone;
           v = index_.tightest(level, used, need, v)) {
        placement_.pieces.clear();
        if (fill(level, v, need, used) == 0) return true;
        if (!filter_) GW_CHECK(false);  // The count promised enough.
      }
    }
    placement_.pieces.clear();
    return false;
  }

  [[nodiscard]] std::uint32_t inside(std::uint32_t level, std::uint32_t vertex, std::uint32_t used) const {
    return level + 1 == pool_.fabric_->levels.size() ? static_cast<std::uint32_t>(index_.total(used))
                                                     : index_.count(level, vertex, used);
  }

  /// Takes `need` nodes inside a vertex, from as few of its children as can be; gives what is still missing.
  std::uint32_t fill(std::uint32_t level, std::uint32_t vertex, std::uint32_t need, std::uint32_t used) {
    const PoolFabric::Level& shape = pool_.fabric_->levels[level];
    const std::uint32_t begin = shape.first[vertex];
    const std::uint32_t end = shape.first[vertex + 1];
    if (level == 0 || kind_ == PlacementKind::kFirstFit || inside(level, vertex, used) <= need)
      return fill_nodes(begin, end, need, used);
    std::vector<std::pair<std::uint32_t, std::uint32_t>>
        children;  // (capacity, child), largest capacity first.
    if (level + 1 == pool_.fabric_->levels.size()) {
      std::uint32_t covered = 0;
      for (std::uint32_t child = index_.fullest_capacity(level - 1, used); child != Bitmap::kNone;
           child = index_.fullest_capacity(level - 1, used, child)) {
        children.emplace_back(index_.count(level - 1, child, used), child);
        covered += children.back().first;
        if (covered >= need && !filter_) break;
      }
    } else {
      for (std::uint32_t child = shape.first_child[vertex]; child < shape.first_child[vertex + 1]; ++child) {
        const std::uint32_t capacity = index_.count(level - 1, child, used);
        if (capacity > 0) children.emplace_back(capacity, child);
      }
      std::stable_sort(children.begin(), children.end(),
                       [](const auto& a, const auto& b) { return a.first > b.first; });
    }
    std::size_t at = 0;
    for (; at < children.size() && children[at].first <= need && need > 0; ++at)
      need = fill_from(level - 1, children[at].second, need, used);
    if (need == 0 || at == children.size()) return need;
    // The rest fits into one more child: the tightest that holds it.
    std::uint32_t tight = Bitmap::kNone;
    if (level + 1 == pool_.fabric_->levels.size()) {
      for (tight = index_.tightest(level - 1, used, need); tight != Bitmap::kNone;
           tight = index_.tightest(level - 1, used, need, tight)) {
        const auto is_tight = [&](const auto& child) { return child.second == tight; };
        if (std::none_of(children.begin(), children.begin() + static_cast<std::ptrdiff_t>(at), is_tight))
          break;
      }
    } else {
      for (std::size_t index = at; index < children.size(); ++index) {
        if (children[index].first < need) break;
        if (tight == Bitmap::kNone || children[index].first < index_.count(level - 1, tight, used))
          tight = children[index].second;
      }
    }
    if (tight != Bitmap::kNone) need = fill_from(level - 1, tight, need, used);
    for (; need > 0 && at < children.size(); ++at) {  // With a filter the counts promise too much.
      if (children[at].second != tight) need = fill_from(level - 1, children[at].second, need, used);
    }
    return need;
  }

  std::uint32_t fill_from(std::uint32_t level, std::uint32_t vertex, std::uint32_t need, std::uint32_t used) {
    return fill(level, vertex, need, used);
  }

  /// Takes nodes of [begin, end), the tightest first; gives what is still missing.
  std::uint32_t fill_nodes(std::uint32_t begin, std::uint32_t end, std::uint32_t need, std::uint32_t used) {
    if (kind_ == PlacementKind::kFirstFit && used < gpus()) {
      for (std::uint32_t at = begin; need > 0;) {
        std::uint32_t node = Bitmap::kNone;
        for (std::uint32_t free = used; free <= gpus(); ++free)
          node = std::min(node, next_node(free, at, end, used));
        if (node == Bitmap::kNone) return need;
        add(node, used);
        --need;
        at = node + 1;
      }
      return 0;
    }
    for (std::uint32_t free = used; free <= gpus() && need > 0; ++free) {
      if (!filter_ && free == gpus()) return take_runs(begin, end, need, used);
      for (std::uint32_t node = next_node(free, begin, end, used); node != Bitmap::kNone && need > 0;
           node = next_node(free, node + 1, end, used)) {
        add(node, used);
        --need;
      }
    }
    return need;
  }

  /// Takes wholly free nodes of [begin, end) in runs: a word of 64 nodes at a time.
  std::uint32_t take_runs(std::uint32_t begin, std::uint32_t end, std::uint32_t need, std::uint32_t used) {
    const std::span<const std::uint64_t> words = index_.exact(gpus()).words();
    for (std::uint32_t at = index_.next_exact(gpus(), begin); at < end && need > 0;) {
      std::uint32_t stop = at;
      for (;;) {  // Extend the run over word borders.
        const std::uint64_t rest = ~(words[stop / 64] >> (stop % 64));
        const std::uint32_t ones =
            std::min<std::uint32_t>(static_cast<std::uint32_t>(std::countr_zero(rest)), 64 - stop % 64);
        stop += ones;
        if (ones == 0 || stop % 64 != 0 || stop >= end || stop - at >= need) break;
      }
      stop = std::min({stop, end, at + need});
      placement_.pieces.push_back(Piece{at, stop - at, lowest_bits(all_gpus(), used)});
      need -= stop - at;
      if (need > 0) at = index_.next_exact(gpus(), stop);
    }
    return need;
  }

  [[nodiscard]] std::uint64_t all_gpus() const {
    return gpus() == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << gpus()) - 1;
  }

  /// `need` GPUs on whichever nodes: the smallest vertex that holds them, its emptiest nodes first.
  bool find_anywhere(std::uint32_t need) {
    if (index_.total(0) < need) return false;
    for (std::uint32_t level = 0; level <= last_level_; ++level) {
      for (std::uint32_t v = index_.tightest(level, 0, need); v != Bitmap::kNone;
           v = index_.tightest(level, 0, need, v)) {
        placement_.pieces.clear();
        const PoolFabric::Level& shape = pool_.fabric_->levels[level];
        const bool filled = filter_ ? fill_usable(shape.first[v], shape.first[v + 1], need)
                                    : fill_anywhere(shape.first[v], shape.first[v + 1], need);
        if (filled) return true;
      }
    }
    placement_.pieces.clear();
    return false;
  }

  /// The same where CPU or memory may leave a node only some of its free GPUs. Linear in the vertex.
  bool fill_usable(std::uint32_t begin, std::uint32_t end, std::uint32_t need) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> usable;  // (GPUs, node)
    std::uint64_t sum = 0;
    for (std::uint32_t node = begin; node < end; ++node) {
      if (!pool_.takes_work(node) || bit(pool_.held_, node) != (view_ == View::kHeld)) continue;
      std::uint32_t most = std::min(pool_.free_count(node), need);
      while (most > 0 && !pool_.side_fits(shape_, most, node)) --most;
      if (most > 0) usable.emplace_back(most, node);
      sum += most;
    }
    if (sum < need) return false;
    std::stable_sort(usable.begin(), usable.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    for (auto at = usable.begin(); need > 0; ++at) {
      if (at->first < need) {
        add(at->second, at->first);
        need -= at->first;
        continue;
      }
      // The last node: the tightest that holds the rest.
      const auto smaller =
          std::find_if(at, usable.end(), [&](const auto& node) { return node.first < need; });
      const std::uint32_t tight = std::prev(smaller)->first;
      at = std::find_if(at, usable.end(), [&](const auto& node) { return node.first == tight; });
      add(at->second, need);
      return true;
    }
    return true;
  }

  bool fill_anywhere(std::uint32_t begin, std::uint32_t end, std::uint32_t need) {
    for (std::uint32_t free = gpus(); free >= 1 && need > 0; --free) {
      std::uint32_t from = begin;
      while (need > 0) {
        if (need < free) {  // The last node: the tightest that holds the rest.
          std::uint32_t node = Bitmap::kNone;
          std::uint32_t exact = need;
          for (; exact < free && node == Bitmap::kNone; ++exact) node = next_node(exact, begin, end, need);
          if (node == Bitmap::kNone) node = next_node(free, from, end, need);
          if (node != Bitmap::kNone) {
            add(node, need);
            return true;
          }
          break;
        }
        const std::uint32_t node = next_node(free, from, end, free);
        if (node == Bitmap::kNone) break;
        add(node, free);
        need -= free;
        from = node + 1;
      }
    }
    return need == 0;
  }

  const Pool& pool_;
  const CapacityIndex& index_;
  const Shape& shape_;
  View view_;
  PlacementKind kind_;
  bool filter_ = false;
  std::uint32_t last_level_ = 0;
  Placement placement_;
};

void Pool::settle(Placement& placement) const {
  std::vector<Piece>& pieces = placement.pieces;
  if (pieces.size() > 1) {
    if (!std::is_sorted(pieces.begin(), pieces.end(),
                        [](const Piece& a, const Piece& b) { return a.node < b.node; }))
      std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.node < b.node; });
    std::size_t out = 0;
    for (std::size_t at = 1; at < pieces.size(); ++at) {
      Piece& last = pieces[out];
      if (last.gpu_mask == pieces[at].gpu_mask && last.node + last.count == pieces[at].node) {
        last.count += pieces[at].count;
      } else {
        pieces[++out] = pieces[at];
      }
    }
    pieces.resize(out + 1);
  }
  const std::uint32_t first = pieces.front().node;
  const std::uint32_t last = pieces.back().node + pieces.back().count - 1;
  placement.span = 0;
  if (first == last) return;
  std::uint32_t vertex = fabric_->vertex_of[first];
  for (const PoolFabric::Level& level : fabric_->levels) {
    placement.span = static_cast<std::uint8_t>(level.fabric_level + 1);
    if (level.parent.empty() || level.first[vertex + 1] > last) return;
    vertex = level.parent[vertex];
  }
}

bool Pool::wishes_side(const Shape& shape) const {
  return (shape.cpu_milli > 0 && !cpu_free_.empty()) || (shape.memory_mib > 0 && !memory_free_.empty());
}

bool Pool::within_share(const Shape& shape) const {
  const std::int64_t used = shape.nodes == 0 ? 1 : shape.gpus;
  const std::int64_t cpu = shape.nodes == 0 ? cpu_on_node(shape, 1) : shape.cpu_milli;
  const std::int64_t memory = shape.nodes == 0 ? memory_on_node(shape, 1) : shape.memory_mib;
  return shape.gpu_milli == 0 && used > 0 &&
         (cpu_free_.empty() || cpu * gpus_per_node() <= cpu_milli_ * used) &&
         (memory_free_.empty() || memory * gpus_per_node() <= memory_mib_ * used);
}

std::optional<Placement> Pool::place(const Shape& shape, View view, PlacementKind kind) const {
  if (!may_fit(shape, view)) return std::nullopt;
  if (shape.is_grouped()) return place_group(shape, view, kind);
  return Finder(*this, shape, view, kind).find();
}

std::vector<Piece> Pool::inside_vertex(const Shape& shape, View view, PlacementKind kind, std::uint32_t level,
                                       std::uint32_t vertex, std::uint32_t need) const {
  return Finder(*this, shape, view, kind).inside_vertex(level, vertex, need);
}

bool Pool::may_fit(const Shape& shape, View view) const {
  if (shape.gpu_types != 0 && (gpu_type_ == NodeType::kNoGpu || ((shape.gpu_types >> gpu_type_) & 1U) == 0))
    return false;
  if (shape.gpu_milli != 0) {
    const std::set<Partial>& partials = view == View::kOpen ? open_partials_ : held_partials_;
    return index(view).total(0) > 0 ||
           (!partials.empty() && partials.rbegin()->remaining_milli >= shape.gpu_milli);
  }
  if (shape.gpus == 0) return true;
  if (shape.nodes == 0) return index(view).total(0) >= shape.gpus;
  return shape.gpus <= fabric_->gpus && index(view).total(shape.gpus) >= shape.nodes;
}

bool Pool::could_ever_fit(const Shape& shape) const {
  if (shape.gpu_types != 0 && (gpu_type_ == NodeType::kNoGpu || ((shape.gpu_types >> gpu_type_) & 1U) == 0))
    return false;
  std::uint32_t most_nodes = fabric_->nodes;
  if (shape.level_required && shape.level != Shape::kAnyLevel) {
    most_nodes = 1;
    for (const PoolFabric::Level& level : fabric_->levels) {
      if (level.fabric_level <= shape.level) most_nodes = level.largest;
    }
  }
  // An empty node of this type stands for all of them.
  const auto node_holds = [&](std::uint32_t gpus) {
    return (cpu_milli_ == 0 || cpu_on_node(shape, gpus) <= cpu_milli_) &&
           (memory_mib_ == 0 || memory_on_node(shape, gpus) <= memory_mib_);
  };
  if (shape.gpu_milli != 0) return fabric_->gpus > 0 && shape.gpu_milli < 1000 && node_holds(1);
  if (shape.nodes != 0)
    return shape.gpus <= fabric_->gpus && shape.nodes <= most_nodes && node_holds(shape.gpus) &&
           (!shape.is_grouped() || could_ever_group(shape));
  if (shape.gpus == 0) return node_holds(0);
  std::uint32_t per_node = std::min(fabric_->gpus, shape.gpus);
  while (per_node > 0 && !node_holds(per_node)) --per_node;
  return per_node > 0 && std::uint64_t{per_node} * most_nodes >= shape.gpus;
}

}  // namespace gw::sched
