// PowerCutVfs: an SQLite VFS over a PowerCutDisk, on which writes and syncs can be made to fail.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/rng.h"
#include "sql/testing/power_cut_disk.h"

namespace gw::sql::testing {

/// Registered under a name of its own while it lives; every connection that uses it must be closed before.
/// Any thread may use it. Locks and the shared memory of the write-ahead log work between its connections.
class PowerCutVfs {
 public:
  struct Options {
    std::uint64_t seed = 1;
    /// Whether SQLite may rely on it that a torn write harms nothing beside it, as it does on Linux.
    bool power_safe_overwrite = true;
  };
  enum class Failure : std::uint8_t {
    kDiskFull,  ///< A write stops half-way with SQLITE_FULL; a sync that is hit fails with SQLITE_IOERR.
    kIoError,   ///< SQLITE_IOERR; of a failed sync some writes never reach the disk, as on Linux.
  };

  PowerCutVfs() : PowerCutVfs(Options{}) {}
  explicit PowerCutVfs(const Options& options);
  PowerCutVfs(const PowerCutVfs&) = delete;
  PowerCutVfs& operator=(const PowerCutVfs&) = delete;
  ~PowerCutVfs();

  /// For SqliteOptions::vfs. Paths are any names.
  [[nodiscard]] const std::string& name() const;

  /// Writes, truncations, removals and syncs so far.
  [[nodiscard]] std::uint64_t operations() const;
  [[nodiscard]] std::uint64_t syncs() const;
  /// The n-th operation from now on (from 1) fails, and so do those after it while `lasting`.
  void fail_after(std::uint64_t n, Failure failure, bool lasting = false);
  /// From the n-th operation on nothing works any more, as if the machine had stopped.
  void stop_after(std::uint64_t n);
  void clear_failures();
  [[nodiscard]] bool failed() const;

  /// Connections from before get nothing but errors; close them. New ones see what has survived.
  void cut_power(Rng& rng, PowerCutDisk::Cut cut = PowerCutDisk::Cut::kAny);

  [[nodiscard]] PowerCutDisk& disk();

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace gw::sql::testing
