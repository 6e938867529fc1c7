// FreeProfile: how many GPUs are free over time, as planned: the heart of conservative backfill.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/units.h"

namespace gw::sched {

/// Free GPUs (thousandths) as a step function: each step lasts until the next, the last for ever. Steps lie
/// in blocks with their smallest and largest value, so a search passes over a block that is all free or all
/// full.
class FreeProfile {
 public:
  /// One step from `now` on.
  void reset(Instant now, std::int64_t free);
  /// `more` come free at `from`, which is not before the last step.
  void append(Instant from, std::int64_t more);
  /// Forgets what lies before `now`.
  void advance(Instant now);

  /// How long `need` stays free from the first step on.
  [[nodiscard]] Nanoseconds window(std::int64_t need) const;
  /// The earliest start of a slot of `span` with `need` free; Instant::max() if there never is one.
  [[nodiscard]] Instant earliest(Nanoseconds span, std::int64_t need) const;
  /// Takes `need` from a slot that is free.
  void reserve(Instant from, Nanoseconds span, std::int64_t need);

 private:
  static constexpr std::size_t kBlock = 96;
  struct Step {
    Instant from;
    std::int64_t free;  ///< Without the block's `add`.
  };
  struct Block {
    std::vector<Step> steps;  ///< Never empty.
    std::int64_t least = 0;   ///< Of steps[].free.
    std::int64_t most = 0;
    std::int64_t add = 0;  ///< To be added to every value of the block.
    void summarise();
  };
  struct Place {
    std::size_t block;
    std::size_t index;
  };
  [[nodiscard]] std::size_t block_of(Instant when) const;
  /// Makes a step begin at `when`, which is not before the first.
  void split(Instant when);
  [[nodiscard]] Place find(Instant when) const;

  std::vector<Block> blocks_;
  mutable std::vector<std::pair<std::int64_t, Nanoseconds>> windows_;  ///< Answers until the next change.
};

}  // namespace gw::sched
