// Quotas and budgets: how tenants stand, and what is set.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "api/api.h"
#include "api/bodies.h"
#include "live/prices.h"
#include "live/quota_check.h"
#include "live/quota_view.h"
#include "live/time_text.h"
#include "spec/json_record.h"

namespace gw::api {
namespace {

Json amount_json(std::int64_t milli) {
  return milli == QuotaTerms::kUnlimited ? Json(nullptr) : thousandths(milli);
}

Json budget_json(const live::Book& book, const live::LiveTenant& tenant, Instant now) {
  if (!tenant.record.budget) return nullptr;
  const live::BudgetRecord& record = *tenant.record.budget;
  const Budget& budget = record.terms;
  const live::BudgetMeter& meter = book.meter;
  const live::BudgetMeter::Spent spent = meter.spent(tenant.record.id, now);
  const bool is_spent = record.spent_month == meter.month();
  const Instant end = meter.spent_at(tenant.record.id, budget, 100, now);
  Json json;
  json["gpu_hours"] = budget.gpu_milli_hours > 0 ? thousandths(budget.gpu_milli_hours) : Json(nullptr);
  json["euros"] =
      budget.micro_euros > 0 ? Json(static_cast<double>(budget.micro_euros) / 1e6) : Json(nullptr);
  json["spent_gpu_hours"] = thousandths(spent.gpu_milli_hours);
  json["spent_euros"] = static_cast<double>(spent.micro_euros) / 1e6;
  json["action"] = live::name_of(budget.action);
  json["warn_percent"] = budget.warn_percent;
  json["state"] = is_spent ? "spent" : record.warned_month == meter.month() ? "warned" : "open";
  json["month_ends"] = live::time_text(book.unix_ns(meter.month_end()));
  // At the rate of now, if that is still in this month.
  json["spent_at"] =
      !is_spent && end < meter.month_end() ? Json(live::time_text(book.unix_ns(end))) : Json(nullptr);
  return json;
}

Json standing_json(const live::Book& book, const live::QuotaStanding& standing, Instant now) {
  const live::LiveTenant& tenant = book.tenants[standing.tenant.value()];
  Json json;
  json["path"] = tenant.path;
  json["weight"] = tenant.record.weight;
  json["deserved"] = thousandths(standing.deserved);
  json["guaranteed"] = thousandths(standing.terms.guaranteed_milli);
  json["used"] = thousandths(standing.used);
  json["borrowed"] = thousandths(standing.borrowed);
  json["lent"] = thousandths(standing.lent);
  json["owed"] = thousandths(standing.owed);
  json["waiting"] = thousandths(standing.waiting);
  json["limit"] = amount_json(standing.terms.limit_milli);
  json["borrow"] = amount_json(standing.terms.borrow_milli);
  json["lend"] = amount_json(standing.terms.lend_milli);
  const sched::FairShare& shares = book.core->state().pending.fair_share();
  json["past_share"] =
      standing.tenant.value() < shares.tenants() ? shares.dominant_share(standing.tenant) : 0;
  json["budget"] = budget_json(book, tenant, now);
  return json;
}

/// Budgets in euros of the tenants that are shown, where nothing has a price.
void add_price_warning(const live::Prices& prices, const Json& tenants, Json& warnings) {
  const bool any = std::ranges::any_of(prices, [](const auto& plan) {
    return plan.second.per_other_gpu_hour.count() > 0 || plan.second.per_core_hour.count() > 0 ||
           std::ranges::any_of(plan.second.per_gpu_hour,
                               [](const auto& price) { return price.second.count() > 0; });
  });
  if (any) return;
  std::string first;
  std::size_t count = 0;
  for (const Json& tenant : tenants) {
    if (!tenant.at("budget").is_object() || !tenant.at("budget").at("euros").is_number()) continue;
    if (count++ == 0) first = tenant.value("path", "");
  }
  if (count == 0) return;
  warnings.push_back(
      fmt::format("nothing has a price on this server (gw serve --prices FILE): the euros of "
                  "the budget of {}{} are never spent",
                  first, count == 1 ? "" : fmt::format(" and {} more", count - 1)));
}

/// Promises that the factory as it is cannot keep: it may have become smaller.
Json warnings_of(const live::Book& book, const std::vector<live::QuotaStanding>& standings,
                 QuotaResource resource) {
  Json warnings = Json::array();
  std::int64_t guaranteed = 0;
  for (const live::QuotaStanding& standing : standings) {
    if (book.tenants[standing.tenant.value()].record.parent == TenantTree::root())
      guaranteed += standing.terms.guaranteed_milli;
  }
  if (guaranteed > book.gpus_milli(resource))
    warnings.push_back(fmt::format("{:g} GPUs are guaranteed, and the factory has {:g}: lower a guarantee",
                                   static_cast<double>(guaranteed) / 1000,
                                   static_cast<double>(book.gpus_milli(resource)) / 1000));
  return warnings;
}

std::optional<std::int64_t> milli_of(const std::optional<double>& amount) {
  if (!amount) return std::nullopt;
  return *amount < 0 ? QuotaTerms::kUnlimited : std::llround(*amount * 1000);
}

}  // namespace

void Api::list_quotas(Call call) {
  const std::optional<std::vector<TenantId>> tenants = visible(call, call.text("tenant"));
  if (!tenants) return;
  const std::string gpu_type = call.text("gpu_type");
  Json json;
  bool known = true;
  options_.factory->read([&](const live::Book& book) {
    const std::optional<QuotaResource> resource = live::resource_of(book.fleet, gpu_type);
    known = resource.has_value();
    if (!known) return;
    const Instant now = std::max(book.now, options_.factory->now());
    const std::vector<live::QuotaStanding> standings = live::quota_standings(book, *resource);
    json["gpu_type"] = gpu_type.empty() ? Json(nullptr) : Json(gpu_type);
    if (call.actor.tenant == TenantTree::root()) {
      json["gpus"] = thousandths(book.gpus_milli(*resource));
    }
    json["warnings"] =
        call.actor.tenant == TenantTree::root() ? warnings_of(book, standings, *resource) : Json::array();
    json["tenants"] = Json::array();
    for (const live::QuotaStanding& standing : standings) {
      if (standing.tenant == TenantTree::root()) continue;
      if (!tenants->empty() && std::find(tenants->begin(), tenants->end(), standing.tenant) == tenants->end())
        continue;
      json["tenants"].push_back(standing_json(book, standing, now));
    }
    add_price_warning(options_.factory->options().prices, json["tenants"], json["warnings"]);
  });
  if (!known)
    return call.refuse({404, "unknown_gpu_type", fmt::format("this factory has no GPU type {}", gpu_type)});
  call.answer(json);
}

void Api::change_quota(Call call) {
  const std::string path = fmt::format("{}", fmt::join(call.parameters.tail("tenant"), "/"));
  spec::Checked<QuotaBody> body = spec::parse_json<QuotaBody>(call.request.body, "quota");
  if (!body) return call.refuse({422, "bad_body", spec::diagnostics_text(body.error())});
  if (!visible(call, path)) return;
  // Nobody widens the bounds that hold for themselves.
  const bool own =
      options_.factory->read([&](const live::Book& book) { return book.tenant(path) == call.actor.tenant; });
  if (call.actor.tenant != TenantTree::root() && own)
    return call.refuse({403, "forbidden", "a tenant's own quota and budget are set by an admin above it"});
  const std::optional<live::Refusal> unknown =
      options_.factory->read([&](const live::Book& book) -> std::optional<live::Refusal> {
        if (live::resource_of(book.fleet, body->gpu_type)) return std::nullopt;
        return live::unknown_gpu_type(book.fleet, body->gpu_type);
      });
  if (unknown) return call.refuse(*unknown);
  live::QuotaOrder order;
  order.path = path;
  live::QuotaOrder::Change change;
  change.gpu_type = body->gpu_type;
  change.guaranteed_milli = milli_of(body->guaranteed);
  change.borrow_milli = milli_of(body->borrow);
  change.lend_milli = milli_of(body->lend);
  change.limit_milli = milli_of(body->limit);
  const bool terms =
      change.guaranteed_milli || change.borrow_milli || change.lend_milli || change.limit_milli;
  if (!terms && !body->budget)
    return call.refuse({422, "bad_body", "nothing to set: give guaranteed, borrow, lend, limit or budget"});
  if (terms) order.changes.push_back(change);
  if (const auto& wanted = body->budget) {
    live::QuotaOrder::BudgetChange& budget = order.budget.emplace();
    if (wanted->gpu_hours) budget.gpu_milli_hours = std::llround(*wanted->gpu_hours * 1000);
    if (wanted->euros) budget.micro_euros = std::llround(*wanted->euros * 1e6);
    if (wanted->action) budget.action = live::budget_action_by_name(*wanted->action);
    budget.warn_percent = wanted->warn_percent;
  }
  const std::string gpu_type = body->gpu_type;
  ask(std::move(call), std::move(order), [this, path, gpu_type](const Call& each, const live::Reply&) {
    each.answer(options_.factory->read([&](const live::Book& book) {
      const std::vector<live::QuotaStanding> standings =
          live::quota_standings(book, live::resource_of(book.fleet, gpu_type).value_or(kAllGpus));
      return standing_json(book, standings[book.tenant(path).value()], book.now);
    }));
  });
}

}  // namespace gw::api
