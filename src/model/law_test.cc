// Rules against facts: the named kinds of rules, dates, unknown facts, zones, wishes and refusals. Random
// laws are in twin/law_property_test.cc.
#include "model/law.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gw {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

GpuType gpu(const std::string& name, double bf16, double fp8 = 0) {
  GpuType type;
  type.name = name;
  type.dense_bf16_tflops = bf16;
  type.dense_fp8_tflops = fp8;
  return type;
}

/// Three sites of four nodes: two of h100 (TPP 15,824) and two of l40 (TPP 2,896) each.
Fleet three_sites() {
  Fleet fleet;
  fleet.gpu_types = {gpu("h100", 989), gpu("l40", 181)};
  for (std::uint32_t type = 0; type < 2; ++type) {
    NodeType node;
    node.name = type == 0 ? "h100-node" : "l40-node";
    node.gpu_type = type;
    node.gpus = 8;
    fleet.node_types.push_back(node);
  }
  fleet.node_type_of = {0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1};
  fleet.fabric = {Partition{"site", {0, 4, 8, 12}}, Partition{"fleet", {0, 12}}};
  Site munich, paris, ashburn;
  munich.name = "munich";
  munich.country = "DE";
  munich.jurisdictions = {"DE"};
  munich.operator_countries = {"DE"};
  munich.certifications = {"bsi-c5"};
  paris.name = "paris";
  paris.country = "FR";
  paris.jurisdictions = {"FR", "US"};
  paris.operator_countries = {"FR", "US"};
  ashburn.name = "ashburn";
  ashburn.country = ashburn.jurisdictions.emplace_back("US");
  fleet.sites = {munich, paris, ashburn};
  return fleet;
}

Law european_law() {
  Law law;
  law.groups = {{"EU", {"DE", "FR"}, "", {}}, {"D5", {"CN", "RU"}, "", {}}};
  law.in_use = true;
  return law;
}

Places places(const Law& law, const std::vector<std::string>& names) { return law.places(names).value(); }

LegalRule rule(const std::string& name) {
  LegalRule made;
  made.name = name;
  return made;
}

std::vector<std::string> open(const LawDecision& decision) {
  std::vector<std::string> names;
  for (std::size_t zone = 0; zone < decision.seen.size(); ++zone) {
    if (decision.objections[zone].empty()) names.push_back(decision.seen[zone].name);
  }
  return names;
}

const TenantFacts kGerman{"isar", "DE", {}, "manufacturer"};

TEST(Law, DaysAreReadAndWritten) {
  EXPECT_EQ(parse_day("1970-01-01"), 0);
  EXPECT_EQ(parse_day("2018-05-25"), 17676);
  EXPECT_EQ(day_text(17676), "2018-05-25");
  EXPECT_EQ(day_of_unix(17676 * 86400LL + 86399), 17676);
  EXPECT_EQ(day_of_unix(-1), -1);
  for (const char* bad : {"", "2018-5-25", "2018-02-30", "2018-05-25 ", "18-05-2025", "2018/05/25"})
    EXPECT_FALSE(parse_day(bad)) << bad;
}

TEST(Law, SitesOfEqualFactsAreOneZoneAndChipsCountOnlyWhereARuleLooksAtThem) {
  Fleet fleet = three_sites();
  fleet.sites[2] = fleet.sites[0];
  fleet.sites[2].name = "bonn";
  Law law = european_law();
  ASSERT_EQ(divide_zones(fleet, law), "");
  ASSERT_EQ(fleet.zones.size(), 2U);
  EXPECT_EQ(fleet.zones[0].name, "munich+bonn");
  EXPECT_THAT(fleet.zone_of_node, ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0));
  EXPECT_EQ(check_fleet(fleet), "");

  law.rules = {rule("chips")};
  law.rules[0].forbids.performance_min = 4800;
  ASSERT_EQ(divide_zones(fleet, law), "");
  EXPECT_THAT(fleet.zone_of_node, ElementsAre(0, 0, 1, 1, 2, 2, 3, 3, 0, 0, 1, 1));
  EXPECT_EQ(fleet.zones[0].name, "munich+bonn (h100)");
  EXPECT_EQ(fleet.zones[0].performance, 15824);
  law.in_use = false;
  ASSERT_EQ(divide_zones(fleet, law), "");
  EXPECT_TRUE(fleet.zones.empty() && fleet.zone_of_node.empty());
}

TEST(Law, EuOnlyDataStaysInTheEu) {
  Fleet fleet = three_sites();
  Law law = european_law();
  law.rules = {rule("eu-only-data")};
  law.rules[0].applies_to.data = {"personal"};
  law.rules[0].requires_.country = places(law, {"EU"});
  ASSERT_EQ(divide_zones(fleet, law), "");
  LegalWishes job;
  EXPECT_THAT(open(decide(law, fleet, kGerman, job, {})), ElementsAre("munich", "paris", "ashburn"));
  job.data = {"personal"};
  const LawDecision decision = decide(law, fleet, kGerman, job, {});
  EXPECT_THAT(open(decision), ElementsAre("munich", "paris"));
  EXPECT_EQ(decision.mask, 3U);
  EXPECT_THAT(decision.lines(law), ElementsAre("rule eu-only-data: 1 of 3 zones excluded"));
  EXPECT_THAT(decision.applied, ElementsAre(0U));
}

TEST(Law, AGermanOperatorHasGermanParents) {
  Fleet fleet = three_sites();
  Law law = european_law();
  law.rules = {rule("german-operator-only")};
  law.rules[0].requires_.operator_country = places(law, {"DE"});
  ASSERT_EQ(divide_zones(fleet, law), "");
  const LawDecision decision = decide(law, fleet, kGerman, {}, {});
  EXPECT_THAT(open(decision), ElementsAre("munich"));
  EXPECT_EQ(decision.objections[1][0].text, "has an operator or parent of FR, not of DE");
  EXPECT_EQ(decision.objections[2][0].text, "has an operator of no known country");
}

TEST(Law, ChipsAboveAClassAreNotForTenantsOfListedCountries) {
  Fleet fleet = three_sites();
  Law law = european_law();
  law.rules = {rule("3a090")};
  law.rules[0].applies_to.tenants_of = places(law, {"D5"});
  law.rules[0].applies_to.except_tenants = {"licensed"};
  law.rules[0].forbids.performance_min = 4800;
  ASSERT_EQ(divide_zones(fleet, law), "");
  const auto zones = [&](const TenantFacts& tenant) {
    return decide(law, fleet, tenant, {}, {}).open_zones();
  };
  EXPECT_EQ(zones(kGerman), 6U);
  EXPECT_EQ(zones({"a", "CN", {}, ""}), 3U);
  EXPECT_EQ(zones({"a", "DE", {"RU"}, ""}), 3U);  // By its owners.
  EXPECT_EQ(zones({"a", "", {}, ""}), 3U);        // Nobody knows: it may be.
  EXPECT_EQ(zones({"a", "", {"DE"}, ""}), 3U);    // Its home may be.
  EXPECT_EQ(zones({"licensed/lab", "CN", {}, ""}), 6U);
  EXPECT_EQ(zones({"licensed-not", "CN", {}, ""}), 3U);
  fleet.gpu_types[1].dense_bf16_tflops = 0;  // Not published: it counts.
  ASSERT_EQ(divide_zones(fleet, law), "");
  EXPECT_EQ(zones({"a", "CN", {}, ""}), 0U);
  EXPECT_THAT(decide(law, fleet, {"a", "CN", {}, ""}, {}, {}).refusal(law), HasSubstr("rule 3a090"));
}

TEST(Law, AShareIsSetAsideForResearch) {
  Fleet fleet = three_sites();
  Law law = european_law();
  law.rules = {rule("research-share")};
  law.rules[0].applies_to.except_kinds = {"research"};
  law.rules[0].share = 0.5;
  law.rules[0].sites = {"munich"};
  law.rules[0].set_aside_only = true;
  ASSERT_EQ(divide_zones(fleet, law), "");
  ASSERT_EQ(fleet.zones.size(), 4U);
  EXPECT_EQ(fleet.zones[0].name, "munich (research-share)");  // First, so that research fills it first.
  EXPECT_THAT(fleet.zone_of_node, ElementsAre(1, 0, 1, 0, 2, 2, 2, 2, 3, 3, 3, 3));
  EXPECT_EQ(decide(law, fleet, kGerman, {}, {}).mask, 0b1110U);
  EXPECT_EQ(decide(law, fleet, {"uni", "DE", {}, "research"}, {}, {}).mask, 0b1111U);
}

TEST(Law, RulesHoldFromDayToDay) {
  Fleet fleet = three_sites();
  Law law = european_law();
  law.rules = {rule("dated")};
  law.rules[0].since = parse_day("2025-07-01");
  law.rules[0].until = parse_day("2025-07-31");
  law.rules[0].forbids.country = places(law, {"US"});
  ASSERT_EQ(divide_zones(fleet, law), "");
  const auto zones = [&](const char* day) {
    return decide(law, fleet, kGerman, {}, *day == 0 ? std::nullopt : parse_day(day)).open_zones();
  };
  EXPECT_EQ(zones("2025-06-30"), 3U);
  EXPECT_EQ(zones("2025-07-01"), 2U);
  EXPECT_EQ(zones("2025-07-31"), 2U);
  EXPECT_EQ(zones("2025-08-01"), 3U);
  EXPECT_EQ(zones(""), 2U);  // No date: in force.
  EXPECT_EQ(law.next_change(*parse_day("2025-01-01")), parse_day("2025-07-01"));
  EXPECT_EQ(law.next_change(*parse_day("2025-07-01")), parse_day("2025-08-01"));
  EXPECT_EQ(law.next_change(*parse_day("2025-08-01")), std::nullopt);
}

TEST(Law, JobsHaveWishesOfTheirOwnAndARefusalNamesOne) {
  Fleet fleet = three_sites();
  Law law = european_law();
  ASSERT_EQ(divide_zones(fleet, law), "");
  LegalWishes job;
  job.excluded_jurisdictions = {"US"};
  EXPECT_THAT(open(decide(law, fleet, kGerman, job, {})), ElementsAre("munich"));
  job.excluded_jurisdictions = {};
  job.residency = {"EU"};
  EXPECT_THAT(open(decide(law, fleet, kGerman, job, {})), ElementsAre("munich", "paris"));
  job.certifications = {"iso-27001"};
  const LawDecision refused = decide(law, fleet, kGerman, job, {});
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.mask, Shape::kNoZone);
  ASSERT_NE(refused.binding(), nullptr);
  EXPECT_EQ(LawDecision::name_of(*refused.binding(), law), "certifications");
  EXPECT_EQ(refused.refusal(law),
            "the job's certifications leave no place for this job; nearest is zone munich, which is not "
            "certified to "
            "iso-27001. Leave iso-27001 out of the job's `certifications`, or have the site certified.");
  EXPECT_THAT(law.places({"EUU"}).error().message, HasSubstr("EU, D5"));
}

TEST(Law, AnUndividedFleetIsOpenAsAWholeOrNotAtAll) {
  const Fleet fleet = three_sites();
  Law law = european_law();
  law.in_use = false;
  LegalWishes job;
  EXPECT_EQ(decide(law, fleet, kGerman, job, {}).mask, 0U);
  job.residency = {"EU"};  // One of its sites stands outside, and the core could not tell it apart.
  const LawDecision decision = decide(law, fleet, kGerman, job, {});
  EXPECT_FALSE(decision.allowed);
  EXPECT_EQ(decision.mask, Shape::kNoZone);
  EXPECT_THAT(decision.refusal(law), HasSubstr("zone ashburn, which stands in US, not in EU"));
  job.residency = {"EU", "US"};
  EXPECT_EQ(decide(law, fleet, kGerman, job, {}).mask, 0U);
}

TEST(Law, TooManyZonesAreRefused) {
  Fleet fleet = flat_fleet(70);
  fleet.fabric.insert(fleet.fabric.begin(), Partition{"site", {0}});
  for (std::uint32_t site = 0; site < 70; ++site) {
    fleet.fabric[0].first.push_back(site + 1);
    fleet.sites.emplace_back().name = "s" + std::to_string(site);
    fleet.sites.back().certifications = {fleet.sites.back().name};
  }
  EXPECT_THAT(divide_zones(fleet, european_law()), HasSubstr("more than 63 zones"));
}

TEST(Law, TenantsInheritWhatTheyDoNotSay) {
  TenantTree tree;
  const TenantId top = tree.add(TenantTree::root(), "acme", 1, "manufacturer", "DE", {"CN"});
  const TenantId lab = tree.add(top, "lab", 1, "research");
  EXPECT_EQ(tenant_facts(tree, lab), (TenantFacts{"acme/lab", "DE", {"CN"}, "research"}));
}

}  // namespace
}  // namespace gw
