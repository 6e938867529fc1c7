// Rules and country groups of a file into the model's, with every name and date checked.
#include <fmt/format.h>

#include <algorithm>

#include "spec/law_fields.h"
#include "spec/near_miss.h"
#include "spec/record_reader.h"

namespace gw::spec {
namespace {

std::optional<Day> day(std::string_view key, const std::string& text, Mark at, Findings& findings) {
  if (text.empty()) return std::nullopt;
  const std::optional<Day> parsed = parse_day(text);
  if (!parsed)
    findings.error(at, fmt::format("\"{}\" must be a day such as 2018-05-25, not \"{}\"", key, text));
  return parsed;
}

class LawBuilder {
 public:
  LawBuilder(Law& law, Findings& findings) : law_(law), findings_(findings) {}

  void rule(const RuleSpec& spec) {
    LegalRule rule;
    rule.name = spec.name;
    rule.title = spec.title;
    rule.source = spec.source;
    rule.comment = spec.comment;
    rule.since = day("since", spec.since, spec.at, findings_);
    rule.until = day("until", spec.until, spec.at, findings_);
    if (rule.since && rule.until && *rule.until < *rule.since)
      findings_.error(spec.at,
                      fmt::format("rule \"{}\" ends before it begins; swap since and until", spec.name));
    AppliesTo& to = rule.applies_to;
    to.tenants = spec.applies_to.tenants;
    to.except_tenants = spec.applies_to.except_tenants;
    to.home = places(spec, "home", spec.applies_to.home);
    to.tenants_of = places(spec, "tenants_of", spec.applies_to.tenants_of);
    to.kinds = spec.applies_to.kinds;
    to.except_kinds = spec.applies_to.except_kinds;
    to.data = spec.applies_to.data;
    zone_test(spec, spec.requires_, rule.requires_);
    zone_test(spec, spec.forbids, rule.forbids);
    rule.forbids.performance_min = spec.forbids.performance_min;
    rule.sites = spec.sites;
    rule.share = spec.share;
    if (rule.requires_.empty() && rule.forbids.empty() && rule.share == 1)
      findings_.error(spec.at, fmt::format("rule \"{}\" neither requires nor forbids anything", spec.name));
    rule.set_aside_only = rule.requires_.empty() && rule.forbids.empty() && rule.share < 1;
    law_.rules.push_back(std::move(rule));
  }

 private:
  template <class Spec>
  void zone_test(const RuleSpec& rule, const Spec& spec, ZoneTest& test) {
    test.country = places(rule, "country", spec.country);
    test.jurisdictions = places(rule, "jurisdictions", spec.jurisdictions);
    test.operator_country = places(rule, "operator_country", spec.operator_country);
    test.certifications = spec.certifications;
    test.gpu_types = spec.gpu_types;
  }

  Places places(const RuleSpec& rule, std::string_view key, const std::vector<std::string>& names) {
    Result<Places> found = law_.places(names);
    if (found) return std::move(*found);
    findings_.error(rule.at, fmt::format("rule \"{}\", \"{}\": {}; define it under `country_groups`",
                                         rule.name, key, found.error().message));
    return {};
  }

  Law& law_;
  Findings& findings_;
};

}  // namespace

std::vector<RuleSpec> named_rules(const std::vector<RuleSpec>& known,
                                  const std::vector<Override<RuleSpec>>& named, Findings& findings) {
  std::vector<RuleSpec> rules;
  RecordReader reader(findings);
  for (const Override<RuleSpec>& change : named) {
    if (change.node == nullptr) continue;
    const YamlNode* name = change.node->find("name");
    const std::string text = name == nullptr ? std::string() : name->text;
    if (std::any_of(rules.begin(), rules.end(), [&](const RuleSpec& rule) { return rule.name == text; }))
      findings.error(change.node->at,
                     fmt::format("rule \"{}\" stands here twice; merge or rename one", text));
    const auto at =
        std::find_if(known.begin(), known.end(), [&](const RuleSpec& rule) { return rule.name == text; });
    RuleSpec& rule = rules.emplace_back(at == known.end() ? RuleSpec{} : *at);
    reader.read_record("rules", *change.node, rule, at != known.end());
  }
  return rules;
}

Law build_law(const std::vector<RuleSpec>& rules, const std::vector<CountryGroupSpec>& groups,
              Findings& findings) {
  Law law;
  for (const CountryGroupSpec& spec : groups)
    law.groups.push_back({spec.name, spec.members, spec.source, day("as_of", spec.as_of, spec.at, findings)});
  LawBuilder builder(law, findings);
  for (const RuleSpec& spec : rules) builder.rule(spec);
  return law;
}

namespace {

bool knows(const std::vector<std::string>& known, const std::string& word) {
  return known.empty() || std::binary_search(known.begin(), known.end(), word);
}

}  // namespace

std::string unknown_data(const Law& law, const std::vector<std::string>& data) {
  const std::vector<std::string> known = law.known_data();
  for (const std::string& word : data) {
    if (knows(known, word)) continue;
    return fmt::format(
        "\"{}\" is a class of data that no rule of this factory names{} (one that needs no rule belongs "
        "under "
        "`data_classes` of the fleet's file)",
        word, suggestion(word, known));
  }
  return {};
}

std::string unknown_kind(const Law& law, const std::string& kind) {
  const std::vector<std::string> known = law.known_kinds();
  if (kind.empty() || knows(known, kind)) return {};
  return fmt::format(
      "\"{}\" is a kind of tenant that no rule of this factory names{} (one that needs no rule belongs under "
      "`tenant_kinds` of the fleet's file)",
      kind, suggestion(kind, known));
}

void check_places(const Law& law, std::string_view key, const std::vector<std::string>& names, Mark at,
                  Findings& findings) {
  if (const Result<Places> found = law.places(names); !found)
    findings.error(at, fmt::format("\"{}\": {}", key, found.error().message));
}

}  // namespace gw::spec
