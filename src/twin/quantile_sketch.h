// QuantileSketch: quantiles of a stream of whole numbers in bounded memory: exact at first, then in log
// buckets.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace gw::twin {

__extension__ typedef __int128 Int128;  ///< Sums of GPU-milli times nanoseconds outgrow 64 bits within a day.

/// Keeps up to `exact_limit` samples as they are; with one more, all go into buckets of `2^bucket_bits` per
/// factor of two, whose middle is off by at most `2^-(bucket_bits + 1)` of the value (9 bits: 0.098 %). Zero
/// and values below 2^bucket_bits stay exact. Count, sum and maximum are always exact. Memory starts at
/// nothing and never exceeds the larger of 8 * exact_limit bytes and 8 * 2^bucket_bits bytes per factor of
/// two between the samples.
class QuantileSketch {
 public:
  explicit QuantileSketch(std::uint32_t exact_limit = 262'144, std::uint32_t bucket_bits = 9)
      : exact_limit_(exact_limit), bucket_bits_(bucket_bits) {}

  /// `value` >= 0. Amortised O(1), a few nanoseconds.
  void add(std::int64_t value) {
    ++count_;
    if (value == 0) {  // The commonest wait.
      ++zeros_;
      return;
    }
    GW_CHECK(value > 0);
    sum_ += value;
    if (value > max_) max_ = value;
    if (bucketed_) {
      add_to_bucket(value);
    } else if (samples_.size() < exact_limit_) [[likely]] {
      samples_.push_back(value);
    } else {
      turn_into_buckets();
      add_to_bucket(value);
    }
  }

  /// The smallest sample that at least `share` of all samples do not exceed (nearest rank); 0 when empty.
  /// 0 <= share <= 1. Sorts the samples kept, so not const.
  [[nodiscard]] std::int64_t quantile(double share);

  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] std::int64_t max() const { return max_; }
  [[nodiscard]] Int128 sum() const { return sum_; }
  [[nodiscard]] double mean() const {
    return count_ == 0 ? 0.0 : static_cast<double>(sum_) / static_cast<double>(count_);
  }
  [[nodiscard]] bool exact() const { return !bucketed_; }
  /// Largest error of a quantile relative to its value: 0 while exact.
  [[nodiscard]] double relative_error() const {
    return exact() ? 0.0 : 1.0 / static_cast<double>(std::uint64_t{2} << bucket_bits_);
  }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  void add_to_bucket(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    std::uint32_t octave = 0;
    std::uint64_t index = bits;
    if (bits >> bucket_bits_ != 0) {
      const std::uint32_t shift = static_cast<std::uint32_t>(std::bit_width(bits)) - 1 - bucket_bits_;
      octave = shift + 1;
      index = (bits >> shift) - (std::uint64_t{1} << bucket_bits_);
    }
    if (octave - first_octave_ >= octaves_) [[unlikely]]
      cover(octave);
    ++buckets_[(std::size_t{octave - first_octave_} << bucket_bits_) + index];
  }

  void turn_into_buckets();
  void cover(std::uint32_t octave);

  std::uint32_t exact_limit_;
  std::uint32_t bucket_bits_;
  std::uint64_t count_ = 0;
  std::uint64_t zeros_ = 0;  ///< Kept apart from samples and buckets.
  std::int64_t max_ = 0;
  Int128 sum_ = 0;
  std::vector<std::int64_t> samples_;
  std::size_t sorted_ = 0;  ///< samples_ is sorted if this equals its size.
  bool bucketed_ = false;
  std::uint32_t first_octave_ = 0;  ///< Octave 0: below 2^bucket_bits; k: one factor of two each.
  std::uint32_t octaves_ = 0;       ///< Covered by buckets_.
  std::vector<std::uint64_t> buckets_;
};

}  // namespace gw::twin
