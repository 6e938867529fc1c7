// Queries over what was kept.
#include "live/archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <tuple>

#include "base/check.h"
#include "live/admission.h"
#include "live/sql_store.h"
#include "live/task_indices.h"
#include "spec/job_json.h"

namespace gw::live {
namespace {

using sql::Param;
using sql::Row;
using sql::Statement;

/// A statement made at run time: drivers keep what they prepared by a copy of its text, and only so many.
/// What varies without end is a parameter.
Statement made(const std::string& text) { return Statement{text.c_str()}; }

class Where {
 public:
  explicit Where(int next) : next_(next) {}
  void add(std::string_view condition) {
    text_ += fmt::format("{} {}", text_.empty() ? " WHERE" : " AND", condition);
  }
  void equals(std::string_view column, Param value) {
    add(fmt::format("{} = ${}", column, next_++));
    params_.push_back(value);
  }
  void below(std::string_view column, std::int64_t value) {
    add(fmt::format("{} < ${}", column, next_++));
    params_.push_back(value);
  }
  void at_least(std::string_view column, std::int64_t value) {
    add(fmt::format("{} >= ${}", column, next_++));
    params_.push_back(value);
  }
  /// What stands behind LIMIT.
  std::string limit(std::int64_t value) {
    params_.push_back(value);
    return fmt::format("${}", next_++);
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  std::vector<Param>& params() { return params_; }

 private:
  std::string text_;
  std::vector<Param> params_;
  int next_;
};

/// The same set has the same text.
template <class Enum>
std::string codes(std::vector<Enum> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  std::string text;
  for (const Enum value : values)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", static_cast<int>(value));
  return text;
}

std::string ids(const std::vector<TenantId>& tenants) {
  std::string text;
  for (const TenantId tenant : tenants) text += fmt::format("{}{}", text.empty() ? "" : ", ", tenant.value());
  return text;
}

/// Transfers in the time from $1 to $2, in order of posting; with what UsedJob holds behind.
std::string usage_query(const UsageFilter& filter, bool jobs) {
  Where where(3);
  where.add("transfers.ended > $1");
  where.add("began < $2");
  if (!filter.tenants.empty()) where.add(fmt::format("transfers.tenant IN ({})", ids(filter.tenants)));
  return fmt::format(
      "SELECT transfers.job, transfers.attempt, transfers.tenant, transfers.owner, gpu_type, price_plan, "
      "began, "
      "transfers.ended, micro_gpu_s, micro_core_s, energy_j, micro_eur, kind{} FROM transfers{}{} ORDER BY "
      "sequence",
      jobs ? ", jobs.name, COALESCE(jobs.array_job, 0), COALESCE(jobs.array_index, 0)" : "",
      jobs ? " LEFT JOIN jobs ON jobs.number = transfers.job" : "", where.text());
}

UsedJob read_used_job(const Row& row) {
  return {std::string(row.text(13)), static_cast<std::uint64_t>(row.integer(14)),
          static_cast<std::uint32_t>(row.integer(15))};
}

}  // namespace

Result<std::vector<JobRecord>> Archive::jobs(const JobFilter& filter) {
  // Few tenants: each has its own index, so each gives its newest; else all jobs are walked from the newest.
  constexpr std::size_t kFew = 64;
  std::vector<std::vector<TenantId>> groups;
  if (filter.tenants.empty() || filter.tenants.size() > kFew) {
    groups.push_back(filter.tenants);
  } else {
    for (const TenantId tenant : filter.tenants) groups.push_back({tenant});
  }
  std::vector<JobRecord> found;
  for (const std::vector<TenantId>& group : groups) {
    Where where(1);
    if (group.size() == 1) where.equals("tenant", std::int64_t{group[0].value()});
    if (group.size() > 1) where.add(fmt::format("tenant IN ({})", ids(group)));
    if (!filter.states.empty() && !filter.outcomes.empty()) {
      where.add(
          fmt::format("(state IN ({}) OR outcome IN ({}))", codes(filter.states), codes(filter.outcomes)));
    } else if (!filter.states.empty()) {
      const bool open =
          std::find(filter.states.begin(), filter.states.end(), JobState::kEnded) == filter.states.end();
      if (open) where.add("state < 4");  // What the index of open jobs says.
      where.add(fmt::format("state IN ({})", codes(filter.states)));
    } else if (!filter.outcomes.empty()) {
      where.add(fmt::format("outcome IN ({})", codes(filter.outcomes)));
    }
    if (!filter.user.empty()) where.equals("owner", std::string_view(filter.user));
    if (!filter.name.empty()) where.equals("name", std::string_view(filter.name));
    if (filter.array_job != 0) where.equals("array_job", static_cast<std::int64_t>(filter.array_job));
    if (filter.before != 0) where.below("number", static_cast<std::int64_t>(filter.before));
    if (filter.since != 0) where.at_least("number", static_cast<std::int64_t>(filter.since));
    const std::string limit = where.limit(filter.limit);
    const std::string text =
        fmt::format("SELECT {} FROM jobs{} ORDER BY number DESC LIMIT {}", kJobColumns, where.text(), limit);
    const Result<void> read = database_->query(made(text), where.params(), [&](const Row& row) {
      found.push_back(read_job(row));
      return true;
    });
    if (!read) return std::unexpected(read.error());
  }
  if (groups.size() > 1) {
    std::sort(found.begin(), found.end(),
              [](const JobRecord& a, const JobRecord& b) { return a.number > b.number; });
    if (found.size() > filter.limit) found.resize(filter.limit);
  }
  return found;
}

namespace {

/// Of the array that a record with its text is of.
std::optional<TaskIndices> indices_of(const JobRecord& record) {
  const spec::Checked<JobSpec> text = spec::parse_job_json(*record.spec);
  if (!text || !text->array) return std::nullopt;
  const auto indices = array_indices(*text->array);
  if (!indices) return std::nullopt;
  return TaskIndices(*indices);
}

/// Of a record that several tasks share: as that task's own.
void show_alone(std::uint64_t number, JobRecord& record) {
  const std::optional<TaskIndices> indices = indices_of(record);
  const std::uint64_t position = number - record.array_job;
  if (!indices || position >= indices->size()) return;
  record.number = number;
  record.array_index = indices->at(static_cast<std::uint32_t>(position));
  record.stands_for = 1;
  record.indices.clear();
}

}  // namespace

Result<std::optional<JobRecord>> Archive::job(std::uint64_t number) {
  static const std::string text = fmt::format(
      "SELECT {}, spec FROM jobs WHERE number = (SELECT MAX(number) FROM jobs WHERE number <= $1) AND "
      "number + stands_for > $1",
      kJobColumns);
  static const Statement statement{text.c_str()};
  static constexpr Statement kText{"SELECT spec FROM jobs WHERE number = $1"};
  std::optional<JobRecord> found;
  Result<void> read = database_->query(statement, std::array<Param, 1>{static_cast<std::int64_t>(number)},
                                       [&](const Row& row) {
                                         found = read_job(row);
                                         if (!row.null(29))
                                           found->spec = std::make_shared<const std::string>(row.text(29));
                                         return true;
                                       });
  if (read && found && found->spec == nullptr && found->array_job != 0)
    read = database_->query(kText, std::array<Param, 1>{static_cast<std::int64_t>(found->array_job)},
                            [&](const Row& row) {
                              found->spec = std::make_shared<const std::string>(row.text(0));
                              return true;
                            });
  if (!read) return std::unexpected(read.error());
  if (found && found->stands_for > 1 && found->spec != nullptr) show_alone(number, *found);
  return found;
}

Result<std::optional<JobRecord>> Archive::task(std::uint64_t array_job, std::uint32_t index) {
  static constexpr Statement kTask{
      "SELECT number FROM jobs WHERE number >= $1 AND number < $1 + (SELECT array_tasks FROM jobs WHERE "
      "number = $1) "
      "AND array_job = $1 AND array_index = $2"};
  std::uint64_t number = 0;
  const Result<void> read =
      database_->query(kTask, std::array<Param, 2>{static_cast<std::int64_t>(array_job), std::int64_t{index}},
                       [&](const Row& row) {
                         number = static_cast<std::uint64_t>(row.integer(0));
                         return false;
                       });
  if (!read) return std::unexpected(read.error());
  if (number != 0) return job(number);
  // It may share the record of one before it: where it stands, the text of the array says.
  const Result<std::optional<JobRecord>> first = job(array_job);
  if (!first) return std::unexpected(first.error());
  if (!*first || (*first)->array_job != array_job || (*first)->spec == nullptr) return std::nullopt;
  const std::optional<TaskIndices> indices = indices_of(**first);
  const std::optional<std::uint32_t> position = indices ? indices->position_of(index) : std::nullopt;
  if (!position) return std::nullopt;
  return job(array_job + *position);
}

Result<std::vector<AttemptRecord>> Archive::attempts(std::uint64_t job) {
  static const std::string text =
      fmt::format("SELECT {} FROM attempts WHERE job = $1 ORDER BY attempt", kAttemptColumns);
  static const Statement statement{text.c_str()};
  std::vector<AttemptRecord> found;
  const Result<void> read =
      database_->query(statement, std::array<Param, 1>{static_cast<std::int64_t>(job)}, [&](const Row& row) {
        found.push_back(read_attempt(row));
        return true;
      });
  if (!read) return std::unexpected(read.error());
  return found;
}

Result<std::vector<ReasonRecord>> Archive::reasons(std::uint64_t job) {
  static constexpr Statement kReasons{
      "SELECT job, since, reason FROM reasons WHERE job = $1 ORDER BY since, reason"};
  std::vector<ReasonRecord> found;
  const Result<void> read =
      database_->query(kReasons, std::array<Param, 1>{static_cast<std::int64_t>(job)}, [&](const Row& row) {
        found.push_back({job, Instant{row.integer(1)}, std::string(row.text(2))});
        return true;
      });
  if (!read) return std::unexpected(read.error());
  return found;
}

Result<void> Archive::usage(const UsageFilter& filter, const std::function<bool(const UsageRow&)>& row) {
  const std::string text = usage_query(filter, filter.jobs);
  return database_->query(made(text), std::array<Param, 2>{filter.from.count(), filter.to.count()},
                          [&](const Row& values) {
                            UsageRow part = part_of(read_transfer(values), filter.from, filter.to);
                            if (filter.jobs) {
                              const UsedJob job = read_used_job(values);
                              part.array_job = job.array_job;
                              part.array_index = job.array_index;
                            }
                            return row(part);
                          });
}

Result<void> Archive::transfers(const UsageFilter& filter,
                                const std::function<bool(const TransferRecord&, const UsedJob&)>& row) {
  const std::string text = usage_query(filter, true);
  return database_->query(
      made(text), std::array<Param, 2>{filter.from.count(), filter.to.count()},
      [&](const Row& values) { return row(read_transfer(values), read_used_job(values)); });
}

namespace {

constexpr std::string_view kDecisionColumns = "sequence, at, job, tasks, tenant, outcome, record, hash";

DecisionRow read_decision(const Row& row) {
  DecisionRow decision;
  decision.sequence = static_cast<std::uint64_t>(row.integer(0));
  decision.now = Instant{row.integer(1)};
  decision.job = static_cast<std::uint64_t>(row.integer(2));
  decision.tasks = static_cast<std::uint32_t>(row.integer(3));
  decision.tenant = TenantId{static_cast<std::uint32_t>(row.integer(4))};
  decision.outcome = row.text(5);
  decision.record = row.text(6);
  decision.hash = row.blob(7);
  return decision;
}

}  // namespace

Result<std::vector<DecisionRow>> Archive::decisions(const DecisionFilter& filter, std::uint32_t limit) {
  Where where(1);
  if (!filter.tenants.empty()) where.add(fmt::format("tenant IN ({})", ids(filter.tenants)));
  if (filter.job != 0)
    where.add(filter.array_job == 0
                  ? fmt::format("job = {}", filter.job)
                  : fmt::format("job >= {} AND job <= {} AND (job + tasks > {} OR job = {})",
                                filter.array_job, filter.job, filter.job, filter.array_job));
  if (filter.before != 0) where.below("sequence", static_cast<std::int64_t>(filter.before));
  const std::string most = where.limit(limit);
  const std::string text = fmt::format("SELECT {} FROM decisions{} ORDER BY sequence DESC LIMIT {}",
                                       kDecisionColumns, where.text(), most);
  std::vector<DecisionRow> found;
  const Result<void> read = database_->query(made(text), where.params(), [&](const Row& row) {
    found.push_back(read_decision(row));
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return found;
}

Result<void> Archive::each_decision(const std::function<bool(const DecisionRow&)>& row) {
  const std::string text = fmt::format("SELECT {} FROM decisions ORDER BY sequence", kDecisionColumns);
  return database_->query(made(text), {}, [&](const Row& values) { return row(read_decision(values)); });
}

Result<std::vector<AuditRecord>> Archive::audit(const std::vector<TenantId>& tenants, std::uint64_t before,
                                                std::uint32_t limit) {
  Where where(1);
  if (!tenants.empty()) where.add(fmt::format("tenant IN ({})", ids(tenants)));
  if (before != 0) where.below("sequence", static_cast<std::int64_t>(before));
  const std::string most = where.limit(limit);
  const std::string text = fmt::format(
      "SELECT sequence, at, token, owner, role, remote, action, target, detail, tenant FROM audit{} ORDER "
      "BY sequence DESC LIMIT {}",
      where.text(), most);
  std::vector<AuditRecord> found;
  const Result<void> read = database_->query(made(text), where.params(), [&](const Row& row) {
    AuditRecord& audit = found.emplace_back();
    audit.sequence = static_cast<std::uint64_t>(row.integer(0));
    audit.now = Instant{row.integer(1)};
    audit.token = row.text(2);
    audit.user = row.text(3);
    audit.role = role_by_name(row.text(4)).value_or(Role::kViewer);
    audit.remote = row.text(5);
    audit.action = row.text(6);
    audit.target = row.text(7);
    audit.detail = row.text(8);
    audit.tenant = TenantId{static_cast<std::uint32_t>(row.integer(9))};
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return found;
}

Result<std::vector<Archive::RunFraction>> Archive::run_fractions(std::uint32_t limit) {
  // Ended by themselves or at the limit: what a cancelled job would have run is not known.
  const std::string text = fmt::format(
      "SELECT tenant, started, ended, time_limit FROM jobs WHERE state = 4 AND outcome IN ({}, {}, {}) AND "
      "time_limit "
      "> 0 ORDER BY number DESC LIMIT $1",
      static_cast<int>(Outcome::kCompleted), static_cast<int>(Outcome::kFailed),
      static_cast<int>(Outcome::kTimeLimit));
  std::vector<RunFraction> found;
  const std::array<Param, 1> params{std::int64_t{limit}};
  const Result<void> read = database_->query(made(text), params, [&](const Row& row) {
    const double run = static_cast<double>(row.integer(2) - row.integer(1));
    found.push_back({TenantId{static_cast<std::uint32_t>(row.integer(0))},
                     std::clamp(run / static_cast<double>(row.integer(3)), 1e-6, 1.0)});
    return true;
  });
  if (!read) return std::unexpected(read.error());
  return found;
}

Result<LedgerCheck> Archive::check_ledger() {
  using Sums = std::array<std::int64_t, 4>;
  std::map<std::pair<std::string, std::int64_t>, Sums> expected, kept;
  LedgerCheck check;
  if (Result<void> begun = database_->begin(); !begun) return std::unexpected(begun.error());
  std::int64_t origin = 0;
  static constexpr Statement kOrigin{"SELECT value FROM settings WHERE name = 'origin_unix_ns'"};
  Result<void> read = database_->query(kOrigin, {}, [&](const Row& row) {
    origin = std::strtoll(std::string(row.text(0)).c_str(), nullptr, 10);
    return true;
  });
  static constexpr Statement kTransfers{
      "SELECT job, attempt, tenant, owner, gpu_type, price_plan, began, ended, micro_gpu_s, micro_core_s, "
      "energy_j, "
      "micro_eur, kind FROM transfers"};
  if (read)
    read = database_->query(kTransfers, {}, [&](const Row& row) {
      const TransferRecord transfer = read_transfer(row);
      const std::int64_t month = month_of(origin + transfer.to.count());
      const Sums amounts{transfer.micro_gpu_s, transfer.micro_core_s, transfer.energy.count(),
                         transfer.price.count()};
      Sums& debit = expected[{fmt::format("tenant:{}", transfer.tenant.value()), month}];
      Sums& credit =
          expected[{fmt::format("factory:{}", transfer.gpu_type.empty() ? "cpu" : transfer.gpu_type), month}];
      for (std::size_t index = 0; index < amounts.size(); ++index) {
        debit[index] += amounts[index];
        credit[index] -= amounts[index];
      }
      ++check.transfers;
      return true;
    });
  static constexpr Statement kAccounts{
      "SELECT account, month, micro_gpu_s, micro_core_s, energy_j, micro_eur FROM accounts"};
  Sums all{};
  if (read)
    read = database_->query(kAccounts, {}, [&](const Row& row) {
      Sums& sums = kept[{std::string(row.text(0)), row.integer(1)}];
      for (std::size_t index = 0; index < sums.size(); ++index) {
        sums[index] = row.integer(static_cast<int>(index) + 2);
        all[index] += sums[index];
      }
      ++check.accounts;
      return true;
    });
  database_->rollback();
  if (!read) return std::unexpected(read.error());
  if (all != Sums{}) return fail("the ledger's accounts do not sum to zero");
  if (expected != kept) {
    for (const auto& [account, sums] : expected) {
      const auto at = kept.find(account);
      if (at == kept.end() || at->second != sums)
        return fail(fmt::format("the ledger's account {} is not the sum of its transfers", account.first));
    }
    return fail("the ledger has accounts without transfers");
  }
  return check;
}

}  // namespace gw::live
