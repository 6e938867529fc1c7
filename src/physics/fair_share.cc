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
  touched_in_[at] = round_;
  touched_.push_back(at);
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
  flows_[flow] = {std::move(uses), 1, order};
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

void FairShares::find_affected() {
  for (std::size_t next = 0; next < touched_.size(); ++next) {  // Grows meanwhile.
    const std::uint32_t at = touched_[next];
    Link& link = links_[at];
    const bool was_full = link.full;
    if (std::exchange(link.changed, false)) {
      link.load = added_up(at);
      link.full = link.load > link.capacity;
    }
    if (link.full) {
      full_.push_back(at);
      link.growing = link.load;
      link.fixed = 0;
      link.listed = kNowhere;
    } else if (!was_full) {
      continue;
    }
    for (const std::uint32_t number : on_link_[at]) {
      if (std::exchange(seen_in_[number], round_) == round_) continue;
      affected_.push_back(number);
      flows_[number].share = 1;
      for (const LinkUse& use : flows_[number].uses) {
        if (std::exchange(touched_in_[use.link], round_) != round_) touched_.push_back(use.link);
      }
    }
  }
  touched_.clear();
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
  if (touched_.empty()) return affected_;
  full_.clear();
  find_affected();
  step_ = 0;
  for (const std::uint32_t link : full_) note(link);
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
  ++round_;
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
