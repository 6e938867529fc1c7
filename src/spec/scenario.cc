// Reads a scenario file: text to tree, tree to records, records to the model.
#include "spec/scenario.h"

#include <fmt/format.h>

#include "spec/demand_fields.h"
#include "spec/record_reader.h"

namespace gw::spec {

namespace {

std::string stem(const std::string& file) { return std::filesystem::path(file).stem().string(); }

}  // namespace

Checked<Scenario> parse_scenario(std::string_view text, const std::string& file_name, const Catalog& catalog,
                                 const ReadLimits& limits) {
  Findings findings(file_name);
  const std::optional<YamlTree> tree = YamlTree::parse(text, findings, limits.yaml);
  if (!tree) return std::unexpected(findings.take());

  ScenarioFile file;
  RecordReader(findings).read_record("scenario", tree->root(), file);

  Scenario scenario;
  scenario.name = file.name.empty() ? stem(file_name) : file.name;
  scenario.title = file.title.empty() ? scenario.name : file.title;
  scenario.seed = file.seed;
  scenario.policy = build_policy(file.policy, findings);
  scenario.faults = build_faults(file.faults);
  scenario.mix.duration = file.workload.duration;
  scenario.mix.start_weekday = weekday_index(file.workload.start.weekday);
  scenario.mix.start_hour = file.workload.start.hour;
  if (file.fleet.name.empty()) file.fleet.name = scenario.name;
  scenario.fleet = build_fleet(file.fleet, catalog, {limits.nodes}, findings);
  build_classes(file, catalog, scenario.mix, findings);
  build_tenants(file, scenario.fleet, limits.tenants, scenario.tenants, scenario.mix, findings);
  if (!findings.failed())
    scenario.reservations = build_reservations(file, scenario.fleet, scenario.tenants, findings);
  if (!findings.failed()) {
    if (const std::string broken = check_fleet(scenario.fleet); !broken.empty())
      findings.error(file.fleet.at, broken);
  }
  if (!findings.failed()) check_demand(scenario.fleet, file, scenario.mix, findings);
  if (findings.failed()) return std::unexpected(findings.take());
  scenario.warnings = findings.take();
  return scenario;
}

Checked<Scenario> read_scenario(const std::string& path, const ReadOptions& options) {
  const Checked<Catalog> catalog = read_catalog(options.catalog);
  if (!catalog) return std::unexpected(catalog.error());
  const Checked<std::string> text = read_text_file(path);
  if (!text) return std::unexpected(text.error());
  return parse_scenario(*text, path, *catalog, options.limits);
}

Checked<Fleet> read_fleet(const std::string& path, const ReadOptions& options) {
  Checked<Scenario> scenario = read_scenario(path, options);
  if (!scenario) return std::unexpected(std::move(scenario.error()));
  return std::move(scenario->fleet);
}

}  // namespace gw::spec
