// All flows grow alike until a link is full; those on it stay, the others grow on.
#include "physics/fair_share.h"

#include <algorithm>
#include <bit>
#include <functional>

#include "base/check.h"

namespace gw::physics {

FairShares::FairShares(std::span<const double> capacities)
    : links_(capacities.size()), on_link_(capacities.size()), touched_in_(capacities.size()) {
  for (std::size_t at = 0; at < capacities.size(); ++at) links_[at].capacity = capacities[at];
}

void FairShares::change(std::uint32_t at) {
  if (std::exchange(links_[at].changed, true)) return;
  changed_.push_back(at);
}

std::uint32_t FairShares::add(std::uint32_t order, std::vector<LinkUse> uses) {
  auto flow = static_cast<std::uint32_t>(flows_.size());
  if (free_.empty()) {
    flows_.emplace_back();
    seen_in_.push_back(0);
    fixed_in_.push_back(0);
  } else {
    flow = free_.back();
    free_.pop_back();
  }
  for (const LinkUse& use : uses) {
    GW_CHECK(use.load > 0 && use.link < links_.size());
    std::vector<std::uint32_t>& flows = on_link_[use.link];
    const auto at =
        std::lower_bound(flows.begin(), flows.end(), order,
                         [&](std::uint32_t other, std::uint32_t mine) { return flows_[other].order < mine; });
    flows.insert(at, flow);
    change(use.link);
  }
  flows_[flow] = {std::move(uses), 1, order, kNoGroup};
  return flow;
}

void FairShares::remove(std::uint32_t flow) {
  for (const LinkUse& use : flows_[flow].uses) {
    std::vector<std::uint32_t>& flows = on_link_[use.link];
    flows.erase(std::find(flows.begin(), flows.end(), flow));
    change(use.link);
  }
  flows_[flow] = {};
  free_.push_back(flow);
}

double FairShares::added_up(std::uint32_t at) const {
  double load = 0;
  for (const std::uint32_t flow : on_link_[at]) {
    for (const LinkUse& use : flows_[flow].uses) {
      if (use.link == at) load += use.load;
    }
  }
  return load;
}

std::uint32_t FairShares::new_group() {
  if (free_groups_.empty()) {
    groups_.emplace_back();
    return static_cast<std::uint32_t>(groups_.size() - 1);
  }
  const std::uint32_t group = free_groups_.back();
  free_groups_.pop_back();
  return group;
}

void FairShares::join(std::uint32_t group) {
  if (group != kNoGroup && std::ranges::find(joined_, group) == joined_.end()) joined_.push_back(group);
}

/// The one of all full links that hang together with those that have changed; kNoGroup if there are none.
std::uint32_t FairShares::affected_group() {
  joined_.clear();
  for (const std::uint32_t at : changed_) {
    Link& link = links_[at];
    link.changed = false;
    link.load = added_up(at);
    link.full = link.load > link.capacity;
    join(link.group);
  }
  bool any_new = false;
  for (const std::uint32_t at : changed_) {
    if (!links_[at].full || links_[at].group != kNoGroup) continue;
    any_new = true;
    for (const std::uint32_t flow : on_link_[at]) {
      for (const LinkUse& use : flows_[flow].uses) join(links_[use.link].group);
    }
  }
  if (joined_.empty() && !any_new) return kNoGroup;
  if (joined_.empty()) joined_.push_back(new_group());
  const std::uint32_t into = *std::ranges::max_element(
      joined_, {}, [this](std::uint32_t group) { return groups_[group].links.size(); });
  Group& all = groups_[into];
  for (const std::uint32_t number : joined_) {
    if (number == into) continue;
    Group& group = groups_[number];
    for (const std::uint32_t link : group.links) {
      links_[link].group = into;
      all.links.push_back(link);
    }
    for (const std::uint32_t flow : group.slowed) {
      if (flows_[flow].group != number) continue;
      flows_[flow].group = into;
      all.slowed.push_back(flow);
    }
    group = {};
    free_groups_.push_back(number);
  }
  for (const std::uint32_t at : changed_) {
    if (!links_[at].full || links_[at].group != kNoGroup) continue;
    links_[at].group = into;
    all.links.push_back(at);
  }
  return into;
}

/// Leaves in the group only what hangs together with the links that have changed.
void FairShares::part(std::uint32_t group) {
  groups_[group].changes = 0;
  reached_.clear();
  for (const std::uint32_t at : changed_) {
    if (links_[at].group != group) continue;
    touched_in_[at] = round_;
    reached_.push_back(at);
  }
  for (std::size_t next = 0; next < reached_.size(); ++next) {  // Grows meanwhile.
    for (const std::uint32_t flow : on_link_[reached_[next]]) {
      if (std::exchange(seen_in_[flow], round_) == round_) continue;
      for (const LinkUse& use : flows_[flow].uses) {
        if (!links_[use.link].full || std::exchange(touched_in_[use.link], round_) == round_) continue;
        reached_.push_back(use.link);
      }
    }
  }
  if (reached_.size() == groups_[group].links.size()) return;
  const std::uint32_t rest = new_group();  // Which may hang together or not.
  for (const std::uint32_t at : groups_[group].links) {
    if (touched_in_[at] == round_) continue;
    links_[at].group = rest;
    groups_[rest].links.push_back(at);
  }
  for (const std::uint32_t flow : groups_[group].slowed) {
    if (flows_[flow].group != group || seen_in_[flow] == round_) continue;
    flows_[flow].group = rest;
    groups_[rest].slowed.push_back(flow);
  }
  groups_[group].links = reached_;
}

void FairShares::note(std::uint32_t at) {
  Link& link = links_[at];
  link.fills = link.growing > 0 ? std::max(0.0, link.capacity - link.fixed) / link.growing : 1;
  if (link.fills < 1) put(at);
}

void FairShares::put(std::uint32_t at) {
  Link& link = links_[at];
  const auto step = static_cast<std::uint32_t>(link.fills * kSteps);
  if (step <= step_) {
    link.listed = kNowhere;
    next_.emplace_back(link.fills, at);
    std::push_heap(next_.begin(), next_.end(), std::greater<>());
  } else if (step < link.listed) {
    link.listed = step;
    steps_[step].push_back(at);
    in_use_[step / 64] |= std::uint64_t{1} << step % 64;
  }  // Else it is put again when that step comes.
}

void FairShares::fill(std::uint32_t at) {
  const double level = links_[at].fills;
  noted_.clear();
  for (const std::uint32_t number : on_link_[at]) {
    if (std::exchange(fixed_in_[number], round_) == round_) continue;
    Flow& flow = flows_[number];
    flow.share = level;
    affected_.push_back(number);
    for (const LinkUse& use : flow.uses) {
      Link& link = links_[use.link];
      if (!link.full) continue;
      link.growing -= use.load;
      link.fixed += use.load * level;
      if (!std::exchange(link.noted, true)) noted_.push_back(use.link);
    }
  }
  links_[at].growing = 0;
  for (const std::uint32_t link : noted_) {
    links_[link].noted = false;
    note(link);
  }
}

bool FairShares::next_step() {
  for (std::uint32_t word = step_ / 64; word < in_use_.size(); ++word) {
    if (in_use_[word] == 0) continue;  // No step before this one is in use.
    const auto bit = static_cast<std::uint32_t>(std::countr_zero(in_use_[word]));
    in_use_[word] &= in_use_[word] - 1;
    step_ = word * 64 + bit;
    return true;
  }
  return false;
}

const std::vector<std::uint32_t>& FairShares::settle() {
  affected_.clear();
  if (changed_.empty()) return affected_;
  const std::uint32_t number = affected_group();
  if (number == kNoGroup) {
    changed_.clear();
    return affected_;
  }
  ++round_;
  if (++groups_[number].changes >= kTrusted) part(number);
  changed_.clear();
  Group& group = groups_[number];
  std::erase_if(group.links, [&](std::uint32_t at) {
    if (!links_[at].full) links_[at].group = kNoGroup;
    return !links_[at].full;
  });
  step_ = 0;
  for (const std::uint32_t at : group.links) {
    Link& link = links_[at];
    link.growing = link.load;
    link.fixed = 0;
    link.listed = kNowhere;
    note(at);
  }
  for (;;) {
    while (!next_.empty()) {
      const auto [level, tightest] = next_.front();
      std::pop_heap(next_.begin(), next_.end(), std::greater<>());
      next_.pop_back();
      if (links_[tightest].fills == level && links_[tightest].growing > 0) fill(tightest);
    }
    if (!next_step()) break;
    for (const std::uint32_t at : steps_[step_]) {
      if (links_[at].listed != step_) continue;  // It had to be put into an earlier one.
      links_[at].listed = kNowhere;
      if (links_[at].fills < 1) put(at);
    }
    steps_[step_].clear();
  }
  // So far those that are slowed now; then those that no longer are.
  const std::size_t slowed = affected_.size();
  for (const std::uint32_t at : group.slowed) {
    Flow& flow = flows_[at];
    if (flow.group != number || fixed_in_[at] == round_) continue;
    flow.share = 1;
    flow.group = kNoGroup;
    affected_.push_back(at);
  }
  group.slowed.assign(affected_.begin(), affected_.begin() + static_cast<std::ptrdiff_t>(slowed));
  for (const std::uint32_t at : group.slowed) flows_[at].group = number;
  if (group.links.empty()) {
    group = {};
    free_groups_.push_back(number);
  }
  return affected_;
}

std::vector<double> max_min_shares(std::span<const std::vector<LinkUse>> flows,
                                   std::span<const double> capacities) {
  FairShares all(capacities);
  for (std::uint32_t flow = 0; flow < flows.size(); ++flow) all.add(flow, flows[flow]);
  all.settle();
  std::vector<double> shares;
  for (std::uint32_t flow = 0; flow < flows.size(); ++flow) shares.push_back(all.share(flow));
  return shares;
}

}  // namespace gw::physics
