// Finds what hangs together with a change through full links, and fills those links anew.
#include "twin/link_shares.h"

#include <algorithm>

#include "base/check.h"

namespace gw::twin {

LinkShares::LinkShares(std::vector<double> capacities) : links_(capacities.size()) {
  for (std::size_t at = 0; at < capacities.size(); ++at) links_[at].capacity = capacities[at];
}

void LinkShares::touch(std::uint32_t link) {
  if (links_[link].touched == round_) return;
  links_[link].touched = round_;
  touched_.push_back(link);
}

void LinkShares::add(JobId job, std::vector<physics::LinkUse> uses) {
  if (uses.empty()) return;
  std::uint32_t slot = static_cast<std::uint32_t>(flows_.size());
  if (free_.empty()) {
    flows_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  for (const physics::LinkUse& use : uses) {
    links_[use.link].flows.push_back({slot, use.load});
    touch(use.link);
  }
  flows_[slot] = {job, std::move(uses)};
  const std::pair<JobId, std::uint32_t> entry{job, slot};
  const auto at = std::lower_bound(slots_.begin(), slots_.end(), entry);
  GW_CHECK(at == slots_.end() || at->first != job);
  slots_.insert(at, entry);
}

void LinkShares::remove(JobId job) {
  const auto at = std::lower_bound(slots_.begin(), slots_.end(), std::pair{job, std::uint32_t{0}});
  if (at == slots_.end() || at->first != job) return;
  const std::uint32_t slot = at->second;
  slots_.erase(at);
  for (const physics::LinkUse& use : flows_[slot].uses) {
    std::vector<OnLink>& on_link = links_[use.link].flows;
    on_link.erase(std::find_if(on_link.begin(), on_link.end(),
                               [slot](const OnLink& each) { return each.slot == slot; }));
    touch(use.link);
  }
  flows_[slot] = {};
  free_.push_back(slot);
}

const std::vector<LinkShares::Change>& LinkShares::settle() {
  changes_.clear();
  if (touched_.empty()) return changes_;
  std::vector<std::uint32_t> affected;  // Slots.
  std::vector<std::uint32_t> full;
  for (std::size_t next = 0; next < touched_.size(); ++next) {  // Grows meanwhile.
    const std::uint32_t index = touched_[next];
    Link& link = links_[index];
    double load = 0;
    for (const OnLink& each : link.flows) load += each.load;
    const bool was_full = link.full;
    link.full = load > link.capacity;
    if (link.full) full.push_back(index);
    if (!link.full && !was_full) continue;
    for (const OnLink& each : link.flows) {
      if (flows_[each.slot].seen == round_) continue;
      flows_[each.slot].seen = round_;
      affected.push_back(each.slot);
      for (const physics::LinkUse& use : flows_[each.slot].uses) touch(use.link);
    }
  }
  touched_.clear();
  ++round_;
  // In an order that does not depend on slots.
  std::sort(affected.begin(), affected.end(),
            [&](std::uint32_t a, std::uint32_t b) { return flows_[a].job < flows_[b].job; });
  std::sort(full.begin(), full.end());
  std::vector<double> capacities;
  for (const std::uint32_t link : full) capacities.push_back(links_[link].capacity);
  std::vector<std::vector<physics::LinkUse>> flows;
  for (const std::uint32_t slot : affected) {
    std::vector<physics::LinkUse>& uses = flows.emplace_back();
    for (const physics::LinkUse& use : flows_[slot].uses) {
      const auto at = std::lower_bound(full.begin(), full.end(), use.link);
      if (at != full.end() && *at == use.link)
        uses.push_back({static_cast<std::uint32_t>(at - full.begin()), use.load});
    }
  }
  const std::vector<double> shares = physics::max_min_shares(flows, capacities);
  for (std::size_t at = 0; at < affected.size(); ++at) {
    Flow& flow = flows_[affected[at]];
    const auto share = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(shares[at] * 1000));
    if (share == flow.share) continue;
    flow.share = share;
    changes_.push_back({flow.job, share});
  }
  return changes_;
}

double LinkShares::load(std::uint32_t link) const {
  double sum = 0;
  for (const OnLink& each : links_[link].flows) sum += each.load * flows_[each.slot].share / 1000;
  return sum;
}

}  // namespace gw::twin
