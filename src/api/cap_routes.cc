// Power: how feeds stand, and the caps that are set and cleared.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "api/api.h"
#include "api/bodies.h"
#include "api/body_times.h"
#include "live/feed_view.h"
#include "live/time_text.h"
#include "spec/json_record.h"
#include "spec/power_text.h"

namespace gw::api {
namespace {

constexpr std::size_t kMostFeeds = 10'000;

double watts(Milliwatts power) { return static_cast<double>(power.count()) / 1000; }
Json watts_or_null(Milliwatts power) { return power.count() == 0 ? Json(nullptr) : Json(watts(power)); }

Json feed_json(const live::Book& book, const live::FeedStanding& feed) {
  Json json;
  json["feed"] = feed.name;
  json["level"] = feed.level;
  json["pue"] = feed.pue;
  json["rating_w"] = watts_or_null(feed.rating);
  json["cap_w"] = watts_or_null(feed.cap);
  json["draw_w"] = watts(feed.draw);
  json["ending_w"] = watts(feed.ending);
  json["headroom_w"] = feed.cap.count() == 0 ? Json(nullptr) : Json(watts(feed.cap - feed.draw));
  json["nameplate_w"] = watts(feed.worst);
  json["nodes_dark"] = feed.dark;
  json["jobs_slowed"] = feed.slowed;
  const std::string_view because = live::unmet_because(feed);
  json["met"] = because.empty();
  if (!because.empty()) {
    json["because"] = because;
    json["unmet_since"] = live::time_text(book.unix_ns(feed.unmet_since));
  }
  return json;
}

Json cap_json(const live::Book& book, const live::CapRecord& record, Instant now) {
  Json json;
  json["id"] = fmt::format("{}", record.id);
  json["feed"] = record.feed;
  json["cap_w"] = watts(record.cap);
  json["from"] = live::time_text(book.unix_ns(record.from));
  json["until"] =
      record.until == Instant::max() ? Json(nullptr) : Json(live::time_text(book.unix_ns(record.until)));
  json["active"] = record.from <= now && now < record.until;
  json["reason"] = record.reason;
  json["by"] = record.by;
  json["made"] = live::time_text(book.unix_ns(record.made));
  return json;
}

std::expected<live::CapOrder, live::Refusal> order_of(const live::Book& book, const CapBody& body,
                                                      Instant now) {
  const auto refuse = [](std::string message) {
    return std::unexpected(live::Refusal{422, "bad_cap", std::move(message)});
  };
  live::CapOrder order;
  order.feed = body.feed;
  order.reason = body.reason;
  const std::expected<Instant, std::string> from = begin_in_body(book, body.from, now);
  if (!from) return refuse(from.error());
  order.from = *from;
  if (!body.until.empty() && body.length > Nanoseconds{0}) return refuse("give `until` or `for`, not both");
  if (body.length > Nanoseconds{0}) order.until = order.from + body.length;
  if (!body.until.empty()) {
    const std::expected<Instant, std::string> until = time_in_body(book, "until", body.until, now);
    if (!until) return refuse(until.error());
    order.until = *until;
  }
  const std::optional<Fleet::FeedAt> feed =
      book.core->state().power.tracked() ? book.fleet.find_feed(body.feed) : std::nullopt;
  if (!feed) return order;  // Refused with what is wrong.
  const std::expected<Milliwatts, live::Refusal> cap =
      live::cap_asked(book, {feed->level, feed->vertex}, body.cap, body.percent);
  if (!cap) return std::unexpected(cap.error());
  order.cap = *cap;
  return order;
}

/// What people should know of a cap that has been set.
Json warnings_of(const live::Book& book, const live::CapRecord& record) {
  Json warnings = Json::array();
  const std::optional<Fleet::FeedAt> feed = book.fleet.find_feed(record.feed);
  if (!feed) return warnings;
  const sched::PowerTree& power = book.core->state().power;
  std::int64_t idle = 0;
  for (std::uint32_t node = power.begin({feed->level, feed->vertex});
       node < power.end({feed->level, feed->vertex}); ++node)
    idle += book.fleet.type_of(NodeId{node}).power_idle.count();
  if (idle > record.cap.count())
    warnings.push_back(
        fmt::format("the idle nodes under {} draw {}, more than the cap of {}: it cannot be met", record.feed,
                    spec::power_text(Milliwatts{idle}), spec::power_text(record.cap)));
  return warnings;
}

}  // namespace

void Api::list_caps(Call call) {
  const std::string level = call.text("level");
  Json json;
  bool known = true;
  options_.factory->read([&](const live::Book& book) {
    known =
        level.empty() || std::any_of(book.fleet.feed.begin(), book.fleet.feed.end(),
                                     [&](const FeedLevel& each) { return each.partition.level == level; });
    const Instant now = std::max(book.now, options_.factory->now());
    json["clocks"] = options_.factory->options().clocks;
    json["feeds"] = Json::array();
    for (const live::FeedStanding& feed : live::feed_standings(book, level, kMostFeeds))
      json["feeds"].push_back(feed_json(book, feed));
    json["caps"] = Json::array();
    for (const auto& [id, cap] : book.caps) json["caps"].push_back(cap_json(book, cap.record, now));
  });
  if (!known) return call.refuse({404, "unknown_level", fmt::format("no feed is of the level {}", level)});
  call.answer(json);
}

void Api::set_cap(Call call) {
  spec::Checked<CapBody> body = spec::parse_json<CapBody>(call.request.body, "cap");
  if (!body) return call.refuse({422, "bad_body", spec::diagnostics_text(body.error())});
  std::expected<live::CapOrder, live::Refusal> order = options_.factory->read([&](const live::Book& book) {
    return order_of(book, *body, std::max(book.now, options_.factory->now()));
  });
  if (!order) return call.refuse(order.error());
  ask(std::move(call), std::move(*order), [this](const Call& each, const live::Reply& reply) {
    std::optional<Json> json = options_.factory->read([&](const live::Book& book) -> std::optional<Json> {
      const auto at = book.caps.find(static_cast<std::uint32_t>(reply.number));
      if (at == book.caps.end() || !at->second.feed) return std::nullopt;
      const live::CapRecord& record = at->second.record;
      return Json{{"cap", cap_json(book, record, book.now)},
                  {"feed", feed_json(book, live::feed_standing(
                                               book, {at->second.feed->level, at->second.feed->vertex}))},
                  {"warnings", warnings_of(book, record)}};
    });
    if (!json) return each.refuse({409, "cleared", "it has been cleared meanwhile"});
    each.answer(*json, 201);
  });
}

void Api::clear_cap(Call call) {
  const std::string text = call.parameters.text("cap");
  live::CapOrder order;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), order.remove);
  if (error != std::errc() || end != text.data() + text.size() || order.remove == 0)
    return call.refuse({404, "unknown_cap", fmt::format("there is no cap {}", text)});
  ask(std::move(call), std::move(order),
      [](const Call& each, const live::Reply&) { each.answer({{"count", 1}}); });
}

}  // namespace gw::api
