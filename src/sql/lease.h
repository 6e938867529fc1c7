// Lease: one process at a time leads, and one that has been superseded cannot write, however long it slept.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "base/units.h"
#include "sql/database.h"

namespace gw::sql {

/// The table, for a migration; it may stand beside any others.
inline constexpr const char* kLeaseTable =
    "CREATE TABLE IF NOT EXISTS lease(name TEXT PRIMARY KEY, holder TEXT NOT NULL, epoch BIGINT NOT NULL, "
    "expires_us "
    "BIGINT NOT NULL)";

/// What the database says of a lease.
struct LeaseState {
  bool held = false;       ///< By the one who asked.
  std::string holder;      ///< Empty: it was released.
  std::int64_t epoch = 0;  ///< Grows with every change of holder.
  Nanoseconds left;        ///< By the database's clock; negative once expired.
};

/// A lease by name. Time is told by the database alone, so the clocks of the processes do not matter; where
/// the database's own clock jumps, a lease may end early or late, and the fence still holds.
///
/// Calls are transactions of their own, except for `fence`. An object belongs to one thread at a time.
class Lease {
 public:
  explicit Lease(std::string name) : name_(std::move(name)) {}

  /// Takes the lease if it is free, has expired or is this holder's. `holder` must be of this process and
  /// none that ever was (host, process and a random number): two processes with one name would both hold it.
  Result<LeaseState> acquire(Database& database, std::string_view holder, Nanoseconds duration);
  /// Prolongs it, also where it has expired but nobody else has taken it. Not held: it is lost for good.
  Result<LeaseState> renew(Database& database, Nanoseconds duration);
  /// Lets others take it at once.
  Result<void> release(Database& database);

  /// To be called inside each transaction that writes, best as its last statement: the commit fails, with all
  /// that the transaction did, once another holder has taken the lease. No holder can take it between this
  /// check and the commit. With PostgreSQL a taker waits for that commit
  /// (PostgresOptions::idle_transaction_seconds at most).
  void fence(Database& database) const;

  /// Of the last successful `acquire`; 0 before.
  [[nodiscard]] std::int64_t epoch() const { return epoch_; }

 private:
  Result<LeaseState> change(Database& database, const std::string& sql, std::span<const Param> params);

  std::string name_;
  std::string holder_;
  std::int64_t epoch_ = 0;
};

}  // namespace gw::sql
