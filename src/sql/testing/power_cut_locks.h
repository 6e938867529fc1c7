// PathLocks: SQLite's locks on one file, and the shared memory of its write-ahead log, between connections.
#pragma once

#include <sqlite3.h>

#include <array>
#include <cstddef>
#include <memory>
#include <vector>

namespace gw::sql::testing {

/// The rules are those of sqlite3_io_methods; the caller keeps threads apart. Codes are SQLite's.
class PathLocks {
 public:
  /// What one connection has; must be given back by `unmap` and `unlock` before it goes.
  struct Holder {
    int level = SQLITE_LOCK_NONE;
    bool maps = false;
    unsigned shared = 0;  ///< Bits of the slots of shared memory that it has locked.
    unsigned exclusive = 0;
  };

  int lock(Holder& holder, int level);
  void unlock(Holder& holder, int level);
  [[nodiscard]] bool reserved() const { return reserved_ != nullptr || exclusive_ != nullptr; }

  /// Null where there is no such region and `extend` is false.
  void* map(Holder& holder, std::size_t region, std::size_t bytes, bool extend);
  void unmap(Holder& holder);
  /// `slots`: a bit for each.
  int lock_slots(Holder& holder, unsigned slots, bool shared);
  void unlock_slots(Holder& holder, unsigned slots);

 private:
  static constexpr std::size_t kSlots = SQLITE_SHM_NLOCK;

  int readers_ = 0;
  const Holder* reserved_ = nullptr;
  const Holder* pending_ = nullptr;
  const Holder* exclusive_ = nullptr;
  std::vector<std::unique_ptr<std::byte[]>> regions_;
  int mapped_ = 0;
  std::array<int, kSlots> slot_readers_{};
  std::array<const Holder*, kSlots> slot_writer_{};
};

}  // namespace gw::sql::testing
