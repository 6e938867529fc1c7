// Max-min fair shares of links that flows cross together, by progressive filling.
#pragma once

#include <array>
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
/// once.
[[nodiscard]] std::vector<double> max_min_shares(std::span<const std::vector<LinkUse>> flows,
                                                 std::span<const double> capacities);

/// The same while flows come and go. A change costs what stands on the links that could not carry all at full
/// speed and hang together with those that it touches, or did a few changes ago; where there is none, only
/// the changed flow's own links. The shares are those of the flows that are there, bit for bit, whatever came
/// and went before.
class FairShares {
 public:
  explicit FairShares(std::span<const double> capacities);

  /// `order`: loads are added up by it; no two flows have the same. `uses` names each link once. The flow's
  /// number, which is free again once it is removed; its share is 1 until settle().
  std::uint32_t add(std::uint32_t order, std::vector<LinkUse> uses);
  void remove(std::uint32_t flow);

  /// After all that came and went since the last time; the flows whose share may be another than before, in
  /// no order. Valid until the next call. Time: the uses of links, and for each of them a look at where its
  /// link will be full.
  const std::vector<std::uint32_t>& settle();

  [[nodiscard]] double share(std::uint32_t flow) const { return flows_[flow].share; }
  [[nodiscard]] std::uint32_t order(std::uint32_t flow) const { return flows_[flow].order; }
  [[nodiscard]] std::span<const LinkUse> uses(std::uint32_t flow) const { return flows_[flow].uses; }
  /// Ascending by order.
  [[nodiscard]] std::span<const std::uint32_t> on_link(std::uint32_t link) const { return on_link_[link]; }

 private:
  static constexpr std::uint32_t kSteps = 1024;  ///< Of the full speed: links that fill in one are sorted.
  static constexpr std::uint32_t kNowhere = kSteps;
  static constexpr std::uint32_t kNoGroup = ~0U;
  static constexpr std::uint32_t kTrusted =
      8;  ///< Changes of a group until it is looked at whether it falls apart.

  struct Flow {
    std::vector<LinkUse> uses;
    double share = 1;
    std::uint32_t order = 0;
    std::uint32_t group = kNoGroup;  ///< Among the slowed of which it is.
  };
  struct Link {
    double capacity = 0;
    double load = 0;     ///< Of all flows at full speed, as last added up.
    double growing = 0;  ///< Load of the flows that are not fixed yet, at full speed.
    double fixed = 0;    ///< What the others put on it.
    double fills = 1;    ///< At which part of full speed it will be full; 1 = it will not be.
    std::uint32_t group = kNoGroup;
    std::uint32_t listed = kNowhere;  ///< In which step; that in which it fills, or an earlier one.
    bool noted = false;               ///< Another flow of it is fixed: `fills` is to be computed anew.
    bool changed = false;             ///< Its flows are others than when its load was added up.
    bool full = false;                ///< It cannot carry all of them at full speed.
  };
  /// Links that are full, and all that hang together with them: no flow crosses full links of two groups.
  /// What has fallen apart meanwhile may still be in one, which costs time and changes no share.
  struct Group {
    std::vector<std::uint32_t> links;
    std::vector<std::uint32_t> slowed;  ///< Flows whose share is less than 1, and some that have left.
    std::uint32_t changes = 0;          ///< Since it was looked at as a whole.
  };

  void change(std::uint32_t link);
  [[nodiscard]] double added_up(std::uint32_t link) const;
  std::uint32_t affected_group();
  void join(std::uint32_t group);
  std::uint32_t new_group();
  void part(std::uint32_t group);
  void fill(std::uint32_t link);
  void note(std::uint32_t link);
  void put(std::uint32_t link);
  bool next_step();

  std::vector<Link> links_;
  std::vector<std::vector<std::uint32_t>> on_link_;  ///< By link.
  std::vector<Flow> flows_;
  std::vector<std::uint32_t> free_;
  std::vector<Group> groups_;
  std::vector<std::uint32_t> free_groups_;

  std::uint32_t round_ = 1;
  // By number, apart from the rest: what is asked for most, and mostly to be passed over.
  std::vector<std::uint32_t> touched_in_;  ///< By link: the round in which part() came by.
  std::vector<std::uint32_t> seen_in_;     ///< By flow: the same,
  std::vector<std::uint32_t> fixed_in_;    ///< and that in which its share was found to be less than 1.

  // Of one settle(), kept for their memory.
  std::vector<std::uint32_t> changed_;
  std::vector<std::uint32_t> affected_;
  std::vector<std::uint32_t> joined_;
  std::vector<std::uint32_t> reached_;
  std::vector<std::uint32_t> noted_;
  std::array<std::vector<std::uint32_t>, kSteps> steps_;  ///< Links that fill in it or later.
  std::array<std::uint64_t, kSteps / 64> in_use_{};       ///< A bit for each step that has some.
  std::uint32_t step_ = 0;
  /// Those that fill in this step: the next is in front, of equal ones the first. What a link was known by
  /// before it changed is passed over when it comes.
  std::vector<std::pair<double, std::uint32_t>> next_;
};

}  // namespace gw::physics
