// `gw physics validate`: the model beside published measurements that the user has at hand.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "cli/app.h"
#include "cli/physics_types.h"
#include "cli/text_table.h"
#include "physics/validation.h"

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
  for (const physics::ErrorSummary& each : summaries)
    json.push_back({{"name", each.name},
                    {"points", each.points},
                    {"mean", each.mean},
                    {"median", each.median},
                    {"max", each.max},
                    {"bias", each.bias},
                    {"null_mean", each.null_mean},
                    {"null_max", each.null_max}});
  return json;
}

Json json_of(const physics::ValidationReport& report, std::size_t worst) {
  Json json = {{"totals", json_of(report.totals)},
               {"groups", json_of(report.groups)},
               {"cells", json_of(report.cells)},
               {"worst", Json::array()},
               {"left_out", Json::array()},
               {"does_not_fit", report.does_not_fit},
               {"does_not_fit_recompute_unsaid", report.unsaid}};
  for (std::size_t i = 0; i < std::min(worst, report.rows.size()); ++i) {
    const physics::Comparison& row = report.rows[i];
    json["worst"].push_back({{"id", row.id},
                             {"group", row.group},
                             {"what", row.what},
                             {"measured_s", row.measured_s},
                             {"predicted_s", row.predicted_s},
                             {"error", row.error},
                             {"why", row.why}});
  }
  for (const physics::LeftOut& each : report.left_out)
    json["left_out"].push_back({{"reason", each.reason}, {"rows", each.rows}});
  return json;
}

void print_report(const char* title, const physics::ValidationReport& report, std::size_t worst) {
  fmt::print("{}\n", title);
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
      rows.add({row.id, row.group, row.what, duration_text(row.measured_s), duration_text(row.predicted_s),
                percent_text(row.error, true), row.why});
    }
    fmt::print("{}", rows.text());
  }
  if (!report.left_out.empty()) {
    fmt::print("\nRows that the model cannot express:\n");
    TextTable reasons("rl");
    for (const physics::LeftOut& each : report.left_out)
      reasons.add({fmt::format("{}", each.rows), each.reason});
    fmt::print("{}", reasons.text());
  }
  if (report.does_not_fit > 0)
    fmt::print(
        "\n{} of the runs were made although the memory model says that they do not fit; {} of these do not "
        "say what they recompute.\n",
        report.does_not_fit, report.unsaid);
  fmt::print("\n");
}

Result<ExitCode> validate(const Options& options) {
  if (options.data.empty())
    return fail(
        "no measurements come with gw: give --data a folder with training.csv or collectives.csv, whose "
        "columns "
        "docs/physics-training.md and docs/physics-collectives.md list; published ones are in the "
        "Megatron-Bridge "
        "performance summaries, MLPerf Training results, llm-foundry's benchmark tables and nccl-tests logs");
  const std::filesystem::path folder(options.data);
  const Result<physics::KnownTypes> known = known_types();
  if (!known) return std::unexpected(known.error());
  Json json;
  bool found = false;
  std::error_code error;
  if (const std::filesystem::path file = folder / "training.csv"; std::filesystem::exists(file, error)) {
    found = true;
    const Result<physics::PublishedTable> table = read_published_table(file.string());
    if (!table) return std::unexpected(table.error());
    const auto rows = physics::read_published_training(*table, *known);
    if (!rows) return std::unexpected(rows.error());
    const physics::ValidationReport report =
        physics::validate_training(*rows, physics::published_calibration());
    if (options.json)
      json["training"] = json_of(report, options.worst);
    else
      print_report(
          "Training step time: error of the model, and of the median TFLOP/s per GPU type and precision",
          report, options.worst);
  }
  if (const std::filesystem::path file = folder / "collectives.csv"; std::filesystem::exists(file, error)) {
    found = true;
    const Result<physics::PublishedTable> table = read_published_table(file.string());
    if (!table) return std::unexpected(table.error());
    const auto rows = physics::read_published_collectives(*table, *known);
    if (!rows) return std::unexpected(rows.error());
    const physics::ValidationReport report = physics::validate_collectives(*rows);
    if (options.json)
      json["collectives"] = json_of(report, options.worst);
    else
      print_report("Collectives: error of the model, and of bytes over nominal bandwidth", report,
                   options.worst);
  }
  if (!found)
    return fail(
        fmt::format("{}: there is neither training.csv nor collectives.csv in this folder", options.data));
  if (options.json) fmt::print("{}\n", json_out(json));
  return ExitCode::ok;
}

}  // namespace

void add_physics_validate_command(CLI::App& physics, AppContext& context) {
  auto options = std::make_shared<Options>();
  CLI::App* command = physics.add_subcommand("validate", "Set the model beside published measurements");
  command->add_option("--data", options->data, "Folder with training.csv, collectives.csv or both")
      ->type_name("DIR");
  command->add_option("--worst", options->worst, "How many of the furthest rows to show")
      ->check(whole_number(0, 100'000))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options] { return validate(*options); });
}

}  // namespace gw
