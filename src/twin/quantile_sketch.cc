// The rare and the final steps of QuantileSketch: the move into buckets, and the walk to a rank.
#include "twin/quantile_sketch.h"

#include <algorithm>

namespace gw::twin {

void QuantileSketch::turn_into_buckets() {
  bucketed_ = true;
  for (const std::int64_t sample : samples_) add_to_bucket(sample);
  std::vector<std::int64_t>().swap(samples_);
}

/// Widens the buckets so that they cover `octave`.
void QuantileSketch::cover(std::uint32_t octave) {
  const std::uint32_t first = octaves_ == 0 ? octave : std::min(first_octave_, octave);
  const std::uint32_t end = octaves_ == 0 ? octave + 1 : std::max(first_octave_ + octaves_, octave + 1);
  std::vector<std::uint64_t> wider(std::size_t{end - first} << bucket_bits_);
  const std::size_t offset = octaves_ == 0 ? 0 : std::size_t{first_octave_ - first} << bucket_bits_;
  std::copy(buckets_.begin(), buckets_.end(), wider.begin() + static_cast<std::ptrdiff_t>(offset));
  buckets_ = std::move(wider);
  first_octave_ = first;
  octaves_ = end - first;
}

std::int64_t QuantileSketch::quantile(double share) {
  GW_CHECK(share >= 0 && share <= 1);
  if (count_ == 0) return 0;
  const double exact_rank = share * static_cast<double>(count_);
  auto rank = static_cast<std::uint64_t>(exact_rank);
  if (static_cast<double>(rank) < exact_rank) ++rank;
  rank = std::clamp<std::uint64_t>(rank, 1, count_);  // 1 = the smallest.
  if (rank <= zeros_) return 0;
  if (rank == count_) return max_;
  rank -= zeros_;
  if (!bucketed_) {
    if (sorted_ != samples_.size()) {
      std::sort(samples_.begin(), samples_.end());
      sorted_ = samples_.size();
    }
    return samples_[rank - 1];
  }
  const std::uint64_t per_octave = std::uint64_t{1} << bucket_bits_;
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen < rank) continue;
    const std::uint64_t octave = first_octave_ + (bucket >> bucket_bits_);
    const std::uint64_t index = bucket & (per_octave - 1);
    if (octave == 0) return static_cast<std::int64_t>(index);
    const std::uint64_t shift = octave - 1;
    const std::uint64_t middle = ((per_octave + index) << shift) + ((std::uint64_t{1} << shift) >> 1);
    return std::min(static_cast<std::int64_t>(middle), max_);
  }
  GW_CHECK(false);  // Every sample counted is in a bucket.
}

std::size_t QuantileSketch::memory_bytes() const {
  return samples_.capacity() * sizeof(std::int64_t) + buckets_.capacity() * sizeof(std::uint64_t);
}

}  // namespace gw::twin
