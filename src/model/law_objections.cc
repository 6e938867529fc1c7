// decide: each zone against the job's wishes and the rules in force.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/check.h"
#include "model/law.h"

namespace gw {
namespace {

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

bool is_below(std::string_view path, std::string_view top) {
  return path == top || (path.starts_with(top) && path.size() > top.size() && path[top.size()] == '/');
}

bool names_one(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// `known_kinds`: Law::known_kinds.
bool binds(const AppliesTo& to, const TenantFacts& tenant, const LegalWishes& job,
           const std::vector<std::string>& known_kinds) {
  const auto within = [&](const std::string& top) { return is_below(tenant.path, top); };
  if (std::any_of(to.except_tenants.begin(), to.except_tenants.end(), within)) return false;
  if (!to.tenants.empty() && std::none_of(to.tenants.begin(), to.tenants.end(), within)) return false;
  if (names_one(to.except_kinds, tenant.kind)) return false;
  // What is not known counts against the job.
  const bool unknown_kind = !tenant.kind.empty() && !names_one(known_kinds, tenant.kind);
  if (!to.kinds.empty() && !names_one(to.kinds, tenant.kind) && !unknown_kind) return false;
  if (!to.home.empty() && !tenant.home.empty() && !to.home.has(tenant.home)) return false;
  if (!to.tenants_of.empty() && !(tenant.home.empty() && tenant.owners.empty())) {
    const bool of_one = to.tenants_of.has(tenant.home) ||
                        std::any_of(tenant.owners.begin(), tenant.owners.end(),
                                    [&](const std::string& owner) { return to.tenants_of.has(owner); });
    // Of a tenant whose owners are known and whose home is not, the home may be one of these.
    if (!of_one && !tenant.home.empty()) return false;
  }
  return to.data.empty() || std::any_of(to.data.begin(), to.data.end(),
                                        [&](const std::string& kind) { return names_one(job.data, kind); });
}

/// The first of `codes` that is not in `places`; null if all are.
const std::string* outside(const std::vector<std::string>& codes, const Places& places) {
  const auto at =
      std::find_if(codes.begin(), codes.end(), [&](const std::string& code) { return !places.has(code); });
  return at == codes.end() ? nullptr : &*at;
}

/// The first of `codes` that is in `places`, or null.
const std::string* inside(const std::vector<std::string>& codes, const Places& places) {
  const auto at =
      std::find_if(codes.begin(), codes.end(), [&](const std::string& code) { return places.has(code); });
  return at == codes.end() ? nullptr : &*at;
}

class Examination {
 public:
  Examination(const Zone& zone, std::vector<Objection>& objections) : zone_(zone), objections_(objections) {}

  void residency(const Places& places) {
    if (places.empty() || (!zone_.country.empty() && places.has(zone_.country))) return;
    object(Objection::By::kResidency, stands_elsewhere(places),
           zone_.country.empty() ? std::string("Say in the fleet's file where its sites stand.")
                                 : fmt::format("Add {} to the job's `residency`, or ask for a site in {}.",
                                               zone_.country, joined(places.named)));
  }

  void excluded(const Places& places) {
    if (places.empty()) return;
    if (zone_.jurisdictions.empty()) {
      object(Objection::By::kExcludedJurisdiction, "has no known jurisdiction",
             "Say in the fleet's file to which jurisdictions its sites answer.");
    } else if (const std::string* found = inside(zone_.jurisdictions, places)) {
      object(Objection::By::kExcludedJurisdiction, fmt::format("answers to {}", *found),
             fmt::format("Leave {} out of the job's `excluded_jurisdictions`.", *found));
    }
  }

  void certified(const std::vector<std::string>& wanted) {
    for (const std::string& name : wanted) {
      if (names_one(zone_.certifications, name)) continue;
      object(Objection::By::kCertification, fmt::format("is not certified to {}", name),
             fmt::format("Leave {} out of the job's `certifications`, or have the site certified.", name));
    }
  }

  void rule(const LegalRule& rule, std::uint32_t index) {
    index_ = index;
    if (rule.is_partial() && !names_one(zone_.covered_by, rule.name)) return;
    if (rule.set_aside_only)
      object("is set aside for others", "It would take a site with nodes that are not set aside.");
    rule_requires(rule.requires_);
    rule_forbids(rule.forbids);
  }

 private:
  void object(Objection::By by, std::string text, std::string change) {
    objections_.push_back({by, index_, std::move(text), std::move(change)});
  }
  void object(std::string text, std::string change) {
    object(Objection::By::kRule, std::move(text), std::move(change));
  }

  [[nodiscard]] std::string stands_elsewhere(const Places& places) const {
    return zone_.country.empty()
               ? std::string("stands in no known country")
               : fmt::format("stands in {}, not in {}", zone_.country, joined(places.named));
  }

  void rule_requires(const ZoneTest& test) {
    if (!test.country.empty() && (zone_.country.empty() || !test.country.has(zone_.country)))
      object(stands_elsewhere(test.country),
             fmt::format("It would take a site in {}.", joined(test.country.named)));
    if (!test.jurisdictions.empty()) {
      const std::string* other = outside(zone_.jurisdictions, test.jurisdictions);
      if (zone_.jurisdictions.empty() || other != nullptr)
        object(
            other == nullptr
                ? "has no known jurisdiction"
                : fmt::format("answers to {}, not only to {}", *other, joined(test.jurisdictions.named)),
            fmt::format("It would take a site that answers to {} only.", joined(test.jurisdictions.named)));
    }
    if (!test.operator_country.empty()) {
      const std::string* other = outside(zone_.operator_countries, test.operator_country);
      if (zone_.operator_countries.empty() || other != nullptr)
        object(other == nullptr ? "has an operator of no known country"
                                : fmt::format("has an operator or parent of {}, not of {}", *other,
                                              joined(test.operator_country.named)),
               fmt::format("It would take an operator of {}.", joined(test.operator_country.named)));
    }
    for (const std::string& name : test.certifications) {
      if (!names_one(zone_.certifications, name))
        object(fmt::format("is not certified to {}", name),
               fmt::format("It would take a site certified to {}.", name));
    }
    if (!test.gpu_types.empty()) {
      const auto other =
          std::find_if(zone_.gpu_types.begin(), zone_.gpu_types.end(),
                       [&](const std::string& type) { return !names_one(test.gpu_types, type); });
      if (other != zone_.gpu_types.end())
        object(fmt::format("has GPUs of type {}", *other),
               fmt::format("Ask for GPUs of type {}.", joined(test.gpu_types)));
    }
  }

  void rule_forbids(const ZoneTest& test) {
    if (test.empty()) return;
    std::string text;
    std::string change;
    const auto met = [&](std::string why, std::string what) {
      text += (text.empty() ? "" : " and ") + why;
      if (change.empty()) change = std::move(what);
    };
    if (test.performance_min != 0) {
      if (zone_.performance >= 0 && zone_.performance < test.performance_min) return;
      if (zone_.performance < 0) {
        met("has GPUs whose performance is not published",
            "Give their dense rates under the fleet's `gpu_types`, or ask for other GPUs.");
      } else {
        met(fmt::format("has GPUs with a total processing performance of {}, {} or more", zone_.performance,
                        test.performance_min),
            fmt::format("Ask for GPUs with a total processing performance below {}.", test.performance_min));
      }
    }
    if (!test.gpu_types.empty()) {
      const auto found =
          std::find_if(zone_.gpu_types.begin(), zone_.gpu_types.end(),
                       [&](const std::string& type) { return names_one(test.gpu_types, type); });
      if (found == zone_.gpu_types.end()) return;
      met(fmt::format("has GPUs of type {}", *found), "Ask for GPUs of other types.");
    }
    if (!test.country.empty()) {
      if (!zone_.country.empty() && !test.country.has(zone_.country)) return;
      met(zone_.country.empty() ? "stands in no known country" : fmt::format("stands in {}", zone_.country),
          fmt::format("It would take a site outside {}.", joined(test.country.named)));
    }
    if (!test.jurisdictions.empty()) {
      const std::string* found = inside(zone_.jurisdictions, test.jurisdictions);
      if (found == nullptr && !zone_.jurisdictions.empty()) return;
      met(found == nullptr ? "has no known jurisdiction" : fmt::format("answers to {}", *found),
          fmt::format("It would take a site that does not answer to {}.", joined(test.jurisdictions.named)));
    }
    if (!test.operator_country.empty()) {
      const std::string* found = inside(zone_.operator_countries, test.operator_country);
      if (found == nullptr && !zone_.operator_countries.empty()) return;
      met(found == nullptr ? "has an operator of no known country"
                           : fmt::format("has an operator or parent of {}", *found),
          fmt::format("It would take an operator outside {}.", joined(test.operator_country.named)));
    }
    if (!test.certifications.empty()) {
      const auto found =
          std::find_if(zone_.certifications.begin(), zone_.certifications.end(),
                       [&](const std::string& name) { return names_one(test.certifications, name); });
      if (found == zone_.certifications.end()) return;
      met(fmt::format("is certified to {}", *found), "It would take a site without it.");
    }
    object(std::move(text), std::move(change));
  }

  const Zone& zone_;
  std::vector<Objection>& objections_;
  std::uint32_t index_ = 0;
};

}  // namespace

LawDecision decide(const Law& law, const Fleet& fleet, const TenantFacts& tenant, const LegalWishes& job,
                   std::optional<Day> day) {
  LawDecision decision;
  decision.seen = zones_seen(fleet);
  decision.objections.resize(decision.seen.size());
  const Result<Places> residency = law.places(job.residency);
  const Result<Places> excluded = law.places(job.excluded_jurisdictions);
  GW_CHECK(residency.has_value() && excluded.has_value());
  const std::vector<std::string> kinds = law.known_kinds();
  for (std::uint32_t index = 0; index < law.rules.size(); ++index) {
    if (law.rules[index].in_force(day) && binds(law.rules[index].applies_to, tenant, job, kinds))
      decision.applied.push_back(index);
  }
  for (std::size_t zone = 0; zone < decision.seen.size(); ++zone) {
    Examination examination(decision.seen[zone], decision.objections[zone]);
    examination.residency(*residency);
    examination.excluded(*excluded);
    examination.certified(job.certifications);
    for (const std::uint32_t index : decision.applied) examination.rule(law.rules[index], index);
  }
  const auto open = [](const std::vector<Objection>& each) { return each.empty(); };
  if (fleet.zones.empty()) {  // The core sees no zones: all is open, or nothing.
    decision.allowed = std::all_of(decision.objections.begin(), decision.objections.end(), open);
    decision.mask = decision.allowed ? 0 : Shape::kNoZone;
    return decision;
  }
  for (std::size_t zone = 0; zone < decision.objections.size(); ++zone) {
    if (decision.objections[zone].empty()) decision.mask |= std::uint64_t{1} << zone;
  }
  decision.allowed = decision.mask != 0;
  if (!decision.allowed) decision.mask = Shape::kNoZone;
  return decision;
}

}  // namespace gw
