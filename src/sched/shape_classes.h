// ShapeClasses: jobs of equal shape share what is known about whether the shape fits now.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/units.h"
#include "model/job.h"
#include "sched/least_of.h"

namespace gw::sched {

/// If one job of a shape does not fit, no other of that shape does until capacity comes free. So a pass tries
/// each shape once, however many jobs wait.
class ShapeClasses {
 public:
  struct Class {
    Shape shape;
    bool preemptible = false;
    std::uint32_t members = 0;  ///< Jobs in the system.
    std::uint32_t waiting = 0;
    std::vector<std::uint32_t> pools;  ///< That could hold it, in order of preference.
    std::uint64_t failed_open = 0;     ///< Sum of the pools' versions when it last did not fit; 0 = unknown.
    std::uint64_t failed_held = 0;
    /// State::node_changes when it was last found that it fits in no future; 0 = never.
    std::uint64_t hopeless_at = 0;
    /// The least power_permille of those for which that was found.
    std::uint32_t hopeless_power = 0;
    LeastOf<Nanoseconds> limits;  ///< Of the waiting jobs.
    /// What is guaranteed to others does not keep it back: it can be preempted, or needs no GPU.
    [[nodiscard]] bool borrows() const { return preemptible || shape.total_gpu_milli() == 0; }
    [[nodiscard]] Nanoseconds shortest_limit() const {
      return limits.empty() ? Nanoseconds::max() : limits.least();
    }
  };

  /// Whether anyone asks for `shortest_limit`; jobs that wait already must then be added with `add_limit`.
  void track_limits(bool wanted) { track_limits_ = wanted; }
  void add_limit(std::uint32_t id, Nanoseconds limit) { classes_[id].limits.insert(limit); }

  /// The class of `shape`, apart for jobs that can be preempted, of which quotas ask less; `make_pools` fills
  /// the pools of a new one.
  template <class MakePools>
  std::uint32_t join(const Shape& shape, bool preemptible, MakePools&& make_pools) {
    const auto [at, is_new] = by_shape_.try_emplace({shape, preemptible}, 0U);
    if (is_new) {
      if (free_.empty()) {
        at->second = static_cast<std::uint32_t>(classes_.size());
        classes_.emplace_back();
      } else {
        at->second = free_.back();
        free_.pop_back();
      }
      Class& entry = classes_[at->second];
      entry = Class{};
      entry.shape = shape;
      entry.preemptible = preemptible;
      entry.pools = make_pools(shape);
    }
    ++classes_[at->second].members;
    return at->second;
  }
  void leave(std::uint32_t id) {
    if (--classes_[id].members > 0) return;
    by_shape_.erase({classes_[id].shape, classes_[id].preemptible});
    free_.push_back(id);
  }
  void set_waiting(std::uint32_t id, bool waiting, Nanoseconds limit) {
    Class& entry = classes_[id];
    if (waiting) {
      if (track_limits_) entry.limits.insert(limit);
      if (entry.waiting++ == 0) {
        ++waiting_classes_;
        count_small(entry.shape, +1);
        if (entry.borrows()) count_tag(id, +1);
      }
    } else {
      if (track_limits_) entry.limits.erase(limit);
      if (--entry.waiting == 0) {
        --waiting_classes_;
        count_small(entry.shape, -1);
        if (entry.borrows()) count_tag(id, -1);
      }
    }
  }
  /// What fits in no future is looked for again.
  void forget_hopeless() {
    for (Class& entry : classes_) entry.hopeless_at = 0;
  }
  /// Numbers modulo 64 of shapes that some job waits for and that are not kept back by what is guaranteed to
  /// others.
  [[nodiscard]] std::uint64_t borrowing_tags() const { return borrowing_tags_; }
  [[nodiscard]] Class& operator[](std::uint32_t id) { return classes_[id]; }
  [[nodiscard]] const Class& operator[](std::uint32_t id) const { return classes_[id]; }
  /// No waiting job asks for less, in thousandths of a GPU: 1000, or where shares wait 1, or 0.
  [[nodiscard]] std::int64_t least_milli() const {
    return without_gpus_ > 0 ? 0 : with_shares_ > 0 ? 1 : 1000;
  }
  /// Shapes that some job waits for.
  [[nodiscard]] std::uint32_t waiting_classes() const { return waiting_classes_; }
  [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(classes_.size()); }

 private:
  void count_small(const Shape& shape, int sign) {
    if (shape.total_gpu_milli() == 0) without_gpus_ += static_cast<std::uint32_t>(sign);
    if (shape.gpu_milli != 0) with_shares_ += static_cast<std::uint32_t>(sign);
  }
  void count_tag(std::uint32_t id, int sign) {
    std::uint32_t& count = borrowing_count_.at(id % 64);
    count += static_cast<std::uint32_t>(sign);
    const std::uint64_t bit = std::uint64_t{1} << (id % 64);
    borrowing_tags_ = count == 0 ? borrowing_tags_ & ~bit : borrowing_tags_ | bit;
  }

  bool track_limits_ = true;
  std::uint64_t borrowing_tags_ = 0;
  std::array<std::uint32_t, 64> borrowing_count_{};
  std::map<std::pair<Shape, bool>, std::uint32_t> by_shape_;
  std::vector<Class> classes_;
  std::vector<std::uint32_t> free_;
  std::uint32_t waiting_classes_ = 0;
  std::uint32_t without_gpus_ = 0;  ///< Of them, those that ask for no GPU,
  std::uint32_t with_shares_ = 0;   ///< and those that ask for a share of one.
};

}  // namespace gw::sched
