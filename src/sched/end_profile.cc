// Block splits, merges and prefix sums of the end profile.
#include "sched/end_profile.h"

#include <algorithm>

#include "base/check.h"

namespace gw::sched {

/// The first block whose last entry is not before (end, job); the last block if there is none.
std::size_t EndProfile::block_of(Instant end, JobId job) const {
  const auto at = std::partition_point(lasts_.begin(), lasts_.end(),
                                       [&](const Entry& last) { return before(last, end, job); });
  return std::min(static_cast<std::size_t>(at - lasts_.begin()), blocks_.size() - 1);
}

void EndProfile::insert(Entry entry) {
  if (blocks_.empty()) {
    blocks_.push_back(make_owned<Block>());
    sums_.push_back(0);
    lasts_.push_back(entry);
  }
  std::size_t index = block_of(entry.end, entry.job);
  if (blocks_[index]->count == kBlock) {
    auto upper = make_owned<Block>();
    Block& lower = *blocks_[index];
    std::copy(lower.entries.begin() + kBlock / 2, lower.entries.end(), upper->entries.begin());
    upper->count = kBlock / 2;
    lower.count = kBlock / 2;
    std::int64_t sum = 0;
    for (std::uint32_t at = 0; at < upper->count; ++at) sum += upper->entries[at].amount;
    sums_[index] -= sum;
    lasts_.insert(lasts_.begin() + static_cast<std::ptrdiff_t>(index), lower.entries[kBlock / 2 - 1]);
    sums_.insert(sums_.begin() + static_cast<std::ptrdiff_t>(index) + 1, sum);
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(upper));
    index = block_of(entry.end, entry.job);
  }
  Block& block = *blocks_[index];
  Entry* const begin = block.entries.data();
  Entry* const at = std::partition_point(
      begin, begin + block.count, [&](const Entry& other) { return before(other, entry.end, entry.job); });
  std::move_backward(at, begin + block.count, begin + block.count + 1);
  *at = entry;
  ++block.count;
  sums_[index] += entry.amount;
  lasts_[index] = block.entries[block.count - 1];
  ++size_;
}

void EndProfile::erase(Instant end, JobId job) {
  GW_CHECK(!blocks_.empty());
  const std::size_t index = block_of(end, job);
  Block& block = *blocks_[index];
  Entry* const begin = block.entries.data();
  Entry* const at = std::partition_point(begin, begin + block.count,
                                         [&](const Entry& other) { return before(other, end, job); });
  GW_CHECK(at != begin + block.count && at->job == job && at->end == end);
  sums_[index] -= at->amount;
  std::move(at + 1, begin + block.count, at);
  --block.count;
  --size_;
  if (block.count == 0) {
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(index));
    sums_.erase(sums_.begin() + static_cast<std::ptrdiff_t>(index));
    lasts_.erase(lasts_.begin() + static_cast<std::ptrdiff_t>(index));
  } else {
    lasts_[index] = block.entries[block.count - 1];
  }
}

EndProfile::Answer EndProfile::reaches(std::int64_t free_now, std::int64_t need) const {
  std::int64_t free = free_now;
  std::size_t index = 0;
  while (index < blocks_.size() && free + sums_[index] < need) free += sums_[index++];
  if (index == blocks_.size()) return {Instant::max(), free};
  std::uint32_t at = 0;
  for (; free < need; ++at) free += blocks_[index]->entries[at].amount;
  const Instant when = at == 0 ? Instant{} : blocks_[index]->entries[at - 1].end;
  // What ends at the same instant counts too.
  for (; index < blocks_.size(); ++index, at = 0) {
    for (; at < blocks_[index]->count; ++at) {
      if (blocks_[index]->entries[at].end != when) return {when, free};
      free += blocks_[index]->entries[at].amount;
    }
  }
  return {when, free};
}

}  // namespace gw::sched
