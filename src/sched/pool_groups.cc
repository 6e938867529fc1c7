// Places for gangs that ask how their nodes lie to one another: blocks that each lie inside one part of the
// fabric, or nodes that keep apart.
#include <algorithm>
#include <bit>

#include "base/check.h"
#include "sched/pool.h"

namespace gw::sched {
namespace {

/// The smallest `most` with which vertices of those sizes give `need` nodes, none more than `most`. They have
/// so many in all.
std::uint32_t evenest(const std::vector<std::uint32_t>& sizes, std::uint32_t need) {
  std::uint32_t low = 1;
  std::uint32_t high = need;
  while (low < high) {
    const std::uint32_t most = low + (high - low) / 2;
    std::uint64_t sum = 0;
    for (const std::uint32_t size : sizes) sum += std::min(size, most);
    if (sum >= need) {
      high = most;
    } else {
      low = most + 1;
    }
  }
  return low;
}

/// The lowest `count` bits that are set.
std::uint64_t lowest_of(std::uint64_t mask, std::uint32_t count) {
  while (static_cast<std::uint32_t>(std::popcount(mask)) > count) mask ^= std::bit_floor(mask);
  return mask;
}

std::uint32_t even_share(std::uint32_t nodes, std::uint32_t vertices) {
  return (nodes + vertices - 1) / std::max(vertices, 1U);
}

/// Vertices of `level` inside a vertex of a higher one: [first, last).
std::pair<std::uint32_t, std::uint32_t> vertices_inside(const PoolFabric& fabric, std::uint32_t level,
                                                        std::uint32_t above, std::uint32_t vertex) {
  const std::vector<std::uint32_t>& bounds = fabric.levels[level].first;
  const auto at = [&](std::uint32_t node) {
    return static_cast<std::uint32_t>(std::lower_bound(bounds.begin(), bounds.end(), node) - bounds.begin());
  };
  return {at(fabric.levels[above].first[vertex]), at(fabric.levels[above].first[vertex + 1])};
}

}  // namespace

/// One search. Where CPU or memory could bind, and for gangs without GPUs, nodes are looked at one by one;
/// else the index has all counts.
class Pool::GroupFinder {
 public:
  GroupFinder(const Pool& pool, const Shape& shape, View view, PlacementKind kind)
      : pool_(pool), index_(pool.index(view)), shape_(shape), view_(view), kind_(kind) {
    root_ = static_cast<std::uint32_t>(pool.fabric_->levels.size()) - 1;
    last_level_ = shape.level_required ? std::min<std::uint32_t>(shape.level, root_) : root_;
    if (shape.gpus == 0 || (pool.wishes_side(shape) && (pool.tight_nodes_ > 0 || !pool.within_share(shape))))
      look_at_nodes();
  }

  std::optional<Placement> find() {
    Shape plain = shape_;
    plain.segment_nodes = 0;
    plain.spread_level = Shape::kAnyLevel;
    const bool blocks = shape_.segment_nodes > 1;
    const std::uint32_t level =
        std::min<std::uint32_t>(blocks ? shape_.segment_level : shape_.spread_level, root_);
    if (blocks) {  // All blocks in one vertex?
      plain.level = static_cast<std::uint8_t>(std::min(level, last_level_));
      plain.level_required = true;
      if (std::optional<Placement> together = pool_.place(plain, view_, kind_)) return together;
      if (last_level_ <= level || !find_blocks(level)) return std::nullopt;
    } else {
      if (last_level_ <= level) return pool_.place(plain, view_, kind_);  // There is no other vertex.
      if (!find_spread(level)) return std::nullopt;
    }
    pool_.settle(placement_);
    return std::move(placement_);
  }

 private:
  [[nodiscard]] bool accepts(std::uint32_t node) const {
    if (shape_.gpus > 0) return pool_.side_fits(shape_, shape_.gpus, node);  // It is in the index.
    return pool_.takes_work(node) && (!pool_.power_limited_ || pool_.has_room(node)) &&
           bit(pool_.held_, node) == (view_ == View::kHeld) && pool_.side_fits(shape_, 0, node);
  }

  void look_at_nodes() {
    scanned_ = true;
    const std::uint32_t nodes = pool_.fabric_->nodes;
    std::vector<bool> usable(nodes);
    if (shape_.gpus == 0) {
      for (std::uint32_t node = 0; node < nodes; ++node) usable[node] = accepts(node);
    } else {
      for (std::uint32_t free = shape_.gpus; free <= pool_.fabric_->gpus; ++free) {
        for (std::uint32_t node = index_.next_exact(free, 0); node != Bitmap::kNone;
             node = index_.next_exact(free, node + 1))
          usable[node] = accepts(node);
      }
    }
    before_.assign(nodes + 1, 0);
    for (std::uint32_t node = 0; node < nodes; ++node)
      before_[node + 1] = before_[node] + (usable[node] ? 1 : 0);
  }

  /// Nodes that would do inside a vertex.
  [[nodiscard]] std::uint32_t count(std::uint32_t level, std::uint32_t vertex) const {
    if (!scanned_)
      return level == root_ ? static_cast<std::uint32_t>(index_.total(shape_.gpus))
                            : index_.count(level, vertex, shape_.gpus);
    const std::vector<std::uint32_t>& bounds = pool_.fabric_->levels[level].first;
    return before_[bounds[vertex + 1]] - before_[bounds[vertex]];
  }

  /// Calls visit(vertex) for those of `level` with at least `need` nodes, the tightest first, until it is
  /// true.
  template <class Visit>
  bool for_each_tight(std::uint32_t level, std::uint32_t need, Visit&& visit) const {
    if (!scanned_) {
      for (std::uint32_t v = index_.tightest(level, shape_.gpus, need); v != Bitmap::kNone;
           v = index_.tightest(level, shape_.gpus, need, v)) {
        if (visit(v)) return true;
      }
      return false;
    }
    std::vector<std::pair<std::uint32_t, std::uint32_t>> order;
    for (std::uint32_t v = 0; v < pool_.fabric_->levels[level].vertices(); ++v) {
      if (count(level, v) >= need) order.emplace_back(count(level, v), v);
    }
    std::sort(order.begin(), order.end());
    return std::any_of(order.begin(), order.end(), [&](const auto& each) { return visit(each.second); });
  }

  void take(std::uint32_t level, std::uint32_t vertex, std::uint32_t need) {
    std::vector<Piece>& pieces = placement_.pieces;
    if (!scanned_) {
      const std::vector<Piece> more = pool_.inside_vertex(shape_, view_, kind_, level, vertex, need);
      pieces.insert(pieces.end(), more.begin(), more.end());
      return;
    }
    // Those with the fewest free GPUs, so that whole nodes stay whole.
    std::vector<std::pair<std::uint32_t, std::uint32_t>> nodes;
    const std::vector<std::uint32_t>& bounds = pool_.fabric_->levels[level].first;
    for (std::uint32_t node = bounds[vertex]; node < bounds[vertex + 1]; ++node) {
      if (before_[node + 1] > before_[node]) nodes.emplace_back(pool_.free_count(node), node);
    }
    GW_CHECK(nodes.size() >= need);
    std::sort(nodes.begin(), nodes.end());
    for (std::uint32_t at = 0; at < need; ++at) {
      const std::uint32_t node = nodes[at].second;
      pieces.push_back({node, 1, lowest_of(pool_.free_mask(node), shape_.gpus)});
    }
  }

  /// Blocks in several vertices of `level`: inside the smallest part of the fabric that holds them all, from
  /// the vertices with the fewest nodes that hold one, so that whole ones stay whole.
  bool find_blocks(std::uint32_t level) {
    const std::uint32_t size = shape_.segment_nodes;
    const std::uint32_t need = shape_.nodes / size;
    std::vector<std::uint32_t> tight;  // The first of the pool, as many as could be needed.
    std::uint32_t blocks = 0;
    for_each_tight(level, size, [&](std::uint32_t v) {
      tight.push_back(v);
      blocks += count(level, v) / size;
      return blocks >= need;
    });
    if (blocks < need) return false;
    const auto use = [&](const std::vector<std::uint32_t>& vertices) {
      std::uint32_t left = need;
      for (std::size_t at = 0; at < vertices.size() && left > 0; ++at) {
        const std::uint32_t here = std::min(left, count(level, vertices[at]) / size);
        take(level, vertices[at], here * size);
        left -= here;
      }
      return left == 0;
    };
    const std::uint32_t from = kind_ == PlacementKind::kFirstFit ? last_level_ : level + 1;
    for (std::uint32_t above = from; above <= last_level_; ++above) {
      if (above == root_) return use(tight);
      const bool found = for_each_tight(above, shape_.nodes, [&](std::uint32_t vertex) {
        const auto [first, last] = vertices_inside(*pool_.fabric_, level, above, vertex);
        std::vector<std::uint32_t> inside;
        std::uint32_t held = 0;
        for (std::uint32_t v = first; v < last; ++v) {
          const std::uint32_t here = count(level, v) / size;
          if (here == 0) continue;
          inside.push_back(v);
          held += here;
        }
        if (held < need) return false;
        std::stable_sort(inside.begin(), inside.end(),
                         [&](std::uint32_t a, std::uint32_t b) { return count(level, a) < count(level, b); });
        return use(inside);
      });
      if (found) return true;
    }
    return false;
  }

  /// As few nodes in one vertex of `level` as can be. Linear in their number.
  bool find_spread(std::uint32_t level) {
    const std::uint32_t need = shape_.nodes;
    std::uint32_t best = 0;  // Most nodes in one vertex.
    std::uint32_t best_vertex = 0;
    for_each_tight(last_level_, need, [&](std::uint32_t vertex) {
      const auto [first, last] = vertices_inside(*pool_.fabric_, level, last_level_, vertex);
      std::vector<std::uint32_t> sizes;
      for (std::uint32_t v = first; v < last; ++v) sizes.push_back(count(level, v));
      const std::uint32_t most = evenest(sizes, need);
      const std::uint32_t share = even_share(need, last - first);
      if (shape_.spread_required && most > share) return false;
      if (best == 0 || most < best) {
        best = most;
        best_vertex = vertex;
      }
      return best == 1;
    });
    if (best == 0) return false;
    const auto [first, last] = vertices_inside(*pool_.fabric_, level, last_level_, best_vertex);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> order;  // (nodes, vertex): the fullest first.
    std::uint32_t left = need;
    for (std::uint32_t v = first; v < last; ++v) {
      if (count(level, v) > 0) order.emplace_back(count(level, v), v);
      left -= std::min(count(level, v), best - 1);
    }
    std::sort(order.begin(), order.end());
    for (const auto& [size, v] : order) {
      std::uint32_t here = std::min(size, best - 1);
      if (size >= best && left > 0) {
        ++here;
        --left;
      }
      if (here > 0) take(level, v, here);
    }
    return true;
  }

  const Pool& pool_;
  const CapacityIndex& index_;
  const Shape& shape_;
  View view_;
  PlacementKind kind_;
  std::uint32_t root_ = 0;
  std::uint32_t last_level_ = 0;
  bool scanned_ = false;
  std::vector<std::uint32_t> before_;  ///< Where scanned: usable nodes before each.
  Placement placement_;
};

std::optional<Placement> Pool::place_group(const Shape& shape, View view, PlacementKind kind) const {
  return GroupFinder(*this, shape, view, kind).find();
}

std::optional<Piece> Pool::piece_on(const Shape& shape, std::uint32_t node) const {
  if (!takes_work(node) || (shape.gpus == 0 && power_limited_ && !has_room(node)) ||
      free_count(node) < shape.gpus || !side_fits(shape, shape.gpus, node))
    return std::nullopt;
  return Piece{node, 1, lowest_of(free_mask(node), shape.gpus)};
}

Placement Pool::exchange(const Shape& shape, const Placement& placement, std::uint32_t node,
                         const Piece& for_this) {
  Placement left{placement.pool, 0, {}};
  Placement gone{placement.pool, 0, {}};
  for (const Piece& piece : placement.pieces) {
    for (std::uint32_t at = piece.node; at < piece.node + piece.count; ++at)
      (at == node ? gone : left).pieces.push_back({at, 1, piece.gpu_mask});
  }
  GW_CHECK(gone.pieces.size() == 1);
  give(shape, gone);
  take(shape, Placement{placement.pool, 0, {for_this}});
  left.pieces.push_back(for_this);
  settle(left);
  return left;
}

bool Pool::could_ever_group(const Shape& shape) const {
  const auto root = static_cast<std::uint32_t>(fabric_->levels.size()) - 1;
  const std::uint32_t outer = shape.level_required ? std::min<std::uint32_t>(shape.level, root) : root;
  const bool blocks = shape.segment_nodes > 1;
  const std::uint32_t level =
      std::min<std::uint32_t>(blocks ? shape.segment_level : shape.spread_level, root);
  if (outer <= level) return shape.nodes <= fabric_->levels[outer].largest;
  const std::vector<std::uint32_t>& bounds = fabric_->levels[level].first;
  for (std::uint32_t vertex = 0; vertex < fabric_->levels[outer].vertices(); ++vertex) {
    const auto [first, last] = vertices_inside(*fabric_, level, outer, vertex);
    std::uint64_t sum = 0;
    for (std::uint32_t v = first; v < last; ++v) {
      const std::uint32_t size = bounds[v + 1] - bounds[v];
      if (blocks) {
        sum += size / shape.segment_nodes * shape.segment_nodes;
      } else {
        sum += shape.spread_required ? std::min(size, even_share(shape.nodes, last - first)) : size;
      }
    }
    if (sum >= shape.nodes) return true;
  }
  return false;
}

}  // namespace gw::sched
