// A sorted list in blocks, walked downwards and around.
#include "sched/save_order.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace gw::sched {
namespace {

std::int64_t seconds_up(std::int64_t nanoseconds) {
  return nanoseconds / kNanosecondsPerSecond + (nanoseconds % kNanosecondsPerSecond > 0 ? 1 : 0);
}

}  // namespace

std::int64_t SaveOrder::in_interval(Instant when) const {
  if (period_ == 0) return when.count();
  const std::int64_t length = period_ * kNanosecondsPerSecond;
  const std::int64_t rest = when.count() % length;
  return rest < 0 ? rest + length : rest;
}

SaveOrder::Place SaveOrder::place_of(const Key& key) const {
  const std::int64_t second = seconds_up(in_interval(key.started));
  return {period_ != 0 && second == period_ ? 0 : second, ~key.first_node, key.slot};
}

std::size_t SaveOrder::block_of(const Place& place) const {
  const auto at = std::partition_point(blocks_.begin(), blocks_.end(),
                                       [&](const Block& block) { return block.back() < place; });
  return static_cast<std::size_t>(at - blocks_.begin());
}

void SaveOrder::insert(const Key& key) {
  const Place place = place_of(key);
  ++size_;
  if (blocks_.empty()) {
    blocks_.push_back({place});
    return;
  }
  const std::size_t which = std::min(block_of(place), blocks_.size() - 1);
  Block& block = blocks_[which];
  block.insert(std::lower_bound(block.begin(), block.end(), place), place);
  if (block.size() < kBlock) return;
  const auto half = block.begin() + kBlock / 2;
  Block upper(half, block.end());
  block.erase(half, block.end());
  blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(which) + 1, std::move(upper));
}

void SaveOrder::erase(const Key& key) {
  const Place place = place_of(key);
  const std::size_t which = block_of(place);
  GW_CHECK(which < blocks_.size());
  Block& block = blocks_[which];
  const auto at = std::lower_bound(block.begin(), block.end(), place);
  GW_CHECK(*at == place);
  --size_;
  block.erase(at);
  if (block.empty()) blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(which));
}

bool SaveOrder::has(const Key& key) const {
  const Place place = place_of(key);
  const std::size_t which = block_of(place);
  return which < blocks_.size() && std::binary_search(blocks_[which].begin(), blocks_[which].end(), place);
}

SaveOrder::Walk SaveOrder::walk(Moment& moment) const {
  Walk walk;
  walk.order_ = this;
  walk.left_ = size_;
  if (blocks_.empty()) return walk;
  if (std::exchange(moment.period, period_) != period_) moment.in_interval = in_interval(moment.now);
  walk.now_ = moment.in_interval;
  walk.block_ = blocks_.size();
  if (period_ != 0) {
    // Those of the second that has begun may have saved already.
    std::int64_t second = seconds_up(walk.now_);
    if (second == period_) {
      second = 0;
      walk.now_ -= period_ * kNanosecondsPerSecond;
    }
    const Place last{second, UINT32_MAX, UINT32_MAX};
    walk.block_ = block_of(last);
    if (walk.block_ < blocks_.size()) {
      const Block& block = blocks_[walk.block_];
      walk.index_ =
          static_cast<std::size_t>(std::upper_bound(block.begin(), block.end(), last) - block.begin());
      if (walk.index_ > 0) {
        --walk.index_;
        return walk;
      }
    }
    if (walk.block_ == 0) walk.wrap();
  }
  --walk.block_;
  walk.index_ = blocks_[walk.block_].size() - 1;
  return walk;
}

void SaveOrder::Walk::next() {
  if (--left_ == 0) return;
  if (index_ > 0) {
    --index_;
    return;
  }
  if (block_ == 0) wrap();
  --block_;
  index_ = order_->blocks_[block_].size() - 1;
}

}  // namespace gw::sched
