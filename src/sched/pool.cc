// The state of a pool's nodes; the search for a place is in pool_place.cc.
#include "sched/pool.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace gw::sched {
namespace {

/// Restricts the fleet's fabric to the nodes of one type in one zone, renumbered.
PoolFabric restrict_fabric(const Fleet& fleet, std::uint16_t node_type, std::uint32_t zone,
                           std::vector<std::uint32_t>& fleet_node) {
  PoolFabric fabric;
  fabric.gpus = fleet.node_types[node_type].gpus;
  for (std::uint32_t node = 0; node < fleet.nodes(); ++node) {
    if (fleet.node_type_of[node] == node_type && fleet.zone_of(NodeId{node}) == zone)
      fleet_node.push_back(node);
  }
  fabric.nodes = static_cast<std::uint32_t>(fleet_node.size());
  for (std::size_t level_index = 0; level_index < fleet.fabric.size(); ++level_index) {
    const Partition& partition = fleet.fabric[level_index];
    PoolFabric::Level level;
    level.fabric_level = static_cast<std::uint8_t>(level_index);
    level.first.push_back(0);
    std::uint32_t local = 0;
    for (std::uint32_t vertex = 0; vertex < partition.vertices(); ++vertex) {
      while (local < fabric.nodes && fleet_node[local] < partition.end(vertex)) ++local;
      if (local == level.first.back()) continue;  // No such node there.
      level.largest = std::max(level.largest, local - level.first.back());
      level.first.push_back(local);
    }
    fabric.levels.push_back(std::move(level));
  }
  for (std::size_t index = 0; index < fabric.levels.size(); ++index) {
    PoolFabric::Level& level = fabric.levels[index];
    if (index + 1 < fabric.levels.size()) {
      const std::vector<std::uint32_t>& bounds = fabric.levels[index + 1].first;
      std::uint32_t above = 0;
      for (std::uint32_t vertex = 0; vertex < level.vertices(); ++vertex) {
        while (level.first[vertex] >= bounds[above + 1]) ++above;
        level.parent.push_back(above);
      }
    }
    if (index == 0) {
      level.first_child = level.first;
      fabric.vertex_of.resize(fabric.nodes);
      for (std::uint32_t vertex = 0; vertex < level.vertices(); ++vertex)
        std::fill(fabric.vertex_of.begin() + level.first[vertex],
                  fabric.vertex_of.begin() + level.first[vertex + 1], vertex);
    } else {
      const std::vector<std::uint32_t>& below = fabric.levels[index - 1].first;
      for (const std::uint32_t bound : level.first)
        level.first_child.push_back(
            static_cast<std::uint32_t>(std::lower_bound(below.begin(), below.end(), bound) - below.begin()));
    }
  }
  return fabric;
}

}  // namespace

Pool::Pool(const Fleet& fleet, std::uint16_t node_type, std::uint32_t zone)
    : fabric_(std::make_shared<const PoolFabric>(restrict_fabric(fleet, node_type, zone, fleet_node_))),
      gpu_type_(fleet.node_types[node_type].gpu_type),
      zone_(zone),
      cpu_milli_(fleet.node_types[node_type].cpu_milli),
      memory_mib_(fleet.node_types[node_type].memory_mib),
      open_(*fabric_),
      held_index_(*fabric_) {
  const std::uint32_t words = (fabric_->nodes + 63) / 64;
  held_.assign(words, 0);
  down_.assign(words, 0);
  closed_.assign(words, 0);
  dark_.assign(words, 0);
  if (fabric_->gpus == 1) {
    free_bits_.assign(words, ~std::uint64_t{0});
  } else {
    const std::uint64_t all =
        fabric_->gpus == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << fabric_->gpus) - 1;
    free_mask_.assign(fabric_->nodes, all);
  }
  if (cpu_milli_ > 0) cpu_free_.assign(fabric_->nodes, cpu_milli_);
  if (memory_mib_ > 0) memory_free_.assign(fabric_->nodes, memory_mib_);
  open_.change(0, fabric_->nodes, 0, fabric_->gpus);
}

std::uint32_t Pool::local_node(NodeId node) const {
  const auto at = std::lower_bound(fleet_node_.begin(), fleet_node_.end(), node.value());
  GW_CHECK(at != fleet_node_.end() && *at == node.value());
  return static_cast<std::uint32_t>(at - fleet_node_.begin());
}

void Pool::set_bit(std::vector<std::uint64_t>& words, std::uint32_t at, bool on) {
  const std::uint64_t one = std::uint64_t{1} << (at % 64);
  if (on) {
    words[at / 64] |= one;
  } else {
    words[at / 64] &= ~one;
  }
}

void Pool::set_free_mask(std::uint32_t node, std::uint64_t mask) {
  const std::uint32_t before = free_count(node);
  if (fabric_->gpus == 1) {
    set_bit(free_bits_, node, mask != 0);
  } else {
    free_mask_[node] = mask;
  }
  if (!bit(down_, node)) count_free(node, node + 1, before, static_cast<std::uint32_t>(std::popcount(mask)));
}

/// The nodes [first, last), all up, had `before` free GPUs each and now have `after`.
void Pool::count_free(std::uint32_t first, std::uint32_t last, std::uint32_t before, std::uint32_t after) {
  if (closed_nodes_ + dark_nodes_ == 0) {
    for (std::uint32_t end = last; first < last; first = end, end = last) {
      if (held_nodes_ > 0) {  // Who comes back may find some of its nodes held by now.
        for (end = first + 1; end < last && bit(held_, end) == bit(held_, first);) ++end;
      }
      index_of(first).change(first, end, before, after);
    }
    return;
  }
  for (std::uint32_t node = first; node < last; ++node) {
    if (is_shut(node)) {
      shut_gpus(node) += std::int64_t{after} - before;
    } else {
      index_of(node).change(node, node + 1, before, after);
    }
  }
}

std::int64_t Pool::cpu_on_node(const Shape& shape, std::uint32_t gpus) {
  if (shape.nodes != 0) return shape.cpu_milli;
  return shape.gpus == 0 ? shape.cpu_milli : (shape.cpu_milli * gpus + shape.gpus - 1) / shape.gpus;
}

std::int64_t Pool::memory_on_node(const Shape& shape, std::uint32_t gpus) {
  if (shape.nodes != 0) return shape.memory_mib;
  return shape.gpus == 0 ? shape.memory_mib : (shape.memory_mib * gpus + shape.gpus - 1) / shape.gpus;
}

bool Pool::side_tight(std::uint32_t node) const {
  const std::int64_t gpus = fabric_->gpus;
  if (gpus == 0) return false;  // Such nodes are looked at one by one anyway.
  const std::int64_t free = free_count(node);
  return (!cpu_free_.empty() && cpu_free_[node] * gpus < cpu_milli_ * free) ||
         (!memory_free_.empty() && memory_free_[node] * gpus < memory_mib_ * free);
}

bool Pool::side_fits(const Shape& shape, std::uint32_t gpus, std::uint32_t node) const {
  return (cpu_free_.empty() || cpu_on_node(shape, gpus) <= cpu_free_[node]) &&
         (memory_free_.empty() || memory_on_node(shape, gpus) <= memory_free_[node]);
}

void Pool::change_side(const Shape& shape, const Piece& piece, int sign) {
  const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
  for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
    if (!cpu_free_.empty()) cpu_free_[node] += sign * cpu_on_node(shape, gpus);
    if (!memory_free_.empty()) memory_free_[node] += sign * memory_on_node(shape, gpus);
    GW_CHECK(cpu_free_.empty() || (cpu_free_[node] >= 0 && cpu_free_[node] <= cpu_milli_));
    GW_CHECK(memory_free_.empty() || (memory_free_[node] >= 0 && memory_free_[node] <= memory_mib_));
  }
}

void Pool::change_partial(std::uint32_t node, std::uint32_t gpu, std::int64_t delta_milli) {
  std::set<Partial>& partials = partials_of(node);
  const auto at = partial_remaining_.find({node, gpu});
  std::int64_t remaining = 1000;
  if (at != partial_remaining_.end()) {
    remaining = at->second;
    partial_free_milli_ -= remaining;
    partials.erase(Partial{at->second, node, gpu});
    partial_remaining_.erase(at);
  } else {
    GW_CHECK(delta_milli < 0);
    set_free_mask(node, free_mask(node) & ~(std::uint64_t{1} << gpu));
  }
  remaining += delta_milli;
  GW_CHECK(remaining >= 0 && remaining <= 1000);
  if (remaining == 1000) {
    set_free_mask(node, free_mask(node) | (std::uint64_t{1} << gpu));
    return;
  }
  partials.insert(Partial{static_cast<std::uint32_t>(remaining), node, gpu});
  partial_remaining_[{node, gpu}] = static_cast<std::uint32_t>(remaining);
  partial_free_milli_ += remaining;
}

/// Moves the partly used GPUs of `node` between the sets of open and held nodes.
void Pool::move_partials(std::uint32_t node, std::set<Partial>& from, std::set<Partial>& to) {
  for (auto at = partial_remaining_.lower_bound({node, 0});
       at != partial_remaining_.end() && at->first.first == node; ++at) {
    const Partial partial{at->second, node, at->first.second};
    GW_CHECK(from.erase(partial) == 1);
    to.insert(partial);
  }
}

/// One-GPU nodes: marks a run as free or taken, a word of 64 nodes at a time.
void Pool::change_free_bits(const Piece& piece, bool free) {
  for (std::uint32_t at = piece.node; at < piece.node + piece.count;) {
    const std::uint32_t end = std::min(piece.node + piece.count, (at / 64 + 1) * 64);
    const std::uint64_t mask = (~std::uint64_t{0} >> (64 - (end - at))) << (at % 64);
    std::uint64_t& word = free_bits_[at / 64];
    GW_CHECK((word & mask) == (free ? 0 : mask));
    GW_CHECK((down_[at / 64] & mask) == 0);
    word ^= mask;
    at = end;
  }
}

void Pool::take(const Shape& shape, const Placement& placement) {
  const bool side = !cpu_free_.empty() || !memory_free_.empty();
  for (const Piece& piece : placement.pieces) {
    GW_CHECK(piece.count > 0 && piece.node + piece.count <= fabric_->nodes);
    if (side) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        tight_nodes_ -= side_tight(node);
      change_side(shape, piece, -1);
    }
    if (shape.gpu_milli != 0) {
      change_partial(piece.node, static_cast<std::uint32_t>(std::countr_zero(piece.gpu_mask)),
                     -std::int64_t{shape.gpu_milli});
    } else if (fabric_->gpus == 1 && piece.gpu_mask != 0) {
      change_free_bits(piece, false);
      count_free(piece.node, piece.node + piece.count, 1, 0);
    } else if (piece.gpu_mask != 0) {
      const auto used = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
      if (used == fabric_->gpus) {
        for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
          GW_CHECK(free_mask_[node] == piece.gpu_mask && !bit(down_, node));
          free_mask_[node] = 0;
        }
        count_free(piece.node, piece.node + piece.count, used, 0);
      } else {
        for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
          GW_CHECK((free_mask_[node] & piece.gpu_mask) == piece.gpu_mask && !bit(down_, node));
          set_free_mask(node, free_mask_[node] & ~piece.gpu_mask);
        }
      }
    }
    if (side) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        tight_nodes_ += side_tight(node);
    }
  }
}

bool Pool::is_free(const Shape& shape, const Placement& placement, std::optional<Closure> despite) const {
  const auto off = [&](std::uint32_t node) {
    if (!despite || is_down(node) || !is_closed(node)) return is_off(node);
    return (closures_.at(node) &
            ~(static_cast<unsigned>(*despite) | static_cast<unsigned>(Closure::kWindow))) != 0;
  };
  std::uint64_t gpus = 0;
  std::uint64_t nodes = 0;
  std::uint64_t next = 0;
  for (const Piece& piece : placement.pieces) {
    if (piece.count == 0 || piece.node < next || std::uint64_t{piece.node} + piece.count > fabric_->nodes)
      return false;
    next = std::uint64_t{piece.node} + piece.count;
    nodes += piece.count;
    gpus += std::uint64_t{piece.count} * static_cast<std::uint64_t>(std::popcount(piece.gpu_mask));
    const auto on_node = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    if (fabric_->gpus < 64 && (piece.gpu_mask >> fabric_->gpus) != 0) return false;
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      if (off(node) || !side_fits(shape, on_node, node)) return false;
      if (shape.gpu_milli == 0 && (free_mask(node) & piece.gpu_mask) != piece.gpu_mask) return false;
      if (shape.gpu_milli != 0) {
        if (on_node != 1) return false;
        const auto partial =
            partial_remaining_.find({node, static_cast<std::uint32_t>(std::countr_zero(piece.gpu_mask))});
        if (partial == partial_remaining_.end() ? (free_mask(node) & piece.gpu_mask) == 0
                                                : partial->second < shape.gpu_milli)
          return false;
      }
      if (shape.nodes > 0 && shape.gpu_milli == 0 && on_node != shape.gpus) return false;
    }
  }
  if (shape.gpu_milli != 0) return nodes == 1;
  return shape.nodes > 0 ? nodes == shape.nodes : nodes > 0 && gpus == shape.gpus;
}

void Pool::give(const Shape& shape, const Placement& placement) {
  ++version_;
  const bool side = !cpu_free_.empty() || !memory_free_.empty();
  for (const Piece& piece : placement.pieces) {
    if (side) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        tight_nodes_ -= side_tight(node);
      change_side(shape, piece, +1);
    }
    if (shape.gpu_milli != 0) {
      change_partial(piece.node, static_cast<std::uint32_t>(std::countr_zero(piece.gpu_mask)),
                     shape.gpu_milli);
    } else if (fabric_->gpus == 1 && piece.gpu_mask != 0 && held_nodes_ == 0) {
      change_free_bits(piece, true);
      count_free(piece.node, piece.node + piece.count, 0, 1);
    } else if (piece.gpu_mask != 0) {
      const auto used = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
      // Nodes of a run may have become held since; equal neighbours change together.
      for (std::uint32_t at = piece.node; at < piece.node + piece.count;) {
        const bool held = bit(held_, at);
        const std::uint32_t before = free_count(at);
        std::uint32_t end = at;
        while (end < piece.node + piece.count && bit(held_, end) == held && free_count(end) == before) {
          GW_CHECK((free_mask(end) & piece.gpu_mask) == 0 && !bit(down_, end));
          if (fabric_->gpus == 1) {
            set_bit(free_bits_, end, true);
          } else {
            free_mask_[end] |= piece.gpu_mask;
          }
          ++end;
        }
        count_free(at, end, before, before + used);
        at = end;
      }
    }
    if (side) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node)
        tight_nodes_ += side_tight(node);
    }
  }
}

void Pool::hold(std::uint32_t node) {
  GW_CHECK(!bit(held_, node));
  const std::uint32_t free = free_count(node);
  if (takes_work(node)) {
    open_.change(node, node + 1, free, 0);
    held_index_.change(node, node + 1, 0, free);
  }
  if (!is_shut(node)) move_partials(node, open_partials_, held_partials_);
  set_bit(held_, node, true);
  ++held_nodes_;
}

void Pool::release_hold(std::uint32_t node) {
  GW_CHECK(bit(held_, node));
  const std::uint32_t free = free_count(node);
  if (takes_work(node)) {
    held_index_.change(node, node + 1, free, 0);
    open_.change(node, node + 1, 0, free);
  }
  ++version_;  // Also where it is off: a window may admit somebody there.
  if (!is_shut(node)) move_partials(node, held_partials_, open_partials_);
  set_bit(held_, node, false);
  --held_nodes_;
}

void Pool::set_down(std::uint32_t node) {
  GW_CHECK(!bit(down_, node));
  GW_CHECK(free_count(node) == fabric_->gpus);
  count_free(node, node + 1, fabric_->gpus, 0);
  set_bit(down_, node, true);
  down_gpus_ += fabric_->gpus;
}

void Pool::set_up(std::uint32_t node) {
  GW_CHECK(bit(down_, node));
  set_bit(down_, node, false);
  down_gpus_ -= fabric_->gpus;
  count_free(node, node + 1, 0, fabric_->gpus);
  ++version_;
}

void Pool::close(std::uint32_t node, Closure why) {
  GW_CHECK(!is_closed(node, why));
  const auto reason = static_cast<std::uint8_t>(why);
  if (bit(closed_, node)) {
    closures_[node] |= reason;
    return;
  }
  closures_.emplace(node, reason);
  const std::uint32_t free = free_count(node);
  std::set<Partial>& partials = partials_of(node);
  if (!bit(down_, node)) {
    if (bit(dark_, node)) {
      dark_gpus_ -= free;
    } else {
      index_of(node).change(node, node + 1, free, 0);
    }
    down_gpus_ += free;
  }
  const bool was_shut = is_shut(node);
  set_bit(closed_, node, true);
  ++closed_nodes_;
  if (!was_shut) move_partials(node, partials, closed_partials_);
}

void Pool::reopen(std::uint32_t node, Closure why) {
  GW_CHECK(is_closed(node, why));
  const auto at = closures_.find(node);
  at->second &= static_cast<std::uint8_t>(~static_cast<std::uint8_t>(why));
  if (at->second != 0) {
    ++version_;  // To those whom a window admits there it may be open now.
    return;
  }
  closures_.erase(at);
  set_bit(closed_, node, false);
  --closed_nodes_;
  if (!is_shut(node)) move_partials(node, closed_partials_, partials_of(node));
  if (!bit(down_, node)) {
    const std::uint32_t free = free_count(node);
    down_gpus_ -= free;
    if (bit(dark_, node)) {
      dark_gpus_ += free;
    } else {
      index_of(node).change(node, node + 1, 0, free);
    }
  }
  ++version_;
}

void Pool::darken(std::uint32_t node) {
  GW_CHECK(!bit(dark_, node));
  const std::uint32_t free = free_count(node);
  std::set<Partial>& partials = partials_of(node);
  const bool was_shut = is_shut(node);
  if (!was_shut && !bit(down_, node)) {
    index_of(node).change(node, node + 1, free, 0);
    dark_gpus_ += free;
  }
  set_bit(dark_, node, true);
  ++dark_nodes_;
  if (!was_shut) move_partials(node, partials, closed_partials_);
}

void Pool::lighten(std::uint32_t node) {
  GW_CHECK(bit(dark_, node));
  set_bit(dark_, node, false);
  --dark_nodes_;
  if (!is_shut(node)) {
    move_partials(node, closed_partials_, partials_of(node));
    if (!bit(down_, node)) {
      const std::uint32_t free = free_count(node);
      dark_gpus_ -= free;
      index_of(node).change(node, node + 1, 0, free);
    }
  }
  ++version_;
}

bool Pool::has_room(std::uint32_t node) const {
  if (fabric_->gpus == 0) return cpu_free_.empty() || cpu_free_[node] > 0;
  return free_mask(node) != 0 || most_partial_milli(node) > 0;
}

std::uint32_t Pool::most_partial_milli(std::uint32_t node) const {
  std::uint32_t most = 0;
  if (partial_remaining_.empty()) return most;
  for (auto at = partial_remaining_.lower_bound({node, 0});
       at != partial_remaining_.end() && at->first.first == node; ++at)
    most = std::max(most, at->second);
  return most;
}

std::uint32_t Pool::partial_for(std::uint32_t node, std::uint32_t milli) const {
  std::uint32_t best = 64;
  std::uint32_t least = 1001;
  for (auto at = partial_remaining_.lower_bound({node, 0});
       at != partial_remaining_.end() && at->first.first == node; ++at) {
    if (at->second < milli || at->second >= least) continue;
    least = at->second;
    best = at->first.second;
  }
  return best;
}

std::uint8_t Pool::span_of(const std::vector<Piece>& pieces) const {
  const std::uint32_t first = pieces.front().node;
  const std::uint32_t last = pieces.back().node + pieces.back().count - 1;
  std::uint8_t span = 0;
  if (first == last) return span;
  for (const PoolFabric::Level& level : fabric_->levels) {
    span = static_cast<std::uint8_t>(level.fabric_level + 1);
    const auto end = std::upper_bound(level.first.begin(), level.first.end(), first);
    if (end == level.first.end() || *end > last) break;
  }
  return span;
}

std::string Pool::check() const {
  CapacityIndex open(*fabric_);
  CapacityIndex held(*fabric_);
  std::uint32_t tight = 0;
  std::int64_t off = 0;
  std::int64_t dark = 0;
  std::uint32_t closed = 0;
  std::uint32_t dark_nodes = 0;
  for (std::uint32_t node = 0; node < fabric_->nodes; ++node) {
    if (!cpu_free_.empty() || !memory_free_.empty()) tight += side_tight(node);
    closed += bit(closed_, node);
    if (bit(closed_, node) != closures_.contains(node))
      return fmt::format("node {} is closed for no reason, or open for one", node);
    dark_nodes += bit(dark_, node);
    if (bit(down_, node)) {
      if (free_count(node) != fabric_->gpus) return fmt::format("down node {} is not empty", node);
      off += fabric_->gpus;
      continue;
    }
    if (is_shut(node)) {
      (bit(closed_, node) ? off : dark) += free_count(node);
      continue;
    }
    (bit(held_, node) ? held : open).change(node, node + 1, 0, free_count(node));
  }
  if (off != down_gpus_ || closed != closed_nodes_)
    return fmt::format("{} GPUs are off on {} closed nodes and those down, {} on {} counted", off, closed,
                       down_gpus_, closed_nodes_);
  if (dark != dark_gpus_ || dark_nodes != dark_nodes_)
    return fmt::format("{} GPUs are free on {} dark nodes, {} on {} counted", dark, dark_nodes, dark_gpus_,
                       dark_nodes_);
  if (tight != tight_nodes_) return fmt::format("{} nodes are tight, {} counted", tight, tight_nodes_);
  for (const View view : {View::kOpen, View::kHeld}) {
    const CapacityIndex& want = view == View::kOpen ? open : held;
    for (std::uint32_t g = 0; g <= fabric_->gpus; ++g) {
      if (want.total(g) != index(view).total(g))
        return fmt::format("view {} g {}: {} in all, index says {}", static_cast<int>(view), g, want.total(g),
                           index(view).total(g));
      for (std::uint32_t level = 0; level + 1 < fabric_->levels.size(); ++level) {
        for (std::uint32_t vertex = 0; vertex < fabric_->levels[level].vertices(); ++vertex) {
          if (want.count(level, vertex, g) != index(view).count(level, vertex, g))
            return fmt::format("view {} level {} vertex {} g {}: count is wrong", static_cast<int>(view),
                               level, vertex, g);
        }
      }
      if (g > 0 && !std::ranges::equal(want.exact(g).words(), index(view).exact(g).words()))
        return fmt::format("nodes with {} free are wrong", g);
    }
  }
  std::int64_t partial = 0;
  for (const std::set<Partial>* partials : {&open_partials_, &held_partials_, &closed_partials_}) {
    for (const Partial& entry : *partials) {
      partial += entry.remaining_milli;
      if ((free_mask(entry.node) >> entry.gpu) & 1U)
        return fmt::format("GPU {} of node {} is whole and partly used", entry.gpu, entry.node);
      const std::set<Partial>* right = is_shut(entry.node)      ? &closed_partials_
                                       : bit(held_, entry.node) ? &held_partials_
                                                                : &open_partials_;
      if (partials != right) return fmt::format("partly used GPU of node {} in the wrong view", entry.node);
    }
  }
  if (partial != partial_free_milli_) return "partly free thousandths are wrong";
  return {};
}

}  // namespace gw::sched
