// build_fleet: expands groups and counts into nodes, the feed tree and the fabric tree.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/check.h"
#include "spec/fleet_spec.h"
#include "spec/near_miss.h"
#include "spec/power_text.h"

namespace gw::spec {

namespace {

enum Level : std::size_t { kRack, kRow, kHall, kSite, kLevels };
constexpr std::string_view kLevelNames[kLevels] = {"rack", "row", "hall", "site"};

/// What one instance of a part of the specification holds.
struct Size {
  double nodes = 0;  ///< Exact up to 2^53, and may be beyond: checked before anything is built.
  double power_mw = 0;
};

class FleetBuilder {
 public:
  FleetBuilder(const FleetSpec& spec, const Catalog& catalog, const FleetLimits& limits, Findings& findings)
      : spec_(spec), catalog_(catalog), limits_(limits), findings_(findings) {}

  Fleet build() {
    fleet_.name = spec_.name;
    check_own_types();
    Size total;
    for (const SiteSpec& site : spec_.sites) {
      const Size size = measure_site(site);
      total.nodes += size.nodes;
    }
    check_names(spec_.sites, "site");
    if (total.nodes > static_cast<double>(limits_.nodes)) {
      findings_.error(spec_.at, fmt::format("the fleet has {:.0f} nodes; at most {} can be planned",
                                            total.nodes, limits_.nodes));
    }
    merge_fabric_levels();
    if (findings_.failed()) return {};
    for (const SiteSpec& site : spec_.sites) add_site(site);
    finish_feed();
    build_fabric();
    return std::move(fleet_);
  }

 private:
  // --- Types ---

  const NodeEntry* node_entry(std::string_view name) const {
    const NodeEntry* own = find_entry(spec_.node_types, name);
    return own != nullptr ? own : find_entry(catalog_.nodes, name);
  }

  const GpuEntry* gpu_entry(std::string_view name) const {
    const GpuEntry* own = find_entry(spec_.gpu_types, name);
    return own != nullptr ? own : find_entry(catalog_.gpus, name);
  }

  template <class Entry>
  void check_unique(const std::vector<Entry>& entries) {
    std::map<std::string_view, Mark> seen;
    for (const Entry& entry : entries) {
      const auto [first, is_new] = seen.try_emplace(entry_name(entry), entry.at);
      if (!is_new && !entry_name(entry).empty())
        findings_.error(entry.at,
                        fmt::format("type \"{}\" is defined twice, first in line {}; rename or remove one",
                                    entry_name(entry), first->second.line));
    }
  }

  void check_own_types() {
    check_unique(spec_.gpu_types);
    check_unique(spec_.node_types);
    for (const NodeEntry& node : spec_.node_types) {
      if (node.gpu.value.empty() || gpu_entry(node.gpu.value) != nullptr) continue;
      std::vector<std::string> known = entry_names(catalog_.gpus);
      for (const GpuEntry& gpu : spec_.gpu_types) known.emplace_back(entry_name(gpu));
      findings_.error(node.gpu.at, fmt::format("unknown GPU type \"{}\"{}", node.gpu.value,
                                               suggestion(node.gpu.value, known, "see `gw catalog gpus`")));
    }
  }

  /// Index of the node type in the fleet, added at its first use.
  std::uint16_t node_type(const std::string& name) {
    for (std::size_t index = 0; index < fleet_.node_types.size(); ++index) {
      if (fleet_.node_types[index].name == name) return static_cast<std::uint16_t>(index);
    }
    const NodeEntry* entry = node_entry(name);
    GW_CHECK(entry != nullptr);
    NodeType type;
    type.name = name;
    type.gpus = entry->gpus;
    type.cpu_milli = std::llround(entry->cores * 1000);
    type.memory_mib = entry->memory.count() >> 20;
    type.power_max = entry->power_max;
    type.power_idle = entry->power_idle;
    type.source = entry->source;
    if (!entry->gpu.value.empty() && entry->gpus > 0) type.gpu_type = gpu_type(entry->gpu.value);
    fleet_.node_types.push_back(std::move(type));
    return static_cast<std::uint16_t>(fleet_.node_types.size() - 1);
  }

  std::uint32_t gpu_type(const std::string& name) {
    for (std::size_t index = 0; index < fleet_.gpu_types.size(); ++index) {
      if (fleet_.gpu_types[index].name == name) return static_cast<std::uint32_t>(index);
    }
    const GpuEntry* entry = gpu_entry(name);
    GW_CHECK(entry != nullptr);
    fleet_.gpu_types.push_back(entry->type);
    fleet_.gpu_types.back().equivalent_milli = std::llround(entry->equivalents * 1000);
    fleet_.gpu_types.back().power_floor_permille =
        static_cast<std::uint32_t>(std::lround(entry->power_floor * 1000));
    fleet_.gpu_types.back().floor_speed_permille =
        static_cast<std::uint32_t>(std::lround(entry->floor_speed * 1000));
    return static_cast<std::uint32_t>(fleet_.gpu_types.size() - 1);
  }

  // --- Sizes and power, before anything is expanded ---

  Size measure(const std::vector<NodeGroupSpec>& groups) {
    Size size;
    for (const NodeGroupSpec& group : groups) {
      const NodeEntry* entry = node_entry(group.type.value);
      size.nodes += group.count;
      if (entry != nullptr) {
        size.power_mw += static_cast<double>(group.count) * static_cast<double>(entry->power_max.count());
        if (std::find(used_types_.begin(), used_types_.end(), group.type.value) == used_types_.end())
          used_types_.push_back(group.type.value);
        if (used_types_.size() > 64)
          findings_.error(group.type.at, "more than 64 node types in one fleet; merge some");
      } else if (!group.type.value.empty()) {
        std::vector<std::string> known = entry_names(catalog_.nodes);
        for (const NodeEntry& own : spec_.node_types) known.emplace_back(entry_name(own));
        findings_.error(group.type.at,
                        fmt::format("unknown node type \"{}\"{}", group.type.value,
                                    suggestion(group.type.value, known, "see `gw catalog nodes`")));
      }
    }
    return size;
  }

  template <class Part>
  Size measure(const std::vector<Part>& parts)
    requires requires(const Part& part) { part.capacity; }
  {
    Size sum;
    check_names(parts, Part::kRecord);
    for (const Part& part : parts) {
      Size size = measure(part.nodes);
      if constexpr (requires { part.racks; }) size = add(size, measure(part.racks));
      if constexpr (requires { part.rows; }) size = add(size, measure(part.rows));
      check_power(part.at, Part::kRecord, part.capacity, size.power_mw, 1);
      sum.nodes += size.nodes * part.count;
      sum.power_mw += size.power_mw * part.count;
    }
    return sum;
  }

  static Size add(Size a, Size b) { return {a.nodes + b.nodes, a.power_mw + b.power_mw}; }

  Size measure_site(const SiteSpec& site) {
    const Size size =
        add(add(measure(site.halls), measure(site.rows)), add(measure(site.racks), measure(site.nodes)));
    check_power(site.at, "site", site.grid.capacity, size.power_mw, site.pue);
    return size;
  }

  void check_power(Mark at, std::string_view what, Milliwatts capacity, double power_mw, double pue) {
    const double needed = power_mw * pue;
    if (capacity.count() == 0 || needed <= static_cast<double>(capacity.count())) return;
    findings_.warning(
        at, fmt::format("the nodes of this {} can draw {}{}, its feed carries {}; full load will have to be "
                        "capped",
                        what, power_text(needed), pue > 1 ? fmt::format(" (at a PUE of {})", pue) : "",
                        power_text(capacity)));
  }

  template <class Part>
  void check_names(const std::vector<Part>& parts, std::string_view what) {
    std::map<std::string_view, Mark> seen;
    for (const Part& part : parts) {
      const auto [first, is_new] = seen.try_emplace(part.name, part.at);
      if (!is_new && !part.name.empty())
        findings_.error(part.at,
                        fmt::format("{} \"{}\" stands here a second time, first in line {}; rename one", what,
                                    part.name, first->second.line));
    }
  }

  // --- Nodes and feed ---

  struct FeedColumn {
    std::vector<std::uint32_t> first;
    std::vector<Milliwatts> capacity;
    std::vector<std::string> names;
    bool written = false;  ///< Some site has this level.
    bool named = false;
  };

  std::uint32_t nodes() const { return fleet_.nodes(); }

  void open(Level level, Milliwatts capacity, std::string name) {
    FeedColumn& column = feed_[level];
    column.first.push_back(nodes());
    column.capacity.push_back(capacity);
    column.named = column.named || !name.empty();
    if (column.named) {
      column.names.resize(column.first.size());
      column.names.back() = std::move(name);
    }
  }

  static std::string part_name(const std::string& name, std::uint32_t count, std::uint32_t index) {
    if (name.empty() || count == 1) return name;
    return fmt::format("{}-{:02}", name, index + 1);
  }

  void add_nodes(const std::vector<NodeGroupSpec>& groups) {
    for (const NodeGroupSpec& group : groups)
      fleet_.node_type_of.insert(fleet_.node_type_of.end(), group.count, node_type(group.type.value));
  }

  template <class Part, class Fill>
  void add_parts(Level level, const std::vector<Part>& parts, Fill fill) {
    if (!parts.empty()) feed_[level].written = true;
    for (const Part& part : parts) {
      for (std::uint32_t index = 0; index < part.count; ++index) {
        open(level, part.capacity, part_name(part.name, part.count, index));
        fill(part);
      }
    }
  }

  void add_racks(const std::vector<RackSpec>& racks) {
    add_parts(kRack, racks, [this](const RackSpec& rack) { add_nodes(rack.nodes); });
  }

  /// Nodes that stand directly in a row, hall or site get unnamed containers between.
  void add_bare_nodes(const std::vector<NodeGroupSpec>& groups) {
    if (groups.empty()) return;
    open(kRack, {}, {});
    add_nodes(groups);
  }

  void fill_row(const RowSpec& row) {
    add_racks(row.racks);
    add_bare_nodes(row.nodes);
  }

  void add_rows(const std::vector<RowSpec>& rows) {
    add_parts(kRow, rows, [this](const RowSpec& row) { fill_row(row); });
  }

  void add_bare_racks(const std::vector<RackSpec>& racks, const std::vector<NodeGroupSpec>& groups) {
    if (racks.empty() && groups.empty()) return;
    open(kRow, {}, {});
    add_racks(racks);
    add_bare_nodes(groups);
  }

  void add_site(const SiteSpec& spec) {
    Site site;
    site.name = spec.name;
    site.operator_name = spec.operator_name.empty() ? spec_.operator_name : spec.operator_name;
    site.country = spec.country;
    site.jurisdictions = spec.jurisdictions;
    site.certifications = spec.certifications;
    // A site that names its operator has that operator's parents, or none.
    const bool own = !spec.operator_name.empty() || !spec.operator_country.empty();
    const std::string& home = own ? spec.operator_country : spec_.operator_country;
    if (!home.empty()) site.operator_countries.push_back(home);
    const std::vector<std::string>& parents =
        own || !spec.parent_countries.empty() ? spec.parent_countries : spec_.parent_countries;
    site.operator_countries.insert(site.operator_countries.end(), parents.begin(), parents.end());
    if (site.jurisdictions.empty()) {
      if (!spec.country.empty()) site.jurisdictions.push_back(spec.country);
      for (const std::string& country : site.operator_countries) {
        if (std::find(site.jurisdictions.begin(), site.jurisdictions.end(), country) ==
            site.jurisdictions.end())
          site.jurisdictions.push_back(country);
      }
    }
    if (spec.position) {
      site.latitude_deg = spec.position->latitude_deg;
      site.longitude_deg = spec.position->longitude_deg;
    }
    site.pue = spec.pue;
    site.grid_capacity = spec.grid.capacity;
    site.tariff_eur_per_mwh = spec.grid.tariff_eur_per_mwh;
    site.carbon_g_per_kwh = spec.grid.carbon_g_per_kwh;
    fleet_.sites.push_back(std::move(site));

    // The feed tree is in IT power; the grid connection in facility power.
    open(kSite,
         Milliwatts{std::llround(std::floor(static_cast<double>(spec.grid.capacity.count()) / spec.pue))},
         spec.name);
    add_parts(kHall, spec.halls, [this](const HallSpec& hall) {
      add_rows(hall.rows);
      add_bare_racks(hall.racks, hall.nodes);
    });
    if (spec.halls.empty()) {
      open(kHall, {}, {});
      add_rows(spec.rows);
      add_bare_racks(spec.racks, spec.nodes);
    }
  }

  void finish_feed() {
    feed_[kSite].written = true;
    for (std::size_t level = 0; level < kLevels; ++level) {
      FeedColumn& column = feed_[level];
      column.first.push_back(nodes());
      if (!column.written) continue;
      if (column.named) column.names.resize(column.capacity.size());
      fleet_.feed.push_back(
          {Partition{std::string(kLevelNames[level]), column.first}, column.capacity, column.names});
    }
  }

  // --- Fabric ---

  const std::vector<FabricLevelSpec>& fabric_of(const SiteSpec& site) const {
    return site.fabric.empty() ? spec_.fabric : site.fabric;
  }

  /// One order of all sites' levels in which each site's own order holds.
  void merge_fabric_levels() {
    for (const SiteSpec& site : spec_.sites) {
      if (!site.fabric.empty()) merge_fabric(site.fabric);
    }
    merge_fabric(spec_.fabric);
  }

  void merge_fabric(const std::vector<FabricLevelSpec>& fabric) {
    std::size_t next = 0;
    for (const FabricLevelSpec& level : fabric) {
      if (level.level == "node" || level.level == "site" || level.level == "fleet") {
        findings_.error(level.at, fmt::format("level \"{}\" is built in; leave it out", level.level));
        continue;
      }
      const auto known = std::find(levels_.begin(), levels_.end(), level.level);
      if (known == levels_.end()) {
        levels_.insert(levels_.begin() + static_cast<std::ptrdiff_t>(next), level.level);
        ++next;
      } else if (static_cast<std::size_t>(known - levels_.begin()) < next) {
        findings_.error(
            level.at, fmt::format("level \"{}\" stands twice or in another order than in another site; order "
                                  "the levels of all sites alike, smallest first",
                                  level.level));
      } else {
        next = static_cast<std::size_t>(known - levels_.begin()) + 1;
      }
    }
  }

  /// Refuses levels that count racks, rows or halls where the fleet has none.
  void check_unit(const FabricLevelSpec& level) {
    const Level unit = level.racks ? kRack : level.rows ? kRow : kHall;
    if (!level.nodes && !feed_[unit].written)
      findings_.error(level.at, fmt::format("the fleet has no {0}s for \"{1}\" to count; write `nodes: ...`",
                                            kLevelNames[unit], level.level));
    for (const Level within : {kRow, kHall}) {
      if (level.within == kLevelNames[within] && !feed_[within].written)
        findings_.error(level.at,
                        fmt::format("the fleet has no {}s for \"{}\" to stay within; leave out `within`",
                                    kLevelNames[within], level.level));
    }
  }

  /// Where vertices of `level` begin in the nodes [begin, end) of a site.
  std::vector<std::uint32_t> group(const FabricLevelSpec& level, std::uint32_t begin,
                                   std::uint32_t end) const {
    const auto inside = [begin, end](const std::vector<std::uint32_t>& first) {
      const auto from = std::lower_bound(first.begin(), first.end(), begin);
      const auto to = std::lower_bound(first.begin(), first.end(), end);
      return std::vector<std::uint32_t>(from, to);
    };
    std::vector<std::uint32_t> units;
    std::uint32_t size = 1;
    if (level.nodes) {
      for (std::uint32_t node = begin; node < end; ++node) units.push_back(node);
      size = *level.nodes;
    } else {
      const Level unit = level.racks ? kRack : level.rows ? kRow : kHall;
      units = inside(feed_[unit].first);
      size = level.racks ? *level.racks : level.rows ? *level.rows : *level.halls;
    }
    const std::vector<std::uint32_t> restarts = inside(feed_[level.within == "row"    ? kRow
                                                             : level.within == "hall" ? kHall
                                                                                      : kSite]
                                                           .first);
    std::vector<std::uint32_t> starts;
    std::uint32_t taken = 0;
    for (const std::uint32_t unit : units) {
      const bool restart = std::binary_search(restarts.begin(), restarts.end(), unit);
      if (restart || taken == size) taken = 0;
      if (taken == 0) starts.push_back(unit);
      ++taken;
    }
    return starts;
  }

  void build_fabric() {
    std::vector<Partition> partitions(levels_.size());
    std::vector<std::vector<double>> uplinks(levels_.size());
    for (std::size_t index = 0; index < spec_.sites.size(); ++index) {
      const std::vector<FabricLevelSpec>& fabric = fabric_of(spec_.sites[index]);
      const std::uint32_t begin = feed_[kSite].first[index];
      const std::uint32_t end = feed_[kSite].first[index + 1];
      std::vector<std::uint32_t> below;
      for (std::uint32_t node = begin; node < end; ++node) below.push_back(node);
      const FabricLevelSpec* inner = nullptr;
      for (std::size_t level = 0; level < levels_.size(); ++level) {
        const auto own = std::find_if(fabric.begin(), fabric.end(), [&](const FabricLevelSpec& entry) {
          return entry.level == levels_[level];
        });
        if (own != fabric.end()) {
          check_unit(*own);
          std::vector<std::uint32_t> starts = group(*own, begin, end);
          if (!std::includes(below.begin(), below.end(), starts.begin(), starts.end()) && inner != nullptr)
            findings_.error(
                own->at,
                fmt::format("a \"{}\" of site \"{}\" ends inside a \"{}\"; make it hold whole ones (a "
                            "multiple of their size, and the same `within`)",
                            own->level, spec_.sites[index].name, inner->level));
          below = std::move(starts);
          inner = &*own;
        }
        const double uplink = own != fabric.end() ? own->uplink_gbit_s : 0;
        uplinks[level].insert(uplinks[level].end(), below.size(), uplink);
        // A site without this level keeps the groups of the level below.
        partitions[level].first.insert(partitions[level].first.end(), below.begin(), below.end());
      }
    }
    if (findings_.failed()) return;
    for (std::size_t level = 0; level < levels_.size(); ++level) {
      partitions[level].level = levels_[level];
      partitions[level].first.push_back(nodes());
      fleet_.fabric.push_back(std::move(partitions[level]));
    }
    fleet_.fabric.push_back(Partition{"site", feed_[kSite].first});
    if (spec_.sites.size() > 1) fleet_.fabric.push_back(Partition{"fleet", {0, nodes()}});
    const auto given = [](const std::vector<double>& level) {
      return std::any_of(level.begin(), level.end(), [](double uplink) { return uplink > 0; });
    };
    if (std::none_of(uplinks.begin(), uplinks.end(), given)) return;
    for (std::size_t level = levels_.size(); level < fleet_.fabric.size(); ++level)
      uplinks.emplace_back(fleet_.fabric[level].vertices(), 0);
    fleet_.uplink_gbit_s = std::move(uplinks);
  }

  const FleetSpec& spec_;
  const Catalog& catalog_;
  const FleetLimits& limits_;
  Findings& findings_;
  Fleet fleet_;
  FeedColumn feed_[kLevels];
  std::vector<std::string> levels_;
  std::vector<std::string> used_types_;
};

}  // namespace

Fleet build_fleet(const FleetSpec& spec, const Catalog& catalog, const FleetLimits& limits,
                  Findings& findings) {
  return FleetBuilder(spec, catalog, limits, findings).build();
}

}  // namespace gw::spec
