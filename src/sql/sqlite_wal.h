// That SQLite's write-ahead log stays small: when the writer empties it, and when a reader must let go.
//
// While a reader looks at an old state, the log cannot be started anew and grows with every commit. Three
// rules bound it. The writer moves the log's pages into the database each `kCheckpointPages`. Where readers
// overlap all the time so that the log never gets its turn, the writer waits up to `kPatienceMs` for a gap.
// And a reader whose query has seen the log grow past SqliteOptions::wal_bytes_max (or to twice what it
// found) is stopped with an Error. Nothing here can stop a reader of another program, or one that stays
// inside the callback for its row.
#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace gw::sql {

/// Empties the log from the writer's side.
class WalCheckpoints {
 public:
  /// Takes the place of SQLite's own checkpoints on `connection`, which it must outlive, unmoved.
  void attach(sqlite3* connection, int busy_ms);
  /// After each commit.
  void committed(sqlite3* connection);

 private:
  static constexpr int kCheckpointPages = 4000;
  static constexpr int kPatientPages = 4 * kCheckpointPages;
  static constexpr int kPatienceMs = 100;

  int pages_ = 0;  ///< In the log after the last commit.
  int patient_from_ = kPatientPages;
  int busy_ms_ = 0;
};

/// Tells a reader when its view of the database has become too costly.
class WalWatch {
 public:
  WalWatch(const std::string& path, std::uint64_t bytes_max) : log_(path + "-wal"), bytes_max_(bytes_max) {}

  /// A query or transaction begins.
  void begin();
  /// Looks at the log at most every 100 ms.
  [[nodiscard]] bool too_old();
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }

 private:
  using Clock = std::chrono::steady_clock;
  [[nodiscard]] std::uint64_t log_bytes() const;

  std::string log_;
  std::uint64_t bytes_max_;
  std::uint64_t limit_ = UINT64_MAX;
  std::uint64_t bytes_ = 0;
  Clock::time_point next_look_;
};

}  // namespace gw::sql
