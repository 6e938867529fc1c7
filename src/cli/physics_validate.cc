// `gw physics validate`: the model beside published measurements that the user has at hand.
#include <fmt/format.h>

#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

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

using Table = physics::PublishedTable;
using Types = physics::KnownTypes;
using Served = std::vector<physics::PublishedInference>;

/// The tables of a folder, each read once however many subjects it has.
class Measurements {
 public:
  Measurements(std::filesystem::path folder, const Types& known)
      : folder_(std::move(folder)), known_(known) {}

  [[nodiscard]] const Types& known() const { return known_; }

  /// Belongs to this object.
  Result<const Table*> table(const char* file) {
    const auto there = tables_.find(file);
    if (there != tables_.end()) return &there->second;
    Result<Table> read = read_published_table((folder_ / file).string());
    if (!read) return std::unexpected(std::move(read.error()));
    return &tables_.emplace(file, *std::move(read)).first->second;
  }

  /// The rows of inference.csv. They belong to this object.
  Result<const Served*> served() {
    if (served_) return &*served_;
    const Result<const Table*> rows = table("inference.csv");
    if (!rows) return std::unexpected(rows.error());
    Result<Served> read = physics::read_published_inference(**rows, known_);
    if (!read) return std::unexpected(std::move(read.error()));
    return &served_.emplace(*std::move(read));
  }

 private:
  std::filesystem::path folder_;
  const Types& known_;
  std::map<std::string, Table> tables_;
  std::optional<Served> served_;
};

/// A kind of measurement: the file that holds it and what compares it.
struct Subject {
  const char* name;
  const char* file;
  Result<physics::ValidationReport> (*compare)(Measurements& measured);
};

/// The rows that `read` finds in a table, compared; or why it cannot be read.
template <class Read, class Validate>
Result<physics::ValidationReport> compared(Measurements& measured, const char* file, Read&& read,
                                           Validate&& validate) {
  const Result<const Table*> table = measured.table(file);
  if (!table) return std::unexpected(table.error());
  const auto rows = read(**table, measured.known());
  if (!rows) return std::unexpected(rows.error());
  return validate(*rows);
}

/// The same of what was served.
template <class Validate>
Result<physics::ValidationReport> compared_served(Measurements& measured, Validate&& validate) {
  const Result<const Served*> rows = measured.served();
  if (!rows) return std::unexpected(rows.error());
  return validate(**rows);
}

constexpr std::array kSubjects = {
    Subject{"training", "training.csv",
            [](Measurements& measured) {
              return compared(measured, "training.csv", physics::read_published_training,
                              [](const auto& rows) {
                                return physics::validate_training(rows, physics::published_calibration());
                              });
            }},
    Subject{"collectives", "collectives.csv",
            [](Measurements& measured) {
              return compared(
                  measured, "collectives.csv",
                  [](const Table& table, const Types& known) {
                    return physics::read_published_collectives(table, known);
                  },
                  [](const auto& rows) { return physics::validate_collectives(rows); });
            }},
    Subject{"inference", "inference.csv",
            [](Measurements& measured) {
              return compared_served(measured, [](const Served& rows) {
                return physics::validate_inference(rows, physics::published_serving_calibration());
              });
            }},
    Subject{"latency", "inference.csv",
            [](Measurements& measured) {
              return compared_served(measured, [](const Served& rows) {
                return physics::validate_latency(rows, physics::published_serving_calibration());
              });
            }},
    Subject{"cost", "cost.csv",
            [](Measurements& measured) {
              return compared(
                  measured, "cost.csv",
                  [](const Table& table, const Types&) { return physics::read_published_costs(table); },
                  [&](const auto& rows) { return physics::validate_costs(rows, measured.known()); });
            }},
    Subject{"failures", "failures.csv",
            [](Measurements& measured) {
              return compared(measured, "failures.csv", physics::read_published_failures,
                              [](const auto& rows) { return physics::validate_failures(rows); });
            }},
    Subject{"power", "power.csv",
            [](Measurements& measured) {
              return compared(measured, "power.csv", physics::read_published_power, [](const auto& rows) {
                return physics::validate_power(rows, physics::published_power());
              });
            }},
    Subject{"served-energy", "inference.csv",
            [](Measurements& measured) {
              return compared_served(measured, [](const Served& rows) {
                return physics::validate_served_energy(rows, physics::published_serving_calibration(),
                                                       physics::published_power());
              });
            }},
    Subject{"served-power", "inference.csv",
            [](Measurements& measured) {
              return compared_served(measured, [](const Served& rows) {
                return physics::validate_power(physics::served_power_of(rows), physics::published_power());
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
  Measurements measured(folder, *known);
  std::vector<NamedReport> reports;
  for (const Subject& subject : kSubjects) {
    std::error_code error;
    const std::filesystem::path file = folder / subject.file;
    if (!std::filesystem::exists(file, error)) continue;
    const Result<const Table*> table = measured.table(subject.file);
    if (!table) return std::unexpected(table.error());
    Result<physics::ValidationReport> report = subject.compare(measured);
    if (!report) return std::unexpected(report.error());
    // A file of two subjects may hold rows of one alone.
    if (!(*table)->rows.empty() && report->rows.empty() && report->left_out.empty()) continue;
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
