// Records: what a live factory keeps for good, as plain values; one struct a table.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "live/engine.h"
#include "model/quota.h"

namespace gw::live {

enum class JobState : std::uint8_t {
  kHeld,     ///< By its owner or an operator, until released.
  kBlocked,  ///< For a reason outside of the scheduler: see BlockReason.
  kWaiting,  ///< In the scheduler's queue.
  kRunning,
  kEnded,  ///< See Outcome.
};

/// Why a job is not handed to the scheduler yet.
enum class BlockReason : std::uint8_t {
  kNone,
  kBegin,       ///< The time that it may begin at has not come.
  kDependency,  ///< Jobs that it depends on have not ended.
  kArrayLimit,  ///< As many tasks of its array run or wait as may.
};

/// How a job has ended.
enum class Outcome : std::uint8_t {
  kNone,
  kCompleted,
  kFailed,
  kCancelled,
  kTimeLimit,
  kOutOfMemory,
  kLaunchFailed,
  kLost,        ///< Its machine or supervisor failed and it may not be run again.
  kNever,       ///< No part of the factory could ever hold it.
  kDependency,  ///< A job that it depends on ended in the wrong way.
};

/// Stable names (`waiting`, `time_limit`): in the API, the store and on the screen.
std::string_view name_of(JobState state);
std::string_view name_of(BlockReason reason);
std::string_view name_of(Outcome outcome);
std::string_view name_of(AttemptEnd end);
/// The state as users see it: an ended job's outcome, else its state.
std::string_view status_of(JobState state, Outcome outcome);
std::optional<JobState> job_state_by_name(std::string_view name);
std::optional<Outcome> outcome_by_name(std::string_view name);

struct JobRecord {
  std::uint64_t number = 0;  ///< What users call it by; from 1, never used twice.
  /// Tasks of an array have consecutive numbers; this is the first one's. 0: no array.
  std::uint64_t array_job = 0;
  std::uint32_t array_index = 0;
  std::uint32_t array_tasks = 0;
  /// So many tasks of a large array that nothing has been done for yet share one record, the first one's;
  /// `indices` names them all (`256-99999`). Else 1, and no text.
  std::uint32_t stands_for = 1;
  std::string indices;
  TenantId tenant;
  std::string user;
  std::string name;
  /// Canonical JSON of its JobSpec; all tasks of an array share one.
  std::shared_ptr<const std::string> spec;
  Instant submitted;
  // What it takes, for lists.
  std::uint32_t nodes = 0;
  std::int64_t gpu_milli = 0;   ///< In all.
  std::int64_t cpu_milli = 0;   ///< In all, as asked for.
  std::int64_t memory_mib = 0;  ///< Per node.
  Nanoseconds limit;
  std::int32_t priority = 0;
  bool requeue = true;  ///< May wait again after a loss.
  // What changes.
  JobState state = JobState::kBlocked;
  Outcome outcome = Outcome::kNone;
  bool stopping = false;      ///< It has been asked to end.
  bool requeueing = false;    ///< ... and is to wait again then.
  JobId core;                 ///< Its id in the core; none before it was first handed to it.
  std::uint32_t attempt = 0;  ///< The latest; 0 = it has not started yet.
  Instant started;            ///< Of the latest attempt.
  Instant ended;
  int exit_code = 0;
  int signal = 0;
  std::string place;  ///< Names of the nodes of the latest attempt, compressed: `rack-[01-03]`.
  std::string note;   ///< For people.
};

struct AttemptRecord {
  AttemptId id;
  JobId core;
  TenantId tenant;
  std::string placement;  ///< Bytes of the core's Placement (sched/codec.h).
  std::string place;
  std::string gpu_type;  ///< Empty where it has no GPU.
  std::int64_t gpu_milli = 0;
  std::int64_t cpu_milli = 0;
  Milliwatts power;  ///< Nameplate power of its share of the nodes.
  Instant decided;
  Instant started;  ///< As the engine says; `decided` until it has.
  bool ended = false;
  Instant ended_at;
  AttemptEnd end = AttemptEnd::kExited;
  int exit_code = 0;
  int signal = 0;
  std::string note;
  Nanoseconds cpu_time;
  Bytes memory_peak;
  std::uint64_t output_bytes = 0;
  std::uint64_t output_lost_bytes = 0;
};

/// `DE,FR` as it is kept, to a list.
std::vector<std::string> country_list(std::string_view joined);

/// Limits of a tenant and everything below it; 0 = none.
struct TenantLimits {
  std::uint32_t jobs = 0;  ///< Jobs in the system; more are refused.
  friend bool operator==(const TenantLimits&, const TenantLimits&) = default;
};

/// A tenant's terms for GPUs of one type; where `gpu_type` is empty for all, in GPU-equivalents.
struct QuotaRecord {
  std::string gpu_type;
  QuotaTerms terms;
  friend bool operator==(const QuotaRecord&, const QuotaRecord&) = default;
};

/// A tenant's budget, and in which month (see month_of) it was last warned and had last spent it. Once spent
/// it stays so until the month is over or the budget is set anew.
struct BudgetRecord {
  Budget terms;
  std::int64_t warned_month = 0;
  std::int64_t spent_month = 0;
};

struct TenantRecord {
  TenantId id;
  TenantId parent;
  std::string name;
  std::uint32_t weight = 1;
  std::string kind;
  std::string home;
  std::vector<std::string> owners;  ///< Countries of its owners; empty: its parent's, else as its home.
  std::string unix_user;            ///< Account of its jobs; empty: its parent's, else the server's own.
  std::string price_plan;           ///< Empty: its parent's, else `default`.
  TenantLimits limits;
  Instant created;
  std::vector<QuotaRecord> quotas;  ///< By GPU type; only those that say something.
  std::optional<BudgetRecord> budget;
};

/// An operator's mark on a node.
struct NodeRecord {
  std::string name;
  bool closed = false;
  bool down = false;
  std::string reason;
  std::string by;
  Instant since;
};

/// A reservation of nodes: how it is called and who made it. Its times, nodes and owner are the core's, which
/// ends it too.
struct ReservationRecord {
  WindowId id;
  std::string name;  ///< Of one at a time.
  std::string by;
  std::string note;  ///< For people.
  Instant made;
  bool over = false;
};

/// A cap of a feed for a time, as somebody set it. Of those of a feed at the same time the lowest holds, and
/// never more than the feed was built for.
struct CapRecord {
  std::uint32_t id = 0;  ///< From 1, never used twice.
  std::string feed;      ///< Its path in the feed tree.
  Milliwatts cap;        ///< IT power; > 0.
  Instant from;
  Instant until = Instant::max();
  std::string reason;  ///< For people.
  std::string by;
  Instant made;
  bool over = false;
  friend bool operator==(const CapRecord&, const CapRecord&) = default;
};

enum class Role : std::uint8_t {
  kViewer,    ///< Sees its tenant and what is below.
  kMember,    ///< ... and submits, cancels, holds jobs there.
  kOperator,  ///< Everything but tokens, tenants, limits and prices.
  kAdmin,     ///< Everything.
};
std::string_view name_of(Role role);
std::optional<Role> role_by_name(std::string_view name);

struct TokenRecord {
  std::string id;    ///< Public part.
  std::string hash;  ///< SHA-256 of the secret part, 32 bytes.
  TenantId tenant;   ///< Its rights end at this tenant and what is below.
  Role role = Role::kViewer;
  std::string user;   ///< Who acts by it.
  std::string label;  ///< What it is for.
  Instant created;
  Instant expires = Instant::max();
  bool revoked = false;
};

/// One batch of events and what was decided on it.
struct JournalRow {
  std::uint64_t sequence = 0;  ///< From 1, without gaps.
  Instant now;
  std::uint32_t count = 0;  ///< Of events.
  std::string events;       ///< `count` events (sched/codec.h).
  std::string plan;         ///< The plan's bytes.
};

/// The core after the journal row `sequence` (0: before the first).
struct SnapshotRow {
  std::uint64_t sequence = 0;
  Instant now;
  /// False: a later state than the one before it follows from (another fleet or policy, decisions of another
  /// version taken over): the journal goes on from here.
  bool follows = true;
  std::string header;  ///< Bytes of runtime::JournalHeader: fleet and policy.
  std::string core;    ///< sched::Core::snapshot.
};

struct AuditRecord {
  std::uint64_t sequence = 0;
  Instant now;
  std::string token;  ///< Id of the token, or how else it was authorised; never a secret.
  std::string user;
  Role role = Role::kViewer;
  std::string remote;
  std::string action;  ///< `job.submit`, `node.close`, ...
  std::string target;
  std::string detail;
  TenantId tenant;  ///< Whose matter it is.
};

/// A decision record and its place in the chain (audit/chain.h); the columns repeat what the record says.
struct DecisionRow {
  std::uint64_t sequence = 0;
  Instant now;
  std::uint64_t job = 0;  ///< 0: it was refused before it had a number.
  std::uint32_t tasks = 1;
  TenantId tenant;
  std::string outcome;
  std::string record;  ///< Canonical JSON.
  std::string hash;    ///< 32 bytes.
};

/// What binds a waiting job, from `since` on.
struct ReasonRecord {
  std::uint64_t job = 0;
  Instant since;
  std::string reason;
};

/// A request that must not be carried out twice.
struct IdempotencyRecord {
  std::string scope;  ///< Whose key it is.
  std::string key;
  std::string request_hash;
  std::uint64_t first_number = 0;
  std::uint32_t count = 0;
  Instant created;
};

/// What a transfer is for.
enum class TransferKind : std::uint8_t {
  kUsage,             ///< What an attempt used.
  kPreemptionCredit,  ///< Given back for what it lost when it had to leave: a negative price alone.
};
std::string_view name_of(TransferKind kind);
std::string_view name_of(BudgetAction action);
std::optional<BudgetAction> budget_action_by_name(std::string_view name);
std::optional<TransferKind> transfer_kind_by_name(std::string_view name);

/// One transfer of the ledger: what an attempt used goes from the factory's account to its tenant's. Each
/// amount is debited once and credited once, so all accounts together sum to zero. There is at most one of a
/// kind for an attempt.
struct TransferRecord {
  TransferKind kind = TransferKind::kUsage;
  std::uint64_t sequence = 0;
  AttemptId attempt;
  TenantId tenant;
  std::string user;
  std::string gpu_type;
  std::string price_plan;
  Instant from;
  Instant to;
  std::int64_t micro_gpu_s = 0;   ///< Millionths of GPU-seconds: thousandths of GPUs times milliseconds.
  std::int64_t micro_core_s = 0;  ///< Millionths of core-seconds.
  Joules energy;                  ///< Estimated.
  MicroEuros price;
  std::int64_t month = 0;  ///< Calendar month (UTC) of `to`: year * 12 + month from 0.
};

/// The calendar month (UTC) of a Unix time, as 2026 * 12 + 10 for November 2026: the period of an account.
std::int64_t month_of(std::int64_t unix_ns);
/// When such a month begins.
std::int64_t month_begin_unix_ns(std::int64_t month);

}  // namespace gw::live
