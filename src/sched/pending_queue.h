// PendingQueue: waiting jobs in a fixed order, with summaries that let a backfill pass skip what cannot
// start.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "base/ids.h"
#include "base/owned.h"
#include "base/units.h"

namespace gw::sched {

/// Sorted by (key, job), in blocks of 64 whose smallest demand and shortest limit are kept beside each other.
/// A search for the next job that could start looks at the summaries first and at 64 jobs at a time after
/// that.
class PendingQueue {
 public:
  struct Entry {
    std::int64_t key = 0;
    JobId job;
    std::int32_t demand = 0;  ///< Units the job needs, cut to the largest int32.
    std::int32_t limit = 0;   ///< Its time limit in whole seconds, rounded down, cut likewise.
    std::uint8_t tag = 0;     ///< Its shape class modulo 64.
    Instant since;            ///< When it began to wait.
  };
  /// A place in the queue; any insert or erase makes it stale, except the erase that gives a new one.
  struct Cursor {
    std::uint32_t block = 0;
    std::uint32_t index = 0;
  };
  /// What a job must meet to be worth a closer look: demand <= free, and either demand <= spare and its tag
  /// is in `open_tags`, or limit <= window and its tag is in `held_tags`.
  struct Bounds {
    std::int32_t free = std::numeric_limits<std::int32_t>::max();
    std::int32_t spare = std::numeric_limits<std::int32_t>::max();
    std::int32_t window = std::numeric_limits<std::int32_t>::max();
    std::uint64_t open_tags = ~std::uint64_t{0};
    std::uint64_t held_tags = ~std::uint64_t{0};
  };

  /// What its entries ask for at the least.
  struct Summary {
    std::int32_t least_demand = std::numeric_limits<std::int32_t>::max();
    std::int32_t least_limit = std::numeric_limits<std::int32_t>::max();
    std::uint64_t tags = 0;  ///< Of all of them.

    void add(const Summary& other) {
      least_demand = std::min(least_demand, other.least_demand);
      least_limit = std::min(least_limit, other.least_limit);
      tags |= other.tags;
    }
    /// False if no entry meets them.
    [[nodiscard]] bool may_meet(const Bounds& bounds) const {
      const bool open = (tags & bounds.open_tags) != 0 && least_demand <= bounds.spare;
      const bool held = (tags & bounds.held_tags) != 0 && least_limit <= bounds.window;
      return least_demand <= bounds.free && (open || held);
    }
  };
  [[nodiscard]] Summary summary() const {
    Summary all;
    for (const Summary& block : summaries_) all.add(block);
    return all;
  }

  /// Since when the entry waits that waits longest; Instant::max() if there is none. O(size), on consecutive
  /// memory.
  [[nodiscard]] Instant oldest() const;

  void insert(const Entry& entry);
  /// The entry must be there.
  void erase(std::int64_t key, JobId job);
  /// Erases the entry at the cursor and gives the place of the one after it.
  Cursor erase(Cursor at);

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] bool at_end(Cursor at) const { return at.block >= blocks_.size(); }
  [[nodiscard]] Cursor begin() const { return {}; }
  [[nodiscard]] Cursor after(Cursor at) const {
    ++at.index;
    return at.index < blocks_[at.block]->count ? at : Cursor{at.block + 1, 0};
  }
  /// The first place whose (key, job) is not before the given one.
  [[nodiscard]] Cursor lower_bound(std::int64_t key, JobId job) const;
  /// The first entry at or after `from` that meets `bounds`, or the end.
  [[nodiscard]] Cursor find(Cursor from, const Bounds& bounds) const;
  [[nodiscard]] JobId job(Cursor at) const { return blocks_[at.block]->job[at.index]; }
  [[nodiscard]] std::int64_t key(Cursor at) const { return blocks_[at.block]->key[at.index]; }

 private:
  static constexpr std::uint32_t kBlock = 64;
  struct Block {
    std::uint32_t count = 0;
    std::array<std::int32_t, kBlock> demand;  ///< Entries past count are never-matching.
    std::array<std::int32_t, kBlock> limit;
    std::array<std::uint8_t, kBlock> tag;
    std::array<std::int64_t, kBlock> key;
    std::array<JobId, kBlock> job;
    std::array<Instant, kBlock> since;
    Block() {
      demand.fill(std::numeric_limits<std::int32_t>::max());
      limit.fill(std::numeric_limits<std::int32_t>::max());
    }
  };
  static void move_entry(const Block& from, std::uint32_t at, Block& to, std::uint32_t index);
  void summarise(std::size_t index);
  [[nodiscard]] std::uint32_t position(const Block& block, std::int64_t key, JobId job) const;
  [[nodiscard]] std::size_t block_of(std::int64_t key, JobId job) const;

  std::vector<Owned<Block>> blocks_;
  std::vector<Summary> summaries_;
  std::size_t size_ = 0;
};

}  // namespace gw::sched
