// Notices are made of what the factory writes into its audit log when it acts by itself.
#include "api/notice.h"

#include <algorithm>
#include <set>

#include "live/feed_view.h"
#include "live/time_text.h"

namespace gw::api {
namespace {

bool is_of_cap(std::string_view action) {
  return action == "cap.change" || action == "cap.unmet" || action == "cap.met";
}

/// `warned`, `spent`, `open`; empty: it is no such thing.
std::string_view budget_state(std::string_view action) {
  if (action == "budget.warn") return "warned";
  if (action == "budget.spent") return "spent";
  if (action == "budget.open") return "open";
  return {};
}

bool is_notice(const live::AuditRecord& record) {
  return is_of_cap(record.action) || !budget_state(record.action).empty();
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

/// How a feed stands with its cap now.
Json cap_notice_json(const live::Book& book, sched::FeedId feed, Instant when) {
  const live::FeedStanding standing = live::feed_standing(book, feed);
  const auto watts = [](Milliwatts amount) { return static_cast<double>(amount.count()) / 1000; };
  const std::string_view because = live::unmet_because(standing);
  Json json;
  json["at"] = live::time_text(book.unix_ns(when));
  json["feed"] = standing.name;
  json["cap_w"] = standing.cap.count() == 0 ? Json(nullptr) : Json(watts(standing.cap));
  json["draw_w"] = watts(standing.draw);
  json["met"] = because.empty();
  if (!because.empty()) {
    json["because"] = because;
    json["unmet_since"] = live::time_text(book.unix_ns(standing.unmet_since));
  }
  return json;
}

}  // namespace

std::size_t count_notices(const live::Changes& changes) {
  return static_cast<std::size_t>(std::count_if(changes.audit.begin(), changes.audit.end(), is_notice));
}

std::vector<Notice> notices_of(const live::Changes& changes, const live::Book& book) {
  std::vector<Notice> notices;
  std::set<std::string> feeds;
  for (const live::AuditRecord& record : changes.audit) {
    if (!is_notice(record)) continue;
    if (!is_of_cap(record.action)) {
      Json json = budget_notice_json(book, record);
      if (!json.is_null()) notices.push_back({"budget", record.tenant, std::move(json)});
      continue;
    }
    if (!feeds.insert(record.target).second || !book.core->state().power.tracked()) continue;
    const std::optional<Fleet::FeedAt> at = book.fleet.find_feed(record.target);
    if (!at) continue;
    notices.push_back({"cap", record.tenant, cap_notice_json(book, {at->level, at->vertex}, record.now)});
  }
  return notices;
}

std::vector<Notice> notices_of_unmet(const live::Book& book) {
  std::vector<Notice> notices;
  for (const auto& [feed, since] : book.unmet)
    notices.push_back({"cap", TenantTree::root(), cap_notice_json(book, feed, book.now)});
  return notices;
}

}  // namespace gw::api
