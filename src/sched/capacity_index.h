// CapacityIndex: which nodes of a pool have how many free GPUs, summed over the fabric, so that the smallest
// span that holds a gang is found in time logarithmic in the fleet.
//
// For every fabric level and every g, the vertices are kept in buckets by the number of their nodes with at
// least g free GPUs (and, for g = 0, by the number of free GPUs). Best fit is then "the first vertex in the
// first non-empty bucket from N up". Buckets are exact up to 64 and eight to an octave beyond. All ties go to
// the smallest id, so the answer depends on the free counts only, not on how they came about.
#pragma once

#include <cstdint>
#include <vector>

#include "sched/bitmap.h"

namespace gw::sched {

/// The fabric over one pool's nodes, numbered 0..nodes-1 in fabric order. Shared by the pool's indices.
struct PoolFabric {
  struct Level {
    std::vector<std::uint32_t> first;   ///< Vertex v holds [first[v], first[v + 1]).
    std::vector<std::uint32_t> parent;  ///< Vertex of the next level; empty for the last.
    std::vector<std::uint32_t>
        first_child;                ///< Of the level below (nodes for level 0): [first_child[v], [v + 1]).
    std::uint8_t fabric_level = 0;  ///< Index into Fleet::fabric.
    std::uint32_t largest = 0;      ///< Nodes of the largest vertex.
    [[nodiscard]] std::uint32_t vertices() const { return static_cast<std::uint32_t>(first.size() - 1); }
  };
  std::uint32_t nodes = 0;
  std::uint32_t gpus = 1;                ///< Per node.
  std::vector<Level> levels;             ///< Smallest first; the last has one vertex.
  std::vector<std::uint32_t> vertex_of;  ///< Level-0 vertex of each node.
};

class CapacityIndex {
 public:
  static constexpr std::uint32_t kNone = Bitmap::kNone;

  /// All nodes start with no free GPUs.
  explicit CapacityIndex(const PoolFabric& fabric);

  /// Sets the free GPUs of the nodes [first, last), which all have `before` now, to `after`.
  void change(std::uint32_t first, std::uint32_t last, std::uint32_t before, std::uint32_t after);

  /// Nodes with at least g free GPUs (g >= 1), or free GPUs (g == 0), in all.
  [[nodiscard]] std::int64_t total(std::uint32_t g) const { return total_[g]; }
  /// The same inside a vertex.
  [[nodiscard]] std::uint32_t count(std::uint32_t level, std::uint32_t vertex, std::uint32_t g) const {
    return levels_[level].count[vertex * stride_ + g];
  }
  /// The tightest vertex of `level` that holds at least `need`; a later one than `after` in search order
  /// where `after` is given (for callers with further conditions). kNone if there is none.
  [[nodiscard]] std::uint32_t tightest(std::uint32_t level, std::uint32_t g, std::uint32_t need,
                                       std::uint32_t after = kNone) const;
  /// The emptiest vertex of `level` in bucket order, `after` a former answer (kNone: the first). For
  /// spreading a gang over as few vertices as possible.
  [[nodiscard]] std::uint32_t fullest_capacity(std::uint32_t level, std::uint32_t g,
                                               std::uint32_t after = kNone) const;
  /// The first node >= from with exactly `free` free GPUs (free >= 1), or kNone.
  [[nodiscard]] std::uint32_t next_exact(std::uint32_t free, std::uint32_t from) const {
    return exact_[free].next(from);
  }
  [[nodiscard]] const Bitmap& exact(std::uint32_t free) const { return exact_[free]; }
  [[nodiscard]] const PoolFabric& fabric() const { return *fabric_; }

 private:
  struct Level {
    std::vector<std::uint32_t> count;      ///< [vertex * stride + g]
    BitmapRows buckets;                    ///< [first_row[g] + bucket] -> vertices; none for the root level.
    std::vector<std::uint32_t> first_row;  ///< [g]
    std::vector<Bitmap> filled;            ///< [g] -> non-empty buckets.
  };
  static std::uint32_t bucket_of(std::uint32_t count);
  void add(std::uint32_t level, std::uint32_t vertex, std::uint32_t g, std::int64_t delta);

  const PoolFabric* fabric_;
  std::uint32_t stride_;
  std::vector<Level> levels_;
  std::vector<Bitmap> exact_;        ///< [free] -> nodes; index 0 unused.
  std::vector<std::int64_t> total_;  ///< [g]
};

}  // namespace gw::sched
