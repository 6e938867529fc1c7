// Decision records as canonical JSON.
#include "audit/decision_record.h"

#include <nlohmann/json.hpp>

#include "audit/chain.h"

namespace gw::audit {
namespace {

using Json = nlohmann::json;  // Its objects are kept in the order of their keys.

Json day_json(const std::optional<Day>& day) { return day ? Json(day_text(*day)) : Json(nullptr); }

Json test_json(const ZoneTest& test) {
  return {{"country", test.country.all},
          {"jurisdictions", test.jurisdictions.all},
          {"operator_country", test.operator_country.all},
          {"certifications", test.certifications},
          {"gpu_types", test.gpu_types},
          {"performance_min", test.performance_min}};
}

/// Everything that the rule decides by, groups of countries spelt out.
Json rule_json(const LegalRule& rule) {
  const AppliesTo& to = rule.applies_to;
  return {{"name", rule.name},
          {"title", rule.title},
          {"source", rule.source},
          {"comment", rule.comment},
          {"since", day_json(rule.since)},
          {"until", day_json(rule.until)},
          {"sites", rule.sites},
          {"share", std::to_string(rule.share)},
          {"set_aside_only", rule.set_aside_only},
          {"requires", test_json(rule.requires_)},
          {"forbids", test_json(rule.forbids)},
          {"applies_to",
           {{"tenants", to.tenants},
            {"except_tenants", to.except_tenants},
            {"home", to.home.all},
            {"tenants_of", to.tenants_of.all},
            {"kinds", to.kinds},
            {"except_kinds", to.except_kinds},
            {"data", to.data}}}};
}

Json zone_json(const Zone& zone, const std::vector<Objection>& objections, const Law& law) {
  Json closed = Json::array();
  for (const Objection& objection : objections)
    closed.push_back({{"by", LawDecision::name_of(objection, law)}, {"why", objection.text}});
  return {{"name", zone.name},
          {"country", zone.country},
          {"jurisdictions", zone.jurisdictions},
          {"operator_countries", zone.operator_countries},
          {"certifications", zone.certifications},
          {"gpu_types", zone.gpu_types},
          {"performance", zone.performance},
          {"covered_by", zone.covered_by},
          {"open", objections.empty()},
          {"closed_by", std::move(closed)}};
}

}  // namespace

std::string rule_version(const LegalRule& rule) {
  return hex(sha256(rule_json(rule).dump(-1, ' ', false, Json::error_handler_t::replace))).substr(0, 16);
}

std::string canonical_json(const DecisionRecord& record, const Law& law, const LawDecision* decision) {
  Json rules = Json::array();
  Json zones = Json::array();
  if (decision != nullptr) {
    for (const std::uint32_t index : decision->applied) {
      const LegalRule& rule = law.rules[index];
      rules.push_back({{"name", rule.name},
                       {"since", day_json(rule.since)},
                       {"until", day_json(rule.until)},
                       {"source", rule.source},
                       {"version", rule_version(rule)}});
    }
    for (std::size_t zone = 0; zone < decision->seen.size(); ++zone)
      zones.push_back(zone_json(decision->seen[zone], decision->objections[zone], law));
  }
  const Json json = {{"format", 1},
                     {"sequence", record.sequence},
                     {"time", record.time},
                     {"outcome", record.outcome},
                     {"reason", record.reason},
                     {"message", record.message},
                     {"day", day_json(record.day)},
                     {"job",
                      {{"number", record.job ? Json(*record.job) : Json(nullptr)},
                       {"tasks", record.tasks},
                       {"name", record.name},
                       {"submitter", record.submitter},
                       {"residency", record.facts.residency},
                       {"excluded_jurisdictions", record.facts.excluded_jurisdictions},
                       {"certifications", record.facts.certifications},
                       {"data", record.facts.data}}},
                     {"tenant",
                      {{"path", record.tenant.path},
                       {"home", record.tenant.home},
                       {"owners", record.tenant.owners},
                       {"kind", record.tenant.kind}}},
                     {"rules", std::move(rules)},
                     {"zones", std::move(zones)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gw::audit
