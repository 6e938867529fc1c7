// ShapesAlive: the shape classes that may still fit during one pass, as the queue can ask for them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "sched/state.h"

namespace gw::sched {

/// Changes whenever a job of the class could newly fit: what has failed at a version fails again at it.
inline std::uint64_t pools_version(const State& state, const ShapeClasses::Class& shape) {
  std::uint64_t version = 0;
  for (const std::uint32_t pool : shape.pools) version += state.pools[pool]->version();
  return version;
}

/// Waiting shape classes that may fit now in one view; the queue sees them through their numbers modulo 64.
class ShapesAlive {
 public:
  [[nodiscard]] std::uint64_t tags() const { return tags_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  void reset(std::uint32_t classes) {
    if (size_ > 0) counts_.fill(0);  // Each that was removed has been taken off its count.
    tags_ = 0;
    size_ = 0;
    alive_.assign(classes, false);
    ids_.clear();
  }
  void add(std::uint32_t id) {
    alive_[id] = true;
    ids_.push_back(id);
    ++size_;
    ++counts_[id % 64];
    tags_ |= std::uint64_t{1} << (id % 64);
  }
  void remove(std::uint32_t id) {
    if (!alive_[id]) return;
    alive_[id] = false;
    --size_;
    if (--counts_[id % 64] == 0) tags_ &= ~(std::uint64_t{1} << (id % 64));
  }

  /// Removes those for which keep(id) does not hold.
  template <class Keep>
  void filter(Keep&& keep) {
    std::erase_if(ids_, [&](std::uint32_t id) {
      if (alive_[id] && !keep(id)) remove(id);
      return !alive_[id];
    });
  }

 private:
  std::uint64_t tags_ = 0;
  std::size_t size_ = 0;
  std::array<std::uint32_t, 64> counts_{};
  std::vector<bool> alive_;
  std::vector<std::uint32_t> ids_;  ///< All alive ones, and some that are not any more.
};

}  // namespace gw::sched
