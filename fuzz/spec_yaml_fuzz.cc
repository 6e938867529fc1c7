// Any bytes as a scenario or catalog file: the reader must end, within bounds, with a model that keeps its
// invariants or with errors.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "spec/catalog.h"
#include "spec/fleet_outline.h"
#include "spec/scenario.h"

namespace {

/// What fuzzed files may refer to.
const gw::spec::Catalog& catalog() {
  static const gw::spec::Catalog read = [] {
    gw::spec::Checked<gw::spec::CatalogFile> file = gw::spec::parse_catalog_file(R"(
gpus: [{name: b200, title: B200, vendor: NVIDIA, memory: 180 GB, dense_bf16: 2250 TFLOP/s, source: test}]
nodes: [{name: dgx-b200, gpu: b200, gpus: 8, cores: 112, memory: 2 TiB, power_max: 14.3 kW, power_idle: 2.7 kW}]
rhythms: [{name: even}]
classes: [{name: train, sizes: {8: 1}, durations: [{median: 6h}], rhythm: even, gpu_types: [b200]}]
)",
                                                                                 "catalog");
    GW_CHECK(file.has_value());
    return std::move(*file);
  }();
  return read;
}

void check(const gw::spec::Scenario& scenario) {
  GW_CHECK(gw::check_fleet(scenario.fleet).empty());
  GW_CHECK(scenario.fleet.nodes() <= 20'000);
  GW_CHECK(scenario.fleet.gpu_types.size() <= 64);
  GW_CHECK(scenario.tenants.size() <= 2'001);
  const gw::spec::FleetTotals totals = gw::spec::fleet_totals(scenario.fleet, 0, scenario.fleet.nodes());
  GW_CHECK(totals.gpus == scenario.fleet.gpus());
  std::uint64_t outlined = 0;
  for (const gw::spec::FleetPart& part : gw::spec::fleet_outline(scenario.fleet))
    outlined += part.count * part.totals.nodes;
  GW_CHECK(outlined == scenario.fleet.nodes());
  for (const gw::TenantDemand& demand : scenario.mix.tenants) {
    GW_CHECK(demand.load >= 0 && demand.tenant.value() < scenario.tenants.size());
    for (const gw::TenantDemand::ClassShare& share : demand.classes)
      GW_CHECK(share.job_class < scenario.mix.classes.size() && share.share > 0);
  }
  for (const gw::JobClass& job : scenario.mix.classes) {
    GW_CHECK(!job.sizes.empty() && !job.durations.empty() && job.rhythm < scenario.mix.rhythms.size());
  }
  GW_CHECK(scenario.law.in_use || (scenario.fleet.zones.empty() && scenario.law.rules.empty()));
  const gw::TenantId last{scenario.tenants.size() - 1};
  for (const gw::JobClass& job : scenario.mix.classes) {
    const gw::LawDecision decision =
        decide(scenario.law, scenario.fleet, tenant_facts(scenario.tenants, last), job.law, scenario.date);
    GW_CHECK(decision.allowed == decision.refusal(scenario.law).empty());
    GW_CHECK(decision.allowed || decision.mask == gw::Shape::kNoZone);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  gw::spec::ReadLimits limits;
  limits.nodes = 20'000;
  limits.tenants = 2'000;
  limits.yaml.values = 50'000;
  limits.yaml.bytes = std::size_t{1} << 20;
  const gw::spec::Checked<gw::spec::Scenario> scenario =
      gw::spec::parse_scenario(text, "fuzz.yaml", catalog(), limits);
  if (scenario) {
    check(*scenario);
  } else {
    GW_CHECK(!scenario.error().empty() && !gw::spec::diagnostics_text(scenario.error()).empty());
  }
  if (gw::spec::looks_like_catalog(text)) {
    const gw::spec::Checked<gw::spec::CatalogFile> file = gw::spec::parse_catalog_file(text, "fuzz.yaml");
    GW_CHECK(file.has_value() || !file.error().empty());
  }
  return 0;
}
