// divide_zones: nodes that the law cannot tell apart become one zone.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "model/law.h"

namespace gw {
namespace {

std::vector<std::string> sorted(std::vector<std::string> words) {
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

Zone zone_of_site(const Site& site) {
  Zone zone;
  zone.name = site.name;
  zone.country = site.country;
  zone.jurisdictions = sorted(site.jurisdictions);
  zone.operator_countries = sorted(site.operator_countries);
  zone.certifications = sorted(site.certifications);
  return zone;
}

class Divider {
 public:
  Divider(Fleet& fleet, const Law& law) : fleet_(fleet), law_(law) {
    by_chip_ = std::any_of(law.rules.begin(), law.rules.end(), [](const LegalRule& rule) {
      return !rule.requires_.gpu_types.empty() || !rule.forbids.gpu_types.empty() ||
             rule.forbids.performance_min != 0;
    });
  }

  std::string run() {
    const int level = fleet_.fabric_level("site");
    for (std::uint32_t site = 0; site < std::max<std::size_t>(1, fleet_.sites.size()); ++site) {
      std::uint32_t begin = 0, end = fleet_.nodes();
      if (level >= 0 && fleet_.sites.size() > 1) {
        begin = fleet_.fabric[static_cast<std::size_t>(level)].begin(site);
        end = fleet_.fabric[static_cast<std::size_t>(level)].end(site);
      }
      if (std::string problem = divide_site(site, begin, end); !problem.empty()) return problem;
    }
    put_narrow_first();
    name_zones();
    return {};
  }

 private:
  /// GPU types that all rules treat alike have equal signatures.
  std::vector<bool> signature(const NodeType& type) const {
    std::vector<bool> bits;
    if (type.gpus == 0) return {false};
    const GpuType* gpu = type.gpu_type == NodeType::kNoGpu ? nullptr : &fleet_.gpu_types[type.gpu_type];
    const std::string name = gpu == nullptr ? "" : gpu->name;
    const std::int64_t performance = gpu == nullptr ? 0 : total_processing_performance(*gpu);
    bits.push_back(true);
    bits.push_back(performance == 0);
    for (const LegalRule& rule : law_.rules) {
      for (const ZoneTest* test : {&rule.requires_, &rule.forbids}) {
        if (!test->gpu_types.empty())
          bits.push_back(std::find(test->gpu_types.begin(), test->gpu_types.end(), name) !=
                         test->gpu_types.end());
        if (test->performance_min != 0) bits.push_back(performance >= test->performance_min);
      }
    }
    return bits;
  }

  std::string divide_site(std::uint32_t site, std::uint32_t begin, std::uint32_t end) {
    // Of each kind of node a rule with a share covers the last ones.
    std::vector<std::uint32_t> count(fleet_.node_types.size());
    for (std::uint32_t node = begin; node < end; ++node) ++count[fleet_.node_type_of[node]];
    std::vector<std::uint32_t> seen(fleet_.node_types.size());
    for (std::uint32_t node = begin; node < end; ++node) {
      const std::uint16_t type = fleet_.node_type_of[node];
      std::vector<std::string> aside;
      for (const LegalRule& rule : law_.rules) {
        if (!rule.is_partial() || !covers(rule, site)) continue;
        const auto covered = static_cast<std::uint32_t>(std::ceil(rule.share * count[type] - 1e-9));
        if (seen[type] >= count[type] - covered) aside.push_back(rule.name);
      }
      ++seen[type];
      std::sort(aside.begin(), aside.end());
      const Key key{site_kind(site), by_chip_ ? signature(fleet_.node_types[type]) : std::vector<bool>{},
                    std::move(aside)};
      const auto [at, is_new] = zones_.try_emplace(key, static_cast<std::uint32_t>(fleet_.zones.size()));
      if (is_new && fleet_.zones.size() == kMostZones)
        return fmt::format(
            "the fleet has more than {} zones that rules tell apart, here at node {}; give sites that are "
            "alike the same jurisdictions, operator countries and certifications, or leave out rules that "
            "tell GPU types apart",
            kMostZones, node + 1);
      if (is_new) {
        fleet_.zones.push_back(kinds_[key.site]);
        fleet_.zones.back().by_chip = by_chip_;
        fleet_.zones.back().covered_by = key.aside;
        sites_.emplace_back();
      }
      Zone& zone = fleet_.zones[at->second];
      if (sites_[at->second].empty() || sites_[at->second].back() != site) sites_[at->second].push_back(site);
      if (by_chip_) add_chip(zone, fleet_.node_types[type]);
      fleet_.zone_of_node.push_back(static_cast<std::uint8_t>(at->second));
    }
    return {};
  }

  bool covers(const LegalRule& rule, std::uint32_t site) const {
    return rule.sites.empty() ||
           (site < fleet_.sites.size() &&
            std::find(rule.sites.begin(), rule.sites.end(), fleet_.sites[site].name) != rule.sites.end());
  }

  void add_chip(Zone& zone, const NodeType& type) const {
    if (type.gpus == 0) return;
    const GpuType* gpu = type.gpu_type == NodeType::kNoGpu ? nullptr : &fleet_.gpu_types[type.gpu_type];
    const std::string name = gpu == nullptr ? type.name : gpu->name;
    const auto at = std::lower_bound(zone.gpu_types.begin(), zone.gpu_types.end(), name);
    if (at != zone.gpu_types.end() && *at == name) return;
    zone.gpu_types.insert(at, name);
    const std::int64_t performance = gpu == nullptr ? 0 : total_processing_performance(*gpu);
    zone.performance =
        performance == 0 || zone.performance < 0 ? -1 : std::max(zone.performance, performance);
  }

  /// Nodes that more rules cover come first, as pools are tried in this order: who may use them leaves the
  /// others to those who may not.
  void put_narrow_first() {
    std::vector<std::uint32_t> order(fleet_.zones.size());
    for (std::uint32_t zone = 0; zone < order.size(); ++zone) order[zone] = zone;
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
      return fleet_.zones[a].covered_by.size() > fleet_.zones[b].covered_by.size();
    });
    std::vector<Zone> zones;
    std::vector<std::vector<std::uint32_t>> sites;
    std::vector<std::uint8_t> place(order.size());
    for (std::size_t at = 0; at < order.size(); ++at) {
      place[order[at]] = static_cast<std::uint8_t>(at);
      zones.push_back(std::move(fleet_.zones[order[at]]));
      sites.push_back(std::move(sites_[order[at]]));
    }
    fleet_.zones = std::move(zones);
    sites_ = std::move(sites);
    for (std::uint8_t& zone : fleet_.zone_of_node) zone = place[zone];
  }

  /// Sites with equal facts are of one kind.
  std::uint32_t site_kind(std::uint32_t site) {
    if (site < kind_of_site_.size()) return kind_of_site_[site];
    const Zone facts = fleet_.sites.empty() ? Zone{} : zone_of_site(fleet_.sites[site]);
    std::uint32_t kind = 0;
    while (kind < kinds_.size() && !kinds_[kind].same_facts(facts)) ++kind;
    if (kind == kinds_.size()) kinds_.push_back(facts);
    kind_of_site_.push_back(kind);
    return kind;
  }

  /// `munich`, `munich, bonn`, `munich (b200)`, `jena (research-share)`: unique, for people.
  void name_zones() {
    for (std::size_t zone = 0; zone < fleet_.zones.size(); ++zone) {
      std::vector<std::string> names;
      for (const std::uint32_t site : sites_[zone]) {
        if (site < fleet_.sites.size()) names.push_back(fleet_.sites[site].name);
      }
      constexpr std::size_t kMost = 3;
      const std::size_t more = names.size() > kMost ? names.size() - kMost : 0;
      names.resize(names.size() - more);
      Zone& each = fleet_.zones[zone];
      each.name = names.empty() ? std::string("fleet") : fmt::format("{}", fmt::join(names, "+"));
      if (more > 0) each.name += fmt::format("+{} more", more);
      std::vector<std::string> extra = each.covered_by;
      if (each.by_chip)
        extra.insert(extra.begin(),
                     each.gpu_types.empty() ? "no GPUs" : fmt::format("{}", fmt::join(each.gpu_types, "/")));
      if (!extra.empty()) each.name += fmt::format(" ({})", fmt::join(extra, ", "));
    }
  }

  struct Key {
    std::uint32_t site;
    std::vector<bool> chip;
    std::vector<std::string> aside;
    auto operator<=>(const Key&) const = default;
  };

  Fleet& fleet_;
  const Law& law_;
  bool by_chip_ = false;
  std::map<Key, std::uint32_t> zones_;
  std::vector<Zone> kinds_;
  std::vector<std::uint32_t> kind_of_site_;
  std::vector<std::vector<std::uint32_t>> sites_;  ///< Of each zone.
};

}  // namespace

std::vector<Zone> zones_seen(const Fleet& fleet) {
  if (!fleet.zones.empty()) return fleet.zones;
  std::vector<Zone> zones;
  for (const Site& site : fleet.sites) {
    Zone facts = zone_of_site(site);
    const auto same =
        std::find_if(zones.begin(), zones.end(), [&](const Zone& zone) { return zone.same_facts(facts); });
    if (same == zones.end()) {
      zones.push_back(std::move(facts));
    } else {
      same->name += "+" + facts.name;
    }
  }
  if (zones.empty()) zones.emplace_back().name = "fleet";
  return zones;
}

std::string divide_zones(Fleet& fleet, const Law& law) {
  fleet.zones.clear();
  fleet.zone_of_node.clear();
  if (!law.in_use) return {};
  fleet.zone_of_node.reserve(fleet.nodes());
  return Divider(fleet, law).run();
}

}  // namespace gw
