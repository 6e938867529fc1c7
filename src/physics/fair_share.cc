// All flows grow alike until a link is full; those on it stay, the others grow on.
#include "physics/fair_share.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace gw::physics {

void ShareSearch::note(std::uint32_t at, double capacity) {
  Link& link = links_[at];
  link.fills = link.growing > 0 ? std::max(0.0, capacity - link.fixed) / link.growing : 1;
  if (link.fills >= 1) return;
  next_.emplace_back(link.fills, at);
  std::push_heap(next_.begin(), next_.end(), std::greater<>());
}

const std::vector<double>& ShareSearch::shares(std::span<const LinkUse> uses,
                                               std::span<const std::uint32_t> first,
                                               std::span<const double> capacities) {
  GW_CHECK(!first.empty() && first.back() == uses.size());
  const auto flows = static_cast<std::uint32_t>(first.size() - 1);
  links_.assign(capacities.size(), {});
  for (const LinkUse& use : uses) {
    GW_CHECK(use.load > 0 && use.link < links_.size());
    links_[use.link].growing += use.load;
    ++links_[use.link].end;
  }
  std::uint32_t begin = 0;
  for (Link& link : links_) {
    link.first = begin;
    begin += std::exchange(link.end, begin);
  }
  on_link_.resize(uses.size());
  for (std::uint32_t flow = 0; flow < flows; ++flow) {
    for (std::uint32_t at = first[flow]; at < first[flow + 1]; ++at)
      on_link_[links_[uses[at].link].end++] = flow;
  }
  next_.clear();
  for (std::uint32_t at = 0; at < links_.size(); ++at) note(at, capacities[at]);

  shares_.assign(flows, 1);
  is_fixed_.assign(flows, 0);
  while (!next_.empty()) {
    const auto [level, tightest] = next_.front();
    std::pop_heap(next_.begin(), next_.end(), std::greater<>());
    next_.pop_back();
    if (links_[tightest].fills != level || links_[tightest].growing <= 0) continue;
    changed_.clear();
    for (std::uint32_t at = links_[tightest].first; at < links_[tightest].end; ++at) {
      const std::uint32_t flow = on_link_[at];
      if (std::exchange(is_fixed_[flow], 1) != 0) continue;
      shares_[flow] = level;
      for (std::uint32_t use = first[flow]; use < first[flow + 1]; ++use) {
        Link& link = links_[uses[use].link];
        link.growing -= uses[use].load;
        link.fixed += uses[use].load * level;
        if (!std::exchange(link.changed, true)) changed_.push_back(uses[use].link);
      }
    }
    links_[tightest].growing = 0;
    for (const std::uint32_t at : changed_) {
      links_[at].changed = false;
      note(at, capacities[at]);
    }
  }
  return shares_;
}

std::vector<double> max_min_shares(std::span<const std::vector<LinkUse>> flows,
                                   std::span<const double> capacities) {
  std::vector<LinkUse> uses;
  std::vector<std::uint32_t> first{0};
  for (const std::vector<LinkUse>& flow : flows) {
    uses.insert(uses.end(), flow.begin(), flow.end());
    first.push_back(static_cast<std::uint32_t>(uses.size()));
  }
  return ShareSearch().shares(uses, first, capacities);
}

}  // namespace gw::physics
