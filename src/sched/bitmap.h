// Bitmap: a set of small integers with 64-way summaries, so that "the first one at or after i" costs O(log
// n).
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace gw::sched {

class Bitmap {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  Bitmap() = default;
  explicit Bitmap(std::uint32_t size) : size_(size) {
    std::uint32_t words = (size + 63) / 64;
    for (;;) {
      levels_.emplace_back(words, 0);
      if (words <= 1) break;
      words = (words + 63) / 64;
    }
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool empty() const {
    return levels_.empty() || levels_.back().empty() || levels_.back()[0] == 0;
  }
  [[nodiscard]] bool test(std::uint32_t bit) const { return (levels_[0][bit / 64] >> (bit % 64)) & 1U; }

  void set(std::uint32_t bit) {
    for (std::vector<std::uint64_t>& level : levels_) {
      std::uint64_t& word = level[bit / 64];
      const bool was_empty = word == 0;
      word |= std::uint64_t{1} << (bit % 64);
      if (!was_empty) return;
      bit /= 64;
    }
  }

  void clear(std::uint32_t bit) {
    for (std::vector<std::uint64_t>& level : levels_) {
      std::uint64_t& word = level[bit / 64];
      word &= ~(std::uint64_t{1} << (bit % 64));
      if (word != 0) return;
      bit /= 64;
    }
  }

  /// Sets all of [first, last).
  void set_range(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t at = first; at < last;) {
      const std::uint32_t end = std::min(last, (at / 64 + 1) * 64);
      std::uint64_t& word = levels_[0][at / 64];
      const bool was_empty = word == 0;
      word |= mask(at % 64, end - at);
      if (was_empty) set_summary(at / 64);
      at = end;
    }
  }

  /// Clears all of [first, last).
  void clear_range(std::uint32_t first, std::uint32_t last) {
    for (std::uint32_t at = first; at < last;) {
      const std::uint32_t end = std::min(last, (at / 64 + 1) * 64);
      std::uint64_t& word = levels_[0][at / 64];
      word &= ~mask(at % 64, end - at);
      if (word == 0) clear_summary(at / 64);
      at = end;
    }
  }

  /// The smallest member >= from, or kNone.
  [[nodiscard]] std::uint32_t next(std::uint32_t from) const {
    if (from >= size_) return kNone;
    std::uint32_t index = from;
    for (std::size_t level = 0; level < levels_.size(); ++level) {
      const std::uint32_t word_index = index / 64;
      if (word_index >= levels_[level].size()) return kNone;
      const std::uint64_t rest = levels_[level][word_index] >> (index % 64);
      if (rest != 0) {
        index += static_cast<std::uint32_t>(std::countr_zero(rest));
        while (level > 0) {  // Down to the member itself.
          --level;
          index = index * 64 + static_cast<std::uint32_t>(std::countr_zero(levels_[level][index]));
        }
        return index;
      }
      index = word_index + 1;
    }
    return kNone;
  }

  /// The largest member <= from, or kNone.
  [[nodiscard]] std::uint32_t previous(std::uint32_t from) const {
    if (size_ == 0) return kNone;
    std::uint32_t index = std::min(from, size_ - 1);
    for (std::size_t level = 0; level < levels_.size(); ++level) {
      const std::uint64_t rest = levels_[level][index / 64] << (63 - index % 64);
      if (rest != 0) {
        index -= static_cast<std::uint32_t>(std::countl_zero(rest));
        while (level > 0) {
          --level;
          index = index * 64 + 63 - static_cast<std::uint32_t>(std::countl_zero(levels_[level][index]));
        }
        return index;
      }
      if (index / 64 == 0) return kNone;
      index = index / 64 - 1;
    }
    return kNone;
  }

  [[nodiscard]] const std::vector<std::uint64_t>& words() const { return levels_[0]; }

 private:
  static std::uint64_t mask(std::uint32_t first, std::uint32_t count) {
    const std::uint64_t ones = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    return ones << first;
  }
  void set_summary(std::uint32_t bit) {
    for (std::size_t level = 1; level < levels_.size(); ++level) {
      std::uint64_t& word = levels_[level][bit / 64];
      const bool was_empty = word == 0;
      word |= std::uint64_t{1} << (bit % 64);
      if (!was_empty) return;
      bit /= 64;
    }
  }
  void clear_summary(std::uint32_t bit) {
    for (std::size_t level = 1; level < levels_.size(); ++level) {
      std::uint64_t& word = levels_[level][bit / 64];
      word &= ~(std::uint64_t{1} << (bit % 64));
      if (word != 0) return;
      bit /= 64;
    }
  }

  std::uint32_t size_ = 0;
  std::vector<std::vector<std::uint64_t>> levels_;
};

}  // namespace gw::sched
