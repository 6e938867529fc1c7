// Block handling and the bounded search of the pending queue.
#include "sched/pending_queue.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace gw::sched {

void PendingQueue::summarise(std::size_t index) {
  const Block& block = *blocks_[index];
  std::int32_t demand = std::numeric_limits<std::int32_t>::max();
  std::int32_t limit = std::numeric_limits<std::int32_t>::max();
  for (std::uint32_t at = 0; at < kBlock; ++at) {
    demand = std::min(demand, block.demand[at]);
    limit = std::min(limit, block.limit[at]);
  }
  std::uint64_t tags = 0;
  for (std::uint32_t at = 0; at < block.count; ++at) tags |= std::uint64_t{1} << block.tag[at];
  summaries_[index] = Summary{demand, limit, tags};
}

void PendingQueue::move_entry(const Block& from, std::uint32_t at, Block& to, std::uint32_t index) {
  to.demand[index] = from.demand[at];
  to.limit[index] = from.limit[at];
  to.tag[index] = from.tag[at];
  to.key[index] = from.key[at];
  to.job[index] = from.job[at];
  to.since[index] = from.since[at];
}

std::uint32_t PendingQueue::position(const Block& block, std::int64_t key, JobId job) const {
  std::uint32_t low = 0;
  std::uint32_t high = block.count;
  while (low < high) {
    const std::uint32_t middle = (low + high) / 2;
    const bool before = block.key[middle] != key ? block.key[middle] < key : block.job[middle] < job;
    if (before) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// The first block whose last entry is not before (key, job); the last block if there is none.
std::size_t PendingQueue::block_of(std::int64_t key, JobId job) const {
  const auto at = std::partition_point(blocks_.begin(), blocks_.end(), [&](const auto& block) {
    const std::uint32_t last = block->count - 1;
    return block->key[last] != key ? block->key[last] < key : block->job[last] < job;
  });
  return std::min(static_cast<std::size_t>(at - blocks_.begin()), blocks_.size() - 1);
}

Instant PendingQueue::oldest() const {
  Instant oldest = Instant::max();
  for (const auto& block : blocks_) {
    for (std::uint32_t at = 0; at < block->count; ++at) oldest = std::min(oldest, block->since[at]);
  }
  return oldest;
}

void PendingQueue::insert(const Entry& entry) {
  if (blocks_.empty()) {
    blocks_.push_back(make_owned<Block>());
    summaries_.push_back({});
    summarise(0);
  }
  std::size_t index = size_ == 0 ? 0 : block_of(entry.key, entry.job);
  if (blocks_[index]->count == kBlock) {
    Block& lower = *blocks_[index];
    const std::uint32_t at = position(lower, entry.key, entry.job);
    // At the very end of the queue (the usual case of arrivals) a fresh block keeps the old one full.
    const std::uint32_t keep = at == kBlock && index + 1 == blocks_.size() ? kBlock : kBlock / 2;
    auto upper = make_owned<Block>();
    for (std::uint32_t from = keep; from < kBlock; ++from) {
      move_entry(lower, from, *upper, from - keep);
      lower.demand[from] = lower.limit[from] = std::numeric_limits<std::int32_t>::max();
    }
    upper->count = kBlock - keep;
    lower.count = keep;
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(upper));
    summaries_.insert(summaries_.begin() + static_cast<std::ptrdiff_t>(index) + 1, Summary{});
    summarise(index);
    summarise(index + 1);
    if (at > keep || keep == kBlock) ++index;
  }
  Block& block = *blocks_[index];
  const std::uint32_t at = position(block, entry.key, entry.job);
  const auto open_gap = [&](auto& column) {
    std::move_backward(column.begin() + at, column.begin() + block.count, column.begin() + block.count + 1);
  };
  open_gap(block.demand);
  open_gap(block.limit);
  open_gap(block.tag);
  open_gap(block.key);
  open_gap(block.job);
  open_gap(block.since);
  block.demand[at] = entry.demand;
  block.limit[at] = entry.limit;
  block.tag[at] = entry.tag;
  block.key[at] = entry.key;
  block.job[at] = entry.job;
  block.since[at] = entry.since;
  ++block.count;
  Summary& summary = summaries_[index];
  summary.least_demand = std::min(summary.least_demand, entry.demand);
  summary.least_limit = std::min(summary.least_limit, entry.limit);
  summary.tags |= std::uint64_t{1} << entry.tag;
  ++size_;
}

void PendingQueue::erase(std::int64_t key, JobId job) {
  GW_CHECK(size_ > 0);
  const auto index = static_cast<std::uint32_t>(block_of(key, job));
  const std::uint32_t at = position(*blocks_[index], key, job);
  GW_CHECK(at < blocks_[index]->count && blocks_[index]->job[at] == job && blocks_[index]->key[at] == key);
  erase(Cursor{index, at});
}

PendingQueue::Cursor PendingQueue::erase(Cursor at) {
  Block& block = *blocks_[at.block];
  const std::int32_t demand = block.demand[at.index];
  const std::int32_t limit = block.limit[at.index];
  const std::uint8_t tag = block.tag[at.index];
  const auto close_gap = [&](auto& column) {
    std::move(column.begin() + at.index + 1, column.begin() + block.count, column.begin() + at.index);
  };
  close_gap(block.demand);
  close_gap(block.limit);
  close_gap(block.tag);
  close_gap(block.key);
  close_gap(block.job);
  close_gap(block.since);
  --block.count;
  block.demand[block.count] = block.limit[block.count] = std::numeric_limits<std::int32_t>::max();
  --size_;
  if (block.count == 0) {
    blocks_.erase(blocks_.begin() + at.block);
    summaries_.erase(summaries_.begin() + at.block);
    return Cursor{at.block, 0};
  }
  const Summary& summary = summaries_[at.block];
  const std::uint8_t* const tags = block.tag.data();
  if (demand == summary.least_demand || limit == summary.least_limit ||
      std::find(tags, tags + block.count, tag) == tags + block.count)
    summarise(at.block);
  // A thin block joins its neighbour so that scans stay dense.
  if (block.count <= kBlock / 4 && at.block > 0 &&
      blocks_[at.block - 1]->count + block.count <= kBlock * 3 / 4) {
    Block& left = *blocks_[at.block - 1];
    for (std::uint32_t from = 0; from < block.count; ++from) {
      move_entry(block, from, left, left.count + from);
    }
    const std::uint32_t moved = left.count + at.index;
    left.count += block.count;
    blocks_.erase(blocks_.begin() + at.block);
    summaries_.erase(summaries_.begin() + at.block);
    summarise(at.block - 1);
    return moved < left.count ? Cursor{at.block - 1, moved} : Cursor{at.block, 0};
  }
  return at.index < block.count ? at : Cursor{at.block + 1, 0};
}

PendingQueue::Cursor PendingQueue::lower_bound(std::int64_t key, JobId job) const {
  if (size_ == 0) return {};
  const auto index = static_cast<std::uint32_t>(block_of(key, job));
  const std::uint32_t at = position(*blocks_[index], key, job);
  return at < blocks_[index]->count ? Cursor{index, at} : Cursor{index + 1, 0};
}

PendingQueue::Cursor PendingQueue::find(Cursor from, const Bounds& bounds) const {
  const auto blocks = static_cast<std::uint32_t>(blocks_.size());
  if (bounds.free < 0) return Cursor{blocks, 0};
  const auto may_start = [&](const Block& block, std::uint32_t at) {
    return (block.demand[at] <= bounds.spare && ((bounds.open_tags >> block.tag[at]) & 1U) != 0) ||
           (block.limit[at] <= bounds.window && ((bounds.held_tags >> block.tag[at]) & 1U) != 0);
  };
  // Often it is the very first, as where nothing is asked of it.
  if (from.block < blocks && from.index < blocks_[from.block]->count &&
      blocks_[from.block]->demand[from.index] <= bounds.free && may_start(*blocks_[from.block], from.index))
    return from;
  for (std::uint32_t index = from.block; index < blocks; ++index) {
    if (!summaries_[index].may_meet(bounds)) continue;
    const Block& block = *blocks_[index];
    const std::uint32_t start = index == from.block ? from.index : 0;
    for (std::uint32_t group = start / 16 * 16; group < block.count; group += 16) {
      std::uint8_t lanes[16];
      for (std::uint32_t lane = 0; lane < 16; ++lane) {  // Branch-free: the compiler vectorises it.
        const std::int32_t demand = block.demand[group + lane];
        const std::int32_t limit = block.limit[group + lane];
        lanes[lane] = static_cast<std::uint8_t>((demand <= bounds.free) &
                                                ((demand <= bounds.spare) | (limit <= bounds.window)));
      }
      std::uint64_t halves[2];
      std::memcpy(halves, lanes, sizeof halves);
      if ((halves[0] | halves[1]) == 0) continue;
      std::uint32_t hits = 0;
      for (std::uint32_t lane = 0; lane < 16; ++lane) hits |= static_cast<std::uint32_t>(lanes[lane]) << lane;
      if (group < start) hits &= ~std::uint32_t{0} << (start - group);
      const std::uint32_t valid = std::min<std::uint32_t>(16, block.count - group);
      hits &= (std::uint32_t{1} << valid) - 1;
      for (; hits != 0; hits &= hits - 1) {
        const std::uint32_t at = group + static_cast<std::uint32_t>(std::countr_zero(hits));
        if (may_start(block, at)) return Cursor{index, at};
      }
    }
  }
  return Cursor{blocks, 0};
}

}  // namespace gw::sched
