// SqlStore: the live factory's store in an SQL database. Tables: docs/formats-store.md.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "live/store.h"
#include "live/verify.h"
#include "sql/database.h"

namespace gw::live {

class SqlStore final : public Store {
 public:
  /// Brings the tables up to this version first. `at_point`, for tests that end the process there, is called
  /// at `store.begun`, `store.written` and `store.committed`.
  static Result<std::unique_ptr<SqlStore>> open(std::unique_ptr<sql::Database> database,
                                                std::function<void(std::string_view)> at_point = {});

  Result<void> commit(const Changes& changes) override;
  Result<Loaded> load() override;
  Result<void> journal_after(std::uint64_t sequence,
                             const std::function<bool(const JournalRow&)>& row) override;
  Result<std::optional<EndedJob>> ended_job(std::uint64_t number) override;
  Result<EndedTasks> ended_tasks(std::uint64_t first) override;
  Result<void> transfers_after(Instant when, const std::function<void(const TransferRecord&)>& row) override;
  Result<std::optional<IdempotencyRecord>> find_key(std::string_view scope, std::string_view key) override;

  /// Is called inside every write transaction, before its statements: a lease that must still be held.
  void set_fence(std::function<void(sql::Database&)> fence) { fence_ = std::move(fence); }
  [[nodiscard]] sql::Database& database() { return *database_; }

 private:
  SqlStore(std::unique_ptr<sql::Database> database, std::function<void(std::string_view)> at_point)
      : database_(std::move(database)), at_point_(std::move(at_point)) {}
  void write(const Changes& changes);
  void write_jobs(const Changes& changes);
  void write_attempts(const Changes& changes);
  void write_tenant(const TenantRecord& tenant);
  void write_ledger(const Changes& changes);
  void point(std::string_view label) const {
    if (at_point_) at_point_(label);
  }

  std::unique_ptr<sql::Database> database_;
  std::function<void(std::string_view)> at_point_;
  std::function<void(sql::Database&)> fence_;
};

/// Creates the tables, or changes those of an earlier version.
Result<void> migrate_store(sql::Database& database);
/// For readers: an Error unless the tables are those of this version.
Result<void> check_store(sql::Database& database);
/// Names of all tables, parents first: for copies.
const std::vector<std::string>& store_tables();

/// Everything that verification reads, from one state of the database.
JournalSource journal_source(sql::Database& database);

/// Rows of jobs as queries give them; shared with the archive.
inline constexpr std::string_view kJobColumns =
    "number, array_job, array_index, array_tasks, tenant, owner, name, submitted, nodes, gpu_milli, "
    "cpu_milli, "
    "memory_mib, time_limit, priority, requeue, state, outcome, stopping, requeueing, core, attempt, "
    "started, "
    "ended, exit_code, signal, place, note, stands_for, indices";
JobRecord read_job(const sql::Row& row);
inline constexpr std::string_view kAttemptColumns =
    "job, attempt, core, tenant, placement, place, gpu_type, gpu_milli, cpu_milli, power_mw, decided, "
    "started, "
    "is_over, "
    "ended, how, exit_code, signal, note, cpu_ns, memory_peak, output_bytes, output_lost_bytes";
AttemptRecord read_attempt(const sql::Row& row);
/// Of the columns job, attempt, tenant, owner, gpu_type, price_plan, began, ended, micro_gpu_s, micro_core_s,
/// energy_j, micro_eur, kind.
TransferRecord read_transfer(const sql::Row& row);

}  // namespace gw::live
