// FeedStanding: how a feed of a live factory stands: what it was built for, its cap now, and its predicted
// draw.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "live/book.h"
#include "live/commands.h"
#include "sched/power_tree.h"

namespace gw::live {

struct FeedStanding {
  sched::FeedId id;
  std::string name;
  std::string level;
  double pue = 1;     ///< Of a site, else 1: facility power is IT power times it.
  Milliwatts rating;  ///< What it was built for; 0 = not limited. This and all below is IT power.
  Milliwatts cap;     ///< Now; 0 = not limited.
  Milliwatts draw;    ///< Predicted, with what is ending.
  Milliwatts ending;  ///< Of it: of jobs that were stopped for want of power and have not ended yet.
  bool idle = false;  ///< What cannot be stopped, or would be already, draws more than the cap by itself.
  Instant unmet_since = Instant::max();  ///< Since when it draws more than its cap; max: it does not.
  Milliwatts worst;                      ///< All its nodes at nameplate.
  std::uint32_t dark = 0;                ///< Nodes on which nothing new may start for want of power.
  std::uint32_t slowed = 0;              ///< Jobs on its nodes whose clocks are capped.
};

/// The cap of a feed at a time: the lowest of those that are set for it, and never more than it was built
/// for; 0 = not limited. While one of `more` holds for the feed, it stands in place of those that are set for
/// it.
[[nodiscard]] Milliwatts cap_at(const Book& book, sched::FeedId feed, Instant when,
                                const std::vector<LiveCap>& more = {});

/// All feeds, or those of one level, the largest parts first; at most `most` of them, rather those that have
/// caps, or draw more than they may. Empty where nothing is known of the factory's power.
[[nodiscard]] std::vector<FeedStanding> feed_standings(const Book& book, std::string_view level,
                                                       std::size_t most);
[[nodiscard]] FeedStanding feed_standing(const Book& book, sched::FeedId feed);
/// Why a feed draws more than its cap: `idle` (what idles there does), `ending` (jobs that were stopped have
/// not ended yet); empty: it does not.
[[nodiscard]] std::string_view unmet_because(const FeedStanding& feed);

/// A change of a feed's cap that is known to come.
struct CapChange {
  Instant when;
  sched::FeedId feed;
  Milliwatts cap;  ///< 0 = not limited.
};
/// What the caps that are set will do after `now`, in order of time; `more` as cap_at has it.
[[nodiscard]] std::vector<CapChange> cap_changes(const Book& book, Instant now,
                                                 const std::vector<LiveCap>& more = {});

/// The cap that somebody asks for, as IT power: `power` (of a site facility power, as its `grid`; 0: not
/// given) or `percent` of what the feed was built for.
[[nodiscard]] std::expected<Milliwatts, Refusal> cap_asked(const Book& book, sched::FeedId feed,
                                                           Milliwatts power, double percent);

}  // namespace gw::live
