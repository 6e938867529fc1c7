// Quotas and budgets: what is set, what the core is told of it, and what follows when money is spent.
#include <fmt/format.h>

#include <algorithm>

#include "live/controller.h"
#include "live/ledger.h"
#include "live/quota_check.h"

namespace gw::live {
namespace {

Actor factory_itself() { return {"", "gigawerk", Role::kAdmin, TenantTree::root(), ""}; }

BudgetState state_of(BudgetAction action) {
  switch (action) {
    case BudgetAction::kStopNew:
      return BudgetState::kStopNew;
    case BudgetAction::kStopAll:
      return BudgetState::kStopAll;
    case BudgetAction::kWarn:
      break;
  }
  return BudgetState::kOpen;
}

std::string budget_text(const Budget& budget) {
  std::string text;
  if (budget.gpu_milli_hours > 0)
    text = fmt::format("{:g} GPU-hours", static_cast<double>(budget.gpu_milli_hours) / 1000);
  if (budget.micro_euros > 0)
    text += fmt::format("{}{:.2f} euros", text.empty() ? "" : ", ",
                        static_cast<double>(budget.micro_euros) / 1e6);
  return text.empty()
             ? "none"
             : fmt::format("{} a month, warn at {}%, {}", text, budget.warn_percent, name_of(budget.action));
}

}  // namespace

void Controller::set_quota(TenantId id, const QuotaRecord& record) {
  std::vector<QuotaRecord>& quotas = book_.tenants[id.value()].record.quotas;
  const auto at = std::ranges::lower_bound(quotas, record.gpu_type, {}, &QuotaRecord::gpu_type);
  const bool known = at != quotas.end() && at->gpu_type == record.gpu_type;
  if (record.terms == QuotaTerms{}) {
    if (!known) return;
    quotas.erase(at);
  } else if (known) {
    *at = record;
  } else {
    quotas.insert(at, record);
  }
  apply(sched::Event::tenant_quota(id, *resource_of(book_.fleet, record.gpu_type), record.terms));
}

/// Tells the core what it does not know: limits of an earlier version, terms for GPUs that are new here.
void Controller::tell_quotas() {
  for (const LiveTenant& tenant : book_.tenants) {
    for (const QuotaRecord& quota : tenant.record.quotas) {
      const std::optional<QuotaResource> resource = resource_of(book_.fleet, quota.gpu_type);
      if (resource && book_.core->state().quota.terms(tenant.record.id, *resource) != quota.terms)
        apply(sched::Event::tenant_quota(tenant.record.id, *resource, quota.terms));
    }
  }
}

Reply Controller::order_quota(const Command& command, const QuotaOrder& what) {
  Reply reply;
  reply.ticket = command.ticket;
  const auto refuse = [&](Refusal refusal) {
    reply.refusal = std::move(refusal);
    return reply;
  };
  const TenantId id = book_.tenant(what.path);
  if (!id.valid() || id == TenantTree::root())
    return refuse({404, "unknown_tenant", fmt::format("there is no tenant {}", what.path)});
  std::vector<QuotaRecord> wanted;
  std::string detail;
  for (const QuotaOrder::Change& change : what.changes) {
    QuotaRecord record{change.gpu_type, book_.quota(id, change.gpu_type)};
    const auto set = [&](std::string_view name, std::int64_t& field,
                         const std::optional<std::int64_t>& value) {
      if (!value || *value == field) return;
      detail += fmt::format("{}{}{}: {} -> {}", detail.empty() ? "" : ", ", name,
                            change.gpu_type.empty() ? "" : " " + change.gpu_type, quota_gpus_text(field),
                            quota_gpus_text(*value));
      field = *value;
    };
    set("guaranteed", record.terms.guaranteed_milli, change.guaranteed_milli);
    set("borrow", record.terms.borrow_milli, change.borrow_milli);
    set("lend", record.terms.lend_milli, change.lend_milli);
    set("limit", record.terms.limit_milli, change.limit_milli);
    const QuotaTerms& terms = record.terms;
    if ((change.lend_milli || change.guaranteed_milli) && terms.lend_milli > terms.guaranteed_milli)
      return refuse(
          {422, "bad_quota",
           fmt::format("{} would lend up to {} GPUs of the {} that are guaranteed to it; lower --lend, raise "
                       "--guaranteed, or let it lend all that it leaves unused (--lend none)",
                       what.path, quota_gpus_text(terms.lend_milli),
                       quota_gpus_text(terms.guaranteed_milli))});
    if (std::optional<Refusal> problem = quota_problem(book_, id, record)) return refuse(std::move(*problem));
    wanted.push_back(std::move(record));
  }
  std::optional<Budget> terms;
  if (what.budget) {
    const QuotaOrder::BudgetChange& change = *what.budget;
    const std::optional<BudgetRecord>& known = book_.tenants[id.value()].record.budget;
    if (!known && !change.gpu_milli_hours && !change.micro_euros)
      return refuse({422, "bad_budget",
                     fmt::format("{} has no budget of which that could change: say what it may spend, in "
                                 "GPU-hours or in euros",
                                 what.path)});
    terms = known ? known->terms : Budget{};
    terms->gpu_milli_hours = change.gpu_milli_hours.value_or(terms->gpu_milli_hours);
    terms->micro_euros = change.micro_euros.value_or(terms->micro_euros);
    terms->action = change.action.value_or(terms->action);
    terms->warn_percent = change.warn_percent.value_or(terms->warn_percent);
  }
  if (terms && terms->binds() && !book_.meter.in_use()) {
    if (Result<void> read = begin_metering(); !read) return refuse({503, "store", read.error().message});
  }
  for (const QuotaRecord& record : wanted) set_quota(id, record);
  std::optional<BudgetRecord>& budget = book_.tenants[id.value()].record.budget;
  if (terms) {
    detail += fmt::format("{}budget: {} -> {}", detail.empty() ? "" : ", ",
                          budget ? budget_text(budget->terms) : "none", budget_text(*terms));
    budget.reset();
    if (terms->binds()) budget.emplace().terms = *terms;
    set_budget_state(id);
    budgets_due_ = book_.now;
  }
  turn_.changes.tenants.push_back(book_.tenants[id.value()].record);
  audit(command.actor, "tenant.quota", what.path, detail, id);
  reply.count = 1;
  return reply;
}

/// What has been posted of this month is read; what runs is known.
Result<void> Controller::begin_metering() {
  book_.meter.begin_month(book_, options_.prices);
  const Result<void> read = store_->transfers_after(
      book_.meter.month_begin(), [&](const TransferRecord& transfer) { book_.meter.post(book_, transfer); });
  if (!read) {
    book_.meter = {};
    return read;
  }
  for (const TransferRecord& transfer : turn_.changes.transfers) book_.meter.post(book_, transfer);
  budgets_due_ = book_.now;
  return {};
}

/// Tells the core what the budget lets the tenant do, if that has changed.
void Controller::set_budget_state(TenantId id) {
  const std::optional<BudgetRecord>& budget = book_.tenants[id.value()].record.budget;
  const BudgetState state = budget && budget->spent_month == book_.meter.month()
                                ? state_of(budget->terms.action)
                                : BudgetState::kOpen;
  if (book_.core->state().quota.budget(id) != state) apply(sched::Event::tenant_budget(id, state));
}

/// Warns, stops and lets go on.
void Controller::settle_budgets() {
  BudgetMeter& meter = book_.meter;
  if (!meter.in_use() || book_.now < budgets_due_) return;
  budgets_due_ = Instant::max();  // Counted anew when the turn is over.
  if (book_.now >= meter.month_end()) {
    // Nothing that the store has ends in the new month: that is the future of every turn before.
    meter.begin_month(book_, options_.prices);
    for (const TransferRecord& transfer : turn_.changes.transfers) meter.post(book_, transfer);
  }
  for (LiveTenant& tenant : book_.tenants) {
    if (!tenant.record.budget) continue;
    BudgetRecord& budget = *tenant.record.budget;
    const TenantId id = tenant.record.id;
    const auto reached = [&](std::int64_t& month, std::uint32_t percent, std::string action) {
      if (month == meter.month() || !meter.has_spent(id, budget.terms, percent, book_.now)) return;
      month = meter.month();
      turn_.changes.tenants.push_back(tenant.record);
      const BudgetMeter::Spent spent = meter.spent(id, book_.now);
      audit(factory_itself(), std::move(action), tenant.path,
            fmt::format("{:.2f} GPU-hours, {:.2f} euros of {}",
                        static_cast<double>(spent.gpu_milli_hours) / 1000,
                        static_cast<double>(spent.micro_euros) / 1e6, budget_text(budget.terms)),
            id);
    };
    reached(budget.warned_month, budget.terms.warn_percent, "budget.warn");
    reached(budget.spent_month, 100, "budget.spent");
    const bool was_open = book_.core->state().quota.budget(id) == BudgetState::kOpen;
    set_budget_state(id);
    if (!was_open && book_.core->state().quota.budget(id) == BudgetState::kOpen)
      audit(factory_itself(), "budget.open", tenant.path, "another month has begun", id);
  }
}

/// When `settle_budgets` is due next, after whatever has started and ended in the turn.
void Controller::plan_budgets() {
  BudgetMeter& meter = book_.meter;
  if (!meter.in_use() || (!meter.take_changed() && budgets_due_ != Instant::max())) return;
  budgets_due_ = meter.month_end();
  for (const LiveTenant& tenant : book_.tenants) {
    if (!tenant.record.budget) continue;
    const BudgetRecord& budget = *tenant.record.budget;
    const auto consider = [&](std::int64_t month, std::uint32_t percent) {
      if (month != meter.month())
        budgets_due_ =
            std::min(budgets_due_, meter.spent_at(tenant.record.id, budget.terms, percent, book_.now));
    };
    consider(budget.warned_month, budget.terms.warn_percent);
    consider(budget.spent_month, 100);
  }
}

}  // namespace gw::live
