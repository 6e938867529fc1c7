// Usage, audit and decisions.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "api/api.h"
#include "api/usage_focus.h"
#include "live/ledger.h"
#include "live/time_text.h"

namespace gw::api {
void Api::usage(Call call) {
  const std::string by_text = call.text("by");
  const std::string format = call.text("format");
  UsageBy by = UsageBy::kTenant;
  if (by_text == "user") {
    by = UsageBy::kUser;
  } else if (by_text == "job") {
    by = UsageBy::kJob;
  } else if (by_text == "gpu_type") {
    by = UsageBy::kGpuType;
  } else if (!by_text.empty() && by_text != "tenant") {
    return call.refuse({400, "bad_parameter", "\"by\" must be tenant, user, job or gpu_type"});
  }
  if (!format.empty() && format != "json" && format != "csv" && format != "focus")
    return call.refuse({400, "bad_parameter", "\"format\" must be json, csv or focus"});
  if (format == "focus" && by == UsageBy::kGpuType)
    return call.refuse(
        {400, "bad_parameter",
         "every FOCUS row has a billing account, which is a tenant: \"by\" must be tenant, user "
         "or job; the GPU type is in SkuId"});
  const std::int64_t now_ns =
      options_.factory->read([&](const live::Book& book) { return book.unix_ns(options_.factory->now()); });
  std::int64_t from_ns = 0, to_ns = now_ns;
  for (const auto& [name, value] : {std::pair{"from", &from_ns}, std::pair{"to", &to_ns}}) {
    const std::string text = call.text(name);
    if (text.empty()) continue;
    const std::optional<std::int64_t> time = live::parse_time(text);
    if (!time)
      return call.refuse(
          {400, "bad_parameter",
           fmt::format("\"{}\" must be a time such as 2026-11-01 or 2026-11-01T08:00:00Z", name)});
    *value = *time;
  }
  if (from_ns >= to_ns) return call.refuse({400, "bad_parameter", "\"from\" must be before \"to\""});
  std::optional<std::vector<TenantId>> tenants = visible(call, call.text("tenant"));
  if (!tenants) return;
  const std::shared_ptr<http::Responder> responder = call.responder;
  const bool posted = readers_->post([this, call = std::move(call), by, format, from_ns, to_ns,
                                      tenants = std::move(*tenants)](live::Archive& archive) {
    live::UsageFilter filter;
    filter.tenants = tenants;
    filter.jobs = by == UsageBy::kJob;
    std::vector<std::string> paths;
    std::int64_t origin_ns = 0;
    // What runs is looked at first: what ends meanwhile is then in the archive and left out here.
    struct Open {
      live::TransferRecord transfer;
      live::UsedJob job;
    };
    std::map<live::AttemptId, Open> open;
    options_.factory->read([&](const live::Book& book) {
      origin_ns = book.origin_unix_ns;
      filter.from = Instant{from_ns - origin_ns};
      filter.to = Instant{to_ns - origin_ns};
      for (const live::LiveTenant& tenant : book.tenants) paths.push_back(tenant.path);
      for (const auto& [number, job] : book.jobs) {
        if (!job.attempt || (!tenants.empty() &&
                             std::find(tenants.begin(), tenants.end(), job.record.tenant) == tenants.end()))
          continue;
        // What runs has no transfer yet: what it has used up to now, as one.
        const live::TransferRecord transfer =
            live::use_of(book, options_.factory->options().prices, *job.attempt, job.record.user, book.now);
        if (transfer.to > filter.from && transfer.from < filter.to)
          open.emplace(transfer.attempt,
                       Open{transfer, {job.record.name, job.record.array_job, job.record.array_index}});
      }
    });
    const auto path_of = [&](TenantId tenant) {
      return tenant.value() < paths.size() ? paths[tenant.value()] : std::string();
    };
    if (format == "focus") {
      FocusReport report(by, from_ns, to_ns, origin_ns);
      const Result<void> read =
          archive.transfers(filter, [&](const live::TransferRecord& transfer, const live::UsedJob& job) {
            open.erase(transfer.attempt);
            report.add(transfer, path_of(transfer.tenant), job, false);
            return true;
          });
      if (!read) return call.refuse(read.error());
      for (const auto& [attempt, each] : open)
        report.add(each.transfer, path_of(each.transfer.tenant), each.job, true);
      return call.answer_text(report.csv("Gigawerk"), "text/csv; charset=utf-8");
    }
    UsageReport report(by, from_ns, to_ns);
    const Result<void> read = archive.usage(filter, [&](const live::UsageRow& row) {
      open.erase(row.attempt);
      report.add(row, path_of(row.tenant), false);
      return true;
    });
    if (!read) return call.refuse(read.error());
    for (const auto& [attempt, each] : open) {
      live::UsageRow part = live::part_of(each.transfer, filter.from, filter.to);
      part.array_job = each.job.array_job;
      part.array_index = each.job.array_index;
      report.add(part, path_of(each.transfer.tenant), true);
    }
    if (format == "csv") return call.answer_text(report.csv(), "text/csv; charset=utf-8");
    call.answer(report.json());
  });
  if (!posted) Call({}, {}, responder).refuse({503, "busy", "too many requests wait; try again in a moment"});
}

void Api::audit(Call call) {
  const std::optional<std::uint64_t> limit = call.number("limit", 100, 1, 1000);
  if (!limit) return;
  const std::optional<std::uint64_t> before =
      call.number("before", 0, 0, static_cast<std::uint64_t>(INT64_MAX));
  if (!before) return;
  std::optional<std::vector<TenantId>> tenants = visible(call, call.text("tenant"));
  if (!tenants) return;
  const std::shared_ptr<http::Responder> responder = call.responder;
  const bool posted = readers_->post([this, call = std::move(call), limit = *limit, before = *before,
                                      tenants = std::move(*tenants)](live::Archive& archive) {
    Result<std::vector<live::AuditRecord>> found =
        archive.audit(tenants, before, static_cast<std::uint32_t>(limit + 1));
    if (!found) return call.refuse(found.error());
    const bool more = found->size() > limit;
    if (more) found->resize(limit);
    Json json;
    json["audit"] = Json::array();
    options_.factory->read([&](const live::Book& book) {
      for (const live::AuditRecord& record : *found) json["audit"].push_back(audit_json(book, record));
    });
    json["next"] = more ? Json(fmt::format("{}", found->back().sequence)) : Json(nullptr);
    call.answer(json);
  });
  if (!posted) Call({}, {}, responder).refuse({503, "busy", "too many requests wait; try again in a moment"});
}

void Api::decisions(Call call) {
  const std::optional<std::uint64_t> limit = call.number("limit", 100, 1, 1000);
  if (!limit) return;
  const std::optional<std::uint64_t> before =
      call.number("before", 0, 0, static_cast<std::uint64_t>(INT64_MAX));
  if (!before) return;
  std::optional<std::vector<TenantId>> tenants = visible(call, call.text("tenant"));
  if (!tenants) return;
  const std::shared_ptr<http::Responder> responder = call.responder;
  const bool posted = readers_->post([this, call = std::move(call), limit = *limit, before = *before,
                                      tenants = std::move(*tenants)](live::Archive& archive) {
    Result<std::vector<live::DecisionRow>> found =
        archive.decisions({tenants, before, 0, 0}, static_cast<std::uint32_t>(limit + 1));
    if (!found) return call.refuse(found.error());
    const bool more = found->size() > limit;
    if (more) found->resize(limit);
    Json json;
    json["decisions"] = Json::array();
    options_.factory->read([&](const live::Book& book) {
      for (const live::DecisionRow& row : *found) json["decisions"].push_back(decision_json(book, row));
    });
    json["next"] = more ? Json(fmt::format("{}", found->back().sequence)) : Json(nullptr);
    call.answer(json);
  });
  if (!posted) Call({}, {}, responder).refuse({503, "busy", "too many requests wait; try again in a moment"});
}

void Api::job_decision(Call call) {
  with_job(std::move(call), [this](const Call& each, live::Archive& archive, const live::JobRecord& job) {
    constexpr std::uint32_t kMost = 1000;
    const Result<std::vector<live::DecisionRow>> found =
        archive.decisions({{}, 0, job.number, job.array_job}, kMost);
    if (!found) return each.refuse(found.error());
    Json json;
    json["decisions"] = Json::array();
    options_.factory->read([&](const live::Book& book) {
      for (const live::DecisionRow& row : *found) json["decisions"].push_back(decision_json(book, row));
    });
    json["next"] = nullptr;
    each.answer(json);
  });
}

}  // namespace gw::api
