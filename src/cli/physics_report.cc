// Tables and pages of a comparison with measurements.
#include "cli/physics_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iterator>

#include "cli/physics_types.h"
#include "cli/share.h"
#include "cli/text_table.h"
#include "report/run_report.h"
#include "report/text.h"

namespace gw {
namespace {

using Json = nlohmann::ordered_json;

std::string percent_text(double share, bool sign = false) {
  return sign ? fmt::format("{:+.1f} %", 100 * share) : fmt::format("{:.1f} %", 100 * share);
}

/// Where the mean lies, of few points only: many speak for themselves.
std::string interval_text(const physics::ErrorSummary& summary) {
  if (summary.points >= physics::kFewPoints) return "";
  if (summary.points < 2) return "unknown";
  return fmt::format("{:.1f} to {:.1f} %", 100 * summary.mean_low, 100 * summary.mean_high);
}

Json json_of(const std::vector<physics::ErrorSummary>& summaries) {
  Json json = Json::array();
  for (const physics::ErrorSummary& each : summaries) {
    json.push_back(
        {{"name", each.name},
         {"points", each.points},
         {"mean", each.mean},
         {"mean_interval_95", each.points < 2 ? Json(nullptr) : Json::array({each.mean_low, each.mean_high})},
         {"median", each.median},
         {"max", each.max},
         {"bias", each.bias},
         {"null_mean", each.null_mean},
         {"null_max", each.null_max}});
    if (each.with_interval > 0) {
      json.back()["with_interval"] = each.with_interval;
      json.back()["inside"] = each.inside;
      json.back()["null_inside"] = each.null_inside;
    }
    if (each.with_prediction > 0) {
      json.back()["with_prediction"] = each.with_prediction;
      json.back()["covered"] = each.covered;
    }
  }
  return json;
}

Json json_of(const physics::Comparison& row) {
  return {{"id", row.id},
          {"group", row.group},
          {"what", row.what},
          {"unit", row.unit},
          {"measured", row.measured},
          {"predicted", row.predicted},
          {"error", row.error},
          {"why", row.why}};
}

std::string value_text(double value, const std::string& unit) {
  return unit == "s" ? report::format_duration(value) : fmt::format("{:.4g} {}", value, unit);
}

}  // namespace

Json validation_json(const physics::ValidationReport& report, std::size_t worst) {
  Json json = {{"totals", json_of(report.totals)}, {"groups", json_of(report.groups)},
               {"cells", json_of(report.cells)},   {"worst", Json::array()},
               {"left_out", Json::array()},        {"notes", report.notes}};
  for (std::size_t i = 0; i < std::min(worst, report.rows.size()); ++i)
    json["worst"].push_back(json_of(report.rows[i]));
  for (const physics::LeftOut& each : report.left_out)
    json["left_out"].push_back({{"reason", each.reason}, {"rows", each.rows}});
  return json;
}

std::string validation_text(const physics::ValidationReport& report, std::size_t worst) {
  std::string text = report.heading + "\n";
  TextTable table("lrrrrrrrr");
  table.add({"", "POINTS", "MEAN", "95 % OF MEAN", "MEDIAN", "MAX", "BIAS", "NULL MEAN", "NULL MAX"});
  for (const std::vector<physics::ErrorSummary>* part : {&report.groups, &report.cells, &report.totals}) {
    for (const physics::ErrorSummary& each : *part)
      table.add({each.name, fmt::format("{}", each.points), percent_text(each.mean), interval_text(each),
                 percent_text(each.median), percent_text(each.max), percent_text(each.bias, true),
                 percent_text(each.null_mean), percent_text(each.null_max)});
  }
  text += table.text();
  if (worst > 0 && !report.rows.empty()) {
    text += "\nFurthest off:\n";
    TextTable rows("lllrrrl");
    rows.add({"ROW", "GROUP", "WHAT", "MEASURED", "PREDICTED", "ERROR", "MADE OF"});
    for (std::size_t i = 0; i < std::min(worst, report.rows.size()); ++i) {
      const physics::Comparison& row = report.rows[i];
      rows.add({row.id, row.group, row.what, value_text(row.measured, row.unit),
                value_text(row.predicted, row.unit), percent_text(row.error, true), row.why});
    }
    text += rows.text();
  }
  for (const physics::ErrorSummary& each : report.totals) {
    if (each.with_interval > 0)
      text +=
          fmt::format("\n{}: {} of {} predicted inside the measurement's interval of 95 %; null model: {}\n",
                      each.name, each.inside, each.with_interval, each.null_inside);
    if (each.with_prediction > 0)
      text += fmt::format("{}: {} of {} measured inside the model's own interval of 95 %\n", each.name,
                          each.covered, each.with_prediction);
  }
  if (!report.left_out.empty()) {
    text += "\nRows that the model cannot express:\n";
    TextTable reasons("rl");
    for (const physics::LeftOut& each : report.left_out)
      reasons.add({fmt::format("{}", each.rows), each.reason});
    text += reasons.text();
  }
  for (const std::string& note : report.notes) fmt::format_to(std::back_inserter(text), "\n{}\n", note);
  return text + "\n";
}

Result<void> write_validation_page(const std::string& file, const std::vector<NamedReport>& reports,
                                   std::size_t worst) {
  const Result<std::filesystem::path> page = find_share(report::kHtmlTemplateShare);
  if (!page)
    return fail("this gw was built without HTML (GW_WEB=OFF), or is not whole: " + page.error().message);
  Json subjects = Json::array();
  for (const NamedReport& each : reports) {
    Json json = {{"subject", each.subject}, {"heading", each.report.heading}};
    json.update(validation_json(each.report, worst));
    json["rows"] = Json::array();
    for (const physics::Comparison& row : each.report.rows) {
      Json point = json_of(row);
      point["cell"] = row.cell;
      point["null_predicted"] = row.measured * (1 + row.null_error);
      json["rows"].push_back(std::move(point));
    }
    subjects.push_back(std::move(json));
  }
  return report::write_page(file, *page, {{"validation", std::move(subjects)}});
}

}  // namespace gw
