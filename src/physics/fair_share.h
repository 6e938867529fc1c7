// Max-min fair shares of links that flows cross together, by progressive filling.
#pragma once

#include <cstdint>
#include <span>
#include <utility>
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
/// once. Time: the uses of links, times the logarithm of their number.
[[nodiscard]] std::vector<double> max_min_shares(std::span<const std::vector<LinkUse>> flows,
                                                 std::span<const double> capacities);

/// The same, again and again: it keeps its memory.
class ShareSearch {
 public:
  /// The uses of flow i are those from `first[i]` to before `first[i + 1]`; `first` has one more than there
  /// are flows. Valid until the next call.
  const std::vector<double>& shares(std::span<const LinkUse> uses, std::span<const std::uint32_t> first,
                                    std::span<const double> capacities);

 private:
  struct Link {
    double growing = 0;                ///< Load of the flows that are not fixed yet, at full speed.
    double fixed = 0;                  ///< What the others put on it.
    double fills = 1;                  ///< At which part of full speed it will be full; 1 = it will not be.
    std::uint32_t first = 0, end = 0;  ///< Its flows, in on_link_.
    bool changed = false;
  };
  void note(std::uint32_t link, double capacity);

  std::vector<Link> links_;
  std::vector<std::uint32_t> on_link_;
  /// The next link to fill is in front, of equal ones the first. What a link was known by before it changed
  /// is passed over when it comes.
  std::vector<std::pair<double, std::uint32_t>> next_;
  std::vector<double> shares_;
  std::vector<char> is_fixed_;
  std::vector<std::uint32_t> changed_;
};

}  // namespace gw::physics
