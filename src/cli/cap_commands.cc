// `gw cap`: what feeds may carry.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "cli/time_values.h"
#include "report/text.h"
#include "spec/unit_text.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

struct CapOptions {
  std::string feed, value, from, until, length, reason, level;
  std::vector<std::uint32_t> ids;
};

std::string power_of(const Json& watts) {
  return watts.is_number() ? power_text(watts.get<double>() * 1000) : std::string("-");
}

/// `8 MW`, `800kW`, `75%`.
Result<void> add_value(Json& body, const std::string& text) {
  if (text.ends_with('%')) {
    const std::optional<double> percent = spec::parse_number(text.substr(0, text.size() - 1));
    if (percent && *percent > 0 && *percent <= 100) {
      body["percent"] = *percent;
      return {};
    }
  } else if (const std::optional<double> power = spec::parse_amount(text, spec::Unit::kMilliwatts);
             power && *power >= 1) {
    body["cap"] = text;
    return {};
  }
  return fail(
      fmt::format("{} is no cap; write 8MW, 800kW, 700W, or 75% of what the feed was built for", text));
}

/// Why a feed draws more than its cap, as one line; empty where it does not.
std::string unmet_text(const Json& feed) {
  if (feed.value("met", true)) return {};
  const double over = -feed.at("headroom_w").get<double>() * 1000;
  return fmt::format("{} draws {} above its cap, since {}: {}\n",
                     report::printable_name(feed.value("feed", "")), power_text(over),
                     feed.value("unmet_since", ""),
                     feed.value("because", "") == "ending"
                         ? "jobs that were stopped are saving their work"
                         : "what idles there draws more by itself, which nothing but power off can lower");
}

std::string when_text(const Json& cap) {
  const std::string until = cap.at("until").is_string() ? cap.value("until", "") : std::string();
  return fmt::format("{}{}", cap.value("from", ""), until.empty() ? "" : " to " + until);
}

Result<ExitCode> set(const AppContext& context, const CapOptions& options, bool json,
                     Connection& connection) {
  Json body{{"feed", options.feed}};
  if (const Result<void> added = add_value(body, options.value); !added) {
    print_error(context, added.error().message);
    return ExitCode::usage;
  }
  for (const auto& [key, text] : {std::pair{"from", &options.from}, std::pair{"until", &options.until},
                                  std::pair{"for", &options.length}, std::pair{"reason", &options.reason}}) {
    if (!text->empty()) body[key] = *text;
  }
  const std::expected<Json, client::Failure> answer = connection.post("/v1/caps", body);
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  const Json& cap = answer->at("cap");
  const Json& feed = answer->at("feed");
  fmt::print("cap {}: {} may carry {} of IT power, {}{}\n", cap.value("id", ""),
             report::printable_name(cap.value("feed", "")), power_of(cap.at("cap_w")),
             cap.value("active", false) ? "now, from " : "from ", when_text(cap));
  if (cap.value("active", false)) {
    fmt::print("it draws {}", power_of(feed.at("draw_w")));
    if (const int slowed = feed.value("jobs_slowed", 0); slowed > 0)
      fmt::print("; {} job(s) run at capped clocks", slowed);
    fmt::print("\n{}", unmet_text(feed));
  }
  for (const Json& warning : answer->at("warnings"))
    fmt::print("{}\n", report::printable_name(warning.get<std::string>()));
  return ExitCode::ok;
}

Result<ExitCode> list(const AppContext& context, const CapOptions& options, bool json,
                      Connection& connection) {
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/caps" + (options.level.empty() ? "" : "?level=" + client::escaped(options.level)));
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  if (answer->at("feeds").empty()) {
    fmt::print(
        "nothing is known of this factory's power: its fleet file has no sites, or node types without "
        "power_max\n");
    return ExitCode::ok;
  }
  TextTable feeds("lrrrrrr");
  feeds.add({"FEED", "RATING", "CAP", "DRAW", "HEADROOM", "DARK", "SLOWED"});
  for (const Json& each : answer->at("feeds")) {
    const Json& headroom = each.at("headroom_w");
    const bool below = headroom.is_number() && headroom.get<double>() < 0;
    feeds.add({report::printable_name(each.value("feed", "")), power_of(each.at("rating_w")),
               power_of(each.at("cap_w")), power_of(each.at("draw_w")),
               below ? "-" + power_text(-headroom.get<double>() * 1000) : power_of(headroom),
               fmt::format("{}", each.value("nodes_dark", 0)),
               fmt::format("{}", each.value("jobs_slowed", 0))});
  }
  fmt::print("{}", feeds.text());
  for (const Json& each : answer->at("feeds")) fmt::print("{}", unmet_text(each));
  if (answer->at("caps").empty()) return ExitCode::ok;
  TextTable caps("llrlll");
  caps.add({"ID", "FEED", "CAP", "FROM", "UNTIL", "REASON"});
  for (const Json& each : answer->at("caps"))
    caps.add({each.value("id", "") + (each.value("active", false) ? " *" : ""),
              report::printable_name(each.value("feed", "")), power_of(each.at("cap_w")),
              each.value("from", ""), each.at("until").is_string() ? each.value("until", "") : "-",
              report::printable_name(each.value("reason", ""))});
  fmt::print("\n{}", caps.text());
  return ExitCode::ok;
}

Result<ExitCode> clear(const AppContext& context, const CapOptions& options, bool json,
                       Connection& connection) {
  std::vector<std::string> ids;
  for (const std::uint32_t id : options.ids) ids.push_back(fmt::format("{}", id));
  if (!options.feed.empty()) {
    const std::expected<Json, client::Failure> answer = connection.get("/v1/caps");
    if (!answer) return report_failure(context, answer.error());
    for (const Json& each : answer->at("caps")) {
      const std::string feed = each.value("feed", "");
      if (feed == options.feed || feed.ends_with("/" + options.feed)) ids.push_back(each.value("id", ""));
    }
    if (ids.empty()) {
      print_error(context, fmt::format("no cap is set for {}", options.feed));
      return kNotFound;
    }
  }
  if (ids.empty()) {
    print_error(context, "name a feed, or caps by --id");
    return ExitCode::usage;
  }
  for (const std::string& id : ids) {
    const std::expected<Json, client::Failure> answer = connection.remove("/v1/caps/" + id);
    if (!answer) return report_failure(context, answer.error());
    if (!json) fmt::print("cap {} is cleared\n", id);
  }
  if (json) fmt::print("{}\n", json_out(Json{{"cleared", ids}}));
  return ExitCode::ok;
}

}  // namespace

void add_cap_commands(CLI::App& app, AppContext& context) {
  CLI::App* cap = app.add_subcommand("cap", "See and set what feeds may carry");
  cap->group(kGroupOperate);
  {
    auto options = std::make_shared<CapOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = cap->add_subcommand(
        "list", "Feeds with their rating, cap, predicted draw and headroom (IT power); caps, * = in force");
    command->add_option("--level", options->level, "Only feeds of this level: site, hall, row, rack")
        ->type_name("LEVEL");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      return list(context, *options, access->json, connection);
    });
  }
  {
    auto options = std::make_shared<CapOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = cap->add_subcommand("set", "Cap a feed, from now on or for a time");
    command->add_option("FEED", options->feed, "Path of a site, hall, row or rack, or its end")
        ->required()
        ->type_name("FEED");
    command
        ->add_option("CAP", options->value,
                     "8MW, 800kW (of a site facility power, else IT power), or 75% of what it was built for")
        ->required()
        ->type_name("CAP");
    command
        ->add_option("--from", options->from, "When it begins: time or date (UTC), or now+4h (default: now)")
        ->check(moment())
        ->type_name("TIME");
    CLI::Option* until =
        command->add_option("--until", options->until, "When it ends, likewise (default: when it is cleared)")
            ->check(moment())
            ->type_name("TIME");
    command->add_option("--for", options->length, "How long it lasts: 90min, 4h, 2d")
        ->check(span())
        ->type_name("TIME")
        ->excludes(until);
    command->add_option("--reason", options->reason, "For people")->type_name("TEXT");
    add_server_options(*command, *access);
    command->footer(
        "Of caps at the same time the lowest holds. One below the draw is met at once: clocks are capped "
        "where "
        "the engine\ncan, starts wait, and as few jobs as needed are stopped and wait again: preemptible "
        "ones "
        "first, but others\ntoo, for a cap is physics. gw watch --event cap tells when it is met.\n\n"
        "Examples:\n"
        "  gw cap set munich 8MW --reason \"grid: amber phase\"\n"
        "  gw cap set munich/hall-2 75% --from 2026-12-01T17:00:00Z --for 2h");
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      return set(context, *options, access->json, connection);
    });
  }
  {
    auto options = std::make_shared<CapOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = cap->add_subcommand("clear", "End caps: all of a feed, or by their numbers");
    command->add_option("FEED", options->feed, "All that are set for it, also those to come")
        ->type_name("FEED");
    command->add_option("--id", options->ids, "This one; may be given again")
        ->check(whole_number(1, 4'000'000'000))
        ->type_name("N");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      return clear(context, *options, access->json, connection);
    });
  }
  cap->require_subcommand(1);
}

}  // namespace gw
