// Turns a file's power events into the model's.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "spec/demand_fields.h"
#include "spec/near_miss.h"
#include "spec/power_text.h"

namespace gw::spec {

namespace {

constexpr double kThousandths = 1000;

/// The site of a curve, added to `sites` where it is new; null if there is none.
SiteEnergy* site_of(const EnergyCurveSpec& spec, const Fleet& fleet, std::vector<SiteEnergy>& sites,
                    Findings& findings) {
  std::vector<std::string> names;
  for (const Site& site : fleet.sites) names.push_back(site.name);
  const std::string name = spec.site ? spec.site->value : names.size() == 1 ? names.front() : std::string();
  const auto known = std::find(names.begin(), names.end(), name);
  if (known == names.end()) {
    findings.error(spec.site ? spec.site->at : spec.at,
                   spec.site
                       ? fmt::format("unknown site \"{}\"{}", name, suggestion(name, names, "name a site"))
                       : std::string("say which site it is of: \"site\""));
    return nullptr;
  }
  const auto vertex = static_cast<std::uint32_t>(known - names.begin());
  for (std::uint32_t level = 0; level < fleet.feed.size(); ++level) {
    if (fleet.feed[level].partition.level != "site") continue;
    for (SiteEnergy& site : sites) {
      if (site.vertex == vertex) return &site;
    }
    SiteEnergy& site = sites.emplace_back();
    site.level = level;
    site.vertex = vertex;
    site.pue = fleet.sites[vertex].pue;
    return &site;
  }
  findings.error(spec.at, "the fleet has no sites that energy could be bought for");
  return nullptr;
}

void build_curve(const EnergyCurveSpec& spec, EnergyCurve& curve, Findings& findings) {
  if (!curve.empty()) findings.error(spec.at, "the site has such a curve already");
  if (spec.daily.empty() == spec.steps.empty())
    findings.error(spec.at, "a curve has either \"daily\" or \"steps\"");
  for (const double value : spec.daily) curve.daily.push_back(std::llround(value * kThousandths));
  for (const EnergyStepSpec& step : spec.steps)
    curve.steps.push_back({Instant{} + step.start, std::llround(step.value * kThousandths)});
  if (const std::string_view problem = price_problem(curve.steps); !problem.empty())
    findings.error(spec.at, std::string(problem));
}

}  // namespace

PowerSchedule build_power(const PowerSpec& spec, const Fleet& fleet, WorkloadMix& mix, Findings& findings) {
  PowerSchedule schedule;
  schedule.reaction = spec.reaction;
  schedule.delay = spec.delay;
  if (spec.predict == "typical") {
    for (JobClass& job : mix.classes) job.power_peak = job.power_typical;
  }
  for (const auto& [curves, member] :
       {std::pair{&spec.price, &SiteEnergy::price}, std::pair{&spec.carbon, &SiteEnergy::carbon}}) {
    for (const EnergyCurveSpec& curve : *curves) {
      if (SiteEnergy* site = site_of(curve, fleet, schedule.energy, findings))
        build_curve(curve, site->*member, findings);
    }
  }
  schedule.shift = spec.shift;
  schedule.euros_per_tonne = spec.carbon_price.value_or(spec.price.empty() ? kThousandths : 0);
  // Runs go on after the last submission.
  schedule.energy_until = Instant{} + std::min(mix.duration, days(36500)) + days(60);
  for (const CapEventSpec& event : spec.events) {
    const std::optional<Fleet::FeedAt> feed = fleet.find_feed(event.feed.value);
    if (!feed) {
      std::vector<std::string> names;  // Racks are too many to suggest.
      for (auto level = static_cast<std::uint32_t>(fleet.feed.size()); level-- > 0 && names.size() < 1000;) {
        for (std::uint32_t vertex = 0; vertex < fleet.feed[level].partition.vertices(); ++vertex)
          names.push_back(fleet.feed_name(level, vertex));
      }
      findings.error(event.feed.at, fmt::format("unknown or ambiguous feed \"{}\"{}", event.feed.value,
                                                suggestion(event.feed.value, names,
                                                           "name a site, hall, row or rack by its path")));
      continue;
    }
    CapEvent& built = schedule.events.emplace_back();
    built.at = Instant{} + event.start;
    if (event.duration) built.until = built.at + *event.duration;
    built.level = feed->level;
    built.vertex = feed->vertex;
    built.cap = event.cap;
    built.reason = event.reason;
    if (fleet.feed[feed->level].partition.level == "site") {
      const auto site = feed->vertex;  // Sites are the vertices of their level.
      const double pue = site < fleet.sites.size() ? fleet.sites[site].pue : 1;
      built.cap = Milliwatts{std::llround(std::floor(static_cast<double>(event.cap.count()) / pue))};
    }
    built.cap = std::max(built.cap, Milliwatts{1});
    std::int64_t idle = 0;
    const Partition& partition = fleet.feed[feed->level].partition;
    for (std::uint32_t node = partition.begin(feed->vertex); node < partition.end(feed->vertex); ++node)
      idle += fleet.type_of(NodeId{node}).power_idle.count();
    if (idle > built.cap.count())
      findings.warning(event.at,
                       fmt::format("the idle nodes under \"{}\" draw {}, more than the {} left; the cap "
                                   "cannot be met",
                                   event.feed.value, power_text(Milliwatts{idle}), power_text(built.cap)));
  }
  return schedule;
}

}  // namespace gw::spec
