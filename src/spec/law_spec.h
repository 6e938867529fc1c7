// Rules and country groups as a file says them; build_law turns them into the model's.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/law.h"
#include "spec/described.h"
#include "spec/diagnostic.h"

namespace gw::spec {

struct CountryGroupSpec {
  static constexpr std::string_view kRecord = "country_group";
  static constexpr std::string_view kHelp = "Countries under one name, for rules and jobs.";
  std::string name;
  std::string title;
  std::vector<std::string> members;
  std::string as_of;
  std::string source;
  std::string comment;
  Mark at;
};

struct AppliesToSpec {
  static constexpr std::string_view kRecord = "applies_to";
  static constexpr std::string_view kHelp =
      "Whom a rule binds: all that is given must hold. A tenant whose home nobody has given is bound.";
  std::vector<std::string> tenants;
  std::vector<std::string> except_tenants;
  std::vector<std::string> home;
  std::vector<std::string> tenants_of;
  std::vector<std::string> kinds;
  std::vector<std::string> except_kinds;
  std::vector<std::string> data;
};

struct RequiresSpec {
  static constexpr std::string_view kRecord = "requires";
  static constexpr std::string_view kHelp = "What a place must be: all that is given.";
  std::vector<std::string> country;
  std::vector<std::string> jurisdictions;
  std::vector<std::string> operator_country;
  std::vector<std::string> certifications;
  std::vector<std::string> gpu_types;
};

struct ForbidsSpec {
  static constexpr std::string_view kRecord = "forbids";
  static constexpr std::string_view kHelp = "Closes places that meet all that is given.";
  std::vector<std::string> country;
  std::vector<std::string> jurisdictions;
  std::vector<std::string> operator_country;
  std::vector<std::string> certifications;
  std::vector<std::string> gpu_types;
  std::uint32_t performance_min = 0;
};

struct RuleSpec {
  static constexpr std::string_view kRecord = "rule";
  static constexpr std::string_view kHelp =
      "A rule on who may run where. It binds placement, migration, spare nodes and checkpoints alike.";
  std::string name;
  std::string title;
  std::string since;
  std::string until;
  std::string source;
  std::string comment;
  AppliesToSpec applies_to;
  RequiresSpec requires_;
  ForbidsSpec forbids;
  std::vector<std::string> sites;
  double share = 1;
  Mark at;
};

/// The rules that a file names, each as the catalog has it with the file's changes, or new.
std::vector<RuleSpec> named_rules(const std::vector<RuleSpec>& known,
                                  const std::vector<Override<RuleSpec>>& named, Findings& findings);

/// The model's rules and groups; `in_use` is for the caller to set.
Law build_law(const std::vector<RuleSpec>& rules, const std::vector<CountryGroupSpec>& groups,
              Findings& findings);

/// Of the classes of a job's data the first that `law` does not know, as a sentence with what was probably
/// meant; empty where it knows them all. One that no rule names would take every rule on data off the job.
std::string unknown_data(const Law& law, const std::vector<std::string>& data);
/// Likewise of a tenant's kind; one that is empty is not known, and no mistake.
std::string unknown_kind(const Law& law, const std::string& kind);

/// Reports what does not name places that `law` knows.
void check_places(const Law& law, std::string_view key, const std::vector<std::string>& names, Mark at,
                  Findings& findings);

}  // namespace gw::spec
