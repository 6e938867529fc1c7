// Bitmap: a set of small integers with 64-way summaries, so that "the first one at or after i" costs O(log
// n).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace gw::sched {

/// What sets of integers below `size` have in common: where in a row of words their members and summaries
/// stand. Whoever calls gives the words of one set.
class BitmapLayout {
 public:
  static constexpr std::uint32_t kNone = 0xffffffffU;

  BitmapLayout() = default;
  explicit BitmapLayout(std::uint32_t size) : size_(size) {
    std::uint32_t words = (size + 63) / 64;
    for (;;) {
      start_[levels_++] = words_;
      words_ += words;
      if (words <= 1) break;
      words = (words + 63) / 64;
    }
    members_ = (size + 63) / 64;
  }

  [[nodiscard]] std::uint32_t size() const { return size_; }
  /// Of one set, with its summaries; the members come first.
  [[nodiscard]] std::uint32_t words() const { return words_; }
  [[nodiscard]] std::uint32_t member_words() const { return members_; }

  [[nodiscard]] bool empty(const std::uint64_t* words) const { return words_ == 0 || words[words_ - 1] == 0; }
  void set(std::uint64_t* words, std::uint32_t bit) const { set_from(0, words, bit); }
  void clear(std::uint64_t* words, std::uint32_t bit) const { clear_from(0, words, bit); }

  void set_range(std::uint64_t* words, std::uint32_t first, std::uint32_t last) const {
    for (std::uint32_t at = first; at < last;) {
      const std::uint32_t end = std::min(last, (at / 64 + 1) * 64);
      std::uint64_t& word = words[at / 64];
      const bool was_empty = word == 0;
      word |= mask(at % 64, end - at);
      if (was_empty) set_from(1, words, at / 64);
      at = end;
    }
  }
  void clear_range(std::uint64_t* words, std::uint32_t first, std::uint32_t last) const {
    for (std::uint32_t at = first; at < last;) {
      const std::uint32_t end = std::min(last, (at / 64 + 1) * 64);
      std::uint64_t& word = words[at / 64];
      word &= ~mask(at % 64, end - at);
      if (word == 0) clear_from(1, words, at / 64);
      at = end;
    }
  }

  [[nodiscard]] std::uint32_t next(const std::uint64_t* words, std::uint32_t from) const {
    if (from >= size_) return kNone;
    std::uint32_t index = from;
    for (std::uint32_t level = 0; level < levels_; ++level) {
      const std::uint32_t at = start_[level] + index / 64;
      if (at >= end_of(level)) return kNone;
      const std::uint64_t rest = words[at] >> (index % 64);
      if (rest != 0) {
        index += static_cast<std::uint32_t>(std::countr_zero(rest));
        while (level > 0) {  // Down to the member itself.
          --level;
          index = index * 64 + static_cast<std::uint32_t>(std::countr_zero(words[start_[level] + index]));
        }
        return index;
      }
      index = index / 64 + 1;
    }
    return kNone;
  }
  [[nodiscard]] std::uint32_t previous(const std::uint64_t* words, std::uint32_t from) const {
    if (size_ == 0) return kNone;
    std::uint32_t index = std::min(from, size_ - 1);
    for (std::uint32_t level = 0; level < levels_; ++level) {
      const std::uint64_t rest = words[start_[level] + index / 64] << (63 - index % 64);
      if (rest != 0) {
        index -= static_cast<std::uint32_t>(std::countl_zero(rest));
        while (level > 0) {
          --level;
          index =
              index * 64 + 63 - static_cast<std::uint32_t>(std::countl_zero(words[start_[level] + index]));
        }
        return index;
      }
      if (index / 64 == 0) return kNone;
      index = index / 64 - 1;
    }
    return kNone;
  }

 private:
  static constexpr std::size_t kMostLevels = 6;  ///< 64^6 is more than any size.

  static std::uint64_t mask(std::uint32_t first, std::uint32_t count) {
    const std::uint64_t ones = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    return ones << first;
  }
  [[nodiscard]] std::uint32_t end_of(std::uint32_t level) const {
    return level + 1 < levels_ ? start_[level + 1] : words_;
  }
  void set_from(std::uint32_t level, std::uint64_t* words, std::uint32_t bit) const {
    for (; level < levels_; ++level) {
      std::uint64_t& word = words[start_[level] + bit / 64];
      const bool was_empty = word == 0;
      word |= std::uint64_t{1} << (bit % 64);
      if (!was_empty) return;
      bit /= 64;
    }
  }
  void clear_from(std::uint32_t level, std::uint64_t* words, std::uint32_t bit) const {
    for (; level < levels_; ++level) {
      std::uint64_t& word = words[start_[level] + bit / 64];
      word &= ~(std::uint64_t{1} << (bit % 64));
      if (word != 0) return;
      bit /= 64;
    }
  }

  std::uint32_t size_ = 0;
  std::uint32_t words_ = 0;
  std::uint32_t members_ = 0;
  std::uint32_t levels_ = 0;
  std::array<std::uint32_t, kMostLevels> start_{};  ///< Of each level's words; members first.
};

class Bitmap {
 public:
  static constexpr std::uint32_t kNone = BitmapLayout::kNone;

  Bitmap() = default;
  explicit Bitmap(std::uint32_t size) : layout_(size), words_(layout_.words(), 0) {}

  [[nodiscard]] std::uint32_t size() const { return layout_.size(); }
  [[nodiscard]] bool empty() const { return layout_.empty(words_.data()); }
  [[nodiscard]] bool test(std::uint32_t bit) const { return (words_[bit / 64] >> (bit % 64)) & 1U; }
  void set(std::uint32_t bit) { layout_.set(words_.data(), bit); }
  void clear(std::uint32_t bit) { layout_.clear(words_.data(), bit); }
  /// Sets all of [first, last).
  void set_range(std::uint32_t first, std::uint32_t last) { layout_.set_range(words_.data(), first, last); }
  /// Clears all of [first, last).
  void clear_range(std::uint32_t first, std::uint32_t last) {
    layout_.clear_range(words_.data(), first, last);
  }
  /// The smallest member >= from, or kNone.
  [[nodiscard]] std::uint32_t next(std::uint32_t from) const { return layout_.next(words_.data(), from); }
  /// The largest member <= from, or kNone.
  [[nodiscard]] std::uint32_t previous(std::uint32_t from) const {
    return layout_.previous(words_.data(), from);
  }
  /// One bit for each integer below the size.
  [[nodiscard]] std::span<const std::uint64_t> words() const {
    return {words_.data(), layout_.member_words()};
  }

 private:
  BitmapLayout layout_;
  std::vector<std::uint64_t> words_;
};

/// `count` sets of integers below `size`, all in one piece of memory.
class BitmapRows {
 public:
  BitmapRows() = default;
  BitmapRows(std::uint32_t count, std::uint32_t size)
      : layout_(size), words_(std::size_t{count} * layout_.words(), 0) {}

  [[nodiscard]] bool empty(std::uint32_t row) const { return layout_.empty(at(row)); }
  void set(std::uint32_t row, std::uint32_t bit) { layout_.set(at(row), bit); }
  void clear(std::uint32_t row, std::uint32_t bit) { layout_.clear(at(row), bit); }
  void set_range(std::uint32_t row, std::uint32_t first, std::uint32_t last) {
    layout_.set_range(at(row), first, last);
  }
  [[nodiscard]] std::uint32_t next(std::uint32_t row, std::uint32_t from) const {
    return layout_.next(at(row), from);
  }

 private:
  [[nodiscard]] std::uint64_t* at(std::uint32_t row) {
    return words_.data() + std::size_t{row} * layout_.words();
  }
  [[nodiscard]] const std::uint64_t* at(std::uint32_t row) const {
    return words_.data() + std::size_t{row} * layout_.words();
  }

  BitmapLayout layout_;
  std::vector<std::uint64_t> words_;
};

}  // namespace gw::sched
