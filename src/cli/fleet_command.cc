// `gw fleet show`: a fleet as a tree with totals at each level.
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "cli/app.h"
#include "cli/commands.h"
#include "cli/spec_files.h"
#include "cli/text_table.h"
#include "report/text.h"
#include "spec/fleet_outline.h"
#include "workload/node_list.h"

namespace gw {

namespace {

/// The least and the most that a vertex of a fabric level has to the level above, Gbit/s.
std::pair<double, double> uplinks_of(const Fleet& fleet, std::size_t level) {
  if (fleet.uplink_gbit_s.empty()) return {0, 0};
  const auto [least, most] = std::ranges::minmax_element(fleet.uplink_gbit_s[level]);
  return {*least, *most};
}

using Json = nlohmann::ordered_json;
using spec::FleetPart;
using spec::FleetTotals;

Json json_of(const FleetTotals& totals) {
  return {{"nodes", totals.nodes},
          {"gpus", totals.gpus},
          {"racks", totals.racks},
          {"gpus_by_type", totals.gpus_by_type},
          {"nodes_by_type", totals.nodes_by_type},
          {"dense_bf16_pflops", totals.dense_bf16_tflops * 1e-3},
          {"dense_fp8_pflops", totals.dense_fp8_tflops * 1e-3},
          {"dense_fp4_pflops", totals.dense_fp4_tflops * 1e-3},
          {"gpu_memory_bytes", totals.memory_bytes},
          {"it_power_max_w", totals.power_max_mw * 1e-3},
          {"it_power_idle_w", totals.power_idle_mw * 1e-3},
          {"facility_power_max_w", totals.facility_max_mw * 1e-3}};
}

Json json_of(const std::vector<FleetPart>& parts, int depth) {
  Json list = Json::array();
  for (const FleetPart& part : parts) {
    Json entry = {{"level", part.level}, {"name", part.name}, {"count", part.count}};
    if (part.capacity.count() > 0) entry["it_capacity_w"] = static_cast<double>(part.capacity.count()) * 1e-3;
    entry["each"] = json_of(part.totals);
    if (depth > 1 && !part.parts.empty()) entry["parts"] = json_of(part.parts, depth - 1);
    list.push_back(std::move(entry));
  }
  return list;
}

void print_json(const Fleet& fleet, int depth) {
  Json sites = Json::array();
  for (const Site& site : fleet.sites) {
    sites.push_back({{"name", site.name},
                     {"operator", site.operator_name},
                     {"country", site.country},
                     {"jurisdictions", site.jurisdictions},
                     {"latitude", site.latitude_deg},
                     {"longitude", site.longitude_deg},
                     {"pue", site.pue},
                     {"grid_capacity_w", static_cast<double>(site.grid_capacity.count()) * 1e-3},
                     {"tariff_eur_per_mwh", site.tariff_eur_per_mwh},
                     {"carbon_g_per_kwh", site.carbon_g_per_kwh}});
  }
  Json fabric = Json::array();
  for (std::size_t level = 0; level < fleet.fabric.size(); ++level) {
    Json entry = {{"level", fleet.fabric[level].level}, {"vertices", fleet.fabric[level].vertices()}};
    const auto [least, most] = uplinks_of(fleet, level);
    if (most > 0) entry["uplink_gbit_s"] = {{"least", least}, {"most", most}};
    fabric.push_back(std::move(entry));
  }
  const Json document = {{"name", fleet.name},
                         {"totals", json_of(spec::fleet_totals(fleet, 0, fleet.nodes()))},
                         {"sites", sites},
                         {"fabric", fabric},
                         {"tree", json_of(spec::fleet_outline(fleet), depth)}};
  fmt::print("{}\n", json_out(document));
}

std::string named_counts(const std::map<std::string, std::uint64_t>& counts, std::string_view unnamed) {
  std::vector<std::string> texts;
  for (const auto& [name, count] : counts)
    texts.push_back(
        fmt::format("{} x {}", with_thousands(count), name.empty() ? unnamed : std::string_view(name)));
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string power_of(const FleetTotals& totals, Milliwatts capacity) {
  if (totals.power_max_mw == 0) return {};
  std::string text = power_text(totals.power_max_mw);
  if (capacity.count() > 0) text += fmt::format(" of {}", power_text(static_cast<double>(capacity.count())));
  return text;
}

void add_rows(TextTable& table, const std::vector<FleetPart>& parts, const std::string& indent, int depth) {
  for (std::size_t index = 0; index < parts.size(); ++index) {
    const FleetPart& part = parts[index];
    const bool last = index + 1 == parts.size();
    std::string label =
        part.count > 1 ? fmt::format("{} x {}", with_thousands(part.count), part.level) : part.level;
    if (!part.name.empty()) label += part.count > 1 ? fmt::format(" ({}, ...)", part.name) : ' ' + part.name;
    const FleetTotals& totals = part.totals;
    table.add({indent + (last ? "└─ " : "├─ ") + label, with_thousands(totals.gpus),
               with_thousands(totals.nodes), totals.racks == 0 ? "" : with_thousands(totals.racks),
               rate_text(totals.dense_bf16_tflops), power_of(totals, part.capacity),
               part.parts.empty() ? named_counts(totals.nodes_by_type, "node") : ""});
    if (depth > 1) add_rows(table, part.parts, indent + (last ? "   " : "│  "), depth - 1);
  }
}

void print_text(const Fleet& fleet, int depth) {
  const FleetTotals totals = spec::fleet_totals(fleet, 0, fleet.nodes());
  fmt::print("{}: {} GPUs in {} nodes\n\n", report::printable_name(fleet.name), with_thousands(totals.gpus),
             with_thousands(totals.nodes));
  TextTable facts("ll");
  facts.add({"GPUs", named_counts(totals.gpus_by_type, "no type")});
  facts.add({"Nodes", named_counts(totals.nodes_by_type, "node")});
  std::vector<std::string> rates;
  const auto add_rate = [&rates](double tflops, std::string_view precision) {
    if (tflops > 0) rates.push_back(fmt::format("{} {}", rate_text(tflops), precision));
  };
  add_rate(totals.dense_bf16_tflops, "bf16");
  add_rate(totals.dense_fp8_tflops, "fp8");
  add_rate(totals.dense_fp4_tflops, "fp4");
  if (!rates.empty()) facts.add({"Dense rate", fmt::format("{}", fmt::join(rates, ", "))});
  if (totals.memory_bytes > 0) facts.add({"GPU memory", size_text(totals.memory_bytes)});
  if (totals.power_max_mw > 0) {
    facts.add(
        {"Power", fmt::format("{} IT at full load ({} idle), {} facility", power_text(totals.power_max_mw),
                              power_text(totals.power_idle_mw), power_text(totals.facility_max_mw))});
  }
  if (totals.racks > 0) facts.add({"Racks", with_thousands(totals.racks)});
  std::vector<std::string> levels;
  for (std::size_t level = 0; level < fleet.fabric.size(); ++level) {
    std::string text =
        fmt::format("{} {}", with_thousands(fleet.fabric[level].vertices()), fleet.fabric[level].level);
    const auto [least, most] = uplinks_of(fleet, level);
    if (most > 0) {
      text += least < most ? fmt::format(" ({:g} to {:g} Tbit/s up each)", least / 1000, most / 1000)
                           : fmt::format(" ({:g} Tbit/s up each)", most / 1000);
    }
    levels.push_back(std::move(text));
  }
  facts.add({"Fabric", fmt::format("{}", fmt::join(levels, " < "))});
  for (const Site& site : fleet.sites) {
    std::string text = fmt::format("PUE {:g}", site.pue);
    if (!site.operator_name.empty()) text = site.operator_name + ", " + text;
    if (!site.country.empty()) text += ", " + site.country;
    if (!site.jurisdictions.empty())
      text += fmt::format(" (answers to {})", fmt::join(site.jurisdictions, ", "));
    if (site.grid_capacity.count() > 0)
      text += fmt::format(", grid {}", power_text(static_cast<double>(site.grid_capacity.count())));
    facts.add({fmt::format("Site {}", site.name), text});
  }
  fmt::print("{}\n", facts.text());
  TextTable tree("lrrrrrl");
  tree.add({"EACH", "GPUS", "NODES", "RACKS", "BF16", "IT POWER", "HOLDS"});
  add_rows(tree, spec::fleet_outline(fleet), "", depth);
  fmt::print("{}", tree.text());
}

/// A node list by its name, as gw replay --fleet has it, else a fleet or scenario file.
Result<Fleet> read_machines(const std::string& file) {
  if (file.ends_with(".csv")) return workload::read_node_list(file);
  Result<spec::Scenario> scenario = load_scenario(file);
  if (!scenario) return std::unexpected(scenario.error());
  return std::move(scenario->fleet);
}

}  // namespace

void add_fleet_command(CLI::App& app, AppContext& context) {
  CLI::App* fleet = app.add_subcommand("fleet", "Look at the machines that a file describes");
  fleet->group(kGroupInspect);
  fleet->require_subcommand(1);
  struct Options {
    std::string file;
    bool json = false;
    int depth = 4;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = fleet->add_subcommand("show", "Print a fleet as a tree with totals at each level");
  command->add_option("FILE", options->file, "A fleet or scenario file, or a node list (.csv)")
      ->required()
      ->type_name("FILE");
  command->add_option("--depth", options->depth, "Levels to print: 1 sites, 2 halls, 3 rows, 4 racks")
      ->check(whole_number(1, 4))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->footer(
      "Equal neighbours share a line; its figures are those of each one. IT POWER is the nodes' nameplate, "
      "`of` what\n"
      "the feed carries (of a site: its grid connection over its PUE). Rates are dense, as the vendors "
      "publish them.");
  set_action(*command, context, [options]() -> Result<ExitCode> {
    const Result<Fleet> fleet_read = read_machines(options->file);
    if (!fleet_read) return std::unexpected(fleet_read.error());
    options->json ? print_json(*fleet_read, options->depth) : print_text(*fleet_read, options->depth);
    return ExitCode::ok;
  });
}

}  // namespace gw
