// `gw physics validate`: the model beside published measurements that the user has at hand.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <memory>

#include "cli/app.h"
#include "cli/physics_types.h"
#include "cli/text_table.h"
#include "physics/validation_collectives.h"
#include "physics/validation_failures.h"
#include "physics/validation_inference.h"
#include "physics/validation_power.h"
#include "physics/validation_training.h"

namespace gw {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string data;
  std::size_t worst = 10;
  bool json = false;
};

std::string percent_text(double share, bool sign = false) {
  return sign ? fmt::format("{:+.1f} %", 100 * share) : fmt::format("{:.1f} %", 100 * share);
}

Json json_of(const std::vector<physics::ErrorSummary>& summaries) {
  Json json = Json::array();
  for (const physics::ErrorSummary& each : summaries) {
    json.push_back({{"name", each.name},
                    {"points", each.points},
                    {"mean", each.mean},
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

Json json_of(const physics::ValidationReport& report, std::size_t worst) {
  Json json = {{"totals", json_of(report.totals)}, {"groups", json_of(report.groups)},
               {"cells", json_of(report.cells)},   {"worst", Json::array()},
               {"left_out", Json::array()},        {"notes", report.notes}};
  for (std::size_t i = 0; i < std::min(worst, report.rows.size()); ++i) {
    const physics::Comparison& row = report.rows[i];
    json["worst"].push_back({{"id", row.id},
                             {"group", row.group},
                             {"what", row.what},
                             {"unit", row.unit},
                             {"measured", row.measured},
                             {"predicted", row.predicted},
                             {"error", row.error},
                             {"why", row.why}});
  }
  for (const physics::LeftOut& each : report.left_out)
    json["left_out"].push_back({{"reason", each.reason}, {"rows", each.rows}});
  return json;
}

std::string value_text(double value, const std::string& unit) {
  return unit == "s" ? duration_text(value) : fmt::format("{:.4g} {}", value, unit);
}

void print_report(const physics::ValidationReport& report, std::size_t worst) {
  fmt::print("{}\n", report.heading);
  TextTable table("lrrrrrrr");
  table.add({"", "POINTS", "MEAN", "MEDIAN", "MAX", "BIAS", "NULL MEAN", "NULL MAX"});
  for (const std::vector<physics::ErrorSummary>* part : {&report.groups, &report.cells, &report.totals}) {
    for (const physics::ErrorSummary& each : *part)
      table.add({each.name, fmt::format("{}", each.points), percent_text(each.mean),
                 percent_text(each.median), percent_text(each.max), percent_text(each.bias, true),
                 percent_text(each.null_mean), percent_text(each.null_max)});
  }
  fmt::print("{}", table.text());
  if (worst > 0 && !report.rows.empty()) {
    fmt::print("\nFurthest off:\n");
    TextTable rows("lllrrrl");
    rows.add({"ROW", "GROUP", "WHAT", "MEASURED", "PREDICTED", "ERROR", "MADE OF"});
    for (std::size_t i = 0; i < std::min(worst, report.rows.size()); ++i) {
      const physics::Comparison& row = report.rows[i];
      rows.add({row.id, row.group, row.what, value_text(row.measured, row.unit),
                value_text(row.predicted, row.unit), percent_text(row.error, true), row.why});
    }
    fmt::print("{}", rows.text());
  }
  for (const physics::ErrorSummary& each : report.totals) {
    if (each.with_interval > 0)
      fmt::print("\n{}: {} of {} predicted inside the measurement's interval of 95 %; null model: {}\n",
                 each.name, each.inside, each.with_interval, each.null_inside);
    if (each.with_prediction > 0)
      fmt::print("{}: {} of {} measured inside the model's own interval of 95 %\n", each.name, each.covered,
                 each.with_prediction);
  }
  if (!report.left_out.empty()) {
    fmt::print("\nRows that the model cannot express:\n");
    TextTable reasons("rl");
    for (const physics::LeftOut& each : report.left_out)
      reasons.add({fmt::format("{}", each.rows), each.reason});
    fmt::print("{}", reasons.text());
  }
  for (const std::string& note : report.notes) fmt::print("\n{}\n", note);
  fmt::print("\n");
}

/// A kind of measurement: the file that holds it and what compares it.
struct Subject {
  const char* name;
  const char* file;
  Result<physics::ValidationReport> (*compare)(const physics::PublishedTable& table,
                                               const physics::KnownTypes& known);
};

constexpr std::array kSubjects = {
    Subject{"training", "training.csv",
            [](const physics::PublishedTable& table,
               const physics::KnownTypes& known) -> Result<physics::ValidationReport> {
              const auto rows = physics::read_published_training(table, known);
              if (!rows) return std::unexpected(rows.error());
              return physics::validate_training(*rows, physics::published_calibration());
            }},
    Subject{"collectives", "collectives.csv",
            [](const physics::PublishedTable& table,
               const physics::KnownTypes& known) -> Result<physics::ValidationReport> {
              const auto rows = physics::read_published_collectives(table, known);
              if (!rows) return std::unexpected(rows.error());
              return physics::validate_collectives(*rows);
            }},
    Subject{"inference", "inference.csv",
            [](const physics::PublishedTable& table,
               const physics::KnownTypes& known) -> Result<physics::ValidationReport> {
              const auto rows = physics::read_published_inference(table, known);
              if (!rows) return std::unexpected(rows.error());
              return physics::validate_inference(*rows, physics::published_serving_calibration());
            }},
    Subject{"failures", "failures.csv",
            [](const physics::PublishedTable& table,
               const physics::KnownTypes& known) -> Result<physics::ValidationReport> {
              const auto rows = physics::read_published_failures(table, known);
              if (!rows) return std::unexpected(rows.error());
              return physics::validate_failures(*rows);
            }},
    Subject{"power", "power.csv",
            [](const physics::PublishedTable& table,
               const physics::KnownTypes& known) -> Result<physics::ValidationReport> {
              const auto rows = physics::read_published_power(table, known);
              if (!rows) return std::unexpected(rows.error());
              return physics::validate_power(*rows, physics::published_power());
            }},
    Subject{"served-power", "inference.csv",
            [](const physics::PublishedTable& table,
               const physics::KnownTypes& known) -> Result<physics::ValidationReport> {
              const auto rows = physics::read_served_power(table, known);
              if (!rows) return std::unexpected(rows.error());
              return physics::validate_power(*rows, physics::published_power());
            }},
};

std::string subject_files() {
  std::string text;
  for (const Subject& each : kSubjects) {
    if (text.find(each.file) != std::string::npos) continue;
    text += fmt::format("{}{}", text.empty() ? "" : ", ", each.file);
  }
  return text;
}

Result<ExitCode> validate(const Options& options) {
  if (options.data.empty())
    return fail(
        fmt::format("no measurements come with gw: give --data a folder with any of {}, whose columns "
                    "docs/physics-*.md list; "
                    "published ones are in the Megatron-Bridge performance summaries, MLPerf results, "
                    "llm-foundry's benchmark "
                    "tables and nccl-tests logs",
                    subject_files()));
  const std::filesystem::path folder(options.data);
  const Result<physics::KnownTypes> known = known_types();
  if (!known) return std::unexpected(known.error());
  Json json;
  bool found = false;
  for (const Subject& subject : kSubjects) {
    std::error_code error;
    const std::filesystem::path file = folder / subject.file;
    if (!std::filesystem::exists(file, error)) continue;
    found = true;
    const Result<physics::PublishedTable> table = read_published_table(file.string());
    if (!table) return std::unexpected(table.error());
    const Result<physics::ValidationReport> report = subject.compare(*table, *known);
    if (!report) return std::unexpected(report.error());
    // A file of two subjects may hold rows of one alone.
    if (!table->rows.empty() && report->rows.empty() && report->left_out.empty()) continue;
    if (options.json)
      json[subject.name] = json_of(*report, options.worst);
    else
      print_report(*report, options.worst);
  }
  if (!found)
    return fail(fmt::format("{}: there is none of {} in this folder", options.data, subject_files()));
  if (options.json) fmt::print("{}\n", json_out(json));
  return ExitCode::ok;
}

}  // namespace

void add_physics_validate_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = physics.add_subcommand("validate", "Set the model beside published measurements");
  command->add_option("--data", options->data, "Folder with training.csv, collectives.csv and the like")
      ->type_name("DIR");
  command->add_option("--worst", options->worst, "How many of the furthest rows to show")
      ->check(whole_number(0, 100'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options] { return validate(*options); });
}

}  // namespace gw
