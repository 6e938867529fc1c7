// Law: which parts of a fleet a tenant's job may use: rules as data, the facts they look at, and the
// decision.
//
// Rules see three kinds of facts: of a zone (a part of the fleet that is all the same before them, see Zone
// in fleet.h), of a tenant, and of a job. A decision is made once, when a job is admitted, and gives a bit
// mask of zones (Shape::zones) which the core never leaves. What is not known counts against the job: a rule
// on homes applies to a tenant whose home nobody has given, one on kinds to a tenant of a kind that no rule
// and no list knows.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/fleet.h"
#include "model/job.h"
#include "model/tenant.h"

namespace gw {

/// Days since 1970-01-01 (UTC).
using Day = std::int32_t;
/// Of `2018-05-25`.
std::optional<Day> parse_day(std::string_view text);
std::string day_text(Day day);
inline Day day_of_unix(std::int64_t unix_s) {
  return static_cast<Day>(unix_s >= 0 ? unix_s / 86400 : (unix_s - 86399) / 86400);
}

/// Countries under one name: `EU`, `EEA`, a list of an export law.
struct CountryGroup {
  std::string name;
  std::vector<std::string> members;  ///< ISO 3166-1 alpha-2.
  std::string source;
  std::optional<Day> as_of;  ///< When the list was looked up.
};

/// Countries and groups as a rule or a job names them, and all that they stand for.
struct Places {
  std::vector<std::string> named;
  std::vector<std::string> all;  ///< Ascending: `named` and the members of those that are groups.

  [[nodiscard]] bool empty() const { return named.empty(); }
  [[nodiscard]] bool has(std::string_view code) const;
};

/// Whom a rule binds: every list that is not empty must hold.
struct AppliesTo {
  std::vector<std::string> tenants;         ///< Paths: these and all below them.
  std::vector<std::string> except_tenants;  ///< Never these (an export licence, an exemption).
  Places home;                              ///< The tenant's home is one of these, or is not known.
  Places tenants_of;  ///< Its home or one of its owners is of these, or neither is known.
  std::vector<std::string> kinds;
  std::vector<std::string> except_kinds;
  std::vector<std::string> data;  ///< The job names one of these classes of data.
};

/// What a rule asks of a zone. As `requires` all that is given must hold in full; as `forbids` a zone is
/// closed where all that is given is met.
struct ZoneTest {
  Places country;           ///< requires: it stands in one of these. forbids: it does.
  Places jurisdictions;     ///< requires: it answers to these only. forbids: to one of these.
  Places operator_country;  ///< requires: operator and parents are of these only. forbids: one of them is.
  std::vector<std::string> certifications;  ///< requires: it has them all. forbids: it has one of them.
  std::vector<std::string> gpu_types;       ///< requires: its GPUs are of these only. forbids: some are.
  /// Total processing performance (see below) from which on a GPU counts; 0 = not looked at. Only forbids.
  std::int64_t performance_min = 0;

  [[nodiscard]] bool empty() const;
};

struct LegalRule {
  std::string name;
  std::string title;
  std::string source;        ///< The law or contract.
  std::string comment;       ///< How it was read, what is unsure.
  std::optional<Day> since;  ///< In force from this day on.
  std::optional<Day> until;  ///< The last day in force.
  AppliesTo applies_to;
  ZoneTest requires_;
  ZoneTest forbids;
  std::vector<std::string> sites;  ///< It covers only these; empty: all.
  /// Of each site's nodes of a kind, how much the rule covers: the last ones.
  double share = 1;
  /// A rule with a share and no test: whom it binds may not be on the nodes that it sets aside.
  bool set_aside_only = false;

  /// It covers a part of the fleet only: zones that it covers name it in Zone::covered_by.
  [[nodiscard]] bool is_partial() const { return share < 1 || !sites.empty(); }
  /// Without a day (a run that has no date) every rule is in force.
  [[nodiscard]] bool in_force(std::optional<Day> day) const {
    return !day || ((!since || *since <= *day) && (!until || *day <= *until));
  }
};

/// Total processing performance of the US rule (15 CFR 774, Supplement 1, ECCN 3A090, technical note 2):
/// dense TFLOP/s times the bit length of the operation, the largest over all operations. 0 = not published.
std::int64_t total_processing_performance(const GpuType& type);

/// The rules of a factory. `in_use`: its fleet is divided into zones, perhaps by jobs' wishes alone.
struct Law {
  std::vector<LegalRule> rules;
  std::vector<CountryGroup> groups;
  bool in_use = false;
  std::vector<std::string> data_classes;  ///< That jobs may name beyond those that rules name.
  std::vector<std::string> tenant_kinds;  ///< That tenants may be of beyond those that rules name.

  /// The classes of data that jobs may name, ascending, whatever the dates of the rules that name them.
  /// Empty: no rule looks at data and none are listed, so that any may be named.
  [[nodiscard]] std::vector<std::string> known_data() const;
  /// The kinds that tenants may be of, likewise.
  [[nodiscard]] std::vector<std::string> known_kinds() const;
  [[nodiscard]] const CountryGroup* group(std::string_view name) const;
  /// Countries and groups by name; an Error names one that is neither.
  [[nodiscard]] Result<Places> places(const std::vector<std::string>& names) const;
  /// The first day after `day` on which another set of rules is in force; none if there is none.
  [[nodiscard]] std::optional<Day> next_change(Day day) const;
};

/// Of a tenant, what it has or inherits.
struct TenantFacts {
  std::string path;
  std::string home;                 ///< Country, or empty: not known.
  std::vector<std::string> owners;  ///< Countries of its owners; empty: as its home.
  std::string kind;
  friend auto operator<=>(const TenantFacts&, const TenantFacts&) = default;
};

/// What a tenant has, or inherits from the nearest above it that has it.
TenantFacts tenant_facts(const TenantTree& tenants, TenantId id);

/// Of a job, in the words of its description.
struct LegalWishes {
  std::vector<std::string>
      residency;  ///< Where its code, data, checkpoints and outputs may be; empty: anywhere.
  std::vector<std::string> excluded_jurisdictions;
  std::vector<std::string> certifications;
  std::vector<std::string> data;  ///< Classes of its data: `personal`, `german-health`, ...
  friend auto operator<=>(const LegalWishes&, const LegalWishes&) = default;

  [[nodiscard]] bool empty() const {
    return residency.empty() && excluded_jurisdictions.empty() && certifications.empty() && data.empty();
  }
};

/// Why a zone is closed to a job.
struct Objection {
  enum class By : std::uint8_t { kRule, kResidency, kExcludedJurisdiction, kCertification };
  By by = By::kRule;
  std::uint32_t rule = 0;  ///< Index into Law::rules, for kRule.
  std::string text;        ///< `stands in US, not in EU`.
  std::string change;      ///< What would lift it.
};

struct LawDecision {
  std::vector<Zone> seen;                          ///< The zones that were looked at.
  std::vector<std::vector<Objection>> objections;  ///< Of each.
  std::vector<std::uint32_t> applied;              ///< Rules in force that bind this tenant and job.
  std::uint64_t mask = 0;                          ///< For Shape::zones.
  bool allowed = true;                             ///< Some zone is open.

  [[nodiscard]] std::uint32_t open_zones() const;
  /// `eu-only-data`, or `residency` and the like for the job's own wishes.
  [[nodiscard]] static std::string name_of(const Objection& objection, const Law& law);
  /// Of a refusal: the objection that is nearest to being lifted (of the zone with the fewest).
  [[nodiscard]] const Objection* binding() const;
  /// The zone that it closes.
  [[nodiscard]] std::uint32_t binding_zone() const;
  /// `rule eu-only-data: 2 of 3 zones excluded`, one line for each rule and wish that closed a zone.
  [[nodiscard]] std::vector<std::string> lines(const Law& law) const;
  /// One sentence for a refusal: the binding rule, why, and what would lift it.
  [[nodiscard]] std::string refusal(const Law& law) const;
};

/// The zones of a fleet as rules see them: its own, or where it is not divided, one for each kind of site.
std::vector<Zone> zones_seen(const Fleet& fleet);

/// Where a job may run. A fleet that is not divided is open as a whole or not at all (mask 0 or refusal), so
/// that no rule can be broken there either. `job` must name places that `law` knows.
LawDecision decide(const Law& law, const Fleet& fleet, const TenantFacts& tenant, const LegalWishes& job,
                   std::optional<Day> day);

/// Divides `fleet` into zones by what rules and jobs can tell apart: sites by their legal facts, GPU types
/// where a rule tells them apart, nodes that a rule with a share sets aside. Empty, or what is wrong.
std::string divide_zones(Fleet& fleet, const Law& law);

}  // namespace gw
