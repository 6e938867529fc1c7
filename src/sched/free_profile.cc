// The blocks of a profile of free GPUs.
#include "sched/free_profile.h"

#include <algorithm>

#include "base/check.h"

namespace gw::sched {
namespace {

/// The end of a slot; what lies beyond all time never comes (a slot that begins there is none).
Instant end_of(Instant from, Nanoseconds span) {
  return from > Instant::max() - span ? Instant::max() : from + span;
}

}  // namespace

void FreeProfile::Block::summarise() {
  const auto [low, high] = std::minmax_element(steps.begin(), steps.end(),
                                               [](const Step& a, const Step& b) { return a.free < b.free; });
  least = low->free;
  most = high->free;
}

void FreeProfile::reset(Instant now, std::int64_t free) {
  blocks_.resize(1);
  blocks_[0].steps.assign(1, {now, free});
  blocks_[0].add = 0;
  blocks_[0].summarise();
  windows_.clear();
}

void FreeProfile::append(Instant from, std::int64_t more) {
  windows_.clear();
  Step& last = blocks_.back().steps.back();
  const std::int64_t free = last.free + blocks_.back().add + more;
  if (last.from == from) {
    last.free += more;
    blocks_.back().summarise();
    return;
  }
  GW_CHECK(from > last.from);
  if (blocks_.back().steps.size() == kBlock) {
    blocks_.emplace_back();
    blocks_.back().steps.reserve(kBlock);
    blocks_.back().least = blocks_.back().most = free;
  }
  Block& block = blocks_.back();
  block.steps.push_back({from, free - block.add});
  block.least = std::min(block.least, free - block.add);
  block.most = std::max(block.most, free - block.add);
}

void FreeProfile::advance(Instant now) {
  windows_.clear();
  std::size_t block = 0;
  while (block + 1 < blocks_.size() && blocks_[block + 1].steps.front().from <= now) ++block;
  blocks_.erase(blocks_.begin(), blocks_.begin() + static_cast<std::ptrdiff_t>(block));
  std::vector<Step>& steps = blocks_[0].steps;
  std::size_t first = 0;
  while (first + 1 < steps.size() && steps[first + 1].from <= now) ++first;
  steps.erase(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(first));
  steps[0].from = std::max(steps[0].from, now);
  blocks_[0].summarise();
}

Nanoseconds FreeProfile::window(std::int64_t need) const {
  for (const auto& [asked, answer] : windows_) {
    if (asked == need) return answer;
  }
  Nanoseconds window = Nanoseconds::max();
  for (const Block& block : blocks_) {
    if (block.least + block.add >= need) continue;
    const auto at = std::find_if(block.steps.begin(), block.steps.end(),
                                 [&](const Step& step) { return step.free + block.add < need; });
    window = at->from - blocks_[0].steps[0].from;
    break;
  }
  windows_.emplace_back(need, window);
  return window;
}

Instant FreeProfile::earliest(Nanoseconds span, std::int64_t need) const {
  bool open = false;  // A run of steps with enough free has begun,
  Instant start;      // here,
  Instant end;        // and suffices if it reaches this.
  for (const Block& block : blocks_) {
    if (block.most + block.add < need) {
      if (open && block.steps.front().from >= end) return start;
      open = false;
      continue;
    }
    if (open && block.least + block.add >= need) {
      if (block.steps.back().from >= end) return start;
      continue;
    }
    for (const Step& step : block.steps) {
      if (open && step.from >= end) return start;
      if (step.free + block.add < need) {
        open = false;
      } else if (!open) {
        open = true;
        start = step.from;
        end = end_of(start, span);
      }
    }
  }
  return open ? start : Instant::max();
}

std::size_t FreeProfile::block_of(Instant when) const {
  const auto at = std::partition_point(blocks_.begin(), blocks_.end(),
                                       [&](const Block& block) { return block.steps.front().from <= when; });
  GW_CHECK(at != blocks_.begin());
  return static_cast<std::size_t>(at - blocks_.begin()) - 1;
}

FreeProfile::Place FreeProfile::find(Instant when) const {
  const std::size_t block = block_of(when);
  const std::vector<Step>& steps = blocks_[block].steps;
  const auto at =
      std::partition_point(steps.begin(), steps.end(), [&](const Step& step) { return step.from < when; });
  GW_CHECK(at != steps.end() && at->from == when);
  return {block, static_cast<std::size_t>(at - steps.begin())};
}

void FreeProfile::split(Instant when) {
  const std::size_t index = block_of(when);
  std::vector<Step>& steps = blocks_[index].steps;
  const auto at =
      std::partition_point(steps.begin(), steps.end(), [&](const Step& step) { return step.from <= when; });
  const Step& before = *std::prev(at);
  if (before.from == when) return;
  steps.insert(at, Step{when, before.free});
  if (steps.size() <= kBlock) return;
  Block upper;
  upper.steps.reserve(kBlock);
  upper.steps.assign(steps.begin() + kBlock / 2, steps.end());
  upper.add = blocks_[index].add;
  upper.summarise();
  steps.resize(kBlock / 2);
  blocks_[index].summarise();
  blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(index) + 1, std::move(upper));
}

void FreeProfile::reserve(Instant from, Nanoseconds span, std::int64_t need) {
  windows_.clear();
  const Instant end = end_of(from, span);
  split(from);
  split(end);
  const Place first = find(from);
  const Place last = find(end);
  for (std::size_t index = first.block; index <= last.block; ++index) {
    Block& block = blocks_[index];
    const std::size_t begin = index == first.block ? first.index : 0;
    const std::size_t stop = index == last.block ? last.index : block.steps.size();
    if (begin == 0 && stop == block.steps.size()) {
      block.add -= need;
    } else if (begin < stop) {
      for (std::size_t at = begin; at < stop; ++at) block.steps[at].free -= need;
      block.summarise();
    }
    GW_CHECK(begin == stop || block.least + block.add >= 0);
  }
}

}  // namespace gw::sched
