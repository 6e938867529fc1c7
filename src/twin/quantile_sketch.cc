// The rare and the final steps of QuantileSketch: the move into buckets, and the walk to a rank.
#include "twin/quantile_sketch.h"

#include <algorithm>

namespace gw::twin {

void QuantileSketch::turn_into_buckets() {
  buckets_ = std::make_unique<Buckets>();
  for (const std::int64_t sample : samples_) add_to_bucket(sample);
  std::vector<std::int64_t>().swap(samples_);
}

std::int64_t QuantileSketch::quantile(double share) {
  GW_CHECK(share >= 0 && share <= 1);
  if (count_ == 0) return 0;
  const double exact_rank = share * static_cast<double>(count_);
  auto rank = static_cast<std::uint64_t>(exact_rank);
  if (static_cast<double>(rank) < exact_rank) ++rank;
  rank = std::clamp<std::uint64_t>(rank, 1, count_);  // 1 = the smallest.
  if (!buckets_) {
    if (sorted_ != samples_.size()) {
      std::sort(samples_.begin(), samples_.end());
      sorted_ = samples_.size();
    }
    return samples_[rank - 1];
  }
  if (rank == count_) return max_;
  std::uint64_t seen = 0;
  for (std::size_t octave = 0; octave < buckets_->size(); ++octave) {
    const std::vector<std::uint64_t>& block = (*buckets_)[octave];
    for (std::size_t index = 0; index < block.size(); ++index) {
      seen += block[index];
      if (seen < rank) continue;
      if (octave == 0) return static_cast<std::int64_t>(index);
      const std::size_t shift = octave - 1;
      const std::uint64_t low = (block.size() + index) << shift;
      const std::uint64_t middle = low + ((std::uint64_t{1} << shift) >> 1);
      return std::min(static_cast<std::int64_t>(middle), max_);
    }
  }
  GW_CHECK(false);  // Every sample counted is in a bucket.
}

std::size_t QuantileSketch::memory_bytes() const {
  std::size_t bytes = samples_.capacity() * sizeof(std::int64_t);
  if (!buckets_) return bytes;
  bytes += sizeof(Buckets);
  for (const std::vector<std::uint64_t>& block : *buckets_) bytes += block.capacity() * sizeof(std::uint64_t);
  return bytes;
}

}  // namespace gw::twin
