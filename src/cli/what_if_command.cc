// `gw whatif`: the factory beside the same factory with something changed.
#include <fmt/format.h>

#include <charconv>
#include <memory>

#include "cli/commands.h"
#include "cli/job_values.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "cli/what_if_page.h"
#include "files/output_file.h"
#include "model/policy.h"
#include "report/text.h"
#include "spec/job_text.h"
#include "spec/unit_text.h"

namespace gw {
namespace {

using client::Json;

struct Options {
  std::vector<std::string> drain, add_nodes, weights, quotas, caps;
  std::string policy, horizon = "24h", arrivals = "history", html;
  std::uint32_t members = 10, seed = 1;
};

std::optional<std::uint32_t> whole(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

/// `TYPE:COUNT`, `TYPE:COUNT@SITE`.
Result<Json> more_nodes(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::size_t at = text.find('@', colon == std::string::npos ? 0 : colon);
  const std::optional<std::uint32_t> count =
      colon == std::string::npos
          ? std::nullopt
          : whole(std::string_view(text).substr(colon + 1, at == std::string::npos ? at : at - colon - 1));
  if (!count || colon == 0 || at == text.size() - 1)
    return fail(fmt::format("--add-nodes {}: write TYPE:COUNT or TYPE:COUNT@SITE, such as dgx-h100:4", text));
  Json json{{"type", text.substr(0, colon)}, {"count", *count}};
  if (at != std::string::npos) json["site"] = text.substr(at + 1);
  return json;
}

/// `TENANT=W`.
Result<Json> weight(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  const std::optional<std::uint32_t> number =
      equals == std::string::npos ? std::nullopt : whole(std::string_view(text).substr(equals + 1));
  if (!number || equals == 0)
    return fail(fmt::format("--weight {}: write TENANT=WEIGHT, such as org/project=3", text));
  return Json{{"tenant", text.substr(0, equals)}, {"weight", *number}};
}

/// `TENANT=GPUS`.
Result<Json> quota(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  const std::optional<double> gpus =
      equals == std::string::npos ? std::nullopt : spec::parse_number(text.substr(equals + 1));
  if (!gpus || *gpus < 0 || equals == 0)
    return fail(fmt::format("--quota {}: write TENANT=GPUS, such as org/project=64", text));
  return Json{{"tenant", text.substr(0, equals)}, {"gpus", *gpus}};
}

/// `FEED=VALUE`, `FEED=VALUE@FROM..UNTIL`; either end may be left out.
Result<Json> cap(const std::string& text) {
  const std::string wrong = fmt::format(
      "--cap {}: write FEED=8MW, FEED=75%, or FEED=8MW@2026-12-01T17:00:00Z..2026-12-01T19:00:00Z", text);
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return fail(wrong);
  Json json{{"feed", text.substr(0, equals)}};
  const std::size_t at = text.find('@', equals);
  const std::string value = text.substr(equals + 1, at == std::string::npos ? at : at - equals - 1);
  if (value.ends_with('%')) {
    const std::optional<double> percent = spec::parse_number(value.substr(0, value.size() - 1));
    if (!percent || *percent <= 0 || *percent > 100) return fail(wrong);
    json["percent"] = *percent;
  } else {
    const std::optional<double> power = spec::parse_amount(value, spec::Unit::kMilliwatts);
    if (!power || *power < 1) return fail(wrong);
    json["cap"] = value;
  }
  if (at == std::string::npos) return json;
  const std::string times = text.substr(at + 1);
  const std::size_t dots = times.find("..");
  if (dots == std::string::npos) return fail(wrong);
  if (dots > 0) json["from"] = times.substr(0, dots);
  if (dots + 2 < times.size()) json["until"] = times.substr(dots + 2);
  return json;
}

Result<Json> body_of(const Options& options) {
  Json body = Json::object();
  if (!options.drain.empty()) body["drain"] = options.drain;
  for (const std::string& text : options.add_nodes) {
    Result<Json> more = more_nodes(text);
    if (!more) return more;
    body["add_nodes"].push_back(std::move(*more));
  }
  for (const std::string& text : options.weights) {
    Result<Json> one = weight(text);
    if (!one) return one;
    body["weights"].push_back(std::move(*one));
  }
  for (const std::string& text : options.quotas) {
    Result<Json> one = quota(text);
    if (!one) return one;
    body["quotas"].push_back(std::move(*one));
  }
  for (const std::string& text : options.caps) {
    Result<Json> one = cap(text);
    if (!one) return one;
    body["caps"].push_back(std::move(*one));
  }
  if (!options.policy.empty()) body["policy"] = options.policy;
  if (whole(options.horizon))  // Hours, minutes? As everywhere, a span has a unit.
    return fail(fmt::format("--horizon {0}: write a unit: {0}min, {0}h or {0}d", options.horizon));
  const Result<Nanoseconds> horizon = parse_job_time(options.horizon);
  if (!horizon) return fail(fmt::format("--horizon {}: {}", options.horizon, horizon.error().message));
  body["horizon"] = spec::span_text(*horizon);
  body["members"] = options.members;
  body["arrivals"] = options.arrivals;
  body["seed"] = options.seed;
  return body;
}

void print_shifts(const char* title, const Json& shifts, double horizon_s) {
  if (shifts.empty()) return;
  fmt::print("\n{}\n", title);
  for (const Json& shift : shifts) fmt::print("  {}\n", report::printable_name(shift_text(shift, horizon_s)));
}

/// Megawatts against cap.
void print_feeds(const Json& feeds) {
  if (feeds.empty()) return;
  TextTable table("lrrrrrrr");
  table.add({"FEED", "MEAN", "CHANGED", "PEAK", "CHANGED", "CAP", "CHANGED", "ABOVE IT"});
  const auto watts = [](const Json& value) {
    return value.is_number() ? power_text(value.get<double>() * 1000) : std::string("-");
  };
  for (const Json& feed : feeds) {
    const Json& mean = feed.at("mean_w");
    const Json& peak = feed.at("peak_w");
    const Json& cap = feed.at("cap_w");
    table.add({report::printable_name(feed.value("feed", "")), watts(mean.at("base")),
               watts(mean.at("changed")), watts(peak.at("base")), watts(peak.at("changed")),
               watts(cap.at("base")), watts(cap.at("changed")),
               report::format_duration(feed.at("above_s").value("changed", 0.0))});
  }
  fmt::print("\n{}", table.text());
}

void print(const Json& answer) {
  const double horizon_s = answer.at("horizon_s");
  std::string changes;
  for (const Json& change : answer.at("changes"))
    changes += (changes.empty() ? "" : ", ") + change.get<std::string>();
  fmt::print("what if {}: the next {}{}, {} pairs of futures with equal jobs\n",
             changes.empty() ? "nothing is changed" : report::printable_name(changes),
             report::format_duration(horizon_s),
             answer.value("shortened", false) ? " (shortened: there is too much to simulate)" : "",
             answer.value("members", 0));
  fmt::print("{} job(s) wait, {} arrive\n", answer.value("waiting_jobs", 0),
             report::format_number(answer.value("new_jobs", 0.0)));
  for (const Json& note : answer.at("notes"))
    fmt::print("{}\n", report::printable_name(note.get<std::string>()));
  if (!answer.at("interrupted").empty())
    fmt::print("{} running job(s) are stopped at once\n", answer.at("interrupted").size());
  if (!answer.at("rejected").empty())
    fmt::print("{} job(s) could never run any more\n", answer.at("rejected").size());
  TextTable table("lrrrl");
  table.add({"", "AS IT IS", "CHANGED", "DIFFERENCE", "95 %"});
  for (const WhatIfRow& row : what_if_rows(answer))
    table.add({row.name, row.base, row.changed, row.difference, row.interval});
  fmt::print("\n{}", table.text());
  if (const std::string cut = cut_text(answer); !cut.empty()) fmt::print("{}\n", cut);
  print_feeds(answer.at("feeds"));
  print_shifts("sooner", answer.at("sooner"), horizon_s);
  print_shifts("later", answer.at("later"), horizon_s);
}

Result<ExitCode> what_if(const AppContext& context, const Options& options, bool json,
                         client::Connection& connection) {
  const Result<Json> body = body_of(options);
  if (!body) {
    print_error(context, body.error().message);
    return ExitCode::usage;
  }
  const std::expected<Json, client::Failure> answer = connection.post("/v1/whatif", *body);
  if (!answer) return report_failure(context, answer.error());
  if (answer->contains("error")) {  // It went wrong when the answer had begun.
    print_error(context, report::printable_name(answer->at("error").value("message", "")));
    return ExitCode::failed;
  }
  if (!options.html.empty()) {
    Result<files::OutputFile> file = files::OutputFile::open(options.html);
    if (!file) return std::unexpected(file.error());
    file->write(what_if_page(*answer));
    if (Result<void> written = file->commit(); !written) return std::unexpected(written.error());
  }
  if (json) {
    fmt::print("{}\n", json_out(*answer));
  } else {
    print(*answer);
  }
  return ExitCode::ok;
}

}  // namespace

void add_what_if_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  auto access = std::make_shared<ServerAccess>();
  CLI::App* command =
      app.add_subcommand("whatif", "Compare the factory with what it would be with something changed");
  command->group(kGroupOperate);
  command
      ->add_option("--drain", options->drain,
                   "Nodes that take no new jobs; a rack, a hall or a site stands for all its nodes; may be "
                   "repeated")
      ->type_name("NODE")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--add-nodes", options->add_nodes,
                   "More nodes of a type that the factory has; may be repeated")
      ->type_name("TYPE:COUNT[@SITE]")
      ->expected(1)
      ->take_all();
  std::vector<std::string> policies;
  for (const PolicyName& policy : policy_names()) policies.emplace_back(policy.name);
  command->add_option("--policy", options->policy, "Another policy")->check(CLI::IsMember(policies));
  command->add_option("--weight", options->weights, "Another weight of a tenant; may be repeated")
      ->type_name("TENANT=WEIGHT")
      ->expected(1)
      ->take_all();
  command
      ->add_option("--quota", options->quotas,
                   "Other guaranteed GPUs of a tenant, in GPU-equivalents; may be repeated")
      ->type_name("TENANT=GPUS")
      ->expected(1)
      ->take_all();
  command
      ->add_option(
          "--cap", options->caps,
          "What a feed may carry, in place of caps that are set for it, perhaps for a time only: munich=8MW, "
          "munich=75%@2026-12-01..2026-12-03; may be repeated")
      ->type_name("FEED=CAP[@FROM..UNTIL]")
      ->expected(1)
      ->take_all();
  command->add_option("--horizon", options->horizon, "How far to look: 6h, 3d (default: 24h)")
      ->type_name("TIME");
  command->add_option("--members", options->members, "Pairs of futures at most (default: 10)")
      ->check(whole_number(2, 100))
      ->type_name("N");
  command
      ->add_option("--arrivals", options->arrivals,
                   "Jobs to come: as in the last 7 days, or none (default: history)")
      ->check(CLI::IsMember({"history", "none"}));
  command->add_option("--seed", options->seed, "Equal seeds give equal futures (default: 1)")
      ->check(whole_number(0, 4'000'000'000))
      ->type_name("N");
  command->add_option("--html", options->html, "Write a page with charts too")->type_name("FILE");
  add_server_options(*command, *access);
  command->footer(
      "Nothing is changed: the server forks its state and runs its scheduler ahead, with the same jobs and "
      "run\ntimes in both worlds. What is left out is said.\n\n"
      "Examples:\n"
      "  gw whatif --drain munich/hall-2/row-01 --horizon 12h\n"
      "  gw whatif --add-nodes dgx-h100:16@oslo --html more.html\n"
      "  gw whatif --cap munich=8MW\n"
      "  gw whatif --policy easy --weight org/project=3 --json");
  set_server_action(*command, context, access, [&context, options, access](client::Connection& connection) {
    return what_if(context, *options, access->json, connection);
  });
}

}  // namespace gw
