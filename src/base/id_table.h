// IdTable: items found by job id; what has left takes no memory.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/ids.h"

namespace gw {

/// Open addressing from job id to slot; slots are reused, so memory follows the number of items at a time. T
/// has a member `JobId id`.
template <class T>
class IdTable {
 public:
  T& add(JobId id) {
    if ((used_ + 1) * 2 > keys_.size()) grow();
    std::uint32_t slot;
    if (free_.empty()) {
      slot = static_cast<std::uint32_t>(items_.size());
      items_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    place(id.value(), slot);
    ++used_;
    T& item = items_[slot];
    item = T{};
    item.id = id;
    return item;
  }

  [[nodiscard]] T* find(JobId id) {
    const std::size_t at = position(id);
    return at == kNowhere ? nullptr : &items_[slots_[at]];
  }
  [[nodiscard]] const T* find(JobId id) const {
    const std::size_t at = position(id);
    return at == kNowhere ? nullptr : &items_[slots_[at]];
  }
  [[nodiscard]] T& operator[](JobId id) {
    T* item = find(id);
    GW_CHECK(item != nullptr);
    return *item;
  }
  [[nodiscard]] const T& operator[](JobId id) const {
    const T* item = find(id);
    GW_CHECK(item != nullptr);
    return *item;
  }

  /// Memory for so many items at a time.
  void reserve(std::size_t count) {
    items_.reserve(count);
    while (count * 2 > keys_.size()) grow();
  }

  void remove(JobId id) {
    std::size_t at = position(id);
    GW_CHECK(at != kNowhere);
    items_[slots_[at]].id = JobId{};
    free_.push_back(slots_[at]);
    --used_;
    // Close the gap: move back every later entry of the run that may stand here.
    const std::size_t mask = keys_.size() - 1;
    std::size_t gap = at;
    for (std::size_t next = (at + 1) & mask; keys_[next] != kEmpty; next = (next + 1) & mask) {
      const std::size_t home = hash(keys_[next]) & mask;
      if (((next - home) & mask) >= ((next - gap) & mask)) {
        keys_[gap] = keys_[next];
        slots_[gap] = slots_[next];
        gap = next;
      }
    }
    keys_[gap] = kEmpty;
  }

  [[nodiscard]] std::size_t size() const { return used_; }

  /// Calls visit(item) for all items, in no meaningful order (never for decisions).
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const T& item : items_) {
      if (item.id.valid()) visit(item);
    }
  }

 private:
  static constexpr std::uint32_t kEmpty = JobId::kNone;
  static constexpr std::size_t kNowhere = ~std::size_t{0};
  static std::size_t hash(std::uint32_t key) { return (key * 0x9e3779b97f4a7c15ULL) >> 20; }

  [[nodiscard]] std::size_t position(JobId id) const {
    if (keys_.empty()) return kNowhere;
    const std::size_t mask = keys_.size() - 1;
    for (std::size_t at = hash(id.value()) & mask; keys_[at] != kEmpty; at = (at + 1) & mask) {
      if (keys_[at] == id.value()) return at;
    }
    return kNowhere;
  }
  void place(std::uint32_t key, std::uint32_t slot) {
    const std::size_t mask = keys_.size() - 1;
    std::size_t at = hash(key) & mask;
    while (keys_[at] != kEmpty) {
      GW_CHECK(keys_[at] != key);
      at = (at + 1) & mask;
    }
    keys_[at] = key;
    slots_[at] = slot;
  }
  void grow() {
    const std::vector<std::uint32_t> keys = std::move(keys_);
    const std::vector<std::uint32_t> slots = std::move(slots_);
    const std::size_t size = keys.empty() ? 64 : keys.size() * 2;
    keys_.assign(size, kEmpty);
    slots_.assign(size, 0);
    for (std::size_t at = 0; at < keys.size(); ++at) {
      if (keys[at] != kEmpty) place(keys[at], slots[at]);
    }
  }

  std::vector<T> items_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> keys_;
  std::vector<std::uint32_t> slots_;
  std::size_t used_ = 0;
};

}  // namespace gw
