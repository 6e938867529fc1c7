// Notices are made of what the factory writes into its audit log when it acts by itself.
#include "api/notice.h"

#include <algorithm>

#include "live/feed_view.h"
#include "live/time_text.h"

namespace gw::api {
namespace {

constexpr std::string_view kCapChange = "cap.change";

/// `warned`, `spent`, `open`; empty: it is no such thing.
std::string_view budget_state(std::string_view action) {
  if (action == "budget.warn") return "warned";
  if (action == "budget.spent") return "spent";
  if (action == "budget.open") return "open";
  return {};
}

bool is_notice(const live::AuditRecord& record) {
  return record.action == kCapChange || !budget_state(record.action).empty();
}

Json budget_notice_json(const live::Book& book, const live::AuditRecord& record) {
  const live::LiveTenant& tenant = book.tenants[record.tenant.value()];
  if (!tenant.record.budget) return nullptr;
  const Budget& budget = tenant.record.budget->terms;
  const live::BudgetMeter::Spent spent = book.meter.spent(record.tenant, record.now);
  const std::string_view state = budget_state(record.action);
  Json json;
  json["at"] = live::time_text(book.unix_ns(record.now));
  json["tenant"] = tenant.path;
  json["state"] = state;
  json["action"] = live::name_of(budget.action);
  json["warn_percent"] = budget.warn_percent;
  json["gpu_hours"] = budget.gpu_milli_hours > 0 ? thousandths(budget.gpu_milli_hours) : Json(nullptr);
  json["euros"] =
      budget.micro_euros > 0 ? Json(static_cast<double>(budget.micro_euros) / 1e6) : Json(nullptr);
  json["spent_gpu_hours"] = thousandths(spent.gpu_milli_hours);
  json["spent_euros"] = static_cast<double>(spent.micro_euros) / 1e6;
  return json;
}

}  // namespace

Json cap_notice_json(const live::Book& book, const std::string& feed, Instant when) {
  const std::optional<Fleet::FeedAt> at = book.fleet.find_feed(feed);
  if (!at || !book.core->state().power.tracked()) return nullptr;
  const sched::FeedId id{at->level, at->vertex};
  const sched::PowerTree& power = book.core->state().power;
  const Milliwatts cap = power.cap(id), draw = power.draw(id);
  const auto watts = [](Milliwatts amount) { return static_cast<double>(amount.count()) / 1000; };
  Json json;
  json["at"] = live::time_text(book.unix_ns(when));
  json["feed"] = feed;
  json["cap_w"] = cap.count() == 0 ? Json(nullptr) : Json(watts(cap));
  json["draw_w"] = watts(draw);
  json["met"] = cap.count() == 0 || draw <= cap;
  return json;
}

std::size_t count_notices(const live::Changes& changes) {
  return static_cast<std::size_t>(std::count_if(changes.audit.begin(), changes.audit.end(), is_notice));
}

std::vector<Notice> notices_of(const live::Changes& changes, const live::Book& book) {
  std::vector<Notice> notices;
  for (const live::AuditRecord& record : changes.audit) {
    if (!is_notice(record)) continue;
    const bool of_cap = record.action == kCapChange;
    Json json = of_cap ? cap_notice_json(book, record.target, record.now) : budget_notice_json(book, record);
    if (!json.is_null()) notices.push_back({of_cap ? "cap" : "budget", record.tenant, std::move(json)});
  }
  return notices;
}

}  // namespace gw::api
