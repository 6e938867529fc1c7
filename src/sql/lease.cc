// The statements behind leases.
#include "sql/lease.h"

#include <fmt/format.h>

#include <array>

#include "base/check.h"

namespace gw::sql {
namespace {

/// In one dialect; what has no difference stands here, too.
struct Texts {
  explicit Texts(Dialect dialect);
  std::string acquire;
  std::string renew;
  std::string release;
  std::string look;
  std::string fence;
};

Texts::Texts(Dialect dialect) {
  const bool sqlite = dialect == Dialect::kSqlite;
  // Microseconds since 1970 by the database's clock.
  const char* now = sqlite ? "CAST((julianday('now') - 2440587.5) * 86400000000.0 AS BIGINT)"
                           : "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)";
  // The row is locked before its conditions are looked at, so of two takers one sees what the other did.
  acquire = fmt::format(
      "INSERT INTO lease(name, holder, epoch, expires_us) VALUES ($1, $2, 1, {0} + $3) ON CONFLICT (name) DO "
      "UPDATE "
      "SET holder = excluded.holder, expires_us = excluded.expires_us, epoch = CASE WHEN lease.holder = "
      "excluded.holder THEN lease.epoch ELSE lease.epoch + 1 END WHERE lease.holder = excluded.holder OR "
      "lease.holder "
      "= '' OR lease.expires_us <= {0}",
      now);
  const std::string_view mine = "name = $1 AND holder = $2 AND epoch = $3";
  renew = fmt::format("UPDATE lease SET expires_us = {} + $4 WHERE {}", now, mine);
  release = fmt::format("UPDATE lease SET holder = '', expires_us = 0 WHERE {}", mine);
  look = fmt::format("SELECT holder, epoch, expires_us - {} FROM lease WHERE name = $1", now);
  // An error that says what it is about, raised by the database where the lease is another's. The lock on the
  // row keeps takers out until the commit; a text that is no number is PostgreSQL's way to raise an error
  // without a function.
  const std::string_view taken =
      "'the lease ' || $1 || ' was taken over: this process must not write any more'";
  fence = sqlite ? fmt::format(
                       "SELECT CASE WHEN (SELECT count(*) FROM lease WHERE {}) = 1 THEN 1 ELSE "
                       "gigawerk_raise({}) END",
                       mine, taken)
                 : fmt::format(
                       "SELECT CAST(CASE WHEN count(*) = 1 THEN '1' ELSE {} END AS BIGINT) FROM (SELECT 1 "
                       "FROM lease WHERE {} FOR SHARE) AS held",
                       taken, mine);
}

const Texts& texts_of(const Database& database) {
  static const Texts sqlite(Dialect::kSqlite);
  static const Texts postgres(Dialect::kPostgres);
  return database.dialect() == Dialect::kSqlite ? sqlite : postgres;
}

constexpr std::int64_t kNanosecondsPerMicrosecond = 1000;

std::int64_t microseconds(Nanoseconds span) { return span.count() / kNanosecondsPerMicrosecond; }

}  // namespace

Result<LeaseState> Lease::change(Database& database, const std::string& sql, std::span<const Param> params) {
  if (Result<void> begun = database.begin(); !begun) return std::unexpected(std::move(begun.error()));
  database.execute({sql.c_str()}, params);
  LeaseState state;
  Result<void> looked = database.query(Statement{texts_of(database).look.c_str()},
                                       std::array<Param, 1>{std::string_view(name_)}, [&](const Row& row) {
                                         state.holder = row.text(0);
                                         state.epoch = row.integer(1);
                                         state.left =
                                             Nanoseconds{row.integer(2) * kNanosecondsPerMicrosecond};
                                         return true;
                                       });
  if (Result<void> done = database.commit(); !done) return std::unexpected(std::move(done.error()));
  if (!looked) return std::unexpected(std::move(looked.error()));
  return state;
}

Result<LeaseState> Lease::acquire(Database& database, std::string_view holder, Nanoseconds duration) {
  GW_CHECK(!holder.empty());
  Result<LeaseState> state =
      change(database, texts_of(database).acquire,
             std::array<Param, 3>{std::string_view(name_), holder, microseconds(duration)});
  if (!state || state->holder != holder) return state;
  state->held = true;
  holder_ = holder;
  epoch_ = state->epoch;
  return state;
}

Result<LeaseState> Lease::renew(Database& database, Nanoseconds duration) {
  Result<LeaseState> state = change(database, texts_of(database).renew,
                                    std::array<Param, 4>{std::string_view(name_), std::string_view(holder_),
                                                         epoch_, microseconds(duration)});
  if (state) state->held = !holder_.empty() && state->holder == holder_ && state->epoch == epoch_;
  return state;
}

Result<void> Lease::release(Database& database) {
  const Result<LeaseState> state =
      change(database, texts_of(database).release,
             std::array<Param, 3>{std::string_view(name_), std::string_view(holder_), epoch_});
  if (!state) return std::unexpected(state.error());
  return {};
}

void Lease::fence(Database& database) const {
  database.execute({texts_of(database).fence.c_str()},
                   std::array<Param, 3>{std::string_view(name_), std::string_view(holder_), epoch_});
}

}  // namespace gw::sql
