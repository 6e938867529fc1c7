// Rules, groups of countries and legal facts of scenario files into the model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "model/law.h"
#include "spec/scenario.h"
#include "spec/test_catalog.h"

namespace gw::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kTwoSites = R"(
gigawerk: 1
fleet:
  operator: Isar Cloud
  operator_country: DE
  sites:
    - {name: munich, country: DE, certifications: [bsi-c5], nodes: {type: dgx-b200, count: 4}}
    - {name: paris, operator: Columbia, operator_country: US, country: FR, nodes: {type: dgx-h100, count: 4}}
)";

Scenario parse(const std::string& text) {
  Checked<Scenario> scenario = parse_scenario(text, "test.yaml", test_catalog());
  EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : diagnostics_text(scenario.error()));
  return scenario ? std::move(*scenario) : Scenario{};
}

std::string errors(const std::string& rest) {
  const Checked<Scenario> scenario = parse_scenario(kTwoSites + rest, "test.yaml", test_catalog());
  return scenario ? "no error" : diagnostics_text(scenario.error());
}

TEST(ScenarioLaw, AFileWithoutRulesIsNotDivided) {
  const Scenario scenario = parse(kTwoSites);
  EXPECT_THAT(scenario.fleet.zones, IsEmpty());
  EXPECT_FALSE(scenario.law.in_use);
  EXPECT_NE(scenario.law.group("EEA"), nullptr);  // Jobs may name it all the same.
  EXPECT_THAT(scenario.fleet.sites[0].jurisdictions, ElementsAre("DE"));
  EXPECT_THAT(scenario.fleet.sites[1].jurisdictions, ElementsAre("FR", "US"));  // The operator's, too.
  EXPECT_THAT(scenario.fleet.sites[1].operator_countries, ElementsAre("US"));
  EXPECT_THAT(scenario.fleet.sites[0].certifications, ElementsAre("bsi-c5"));
}

TEST(ScenarioLaw, AnEmptyListOfRulesDivides) {
  const Scenario scenario = parse(std::string(kTwoSites) + "rules: []\n");
  ASSERT_EQ(scenario.fleet.zones.size(), 2U);
  EXPECT_EQ(scenario.fleet.zones[0].name, "munich");
  EXPECT_TRUE(scenario.law.in_use);
}

TEST(ScenarioLaw, RulesComeFromTheCatalogByNameAndMayBeChanged) {
  const Scenario scenario = parse(std::string(kTwoSites) + R"(
rules:
  - name: eu-only-data
  - {name: german-operator-only, applies_to: {tenants: [behoerde]}, until: 2030-12-31}
  - {name: own, source: a contract, applies_to: {home: [DACH]}, forbids: {country: [FR]}}
country_groups: [{name: DACH, members: [DE, AT, CH]}]
tenants:
  - {name: behoerde, home: DE, ownership: [DE, FR], kind: public, projects: [{name: team}]}
workload: {duration: 1d, start: {date: 2027-01-04}}
)");
  ASSERT_EQ(scenario.law.rules.size(), 3U);
  const LegalRule& gdpr = scenario.law.rules[0];
  EXPECT_EQ(gdpr.since, parse_day("2018-05-25"));
  EXPECT_THAT(gdpr.source, HasSubstr("2016/679"));
  EXPECT_TRUE(gdpr.requires_.country.has("IS"));
  EXPECT_FALSE(gdpr.requires_.country.has("CH"));
  const LegalRule& german = scenario.law.rules[1];
  EXPECT_THAT(german.applies_to.tenants, ElementsAre("behoerde"));
  EXPECT_THAT(german.applies_to.data, ElementsAre("german-operator"));  // As the catalog has it.
  EXPECT_EQ(german.until, parse_day("2030-12-31"));
  EXPECT_TRUE(scenario.law.rules[2].applies_to.home.has("AT"));
  EXPECT_EQ(scenario.date, parse_day("2027-01-04"));
  const TenantId tenant = scenario.tenants.find_child(TenantTree::root(), "behoerde");
  EXPECT_EQ(tenant_facts(scenario.tenants, scenario.tenants.find_child(tenant, "team")),
            (TenantFacts{"behoerde/team", "DE", {"DE", "FR"}, "public"}));
}

TEST(ScenarioLaw, ClassesMayHaveWishes) {
  const Scenario scenario = parse(std::string(kTwoSites) + R"(
classes: [{name: train, residency: [EU], data: [personal]}]
)");
  EXPECT_TRUE(scenario.law.in_use);
  EXPECT_THAT(scenario.mix.classes[0].law.residency, ElementsAre("EU"));
  EXPECT_EQ(scenario.fleet.zones.size(), 2U);
}

TEST(ScenarioLaw, TheCatalogsRulesAllHold) {
  std::string rules = "rules:\n";
  for (const RuleSpec& rule : test_catalog().rules) {
    rules += "  - name: " + rule.name + "\n";
    EXPECT_FALSE(rule.source.empty()) << rule.name;
    EXPECT_FALSE(rule.comment.empty()) << rule.name;
  }
  EXPECT_EQ(parse(kTwoSites + rules).law.rules.size(), test_catalog().rules.size());
  EXPECT_GE(test_catalog().rules.size(), 6U);
  for (const CountryGroupSpec& group : test_catalog().country_groups) {
    EXPECT_FALSE(group.source.empty()) << group.name;
    EXPECT_TRUE(parse_day(group.as_of)) << group.name;
  }
}

TEST(ScenarioLaw, MistakesAreNamedWithTheirPlace) {
  EXPECT_THAT(errors("rules: [{name: r, forbids: {country: [Atlantis]}}]"),
              HasSubstr("test.yaml:9:9: rule \"r\", \"country\": \"Atlantis\" is neither a country"));
  EXPECT_THAT(errors("rules: [{name: r}]"), HasSubstr("rule \"r\" neither requires nor forbids anything"));
  EXPECT_THAT(errors("rules: [{name: r, since: 2026-02-30, forbids: {country: [DE]}}]"),
              HasSubstr("\"since\" must be a day such as 2018-05-25"));
  EXPECT_THAT(errors("rules: [{name: r, since: 2026-02-02, until: 2026-02-01, forbids: {country: [DE]}}]"),
              HasSubstr("ends before it begins"));
  EXPECT_THAT(errors("rules: [{name: eu-only-data}, {name: eu-only-data}]"), HasSubstr("stands here twice"));
  EXPECT_THAT(errors("rules: [{name: r, forbids: {gpu_types: [b2000]}}]"),
              HasSubstr("did you mean \"b200\"?"));
  EXPECT_THAT(errors("rules: [{name: r, sites: [munch], forbids: {country: [DE]}}]"),
              HasSubstr("did you mean \"munich\"?"));
  EXPECT_THAT(errors("rules: [{name: r, share: 1.5}]"), HasSubstr("share"));
  EXPECT_THAT(errors("classes: [{name: train, residency: [EUU]}]"),
              HasSubstr("\"residency\": \"EUU\" is neither"));
  EXPECT_THAT(errors("workload: {start: {date: soon}}"), HasSubstr("\"date\" must be a day"));
}

TEST(ScenarioLaw, ClassesOfDataAndKindsThatNoRuleNamesAreRefused) {
  const std::string health = "rules: [{name: german-health-data}]\n";
  EXPECT_THAT(
      errors(health + "classes: [{name: train, data: [german-helth]}]"),
      HasSubstr("test.yaml:10:31: class \"train\": \"german-helth\" is a class of data that no rule of "
                "this factory names; did you mean \"german-health\"?"));
  EXPECT_EQ(errors(health + "classes: [{name: train, data: [german-social]}]"), "no error");
  EXPECT_EQ(errors(health + "data_classes: [open]\nclasses: [{name: train, data: [open]}]"), "no error");
  // A list alone counts as well: who lists his classes wants no others.
  EXPECT_THAT(errors("data_classes: [open]\nclasses: [{name: train, data: [opne]}]"),
              HasSubstr("did you mean \"open\"?"));
  EXPECT_EQ(errors("classes: [{name: train, data: [anything]}]"), "no error");

  const std::string kinds = "rules: [{name: r, applies_to: {kinds: [health]}, forbids: {country: [FR]}}]\n";
  EXPECT_THAT(
      errors(kinds + "tenants: [{name: a, kind: helth}]"),
      HasSubstr("test.yaml:10:11: tenant \"a\": \"helth\" is a kind of tenant that no rule of this factory "
                "names; did you mean \"health\"?"));
  EXPECT_THAT(errors(kinds + "tenants: [{name: a, projects: [{name: b, kind: bank}]}]"),
              HasSubstr("tenant \"b\": \"bank\""));
  EXPECT_EQ(errors(kinds + "tenant_kinds: [bank]\ntenants: [{name: a, kind: bank}, {name: b, kind: health}]"),
            "no error");
}

TEST(ScenarioLaw, RulesForTenantsThatTheFileDoesNotNameAreRefused) {
  const auto rule = [](const std::string& whom) {
    return "rules: [{name: r, applies_to: {" + whom + "}, forbids: {country: [FR]}}]\n";
  };
  const std::string tenants = "tenants: [{name: clinic}, {name: bank, projects: [{name: risk}]}]";
  EXPECT_THAT(errors(rule("tenants: [clinc]") + tenants),
              HasSubstr("rule \"r\": unknown tenant \"clinc\"; did you mean \"clinic\"?"));
  EXPECT_THAT(errors(rule("except_tenants: [bank/rsik]") + tenants),
              HasSubstr("unknown tenant \"bank/rsik\"; did you mean \"risk\"?"));
  EXPECT_EQ(errors(rule("tenants: [bank/risk, clinic/ward]") + tenants), "no error");  // Made later, perhaps.
  EXPECT_EQ(errors(rule("tenants: [clinc]")), "no error");  // A fleet, whose tenants are made by command.
}

}  // namespace
}  // namespace gw::spec
