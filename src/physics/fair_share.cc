// All flows grow alike until a link is full; those on it stay, the others grow on.
#include "physics/fair_share.h"

#include <algorithm>

#include "base/check.h"

namespace gw::physics {

std::vector<double> max_min_shares(std::span<const std::vector<LinkUse>> flows,
                                   std::span<const double> capacities) {
  struct Link {
    double growing = 0;  ///< Load of the flows that are not fixed yet, at full speed.
    double fixed = 0;    ///< What the others put on it.
    std::vector<std::uint32_t> flows;
  };
  std::vector<Link> links(capacities.size());
  for (std::size_t flow = 0; flow < flows.size(); ++flow) {
    for (const LinkUse& use : flows[flow]) {
      GW_CHECK(use.load > 0 && use.link < links.size());
      links[use.link].growing += use.load;
      links[use.link].flows.push_back(static_cast<std::uint32_t>(flow));
    }
  }
  std::vector<double> shares(flows.size(), 1);
  std::vector<bool> fixed(flows.size());
  while (true) {
    // The next link to fill; of equal ones the first.
    std::size_t tightest = links.size();
    double level = 1;
    for (std::size_t at = 0; at < links.size(); ++at) {
      const Link& link = links[at];
      if (link.flows.empty() || link.growing <= 0) continue;
      const double fills = std::max(0.0, capacities[at] - link.fixed) / link.growing;
      if (fills < level) {
        level = fills;
        tightest = at;
      }
    }
    if (tightest == links.size()) return shares;
    for (const std::uint32_t flow : links[tightest].flows) {
      if (fixed[flow]) continue;
      fixed[flow] = true;
      shares[flow] = level;
      for (const LinkUse& use : flows[flow]) {
        links[use.link].growing -= use.load;
        links[use.link].fixed += use.load * level;
      }
    }
    links[tightest].flows.clear();
    links[tightest].growing = 0;
  }
}

}  // namespace gw::physics
