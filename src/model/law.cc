// Rules against facts; the objections are in law_objections.cc, the division into zones in law_zones.cc.
#include "model/law.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/check.h"
#include "model/country.h"

namespace gw {

std::optional<Day> parse_day(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
  const auto digits = [&](std::size_t from, std::size_t count) -> int {
    int value = 0;
    for (std::size_t at = from; at < from + count; ++at) {
      if (text[at] < '0' || text[at] > '9') return -1;
      value = value * 10 + (text[at] - '0');
    }
    return value;
  };
  const int year = digits(0, 4), month = digits(5, 2), day = digits(8, 2);
  if (year < 0 || month < 0 || day < 0) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  return static_cast<Day>(std::chrono::sys_days(date).time_since_epoch().count());
}

std::string day_text(Day day) {
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

bool Places::has(std::string_view code) const { return std::binary_search(all.begin(), all.end(), code); }

bool ZoneTest::empty() const {
  return country.empty() && jurisdictions.empty() && operator_country.empty() && certifications.empty() &&
         gpu_types.empty() && performance_min == 0;
}

std::int64_t total_processing_performance(const GpuType& type) {
  return std::llround(
      std::max({type.dense_bf16_tflops * 16, type.dense_fp8_tflops * 8, type.dense_fp4_tflops * 4}));
}

namespace {

std::vector<std::string> ascending(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

}  // namespace

std::vector<std::string> Law::known_data() const {
  std::vector<std::string> known = data_classes;
  for (const LegalRule& rule : rules)
    known.insert(known.end(), rule.applies_to.data.begin(), rule.applies_to.data.end());
  return ascending(std::move(known));
}

std::vector<std::string> Law::known_kinds() const {
  std::vector<std::string> known = tenant_kinds;
  for (const LegalRule& rule : rules) {
    for (const std::vector<std::string>* kinds : {&rule.applies_to.kinds, &rule.applies_to.except_kinds})
      known.insert(known.end(), kinds->begin(), kinds->end());
  }
  return ascending(std::move(known));
}

const CountryGroup* Law::group(std::string_view name) const {
  const auto at = std::find_if(groups.begin(), groups.end(),
                               [&](const CountryGroup& group) { return group.name == name; });
  return at == groups.end() ? nullptr : &*at;
}

Result<Places> Law::places(const std::vector<std::string>& names) const {
  Places places;
  places.named = names;
  for (const std::string& name : names) {
    places.all.push_back(name);
    if (const CountryGroup* found = group(name)) {
      places.all.insert(places.all.end(), found->members.begin(), found->members.end());
    } else if (!is_country(name)) {
      std::string known;
      for (const CountryGroup& each : groups) known += (known.empty() ? "" : ", ") + each.name;
      return fail(
          fmt::format("\"{}\" is neither a country (two capital letters of ISO 3166-1; GB, not UK) "
                      "nor a known group of countries{}{}",
                      name, known.empty() ? "" : ": ", known));
    }
  }
  std::sort(places.all.begin(), places.all.end());
  places.all.erase(std::unique(places.all.begin(), places.all.end()), places.all.end());
  return places;
}

std::optional<Day> Law::next_change(Day day) const {
  std::optional<Day> next;
  const auto consider = [&](Day change) {
    if (change > day && (!next || change < *next)) next = change;
  };
  for (const LegalRule& rule : rules) {
    if (rule.since) consider(*rule.since);
    if (rule.until) consider(*rule.until + 1);
  }
  return next;
}

TenantFacts tenant_facts(const TenantTree& tenants, TenantId id) {
  TenantFacts facts;
  facts.path = tenants.path(id);
  for (TenantId at = id; at.valid(); at = tenants[at].parent) {
    const Tenant& tenant = tenants[at];
    if (facts.home.empty()) facts.home = tenant.home;
    if (facts.owners.empty()) facts.owners = tenant.owners;
    if (facts.kind.empty()) facts.kind = tenant.kind;
  }
  return facts;
}

// --- What a decision says ---

std::uint32_t LawDecision::open_zones() const {
  return static_cast<std::uint32_t>(
      std::count_if(objections.begin(), objections.end(), [](const auto& each) { return each.empty(); }));
}

std::string LawDecision::name_of(const Objection& objection, const Law& law) {
  switch (objection.by) {
    case Objection::By::kRule:
      return law.rules[objection.rule].name;
    case Objection::By::kResidency:
      return "residency";
    case Objection::By::kExcludedJurisdiction:
      return "excluded_jurisdictions";
    case Objection::By::kCertification:
      return "certifications";
  }
  return {};
}

std::uint32_t LawDecision::binding_zone() const {
  const auto fewest = std::min_element(objections.begin(), objections.end(),
                                       [](const auto& a, const auto& b) { return a.size() < b.size(); });
  return static_cast<std::uint32_t>(fewest - objections.begin());
}

const Objection* LawDecision::binding() const {
  if (allowed || objections.empty()) return nullptr;
  // An undivided fleet is closed by any of its parts, open ones among them.
  const std::vector<Objection>* nearest = nullptr;
  for (const std::vector<Objection>& each : objections) {
    if (!each.empty() && (nearest == nullptr || each.size() < nearest->size())) nearest = &each;
  }
  return nearest == nullptr ? nullptr : &nearest->front();
}

std::vector<std::string> LawDecision::lines(const Law& law) const {
  std::vector<std::string> names;
  std::vector<std::uint32_t> closed;
  for (const std::vector<Objection>& zone : objections) {
    std::vector<std::size_t> here;
    for (const Objection& objection : zone) {
      const std::string name =
          (objection.by == Objection::By::kRule ? "rule " : "the job's ") + name_of(objection, law);
      const auto at = std::find(names.begin(), names.end(), name);
      const auto index = static_cast<std::size_t>(at - names.begin());
      if (at == names.end()) {
        names.push_back(name);
        closed.push_back(0);
      }
      if (std::find(here.begin(), here.end(), index) == here.end()) here.push_back(index);
    }
    for (const std::size_t index : here) ++closed[index];
  }
  std::vector<std::string> lines;
  for (std::size_t index = 0; index < names.size(); ++index)
    lines.push_back(fmt::format("{}: {} of {} zone{} excluded", names[index], closed[index], seen.size(),
                                seen.size() == 1 ? "" : "s"));
  return lines;
}

std::string LawDecision::refusal(const Law& law) const {
  const Objection* objection = binding();
  if (objection == nullptr) return {};
  const std::string title = objection->by == Objection::By::kRule && !law.rules[objection->rule].title.empty()
                                ? fmt::format(" ({})", law.rules[objection->rule].title)
                                : std::string();
  std::uint32_t zone = 0;
  while (objections[zone].empty() || &objections[zone].front() != objection) ++zone;
  const std::size_t others = objections[zone].size() - 1;
  return fmt::format("{}{}{} no place for this job; nearest is zone {}, which {}{}. {}",
                     objection->by == Objection::By::kRule ? "rule " : "the job's ", name_of(*objection, law),
                     objection->by == Objection::By::kRule || objection->by == Objection::By::kResidency
                         ? title + " leaves"
                         : std::string(" leave"),
                     seen[zone].name, objection->text,
                     others == 0 ? "" : fmt::format(" (and {} more)", others), objection->change);
}

}  // namespace gw
