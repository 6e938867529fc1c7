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
  if (first_.empty() || place <= first_.back()) return 0;
  const auto at = std::partition_point(rest_.begin(), rest_.end(),
                                       [&](const Block& block) { return block.back() < place; });
  return 1 + static_cast<std::size_t>(at - rest_.begin());
}

void SaveOrder::insert(const Key& key) {
  const Place place = place_of(key);
  ++size_;
  const std::size_t which = std::min(block_of(place), rest_.size());
  Block& block = which == 0 ? first_ : rest_[which - 1];
  block.insert(std::lower_bound(block.begin(), block.end(), place), place);
  if (block.size() < kBlock) return;
  const auto half = block.begin() + kBlock / 2;
  Block upper(half, block.end());
  block.erase(half, block.end());
  rest_.insert(rest_.begin() + static_cast<std::ptrdiff_t>(which), std::move(upper));
}

void SaveOrder::erase(const Key& key) {
  const Place place = place_of(key);
  const std::size_t which = block_of(place);
  GW_CHECK(which < blocks());
  Block& block = which == 0 ? first_ : rest_[which - 1];
  const auto at = std::lower_bound(block.begin(), block.end(), place);
  GW_CHECK(*at == place);
  --size_;
  block.erase(at);
  if (!block.empty() || rest_.empty()) return;
  const std::size_t gone = std::max<std::size_t>(which, 1) - 1;
  if (which == 0) first_ = std::move(rest_.front());
  rest_.erase(rest_.begin() + static_cast<std::ptrdiff_t>(gone));
}

bool SaveOrder::has(const Key& key) const {
  const Place place = place_of(key);
  const std::size_t which = block_of(place);
  return which < blocks() && std::binary_search(block(which).begin(), block(which).end(), place);
}

SaveOrder::Walk SaveOrder::walk(Moment& moment) const {
  Walk walk;
  walk.order_ = this;
  walk.left_ = size_;
  if (empty()) return walk;
  if (std::exchange(moment.period, period_) != period_) moment.in_interval = in_interval(moment.now);
  walk.now_ = moment.in_interval;
  std::size_t before = blocks();
  if (period_ != 0) {
    // Those of the second that has begun may have saved already.
    std::int64_t second = seconds_up(walk.now_);
    if (second == period_) {
      second = 0;
      walk.now_ -= period_ * kNanosecondsPerSecond;
    }
    const Place last{second, UINT32_MAX, UINT32_MAX};
    before = block_of(last);
    if (before < blocks()) {
      const Block& here = block(before);
      const auto at = std::upper_bound(here.begin(), here.end(), last);
      if (at != here.begin()) {
        walk.go_to(before, static_cast<std::size_t>(at - here.begin()) - 1);
        return walk;
      }
    }
  }
  walk.block_ = before;
  walk.go_back();
  return walk;
}

}  // namespace gw::sched
