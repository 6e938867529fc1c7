// `gw physics validate`: the model beside published measurements that the user has at hand.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <memory>

#include "cli/app.h"
#include "cli/file_use.h"
#include "cli/physics_report.h"
#include "cli/physics_types.h"
#include "cli/text_table.h"
#include "physics/validation_collectives.h"
#include "physics/validation_cost.h"
#include "physics/validation_failures.h"
#include "physics/validation_inference.h"
#include "physics/validation_latency.h"
#include "physics/validation_power.h"
#include "physics/validation_served_energy.h"
#include "physics/validation_training.h"

namespace gw {
namespace {

struct Options {
  std::string data, html;
  std::size_t worst = 10;
  bool json = false;
};

/// A kind of measurement: the file that holds it and what compares it.
struct Subject {
  const char* name;
  const char* file;
  Result<physics::ValidationReport> (*compare)(const physics::PublishedTable& table,
                                               const physics::KnownTypes& known);
};

/// The rows of a table, compared; or why it cannot be read.
template <class Rows, class Validate>
Result<physics::ValidationReport> compared(const Result<Rows>& rows, Validate&& validate) {
  if (!rows) return std::unexpected(rows.error());
  return validate(*rows);
}

using Table = physics::PublishedTable;
using Types = physics::KnownTypes;

constexpr std::array kSubjects = {
    Subject{"training", "training.csv",
            [](const Table& table, const Types& known) {
              return compared(physics::read_published_training(table, known), [](const auto& rows) {
                return physics::validate_training(rows, physics::published_calibration());
              });
            }},
    Subject{"collectives", "collectives.csv",
            [](const Table& table, const Types& known) {
              return compared(physics::read_published_collectives(table, known),
                              physics::validate_collectives);
            }},
    Subject{"inference", "inference.csv",
            [](const Table& table, const Types& known) {
              return compared(physics::read_published_inference(table, known), [](const auto& rows) {
                return physics::validate_inference(rows, physics::published_serving_calibration());
              });
            }},
    Subject{"latency", "inference.csv",
            [](const Table& table, const Types& known) {
              return compared(physics::read_published_inference(table, known), [](const auto& rows) {
                return physics::validate_latency(rows, physics::published_serving_calibration());
              });
            }},
    Subject{"cost", "cost.csv",
            [](const Table& table, const Types& known) {
              return compared(physics::read_published_costs(table),
                              [&](const auto& rows) { return physics::validate_costs(rows, known); });
            }},
    Subject{"failures", "failures.csv",
            [](const Table& table, const Types& known) {
              return compared(physics::read_published_failures(table, known), physics::validate_failures);
            }},
    Subject{"power", "power.csv",
            [](const Table& table, const Types& known) {
              return compared(physics::read_published_power(table, known), [](const auto& rows) {
                return physics::validate_power(rows, physics::published_power());
              });
            }},
    Subject{"served-energy", "inference.csv",
            [](const Table& table, const Types& known) {
              return compared(physics::read_published_inference(table, known), [](const auto& rows) {
                return physics::validate_served_energy(rows, physics::published_serving_calibration(),
                                                       physics::published_power());
              });
            }},
    Subject{"served-power", "inference.csv",
            [](const Table& table, const Types& known) {
              return compared(physics::read_served_power(table, known), [](const auto& rows) {
                return physics::validate_power(rows, physics::published_power());
              });
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
  FileUse use;
  for (const Subject& subject : kSubjects) use.reads((folder / subject.file).string());
  use.writes(options.html);
  if (const Result<void> apart = use.check(); !apart) return std::unexpected(apart.error());
  const Result<physics::KnownTypes> known = known_types();
  if (!known) return std::unexpected(known.error());
  std::vector<NamedReport> reports;
  for (const Subject& subject : kSubjects) {
    std::error_code error;
    const std::filesystem::path file = folder / subject.file;
    if (!std::filesystem::exists(file, error)) continue;
    const Result<physics::PublishedTable> table = read_published_table(file.string());
    if (!table) return std::unexpected(table.error());
    Result<physics::ValidationReport> report = subject.compare(*table, *known);
    if (!report) return std::unexpected(report.error());
    // A file of two subjects may hold rows of one alone.
    if (!table->rows.empty() && report->rows.empty() && report->left_out.empty()) continue;
    reports.push_back({subject.name, *std::move(report)});
  }
  if (reports.empty())
    return fail(fmt::format("{}: there is none of {} in this folder", options.data, subject_files()));
  if (!options.html.empty()) {
    if (Result<void> done = write_validation_page(options.html, reports, options.worst); !done)
      return std::unexpected(std::move(done.error()));
  }
  nlohmann::ordered_json json;
  for (const NamedReport& each : reports) {
    if (options.json)
      json[each.subject] = validation_json(each.report, options.worst);
    else
      fmt::print("{}", validation_text(each.report, options.worst));
  }
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
  command->add_option("--html", options->html, "Write a page with predicted against measured values, too")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print JSON");
  set_action(*command, context, [options] { return validate(*options); });
}

}  // namespace gw
