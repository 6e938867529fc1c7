// The tables of a live factory, version by version. docs/formats-store.md says what is in them.
#include "live/sql_store.h"
#include "sql/lease.h"
#include "sql/migrate.h"

namespace gw::live {
namespace {

// Times are nanoseconds since the factory's own zero (setting origin_unix_ns). BIGINT means the same in both
// databases but for one thing: in SQLite only INTEGER PRIMARY KEY makes a table that is kept in the key's
// order.
constexpr std::string_view kTables = R"sql(
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE tenants (
  id {ID}, parent BIGINT NOT NULL, name TEXT NOT NULL, weight BIGINT NOT NULL, kind TEXT NOT NULL,
  home TEXT NOT NULL, unix_user TEXT NOT NULL, price_plan TEXT NOT NULL, gpu_milli_limit BIGINT NOT NULL,
  job_limit BIGINT NOT NULL, created BIGINT NOT NULL);

CREATE TABLE jobs (
  number {ID}, array_job BIGINT NOT NULL, array_index BIGINT NOT NULL, array_tasks BIGINT NOT NULL,
  tenant BIGINT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, spec TEXT, submitted BIGINT NOT NULL,
  nodes BIGINT NOT NULL, gpu_milli BIGINT NOT NULL, cpu_milli BIGINT NOT NULL, memory_mib BIGINT NOT NULL,
  time_limit BIGINT NOT NULL, priority BIGINT NOT NULL, requeue BIGINT NOT NULL,
  state BIGINT NOT NULL, outcome BIGINT NOT NULL, stopping BIGINT NOT NULL, requeueing BIGINT NOT NULL,
  core BIGINT NOT NULL, attempt BIGINT NOT NULL, started BIGINT NOT NULL, ended BIGINT NOT NULL,
  exit_code BIGINT NOT NULL, signal BIGINT NOT NULL, place TEXT NOT NULL, note TEXT NOT NULL);
CREATE INDEX jobs_open ON jobs (number) WHERE state < 4;
CREATE INDEX jobs_tenant ON jobs (tenant, number);

CREATE TABLE attempts (
  job BIGINT NOT NULL, attempt BIGINT NOT NULL, core BIGINT NOT NULL, tenant BIGINT NOT NULL,
  placement BYTEA NOT NULL, place TEXT NOT NULL, gpu_type TEXT NOT NULL, gpu_milli BIGINT NOT NULL,
  cpu_milli BIGINT NOT NULL, power_mw BIGINT NOT NULL, decided BIGINT NOT NULL, started BIGINT NOT NULL, is_over BIGINT NOT NULL,
  ended BIGINT NOT NULL, how BIGINT NOT NULL, exit_code BIGINT NOT NULL, signal BIGINT NOT NULL,
  note TEXT NOT NULL, cpu_ns BIGINT NOT NULL, memory_peak BIGINT NOT NULL, output_bytes BIGINT NOT NULL,
  output_lost_bytes BIGINT NOT NULL, PRIMARY KEY (job, attempt)){WITHOUT_ROWID};

CREATE TABLE nodes (
  name TEXT PRIMARY KEY, closed BIGINT NOT NULL, down BIGINT NOT NULL, reason TEXT NOT NULL, marked_by TEXT NOT NULL,
  since BIGINT NOT NULL);

CREATE TABLE tokens (
  id TEXT PRIMARY KEY, hash BYTEA NOT NULL, tenant BIGINT NOT NULL, role TEXT NOT NULL, owner TEXT NOT NULL,
  label TEXT NOT NULL, created BIGINT NOT NULL, expires BIGINT NOT NULL, revoked BIGINT NOT NULL);

CREATE TABLE idempotency (
  scope TEXT NOT NULL, key TEXT NOT NULL, request_hash TEXT NOT NULL, first_number BIGINT NOT NULL,
  count BIGINT NOT NULL, created BIGINT NOT NULL, PRIMARY KEY (scope, key));

CREATE TABLE reasons (
  job BIGINT NOT NULL, since BIGINT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (job, since, reason)){WITHOUT_ROWID};

CREATE TABLE audit (
  sequence {ID}, at BIGINT NOT NULL, token TEXT NOT NULL, owner TEXT NOT NULL, role TEXT NOT NULL,
  remote TEXT NOT NULL, action TEXT NOT NULL, target TEXT NOT NULL, detail TEXT NOT NULL, tenant BIGINT NOT NULL);

CREATE TABLE transfers (
  sequence {ID}, job BIGINT NOT NULL, attempt BIGINT NOT NULL, tenant BIGINT NOT NULL, owner TEXT NOT NULL,
  gpu_type TEXT NOT NULL, price_plan TEXT NOT NULL, began BIGINT NOT NULL, ended BIGINT NOT NULL,
  micro_gpu_s BIGINT NOT NULL, micro_core_s BIGINT NOT NULL, energy_j BIGINT NOT NULL, micro_eur BIGINT NOT NULL);
CREATE UNIQUE INDEX transfers_attempt ON transfers (job, attempt);
CREATE INDEX transfers_ended ON transfers (ended);

CREATE TABLE accounts (
  account TEXT NOT NULL, month BIGINT NOT NULL, micro_gpu_s BIGINT NOT NULL, micro_core_s BIGINT NOT NULL,
  energy_j BIGINT NOT NULL, micro_eur BIGINT NOT NULL, PRIMARY KEY (account, month));

CREATE TABLE journal (
  sequence {ID}, at BIGINT NOT NULL, count BIGINT NOT NULL, events BYTEA NOT NULL, plan BYTEA NOT NULL);

CREATE TABLE snapshots (
  id {AUTO_ID}, sequence BIGINT NOT NULL, at BIGINT NOT NULL, follows BIGINT NOT NULL, header BYTEA NOT NULL,
  core BYTEA NOT NULL);
)sql";

// Terms of tenants, and transfers of more than one kind. The limits of before become terms.
constexpr std::string_view kQuotas = R"sql(
CREATE TABLE quotas (
  tenant BIGINT NOT NULL, gpu_type TEXT NOT NULL, guaranteed_milli BIGINT NOT NULL, borrow_milli BIGINT NOT NULL,
  lend_milli BIGINT NOT NULL, limit_milli BIGINT NOT NULL, PRIMARY KEY (tenant, gpu_type)){WITHOUT_ROWID};
INSERT INTO quotas SELECT id, '', 0, -1, -1, gpu_milli_limit FROM tenants WHERE gpu_milli_limit > 0;
UPDATE tenants SET gpu_milli_limit = 0;

CREATE TABLE budgets (
  tenant {ID}, gpu_milli_hours BIGINT NOT NULL, micro_eur BIGINT NOT NULL, action BIGINT NOT NULL,
  warn_percent BIGINT NOT NULL, warned_month BIGINT NOT NULL, spent_month BIGINT NOT NULL);

ALTER TABLE transfers ADD COLUMN kind TEXT NOT NULL DEFAULT 'usage';
DROP INDEX transfers_attempt;
CREATE UNIQUE INDEX transfers_attempt ON transfers (job, attempt, kind);
)sql";

// Decisions about who may run where; the owners of tenants, which they go by.
constexpr std::string_view kDecisions = R"sql(
ALTER TABLE tenants ADD COLUMN owners TEXT NOT NULL DEFAULT '';

CREATE TABLE decisions (
  sequence {ID}, at BIGINT NOT NULL, job BIGINT NOT NULL, tasks BIGINT NOT NULL, tenant BIGINT NOT NULL,
  outcome TEXT NOT NULL, record TEXT NOT NULL, hash BYTEA NOT NULL);
CREATE INDEX decisions_job ON decisions (job);
)sql";

// Names of reserved nodes' times; what they are is the core's.
constexpr std::string_view kReservations = R"sql(
CREATE TABLE reservations (
  id {ID}, name TEXT NOT NULL, made_by TEXT NOT NULL, note TEXT NOT NULL, made BIGINT NOT NULL,
  is_over BIGINT NOT NULL);
)sql";

// Caps of feeds, present and to come.
constexpr std::string_view kCaps = R"sql(
CREATE TABLE caps (
  id {ID}, feed TEXT NOT NULL, cap_mw BIGINT NOT NULL, begins BIGINT NOT NULL, ends BIGINT NOT NULL,
  reason TEXT NOT NULL, made_by TEXT NOT NULL, made BIGINT NOT NULL, is_over BIGINT NOT NULL);
)sql";

// Tasks of a large array that nothing has been done for share one row.
constexpr std::string_view kSharedRows = R"sql(
ALTER TABLE jobs ADD COLUMN stands_for BIGINT NOT NULL DEFAULT 1;
ALTER TABLE jobs ADD COLUMN indices TEXT NOT NULL DEFAULT '';
)sql";

std::string with(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

std::string for_sqlite(std::string_view text) {
  return with(
      with(with(std::string(text), "{ID}", "INTEGER PRIMARY KEY"), "{AUTO_ID}", "INTEGER PRIMARY KEY"),
      "{WITHOUT_ROWID}", " WITHOUT ROWID");
}

std::string for_postgres(std::string_view text) {
  return with(with(with(std::string(text), "{ID}", "BIGINT PRIMARY KEY"), "{AUTO_ID}",
                   "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"),
              "{WITHOUT_ROWID}", "");
}

}  // namespace

namespace {

sql::Migration quotas_step() {
  static const std::string sqlite = for_sqlite(kQuotas), postgres = for_postgres(kQuotas);
  return {3, "quotas, budgets and credits", sqlite, postgres};
}

sql::Migration reservations_step() {
  static const std::string sqlite = for_sqlite(kReservations), postgres = for_postgres(kReservations);
  return {5, "reservations", sqlite, postgres};
}

sql::Migration caps_step() {
  static const std::string sqlite = for_sqlite(kCaps), postgres = for_postgres(kCaps);
  return {6, "caps of feeds", sqlite, postgres};
}

/// Once released, a step is never changed: what comes later is a step of its own.
std::vector<sql::Migration> migrations() {
  static const std::string sqlite = for_sqlite(kTables), postgres = for_postgres(kTables);
  static const std::string decisions_sqlite = for_sqlite(kDecisions),
                           decisions_postgres = for_postgres(kDecisions);
  return {{1, "tables of a live factory", sqlite, postgres},
          {2, "lease of the serving process", sql::kLeaseTable, {}},
          quotas_step(),
          {4, "decision records", decisions_sqlite, decisions_postgres},
          reservations_step(),
          caps_step(),
          {7, "tasks that share a row", std::string_view(kSharedRows), {}}};
}

}  // namespace

Result<void> migrate_store(sql::Database& database) {
  const Result<sql::Migrated> done = sql::migrate(database, migrations());
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<void> check_store(sql::Database& database) { return sql::check_schema(database, migrations()); }

const std::vector<std::string>& store_tables() {
  static const std::vector<std::string> tables{
      "settings",  "tenants",      "quotas",   "budgets",     "jobs",    "attempts",
      "nodes",     "reservations", "caps",     "tokens",      "reasons", "audit",
      "decisions", "transfers",    "accounts", "idempotency", "journal", "snapshots"};
  return tables;
}

}  // namespace gw::live
