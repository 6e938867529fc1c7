// Checkpoints and the watch over the size of the write-ahead log.
#include "sql/sqlite_wal.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

namespace gw::sql {

void WalCheckpoints::attach(sqlite3* connection, int busy_ms) {
  busy_ms_ = busy_ms;
  sqlite3_wal_hook(
      connection,
      [](void* self, sqlite3*, const char*, int pages) {
        static_cast<WalCheckpoints*>(self)->pages_ = pages;
        return SQLITE_OK;
      },
      this);
}

void WalCheckpoints::committed(sqlite3* connection) {
  const int pages = std::exchange(pages_, 0);
  if (pages < kCheckpointPages) {
    patient_from_ = kPatientPages;
    return;
  }
  // A failure costs only space: what is committed is in the log, and the next commit tries again.
  if (pages < patient_from_) {
    sqlite3_wal_checkpoint_v2(connection, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
    return;
  }
  sqlite3_busy_timeout(connection, kPatienceMs);
  sqlite3_wal_checkpoint_v2(connection, nullptr, SQLITE_CHECKPOINT_RESTART, nullptr, nullptr);
  sqlite3_busy_timeout(connection, busy_ms_);
  patient_from_ = pages + kPatientPages;  // In vain, it should not cost each commit that time.
}

void WalWatch::begin() {
  limit_ = std::max(bytes_max_, 2 * log_bytes());
  next_look_ = Clock::now() + std::chrono::milliseconds(100);
}

bool WalWatch::too_old() {
  const Clock::time_point now = Clock::now();
  if (now < next_look_) return false;
  next_look_ = now + std::chrono::milliseconds(100);
  bytes_ = log_bytes();
  return bytes_ > limit_;
}

std::uint64_t WalWatch::log_bytes() const {
  struct stat status{};
  return ::stat(log_.c_str(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

}  // namespace gw::sql
