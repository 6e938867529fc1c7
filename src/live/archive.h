// Archive: everything that was kept, for people who ask: ended jobs, attempts, usage, audit. It reads the
// database beside the factory and never writes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "live/ledger.h"
#include "live/records.h"
#include "sql/database.h"

namespace gw::live {

/// Which jobs; what is not given does not restrict.
struct JobFilter {
  std::vector<TenantId> tenants;  ///< Of these only; empty: of all.
  std::vector<JobState> states;   ///< In one of these, or ...
  std::vector<Outcome> outcomes;  ///< ... ended in one of these ways.
  std::string user;
  std::string name;  ///< Exactly.
  std::uint64_t array_job = 0;
  std::uint64_t before = 0;  ///< Numbers below this; 0 = from the newest.
  std::uint64_t since = 0;   ///< This number and those above.
  std::uint32_t limit = 100;
};

/// Which use; from < to.
struct UsageFilter {
  std::vector<TenantId> tenants;
  Instant from;
  Instant to = Instant::max();
  bool jobs = false;  ///< UsageRow says of which array a task is; it costs a look at the jobs.
};

struct LedgerCheck {
  std::uint64_t transfers = 0;
  std::uint64_t accounts = 0;
};

/// Of a transfer.
struct UsedJob {
  std::string name;
  std::uint64_t array_job = 0;  ///< As in JobRecord.
  std::uint32_t array_index = 0;
};

class Archive {
 public:
  explicit Archive(std::unique_ptr<sql::Database> reader) : database_(std::move(reader)) {}

  /// Newest first; `spec` is not filled.
  Result<std::vector<JobRecord>> jobs(const JobFilter& filter);
  /// With its text; a task that shares a record, as if it were its own.
  Result<std::optional<JobRecord>> job(std::uint64_t number);
  /// The task of an array; none if there is none.
  Result<std::optional<JobRecord>> task(std::uint64_t array_job, std::uint32_t index);
  /// Oldest first.
  Result<std::vector<AttemptRecord>> attempts(std::uint64_t job);
  Result<std::vector<ReasonRecord>> reasons(std::uint64_t job);
  /// Calls `row` for everything used inside the asked time, in order of posting, until it gives false.
  Result<void> usage(const UsageFilter& filter, const std::function<bool(const UsageRow&)>& row);
  /// The same as it was posted, whole, with its job; without one where there is no record of it.
  Result<void> transfers(const UsageFilter& filter,
                         const std::function<bool(const TransferRecord&, const UsedJob&)>& row);
  /// Newest first, below `before` (0 = from the newest).
  /// Decision records, newest first: of these tenants (empty: all), before that sequence (0: the end), of
  /// that job (0: any; of a task, its array's too).
  struct DecisionFilter {
    std::vector<TenantId> tenants;
    std::uint64_t before = 0;
    std::uint64_t job = 0;
    std::uint64_t array_job = 0;
  };
  Result<std::vector<DecisionRow>> decisions(const DecisionFilter& filter, std::uint32_t limit);
  /// All of them in the order of the chain, until `row` gives false.
  Result<void> each_decision(const std::function<bool(const DecisionRow&)>& row);
  Result<std::vector<AuditRecord>> audit(const std::vector<TenantId>& tenants, std::uint64_t before,
                                         std::uint32_t limit);
  /// How much of their limits ended jobs have run, newest first: for forecasts.
  struct RunFraction {
    TenantId tenant;
    double fraction = 1;
  };
  Result<std::vector<RunFraction>> run_fractions(std::uint32_t limit);
  /// Adds up all accounts and all transfers; an Error where they differ or do not sum to zero.
  Result<LedgerCheck> check_ledger();

 private:
  std::unique_ptr<sql::Database> database_;
};

}  // namespace gw::live
