// CapacityIndex against a linear scan over the nodes, under random changes of free GPUs.
#include "sched/capacity_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>

#include "base/rng.h"

namespace gw::sched {
namespace {

/// Nested random levels over `nodes` nodes, the last one a single vertex.
PoolFabric random_fabric(Rng& rng, std::uint32_t nodes, std::uint32_t gpus, int levels) {
  PoolFabric fabric;
  fabric.nodes = nodes;
  fabric.gpus = gpus;
  std::vector<std::uint32_t> below(nodes + 1);
  for (std::uint32_t node = 0; node <= nodes; ++node) below[node] = node;
  for (int index = 0; index < levels; ++index) {
    PoolFabric::Level level;
    level.fabric_level = static_cast<std::uint8_t>(index);
    level.first = {0};
    const bool root = index + 1 == levels;
    const auto most = static_cast<std::int64_t>(rng.chance(0.3) ? 200 : 8);
    for (std::size_t at = 0; at + 1 < below.size();) {
      const auto step = static_cast<std::size_t>(rng.between(1, most));
      at = root ? below.size() - 1 : std::min(at + step, below.size() - 1);
      level.largest = std::max(level.largest, below[at] - level.first.back());
      level.first.push_back(below[at]);
    }
    for (const std::uint32_t bound : level.first) {
      const auto child = std::lower_bound(below.begin(), below.end(), bound) - below.begin();
      level.first_child.push_back(static_cast<std::uint32_t>(child));
    }
    below = level.first;
    fabric.levels.push_back(std::move(level));
  }
  for (std::size_t index = 0; index + 1 < fabric.levels.size(); ++index) {
    const std::vector<std::uint32_t>& above = fabric.levels[index + 1].first;
    for (std::uint32_t vertex = 0; vertex < fabric.levels[index].vertices(); ++vertex) {
      const auto after = std::upper_bound(above.begin(), above.end(), fabric.levels[index].first[vertex]);
      fabric.levels[index].parent.push_back(static_cast<std::uint32_t>(after - above.begin()) - 1);
    }
  }
  for (std::uint32_t vertex = 0; vertex < fabric.levels[0].vertices(); ++vertex)
    fabric.vertex_of.insert(fabric.vertex_of.end(),
                            fabric.levels[0].first[vertex + 1] - fabric.levels[0].first[vertex], vertex);
  return fabric;
}

/// The order of the index's answers: exact up to 64, eight steps to an octave beyond.
std::uint32_t step_of(std::uint32_t count) {
  const std::uint32_t width = std::bit_floor(count) / 8;
  return count <= 64 ? count : count / width * width + 1;
}

class Model {
 public:
  explicit Model(const PoolFabric& fabric) : fabric_(fabric), free_(fabric.nodes, 0) {}
  std::vector<std::uint32_t>& free() { return free_; }
  [[nodiscard]] std::uint32_t count(std::uint32_t level, std::uint32_t vertex, std::uint32_t g) const {
    const std::vector<std::uint32_t>& first = fabric_.levels[level].first;
    std::uint32_t count = 0;
    for (std::uint32_t node = first[vertex]; node < first[vertex + 1]; ++node)
      count += g == 0 ? free_[node] : free_[node] >= g;
    return count;
  }
  /// All vertices with at least `need`, tightest first.
  [[nodiscard]] std::vector<std::uint32_t> by_tightness(std::uint32_t level, std::uint32_t g,
                                                        std::uint32_t need) const {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> fitting;
    for (std::uint32_t vertex = 0; vertex < fabric_.levels[level].vertices(); ++vertex) {
      const std::uint32_t have = count(level, vertex, g);
      if (have >= need) fitting.emplace_back(step_of(have), vertex);
    }
    std::sort(fitting.begin(), fitting.end());
    std::vector<std::uint32_t> vertices;
    for (const auto& [step, vertex] : fitting) vertices.push_back(vertex);
    return vertices;
  }
  /// All vertices with any capacity, emptiest (most free) first, ties to the smallest id.
  [[nodiscard]] std::vector<std::uint32_t> by_capacity(std::uint32_t level, std::uint32_t g) const {
    std::vector<std::pair<std::int64_t, std::uint32_t>> some;
    for (std::uint32_t vertex = 0; vertex < fabric_.levels[level].vertices(); ++vertex) {
      const std::uint32_t have = count(level, vertex, g);
      if (have > 0) some.emplace_back(-std::int64_t{step_of(have)}, vertex);
    }
    std::sort(some.begin(), some.end());
    std::vector<std::uint32_t> vertices;
    for (const auto& [step, vertex] : some) vertices.push_back(vertex);
    return vertices;
  }

 private:
  const PoolFabric& fabric_;
  std::vector<std::uint32_t> free_;
};

void compare(const CapacityIndex& index, const Model& model, const PoolFabric& fabric, Rng& rng) {
  const auto g = static_cast<std::uint32_t>(rng.below(fabric.gpus + 1));
  for (std::uint32_t level = 0; level < fabric.levels.size(); ++level) {
    const bool root = level + 1 == fabric.levels.size();
    for (std::uint32_t vertex = 0; vertex < fabric.levels[level].vertices(); ++vertex) {
      const std::uint32_t want = model.count(level, vertex, g);
      if (root) {
        ASSERT_EQ(index.total(g), want);
      } else {
        ASSERT_EQ(index.count(level, vertex, g), want)
            << "level " << level << " vertex " << vertex << " g " << g;
      }
    }
    const auto need = static_cast<std::uint32_t>(rng.between(1, rng.chance(0.5) ? 4 : 90));
    std::uint32_t at = CapacityIndex::kNone;
    for (const std::uint32_t vertex : model.by_tightness(level, g, need)) {
      at = index.tightest(level, g, need, at);
      ASSERT_EQ(at, vertex) << "tightest, level " << level << " g " << g << " need " << need;
    }
    ASSERT_EQ(index.tightest(level, g, need, at), CapacityIndex::kNone);
    at = CapacityIndex::kNone;
    for (const std::uint32_t vertex : model.by_capacity(level, g)) {
      at = index.fullest_capacity(level, g, at);
      ASSERT_EQ(at, vertex) << "fullest capacity, level " << level << " g " << g;
    }
    if (at != CapacityIndex::kNone) {
      ASSERT_EQ(index.fullest_capacity(level, g, at), CapacityIndex::kNone);
    }
  }
}

TEST(CapacityIndex, AnswersEqualALinearScan) {
  for (const std::uint32_t gpus : {0U, 1U, 4U, 8U, 16U, 64U}) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      Rng rng = Rng(seed).split(gpus);
      const auto nodes = static_cast<std::uint32_t>(rng.between(1, seed % 2 == 0 ? 700 : 40));
      const PoolFabric fabric = random_fabric(rng, nodes, gpus, static_cast<int>(rng.between(1, 4)));
      CapacityIndex index(fabric);
      Model model(fabric);
      for (int step = 0; step < 120; ++step) {
        const auto first = static_cast<std::uint32_t>(rng.below(nodes));
        const auto after = static_cast<std::uint32_t>(rng.below(gpus + 1));
        std::uint32_t last = first;  // A run of nodes with equal counts changes together.
        while (last < nodes && model.free()[last] == model.free()[first]) ++last;
        if (rng.chance(0.5)) last = first + 1;
        index.change(first, last, model.free()[first], after);
        std::fill(model.free().begin() + first, model.free().begin() + last, after);
        ASSERT_NO_FATAL_FAILURE(compare(index, model, fabric, rng))
            << gpus << " GPUs, seed " << seed << ", step " << step;
        if (gpus == 0) continue;
        const auto exact = static_cast<std::uint32_t>(rng.between(1, gpus));
        const auto from = static_cast<std::uint32_t>(rng.below(nodes));
        const auto at = std::find(model.free().begin() + from, model.free().end(), exact);
        ASSERT_EQ(index.next_exact(exact, from), at == model.free().end()
                                                     ? CapacityIndex::kNone
                                                     : static_cast<std::uint32_t>(at - model.free().begin()));
      }
    }
  }
}

/// Equal counts give equal answers, however they came about: what snapshots rely on.
TEST(CapacityIndex, DependsOnTheCountsOnly) {
  Rng rng(7);
  const PoolFabric fabric = random_fabric(rng, 300, 8, 3);
  CapacityIndex wandering(fabric);
  std::vector<std::uint32_t> free(300, 0);
  for (int step = 0; step < 3000; ++step) {
    const auto node = static_cast<std::uint32_t>(rng.below(300));
    const auto after = static_cast<std::uint32_t>(rng.below(9));
    wandering.change(node, node + 1, free[node], after);
    free[node] = after;
  }
  CapacityIndex straight(fabric);
  for (std::uint32_t node = 300; node-- > 0;) straight.change(node, node + 1, 0, free[node]);
  for (std::uint32_t level = 0; level < 3; ++level) {
    for (std::uint32_t g = 0; g <= 8; ++g) {
      for (const std::uint32_t need : {1U, 3U, 20U, 80U}) {
        EXPECT_EQ(wandering.tightest(level, g, need), straight.tightest(level, g, need));
        EXPECT_EQ(wandering.fullest_capacity(level, g), straight.fullest_capacity(level, g));
      }
    }
  }
}

}  // namespace
}  // namespace gw::sched
