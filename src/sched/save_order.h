// SaveOrder: running jobs that save their work equally often, in the order in which they have saved it last.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/units.h"

namespace gw::sched {

/// That order never changes but for where it begins: each saves at its own second of the interval, so at any
/// time those up to the present second have saved in this interval and the others in the one before. Jobs
/// that never save are in the order of their starts. Those of one second are in the order of their first
/// nodes. In blocks: an insert or erase moves little and costs O(log size + size / kBlock).
class SaveOrder {
 private:
  static constexpr std::size_t kBlock = 128;
  static constexpr Nanoseconds kNever{std::int64_t{1} << 61};  ///< 73 years: no job runs as long.
  struct Place {
    std::int64_t second;  ///< Of the interval, by which it has saved; of its start where it never does.
    std::uint32_t not_first_node;
    std::uint32_t slot;
    auto operator<=>(const Place&) const = default;
  };
  using Block = std::vector<Place>;

 public:
  /// In whole seconds; 0 or less: they keep no checkpoints.
  explicit SaveOrder(Nanoseconds interval)
      : interval_(interval),
        period_(interval > Nanoseconds{0} && interval < kNever ? interval.count() / kNanosecondsPerSecond
                                                               : 0) {}
  [[nodiscard]] static bool may_be_of(Nanoseconds interval) {
    return interval <= Nanoseconds{0} || interval.count() % kNanosecondsPerSecond == 0;
  }

  /// A job, by a number that no other has.
  struct Key {
    Instant started;
    std::uint32_t first_node;
    std::uint32_t slot;
  };
  void insert(const Key& key);
  /// It must be there.
  void erase(const Key& key);
  [[nodiscard]] bool has(const Key& key) const;
  [[nodiscard]] Nanoseconds interval() const { return interval_; }
  [[nodiscard]] bool empty() const { return first_.empty(); }

  /// From the job that has saved last to the one that has not for longest. An insert or erase ends it.
  class Walk {
   public:
    [[nodiscard]] bool over() const { return left_ == 0; }
    [[nodiscard]] std::uint32_t slot() const { return place().slot; }
    [[nodiscard]] std::uint32_t first_node() const { return ~place().not_first_node; }
    /// It has last saved, or started, no less long ago. That is as much as of the one before, whose first
    /// node is then no greater, or a second more at least. It may be less than nothing, by no more than a
    /// second but for those that start later than `now`, of which it says nothing.
    [[nodiscard]] Nanoseconds since() const {
      return Nanoseconds{now_ - place().second * kNanosecondsPerSecond};
    }
    void next() {
      if (--left_ == 0) return;
      at_ == begin_ ? go_back() : void(--at_);
    }

   private:
    friend class SaveOrder;
    [[nodiscard]] const Place& place() const { return *at_; }
    void go_to(std::size_t block, std::size_t index) {
      block_ = block;
      begin_ = order_->block(block).data();
      at_ = begin_ + index;
    }
    /// To the end of the block before, which the last one is before the first.
    void go_back() {
      if (block_ == 0) {
        block_ = order_->blocks();
        now_ += order_->period_ * kNanosecondsPerSecond;
      }
      go_to(block_ - 1, order_->block(block_ - 1).size() - 1);
    }
    const SaveOrder* order_ = nullptr;
    std::int64_t now_ = 0;  ///< In the interval; one more once it goes on with those of the one before.
    std::size_t left_ = 0;
    std::size_t block_ = 0;
    const Place* begin_ = nullptr;  ///< Of the block.
    const Place* at_ = nullptr;
  };
  /// What walks at one time over orders of equal intervals have in common.
  struct Moment {
    Instant now;
    std::int64_t period = -1;
    std::int64_t in_interval = 0;
  };
  [[nodiscard]] Walk walk(Moment& moment) const;
  [[nodiscard]] Walk walk(Instant now) const {
    Moment moment{now};
    return walk(moment);
  }

 private:
  /// Nanoseconds since the interval that it is in began.
  [[nodiscard]] std::int64_t in_interval(Instant when) const;
  [[nodiscard]] const Block& block(std::size_t at) const { return at == 0 ? first_ : rest_[at - 1]; }
  [[nodiscard]] std::size_t blocks() const { return first_.empty() ? 0 : 1 + rest_.size(); }
  [[nodiscard]] Place place_of(const Key& key) const;
  /// Of the first block that does not end before the place.
  [[nodiscard]] std::size_t block_of(const Place& place) const;

  Nanoseconds interval_;
  std::int64_t period_;  ///< Seconds; 0: they never save.
  std::size_t size_ = 0;
  // Blocks in ascending order. Most orders are short, so the first lies here; the rest are never empty.
  Block first_;
  std::vector<Block> rest_;
};

}  // namespace gw::sched
