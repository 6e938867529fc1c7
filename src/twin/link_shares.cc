// Finds what hangs together with a change through full links, and fills those links anew.
#include "twin/link_shares.h"

#include <algorithm>
#include <utility>

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
    change(use.link);
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
    change(use.link);
  }
  flows_[slot] = {};
  free_.push_back(slot);
}

const std::vector<LinkShares::Change>& LinkShares::settle() {
  changes_.clear();
  if (touched_.empty()) return changes_;
  affected_.clear();
  full_.clear();
  for (std::size_t next = 0; next < touched_.size(); ++next) {  // Grows meanwhile.
    const std::uint32_t index = touched_[next];
    Link& link = links_[index];
    const bool was_full = link.full;
    if (std::exchange(link.changed, false)) {
      link.load = 0;
      for (const OnLink& each : link.flows) link.load += each.load;
      link.full = link.load > link.capacity;
    }
    if (link.full) full_.push_back(index);
    if (!link.full && !was_full) continue;
    for (const OnLink& each : link.flows) {
      Flow& flow = flows_[each.slot];
      if (std::exchange(flow.seen, round_) == round_) continue;
      affected_.emplace_back(flow.job, each.slot);
      for (const physics::LinkUse& use : flow.uses) touch(use.link);
    }
  }
  touched_.clear();
  ++round_;
  // In an order that does not depend on slots.
  std::sort(affected_.begin(), affected_.end());
  std::sort(full_.begin(), full_.end());
  capacities_.clear();
  for (const std::uint32_t link : full_) {
    links_[link].place = static_cast<std::uint32_t>(capacities_.size());
    capacities_.push_back(links_[link].capacity);
  }
  uses_.clear();
  first_.assign(1, 0);
  for (const auto& [job, slot] : affected_) {
    // All links of these flows have been looked at: those that are full have their places.
    for (const physics::LinkUse& use : flows_[slot].uses) {
      if (links_[use.link].full) uses_.push_back({links_[use.link].place, use.load});
    }
    first_.push_back(static_cast<std::uint32_t>(uses_.size()));
  }
  const std::vector<double>& shares = search_.shares(uses_, first_, capacities_);
  for (std::size_t at = 0; at < affected_.size(); ++at) {
    Flow& flow = flows_[affected_[at].second];
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
