// Reads a scenario file: text to tree, tree to records, records to the model.
#include "spec/scenario.h"

#include <fmt/format.h>

#include <algorithm>

#include "spec/demand_fields.h"
#include "spec/law_fields.h"
#include "spec/near_miss.h"
#include "spec/record_reader.h"

namespace gw::spec {

namespace {

std::string stem(const std::string& file) { return std::filesystem::path(file).stem().string(); }

/// Where the file says what a class is; line 0: it does not.
Mark mark_of_class(const ScenarioFile& file, std::string_view job_class, std::string_view key) {
  for (const Override<JobClassSpec>& own : file.classes) {
    const YamlNode* name = own.node->find("name");
    if (name == nullptr || name->text != job_class) continue;
    const YamlNode* part = own.node->find(key);
    return part != nullptr ? part->at : own.node->at;
  }
  return {};
}

void check_kinds(const std::vector<TenantSpec>& tenants, const Law& law, Findings& findings) {
  for (const TenantSpec& tenant : tenants) {
    if (const std::string problem = unknown_kind(law, tenant.kind); !problem.empty())
      findings.error(tenant.at, fmt::format("tenant \"{}\": {}", tenant.name, problem));
    check_kinds(tenant.projects, law, findings);
  }
}

/// A rule for a tenant that does not exist binds nobody. Where a file names tenants, it names all of the top;
/// where it names projects of one, all of its projects.
void check_rule_tenants(const std::vector<RuleSpec>& rules, const TenantTree& tenants, Findings& findings) {
  std::vector<std::vector<std::string>> children(tenants.size());
  for (std::uint32_t index = 1; index < tenants.size(); ++index) {
    const Tenant& tenant = tenants[TenantId{index}];
    children[tenant.parent.value()].push_back(tenant.name);
  }
  const auto check = [&](const RuleSpec& rule, const std::string& path) {
    TenantId at = TenantTree::root();
    for (std::size_t begin = 0; begin <= path.size() && !children[at.value()].empty();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const std::string name = path.substr(begin, end - begin);
      const TenantId below = tenants.find_child(at, name);
      if (!below.valid()) {
        findings.error(rule.at, fmt::format("rule \"{}\": unknown tenant \"{}\"{}", rule.name, path,
                                            suggestion(name, children[at.value()],
                                                       "name it under `tenants`, if only with its name")));
        return;
      }
      at = below;
      begin = end + 1;
    }
  };
  for (const RuleSpec& rule : rules) {
    for (const std::string& path : rule.applies_to.tenants) check(rule, path);
    for (const std::string& path : rule.applies_to.except_tenants) check(rule, path);
  }
}

/// The rules of a file; none where it has no such key.
std::vector<RuleSpec> rules_of(const ScenarioFile& file, const Catalog& catalog, Findings& findings) {
  return file.rules ? named_rules(catalog.rules, *file.rules, findings) : std::vector<RuleSpec>{};
}

/// The law of a file and the division of its fleet. After the classes, which may have wishes of their own.
void add_law(const ScenarioFile& file, const std::vector<RuleSpec>& rules, const Catalog& catalog,
             Scenario& scenario, Findings& findings) {
  std::vector<CountryGroupSpec> groups = catalog.country_groups;
  for (const CountryGroupSpec& group : file.country_groups) {
    const auto known = std::find_if(groups.begin(), groups.end(),
                                    [&](const CountryGroupSpec& each) { return each.name == group.name; });
    if (known == groups.end()) {
      groups.push_back(group);
    } else {
      *known = group;
    }
  }
  for (const RuleSpec& rule : rules) {
    for (const std::string& site : rule.sites) {
      std::vector<std::string> known;
      for (const SiteSpec& each : file.fleet.sites) known.push_back(each.name);
      if (std::find(known.begin(), known.end(), site) == known.end())
        findings.error(rule.at, fmt::format("rule \"{}\": unknown site \"{}\"{}", rule.name, site,
                                            suggestion(site, known)));
    }
    for (const std::vector<std::string>* types : {&rule.requires_.gpu_types, &rule.forbids.gpu_types}) {
      for (const std::string& name : *types) {
        if (find_entry(catalog.gpus, name) == nullptr && find_entry(file.fleet.gpu_types, name) == nullptr)
          findings.error(rule.at,
                         fmt::format("rule \"{}\": unknown GPU type \"{}\"{}", rule.name, name,
                                     suggestion(name, entry_names(catalog.gpus), "see `gw catalog gpus`")));
      }
    }
  }
  scenario.law = build_law(rules, groups, findings);
  scenario.law.in_use = file.rules.has_value();
  scenario.law.data_classes = file.data_classes;
  scenario.law.tenant_kinds = file.tenant_kinds;
  check_kinds(file.tenants, scenario.law, findings);
  for (const JobClass& job : scenario.mix.classes) {
    check_places(scenario.law, "residency", job.law.residency, {}, findings);
    check_places(scenario.law, "excluded_jurisdictions", job.law.excluded_jurisdictions, {}, findings);
    if (const std::string problem = unknown_data(scenario.law, job.law.data); !problem.empty())
      findings.error(mark_of_class(file, job.name, "data"),
                     fmt::format("class \"{}\": {}", job.name, problem));
    if (!job.law.empty()) scenario.law.in_use = true;
  }
  if (!file.workload.start.date.empty()) {
    scenario.date = parse_day(file.workload.start.date);
    if (!scenario.date)
      findings.error(
          file.workload.start.at,
          fmt::format("\"date\" must be a day such as 2027-01-04, not \"{}\"", file.workload.start.date));
  }
  if (findings.failed()) return;
  if (const std::string problem = divide_zones(scenario.fleet, scenario.law); !problem.empty())
    findings.error(file.fleet.at, problem);
}

/// What physics must know of the fleet's GPU types and of the models that classes train.
void add_entries(const ScenarioFile& file, const Catalog& catalog, Scenario& scenario) {
  for (const GpuType& type : scenario.fleet.gpu_types) {
    const GpuEntry* own = find_entry(file.fleet.gpu_types, type.name);
    const GpuEntry* entry = own != nullptr ? own : find_entry(catalog.gpus, type.name);
    scenario.gpu_entries.push_back(*entry);
  }
  for (const JobClass& job : scenario.mix.classes) {
    const ModelEntry* model = find_entry(catalog.models, job.work.model);
    if (model != nullptr && find_entry(scenario.models, model->name) == nullptr)
      scenario.models.push_back(*model);
    scenario.work_marks.push_back(mark_of_class(file, job.name, "work"));
  }
}

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
  const std::vector<RuleSpec> rules = rules_of(file, catalog, findings);
  add_law(file, rules, catalog, scenario, findings);
  build_tenants(file, scenario.fleet, limits.tenants, scenario.tenants, scenario.mix, findings);
  if (!findings.failed()) check_rule_tenants(rules, scenario.tenants, findings);
  if (!findings.failed())
    scenario.reservations = build_reservations(file, scenario.fleet, scenario.tenants, findings);
  if (!findings.failed()) {
    if (const std::string broken = check_fleet(scenario.fleet); !broken.empty())
      findings.error(file.fleet.at, broken);
  }
  if (!findings.failed()) scenario.power = build_power(file.power, scenario.fleet, scenario.mix, findings);
  if (!findings.failed()) check_demand(scenario.fleet, file, scenario.mix, findings);
  if (findings.failed()) return std::unexpected(findings.take());
  scenario.physics = file.physics;
  add_entries(file, catalog, scenario);
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
