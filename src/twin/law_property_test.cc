// The law over whole simulated runs: for every job that starts, every node it is on is looked at with the raw
// facts and the rules read a second time, without zones and masks.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/rng.h"
#include "sched/core.h"
#include "twin/twin.h"
#include "workload/list_stream.h"

namespace gw::twin {
namespace {

const std::vector<std::string> kCountries{"DE", "FR", "US", "CN", "NO"};
const std::vector<std::string> kCertificates{"bsi-c5", "iso-27001"};
const std::vector<std::string> kKinds{"research", "manufacturer", "llm-lab"};
const std::vector<std::string> kData{"personal", "health"};

template <class T>
const T& one_of(Rng& rng, const std::vector<T>& all) {
  return all[rng.below(all.size())];
}

std::vector<std::string> some_of(Rng& rng, const std::vector<std::string>& all, double chance) {
  std::vector<std::string> some;
  for (const std::string& each : all) {
    if (rng.chance(chance)) some.push_back(each);
  }
  return some;
}

std::vector<std::string> places_or_none(Rng& rng, double chance) {
  if (!rng.chance(chance)) return {};
  std::vector<std::string> names{one_of(rng, kCountries)};
  if (rng.chance(0.5)) names.emplace_back("EU");
  if (rng.chance(0.2)) names.push_back(one_of(rng, kCountries));
  return names;
}

struct Case {
  Fleet fleet;
  std::vector<std::uint32_t> site_of_node;
  Law law;
  TenantTree tenants;
  std::vector<LegalWishes> classes;
  std::vector<TraceJob> jobs;
};

void add_fleet(Rng& rng, Case& made) {
  Fleet& fleet = made.fleet;
  for (const double rate : {989.0, 181.0, 0.0}) {
    GpuType& type = fleet.gpu_types.emplace_back();
    type.name = "gpu-" + std::to_string(fleet.gpu_types.size());
    type.dense_bf16_tflops = rate;
  }
  for (std::uint32_t index = 0; index < 3; ++index) {
    NodeType& type = fleet.node_types.emplace_back();
    type.name = "node-" + std::to_string(index);
    type.gpus = 8;
    type.gpu_type = rng.chance(0.1) ? NodeType::kNoGpu : index;
  }
  const auto sites = static_cast<std::uint32_t>(rng.between(1, 5));
  Partition level{"site", {0}};
  for (std::uint32_t index = 0; index < sites; ++index) {
    Site& site = fleet.sites.emplace_back();
    site.name = "site-" + std::to_string(index);
    if (rng.chance(0.9)) site.country = one_of(rng, kCountries);
    if (rng.chance(0.8)) site.operator_countries = {one_of(rng, kCountries)};
    if (rng.chance(0.3)) site.operator_countries.push_back(one_of(rng, kCountries));
    if (!site.country.empty()) site.jurisdictions = {site.country};
    if (rng.chance(0.3)) site.jurisdictions.emplace_back("US");
    if (rng.chance(0.3)) site.jurisdictions.emplace_back("EU");
    site.certifications = some_of(rng, kCertificates, 0.5);
    for (std::int64_t nodes = rng.between(1, 10); nodes > 0; --nodes) {
      fleet.node_type_of.push_back(static_cast<std::uint16_t>(rng.below(3)));
      made.site_of_node.push_back(index);
    }
    level.first.push_back(fleet.nodes());
  }
  fleet.fabric.push_back(level);
  if (sites > 1) fleet.fabric.push_back(Partition{"fleet", {0, fleet.nodes()}});
}

void add_law(Rng& rng, Case& made) {
  Law& law = made.law;
  law.in_use = true;
  law.groups = {{"EU", {"DE", "FR"}, "", {}}};
  const auto places = [&](double chance) { return law.places(places_or_none(rng, chance)).value(); };
  for (std::int64_t count = rng.between(0, 4); count > 0; --count) {
    LegalRule& rule = law.rules.emplace_back();
    rule.name = "rule-" + std::to_string(law.rules.size());
    if (rng.chance(0.3)) rule.since = static_cast<Day>(100 + rng.below(5));
    if (rng.chance(0.3)) rule.until = rule.since.value_or(100) + static_cast<Day>(rng.below(5));
    rule.applies_to.home = places(0.3);
    rule.applies_to.tenants_of = places(0.3);
    rule.applies_to.kinds = some_of(rng, kKinds, 0.15);
    rule.applies_to.except_kinds = some_of(rng, kKinds, 0.15);
    rule.applies_to.data = some_of(rng, kData, 0.2);
    if (rng.chance(0.2)) rule.applies_to.except_tenants = {"t1"};
    rule.requires_.country = places(0.2);
    rule.requires_.jurisdictions = places(0.2);
    rule.requires_.operator_country = places(0.2);
    if (rng.chance(0.2)) rule.requires_.certifications = {one_of(rng, kCertificates)};
    rule.forbids.country = places(0.2);
    rule.forbids.jurisdictions = places(0.2);
    if (rng.chance(0.4)) rule.forbids.performance_min = 4800;
    if (rng.chance(0.2)) rule.forbids.gpu_types = {"gpu-2"};
    if (rng.chance(0.3)) rule.sites = {"site-0"};
    if (rng.chance(0.3)) rule.share = 0.5;
    rule.set_aside_only = rule.requires_.empty() && rule.forbids.empty() && rule.share < 1;
  }
  law.tenant_kinds = some_of(rng, kKinds, 0.5);
}

Case random_case(std::uint64_t seed) {
  Rng rng = Rng(seed).split("law");
  Case made;
  add_fleet(rng, made);
  add_law(rng, made);
  EXPECT_EQ(divide_zones(made.fleet, made.law), "");
  for (int tenant = 0; tenant < 4; ++tenant)
    made.tenants.add(
        TenantTree::root(), "t" + std::to_string(tenant), 1, rng.chance(0.8) ? one_of(rng, kKinds) : "",
        rng.chance(0.8) ? one_of(rng, kCountries) : "",
        rng.chance(0.3) ? std::vector<std::string>{one_of(rng, kCountries)} : std::vector<std::string>{});
  for (int index = 0; index < 4; ++index) {
    LegalWishes& facts = made.classes.emplace_back();
    facts.residency = places_or_none(rng, 0.3);
    facts.excluded_jurisdictions = places_or_none(rng, 0.2);
    facts.certifications = some_of(rng, kCertificates, 0.15);
    facts.data = some_of(rng, kData, 0.3);
  }
  Instant now;
  for (int index = 0; index < 120; ++index) {
    now = now + minutes(rng.between(0, 90));
    TraceJob& job = made.jobs.emplace_back();
    job.id = std::to_string(index);
    job.job_class = static_cast<std::uint8_t>(rng.below(made.classes.size()));
    job.request.tenant = TenantId{static_cast<std::uint32_t>(rng.between(1, 4))};
    job.request.submit = now;
    job.request.shape.nodes = static_cast<std::uint32_t>(rng.chance(0.3) ? 0 : rng.between(1, 3));
    job.request.shape.gpus = static_cast<std::uint32_t>(rng.between(1, 8));
    job.truth.run_time = minutes(rng.between(1, 600));
    job.request.limit = job.truth.run_time + minutes(1);
  }
  return made;
}

// --- The second reading ---

std::set<std::string> meant(const Places& places) {
  std::set<std::string> all(places.named.begin(), places.named.end());
  if (all.contains("EU")) all.insert({"DE", "FR"});
  return all;
}

bool in(const std::vector<std::string>& list, const std::string& word) {
  return std::count(list.begin(), list.end(), word) > 0;
}

bool none_in(const std::vector<std::string>& list, const std::set<std::string>& places) {
  return std::none_of(list.begin(), list.end(),
                      [&](const std::string& each) { return places.contains(each); });
}

bool all_in(const std::vector<std::string>& list, const std::set<std::string>& places) {
  return std::all_of(list.begin(), list.end(),
                     [&](const std::string& each) { return places.contains(each); });
}

/// Is the node among the last `share` of its site's nodes of its kind?
bool covered(const Case& made, const LegalRule& rule, std::uint32_t node) {
  const std::uint32_t site = made.site_of_node[node];
  if (!rule.sites.empty() && !in(rule.sites, made.fleet.sites[site].name)) return false;
  int all = 0, from_here = 0;
  for (std::uint32_t other = 0; other < made.fleet.nodes(); ++other) {
    if (made.site_of_node[other] != site || made.fleet.node_type_of[other] != made.fleet.node_type_of[node])
      continue;
    ++all;
    from_here += other >= node;
  }
  return from_here <= rule.share * all + 0.999999;
}

/// A kind that the law does not speak of says nothing: then every rule on kinds binds.
bool is_stranger(const Law& law, const std::string& kind) {
  if (kind.empty() || in(law.tenant_kinds, kind)) return false;
  return std::none_of(law.rules.begin(), law.rules.end(), [&](const LegalRule& rule) {
    return in(rule.applies_to.kinds, kind) || in(rule.applies_to.except_kinds, kind);
  });
}

/// Does `rule` let this tenant's job be on this node on that day?
bool lets(const Case& made, const LegalRule& rule, const Tenant& tenant, const LegalWishes& facts,
          std::uint32_t node, Day day) {
  if ((rule.since && day < *rule.since) || (rule.until && day > *rule.until)) return true;
  const AppliesTo& to = rule.applies_to;
  if (in(to.except_tenants, tenant.name)) return true;
  if (!to.kinds.empty() && !in(to.kinds, tenant.kind) && !is_stranger(made.law, tenant.kind)) return true;
  if (in(to.except_kinds, tenant.kind)) return true;
  if (!to.home.named.empty() && !tenant.home.empty() && !meant(to.home).contains(tenant.home)) return true;
  if (!to.tenants_of.named.empty() && !tenant.home.empty() && !meant(to.tenants_of).contains(tenant.home) &&
      none_in(tenant.owners, meant(to.tenants_of)))
    return true;
  if (!to.data.empty() && std::none_of(to.data.begin(), to.data.end(),
                                       [&](const std::string& each) { return in(facts.data, each); }))
    return true;
  if (!covered(made, rule, node)) return true;
  if (rule.set_aside_only) return false;
  const Site& site = made.fleet.sites[made.site_of_node[node]];
  const ZoneTest& must = rule.requires_;
  if (!must.country.named.empty() && !meant(must.country).contains(site.country)) return false;
  if (!must.jurisdictions.named.empty() &&
      (site.jurisdictions.empty() || !all_in(site.jurisdictions, meant(must.jurisdictions))))
    return false;
  if (!must.operator_country.named.empty() &&
      (site.operator_countries.empty() || !all_in(site.operator_countries, meant(must.operator_country))))
    return false;
  for (const std::string& wanted : must.certifications) {
    if (!in(site.certifications, wanted)) return false;
  }
  const ZoneTest& no = rule.forbids;
  if (no.empty()) return true;
  bool met = true;
  if (!no.country.named.empty())
    met = met && (site.country.empty() || meant(no.country).contains(site.country));
  if (!no.jurisdictions.named.empty())
    met = met && (site.jurisdictions.empty() || !none_in(site.jurisdictions, meant(no.jurisdictions)));
  const NodeType& type = made.fleet.type_of(NodeId{node});
  const double rate =
      type.gpu_type == NodeType::kNoGpu ? 0 : made.fleet.gpu_types[type.gpu_type].dense_bf16_tflops;
  if (no.performance_min != 0) met = met && (rate == 0 || rate * 16 >= 4800);
  if (!no.gpu_types.empty())
    met = met && type.gpu_type != NodeType::kNoGpu &&
          in(no.gpu_types, made.fleet.gpu_types[type.gpu_type].name);
  return !met;
}

bool lawful(const Case& made, const TraceJob& job, std::uint32_t node, Day day) {
  const Site& site = made.fleet.sites[made.site_of_node[node]];
  const LegalWishes& facts = made.classes[job.job_class];
  const Tenant& tenant = made.tenants[job.request.tenant];
  if (!facts.residency.empty() && !meant({facts.residency, {}}).contains(site.country)) return false;
  if (!facts.excluded_jurisdictions.empty() &&
      (site.jurisdictions.empty() || !none_in(site.jurisdictions, meant({facts.excluded_jurisdictions, {}}))))
    return false;
  for (const std::string& wanted : facts.certifications) {
    if (!in(site.certifications, wanted)) return false;
  }
  return std::all_of(made.law.rules.begin(), made.law.rules.end(),
                     [&](const LegalRule& rule) { return lets(made, rule, tenant, facts, node, day); });
}

constexpr Day kFirstDay = 99;

/// Looks at every plan of a run.
class Judge final : public runtime::Store {
 public:
  explicit Judge(const Case& made) : made_(made), layout_(made.fleet, PolicyConfig{}) {}
  Result<void> append_events(Instant, const std::vector<sched::Event>&) override { return {}; }
  Result<void> append_snapshot(Instant, std::string_view) override { return {}; }
  Result<void> append_plan(Instant, const sched::Plan& plan) override {
    for (const sched::Plan::Start& start : plan.starts) {
      const TraceJob& job = made_.jobs[start.job.value()];
      // The law of the day of its submission: a run does not judge anew.
      const Day day =
          kFirstDay + static_cast<Day>((job.request.submit - Instant{}).count() / days(1).count());
      for (const sched::Piece& piece : start.placement.pieces) {
        for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node, ++nodes)
          EXPECT_TRUE(lawful(made_, job, layout_.state().fleet_node(start.placement, node).value(), day))
              << "job " << job.id << " of class " << int{job.job_class};
      }
    }
    rejected += plan.rejections.size();
    for (const sched::Plan::Rejection& rejection : plan.rejections)
      by_rule += rejection.reason == sched::Reason::kRule;
    return {};
  }

  std::uint64_t nodes = 0, rejected = 0, by_rule = 0;

 private:
  const Case& made_;
  sched::Core layout_;  ///< Which node of the fleet a placement's is.
};

TEST(Law, NoReachableScheduleBreaksARule) {
  std::uint64_t nodes = 0, by_rule = 0, admitted = 0, narrowed = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Case made = random_case(seed);
    Rng rng = Rng(seed).split("run");
    Judge judge(made);
    TwinOptions options;
    options.policy = *policy_by_name(policy_names()[rng.below(policy_names().size())].name);
    options.faults.node_failures_per_1000_node_days = static_cast<double>(rng.between(0, 400));
    options.seed = seed;
    options.check_every = 1;
    options.law = &made.law;
    options.date = kFirstDay;
    options.class_facts = made.classes;
    options.store = &judge;
    std::uint32_t rulings = 0;
    options.on_ruling = [&](const Ruling& ruling) -> Result<void> {
      EXPECT_EQ(ruling.job.value(), rulings++);
      EXPECT_EQ(ruling.decision->allowed || ruling.refused != sched::Reason::kNone, true);
      admitted += ruling.refused == sched::Reason::kNone;
      narrowed += ruling.decision->allowed && ruling.decision->open_zones() < ruling.decision->seen.size();
      // A closed zone is closed for a reason that the second reading finds too, and an open one is open.
      for (std::uint32_t node = 0; node < made.fleet.nodes(); ++node)
        EXPECT_EQ(ruling.decision->objections[made.fleet.zone_of(NodeId{node})].empty(),
                  lawful(made, made.jobs[ruling.job.value()], node, *ruling.day))
            << "job " << ruling.name << ", node " << node;
      return {};
    };
    workload::ListStream stream(made.jobs, made.tenants);
    stream.class_names = {"a", "b", "c", "d"};
    ASSERT_TRUE(run_twin(made.fleet, stream, options).has_value());
    EXPECT_EQ(rulings, made.jobs.size());
    nodes += judge.nodes;
    by_rule += judge.by_rule;
    if (HasFailure()) return;
  }
  // The cases are worth something: jobs start, some narrowed to a part of the fleet, some refused.
  EXPECT_GT(nodes, 5000U);
  EXPECT_GT(by_rule, 500U);
  EXPECT_GT(narrowed, 1000U);
  EXPECT_GT(admitted, 5000U);
}

}  // namespace
}  // namespace gw::twin
