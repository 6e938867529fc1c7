// Pool against a naive model: what is free, whether a shape fits, and where it belongs.
#include "sched/pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <set>

#include "sched/random_case.h"

namespace gw::sched {
namespace {

using random_case::random_fleet;
using random_case::random_shape;

/// One node, counted GPU by GPU.
struct Node {
  std::vector<std::uint32_t> milli;  ///< Free thousandths of each GPU.
  std::int64_t cpu = 0;
  std::int64_t memory = 0;
  bool held = false;
  bool down = false;
  std::uint32_t jobs = 0;
};

class Model {
 public:
  Model(const Fleet& fleet, const Pool& pool) : fleet_(fleet), pool_(pool) {
    for (std::uint32_t node = 0; node < pool.nodes(); ++node) {
      const NodeType& type = fleet.type_of(pool.fleet_node(node));
      nodes_.push_back({std::vector<std::uint32_t>(type.gpus, 1000), type.cpu_milli, type.memory_mib});
      type_ = type;
    }
  }
  std::vector<Node>& nodes() { return nodes_; }
  [[nodiscard]] const NodeType& type() const { return type_; }
  [[nodiscard]] std::uint32_t whole(std::uint32_t node) const {
    const std::vector<std::uint32_t>& milli = nodes_[node].milli;
    return static_cast<std::uint32_t>(std::count(milli.begin(), milli.end(), 1000U));
  }
  /// CPU and memory of one node that gives `gpus` GPUs to the shape.
  static std::pair<std::int64_t, std::int64_t> side(const Shape& shape, std::uint32_t gpus) {
    if (shape.nodes != 0 || shape.gpus == 0) return {shape.cpu_milli, shape.memory_mib};
    const auto part = [&](std::int64_t all) { return (all * gpus + shape.gpus - 1) / shape.gpus; };
    return {part(shape.cpu_milli), part(shape.memory_mib)};
  }
  [[nodiscard]] bool side_fits(std::uint32_t node, const Shape& shape, std::uint32_t gpus) const {
    const auto [cpu, memory] = side(shape, gpus);
    return (type_.cpu_milli == 0 || cpu <= nodes_[node].cpu) &&
           (type_.memory_mib == 0 || memory <= nodes_[node].memory);
  }
  [[nodiscard]] bool in_view(std::uint32_t node, View view) const {
    return !nodes_[node].down && nodes_[node].held == (view == View::kHeld);
  }
  /// Does one node's worth of a gang (or a share of a GPU) fit?
  [[nodiscard]] bool node_fits(std::uint32_t node, const Shape& shape, View view) const {
    if (!in_view(node, view)) return false;
    if (shape.gpu_milli != 0) {
      const std::vector<std::uint32_t>& milli = nodes_[node].milli;
      return side_fits(node, shape, 1) && std::any_of(milli.begin(), milli.end(), [&](std::uint32_t free) {
               return free >= shape.gpu_milli;
             });
    }
    return whole(node) >= shape.gpus && side_fits(node, shape, shape.gpus);
  }
  [[nodiscard]] bool types_fit(const Shape& shape) const {
    return shape.gpu_types == 0 ||
           (type_.gpu_type != NodeType::kNoGpu && ((shape.gpu_types >> type_.gpu_type) & 1U) != 0);
  }
  /// The vertex of fabric level `level` over a pool-local node.
  [[nodiscard]] std::uint32_t vertex(std::size_t level, std::uint32_t node) const {
    return fleet_.fabric[level].vertex_of(pool_.fleet_node(node));
  }
  /// The largest sum of `amount(node)` inside one vertex of the level.
  template <class Amount>
  [[nodiscard]] std::uint64_t most_inside(std::size_t level, Amount amount) const {
    std::vector<std::uint64_t> sums(fleet_.fabric[level].vertices());
    for (std::uint32_t node = 0; node < nodes_.size(); ++node) sums[vertex(level, node)] += amount(node);
    return *std::max_element(sums.begin(), sums.end());
  }
  [[nodiscard]] std::size_t last_level(const Shape& shape) const {
    const bool bound = shape.level_required && shape.level < fleet_.fabric.size();
    return bound ? shape.level : fleet_.fabric.size() - 1;
  }
  /// GPUs of the node that a job may use whose GPUs may be anywhere.
  [[nodiscard]] std::uint32_t usable(std::uint32_t node, const Shape& shape, View view) const {
    std::uint32_t most = in_view(node, view) ? std::min(whole(node), shape.gpus) : 0;
    while (most > 0 && !side_fits(node, shape, most)) --most;
    return most;
  }
  /// The span of the smallest place: 0 = one node, k = fabric level k - 1; -1 = nowhere.
  [[nodiscard]] int smallest_span(const Shape& shape, View view) const {
    if (!types_fit(shape)) return -1;
    const auto fits = [&](std::uint32_t node) { return node_fits(node, shape, view) ? 1U : 0U; };
    const auto free = [&](std::uint32_t node) { return usable(node, shape, view); };
    const bool anywhere = shape.nodes == 0 && shape.gpus > 0;
    for (std::uint32_t node = 0; node < nodes_.size(); ++node) {
      if (anywhere ? free(node) >= shape.gpus : shape.nodes <= 1 && fits(node) != 0) return 0;
    }
    if (!anywhere && shape.nodes <= 1) return -1;
    for (std::size_t level = 0; level <= last_level(shape); ++level) {
      const std::uint64_t most = anywhere ? most_inside(level, free) : most_inside(level, fits);
      if (most >= (anywhere ? shape.gpus : shape.nodes)) return static_cast<int>(level) + 1;
    }
    return -1;
  }
  /// The smallest level that holds all of a placement.
  [[nodiscard]] int span_of(const Placement& placement) const {
    const std::uint32_t first = placement.pieces.front().node;
    const std::uint32_t last = placement.pieces.back().node + placement.pieces.back().count - 1;
    if (first == last) return 0;
    std::size_t level = 0;
    while (vertex(level, first) != vertex(level, last)) ++level;
    return static_cast<int>(level) + 1;
  }
  void change(const Shape& shape, const Placement& placement, int sign) {
    for (const Piece& piece : placement.pieces) {
      for (std::uint32_t at = piece.node; at < piece.node + piece.count; ++at) {
        Node& node = nodes_[at];
        node.jobs = static_cast<std::uint32_t>(static_cast<int>(node.jobs) - sign);
        const std::uint32_t amount = shape.gpu_milli != 0 ? shape.gpu_milli : 1000;
        for (std::uint32_t gpu = 0; gpu < node.milli.size(); ++gpu) {
          if ((piece.gpu_mask >> gpu) & 1U)
            node.milli[gpu] = sign < 0 ? node.milli[gpu] - amount : node.milli[gpu] + amount;
        }
        const auto [cpu, memory] = side(shape, static_cast<std::uint32_t>(std::popcount(piece.gpu_mask)));
        node.cpu += sign * cpu;
        node.memory += sign * memory;
      }
    }
  }

 private:
  const Fleet& fleet_;
  const Pool& pool_;
  NodeType type_;
  std::vector<Node> nodes_;
};

/// Every rule that a placement must keep, whatever the policy.
void expect_valid(Model& model, const Shape& shape, View view, const Placement& placement) {
  std::int64_t next = 0;
  std::uint64_t nodes = 0;
  std::uint64_t gpus = 0;
  const std::uint32_t on_node = shape.gpu_milli != 0 ? 1 : shape.gpus;
  for (const Piece& piece : placement.pieces) {
    ASSERT_GT(piece.count, 0U);
    ASSERT_GE(std::int64_t{piece.node}, next) << "pieces overlap or are out of order";
    next = std::int64_t{piece.node} + piece.count;
    ASSERT_LE(static_cast<std::size_t>(next), model.nodes().size());
    const auto used = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    nodes += piece.count;
    gpus += std::uint64_t{piece.count} * used;
    if (shape.nodes > 0) {
      ASSERT_EQ(used, on_node);
    }
    for (std::uint32_t node = piece.node; node < next; ++node) {
      ASSERT_TRUE(model.in_view(node, view)) << "node " << node;
      ASSERT_TRUE(model.side_fits(node, shape, used)) << "node " << node;
      for (std::uint32_t gpu = 0; gpu < 64; ++gpu) {
        if (((piece.gpu_mask >> gpu) & 1U) == 0) continue;
        ASSERT_LT(gpu, model.nodes()[node].milli.size());
        ASSERT_GE(model.nodes()[node].milli[gpu], shape.gpu_milli != 0 ? shape.gpu_milli : 1000)
            << "node " << node;
      }
    }
  }
  if (shape.nodes > 0) {
    ASSERT_EQ(nodes, shape.nodes);
  } else {
    ASSERT_EQ(gpus, shape.gpus);
  }
  ASSERT_TRUE(model.types_fit(shape));
  ASSERT_EQ(int{placement.span}, model.span_of(placement));
  if (shape.level_required && shape.level != Shape::kAnyLevel) {
    ASSERT_LE(int{placement.span}, static_cast<int>(model.last_level(shape)) + 1) << "level required";
  }
}

/// Best fit on one node: the fewest free GPUs that do (or thousandths on a used GPU), then the smallest id.
void expect_best_fit(Model& model, const Shape& shape, View view, const Placement& placement) {
  const Piece& piece = placement.pieces.front();
  if (shape.gpu_milli != 0) {
    using Rank = std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>;
    std::set<Rank> used;
    for (std::uint32_t node = 0; node < model.nodes().size(); ++node) {
      if (!model.node_fits(node, shape, view)) continue;
      for (std::uint32_t gpu = 0; gpu < model.nodes()[node].milli.size(); ++gpu) {
        const std::uint32_t free = model.nodes()[node].milli[gpu];
        if (free >= shape.gpu_milli && free < 1000) used.emplace(free, node, gpu);
      }
    }
    if (!used.empty()) {
      const auto gpu = static_cast<std::uint32_t>(std::countr_zero(piece.gpu_mask));
      ASSERT_EQ((Rank{model.nodes()[piece.node].milli[gpu], piece.node, gpu}), *used.begin());
      return;
    }
  }
  const std::uint32_t need = shape.gpu_milli != 0 ? 1 : shape.gpus;
  std::pair<std::uint32_t, std::uint32_t> best{~0U, ~0U};
  for (std::uint32_t node = 0; node < model.nodes().size(); ++node) {
    if (model.in_view(node, view) && model.whole(node) >= need && model.side_fits(node, shape, need))
      best = std::min(best, {model.whole(node), node});
  }
  ASSERT_EQ(model.whole(piece.node), best.first);
  // Wholly free nodes are chosen by their domain first, so that whole domains stay whole.
  if (best.first < model.type().gpus) {
    ASSERT_EQ(piece.node, best.second);
  }
}

void expect_place(Model& model, const Pool& pool, const Shape& shape, View view, PlacementKind kind) {
  const std::optional<Placement> placement = pool.place(shape, view, kind);
  if (placement) {
    ASSERT_NO_FATAL_FAILURE(expect_valid(model, shape, view, *placement));
    ASSERT_TRUE(pool.may_fit(shape, view));
    ASSERT_TRUE(pool.is_free(shape, *placement));
    ASSERT_TRUE(pool.could_ever_fit(shape));
  }
  const int span = model.smallest_span(shape, view);
  ASSERT_EQ(placement.has_value(), span >= 0);
  if (!placement) return;
  if (kind == PlacementKind::kSmallestSpan) {
    ASSERT_EQ(int{placement->span}, span);
    if (placement->span == 0 && (shape.gpus > 0 || shape.gpu_milli > 0)) {
      ASSERT_NO_FATAL_FAILURE(expect_best_fit(model, shape, view, *placement));
    }
  } else if (shape.nodes > 0 && shape.gpus > 0 && !shape.level_required) {
    std::vector<std::uint32_t> want;
    for (std::uint32_t node = 0; node < model.nodes().size() && want.size() < shape.nodes; ++node) {
      if (model.node_fits(node, shape, view)) want.push_back(node);
    }
    std::vector<std::uint32_t> got;
    for (const Piece& piece : placement->pieces) {
      for (std::uint32_t at = 0; at < piece.count; ++at) got.push_back(piece.node + at);
    }
    ASSERT_EQ(got, want) << "first fit";
  }
}

std::string text_of(const Shape& shape) {
  return testing::PrintToString(std::vector<std::int64_t>{
      shape.nodes, shape.gpus, shape.gpu_milli, shape.cpu_milli, shape.memory_mib,
      static_cast<std::int64_t>(shape.gpu_types), shape.level, shape.level_required});
}

/// Random takes, gives, holds, failures and repairs; after each, the pool's own recount and several searches.
void run(std::uint64_t seed, const random_case::FleetWish& wish, int steps) {
  Rng rng(seed);
  const Fleet fleet = random_fleet(rng, wish);
  ASSERT_EQ(check_fleet(fleet), "");
  Pool pool(fleet, fleet.node_type_of[rng.below(fleet.nodes())]);
  Model model(fleet, pool);
  std::vector<std::pair<Shape, Placement>> placed;
  for (int step = 0; step < steps; ++step) {
    const auto node = static_cast<std::uint32_t>(rng.below(pool.nodes()));
    const std::uint64_t action = rng.below(10);
    if (action < 6) {
      const Shape shape = random_shape(rng, fleet);
      const View view = rng.chance(0.8) ? View::kOpen : View::kHeld;
      if (std::optional<Placement> placement = pool.place(shape, view, PlacementKind::kSmallestSpan)) {
        ASSERT_NO_FATAL_FAILURE(expect_valid(model, shape, view, *placement)) << text_of(shape);
        pool.take(shape, *placement);
        model.change(shape, *placement, -1);
        placed.emplace_back(shape, std::move(*placement));
      }
    } else if (action < 8 && !placed.empty()) {
      const auto at = placed.begin() + static_cast<std::ptrdiff_t>(rng.below(placed.size()));
      const std::uint64_t version = pool.version();
      pool.give(at->first, at->second);
      ASSERT_GT(pool.version(), version);
      model.change(at->first, at->second, +1);
      placed.erase(at);
    } else if (action == 8) {
      Node& holding = model.nodes()[node];
      holding.held ? pool.release_hold(node) : pool.hold(node);
      holding.held = !holding.held;
    } else if (model.nodes()[node].jobs == 0) {
      Node& failing = model.nodes()[node];
      failing.down ? pool.set_up(node) : pool.set_down(node);
      failing.down = !failing.down;
    }
    ASSERT_EQ(pool.check(), "") << "step " << step;
    for (int probe = 0; probe < 3; ++probe) {
      const Shape shape = random_shape(rng, fleet);
      const View view = rng.chance(0.7) ? View::kOpen : View::kHeld;
      const PlacementKind kind = rng.chance(0.8) ? PlacementKind::kSmallestSpan : PlacementKind::kFirstFit;
      ASSERT_NO_FATAL_FAILURE(expect_place(model, pool, shape, view, kind))
          << "step " << step << ", shape " << text_of(shape) << ", view " << static_cast<int>(view)
          << ", kind " << static_cast<int>(kind);
    }
  }
  // Everything given back leaves the pool as it was.
  for (const auto& [shape, placement] : placed) pool.give(shape, placement);
  ASSERT_EQ(pool.check(), "");
  ASSERT_EQ(pool.free_gpus() + pool.down_gpus(), std::int64_t{pool.nodes()} * pool.gpus_per_node());
  ASSERT_EQ(pool.partial_free_milli(), 0);
}

TEST(Pool, EqualsANaiveModelOnPlainGpus) {
  random_case::FleetWish wish;
  wish.side_resources = false;
  for (std::uint64_t seed = 1; seed <= 150; ++seed)
    ASSERT_NO_FATAL_FAILURE(run(seed, wish, 80)) << "seed " << seed;
}

TEST(Pool, EqualsANaiveModelWithCpuAndMemory) {
  for (std::uint64_t seed = 1001; seed <= 1150; ++seed)
    ASSERT_NO_FATAL_FAILURE(run(seed, {}, 80)) << "seed " << seed;
}

TEST(Pool, EqualsANaiveModelOnLargerFleets) {
  random_case::FleetWish wish;
  wish.most_nodes = 400;
  for (std::uint64_t seed = 2001; seed <= 2012; ++seed)
    ASSERT_NO_FATAL_FAILURE(run(seed, wish, 120)) << "seed " << seed;
}

/// What could never fit is what an empty pool does not hold.
TEST(Pool, CouldEverFitIsAnEmptyPoolsAnswer) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Rng rng(seed);
    const Fleet fleet = random_fleet(rng);
    const Pool pool(fleet, fleet.node_type_of[rng.below(fleet.nodes())]);
    for (int probe = 0; probe < 40; ++probe) {
      const Shape shape = random_shape(rng, fleet);
      EXPECT_EQ(pool.could_ever_fit(shape),
                pool.place(shape, View::kOpen, PlacementKind::kSmallestSpan).has_value())
          << "seed " << seed << ", shape " << text_of(shape);
    }
  }
}

/// Two racks of four nodes: the smaller gang goes where it leaves the larger hole whole.
TEST(Pool, KeepsWholeDomainsWhole) {
  Fleet fleet = flat_fleet(8, 8);
  fleet.fabric.insert(fleet.fabric.begin(), Partition{"rack", {0, 4, 8}});
  Pool pool(fleet, 0);
  Shape two;
  two.nodes = 2;
  two.gpus = 8;
  const Placement first = *pool.place(two, View::kOpen, PlacementKind::kSmallestSpan);
  EXPECT_EQ(first.pieces, (std::vector<Piece>{{0, 2, 0xff}}));
  EXPECT_EQ(first.span, 1);
  pool.take(two, first);
  EXPECT_EQ(pool.place(two, View::kOpen, PlacementKind::kSmallestSpan)->pieces,
            (std::vector<Piece>{{2, 2, 0xff}}));
  Shape three = two;
  three.nodes = 3;
  EXPECT_EQ(pool.place(three, View::kOpen, PlacementKind::kSmallestSpan)->pieces,
            (std::vector<Piece>{{4, 3, 0xff}}));
  Shape one;
  one.gpus = 1;
  EXPECT_EQ(pool.place(one, View::kOpen, PlacementKind::kSmallestSpan)->pieces,
            (std::vector<Piece>{{2, 1, 0x1}}));
}

}  // namespace
}  // namespace gw::sched
