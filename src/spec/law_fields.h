// The fields of rules and country groups: one description for the reader, the schema and the reference.
#pragma once

#include "spec/law_spec.h"

namespace gw::spec {

inline constexpr std::string_view kDatePattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$";

template <class Visitor>
void describe(Visitor& visit, CountryGroupSpec& group) {
  visit.field("name", group.name,
              {.help = "What rules and jobs call it.", .required = true, .text = Text::kName});
  visit.field("title", group.title, {.help = "One line for people."});
  visit.field("members", group.members,
              {.help = "Countries, ISO 3166-1 alpha-2.",
               .required = true,
               .text = Text::kCountry,
               .items_min = 1,
               .items_max = 250});
  visit.field(
      "as_of", group.as_of,
      {.help = "The day on which the list was so.", .pattern = kDatePattern, .example = "2026-11-26"});
  visit.field("source", group.source, {.help = "Where the list stands."});
  visit.field("comment", group.comment, {.help = "What is unsure."});
}

template <class Visitor>
void describe(Visitor& visit, AppliesToSpec& to) {
  visit.field("tenants", to.tenants,
              {.help = "These tenants and all below them.",
               .text = Text::kTenantPath,
               .items_max = 1000,
               .default_text = "all"});
  visit.field("except_tenants", to.except_tenants,
              {.help = "Never these and those below them: who has a licence or an exemption.",
               .text = Text::kTenantPath,
               .items_max = 1000,
               .default_text = "none"});
  visit.field("home", to.home,
              {.help = "Tenants whose home is one of these countries or groups.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "all"});
  visit.field("tenants_of", to.tenants_of,
              {.help = "Tenants whose home or one of whose owners is of these countries or groups.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "all"});
  visit.field(
      "kinds", to.kinds,
      {.help = "Tenants of these kinds.", .text = Text::kName, .items_max = 100, .default_text = "all"});
  visit.field("except_kinds", to.except_kinds,
              {.help = "Never tenants of these kinds.",
               .text = Text::kName,
               .items_max = 100,
               .default_text = "none"});
  visit.field("data", to.data,
              {.help = "Jobs that name one of these classes of data.",
               .text = Text::kName,
               .items_max = 100,
               .default_text = "all"});
}

template <class Visitor>
void describe(Visitor& visit, RequiresSpec& test) {
  visit.field("country", test.country,
              {.help = "The site stands in one of these countries or groups.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "any"});
  visit.field("jurisdictions", test.jurisdictions,
              {.help = "The site answers to no others than these and members of these groups.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "any"});
  visit.field("operator_country", test.operator_country,
              {.help = "The operator and all its parents are of these.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "any"});
  visit.field(
      "certifications", test.certifications,
      {.help = "The site has all of these.", .text = Text::kName, .items_max = 100, .default_text = "none"});
  visit.field(
      "gpu_types", test.gpu_types,
      {.help = "Its GPUs are of these types.", .text = Text::kName, .items_max = 100, .default_text = "any"});
}

template <class Visitor>
void describe(Visitor& visit, ForbidsSpec& test) {
  visit.field("country", test.country,
              {.help = "The site stands in one of these countries or groups.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "any"});
  visit.field("jurisdictions", test.jurisdictions,
              {.help = "The site answers to one of these.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "any"});
  visit.field("operator_country", test.operator_country,
              {.help = "The operator or one of its parents is of these.",
               .text = Text::kName,
               .items_max = 300,
               .default_text = "any"});
  visit.field(
      "certifications", test.certifications,
      {.help = "The site has one of these.", .text = Text::kName, .items_max = 100, .default_text = "any"});
  visit.field("gpu_types", test.gpu_types,
              {.help = "Its GPUs are of one of these types.",
               .text = Text::kName,
               .items_max = 100,
               .default_text = "any"});
  visit.field(
      "performance_min", test.performance_min,
      {.help = "GPUs with at least this total processing performance: dense TFLOP/s times bits of the "
               "operation, the largest of bf16, fp8 and fp4. One whose rates are not published counts.",
       .default_text = "any"});
}

template <class Visitor>
void describe(Visitor& visit, RuleSpec& rule) {
  visit.field("name", rule.name,
              {.help = "Of a rule in the catalog, to take it as it stands or with changes; or a new one.",
               .required = true,
               .text = Text::kName});
  visit.field("title", rule.title, {.help = "One line for people."});
  visit.field("since", rule.since,
              {.help = "In force from this day on.",
               .default_text = "always",
               .pattern = kDatePattern,
               .example = "2018-05-25"});
  visit.field("until", rule.until,
              {.help = "The last day in force.",
               .default_text = "for ever",
               .pattern = kDatePattern,
               .example = "2027-12-31"});
  visit.field("source", rule.source, {.help = "The law or contract that says so."});
  visit.field("comment", rule.comment, {.help = "How it was read, and what is unsure."});
  visit.field("applies_to", rule.applies_to, {.help = "Whom it binds.", .default_text = "everyone"});
  visit.field("requires", rule.requires_, {.help = "What a place must be."});
  visit.field("forbids", rule.forbids, {.help = "Which places are closed."});
  visit.field("sites", rule.sites,
              {.help = "It covers only these sites of the fleet.",
               .text = Text::kName,
               .items_max = 1000,
               .default_text = "all"});
  visit.field(
      "share", rule.share,
      {.help = "It covers only this share of each site's nodes of a kind, the last ones: they are set "
               "aside for those whom it does not bind.",
       .min = 0,
       .max = 1,
       .above_min = true});
}

}  // namespace gw::spec
