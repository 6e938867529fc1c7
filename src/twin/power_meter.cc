// The integrals over time of every feed's draw and cap.
#include "twin/power_meter.h"

#include <algorithm>

namespace gw::twin {
namespace {

constexpr double kMegawatt = 1e9;  // In mW.

}  // namespace

PowerMeter::PowerMeter(const Fleet& fleet, const PowerSchedule& schedule)
    : fleet_(&fleet), schedule_(&schedule) {
  for (const SiteEnergy& site : schedule.energy)
    accounts_.push_back({&site, site.price.expand(Nanoseconds{0}, schedule.energy_until),
                         site.carbon.expand(Nanoseconds{0}, schedule.energy_until)});
}

/// The feed's levels held until `until`.
void PowerMeter::span(Feed& feed, Instant until, bool is_top) {
  const std::int64_t ns = (until - feed.since).count();
  if (ns <= 0) return;
  feed.energy += Int128{feed.draw} * ns;
  if (feed.account >= 0) {
    Account& account = accounts_[static_cast<std::size_t>(feed.account)];
    const double kwh = static_cast<double>(feed.draw) * static_cast<double>(ns) / 3.6e18 * account.site->pue;
    account.kwh += kwh;
    if (!account.price.empty()) account.micro_euros += kwh * mean_price(account.price, feed.since, until);
    if (!account.carbon.empty()) account.milligrams += kwh * mean_price(account.carbon, feed.since, until);
  }
  feed.peak = std::max(feed.peak, feed.draw);
  if (feed.cap != 0) {
    feed.cap_energy += Int128{feed.cap} * ns;
    feed.capped_ns += ns;
    feed.lowest_cap = feed.lowest_cap == 0 ? feed.cap : std::min(feed.lowest_cap, feed.cap);
    if (feed.draw > feed.cap) {
      feed.above_ns += ns;
      if (feed.above_since == Instant::max()) feed.above_since = feed.since;
      feed.longest_above_ns = std::max(feed.longest_above_ns, (until - feed.above_since).count());
    } else {
      feed.peak_share =
          std::max(feed.peak_share, static_cast<double>(feed.draw) / static_cast<double>(feed.cap));
    }
  }
  if (feed.cap == 0 || feed.draw <= feed.cap) feed.above_since = Instant::max();
  if (is_top) {
    series_.integrate_channel(feed.since, until, 0, feed.draw);
    series_.integrate_channel(feed.since, until, 1, feed.cap);
  }
  feed.since = until;
}

void PowerMeter::run_to(Feed& feed, Instant now, bool is_top) {
  if (feed.later_at <= now) {
    span(feed, feed.later_at, is_top);
    feed.draw = feed.later;
    feed.later_at = Instant::max();
  }
  span(feed, now, is_top);
}

void PowerMeter::advance(Instant now, const sched::PowerTree& power, bool ordered) {
  if (!power.tracked()) return;
  const auto update = [&](sched::FeedId id) {
    Feed& feed = feeds_[id.level][id.vertex];
    const bool is_top = id.level + 1 == feeds_.size();
    run_to(feed, now, is_top);
    const std::int64_t draw = power.draw(id).count();
    feed.cap = power.cap(id).count();
    feed.bound = feed.bound || (feed.cap != 0 && power.worst(id).count() > feed.cap);
    if (ordered && draw < feed.draw && schedule_->delay > Nanoseconds{0}) {
      feed.later = draw;
      feed.later_at = now + schedule_->delay;
    } else if (feed.later_at != Instant::max()) {
      feed.later = draw;
      feed.draw = std::max(feed.draw, draw);
    } else {
      feed.draw = draw;
    }
  };
  if (!started_) {
    started_ = true;
    begin_ = now;
    series_.start(now);
    for (std::uint32_t level = 0; level < power.levels(); ++level) {
      feeds_.emplace_back(power.vertices(level));
      for (std::uint32_t vertex = 0; vertex < power.vertices(level); ++vertex) {
        feeds_[level][vertex].since = now;
        for (std::size_t index = 0; index < accounts_.size(); ++index) {
          if (accounts_[index].site->level == level && accounts_[index].site->vertex == vertex)
            feeds_[level][vertex].account = static_cast<std::int32_t>(index);
        }
        update({level, vertex});
      }
    }
    return;
  }
  for (const sched::FeedId id : power.touched()) update(id);
}

EnergySummary PowerMeter::energy(Instant end) {
  EnergySummary summary;
  for (const Account& account : accounts_) {
    summary.priced = summary.priced || !account.price.empty();
    summary.carbon = summary.carbon || !account.carbon.empty();
  }
  if (!started_ || end <= begin_) return summary;
  for (std::vector<Feed>& level : feeds_) {
    for (Feed& feed : level) {
      if (feed.account >= 0) run_to(feed, std::max(end, feed.since), &level == &feeds_.back());
    }
  }
  for (const Account& account : accounts_) {
    EnergySummary::Site& site = summary.sites.emplace_back();
    site.name = fleet_->sites[account.site->vertex].name;
    site.mwh = account.kwh / 1000;
    site.euros = account.micro_euros * 1e-6;
    site.tonnes = account.milligrams * 1e-9;
    summary.mwh += site.mwh;
    summary.euros += site.euros;
    summary.tonnes += site.tonnes;
  }
  return summary;
}

PowerSummary PowerMeter::summarize(Instant end) {
  PowerSummary summary;
  summary.reaction_s = to_seconds(schedule_->reaction);
  if (!started_ || end <= begin_) return summary;
  std::vector<sched::FeedId> bound;
  for (auto level = static_cast<std::uint32_t>(feeds_.size()); level-- > 0;) {  // The largest first.
    for (std::uint32_t vertex = 0; vertex < feeds_[level].size(); ++vertex) {
      Feed& feed = feeds_[level][vertex];
      run_to(feed, std::max(end, feed.since), level + 1 == feeds_.size());
      if (level + 1 == feeds_.size()) summary.energy_mwh += static_cast<double>(feed.energy) / 3.6e21;
      if (feed.bound) bound.push_back({level, vertex});
    }
  }
  summary.limited = !bound.empty();
  summary.limited_feeds = bound.size();
  for (const sched::FeedId id : bound) {
    const Feed& feed = feeds_[id.level][id.vertex];
    summary.longest_above_s =
        std::max(summary.longest_above_s, static_cast<double>(feed.longest_above_ns) * 1e-9);
    if (feed.longest_above_ns > schedule_->reaction.count()) ++summary.late_feeds;
  }
  // All of the large ones; of many small ones those that came nearest to their caps.
  constexpr std::size_t kMostRows = 64;
  if (bound.size() > kMostRows) {
    std::stable_sort(bound.begin(), bound.end(), [&](sched::FeedId a, sched::FeedId b) {
      const Feed& first = feeds_[a.level][a.vertex];
      const Feed& second = feeds_[b.level][b.vertex];
      if (first.longest_above_ns != second.longest_above_ns)
        return first.longest_above_ns > second.longest_above_ns;
      return a.level != b.level ? a.level > b.level : first.peak_share > second.peak_share;
    });
    bound.resize(kMostRows);
    std::sort(bound.begin(), bound.end(), [](sched::FeedId a, sched::FeedId b) {
      return a.level != b.level ? a.level > b.level : a.vertex < b.vertex;
    });
  }
  const auto run_ns = static_cast<double>((end - begin_).count());
  for (const sched::FeedId id : bound) {
    const Feed& feed = feeds_[id.level][id.vertex];
    FeedSummary& row = summary.feeds.emplace_back();
    row.name = fleet_->feed_name(id.level, id.vertex);
    row.level = fleet_->feed[id.level].partition.level;
    row.mean_mw = static_cast<double>(feed.energy) / run_ns / kMegawatt;
    row.peak_mw = static_cast<double>(feed.peak) / kMegawatt;
    const auto capped_ns = static_cast<double>(feed.capped_ns);
    row.cap_mean_mw = capped_ns > 0 ? static_cast<double>(feed.cap_energy) / capped_ns / kMegawatt : 0;
    row.cap_min_mw = static_cast<double>(feed.lowest_cap) / kMegawatt;
    row.peak_share = feed.peak_share;
    row.above_share = static_cast<double>(feed.above_ns) / run_ns;
    row.longest_above_s = static_cast<double>(feed.longest_above_ns) * 1e-9;
  }
  summary.series_begin_s = to_seconds(series_.origin());
  summary.series_width_s = to_seconds(series_.width());
  for (std::size_t bin = 0; bin < series_.bins().size(); ++bin) {
    const Instant from = series_.origin() + series_.width() * static_cast<std::int64_t>(bin);
    const auto ns = static_cast<double>((std::min(from + series_.width(), end) - from).count());
    if (ns <= 0) break;
    summary.draw_mw.push_back(series_.bins()[bin][0] / ns / kMegawatt);
    summary.cap_mw.push_back(series_.bins()[bin][1] / ns / kMegawatt);
  }
  return summary;
}

}  // namespace gw::twin
