// EndProfile: the running jobs in the order in which their limits end, with sums to answer "when will n be
// free?".
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "base/ids.h"
#include "base/owned.h"
#include "base/units.h"

namespace gw::sched {

/// A sorted list in blocks of 64 with a sum each: insert, erase and "prefix sum reaches n" cost O(size / 64)
/// on consecutive memory, which beats a tree up to some hundred thousand running jobs.
class EndProfile {
 public:
  struct Entry {
    Instant end;  ///< By the user's limit.
    JobId job;
    std::uint32_t amount;  ///< Units (processors, GPUs) that come free.
  };

  void insert(Entry entry);
  void erase(Instant end, JobId job);
  [[nodiscard]] std::size_t size() const { return size_; }

  struct Answer {
    Instant when;
    std::int64_t free;  ///< Units free at `when`, counting all that end then.
  };
  /// The earliest end by which `free_now` plus all that has ended reaches `need`; free_now < need is
  /// expected. `when` is Instant::max() if it never does.
  [[nodiscard]] Answer reaches(std::int64_t free_now, std::int64_t need) const;

  /// A place in the list, for those who walk several at once; any insert or erase makes it stale.
  struct Cursor {
    std::size_t block = 0;
    std::uint32_t index = 0;
  };
  /// The entry there; null past the last.
  [[nodiscard]] const Entry* entry(Cursor at) const {
    return at.block < blocks_.size() ? &blocks_[at.block]->entries[at.index] : nullptr;
  }
  [[nodiscard]] Cursor after(Cursor at) const {
    return ++at.index < blocks_[at.block]->count ? at : Cursor{at.block + 1, 0};
  }

  /// Calls visit(entry) in order until it gives false.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const auto& block : blocks_) {
      for (std::uint32_t index = 0; index < block->count; ++index) {
        if (!visit(block->entries[index])) return;
      }
    }
  }

 private:
  static constexpr std::uint32_t kBlock = 64;
  struct Block {
    std::uint32_t count = 0;
    std::array<Entry, kBlock> entries;
  };
  static bool before(const Entry& a, Instant end, JobId job) {
    return a.end != end ? a.end < end : a.job < job;
  }
  [[nodiscard]] std::size_t block_of(Instant end, JobId job) const;

  std::vector<Owned<Block>> blocks_;  ///< Never empty ones, ascending.
  std::vector<std::int64_t> sums_;    ///< Of each block's amounts.
  std::vector<Entry> lasts_;          ///< Each block's last entry.
  std::size_t size_ = 0;
};

}  // namespace gw::sched
