// Records to statements and back.
#include "live/sql_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <map>
#include <set>

#include "base/check.h"

namespace gw::live {
namespace {

using sql::Blob;
using sql::Param;
using sql::Row;
using sql::Statement;

Param number(std::uint64_t value) { return static_cast<std::int64_t>(value); }
Param when(Instant value) { return value.count(); }
Param flag(bool value) { return std::int64_t{value ? 1 : 0}; }
template <class Enum>
Param code(Enum value) {
  return static_cast<std::int64_t>(value);
}
Param text(const std::string& value) { return std::string_view(value); }
/// Core ids and tenants: -1 is none.
template <class Tag>
Param id(Id<Tag> value) {
  return value.valid() ? static_cast<std::int64_t>(value.value()) : std::int64_t{-1};
}

template <class IdType>
IdType read_id(const Row& row, int column) {
  const std::int64_t value = row.integer(column);
  return value < 0 ? IdType{} : IdType{static_cast<std::uint32_t>(value)};
}
std::uint32_t u32(const Row& row, int column) { return static_cast<std::uint32_t>(row.integer(column)); }
std::uint64_t u64(const Row& row, int column) { return static_cast<std::uint64_t>(row.integer(column)); }
template <class Enum>
Enum read_code(const Row& row, int column) {
  return static_cast<Enum>(row.integer(column));
}

constexpr Statement kPutSetting{
    "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = "
    "excluded.value"};
constexpr Statement kPutTenant{
    "INSERT INTO tenants (id, parent, name, weight, kind, home, unix_user, price_plan, gpu_milli_limit, "
    "job_limit, "
    "created, owners) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9, $10, $11) ON CONFLICT (id) DO UPDATE "
    "SET weight = "
    "excluded.weight, kind = excluded.kind, home = excluded.home, unix_user = excluded.unix_user, price_plan "
    "= "
    "excluded.price_plan, job_limit = excluded.job_limit, owners = excluded.owners"};
constexpr Statement kPutReservation{
    "INSERT INTO reservations (id, name, made_by, note, made, is_over) VALUES ($1, $2, $3, $4, $5, $6) ON "
    "CONFLICT (id) DO UPDATE SET is_over = excluded.is_over"};
constexpr Statement kPutCap{
    "INSERT INTO caps (id, feed, cap_mw, begins, ends, reason, made_by, made, is_over) VALUES ($1, $2, $3, "
    "$4, "
    "$5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET is_over = excluded.is_over"};
constexpr Statement kDropQuotas{"DELETE FROM quotas WHERE tenant = $1"};
constexpr Statement kAddQuota{
    "INSERT INTO quotas (tenant, gpu_type, guaranteed_milli, borrow_milli, lend_milli, limit_milli) VALUES "
    "($1, $2, $3, $4, $5, $6)"};
constexpr Statement kDropBudget{"DELETE FROM budgets WHERE tenant = $1"};
constexpr Statement kAddBudget{
    "INSERT INTO budgets (tenant, gpu_milli_hours, micro_eur, action, warn_percent, warned_month, "
    "spent_month) VALUES ($1, $2, $3, $4, $5, $6, $7)"};
constexpr Statement kAddJob{
    "INSERT INTO jobs (number, array_job, array_index, array_tasks, tenant, owner, name, submitted, nodes, "
    "gpu_milli, cpu_milli, memory_mib, time_limit, priority, requeue, state, outcome, stopping, requeueing, "
    "core, "
    "attempt, started, ended, exit_code, signal, place, note, stands_for, indices, spec) VALUES ($1, $2, $3, "
    "$4, $5, $6, $7, $8, "
    "$9, "
    "$10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, "
    "$30)"};
constexpr Statement kChangeJob{
    "UPDATE jobs SET state = $1, outcome = $2, stopping = $3, requeueing = $4, core = $5, attempt = $6, "
    "started = "
    "$7, ended = $8, exit_code = $9, signal = $10, place = $11, note = $12, nodes = $13, gpu_milli = $14, "
    "cpu_milli = $15, stands_for = $16, indices = $17 WHERE number = $18"};
constexpr Statement kAddAttempt{
    "INSERT INTO attempts (job, attempt, core, tenant, placement, place, gpu_type, gpu_milli, cpu_milli, "
    "power_mw, decided, started, is_over, ended, how, exit_code, signal, note, cpu_ns, memory_peak, "
    "output_bytes, output_lost_bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, "
    "$15, $16, $17, $18, $19, $20, $21, $22)"};
constexpr Statement kChangeAttempt{
    "UPDATE attempts SET started = $1, is_over = $2, ended = $3, how = $4, exit_code = $5, signal = $6, note "
    "= $7, "
    "cpu_ns = $8, memory_peak = $9, output_bytes = $10, output_lost_bytes = $11 WHERE job = $12 AND attempt "
    "= $13"};
constexpr Statement kPutNode{
    "INSERT INTO nodes (name, closed, down, reason, marked_by, since) VALUES ($1, $2, $3, $4, $5, $6) ON "
    "CONFLICT "
    "(name) DO UPDATE SET closed = excluded.closed, down = excluded.down, reason = excluded.reason, "
    "marked_by = "
    "excluded.marked_by, since = excluded.since"};
constexpr Statement kPutToken{
    "INSERT INTO tokens (id, hash, tenant, role, owner, label, created, expires, revoked) VALUES ($1, $2, "
    "$3, $4, "
    "$5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET revoked = excluded.revoked, expires = "
    "excluded.expires"};
constexpr Statement kAddKey{
    "INSERT INTO idempotency (scope, key, request_hash, first_number, count, created) VALUES ($1, $2, $3, "
    "$4, $5, "
    "$6)"};
constexpr Statement kAddReason{
    "INSERT INTO reasons (job, since, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"};
constexpr Statement kAddAudit{
    "INSERT INTO audit (sequence, at, token, owner, role, remote, action, target, detail, tenant) VALUES "
    "($1, $2, "
    "$3, $4, $5, $6, $7, $8, $9, $10)"};
constexpr Statement kAddDecision{
    "INSERT INTO decisions (sequence, at, job, tasks, tenant, outcome, record, hash) VALUES ($1, $2, $3, $4, "
    "$5, $6, $7, $8)"};
constexpr Statement kAddTransfer{
    "INSERT INTO transfers (sequence, job, attempt, tenant, owner, gpu_type, price_plan, began, ended, "
    "micro_gpu_s, "
    "micro_core_s, energy_j, micro_eur, kind) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, "
    "$13, $14)"};
constexpr Statement kBook{
    "INSERT INTO accounts (account, month, micro_gpu_s, micro_core_s, energy_j, micro_eur) VALUES ($1, $2, "
    "$3, $4, "
    "$5, $6) ON CONFLICT (account, month) DO UPDATE SET micro_gpu_s = accounts.micro_gpu_s + "
    "excluded.micro_gpu_s, "
    "micro_core_s = accounts.micro_core_s + excluded.micro_core_s, energy_j = accounts.energy_j + "
    "excluded.energy_j, micro_eur = accounts.micro_eur + excluded.micro_eur"};
constexpr Statement kAddJournal{
    "INSERT INTO journal (sequence, at, count, events, plan) VALUES ($1, $2, $3, $4, $5)"};
constexpr Statement kAddSnapshot{
    "INSERT INTO snapshots (sequence, at, follows, header, core) VALUES ($1, $2, $3, $4, $5)"};
// The first of each segment stays, for verification; of the others the latest two.
constexpr Statement kDropSnapshots{
    "DELETE FROM snapshots WHERE follows = 1 AND id < (SELECT MAX(id) FROM snapshots) - 1"};

}  // namespace

JobRecord read_job(const Row& row) {
  JobRecord job;
  job.number = u64(row, 0);
  job.array_job = u64(row, 1);
  job.array_index = u32(row, 2);
  job.array_tasks = u32(row, 3);
  job.tenant = read_id<TenantId>(row, 4);
  job.user = row.text(5);
  job.name = row.text(6);
  job.submitted = Instant{row.integer(7)};
  job.nodes = u32(row, 8);
  job.gpu_milli = row.integer(9);
  job.cpu_milli = row.integer(10);
  job.memory_mib = row.integer(11);
  job.limit = Nanoseconds{row.integer(12)};
  job.priority = static_cast<std::int32_t>(row.integer(13));
  job.requeue = row.integer(14) != 0;
  job.state = read_code<JobState>(row, 15);
  job.outcome = read_code<Outcome>(row, 16);
  job.stopping = row.integer(17) != 0;
  job.requeueing = row.integer(18) != 0;
  job.core = read_id<JobId>(row, 19);
  job.attempt = u32(row, 20);
  job.started = Instant{row.integer(21)};
  job.ended = Instant{row.integer(22)};
  job.exit_code = static_cast<int>(row.integer(23));
  job.signal = static_cast<int>(row.integer(24));
  job.place = row.text(25);
  job.note = row.text(26);
  job.stands_for = u32(row, 27);
  job.indices = row.text(28);
  return job;
}

AttemptRecord read_attempt(const Row& row) {
  AttemptRecord attempt;
  attempt.id = {u64(row, 0), u32(row, 1)};
  attempt.core = read_id<JobId>(row, 2);
  attempt.tenant = read_id<TenantId>(row, 3);
  attempt.placement = row.blob(4);
  attempt.place = row.text(5);
  attempt.gpu_type = row.text(6);
  attempt.gpu_milli = row.integer(7);
  attempt.cpu_milli = row.integer(8);
  attempt.power = Milliwatts{row.integer(9)};
  attempt.decided = Instant{row.integer(10)};
  attempt.started = Instant{row.integer(11)};
  attempt.ended = row.integer(12) != 0;
  attempt.ended_at = Instant{row.integer(13)};
  attempt.end = read_code<AttemptEnd>(row, 14);
  attempt.exit_code = static_cast<int>(row.integer(15));
  attempt.signal = static_cast<int>(row.integer(16));
  attempt.note = row.text(17);
  attempt.cpu_time = Nanoseconds{row.integer(18)};
  attempt.memory_peak = Bytes{row.integer(19)};
  attempt.output_bytes = u64(row, 20);
  attempt.output_lost_bytes = u64(row, 21);
  return attempt;
}

TransferRecord read_transfer(const Row& row) {
  TransferRecord transfer;
  transfer.attempt = {u64(row, 0), u32(row, 1)};
  transfer.tenant = read_id<TenantId>(row, 2);
  transfer.user = row.text(3);
  transfer.gpu_type = row.text(4);
  transfer.price_plan = row.text(5);
  transfer.from = Instant{row.integer(6)};
  transfer.to = Instant{row.integer(7)};
  transfer.micro_gpu_s = row.integer(8);
  transfer.micro_core_s = row.integer(9);
  transfer.energy = Joules{row.integer(10)};
  transfer.price = MicroEuros{row.integer(11)};
  transfer.kind = transfer_kind_by_name(row.text(12)).value_or(TransferKind::kUsage);
  return transfer;
}

Result<std::unique_ptr<SqlStore>> SqlStore::open(std::unique_ptr<sql::Database> database,
                                                 std::function<void(std::string_view)> at_point) {
  if (Result<void> migrated = migrate_store(*database); !migrated) return std::unexpected(migrated.error());
  return std::unique_ptr<SqlStore>(new SqlStore(std::move(database), std::move(at_point)));
}

Result<void> SqlStore::commit(const Changes& changes) {
  if (Result<void> begun = database_->begin(); !begun) return begun;
  point("store.begun");
  write(changes);
  // Last: its lock on the lease must not outlive the renewals that a long transaction waits for.
  if (fence_) fence_(*database_);
  point("store.written");
  Result<void> done = database_->commit();
  point("store.committed");
  return done;
}

void SqlStore::write(const Changes& changes) {
  sql::Database& db = *database_;
  if (changes.journal) {
    const JournalRow& row = *changes.journal;
    db.execute(kAddJournal, std::array<Param, 5>{number(row.sequence), when(row.now), number(row.count),
                                                 Blob{row.events}, Blob{row.plan}});
  }
  if (changes.snapshot) {
    const SnapshotRow& row = *changes.snapshot;
    db.execute(kAddSnapshot, std::array<Param, 5>{number(row.sequence), when(row.now), flag(row.follows),
                                                  Blob{row.header}, Blob{row.core}});
    db.execute(kDropSnapshots, {});
  }
  write_jobs(changes);
  write_attempts(changes);
  for (const TenantRecord& tenant : changes.tenants) write_tenant(tenant);
  for (const NodeRecord& node : changes.nodes)
    db.execute(kPutNode, std::array<Param, 6>{text(node.name), flag(node.closed), flag(node.down),
                                              text(node.reason), text(node.by), when(node.since)});
  for (const ReservationRecord& reservation : changes.reservations)
    db.execute(kPutReservation, std::array<Param, 6>{number(reservation.id.value()), text(reservation.name),
                                                     text(reservation.by), text(reservation.note),
                                                     when(reservation.made), flag(reservation.over)});
  for (const CapRecord& cap : changes.caps)
    db.execute(kPutCap, std::array<Param, 9>{number(cap.id), text(cap.feed), cap.cap.count(), when(cap.from),
                                             when(cap.until), text(cap.reason), text(cap.by), when(cap.made),
                                             flag(cap.over)});
  for (const TokenRecord& token : changes.tokens)
    db.execute(kPutToken,
               std::array<Param, 9>{text(token.id), Blob{token.hash}, id(token.tenant), name_of(token.role),
                                    text(token.user), text(token.label), when(token.created),
                                    when(token.expires), flag(token.revoked)});
  for (const IdempotencyRecord& key : changes.keys)
    db.execute(kAddKey, std::array<Param, 6>{text(key.scope), text(key.key), text(key.request_hash),
                                             number(key.first_number), number(key.count), when(key.created)});
  for (const ReasonRecord& reason : changes.reasons)
    db.execute(kAddReason, std::array<Param, 3>{number(reason.job), when(reason.since), text(reason.reason)});
  for (const AuditRecord& audit : changes.audit)
    db.execute(kAddAudit, std::array<Param, 10>{number(audit.sequence), when(audit.now), text(audit.token),
                                                text(audit.user), name_of(audit.role), text(audit.remote),
                                                text(audit.action), text(audit.target), text(audit.detail),
                                                id(audit.tenant)});
  for (const DecisionRow& row : changes.decisions)
    db.execute(kAddDecision,
               std::array<Param, 8>{number(row.sequence), when(row.now), number(row.job), number(row.tasks),
                                    id(row.tenant), text(row.outcome), text(row.record), Blob{row.hash}});
  write_ledger(changes);
  for (const auto& [name, value] : changes.settings)
    db.execute(kPutSetting, std::array<Param, 2>{text(name), text(value)});
}

void SqlStore::write_tenant(const TenantRecord& tenant) {
  sql::Database& db = *database_;
  const std::string owners = fmt::format("{}", fmt::join(tenant.owners, ","));
  db.execute(kPutTenant,
             std::array<Param, 11>{id(tenant.id), id(tenant.parent), text(tenant.name), number(tenant.weight),
                                   text(tenant.kind), text(tenant.home), text(tenant.unix_user),
                                   text(tenant.price_plan), number(tenant.limits.jobs), when(tenant.created),
                                   text(owners)});
  db.execute(kDropQuotas, std::array<Param, 1>{id(tenant.id)});
  for (const QuotaRecord& quota : tenant.quotas)
    db.execute(kAddQuota, std::array<Param, 6>{id(tenant.id), text(quota.gpu_type),
                                               quota.terms.guaranteed_milli, quota.terms.borrow_milli,
                                               quota.terms.lend_milli, quota.terms.limit_milli});
  db.execute(kDropBudget, std::array<Param, 1>{id(tenant.id)});
  if (!tenant.budget) return;
  const Budget& budget = tenant.budget->terms;
  db.execute(kAddBudget, std::array<Param, 7>{id(tenant.id), budget.gpu_milli_hours, budget.micro_euros,
                                              code(budget.action), number(budget.warn_percent),
                                              tenant.budget->warned_month, tenant.budget->spent_month});
}

void SqlStore::write_jobs(const Changes& changes) {
  for (const JobRecord& job : changes.new_jobs) {
    // The tasks of an array share one text: it is kept with the first.
    const bool has_text = job.spec != nullptr && (job.array_job == 0 || job.array_job == job.number);
    const Param spec = has_text ? Param(std::string_view(*job.spec)) : Param(std::monostate{});
    database_->execute(kAddJob, std::array<Param, 30>{number(job.number),
                                                      number(job.array_job),
                                                      number(job.array_index),
                                                      number(job.array_tasks),
                                                      id(job.tenant),
                                                      text(job.user),
                                                      text(job.name),
                                                      when(job.submitted),
                                                      number(job.nodes),
                                                      job.gpu_milli,
                                                      job.cpu_milli,
                                                      job.memory_mib,
                                                      job.limit.count(),
                                                      std::int64_t{job.priority},
                                                      flag(job.requeue),
                                                      code(job.state),
                                                      code(job.outcome),
                                                      flag(job.stopping),
                                                      flag(job.requeueing),
                                                      id(job.core),
                                                      number(job.attempt),
                                                      when(job.started),
                                                      when(job.ended),
                                                      std::int64_t{job.exit_code},
                                                      std::int64_t{job.signal},
                                                      text(job.place),
                                                      text(job.note),
                                                      number(job.stands_for),
                                                      text(job.indices),
                                                      spec});
  }
  for (const JobRecord& job : changes.changed_jobs)
    database_->execute(
        kChangeJob,
        std::array<Param, 18>{code(job.state), code(job.outcome), flag(job.stopping), flag(job.requeueing),
                              id(job.core), number(job.attempt), when(job.started), when(job.ended),
                              std::int64_t{job.exit_code}, std::int64_t{job.signal}, text(job.place),
                              text(job.note), number(job.nodes), job.gpu_milli, job.cpu_milli,
                              number(job.stands_for), text(job.indices), number(job.number)});
}

void SqlStore::write_attempts(const Changes& changes) {
  for (const AttemptRecord& attempt : changes.new_attempts)
    database_->execute(kAddAttempt, std::array<Param, 22>{number(attempt.id.job),
                                                          number(attempt.id.attempt),
                                                          id(attempt.core),
                                                          id(attempt.tenant),
                                                          Blob{attempt.placement},
                                                          text(attempt.place),
                                                          text(attempt.gpu_type),
                                                          attempt.gpu_milli,
                                                          attempt.cpu_milli,
                                                          attempt.power.count(),
                                                          when(attempt.decided),
                                                          when(attempt.started),
                                                          flag(attempt.ended),
                                                          when(attempt.ended_at),
                                                          code(attempt.end),
                                                          std::int64_t{attempt.exit_code},
                                                          std::int64_t{attempt.signal},
                                                          text(attempt.note),
                                                          attempt.cpu_time.count(),
                                                          attempt.memory_peak.count(),
                                                          number(attempt.output_bytes),
                                                          number(attempt.output_lost_bytes)});
  for (const AttemptRecord& attempt : changes.changed_attempts)
    database_->execute(
        kChangeAttempt,
        std::array<Param, 13>{
            when(attempt.started), flag(attempt.ended), when(attempt.ended_at), code(attempt.end),
            std::int64_t{attempt.exit_code}, std::int64_t{attempt.signal}, text(attempt.note),
            attempt.cpu_time.count(), attempt.memory_peak.count(), number(attempt.output_bytes),
            number(attempt.output_lost_bytes), number(attempt.id.job), number(attempt.id.attempt)});
}

/// Each transfer debits its tenant's account and credits that of the GPUs it used, month by month.
void SqlStore::write_ledger(const Changes& changes) {
  struct Sums {
    std::int64_t gpu = 0, core = 0, energy = 0, price = 0;
    void add(const TransferRecord& transfer, int sign) {
      gpu += sign * transfer.micro_gpu_s;
      core += sign * transfer.micro_core_s;
      energy += sign * transfer.energy.count();
      price += sign * transfer.price.count();
    }
  };
  std::map<std::pair<std::string, std::int64_t>, Sums> accounts;
  for (const TransferRecord& transfer : changes.transfers) {
    database_->execute(
        kAddTransfer,
        std::array<Param, 14>{number(transfer.sequence), number(transfer.attempt.job),
                              number(transfer.attempt.attempt), id(transfer.tenant), text(transfer.user),
                              text(transfer.gpu_type), text(transfer.price_plan), when(transfer.from),
                              when(transfer.to), transfer.micro_gpu_s, transfer.micro_core_s,
                              transfer.energy.count(), transfer.price.count(), name_of(transfer.kind)});
    accounts[{fmt::format("tenant:{}", transfer.tenant.value()), transfer.month}].add(transfer, +1);
    accounts[{fmt::format("factory:{}", transfer.gpu_type.empty() ? "cpu" : transfer.gpu_type),
              transfer.month}]
        .add(transfer, -1);
  }
  for (const auto& [account, sums] : accounts)
    database_->execute(kBook, std::array<Param, 6>{text(account.first), account.second, sums.gpu, sums.core,
                                                   sums.energy, sums.price});
}

Result<Loaded> SqlStore::load() {
  Loaded loaded;
  sql::Database& db = *database_;
  Result<void> read;
  const auto each = [&](const Statement& statement, auto&& row) {
    if (!read) return;
    read = db.query(statement, {}, [&](const Row& values) {
      row(values);
      return true;
    });
  };
  static constexpr Statement kSettings{"SELECT name, value FROM settings ORDER BY name"};
  each(kSettings, [&](const Row& row) { loaded.settings.emplace_back(row.text(0), row.text(1)); });
  static constexpr Statement kTenants{
      "SELECT id, parent, name, weight, kind, home, unix_user, price_plan, job_limit, created, owners FROM "
      "tenants ORDER BY id"};
  each(kTenants, [&](const Row& row) {
    TenantRecord& tenant = loaded.tenants.emplace_back();
    tenant.id = read_id<TenantId>(row, 0);
    tenant.parent = read_id<TenantId>(row, 1);
    tenant.name = row.text(2);
    tenant.weight = u32(row, 3);
    tenant.kind = row.text(4);
    tenant.home = row.text(5);
    tenant.unix_user = row.text(6);
    tenant.price_plan = row.text(7);
    tenant.limits.jobs = u32(row, 8);
    tenant.created = Instant{row.integer(9)};
    tenant.owners = country_list(row.text(10));
  });
  // Tenants are numbered without gaps, from 1; load says so where they are not.
  const auto tenant_of = [&](const Row& row) {
    const std::int64_t index = row.integer(0) - 1;
    return index < 0 || index >= static_cast<std::int64_t>(loaded.tenants.size())
               ? nullptr
               : &loaded.tenants[static_cast<std::size_t>(index)];
  };
  static constexpr Statement kReservations{
      "SELECT id, name, made_by, note, made, is_over FROM reservations ORDER BY id"};
  each(kReservations, [&](const Row& row) {
    loaded.reservations.push_back({WindowId{u32(row, 0)}, std::string(row.text(1)), std::string(row.text(2)),
                                   std::string(row.text(3)), Instant{row.integer(4)}, row.integer(5) != 0});
  });
  static constexpr Statement kCaps{
      "SELECT id, feed, cap_mw, begins, ends, reason, made_by, made, is_over FROM caps ORDER BY id"};
  each(kCaps, [&](const Row& row) {
    loaded.caps.push_back({u32(row, 0), std::string(row.text(1)), Milliwatts{row.integer(2)},
                           Instant{row.integer(3)}, Instant{row.integer(4)}, std::string(row.text(5)),
                           std::string(row.text(6)), Instant{row.integer(7)}, row.integer(8) != 0});
  });
  static constexpr Statement kQuotas{
      "SELECT tenant, gpu_type, guaranteed_milli, borrow_milli, lend_milli, limit_milli FROM quotas ORDER BY "
      "tenant, gpu_type"};
  each(kQuotas, [&](const Row& row) {
    if (TenantRecord* tenant = tenant_of(row))
      tenant->quotas.push_back(
          {std::string(row.text(1)), {row.integer(2), row.integer(3), row.integer(4), row.integer(5)}});
  });
  static constexpr Statement kBudgets{
      "SELECT tenant, gpu_milli_hours, micro_eur, action, warn_percent, warned_month, spent_month FROM "
      "budgets"};
  each(kBudgets, [&](const Row& row) {
    if (TenantRecord* tenant = tenant_of(row))
      tenant->budget =
          BudgetRecord{{row.integer(1), row.integer(2), read_code<BudgetAction>(row, 3), u32(row, 4)},
                       row.integer(5),
                       row.integer(6)};
  });
  static const std::string jobs_text =
      fmt::format("SELECT {}, spec FROM jobs WHERE state < 4 ORDER BY number", kJobColumns);
  static const Statement kJobs{jobs_text.c_str()};
  std::map<std::uint64_t, std::shared_ptr<const std::string>> array_texts;
  each(kJobs, [&](const Row& row) {
    JobRecord& job = loaded.jobs.emplace_back(read_job(row));
    if (!row.null(29)) job.spec = std::make_shared<const std::string>(row.text(29));
    if (job.array_job != 0) array_texts.try_emplace(job.array_job);
  });
  static constexpr Statement kText{"SELECT spec FROM jobs WHERE number = $1"};
  for (auto& [first, spec] : array_texts) {
    if (!read) break;
    read = db.query(kText, std::array<Param, 1>{number(first)}, [&](const Row& row) {
      spec = std::make_shared<const std::string>(row.text(0));
      return true;
    });
  }
  for (JobRecord& job : loaded.jobs) {
    if (job.array_job != 0) job.spec = array_texts[job.array_job];
  }
  static const std::string attempts_text = fmt::format(
      "SELECT {} FROM attempts WHERE is_over = 0 AND job IN (SELECT number FROM jobs WHERE state < 4) ORDER "
      "BY job",
      kAttemptColumns);
  static const Statement kAttempts{attempts_text.c_str()};
  each(kAttempts, [&](const Row& row) { loaded.attempts.push_back(read_attempt(row)); });
  static constexpr Statement kNodes{
      "SELECT name, closed, down, reason, marked_by, since FROM nodes ORDER BY name"};
  each(kNodes, [&](const Row& row) {
    loaded.nodes.push_back({std::string(row.text(0)), row.integer(1) != 0, row.integer(2) != 0,
                            std::string(row.text(3)), std::string(row.text(4)), Instant{row.integer(5)}});
  });
  static constexpr Statement kTokens{
      "SELECT id, hash, tenant, role, owner, label, created, expires, revoked FROM tokens ORDER BY id"};
  each(kTokens, [&](const Row& row) {
    TokenRecord& token = loaded.tokens.emplace_back();
    token.id = row.text(0);
    token.hash = row.blob(1);
    token.tenant = read_id<TenantId>(row, 2);
    token.role = role_by_name(row.text(3)).value_or(Role::kViewer);
    token.user = row.text(4);
    token.label = row.text(5);
    token.created = Instant{row.integer(6)};
    token.expires = Instant{row.integer(7)};
    token.revoked = row.integer(8) != 0;
  });
  static constexpr Statement kSnapshot{
      "SELECT sequence, at, follows, header, core FROM snapshots ORDER BY id DESC LIMIT 1"};
  each(kSnapshot, [&](const Row& row) {
    loaded.snapshot = SnapshotRow{u64(row, 0), Instant{row.integer(1)}, row.integer(2) != 0,
                                  std::string(row.blob(3)), std::string(row.blob(4))};
  });
  static constexpr Statement kLasts{
      "SELECT (SELECT number + stands_for - 1 FROM jobs ORDER BY number DESC LIMIT 1), (SELECT MAX(sequence) "
      "FROM audit), (SELECT "
      "MAX(sequence) FROM "
      "transfers)"};
  each(kLasts, [&](const Row& row) {
    loaded.last_job = u64(row, 0);
    loaded.last_audit = u64(row, 1);
    loaded.last_transfer = u64(row, 2);
  });
  static constexpr Statement kLastDecision{
      "SELECT sequence, hash FROM decisions ORDER BY sequence DESC LIMIT 1"};
  each(kLastDecision,
       [&](const Row& row) { loaded.last_decision = {u64(row, 0), std::string(row.blob(1))}; });
  if (!read) return std::unexpected(read.error());
  return loaded;
}

Result<void> SqlStore::journal_after(std::uint64_t sequence,
                                     const std::function<bool(const JournalRow&)>& row) {
  static constexpr Statement kRows{
      "SELECT sequence, at, count, events, plan FROM journal WHERE sequence > $1 ORDER BY sequence"};
  return database_->query(kRows, std::array<Param, 1>{number(sequence)}, [&](const Row& values) {
    return row({u64(values, 0), Instant{values.integer(1)}, u32(values, 2), std::string(values.blob(3)),
                std::string(values.blob(4))});
  });
}

Result<std::optional<EndedJob>> SqlStore::ended_job(std::uint64_t job) {
  static constexpr Statement kJob{
      "SELECT array_job, array_tasks, tenant, outcome FROM jobs WHERE number = (SELECT MAX(number) FROM jobs "
      "WHERE number <= $1) AND number + stands_for > $1 AND state = 4"};
  std::optional<EndedJob> found;
  const Result<void> read = database_->query(kJob, std::array<Param, 1>{number(job)}, [&](const Row& row) {
    found = EndedJob{job, u64(row, 0), u32(row, 1), read_id<TenantId>(row, 2), read_code<Outcome>(row, 3)};
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return found;
}

Result<Store::EndedTasks> SqlStore::ended_tasks(std::uint64_t first) {
  // The tasks of an array have consecutive numbers.
  static constexpr Statement kTasks{
      "SELECT SUM(stands_for), SUM(CASE WHEN outcome <> 1 THEN stands_for ELSE 0 END) FROM jobs WHERE number "
      ">= $1 AND "
      "number < $1 + "
      "(SELECT array_tasks FROM jobs WHERE number = $1) AND state = 4"};
  static_assert(static_cast<int>(Outcome::kCompleted) == 1 && static_cast<int>(JobState::kEnded) == 4);
  EndedTasks tasks;
  const Result<void> read =
      database_->query(kTasks, std::array<Param, 1>{number(first)}, [&](const Row& row) {
        tasks = {u32(row, 0), u32(row, 1)};
        return true;
      });
  if (!read) return std::unexpected(read.error());
  return tasks;
}

Result<void> SqlStore::transfers_after(Instant after, const std::function<void(const TransferRecord&)>& row) {
  static constexpr Statement kTransfers{
      "SELECT job, attempt, tenant, owner, gpu_type, price_plan, began, ended, micro_gpu_s, micro_core_s, "
      "energy_j, micro_eur, kind FROM transfers WHERE ended > $1"};
  return database_->query(kTransfers, std::array<Param, 1>{when(after)}, [&](const Row& values) {
    row(read_transfer(values));
    return true;
  });
}

Result<std::optional<IdempotencyRecord>> SqlStore::find_key(std::string_view scope, std::string_view key) {
  static constexpr Statement kKey{
      "SELECT request_hash, first_number, count, created FROM idempotency WHERE scope = $1 AND key = $2"};
  std::optional<IdempotencyRecord> found;
  const Result<void> read = database_->query(kKey, std::array<Param, 2>{scope, key}, [&](const Row& row) {
    found = IdempotencyRecord{std::string(scope), std::string(key), std::string(row.text(0)),
                              u64(row, 1),        u32(row, 2),      Instant{row.integer(3)}};
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return found;
}

JournalSource journal_source(sql::Database& database) {
  return [&database](const std::function<bool(JournalEntry)>& entry) -> Result<void> {
    static constexpr Statement kSnapshots{"SELECT id, sequence FROM snapshots ORDER BY id"};
    static constexpr Statement kSnapshot{
        "SELECT sequence, at, follows, header, core FROM snapshots WHERE id = $1"};
    static constexpr Statement kRows{
        "SELECT sequence, at, count, events, plan FROM journal WHERE sequence > $1 AND sequence <= $2 ORDER "
        "BY "
        "sequence"};
    if (Result<void> begun = database.begin(); !begun) return begun;
    const auto finish = [&](Result<void> result) {
      database.rollback();
      return result;
    };
    std::vector<std::pair<std::int64_t, std::int64_t>> snapshots;
    Result<void> read = database.query(kSnapshots, {}, [&](const Row& row) {
      snapshots.emplace_back(row.integer(0), row.integer(1));
      return true;
    });
    bool wanted = true;
    std::int64_t from = 0;
    snapshots.emplace_back(-1, INT64_MAX);
    for (const auto& [id, sequence] : snapshots) {
      if (!read || !wanted) break;
      // In pieces: entries may be large, and a state is held only as long as it is read.
      read = database.query(kRows, std::array<Param, 2>{from, sequence}, [&](const Row& row) {
        from = row.integer(0);
        return wanted = entry(JournalRow{u64(row, 0), Instant{row.integer(1)}, u32(row, 2),
                                         std::string(row.blob(3)), std::string(row.blob(4))});
      });
      if (!read || !wanted || id < 0) break;
      read = database.query(kSnapshot, std::array<Param, 1>{id}, [&](const Row& row) {
        return wanted = entry(SnapshotRow{u64(row, 0), Instant{row.integer(1)}, row.integer(2) != 0,
                                          std::string(row.blob(3)), std::string(row.blob(4))});
      });
    }
    return finish(read);
  };
}

}  // namespace gw::live
