// Caps, sums and names of the feed tree.
#include "live/feed_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace gw::live {
namespace {

void count_slowed(const Book& book, std::vector<FeedStanding>& feeds) {
  const sched::State& state = book.core->state();
  const sched::PowerTree& power = state.power;
  std::map<sched::FeedId, std::uint32_t> jobs;
  for (const JobId id : state.slowed) {
    const sched::Job& job = state.jobs[id];
    std::set<sched::FeedId> above;
    for (const sched::Piece& piece : job.placement.pieces) {
      for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
        sched::FeedId feed{0, power.leaf(state.fleet_node(job.placement, node).value())};
        while (above.insert(feed).second && feed.level + 1 < power.levels())
          feed = {feed.level + 1, power.parent(feed)};
      }
    }
    for (const sched::FeedId feed : above) ++jobs[feed];
  }
  for (FeedStanding& feed : feeds) {
    const auto at = jobs.find(feed.id);
    if (at != jobs.end()) feed.slowed = at->second;
  }
}

}  // namespace

Milliwatts cap_at(const Book& book, sched::FeedId feed, Instant when, const std::vector<LiveCap>& more) {
  Milliwatts cap = book.core->state().power.built_cap(feed);
  bool instead = false;
  const auto consider = [&](const LiveCap& each) {
    const CapRecord& record = each.record;
    if (!each.feed || each.feed->level != feed.level || each.feed->vertex != feed.vertex ||
        when < record.from || when >= record.until)
      return false;
    cap = cap.count() == 0 ? record.cap : std::min(cap, record.cap);
    return true;
  };
  for (const LiveCap& each : more) instead = consider(each) || instead;
  if (instead) return cap;
  for (const auto& [id, each] : book.caps) consider(each);
  return cap;
}

std::vector<CapChange> cap_changes(const Book& book, Instant now, const std::vector<LiveCap>& more) {
  std::set<std::pair<Instant, sched::FeedId>> moments;
  const auto add = [&](const LiveCap& each) {
    if (!each.feed) return;
    for (const Instant when : {each.record.from, each.record.until}) {
      if (when > now && when != Instant::max())
        moments.emplace(when, sched::FeedId{each.feed->level, each.feed->vertex});
    }
  };
  for (const auto& [id, each] : book.caps) add(each);
  for (const LiveCap& each : more) add(each);
  std::vector<CapChange> changes;
  for (const auto& [when, feed] : moments) changes.push_back({when, feed, cap_at(book, feed, when, more)});
  return changes;
}

FeedStanding feed_standing(const Book& book, sched::FeedId feed) {
  const sched::PowerTree& power = book.core->state().power;
  const FeedLevel& level = book.fleet.feed[feed.level];
  FeedStanding standing;
  standing.id = feed;
  standing.name = book.fleet.feed_name(feed.level, feed.vertex);
  standing.level = level.partition.level;
  if (standing.level == "site" && feed.vertex < book.fleet.sites.size())
    standing.pue = book.fleet.sites[feed.vertex].pue;
  standing.rating = power.built_cap(feed);
  standing.cap = power.cap(feed);
  standing.ending = book.ending.below(power, feed);
  standing.draw = power.draw(feed) + standing.ending;
  standing.idle = power.over(feed);
  if (const auto unmet = book.unmet.find(feed); unmet != book.unmet.end())
    standing.unmet_since = unmet->second;
  standing.worst = power.worst(feed);
  if (power.limited()) {
    for (std::uint32_t node = power.begin(feed); node < power.end(feed); ++node)
      standing.dark += power.is_dark(node);
  }
  return standing;
}

std::string_view unmet_because(const FeedStanding& feed) {
  if (feed.unmet_since == Instant::max()) return {};
  return feed.idle ? "idle" : "ending";
}

std::vector<FeedStanding> feed_standings(const Book& book, std::string_view level, std::size_t most) {
  std::vector<FeedStanding> standings;
  const sched::PowerTree& power = book.core->state().power;
  if (!power.tracked()) return standings;
  std::vector<sched::FeedId> feeds, capped;
  for (std::uint32_t at = power.levels(); at-- > 0;) {
    if (!level.empty() && book.fleet.feed[at].partition.level != level) continue;
    for (std::uint32_t vertex = 0; vertex < power.vertices(at); ++vertex) {
      const sched::FeedId feed{at, vertex};
      const bool first = power.cap(feed) != power.built_cap(feed) || book.unmet.contains(feed);
      (first ? capped : feeds).push_back(feed);
    }
  }
  if (capped.size() < most) feeds.resize(std::min(feeds.size(), most - capped.size()));
  if (capped.size() >= most) feeds.clear(), capped.resize(most);
  feeds.insert(feeds.end(), capped.begin(), capped.end());
  std::sort(feeds.begin(), feeds.end(), [](sched::FeedId a, sched::FeedId b) {
    return a.level != b.level ? a.level > b.level : a.vertex < b.vertex;
  });
  for (const sched::FeedId feed : feeds) standings.push_back(feed_standing(book, feed));
  count_slowed(book, standings);
  return standings;
}

std::expected<Milliwatts, Refusal> cap_asked(const Book& book, sched::FeedId feed, Milliwatts power,
                                             double percent) {
  const auto refuse = [](std::string message) {
    return std::unexpected(Refusal{422, "bad_cap", std::move(message)});
  };
  if ((power.count() > 0) == (percent > 0))
    return refuse("say what the feed may carry: `cap` (8 MW) or `percent` of what it was built for");
  const FeedStanding standing = feed_standing(book, feed);
  if (percent > 0) {
    if (standing.rating.count() == 0)
      return refuse(
          fmt::format("{} has no capacity of which it could be a part; give it in watts", standing.name));
    return Milliwatts{std::max<std::int64_t>(
        std::llround(static_cast<double>(standing.rating.count()) * percent / 100), 1)};
  }
  return Milliwatts{
      std::max<std::int64_t>(std::llround(std::floor(static_cast<double>(power.count()) / standing.pue)), 1)};
}

}  // namespace gw::live
