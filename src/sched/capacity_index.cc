// Updates and searches of the capacity index.
#include "sched/capacity_index.h"

#include "base/check.h"

namespace gw::sched {

std::uint32_t CapacityIndex::bucket_of(std::uint32_t count) {
  if (count <= 64) return count;
  const auto octave = static_cast<std::uint32_t>(std::bit_width(count) - 1);  // >= 6
  return 64 + (octave - 6) * 8 + ((count >> (octave - 3)) & 7U) + 1;
}

CapacityIndex::CapacityIndex(const PoolFabric& fabric)
    : fabric_(&fabric), stride_(fabric.gpus + 1), exact_(fabric.gpus + 1), total_(fabric.gpus + 1) {
  for (std::uint32_t free = 1; free <= fabric.gpus; ++free) exact_[free] = Bitmap(fabric.nodes);
  for (const PoolFabric::Level& shape : fabric.levels) {
    Level level;
    if (&shape != &fabric.levels.back()) {
      level.count.assign(std::size_t{shape.vertices()} * stride_, 0);
      std::uint32_t rows = 0;
      for (std::uint32_t g = 0; g < stride_; ++g) {
        const std::uint32_t most = bucket_of(shape.largest * (g == 0 ? fabric.gpus : 1));
        level.first_row.push_back(rows);
        level.filled.emplace_back(most + 1);
        level.filled[g].set(0);
        rows += most + 1;
      }
      level.buckets = BitmapRows(rows, shape.vertices());
      for (const std::uint32_t row : level.first_row) level.buckets.set_range(row, 0, shape.vertices());
    }
    levels_.push_back(std::move(level));
  }
}

void CapacityIndex::add(std::uint32_t level_index, std::uint32_t vertex, std::uint32_t g,
                        std::int64_t delta) {
  Level& level = levels_[level_index];
  std::uint32_t& count = level.count[vertex * stride_ + g];
  const std::uint32_t before = bucket_of(count);
  count = static_cast<std::uint32_t>(count + delta);
  const std::uint32_t after = bucket_of(count);
  if (before == after) return;
  const std::uint32_t first_row = level.first_row[g];
  level.buckets.clear(first_row + before, vertex);
  if (level.buckets.empty(first_row + before)) level.filled[g].clear(before);
  level.buckets.set(first_row + after, vertex);
  level.filled[g].set(after);
}

void CapacityIndex::change(std::uint32_t first, std::uint32_t last, std::uint32_t before,
                           std::uint32_t after) {
  if (before == after || first >= last) return;
  if (before > 0) exact_[before].clear_range(first, last);
  if (after > 0) exact_[after].set_range(first, last);
  const std::uint32_t low = std::min(before, after) + 1;
  const std::uint32_t high = std::max(before, after);
  const std::int64_t sign = after > before ? 1 : -1;
  const std::int64_t nodes = last - first;
  for (std::uint32_t g = low; g <= high; ++g) total_[g] += sign * nodes;
  const std::int64_t gpus = sign * (high - low + 1);
  total_[0] += gpus * nodes;
  if (levels_.size() <= 1) return;
  std::uint32_t vertex = fabric_->vertex_of[first];
  for (std::uint32_t level = 0; level + 1 < levels_.size(); ++level) {
    const std::vector<std::uint32_t>& bounds = fabric_->levels[level].first;
    for (std::uint32_t at = first, v = vertex; at < last; ++v) {
      const std::uint32_t end = std::min(last, bounds[v + 1]);
      const std::int64_t inside = end - at;
      for (std::uint32_t g = low; g <= high; ++g) add(level, v, g, sign * inside);
      add(level, v, 0, gpus * inside);
      at = end;
    }
    vertex = fabric_->levels[level].parent[vertex];
  }
}

std::uint32_t CapacityIndex::tightest(std::uint32_t level_index, std::uint32_t g, std::uint32_t need,
                                      std::uint32_t after) const {
  if (level_index + 1 == levels_.size()) return after == kNone && total_[g] >= need ? 0 : kNone;
  const Level& level = levels_[level_index];
  std::uint32_t bucket = bucket_of(need);
  std::uint32_t from = 0;
  if (after != kNone) {
    bucket = bucket_of(level.count[after * stride_ + g]);
    from = after + 1;
  }
  if (bucket >= level.filled[g].size()) return kNone;
  const std::uint32_t first_row = level.first_row[g];
  for (;;) {
    for (std::uint32_t v = level.buckets.next(first_row + bucket, from); v != kNone;
         v = level.buckets.next(first_row + bucket, v + 1)) {
      if (level.count[v * stride_ + g] >= need) return v;  // Only the first bucket can hold smaller ones.
    }
    bucket = level.filled[g].next(bucket + 1);
    if (bucket == kNone) return kNone;
    from = 0;
  }
}

std::uint32_t CapacityIndex::fullest_capacity(std::uint32_t level_index, std::uint32_t g,
                                              std::uint32_t after) const {
  if (level_index + 1 == levels_.size()) return after == kNone && total_[g] > 0 ? 0 : kNone;
  const Level& level = levels_[level_index];
  const std::uint32_t first_row = level.first_row[g];
  std::uint32_t bucket = 0;
  if (after == kNone) {
    bucket = level.filled[g].previous(level.filled[g].size() - 1);
    return bucket == 0 || bucket == kNone ? kNone : level.buckets.next(first_row + bucket, 0);
  }
  bucket = bucket_of(level.count[after * stride_ + g]);
  const std::uint32_t same = level.buckets.next(first_row + bucket, after + 1);
  if (same != kNone) return same;
  bucket = bucket == 0 ? kNone : level.filled[g].previous(bucket - 1);
  return bucket == 0 || bucket == kNone ? kNone : level.buckets.next(first_row + bucket, 0);
}

}  // namespace gw::sched
