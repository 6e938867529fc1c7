// The fields of a fleet's records: one description for the reader, the schema and the reference.
#pragma once

#include "spec/catalog_fields.h"
#include "spec/fleet_spec.h"

namespace gw::spec {

inline constexpr std::string_view kContainers[] = {"row", "hall", "site"};
inline constexpr std::string_view kPartNameHelp =
    "Name; with `count` above 1, a number is added. Left out: numbered.";
inline constexpr std::string_view kFeedHelp = "IT power that its feed carries.";
inline constexpr double kMaxPowerMw = 1e15;  // 1 TW, in mW.

template <class Visitor>
void describe(Visitor& visit, NodeGroupSpec& group) {
  visit.field(
      "type", group.type,
      {.help = "Node type of the catalog or of `node_types`.", .required = true, .text = Text::kName});
  visit.field("count", group.count, {.help = "How many.", .min = 1, .max = kMaxCount});
}

template <class Visitor>
void describe(Visitor& visit, RackSpec& rack) {
  visit.field("name", rack.name, {.help = kPartNameHelp, .text = Text::kName});
  visit.field("count", rack.count, {.help = "How many such racks.", .min = 1, .max = kMaxCount});
  visit.field("capacity", rack.capacity,
              {.help = kFeedHelp, .min = 0, .max = kMaxPowerMw, .default_text = "not limited"});
  visit.field("nodes", rack.nodes, {.help = "What stands in it.", .required = true, .items_min = 1});
}

template <class Visitor>
void describe(Visitor& visit, RowSpec& row) {
  visit.field("name", row.name, {.help = kPartNameHelp, .text = Text::kName});
  visit.field("count", row.count, {.help = "How many such rows.", .min = 1, .max = kMaxCount});
  visit.field("capacity", row.capacity,
              {.help = kFeedHelp, .min = 0, .max = kMaxPowerMw, .default_text = "not limited"});
  visit.field("racks", row.racks, {.help = "Its racks, in order.", .items_min = 1});
  visit.field("nodes", row.nodes, {.help = "Its nodes, where racks do not matter.", .items_min = 1});
  visit.exactly_one({"racks", "nodes"});
}

template <class Visitor>
void describe(Visitor& visit, HallSpec& hall) {
  visit.field("name", hall.name, {.help = kPartNameHelp, .text = Text::kName});
  visit.field("count", hall.count, {.help = "How many such halls.", .min = 1, .max = kMaxCount});
  visit.field("capacity", hall.capacity,
              {.help = kFeedHelp, .min = 0, .max = kMaxPowerMw, .default_text = "not limited"});
  visit.field("rows", hall.rows, {.help = "Its rows, in order.", .items_min = 1});
  visit.field("racks", hall.racks, {.help = "Its racks, where rows do not matter.", .items_min = 1});
  visit.field("nodes", hall.nodes, {.help = "Its nodes, where racks do not matter.", .items_min = 1});
  visit.exactly_one({"rows", "racks", "nodes"});
}

template <class Visitor>
void describe(Visitor& visit, GridSpec& grid) {
  visit.field("capacity", grid.capacity,
              {.help = "Of the connection, facility side.",
               .min = 0,
               .max = kMaxPowerMw,
               .default_text = "not limited"});
  visit.field("tariff", grid.tariff_eur_per_mwh,
              {.help = "Price of energy.", .unit = Unit::kEuroPerMwh, .min = -1e5, .max = 1e5});
  visit.field("carbon", grid.carbon_g_per_kwh,
              {.help = "Carbon dioxide per energy.", .unit = Unit::kGramsPerKwh, .min = 0, .max = 1e4});
}

template <class Visitor>
void describe(Visitor& visit, PositionSpec& position) {
  visit.field("latitude", position.latitude_deg,
              {.help = "Degrees north.", .required = true, .min = -90, .max = 90});
  visit.field("longitude", position.longitude_deg,
              {.help = "Degrees east.", .required = true, .min = -180, .max = 180});
}

template <class Visitor>
void describe(Visitor& visit, FabricLevelSpec& level) {
  visit.field("level", level.level,
              {.help = "Name that jobs refer to: nvlink, leaf, rail, spine, ... (`node`, `site` and `fleet` "
                       "are built in).",
               .required = true,
               .text = Text::kName});
  visit.field("nodes", level.nodes,
              {.help = "Nodes under one switch or domain.", .min = 1, .max = kMaxCount});
  visit.field("racks", level.racks,
              {.help = "Racks under one switch or domain.", .min = 1, .max = kMaxCount});
  visit.field("rows", level.rows, {.help = "Rows under one switch or domain.", .min = 1, .max = kMaxCount});
  visit.field("halls", level.halls,
              {.help = "Halls under one switch or domain.", .min = 1, .max = kMaxCount});
  visit.field(
      "within", level.within,
      {.help = "Grouping begins anew in each of these.", .choices = kContainers, .default_text = "site"});
  visit.field("uplink", level.uplink_gbit_s,
              {.help = "All links of one group to the level above, together, in one direction.",
               .unit = Unit::kGbitPerSecond,
               .min = 0,
               .max = 1e9,
               .default_text = "not given"});
  visit.exactly_one({"nodes", "racks", "rows", "halls"});
}

template <class Visitor>
void describe(Visitor& visit, SiteSpec& site) {
  visit.field("name", site.name,
              {.help = "Name, unique in the fleet.", .required = true, .text = Text::kName});
  visit.field("operator", site.operator_name, {.help = "Who runs it.", .default_text = "the fleet's"});
  visit.field("country", site.country,
              {.help = "Where it stands, ISO 3166-1 alpha-2.", .text = Text::kCountry});
  visit.field("jurisdictions", site.jurisdictions,
              {.help = "Whose courts can compel the operator.",
               .text = Text::kName,
               .items_max = 100,
               .default_text = "its country, its operator's and its parents'"});
  visit.field("operator_country", site.operator_country,
              {.help = "Home of the operator, ISO 3166-1 alpha-2.",
               .text = Text::kCountry,
               .default_text = "the fleet's"});
  visit.field("parent_countries", site.parent_countries,
              {.help = "Homes of the operator's parent companies.",
               .text = Text::kCountry,
               .items_max = 100,
               .default_text = "the fleet's"});
  visit.field("certifications", site.certifications,
              {.help = "What it is certified to: bsi-c5, iso-27001, ...",
               .text = Text::kName,
               .items_max = 100,
               .default_text = "none"});
  visit.field("position", site.position, {.help = "Where it stands."});
  visit.field("pue", site.pue, {.help = "Facility power over IT power.", .min = 1, .max = 5});
  visit.field("grid", site.grid, {.help = "Its grid connection."});
  visit.field(
      "fabric", site.fabric,
      {.help = "Its network levels, smallest first.", .items_max = 16, .default_text = "the fleet's"});
  visit.field("halls", site.halls, {.help = "Its halls, in order.", .items_min = 1});
  visit.field("rows", site.rows, {.help = "Its rows, where halls do not matter.", .items_min = 1});
  visit.field("racks", site.racks, {.help = "Its racks, where rows do not matter.", .items_min = 1});
  visit.field("nodes", site.nodes, {.help = "Its nodes, where racks do not matter.", .items_min = 1});
  visit.exactly_one({"halls", "rows", "racks", "nodes"});
}

template <class Visitor>
void describe(Visitor& visit, FleetSpec& fleet) {
  visit.field("name", fleet.name, {.help = "For reports.", .default_text = "the file's"});
  visit.field("operator", fleet.operator_name, {.help = "Who runs the sites that do not say."});
  visit.field("operator_country", fleet.operator_country,
              {.help = "Home of that operator, ISO 3166-1 alpha-2.",
               .text = Text::kCountry,
               .default_text = "not known"});
  visit.field("parent_countries", fleet.parent_countries,
              {.help = "Homes of its parent companies.",
               .text = Text::kCountry,
               .items_max = 100,
               .default_text = "none"});
  visit.field("fabric", fleet.fabric,
              {.help = "Network levels of the sites that do not say, smallest first.", .items_max = 16});
  visit.field("sites", fleet.sites, {.help = "Its sites, in order.", .required = true, .items_min = 1});
  visit.field("gpu_types", fleet.gpu_types,
              {.help = "Accelerators that the catalog lacks, or other figures for one it has."});
  visit.field("node_types", fleet.node_types,
              {.help = "Kinds of servers that the catalog lacks, or other figures for one it has."});
}

}  // namespace gw::spec
