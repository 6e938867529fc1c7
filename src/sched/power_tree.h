// PowerTree: what each feed carries now, what its nodes could come to draw, and its cap.
//
// The predicted draw of a node is its idle power while it is up, and for each job on it a part of what lies
// between idle and nameplate. `draw` of a feed is the sum over its nodes. `reach` is the sum with every node
// that may take new work counted at its nameplate: while reach is within the cap, whatever starts there, the
// feed stays within it, and no start needs a look at the feeds. Nodes for which there is no power left are
// *dark*: nothing new starts on them, and they count with what they draw. See docs/policies.md, "Power".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "model/fleet.h"
#include "model/job.h"
#include "sched/bitmap.h"

namespace gw::sched {

/// A feed: a vertex of one level of Fleet::feed.
struct FeedId {
  std::uint32_t level = 0;
  std::uint32_t vertex = 0;
  friend auto operator<=>(const FeedId&, const FeedId&) = default;
};

class PowerTree {
 public:
  static constexpr std::uint32_t kFull = 1000;  ///< Thousandths: all of its clocks, or of its power.

  /// All nodes are up, idle, lit and have room.
  explicit PowerTree(const Fleet& fleet);

  /// Does the fleet have feeds and nodes that draw power? If not, nothing else here may be called.
  [[nodiscard]] bool tracked() const { return !levels_.empty(); }
  /// Is there a feed that could ever be above its cap? If not, no node is ever dark.
  [[nodiscard]] bool limited() const { return limited_feeds_ > 0; }

  [[nodiscard]] std::uint32_t levels() const { return static_cast<std::uint32_t>(levels_.size()); }
  [[nodiscard]] std::uint32_t vertices(std::uint32_t level) const {
    return static_cast<std::uint32_t>(levels_[level].draw.size());
  }
  /// 0 = not limited.
  [[nodiscard]] Milliwatts cap(FeedId feed) const { return Milliwatts{levels_[feed.level].cap[feed.vertex]}; }
  [[nodiscard]] Milliwatts draw(FeedId feed) const {
    return Milliwatts{levels_[feed.level].draw[feed.vertex]};
  }
  [[nodiscard]] Milliwatts reach(FeedId feed) const {
    return Milliwatts{levels_[feed.level].reach[feed.vertex]};
  }
  /// What the jobs that claim nodes below it will add to its draw there, beyond what now leaves for them.
  [[nodiscard]] Milliwatts promised(FeedId feed) const {
    return Milliwatts{levels_[feed.level].promised[feed.vertex]};
  }
  /// Its cap in the fleet.
  [[nodiscard]] Milliwatts built_cap(FeedId feed) const {
    return Milliwatts{levels_[feed.level].built_cap[feed.vertex]};
  }
  /// Its nodes at nameplate.
  [[nodiscard]] Milliwatts worst(FeedId feed) const {
    return Milliwatts{levels_[feed.level].worst[feed.vertex]};
  }
  [[nodiscard]] std::uint32_t begin(FeedId feed) const { return levels_[feed.level].first[feed.vertex]; }
  [[nodiscard]] std::uint32_t end(FeedId feed) const { return levels_[feed.level].first[feed.vertex + 1]; }
  [[nodiscard]] bool over(FeedId feed) const { return draw(feed).count() > limit(feed); }
  /// What the cap leaves beside the draw; far more than anyone draws where there is none.
  [[nodiscard]] std::int64_t limit(FeedId feed) const {
    const std::int64_t cap = levels_[feed.level].cap[feed.vertex];
    return cap == 0 ? kUnlimited : cap;
  }
  void set_cap(FeedId feed, Milliwatts cap);

  /// What `gpus` GPUs of one node (or, without GPUs, its share of the node's CPU) add to the node's draw at
  /// `clock` thousandths of its power; rounded up once.
  [[nodiscard]] std::int64_t increment(std::uint32_t node, const JobRequest& request, std::uint32_t gpus,
                                       std::uint32_t clock) const;

  /// Nodes [first, last) of the fleet: each gains `load` (perhaps negative). Call `set_room` after it where
  /// their room may have changed.
  void add_load(std::uint32_t first, std::uint32_t last, std::int64_t load, int slowed);
  /// Whether the node has GPUs (or CPU) left for more work, and whether nothing runs on it.
  void set_room(std::uint32_t node, bool room, bool whole);
  void set_up(std::uint32_t node, bool up);
  void set_closed(std::uint32_t node, bool closed);
  void set_dark(std::uint32_t node, bool dark);
  /// A job with a reservation will add so much; 0 = none.
  void set_floor(std::uint32_t node, std::int64_t load);

  /// A job claims the node and will add so much, once those have left that it waits for.
  void set_claim(std::uint32_t node, std::int64_t load);
  void end_claim(std::uint32_t node);
  /// Those who are to leave the node for that draw so much more there, or less; whoever else is there stays.
  void add_leaving(std::uint32_t node, std::int64_t load);

  [[nodiscard]] bool is_dark(std::uint32_t node) const { return (flags_[node] & kDark) != 0; }
  [[nodiscard]] bool is_up(std::uint32_t node) const { return (flags_[node] & kUp) != 0; }
  [[nodiscard]] bool is_closed(std::uint32_t node) const { return (flags_[node] & kClosed) != 0; }
  [[nodiscard]] bool is_whole(std::uint32_t node) const { return (flags_[node] & kWhole) != 0; }
  [[nodiscard]] bool has_room(std::uint32_t node) const { return (flags_[node] & kRoom) != 0; }
  [[nodiscard]] std::uint32_t nodes() const { return static_cast<std::uint32_t>(type_of_.size()); }
  [[nodiscard]] std::vector<std::uint32_t> dark_nodes() const;
  [[nodiscard]] std::int64_t load(std::uint32_t node) const { return load_[node]; }
  [[nodiscard]] std::int64_t claim(std::uint32_t node) const { return claim_[node]; }
  [[nodiscard]] std::int64_t leaving(std::uint32_t node) const { return leaving_[node]; }
  [[nodiscard]] std::int64_t range(std::uint32_t node) const { return types_[type_of_[node]].range; }
  [[nodiscard]] std::uint32_t leaf(std::uint32_t node) const { return leaf_[node]; }
  [[nodiscard]] std::uint32_t parent(FeedId feed) const { return levels_[feed.level].parent[feed.vertex]; }

  /// Feeds whose reach (draw) has come above their cap since they were last taken, in order. They may have
  /// come down again.
  std::vector<FeedId> take_over_reach();
  std::vector<FeedId> take_over_draw();
  [[nodiscard]] bool none_over() const { return over_reach_.empty() && over_draw_.empty(); }
  /// The lit node with room from the end of the feed that should go dark next; Bitmap::kNone if there is
  /// none. `spare` tells nodes that are to be taken last.
  template <class Spared>
  [[nodiscard]] std::uint32_t next_to_darken(FeedId feed, Spared&& spared) const {
    for (const Bitmap* nodes : {&whole_, &part_}) {
      for (std::uint32_t node = last_in(*nodes, feed); node != Bitmap::kNone;
           node = before(*nodes, feed, node))
        if (!spared(node)) return node;
    }
    const std::uint32_t node = last_in(whole_, feed);
    return node != Bitmap::kNone ? node : last_in(part_, feed);
  }
  /// The first dark node that all feeds above it have the power for; Bitmap::kNone if there is none (or none
  /// within a bounded search).
  [[nodiscard]] std::uint32_t next_to_light() const;

  /// Feeds whose draw or cap has changed since `forget_touched`, for those who measure.
  [[nodiscard]] const std::vector<FeedId>& touched() const { return touched_; }
  void forget_touched();

  /// Recounts all sums from the nodes up; empty if they are right.
  [[nodiscard]] std::string check() const;

 private:
  static constexpr std::int64_t kUnlimited = INT64_MAX / 4;
  enum Flag : std::uint8_t { kUp = 1, kClosed = 2, kDark = 4, kRoom = 8, kWhole = 16 };
  struct Type {
    std::int64_t idle = 0;
    std::int64_t range = 0;  ///< From idle to nameplate.
    std::int64_t gpus = 0;
    std::int64_t cpu_milli = 0;
  };
  struct Level {
    std::vector<std::uint32_t> first;
    std::vector<std::uint32_t> parent;  ///< Of the next level; empty for the last.
    std::vector<std::int64_t> built_cap, cap, draw, reach, promised, worst;
    std::vector<std::int64_t> least;  ///< Range of its least hungry node: below that nothing can be lit.
    std::vector<std::uint32_t>
        candidates;                     ///< Dark nodes with room (lowest level), or children with the bit.
    std::vector<std::uint32_t> slowed;  ///< Node by job entries below full clocks.
    std::vector<std::uint8_t> marks;
    Bitmap lightable;  ///< Something below it could be lit, as far as it and all below it know.
  };
  enum Mark : std::uint8_t { kOverReach = 1, kOverDraw = 2, kTouched = 4, kLimited = 8 };
  struct Shift {
    std::int64_t draw = 0;
    std::int64_t reach = 0;
    std::int64_t promised = 0;
    std::int64_t dark = 0;
    std::int64_t slowed = 0;
  };
  [[nodiscard]] std::int64_t draw_of(std::uint32_t node) const;
  [[nodiscard]] std::int64_t reach_of(std::uint32_t node) const;
  [[nodiscard]] std::int64_t promised_of(std::uint32_t node) const;
  [[nodiscard]] bool lights_up(std::uint32_t node) const {
    return (flags_[node] & (kUp | kClosed | kDark | kRoom)) == (kUp | kDark | kRoom);
  }
  [[nodiscard]] bool takes_work(std::uint32_t node) const {
    return (flags_[node] & (kUp | kClosed | kDark | kRoom)) == (kUp | kRoom);
  }
  /// Applies `change` to the node and to all sums above it.
  template <class Change>
  void alter(std::uint32_t node, Change&& change);
  void list(std::uint32_t node);
  void shift(std::uint32_t leaf, const Shift& by);
  void settle(FeedId feed);
  void count_limited(FeedId feed);
  [[nodiscard]] static std::uint32_t last_in(const Bitmap& nodes, const Level& level, std::uint32_t vertex);
  [[nodiscard]] std::uint32_t last_in(const Bitmap& nodes, FeedId feed) const;
  [[nodiscard]] std::uint32_t before(const Bitmap& nodes, FeedId feed, std::uint32_t node) const;
  [[nodiscard]] bool has_power_for(std::uint32_t node) const;

  std::vector<Type> types_;
  std::vector<std::uint16_t> type_of_;
  std::vector<Level> levels_;
  std::vector<std::uint32_t> leaf_;  ///< Vertex of the lowest level, by node.
  std::vector<std::int64_t> load_;   ///< Sum of the increments of the jobs on a node.
  std::vector<std::int64_t> floor_, claim_, leaving_;
  std::vector<std::uint8_t> flags_;
  Bitmap whole_;  ///< Nodes that take work and on which nothing runs.
  Bitmap part_;   ///< Other nodes that take work.
  std::uint32_t limited_feeds_ = 0;
  std::vector<FeedId> over_reach_, over_draw_, touched_;
};

}  // namespace gw::sched
