// Store: what a live factory keeps for good, behind a seam: SQL databases in operation, memory in
// simulations.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "audit/chain.h"
#include "base/result.h"
#include "live/records.h"

namespace gw::live {

/// Everything that one turn of the factory writes: kept as a whole, or not at all.
struct Changes {
  std::optional<JournalRow> journal;
  std::optional<SnapshotRow> snapshot;
  std::vector<JobRecord> new_jobs;      ///< Ascending by number.
  std::vector<JobRecord> changed_jobs;  ///< Only what changes is written.
  std::vector<AttemptRecord> new_attempts;
  std::vector<AttemptRecord> changed_attempts;
  std::vector<TenantRecord> tenants;  ///< New or changed, whole.
  std::vector<NodeRecord> nodes;
  std::vector<ReservationRecord> reservations;  ///< New or changed, whole.
  std::vector<CapRecord> caps;                  ///< New or changed, whole.
  std::vector<TokenRecord> tokens;
  std::vector<IdempotencyRecord> keys;
  std::vector<ReasonRecord> reasons;
  std::vector<AuditRecord> audit;
  std::vector<DecisionRow> decisions;
  std::vector<TransferRecord> transfers;
  std::vector<std::pair<std::string, std::string>> settings;

  [[nodiscard]] bool empty() const {
    return !journal && !snapshot && new_jobs.empty() && changed_jobs.empty() && new_attempts.empty() &&
           changed_attempts.empty() && tenants.empty() && nodes.empty() && reservations.empty() &&
           caps.empty() && tokens.empty() && keys.empty() && reasons.empty() && audit.empty() &&
           decisions.empty() && transfers.empty() && settings.empty();
  }
};

/// What a factory needs to go on.
struct Loaded {
  std::vector<std::pair<std::string, std::string>> settings;
  std::vector<TenantRecord> tenants;    ///< By id, from 1.
  std::vector<JobRecord> jobs;          ///< Not ended, ascending by number.
  std::vector<AttemptRecord> attempts;  ///< Not ended.
  std::vector<NodeRecord> nodes;
  std::vector<ReservationRecord> reservations;  ///< All, by id.
  std::vector<CapRecord> caps;                  ///< All, by id.
  std::vector<TokenRecord> tokens;
  std::optional<SnapshotRow> snapshot;  ///< The latest.
  std::uint64_t last_job = 0;           ///< Largest number given so far, to a task that shares a record too.
  std::uint64_t last_audit = 0;
  std::uint64_t last_transfer = 0;
  audit::Head last_decision;
};

/// What has become of a job that is not in memory any more.
struct EndedJob {
  std::uint64_t number = 0;
  std::uint64_t array_job = 0;
  std::uint32_t array_tasks = 0;
  TenantId tenant;
  Outcome outcome = Outcome::kNone;
};

class Store {
 public:
  virtual ~Store() = default;
  /// Keeps all of `changes` for good, or nothing; after an error it is unknown which, until `load`.
  virtual Result<void> commit(const Changes& changes) = 0;
  virtual Result<Loaded> load() = 0;
  /// Calls `row` for the journal rows behind `sequence`, in order, until it gives false.
  virtual Result<void> journal_after(std::uint64_t sequence,
                                     const std::function<bool(const JournalRow&)>& row) = 0;
  /// The job of that number if it has ended, by itself or with the tasks that shared its record.
  virtual Result<std::optional<EndedJob>> ended_job(std::uint64_t number) = 0;
  /// Of the array whose first task has that number: how many of its tasks have ended, and how many of those
  /// did not complete.
  struct EndedTasks {
    std::uint32_t ended = 0;
    std::uint32_t bad = 0;
  };
  virtual Result<EndedTasks> ended_tasks(std::uint64_t first) = 0;
  /// Calls `row` for the transfers that end behind `when`, in any order.
  virtual Result<void> transfers_after(Instant when,
                                       const std::function<void(const TransferRecord&)>& row) = 0;
  virtual Result<std::optional<IdempotencyRecord>> find_key(std::string_view scope, std::string_view key) = 0;
};

}  // namespace gw::live
