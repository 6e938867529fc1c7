// Caps of feeds: set, ended, in force when their time comes; and what the engine is told of clocks.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

#include "base/check.h"
#include "live/controller.h"
#include "live/feed_view.h"
#include "live/time_text.h"
#include "sched/codec.h"
#include "spec/power_text.h"

namespace gw::live {
namespace {

constexpr std::size_t kMostCaps = 10'000;

const Actor kItself{"", "gigawerk", Role::kAdmin, TenantTree::root(), ""};

}  // namespace

Reply Controller::order_cap(const Command& command, const CapOrder& what) {
  if (what.remove != 0) return remove_cap(command, what.remove);
  Reply reply;
  reply.ticket = command.ticket;
  const auto refuse = [&](unsigned status, std::string code, std::string message) {
    reply.refusal = Refusal{status, std::move(code), std::move(message)};
    return reply;
  };
  const sched::PowerTree& power = book_.core->state().power;
  if (!power.tracked())
    return refuse(409, "no_power",
                  "nothing is known of this factory's power: its fleet file has no sites, or node types "
                  "without power_max");
  const std::optional<Fleet::FeedAt> feed = book_.fleet.find_feed(what.feed);
  if (!feed)
    return refuse(404, "unknown_feed",
                  fmt::format("there is no feed {}, or more than one ends so; see gw cap list", what.feed));
  const sched::FeedId id{feed->level, feed->vertex};
  const Milliwatts built = power.built_cap(id);
  if (what.cap.count() <= 0 || what.cap > sched::kMostPower)
    return refuse(422, "bad_cap", "a cap is more than 0 W and at most 1 TW");
  if (built.count() > 0 && what.cap > built)
    return refuse(422, "bad_cap",
                  fmt::format("{} is built for {} of IT power; a cap is not more than that", what.feed,
                              spec::power_text(built)));
  if (what.until <= std::max(what.from, book_.now))
    return refuse(422, "bad_cap", "it would be over before it begins");
  if (book_.caps.size() >= kMostCaps)
    return refuse(429, "too_many_caps", fmt::format("there are {} caps; clear some first", kMostCaps));
  CapRecord record;
  record.id = book_.next_cap++;
  record.feed = book_.fleet.feed_name(feed->level, feed->vertex);
  record.cap = what.cap;
  record.from = std::max(what.from, book_.now);
  record.until = what.until;
  record.reason = what.reason;
  record.by = command.actor.user;
  record.made = book_.now;
  const std::string until =
      record.until == Instant::max() ? std::string() : " to " + time_text(book_.unix_ns(record.until));
  audit(command.actor, "cap.set", record.feed,
        fmt::format("cap {}: {} from {}{}{}{}", record.id, spec::power_text(record.cap),
                    time_text(book_.unix_ns(record.from)), until, record.reason.empty() ? "" : ": ",
                    record.reason),
        TenantTree::root());
  turn_.changes.caps.push_back(record);
  reply.number = record.id;
  book_.caps.emplace(record.id, LiveCap{std::move(record), feed});
  caps_due_ = book_.now;
  return reply;
}

Reply Controller::remove_cap(const Command& command, std::uint32_t id) {
  Reply reply;
  reply.ticket = command.ticket;
  const auto at = book_.caps.find(id);
  if (at == book_.caps.end()) {
    reply.refusal = Refusal{404, "unknown_cap", fmt::format("there is no cap {} that is not over", id)};
    return reply;
  }
  CapRecord& record = at->second.record;
  record.over = true;
  audit(command.actor, "cap.clear", record.feed, fmt::format("cap {}: {}", id, spec::power_text(record.cap)),
        TenantTree::root());
  if (at->second.feed) caps_changed_.insert({at->second.feed->level, at->second.feed->vertex});
  std::erase_if(turn_.changes.caps, [&](const CapRecord& known) { return known.id == id; });
  turn_.changes.caps.push_back(record);
  book_.caps.erase(at);
  caps_due_ = book_.now;
  reply.number = id;
  reply.count = 1;
  return reply;
}

void Controller::load_caps(const std::vector<CapRecord>& caps, std::vector<std::string>& notes) {
  const sched::PowerTree& power = book_.core->state().power;
  for (const CapRecord& record : caps) {
    book_.next_cap = record.id + 1;
    if (record.over) continue;
    LiveCap cap{record, power.tracked() ? book_.fleet.find_feed(record.feed) : std::nullopt};
    if (!cap.feed)
      notes.push_back(
          fmt::format("cap {} is of the feed {}, which this fleet does not have", record.id, record.feed));
    book_.caps.emplace(record.id, std::move(cap));
  }
  if (!power.tracked()) return;
  // A changed fleet may have taken caps along that were over, or left out some that are not.
  for (std::uint32_t level = 0; level < power.levels(); ++level) {
    for (std::uint32_t vertex = 0; vertex < power.vertices(level); ++vertex) {
      const sched::FeedId feed{level, vertex};
      if (power.cap(feed) != power.built_cap(feed)) caps_changed_.insert(feed);
    }
  }
  caps_due_ = book_.now;
}

void Controller::settle_caps() {
  if (book_.now < caps_due_) return;
  caps_due_ = Instant::max();
  std::set<sched::FeedId> feeds = std::exchange(caps_changed_, {});
  for (auto at = book_.caps.begin(); at != book_.caps.end();) {
    CapRecord& record = at->second.record;
    if (at->second.feed) feeds.insert({at->second.feed->level, at->second.feed->vertex});
    if (record.until > book_.now) {
      caps_due_ = std::min(caps_due_, record.from > book_.now ? record.from : record.until);
      ++at;
      continue;
    }
    record.over = true;
    audit(kItself, "cap.end", record.feed, fmt::format("cap {}: its time is over", record.id),
          TenantTree::root());
    turn_.changes.caps.push_back(record);
    at = book_.caps.erase(at);
  }
  for (const sched::FeedId feed : feeds) {
    const sched::PowerTree& power = book_.core->state().power;
    const Milliwatts cap = cap_at(book_, feed, book_.now);
    if (power.cap(feed) == cap) continue;
    audit(kItself, "cap.change", book_.fleet.feed_name(feed.level, feed.vertex),
          cap.count() == 0 ? std::string("not limited") : spec::power_text(cap), TenantTree::root());
    apply(sched::Event::feed_cap(feed.level, feed.vertex, cap, options_.clocks));
  }
}

void Controller::tell_clocks() {
  const sched::State& state = book_.core->state();
  if (!state.power.limited() || state.clocks_allowed == options_.clocks) return;
  const sched::FeedId feed{state.power.levels() - 1, 0};
  apply(sched::Event::feed_cap(feed.level, feed.vertex, state.power.cap(feed), options_.clocks));
}

void Controller::tell_prices() {
  constexpr std::int64_t kDays = 15;  // Deadlines further away are rare; the last hour holds from then on.
  const sched::State& state = book_.core->state();
  if (!state.power.tracked()) return;
  const std::int64_t day_ns = days(1).count();
  const std::int64_t into_day = book_.origin_unix_ns % day_ns;
  const std::int64_t today = (book_.now.count() + into_day) / day_ns;
  const Instant until = Instant{(today + kDays) * day_ns - into_day};
  std::map<sched::FeedId, PriceCurve> wanted;
  if (options_.energy.shift) {
    for (const SiteEnergy& site : options_.energy.energy) {
      const auto steps = [&](const EnergyCurve& curve) {
        PriceCurve all = curve.daily.empty() ? PriceCurve{} : curve.expand(Nanoseconds{into_day}, until);
        const auto past = std::find_if(all.begin(), all.end(), [&](const PriceStep& step) {
          return step.from.count() > today * day_ns - into_day;
        });
        if (past != all.begin()) all.erase(all.begin(), past - 1);
        return all;
      };
      PriceCurve curve = priced_curve(steps(site.price), steps(site.carbon), options_.energy.euros_per_tonne);
      if (!curve.empty()) wanted[{site.level, site.vertex}] = std::move(curve);
    }
  }
  std::set<sched::FeedId> feeds;
  for (const auto& [feed, curve] : state.prices.curves()) feeds.insert(feed);
  for (const auto& [feed, curve] : wanted) feeds.insert(feed);
  for (const sched::FeedId feed : feeds) {
    const PriceCurve* known = state.prices.find(feed);
    const auto at = wanted.find(feed);
    const PriceCurve curve = at == wanted.end() ? PriceCurve{} : at->second;
    if (known == nullptr ? curve.empty() : *known == curve) continue;
    apply(sched::Event::feed_price(feed.level, feed.vertex, curve));
  }
  prices_due_ = wanted.empty() ? Instant::max() : Instant{(today + 1) * day_ns - into_day};
}

ClockLimit Controller::clock_limit(const LiveJob& job) const {
  const sched::Job& core_job = *book_.core->job(job.record.core);
  ClockLimit limit;
  limit.id = job.attempt->id;
  limit.permille = core_job.clock;
  limit.limit = core_job.expected_end - core_job.started;
  limit.gpu_type = job.attempt->gpu_type;
  Orders::Start order = start_order(job);
  limit.nodes = std::move(order.launch.nodes);
  const std::uint32_t index = book_.core->state().pools[core_job.placement.pool]->gpu_type();
  if (index == NodeType::kNoGpu || job.record.gpu_milli == 0) return limit;
  const GpuType& type = book_.fleet.gpu_types[index];
  limit.speed_permille = type.speed_permille(core_job.clock);
  if (type.power_max.count() <= 0) return limit;
  limit.gpu_free_watts = type.power_max.count() / 1000;
  // Those that share a GPU have a part of its power each; its limit is that of all of them.
  const std::int64_t draws = job.request.shape.gpu_milli > 0 ? 1000 : job.request.power_permille;
  const std::int64_t share = core_job.clock >= 1000 ? 1'000'000 : draws * core_job.clock;
  const std::int64_t above = (type.power_max - type.power_idle).count() / 1000;
  limit.gpu_watts = std::max<std::int64_t>((type.power_idle.count() + above * (share / 1000)) / 1000, 1);
  return limit;
}

void Controller::end_powerless() {
  for (const std::uint64_t number : std::exchange(powerless_, {})) {
    LiveJob* job = book_.job(number);
    if (job == nullptr) continue;
    const bool cancelled = job->record.requeue;
    if (job->record.state == JobState::kRunning) {  // In another place, where it was never told to begin.
      job->record.stopping = cancelled;
      hear(lost(*job, std::string(kNoPower)));
    } else if (job->record.state == JobState::kWaiting) {
      withdraw(*job);
      end_job(*job, cancelled ? Outcome::kCancelled : Outcome::kLost,
              cancelled ? std::string() : std::string(kNoPower) + "; it may not be run again");
    }
  }
}

void Controller::note_ending(const LiveJob& job) {
  ByteReader bytes(job.attempt->placement);
  const sched::Placement placement = sched::decode_placement(bytes);
  const sched::State& state = book_.core->state();
  std::vector<EndingPower::Part> parts;
  for (const sched::Piece& piece : placement.pieces) {
    const auto gpus = static_cast<std::uint32_t>(std::popcount(piece.gpu_mask));
    for (std::uint32_t node = piece.node; node < piece.node + piece.count; ++node) {
      const std::uint32_t at = state.fleet_node(placement, node).value();
      parts.push_back({at, state.power.increment(at, job.request, gpus, job.clock)});
    }
  }
  book_.ending.add(job.attempt->id, std::move(parts));
}

void Controller::note_unmet(bool planned) {
  const sched::PowerTree& power = book_.core->state().power;
  const bool all = std::exchange(feeds_unknown_, false);
  if (!power.tracked()) return;
  bool changed = false;
  const auto over = [&](sched::FeedId feed) {
    return power.draw(feed).count() + book_.ending.below(power, feed).count() > power.limit(feed);
  };
  const auto note = [&](std::string_view action, sched::FeedId feed, std::string_view why) {
    changed = true;
    audit(kItself, std::string(action), book_.fleet.feed_name(feed.level, feed.vertex),
          fmt::format("it draws {}, its cap is {}{}",
                      spec::power_text(power.draw(feed) + book_.ending.below(power, feed)),
                      spec::power_text(power.cap(feed)), why),
          TenantTree::root());
  };
  const auto look = [&](sched::FeedId feed) {
    if (!over(feed) || !book_.unmet.try_emplace(feed, book_.now).second) return;
    note("cap.unmet", feed,
         power.over(feed) ? ": what idles there draws more" : ": jobs that were stopped have not ended yet");
  };
  if (all) {
    for (std::uint32_t level = 0; level < power.levels(); ++level) {
      for (std::uint32_t vertex = 0; vertex < power.vertices(level); ++vertex) look({level, vertex});
    }
  } else if (planned) {  // Whatever else draws more has been looked at before.
    for (const sched::FeedId feed : power.touched()) look(feed);
  }
  for (auto at = book_.unmet.begin(); at != book_.unmet.end();) {
    if (over(at->first)) {
      ++at;
      continue;
    }
    if (power.cap(at->first).count() > 0) {
      note("cap.met", at->first, "");
    } else {
      changed = true;  // Limited no more, of which cap.change has told.
    }
    at = book_.unmet.erase(at);
  }
  if (!changed) return;
  std::string kept;
  for (const auto& [feed, since] : book_.unmet)
    kept += fmt::format("{} {}\n", since.count(), book_.fleet.feed_name(feed.level, feed.vertex));
  turn_.changes.settings.emplace_back(kUnmetCaps, std::move(kept));
}

void Controller::load_unmet(const std::string& kept) {
  if (!book_.core->state().power.tracked()) return;
  for (std::string_view rest = kept; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::size_t space = std::min(line.find(' '), line.size());
    std::int64_t since = 0;
    std::from_chars(line.data(), line.data() + space, since);
    const auto feed = book_.fleet.find_feed(line.substr(std::min(space + 1, line.size())));
    if (feed) book_.unmet.try_emplace({feed->level, feed->vertex}, Instant{since});
  }
}

void Controller::set_clocks(const sched::Plan& plan) {
  for (const sched::Plan::Clock& clock : plan.clocks) {
    LiveJob* job = book_.job_of(clock.job);
    GW_CHECK(job != nullptr && job->attempt);
    job->clock = book_.core->job(clock.job)->clock;
    turn_.orders.clocks.push_back(clock_limit(*job));
  }
}

void Controller::recall_clocks() {
  if (!book_.core->state().power.tracked()) return;
  for (auto& [number, job] : book_.jobs) {
    if (job.record.state != JobState::kRunning) continue;
    const sched::Job& core_job = *book_.core->job(job.record.core);
    job.clock = core_job.clock;
    const bool stretched = core_job.expected_end > core_job.started + job.request.limit;
    if (core_job.clock < 1000 || stretched) turn_.orders.clocks.push_back(clock_limit(job));
  }
}

}  // namespace gw::live
