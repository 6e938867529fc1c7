// Max-min fair shares of links that flows cross together, by progressive filling.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace gw::physics {

/// What a flow at its full speed puts on one link.
struct LinkUse {
  std::uint32_t link = 0;
  double load = 0;  ///< > 0, in the unit of the capacities.
};

/// The part of its full speed that each flow gets, in [0, 1]: no link carries more than its capacity, and a
/// flow that gets less than 1 crosses a full link on which no flow gets a larger part (Bertsekas and
/// Gallager, Data Networks, section 6.5.2, with the flows' loads as weights). `flows[i]` names each link
/// once. Time: links x (links that fill), each flow is fixed once.
[[nodiscard]] std::vector<double> max_min_shares(std::span<const std::vector<LinkUse>> flows,
                                                 std::span<const double> capacities);

}  // namespace gw::physics
