// BinnedSeries: time series over a horizon not known in advance, in a fixed number of bins.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/units.h"

namespace gw::twin {

/// Each bin holds one sum per channel. Bins start one second wide at the origin; when time runs past the last
/// one, neighbours merge in pairs and all bins are twice as wide. So a run of any length ends with at most
/// kBins bins, and with more than half of them in use once it is longer than kBins seconds.
template <std::size_t Channels>
class BinnedSeries {
 public:
  static constexpr std::size_t kBins = 1024;
  using Bin = std::array<double, Channels>;

  explicit BinnedSeries(Nanoseconds first_width = seconds(1)) : width_(first_width) {}

  /// Where the first bin begins. Call once, before anything else.
  void start(Instant origin) {
    origin_ = origin;
    bins_.assign(1, Bin{});
    set_cursor(0);
  }

  /// The bin that holds `at` >= origin; widens the bins if needed. O(1) where `at` is in the bin used last.
  Bin& at(Instant at) {
    if (at < cursor_begin_ || at >= cursor_end_) [[unlikely]]
      move_cursor(at);
    return bins_[cursor_];
  }

  /// Adds level[i] * nanoseconds to channel i over [from, to). Touches each bin between them.
  template <std::size_t Levels>
  void integrate(Instant from, Instant to, const std::array<std::int64_t, Levels>& level) {
    static_assert(Levels <= Channels);
    while (from < to) {
      Bin& bin = at(from);
      const Instant until = to < cursor_end_ ? to : cursor_end_;
      const auto span = static_cast<double>((until - from).count());
      for (std::size_t channel = 0; channel < Levels; ++channel)
        bin[channel] += static_cast<double>(level[channel]) * span;
      from = until;
    }
  }

  /// Adds level * nanoseconds to one channel over [from, to), anywhere at or after the origin.
  void integrate_channel(Instant from, Instant to, std::size_t channel, std::int64_t level) {
    while (from < to) {
      Bin& bin = at(from);
      const Instant until = to < cursor_end_ ? to : cursor_end_;
      bin[channel] += static_cast<double>(level) * static_cast<double>((until - from).count());
      from = until;
    }
  }

  /// Where the bin that holds `when` ends; until then only a widening can change which bin that is.
  Instant end_of_bin(Instant when) {
    at(when);
    return cursor_end_;
  }

  [[nodiscard]] bool started() const { return !bins_.empty(); }
  [[nodiscard]] Instant origin() const { return origin_; }
  [[nodiscard]] Nanoseconds width() const { return width_; }
  /// Bins from the origin to the last one touched.
  [[nodiscard]] const std::vector<Bin>& bins() const { return bins_; }

 private:
  void set_cursor(std::size_t index) {
    cursor_ = index;
    cursor_begin_ = origin_ + width_ * static_cast<std::int64_t>(index);
    cursor_end_ = cursor_begin_ + width_;
  }

  void move_cursor(Instant at) {
    GW_CHECK(started() && at >= origin_);
    std::int64_t index = (at - origin_) / width_;
    while (index >= static_cast<std::int64_t>(kBins)) {
      merge_pairs();
      index = (at - origin_) / width_;
    }
    if (static_cast<std::size_t>(index) >= bins_.size()) bins_.resize(static_cast<std::size_t>(index) + 1);
    set_cursor(static_cast<std::size_t>(index));
  }

  void merge_pairs() {
    for (std::size_t pair = 0; 2 * pair < bins_.size(); ++pair) {
      Bin sum = bins_[2 * pair];
      if (2 * pair + 1 < bins_.size()) {
        for (std::size_t channel = 0; channel < Channels; ++channel)
          sum[channel] += bins_[2 * pair + 1][channel];
      }
      bins_[pair] = sum;
    }
    bins_.resize((bins_.size() + 1) / 2);
    width_ = width_ * 2;
  }

  Instant origin_;
  Nanoseconds width_;
  std::vector<Bin> bins_;
  std::size_t cursor_ = 0;
  Instant cursor_begin_{1};  // Empty until start().
  Instant cursor_end_{0};
};

}  // namespace gw::twin
