// Turns a file's power events into the model's.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "spec/demand_fields.h"
#include "spec/near_miss.h"

namespace gw::spec {

PowerSchedule build_power(const PowerSpec& spec, const Fleet& fleet, WorkloadMix& mix, Findings& findings) {
  PowerSchedule schedule;
  schedule.reaction = spec.reaction;
  schedule.delay = spec.delay;
  if (spec.predict == "typical") {
    for (JobClass& job : mix.classes) job.power_peak = job.power_typical;
  }
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
                       fmt::format("the idle nodes under \"{}\" draw {:.4g} kW, more than the {:.4g} kW "
                                   "left; the cap cannot be met",
                                   event.feed.value, static_cast<double>(idle) * 1e-6,
                                   static_cast<double>(built.cap.count()) * 1e-6));
  }
  return schedule;
}

}  // namespace gw::spec
