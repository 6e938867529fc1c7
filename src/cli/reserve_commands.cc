// `gw reserve`: nodes kept for a tenant, a job or for maintenance.
#include <fmt/format.h>

#include <memory>

#include "cli/commands.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "cli/time_values.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

struct ReserveOptions {
  std::string name, tenant, type, level, from, length, every, until, note;
  std::vector<std::string> named;
  std::uint64_t job = 0;
  std::uint64_t nodes = 0;
  std::uint64_t gpus = 0;
  bool maintenance = false;
  bool preempt = false;
};

Json body_of(const ReserveOptions& options) {
  Json body{{"name", options.name}};
  for (const auto& [key, text] : {std::pair{"tenant", &options.tenant}, std::pair{"gpu_type", &options.type},
                                  std::pair{"level", &options.level}, std::pair{"from", &options.from},
                                  std::pair{"for", &options.length}, std::pair{"every", &options.every},
                                  std::pair{"until", &options.until}, std::pair{"note", &options.note}}) {
    if (!text->empty()) body[key] = *text;
  }
  for (const auto& [key, number] :
       {std::pair{"job", options.job}, std::pair{"nodes", options.nodes}, std::pair{"gpus", options.gpus}}) {
    if (number > 0) body[key] = number;
  }
  if (!options.named.empty()) body["named"] = options.named;
  if (options.maintenance) body["maintenance"] = true;
  if (options.preempt) body["preempt"] = true;
  return body;
}

/// What the options lack, or say twice; empty: nothing.
std::string misuse(const ReserveOptions& options) {
  const int nodes = (options.nodes > 0) + (options.gpus > 0) + !options.named.empty();
  if (options.job > 0) {
    if (nodes > 0 || !options.tenant.empty() || options.maintenance || !options.from.empty() ||
        !options.every.empty())
      return "for a job, nodes and times follow from the job: give only --job and --for";
    return "";
  }
  if (options.maintenance != options.tenant.empty())
    return "a reservation is for a tenant (--tenant), for a job (--job), or for nobody (--maintenance): give "
           "one of them";
  if (nodes != 1) return "say which nodes, by --nodes, by --gpus, or by --node: give one of them";
  if (options.length.empty()) return "say how long it lasts: --for 4h";
  if (!options.until.empty() && options.every.empty()) return "--until makes sense with --every only";
  return "";
}

std::string nodes_text(const Json& nodes) {
  if (nodes.empty()) return "no nodes";
  return nodes.size() == 1 ? nodes[0].get<std::string>()
                           : fmt::format("{} nodes from {} to {}", nodes.size(),
                                         nodes.front().get<std::string>(), nodes.back().get<std::string>());
}

Result<ExitCode> create(const AppContext& context, const ReserveOptions& options, bool json,
                        Connection& connection) {
  if (const std::string wrong = misuse(options); !wrong.empty()) {
    print_error(context, wrong);
    return ExitCode::usage;
  }
  const std::expected<Json, client::Failure> answer = connection.post("/v1/reservations", body_of(options));
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  fmt::print("reservation {}: {}, from {} to {}\n", options.name,
             nodes_text(answer->value("nodes", Json::array())), answer->value("from", ""),
             answer->value("to", ""));
  if (const std::uint64_t leaving = answer->value("leaving", 0U); leaving > 0)
    fmt::print("{} running job(s) will be told to go before it\n", leaving);
  return ExitCode::ok;
}

/// What stands in the way at every time, of a `reason` of the answer.
std::string bar_text(const std::string& reason) {
  if (reason == "too_few_nodes")
    return "the factory has not so many nodes of that kind in service, together as asked for; ask for fewer";
  if (reason == "reserved") return "too many of the nodes are reserved (gw reserve list)";
  if (reason == "in_use") return "jobs run on the nodes until later";
  return reason;
}

Result<ExitCode> find(const AppContext& context, const ReserveOptions& options, bool json,
                      Connection& connection) {
  if (const std::string wrong = misuse(options); !wrong.empty()) {
    print_error(context, wrong);
    return ExitCode::usage;
  }
  const std::expected<Json, client::Failure> answer =
      connection.post("/v1/reservations/nearest", body_of(options));
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
  } else if (answer->at("from").is_string()) {
    fmt::print("{} to {}: {}{}\n", answer->value("from", ""), answer->value("to", ""),
               nodes_text(answer->at("nodes")),
               answer->value("possible", false) ? "" : " (the nearest time)");
  } else {
    fmt::print("no time is free: {}\n",
               bar_text(answer->at("reason").is_string() ? answer->value("reason", "") : ""));
  }
  return answer->at("from").is_string() ? ExitCode::ok : ExitCode::failed;
}

Result<ExitCode> list(const AppContext& context, bool json, Connection& connection) {
  const std::expected<Json, client::Failure> answer = connection.get("/v1/reservations");
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  TextTable table("lllllrrl");
  table.add({"NAME", "FOR", "FROM", "TO", "EVERY", "NODES", "GPUS", "NOTE"});
  for (const Json& each : answer->at("reservations")) {
    const std::string whose = each.at("job").is_string()      ? "job " + each.value("job", "")
                              : each.at("tenant").is_string() ? each.value("tenant", "")
                                                              : "maintenance";
    const std::int64_t every = each.at("every_s").is_number() ? each.at("every_s").get<std::int64_t>() : 0;
    table.add({each.value("name", ""), whose,
               each.value("from", "") + (each.value("active", false) ? " *" : ""), each.value("to", ""),
               every == 0 ? "" : fmt::format("{:g} h", static_cast<double>(every) / 3600),
               fmt::format("{}", each.at("nodes").size()), fmt::format("{}", each.value("gpus", 0)),
               each.value("note", "")});
  }
  fmt::print("{}", table.text());
  return ExitCode::ok;
}

void add_wish_options(CLI::App& command, ReserveOptions& options) {
  command.add_option("--tenant", options.tenant, "Its owner: it and all below it may use the nodes")
      ->type_name("PATH");
  command.add_flag("--maintenance", options.maintenance, "Nobody may use the nodes");
  command.add_option("--nodes", options.nodes, "So many whole nodes of one type")
      ->check(whole_number(1, 10'000'000))
      ->type_name("N");
  command.add_option("--gpus", options.gpus, "As many nodes as hold so many GPUs")
      ->check(whole_number(1, 1'000'000'000))
      ->type_name("N");
  command
      .add_option("--node", options.named,
                  "This node, or all of this rack, row, hall or site; may be given again")
      ->type_name("NODE");
  command.add_option("--type", options.type, "Nodes with GPUs of this type")->type_name("TYPE");
  command.add_option("--level", options.level, "All inside one part of this fabric level")
      ->type_name("LEVEL");
  command.add_option("--from", options.from, "When it begins: time or date (UTC), or now+4h (default: now)")
      ->check(moment())
      ->type_name("TIME");
  command.add_option("--for", options.length, "How long it lasts: 90min, 4h, 2d")
      ->check(span())
      ->type_name("TIME");
  command.add_option("--every", options.every, "From one beginning to the next: 1d, 7d (default: once)")
      ->check(span())
      ->type_name("TIME");
  command
      .add_option("--until", options.until, "It does not begin any more then: time or date (UTC), or now+30d")
      ->check(moment())
      ->type_name("TIME");
  command.add_flag("--preempt", options.preempt,
                   "Tell jobs in the way that may be preempted to go a grace before");
}

}  // namespace

void add_reserve_commands(CLI::App& app, AppContext& context) {
  CLI::App* reserve = app.add_subcommand("reserve", "Reserve nodes for a time");
  reserve->group(kGroupOperate);
  {
    auto options = std::make_shared<ReserveOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = reserve->add_subcommand("create", "Reserve nodes for a tenant, a job or maintenance");
    command->add_option("NAME", options->name, "How it is called")->required()->type_name("NAME");
    add_wish_options(*command, *options);
    command
        ->add_option("--job", options->job,
                     "Promise this waiting job the nearest time; --for: how much longer than its limit")
        ->type_name("JOB");
    command->add_option("--note", options->note, "For people")->type_name("TEXT");
    add_server_options(*command, *access);
    command->footer(
        "Examples:\n"
        "  gw reserve create patches --maintenance --node munich/hall-2/row-01/rack-03 --from "
        "2026-12-01T06:00:00Z --for 2h\n"
        "  gw reserve create demo --tenant acme/lab --gpus 64 --from 2026-12-02 --for 8h --every 7d\n"
        "  gw reserve create big-run --job 4711");
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      return create(context, *options, access->json, connection);
    });
  }
  {
    auto options = std::make_shared<ReserveOptions>();
    options->name = "find";
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command =
        reserve->add_subcommand("find", "The nearest time at which it could be; reserves nothing");
    add_wish_options(*command, *options);
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      if (options->tenant.empty()) options->maintenance = true;
      return find(context, *options, access->json, connection);
    });
  }
  {
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = reserve->add_subcommand("list", "List reservations that are not over; * = now");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, access](Connection& connection) {
      return list(context, access->json, connection);
    });
  }
  {
    auto name = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = reserve->add_subcommand("delete", "End a reservation");
    command->add_option("NAME", *name, "Its name")->required()->type_name("NAME");
    add_server_options(*command, *access);
    set_server_action(*command, context, access,
                      [&context, name, access](Connection& connection) -> Result<ExitCode> {
                        const std::expected<Json, client::Failure> answer =
                            connection.remove("/v1/reservations/" + client::escaped(*name));
                        if (!answer) return report_failure(context, answer.error());
                        fmt::print("{}", access->json ? json_out(*answer) + "\n"
                                                      : fmt::format("reservation {} is deleted\n", *name));
                        return ExitCode::ok;
                      });
  }
  reserve->require_subcommand(1);
}

}  // namespace gw
