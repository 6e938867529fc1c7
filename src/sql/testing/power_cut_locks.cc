// The rules of SQLite's file locks (https://www.sqlite.org/lockingv3.html) and of its shared memory's.
#include "sql/testing/power_cut_locks.h"

#include <algorithm>

namespace gw::sql::testing {

int PathLocks::lock(Holder& holder, int level) {
  const auto another = [&](const Holder* one) { return one != nullptr && one != &holder; };
  if (holder.level >= level) return SQLITE_OK;
  if (holder.level == SQLITE_LOCK_NONE) {
    if (another(pending_) || another(exclusive_)) return SQLITE_BUSY;
    ++readers_;
    holder.level = SQLITE_LOCK_SHARED;
  }
  if (level == SQLITE_LOCK_SHARED) return SQLITE_OK;
  if (another(reserved_) || another(pending_)) return SQLITE_BUSY;
  if (level == SQLITE_LOCK_RESERVED) {
    reserved_ = &holder;
    holder.level = SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
  }
  pending_ = &holder;  // No new readers; those there are may finish.
  holder.level = std::max(holder.level, SQLITE_LOCK_PENDING);
  if (readers_ > 1) return SQLITE_BUSY;
  exclusive_ = &holder;
  holder.level = SQLITE_LOCK_EXCLUSIVE;
  return SQLITE_OK;
}

void PathLocks::unlock(Holder& holder, int level) {
  if (reserved_ == &holder) reserved_ = nullptr;
  if (pending_ == &holder) pending_ = nullptr;
  if (exclusive_ == &holder) exclusive_ = nullptr;
  if (level == SQLITE_LOCK_NONE && holder.level >= SQLITE_LOCK_SHARED) --readers_;
  holder.level = std::min(holder.level, level);
}

void* PathLocks::map(Holder& holder, std::size_t region, std::size_t bytes, bool extend) {
  if (!holder.maps) ++mapped_;
  holder.maps = true;
  while (region >= regions_.size()) {
    if (!extend) return nullptr;
    regions_.push_back(std::make_unique<std::byte[]>(bytes));
  }
  return regions_[region].get();
}

void PathLocks::unmap(Holder& holder) {
  unlock_slots(holder, ~0U);
  if (holder.maps && --mapped_ == 0) regions_.clear();
  holder.maps = false;
}

int PathLocks::lock_slots(Holder& holder, unsigned slots, bool shared) {
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    const unsigned bit = 1U << slot;
    if ((slots & bit) == 0) continue;
    const bool written = slot_writer_[slot] != nullptr && slot_writer_[slot] != &holder;
    const int own = (holder.shared & bit) != 0 ? 1 : 0;
    if (written || (!shared && slot_readers_[slot] > own)) return SQLITE_BUSY;
  }
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    const unsigned bit = slots & (1U << slot);
    if (bit == 0 || ((holder.shared | holder.exclusive) & bit) != 0) continue;
    if (shared) {
      ++slot_readers_[slot];
      holder.shared |= bit;
    } else {
      slot_writer_[slot] = &holder;
      holder.exclusive |= bit;
    }
  }
  return SQLITE_OK;
}

void PathLocks::unlock_slots(Holder& holder, unsigned slots) {
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    const unsigned bit = slots & (1U << slot);
    if ((holder.shared & bit) != 0) --slot_readers_[slot];
    if ((holder.exclusive & bit) != 0) slot_writer_[slot] = nullptr;
  }
  holder.shared &= ~slots;
  holder.exclusive &= ~slots;
}

}  // namespace gw::sql::testing
