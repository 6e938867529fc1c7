// Scenario files into the model: compact forms, both trees, tenants and their loads, classes, policy and
// faults.
#include "spec/scenario.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "spec/test_catalog.h"

namespace gw::spec {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Scenario parse(const std::string& text) {
  Checked<Scenario> scenario = parse_scenario(text, "test.yaml", test_catalog());
  EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : diagnostics_text(scenario.error()));
  return scenario ? std::move(*scenario) : Scenario{};
}

std::string errors(const std::string& text) {
  const Checked<Scenario> scenario = parse_scenario(text, "test.yaml", test_catalog());
  return scenario ? "no error" : diagnostics_text(scenario.error());
}

/// A fleet of 4 nodes with 8 GPUs and whatever follows.
std::string with_fleet(const std::string& rest) {
  return "gigawerk: 1\nfleet: {sites: [{name: lab, nodes: {type: dgx-b200, count: 4}}]}\n" + rest;
}

TEST(Scenario, BuildsBothTreesFromCounts) {
  const Fleet fleet = parse(R"(
gigawerk: 1
name: two-sites
fleet:
  operator: Someone
  fabric: [{level: leaf, racks: 2, uplink: 19.2 Tbit/s}]
  sites:
    - name: munich
      country: DE
      jurisdictions: [DE, EU]
      position: {latitude: 48.152, longitude: 11.598}
      pue: 1.2
      grid: {capacity: 1.2 MW, tariff: 140 EUR/MWh, carbon: 30 g/kWh}
      halls:
        - name: ug
          count: 2
          capacity: 400 kW
          rows:
            - count: 2
              racks: {count: 2, capacity: 60 kW, nodes: {type: dgx-b200, count: 3}}
    - name: lab
      operator: Someone Else
      country: AT
      fabric: [{level: nvlink, nodes: 1}, {level: leaf, nodes: 5}]
      nodes: {type: gb200-nvl72, count: 5}
)")
                          .fleet;
  ASSERT_EQ(check_fleet(fleet), "");
  EXPECT_EQ(fleet.name, "two-sites");
  EXPECT_EQ(fleet.nodes(), 29U);
  EXPECT_EQ(fleet.gpus(), 24U * 8 + 5U * 4);
  ASSERT_EQ(fleet.fabric.size(), 4U);
  EXPECT_EQ(fleet.fabric[0].level, "nvlink");
  EXPECT_EQ(fleet.fabric[0].vertices(), 29U);  // Munich has no such level: each node is alone.
  EXPECT_EQ(fleet.fabric[1].level, "leaf");
  EXPECT_THAT(fleet.fabric[1].first, ElementsAre(0, 6, 12, 18, 24, 29));
  EXPECT_EQ(fleet.fabric[2].level, "site");
  EXPECT_THAT(fleet.fabric[2].first, ElementsAre(0, 24, 29));
  EXPECT_EQ(fleet.fabric[3].level, "fleet");
  ASSERT_EQ(fleet.uplink_gbit_s.size(), 4U);
  EXPECT_THAT(fleet.uplink_gbit_s[1], ElementsAre(19'200, 19'200, 19'200, 19'200, 0));
  EXPECT_THAT(fleet.uplink_gbit_s[3], ElementsAre(0));
  ASSERT_EQ(fleet.feed.size(), 4U);
  EXPECT_EQ(fleet.feed[0].partition.level, "rack");
  EXPECT_EQ(fleet.feed[0].partition.vertices(), 9U);
  EXPECT_EQ(fleet.feed[0].capacity[7], Milliwatts{60'000'000});
  EXPECT_EQ(fleet.feed[0].capacity[8], Milliwatts{0});
  EXPECT_EQ(fleet.feed[3].capacity[0],
            Milliwatts{1'000'000'000});  // 1.2 MW of facility power at a PUE of 1.2.
  EXPECT_EQ(fleet.node_name(NodeId{13}), "munich/ug-02/row-01/rack-01/node-2");
  EXPECT_EQ(fleet.sites[0].operator_name, "Someone");
  EXPECT_EQ(fleet.sites[1].operator_name, "Someone Else");
  EXPECT_THAT(fleet.sites[1].jurisdictions, ElementsAre("AT"));
  EXPECT_EQ(fleet.sites[0].tariff_eur_per_mwh, 140);
  EXPECT_EQ(fleet.type_of(NodeId{0}).power_max, Milliwatts{14'300'000});
  EXPECT_EQ(fleet.type_of(NodeId{28}).gpus, 4U);
}

TEST(Scenario, GroupsBeginAnewWithinHalls) {
  const Fleet fleet = parse(R"(
gigawerk: 1
fleet:
  sites:
    - name: lab
      fabric: [{level: leaf, racks: 2, within: hall}, {level: spine, halls: 1}]
      halls: {count: 2, racks: {count: 3, nodes: {type: dgx-b200}}}
)")
                          .fleet;
  EXPECT_THAT(fleet.fabric[0].first, ElementsAre(0, 2, 3, 5, 6));
  EXPECT_THAT(fleet.fabric[1].first, ElementsAre(0, 3, 6));
}

TEST(Scenario, LevelsThatDoNotNestAreRefused) {
  EXPECT_THAT(errors(R"(
gigawerk: 1
fleet:
  fabric:
    - {level: leaf, nodes: 4}
    - {level: spine, nodes: 6}
  sites: {name: lab, nodes: {type: dgx-b200, count: 12}}
)"),
              testing::AllOf(HasSubstr("test.yaml:6:7: a \"spine\" of site \"lab\" ends inside a \"leaf\"")));
}

TEST(Scenario, TenantsExpandInheritAndShareLoads) {
  const Scenario scenario = parse(with_fleet(R"(
tenants:
  - {name: maker, kind: manufacturer, weight: 8, home: DE, load: 0.5, classes: {train: 0.6, serve: 0.4}}
  - {name: firm, kind: mittelstand, count: 12, load: 0.12, classes: {serve: 1}}
  - name: university
    kind: research
    load: 0.3
    classes: {train: 1}
    projects:
      - {name: vision, load: 0.1}
      - {name: language, weight: 3, projects: [{name: ute}, {name: max, classes: {serve: 1}}]}
      - {name: robots}
)"));
  const TenantTree& tree = scenario.tenants;
  EXPECT_EQ(tree.size(), 1U + 1 + 12 + 1 + 3 + 2);
  const TenantId firm = tree.find_child(TenantTree::root(), "firm-07");
  ASSERT_TRUE(firm.valid());
  EXPECT_EQ(tree[firm].kind, "mittelstand");
  std::map<std::string, TenantDemand> demand;
  double total = 0;
  for (const TenantDemand& entry : scenario.mix.tenants) {
    demand[tree.path(entry.tenant)] = entry;
    total += entry.load;
  }
  EXPECT_EQ(demand.size(), 1U + 12 + 4);
  EXPECT_NEAR(total, 32 * 0.92, 1e-9);
  EXPECT_NEAR(demand["maker"].load, 16, 1e-9);
  EXPECT_NEAR(demand["firm-12"].load, 0.32, 1e-9);
  EXPECT_NEAR(demand["university/vision"].load, 3.2, 1e-9);
  EXPECT_NEAR(demand["university/robots"].load, 32 * 0.2 / 4, 1e-9);
  EXPECT_NEAR(demand["university/language/ute"].load, 32 * 0.2 * 0.75 / 2, 1e-9);
  ASSERT_EQ(demand["university/language/max"].classes.size(), 1U);
  EXPECT_EQ(scenario.mix.classes[demand["university/language/max"].classes[0].job_class].name, "serve");
  EXPECT_NEAR(demand["maker"].classes[0].share, 0.6, 1e-12);
}

TEST(Scenario, AProjectsLoadIsThatOfOneCopyOfItsTenant) {
  const Scenario scenario = parse(with_fleet(R"(
tenants:
  - {name: firm, count: 3, classes: {serve: 1}, projects: [{name: chat, load: 0.1}]}
  - {name: lab, count: 2, load: 0.2, classes: {serve: 1}, projects: [{name: ml, load: 0.05}, {name: rest}]}
)"));
  std::map<std::string, double> load;
  for (const TenantDemand& entry : scenario.mix.tenants)
    load[scenario.tenants.path(entry.tenant)] = entry.load;
  const auto gpus = static_cast<double>(scenario.fleet.gpus());
  EXPECT_NEAR(load["firm-1/chat"], 0.1 * gpus, 1e-9);
  EXPECT_NEAR(load["firm-3/chat"], 0.1 * gpus, 1e-9);
  EXPECT_NEAR(load["lab-2/ml"], 0.05 * gpus, 1e-9);
  EXPECT_NEAR(load["lab-2/rest"], 0.05 * gpus, 1e-9);
}

TEST(Scenario, WorkloadLoadScalesTheTenants) {
  const Scenario scenario = parse(with_fleet(R"(
workload: {duration: 1d 12h, start: {weekday: friday, hour: 6.5}, load: 0.95}
tenants:
  - {name: a, load: 0.1, classes: {train: 1}}
  - {name: b, load: 0.3, classes: {train: 1}}
)"));
  EXPECT_EQ(scenario.mix.duration, hours(36));
  EXPECT_EQ(scenario.mix.start_weekday, 4U);
  EXPECT_NEAR(scenario.mix.tenants[0].load, 32 * 0.95 / 4, 1e-9);
  EXPECT_NEAR(scenario.mix.tenants[1].load, 32 * 0.95 * 3 / 4, 1e-9);
}

TEST(Scenario, ClassesChangeKnownOnesAndAddNew) {
  const WorkloadMix mix = parse(with_fleet(R"(
rhythms: [{name: nights, hour: [2,2,2,2,2,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2,2]}]
classes:
  - {name: train, duration_max: 2d, limit: {max: 3d}, rhythm: nights, memory_per_gpu: 200 GiB}
  - {name: tiny, sizes: {1: 1}, durations: {median: 90s, sigma: 0.5}, cpus_per_gpu: 1.5}
)"))
                              .mix;
  const auto find = [&](std::string_view name) {
    return *std::find_if(mix.classes.begin(), mix.classes.end(),
                         [&](const JobClass& job) { return job.name == name; });
  };
  const JobClass train = find("train");
  EXPECT_EQ(train.sizes.size(), 2U);
  EXPECT_EQ(train.sizes[0].gpus, 8U);
  EXPECT_EQ(train.durations[0].median_s, 6 * 3600);
  EXPECT_EQ(train.duration_max_s, 2 * 86400);
  EXPECT_EQ(train.limit.max_s, 3 * 86400);
  EXPECT_EQ(train.limit.exact_share, 0.1);
  EXPECT_EQ(train.memory_mib_per_gpu, 200 * 1024);
  EXPECT_EQ(mix.rhythms[train.rhythm].name, "nights");
  EXPECT_EQ(find("tiny").cpu_milli_per_gpu, 1500);
  EXPECT_EQ(mix.rhythms[find("tiny").rhythm].name, "even");
}

TEST(Scenario, PolicyAndFaults) {
  Scenario scenario = parse(with_fleet("policy: easy\n"));
  EXPECT_EQ(scenario.policy, *policy_by_name("easy"));
  EXPECT_EQ(scenario.faults, FaultSpec{});
  scenario =
      parse(with_fleet("policy: {half_life: 14d, backfill: conservative, reclaim_to: fair-share}\n"
                       "faults: {repair: {median: 2h}}\n"));
  PolicyConfig expected = *policy_by_name("gigawerk");
  expected.reclaim_to = ReclaimTarget::kFairShare;
  expected.half_life = days(14);
  expected.backfill = BackfillKind::kConservative;
  EXPECT_EQ(scenario.policy, expected);
  EXPECT_EQ(scenario.faults.node_failures_per_1000_node_days, 3.79);
  EXPECT_EQ(scenario.faults.repair_median_s, 7200);
  EXPECT_EQ(scenario.faults.restart_time, minutes(10));
}

TEST(Scenario, OwnTypesStandBesideTheCatalogs) {
  const Fleet fleet = parse(R"(
gigawerk: 1
fleet:
  gpu_types: [{name: x1, title: X1, vendor: Xeno, memory: 64 GB, dense_bf16: 1.5 PFLOP/s, source: test}]
  node_types: [{name: x-box, gpu: x1, gpus: 2, cores: 64, memory: 1 TiB, power_max: 3 kW}]
  sites: {name: lab, nodes: [{type: x-box, count: 2}, {type: dgx-b200}]}
)")
                          .fleet;
  EXPECT_EQ(fleet.gpus(), 12U);
  EXPECT_EQ(fleet.gpu_types[0].dense_bf16_tflops, 1500);
  EXPECT_EQ(fleet.node_types[0].memory_mib, 1 << 20);
  EXPECT_EQ(fleet.node_types[0].cpu_milli, 64000);
}

TEST(Scenario, WarnsWhereFeedsAreTooSmall) {
  const Scenario scenario = parse(
      "gigawerk: 1\nfleet: {sites: [{name: lab, racks: {capacity: 20 kW, nodes: {type: dgx-b200, count: "
      "2}}}]}\n");
  ASSERT_EQ(scenario.warnings.size(), 1U);
  EXPECT_EQ(scenario.warnings[0].text(),
            "test.yaml:2:36: warning: the nodes of this rack can draw 28.6 kW, its feed carries 20 kW; full "
            "load will "
            "have to be capped");
}

TEST(Scenario, HundredThousandGpusFitIntoThirtyLines) {
  const std::string path = GW_SOURCE_DIR "/tests/data/hundred-thousand-gpus.yaml";
  const Checked<std::string> text = read_text_file(path);
  ASSERT_TRUE(text.has_value());
  EXPECT_LE(std::count(text->begin(), text->end(), '\n'), 30);
  const Checked<Fleet> fleet = read_fleet(path, {GW_SOURCE_DIR "/catalog", {}});
  ASSERT_TRUE(fleet.has_value()) << diagnostics_text(fleet.error());
  EXPECT_GE(fleet->gpus(), 100'000U);
  ASSERT_EQ(fleet->fabric.size(), 4U);
  EXPECT_EQ(fleet->fabric[0].vertices(), 1400U);
  EXPECT_EQ(fleet->fabric[1].vertices(), 175U);
  EXPECT_EQ(fleet->fabric[2].vertices(), 25U);
}

}  // namespace
}  // namespace gw::spec
