// RunSummary to JSON, and the reading and checking of report.json.
#include "report/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "files/output_file.h"

namespace gw::report {
namespace {

Json distribution(const twin::Distribution& from) {
  return {{"count", from.count}, {"mean", from.mean}, {"p50", from.p50},
          {"p90", from.p90},     {"p99", from.p99},   {"max", from.max}};
}

Json jobs(const twin::RunSummary::Jobs& from) {
  Json rejected_by = Json::object();
  for (const twin::NamedCount& reason : from.rejected_by) rejected_by[reason.name] = reason.count;
  Json json{{"submitted", from.submitted},
            {"started", from.started},
            {"finished", from.finished},
            {"rejected", from.rejected},
            {"withdrawn", from.withdrawn},
            {"completed", from.completed},
            {"failed", from.failed},
            {"cancelled", from.cancelled},
            {"timed_out", from.timed_out},
            {"restarts", from.restarts},
            {"preemptions", from.preemptions},
            {"preempted_gpus", from.preempted_gpus},
            {"replacements", from.replacements},
            {"restarted_jobs", from.restarted_jobs},
            {"rejected_by", std::move(rejected_by)}};
  if (from.grown != 0 || from.shrunk != 0) {  // Only where there are elastic jobs.
    json["grown"] = from.grown;
    json["shrunk"] = from.shrunk;
  }
  return json;
}

Json rounded(const std::vector<double>& values);

Json power(const twin::PowerSummary& from, Detail detail) {
  Json feeds = Json::array();
  for (const twin::FeedSummary& feed : from.feeds) {
    feeds.push_back({{"feed", feed.name},
                     {"level", feed.level},
                     {"mean_mw", feed.mean_mw},
                     {"peak_mw", feed.peak_mw},
                     {"cap_mean_mw", feed.cap_mean_mw},
                     {"cap_min_mw", feed.cap_min_mw},
                     {"peak_share", feed.peak_share},
                     {"above_share", feed.above_share},
                     {"longest_above_s", feed.longest_above_s}});
  }
  Json json = {{"reaction_s", from.reaction_s},
               {"longest_above_s", from.longest_above_s},
               {"limited_feeds", from.limited_feeds},
               {"late_feeds", from.late_feeds},
               {"cap_changes", from.cap_changes},
               {"clock_orders", from.clock_orders},
               {"stopped_jobs", from.stopped_jobs},
               {"energy_mwh", from.energy_mwh},
               {"feeds", std::move(feeds)}};
  if (detail == Detail::kFull)
    json["series"] = {{"begin_s", from.series_begin_s},
                      {"width_s", from.series_width_s},
                      {"draw_mw", rounded(from.draw_mw)},
                      {"cap_mw", rounded(from.cap_mw)}};
  return json;
}

Json physics(const twin::PhysicsSummary& from) {
  const auto row = [](const twin::PhysicsSummary::Class& each) {
    return Json{{"class", each.name},
                {"jobs", each.jobs},
                {"gpu_hours", each.gpu_hours},
                {"speed", each.speed},
                {"lost_to_span", each.lost_span},
                {"lost_to_contention", each.lost_contention},
                {"lost_to_caps", each.lost_caps}};
  };
  Json json = row(from.all);
  json.erase("class");
  json["classes"] = Json::array();
  for (const twin::PhysicsSummary::Class& each : from.classes) json["classes"].push_back(row(each));
  return json;
}

Json energy(const twin::EnergySummary& from) {
  Json sites = Json::array();
  for (const twin::EnergySummary::Site& site : from.sites)
    sites.push_back({{"site", site.name}, {"mwh", site.mwh}, {"euros", site.euros}, {"co2_t", site.tonnes}});
  Json json = {{"mwh", from.mwh},
               {"euros", from.euros},
               {"co2_t", from.tonnes},
               {"flexible_jobs", from.flexible_jobs},
               {"shifted_jobs", from.shifted_jobs},
               {"shifted_hours", from.shifted_hours},
               {"late_jobs", from.late_jobs},
               {"sites", std::move(sites)}};
  if (from.has_unshifted)
    json["without_shifting"] = {{"mwh", from.unshifted_mwh},
                                {"euros", from.unshifted_euros},
                                {"co2_t", from.unshifted_tonnes},
                                {"late_jobs", from.unshifted_late_jobs}};
  return json;
}

Json groups(const std::vector<twin::GroupSummary>& from, const char* key) {
  Json rows = Json::array();
  for (const twin::GroupSummary& group : from) {
    rows.push_back({{key, group.name},
                    {"started", group.started},
                    {"finished", group.finished},
                    {"gpu_hours", group.gpu_hours},
                    {"wait_s", distribution(group.wait_s)},
                    {"bounded_slowdown", distribution(group.slowdown)}});
  }
  return rows;
}

Json tenants(const std::vector<twin::TenantSummary>& from, Detail detail) {
  Json rows = Json::array();
  for (const twin::TenantSummary& tenant : from) {
    if (detail == Detail::kSummary && tenant.depth > 1) continue;
    Json row = {
        {"path", tenant.path},         {"kind", tenant.kind},           {"depth", tenant.depth},
        {"weight", tenant.weight},     {"submitted", tenant.submitted}, {"started", tenant.started},
        {"finished", tenant.finished}, {"rejected", tenant.rejected},   {"gpu_hours", tenant.gpu_hours}};
    if (tenant.depth == 1) {
      row["entitled_gpu_hours"] = tenant.entitled_gpu_hours;
      row["wait_s"] = distribution(tenant.wait_s);
    } else {
      row["wait_s"] = {{"mean", tenant.wait_mean_s}, {"max", tenant.wait_max_s}};
    }
    row["bounded_slowdown"] = {{"mean", tenant.slowdown_mean}};
    rows.push_back(std::move(row));
  }
  return rows;
}

/// To thousandths: series are for charts, and stay readable.
Json rounded(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) {
    const double thousandths = std::round(value * 1000);
    if (std::fmod(thousandths, 1000) == 0 && std::abs(thousandths) < 1e15) {
      list.push_back(static_cast<std::int64_t>(thousandths / 1000));
    } else {
      list.push_back(thousandths / 1000);
    }
  }
  return list;
}

Json series(const twin::RunSeries& from) {
  return {{"begin_s", from.begin_s},
          {"width_s", from.width_s},
          {"total_gpus", rounded(from.total_gpus)},
          {"down_gpus", rounded(from.down_gpus)},
          {"allocated_gpus", rounded(from.allocated_gpus)},
          {"useful_gpus", rounded(from.useful_gpus)},
          {"running_jobs", rounded(from.running_jobs)},
          {"pending_jobs", rounded(from.pending_jobs)},
          {"pending_gpus", rounded(from.pending_gpus)},
          {"unusable_gpus", rounded(from.unusable_gpus)},
          {"fragmented_gpus", rounded(from.fragmented_gpus)},
          {"submitted", rounded(from.submitted)},
          {"started", rounded(from.started)},
          {"finished", rounded(from.finished)},
          {"node_failures", rounded(from.node_failures)},
          {"lost_gpu_hours", rounded(from.lost_gpu_hours)}};
}

constexpr std::size_t kShortLine = 100;

/// Takes one from `left` for each value inside; false once there are too many for a short line.
bool is_small(const Json& value, int& left) {
  if (--left < 0) return false;
  if (!value.is_structured()) return true;
  return std::all_of(value.begin(), value.end(), [&](const Json& item) { return is_small(item, left); });
}

void append(std::string& text, const Json& value, std::size_t indent) {
  const bool numbers_only = value.is_array() && !value.empty() && value[0].is_number();
  if (!value.is_structured() || value.empty() || numbers_only) {
    text += value.dump(-1, ' ', true, Json::error_handler_t::replace);
    return;
  }
  int left = static_cast<int>(kShortLine / 2);  // A value and its comma take two characters at least.
  if (indent > 0 && is_small(value, left)) {
    const std::string line = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    if (line.size() <= kShortLine) {
      text += line;
      return;
    }
  }
  text += value.is_array() ? '[' : '{';
  bool first = true;
  for (const auto& [key, item] : value.items()) {
    if (!std::exchange(first, false)) text += ',';
    text += '\n';
    text.append(indent + 2, ' ');
    if (value.is_object()) text += Json(key).dump(-1, ' ', true, Json::error_handler_t::replace) + ": ";
    append(text, item, indent + 2);
  }
  text += '\n';
  text.append(indent, ' ');
  text += value.is_array() ? ']' : '}';
}

}  // namespace

Json to_json(const twin::RunSummary& from, Detail detail) {
  Json json = {{"format", "gigawerk-report"},
               {"version", kReportVersion},
               {"name", from.labels.name},
               {"policy", from.labels.policy},
               {"fleet", from.labels.fleet},
               {"seed", from.labels.seed},
               {"jobs", jobs(from.jobs)},
               {"wait_s", distribution(from.wait_s)},
               {"bounded_slowdown", distribution(from.slowdown)},
               {"quantile_relative_error", from.quantile_error},
               {"first_submit_s", from.first_submit_s},
               {"last_submit_s", from.last_submit_s},
               {"last_end_s", from.last_end_s},
               {"makespan_s", from.makespan_s},
               {"utilization", from.utilization},
               {"useful_utilization", from.useful_utilization},
               {"utilization_until_last_submit", from.utilization_until_last_submit},
               {"offered_load", from.offered_load},
               {"gpus", from.gpus}};
  json["gpu_hours"] = {{"existing", from.gpu_hours.existing}, {"allocated", from.gpu_hours.allocated},
                       {"useful", from.gpu_hours.useful},     {"lost", from.gpu_hours.lost},
                       {"idle", from.gpu_hours.idle},         {"down", from.gpu_hours.down}};
  json["queue"] = {
      {"running_jobs_mean", from.queue.running_jobs_mean}, {"running_jobs_max", from.queue.running_jobs_max},
      {"pending_jobs_mean", from.queue.pending_jobs_mean}, {"pending_jobs_max", from.queue.pending_jobs_max},
      {"pending_gpus_mean", from.queue.pending_gpus_mean}, {"pending_gpus_max", from.queue.pending_gpus_max}};
  json["fragmentation"] = {{"head_wait_share", from.fragmentation.head_wait_share},
                           {"unusable_gpus_mean", from.fragmentation.unusable_gpus_mean},
                           {"unusable_share", from.fragmentation.unusable_share},
                           {"fragmented_gpus_mean", from.fragmentation.fragmented_gpus_mean},
                           {"fragmented_share", from.fragmentation.fragmented_share}};
  json["fair_share"] = {{"window_s", from.fair_share.window_s},
                        {"windows", from.fair_share.windows},
                        {"misallocated_share", from.fair_share.misallocated_share},
                        {"mean_absolute_error", from.fair_share.mean_absolute_error}};
  json["failures"] = {{"node_failures", from.failures.node_failures},
                      {"stopped_jobs", from.failures.stopped_jobs},
                      {"lost_gpu_hours", from.failures.lost_gpu_hours}};
  if (from.power.limited) json["power"] = power(from.power, detail);
  if (from.energy.priced || from.energy.carbon) json["energy"] = energy(from.energy);
  if (from.physics.used) json["physics"] = physics(from.physics);
  json["by_size"] = groups(from.by_size, "gpus");
  json["by_class"] = groups(from.by_class, "class");
  json["tenants"] = tenants(from.tenants, detail);
  json["spans"] = Json::array();
  for (const twin::SpanSummary& span : from.spans) {
    json["spans"].push_back({{"level", span.level},
                             {"jobs", span.jobs},
                             {"gang_jobs", span.gang_jobs},
                             {"gpu_hours", span.gpu_hours},
                             {"gang_gpu_hours", span.gang_gpu_hours}});
  }
  if (!from.reservations.empty()) {
    json["reservations"] = Json::array();
    for (const twin::ReservationSummary& reservation : from.reservations)
      json["reservations"].push_back({{"name", reservation.name},
                                      {"tenant", reservation.tenant},
                                      {"refusal", reservation.refusal},
                                      {"from_s", reservation.from_s},
                                      {"length_s", reservation.length_s},
                                      {"gpus", reservation.gpus},
                                      {"times", reservation.times},
                                      {"reserved_gpu_hours", reservation.reserved_gpu_hours},
                                      {"used_gpu_hours", reservation.used_gpu_hours}});
  }
  json["reasons"] = Json::array();
  for (const twin::ReasonSummary& reason : from.reasons)
    json["reasons"].push_back(
        {{"reason", reason.name}, {"jobs", reason.jobs}, {"wait_hours", reason.wait_hours}});
  if (detail == Detail::kFull) json["series"] = series(from.series);
  json["run"] = {{"wall_s", from.run.wall_s},
                 {"jobs_per_s", from.run.jobs_per_s},
                 {"peak_rss_bytes", from.run.peak_rss_bytes}};
  return json;
}

std::string json_text(const Json& json) {
  std::string text;
  append(text, json, 0);
  return text + '\n';
}

Result<Json> read_report(const std::filesystem::path& file_or_folder) {
  std::filesystem::path file = file_or_folder;
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) file /= "report.json";
  const Result<std::string> text = files::read_file(file);
  if (!text) {
    return fail(fmt::format("{}; give the folder that a run wrote with --out, or its report.json",
                            text.error().message));
  }
  Json json;
  try {
    json = Json::parse(*text);
  } catch (const Json::parse_error& error) {
    if (text->find_first_not_of(" \t\r\n") == std::string::npos)
      return fail(fmt::format("{}: not JSON: the file is empty; run it again with --out", file.string()));
    return fail(fmt::format("{}: not JSON: damaged at byte {} of {}; run it again with --out", file.string(),
                            error.byte, text->size()));
  }
  if (!json.is_object() || json.value("format", Json()) != "gigawerk-report")
    return fail(fmt::format("{}: not a report of gw: its `format` is not `gigawerk-report`", file.string()));
  const Json version = json.value("version", Json());
  if (version != kReportVersion) {
    return fail(fmt::format("{}: a report of version {}, this gw reads version {}: run it again with this gw",
                            file.string(), version.dump(), kReportVersion));
  }
  return json;
}

}  // namespace gw::report
