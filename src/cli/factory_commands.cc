// `gw nodes`, `drain`, `resume`, `tenants`, `token`, `usage`, `audit`.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string_view>

#include "cli/commands.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "live/records.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

std::string number_text(const Json& json) {
  return json.is_number() ? fmt::format("{:g}", json.get<double>()) : "-";
}
std::string limit_text(const Json& json) {
  return json.is_number() && json.get<double>() > 0 ? number_text(json) : "-";
}

/// Of each name the nodes that it stands for; without names all. None twice.
Result<ExitCode> nodes(const AppContext& context, std::vector<std::string> names, const std::string& state,
                       bool json, Connection& connection) {
  Json all = Json::array();
  std::set<std::string> seen;
  if (names.empty()) names.emplace_back();
  for (const std::string& name : names) {
    std::string after;
    do {
      std::expected<Json, client::Failure> answer = connection.get(
          "/v1/nodes" +
          client::query({{"node", name}, {"state", state}, {"after", after}, {"limit", "10000"}}));
      if (!answer) return report_failure(context, answer.error());
      for (Json& node : answer->at("nodes")) {
        if (seen.insert(node.value("name", "")).second) all.push_back(std::move(node));
      }
      after = answer->at("next").is_string() ? answer->at("next").get<std::string>() : "";
    } while (!after.empty());
  }
  if (json) {
    fmt::print("{}\n", json_out({{"nodes", all}}));
    return ExitCode::ok;
  }
  TextTable table("lllrrrl");
  table.add({"NODE", "STATE", "GPU TYPE", "GPUS FREE", "CPUS FREE", "MEMORY FREE", "REASON"});
  for (const Json& node : all) {
    const auto of = [&](const char* free, const char* whole) {
      return node.at(whole).get<double>() == 0
                 ? std::string("-")
                 : fmt::format("{}/{}", number_text(node.at(free)), number_text(node.at(whole)));
    };
    const bool memory = node.at("memory_mib").get<std::int64_t>() > 0;
    table.add({node.value("name", ""), node.value("state", ""), node.value("gpu_type", "-"),
               of("gpus_free", "gpus"), of("cpus_free", "cpus"),
               memory ? fmt::format("{:.1f}/{:.1f} GiB", node.at("memory_mib_free").get<double>() / 1024,
                                    node.at("memory_mib").get<double>() / 1024)
                      : "-",
               node.value("reason", "")});
  }
  fmt::print("{}", table.text());
  return ExitCode::ok;
}

/// `munich/row-01/rack-01/node-1 is drained`, `munich/row-01/rack-01: 4 nodes, 3 drained, 1 draining`.
std::string changed_text(const Json& answer) {
  const std::string name = answer.value("name", "");
  if (!answer.contains("states")) return fmt::format("{} is {}", name, answer.value("state", ""));
  std::string states;
  for (const auto& [state, count] : answer.at("states").items()) {
    if (count.get<std::int64_t>() > 0) states += fmt::format(", {} {}", count.get<std::int64_t>(), state);
  }
  return fmt::format("{}: {} nodes{}", name, answer.value("count", 0), states);
}

Result<ExitCode> change_nodes(const AppContext& context, const std::vector<std::string>& names, bool drained,
                              const std::string& reason, bool json, Connection& connection) {
  ExitCode code = ExitCode::ok;
  Json results = Json::array();
  for (const std::string& name : names) {
    Json body{{"drained", drained}};
    if (!reason.empty()) body["reason"] = reason;
    std::expected<Json, client::Failure> answer =
        connection.patch("/v1/nodes/" + client::escaped(name, true), body);
    if (!answer) {
      const ExitCode failed = report_failure(context, answer.error());
      if (code == ExitCode::ok) code = failed;
      results.push_back({{"name", name}, {"error", error_json(answer.error())}});
      continue;
    }
    if (!json) fmt::print("{}\n", changed_text(*answer));
    results.push_back(std::move(*answer));
  }
  if (json) fmt::print("{}\n", json_out({{"nodes", results}}));
  return code;
}

Result<ExitCode> list_tenants(const AppContext& context, const std::string& tenant, bool json,
                              Connection& connection) {
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/tenants" + client::query({{"tenant", tenant}}));
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  TextTable table("lrrrrrrrll");
  table.add({"TENANT", "WEIGHT", "JOBS", "RUNNING", "GPUS", "ASKED", "MOST GPUS", "MOST JOBS", "PLAN",
             "UNIX USER"});
  for (const Json& each : answer->at("tenants"))
    table.add({each.value("path", ""), number_text(each.at("weight")), number_text(each.at("jobs")),
               number_text(each.at("running")), number_text(each.at("gpus_running")),
               number_text(each.at("gpus_asked")), limit_text(each.at("limits").at("gpus")),
               limit_text(each.at("limits").at("jobs")), each.value("price_plan", ""),
               each.value("unix_user", "")});
  fmt::print("{}", table.text());
  return ExitCode::ok;
}

struct TenantOptions {
  std::string path, gpus, jobs;
  std::optional<std::string> kind, home, ownership, unix_user, price_plan;
  std::uint32_t weight = 0;
};

void add_tenant_options(CLI::App& command, TenantOptions& options) {
  command.add_option("TENANT", options.path, "Its path: org/project/user")->required()->type_name("PATH");
  command.add_option("--weight", options.weight, "Fair share relative to its siblings")
      ->check(whole_number(1, 1'000'000))
      ->type_name("N");
  command.add_option("--gpus", options.gpus, "GPUs in use at a time, the limit of its quota; 0 = no limit")
      ->check(number(0, 1e9))
      ->type_name("GPUS");
  command.add_option("--jobs", options.jobs, "Jobs in the system at a time; 0 = no limit")
      ->check(whole_number(0, 4'000'000'000))
      ->type_name("N");
  command.add_option("--plan", options.price_plan, "Plan of the price table")->type_name("NAME");
  command
      .add_option("--unix-user", options.unix_user, "Account that its jobs run under; \"\" = none of its own")
      ->type_name("USER");
  command.add_option("--kind", options.kind, "For reports and rules: manufacturer, research, ...")
      ->type_name("KIND");
  command.add_option("--home", options.home, "Home jurisdiction, ISO 3166-1 alpha-2")->type_name("COUNTRY");
  command
      .add_option("--ownership", options.ownership,
                  "Countries of its owners: DE,FR; \"\" = as the tenant above it")
      ->type_name("COUNTRIES");
}

/// An empty text unsets what it was given for.
Json tenant_body(const TenantOptions& options) {
  Json body = Json::object();
  if (options.weight > 0) body["weight"] = options.weight;
  if (!options.gpus.empty()) body["gpus"] = std::atof(options.gpus.c_str());
  if (!options.jobs.empty()) body["jobs"] = std::strtoull(options.jobs.c_str(), nullptr, 10);
  if (options.price_plan) body["price_plan"] = *options.price_plan;
  if (options.unix_user) body["unix_user"] = *options.unix_user;
  if (options.kind) body["kind"] = *options.kind;
  if (options.home) body["home"] = *options.home;
  if (options.ownership) body["ownership"] = live::country_list(*options.ownership);
  return body;
}

Result<ExitCode> put_tenant(const AppContext& context, const TenantOptions& options, bool create, bool json,
                            Connection& connection) {
  Json body = tenant_body(options);
  if (!create && body.empty()) {
    print_error(context,
                "nothing to change: say --weight, --gpus, --jobs, --plan, --unix-user, --kind, --home or "
                "--ownership");
    return ExitCode::usage;
  }
  std::expected<Json, client::Failure> answer;
  if (create) {
    body["path"] = options.path;
    answer = connection.post("/v1/tenants", body);
  } else {
    answer = connection.patch("/v1/tenants/" + client::escaped(options.path, true), body);
  }
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
  } else {
    fmt::print("tenant {} {}\n", options.path, create ? "made" : "changed");
  }
  return ExitCode::ok;
}

struct TokenOptions {
  std::string tenant, role = "member", user, label, expires;
};

Result<ExitCode> list_tokens(const AppContext& context, bool json, Connection& connection) {
  const std::expected<Json, client::Failure> answer = connection.get("/v1/tokens");
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  TextTable table("lllllll");
  table.add({"TOKEN", "TENANT", "ROLE", "USER", "CREATED", "EXPIRES", "LABEL"});
  for (const Json& token : answer->at("tokens")) {
    const std::string path = token.value("tenant", "");
    table.add({token.value("id", ""), path.empty() ? "(all)" : path, token.value("role", ""),
               token.value("user", ""), token.value("created", "").substr(0, 10),
               token.value("revoked", false)     ? "revoked"
               : token.at("expires").is_string() ? token.at("expires").get<std::string>()
                                                 : "never",
               token.value("label", "")});
  }
  fmt::print("{}", table.text());
  return ExitCode::ok;
}

Result<ExitCode> add_token(const AppContext& context, const TokenOptions& options, bool json,
                           Connection& connection) {
  Json body{{"role", options.role}, {"user", options.user}};
  if (!options.tenant.empty()) body["tenant"] = options.tenant;
  if (!options.label.empty()) body["label"] = options.label;
  if (!options.expires.empty()) body["expires_in"] = options.expires;
  const std::expected<Json, client::Failure> answer = connection.post("/v1/tokens", body);
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
  } else {
    // The token alone on standard output, so that it can be kept: gw token add ... > file
    fmt::print("{}\n", answer->at("token").get<std::string>());
    std::fflush(stdout);
    fmt::print(stderr, "gw: token {} for {} ({}); it is shown this once\n", answer->value("id", ""),
               options.user, options.role);
  }
  return ExitCode::ok;
}

struct UsageOptions {
  std::string from, to, by = "tenant", format = "table", tenant;
};

Result<ExitCode> usage(const AppContext& context, const UsageOptions& options, bool json,
                       Connection& connection) {
  const std::string format = json ? "json" : options.format;
  const std::string target =
      "/v1/usage" + client::query({{"from", options.from},
                                   {"to", options.to},
                                   {"by", options.by == "gpu-type" ? "gpu_type" : options.by},
                                   {"tenant", options.tenant},
                                   {"format", format == "table" ? "json" : format}});
  if (format != "table") {
    const std::expected<std::string, client::Failure> text = connection.text(target);
    if (!text) return report_failure(context, text.error());
    const Json parsed = format == "json" ? Json::parse(*text, nullptr, false) : Json();
    fmt::print("{}", parsed.is_object() ? json_out(parsed) + "\n" : *text);
    return ExitCode::ok;
  }
  const std::expected<Json, client::Failure> answer = connection.get(target);
  if (!answer) return report_failure(context, answer.error());
  const auto hours = [](const Json& seconds) { return fmt::format("{:.3f}", seconds.get<double>() / 3600); };
  const auto row = [&](const Json& line, std::string who) {
    return std::vector<std::string>{
        std::move(who),
        line.value("user", ""),
        line.value("job", ""),
        line.value("gpu_type", ""),
        fmt::format("{}", line.at("attempts").get<std::int64_t>()),
        hours(line.at("gpu_seconds")),
        hours(line.at("core_seconds")),
        fmt::format("{:.3f}", line.at("energy_j").get<double>() / 3.6e6),
        fmt::format("{:.2f}", line.at("price_micro_eur").get<double>() / 1e6),
        line.value("credit_micro_eur", 0.0) == 0
            ? ""
            : fmt::format("{:.2f}", line.at("credit_micro_eur").get<double>() / 1e6),
        line.value("open", false) ? "runs still" : ""};
  };
  const bool credits = answer->at("total").value("credit_micro_eur", 0.0) != 0;
  TextTable table("llllrrrrrrl");
  table.add({"TENANT", "USER", "JOB", "GPU TYPE", "ATTEMPTS", "GPU H", "CORE H", "KWH", "EUR",
             credits ? "OF IT CREDITS" : "", ""});
  for (const Json& line : answer->at("lines")) table.add(row(line, line.value("tenant", "")));
  table.add(row(answer->at("total"), "total"));
  fmt::print("{}", table.text());
  return ExitCode::ok;
}

/// `most GPUs (thousandths): 16000 -> 0` in whole GPUs: `most GPUs: 16 -> 0`.
std::string detail_text(const std::string& detail) {
  constexpr std::string_view kUnit = " (thousandths): ";
  std::string text = detail;
  for (std::size_t at = text.find(kUnit); at != std::string::npos; at = text.find(kUnit, at)) {
    text.replace(at, kUnit.size(), ": ");
    at += 2;
    for (int number = 0; number < 2; ++number) {
      const std::size_t end = std::min(text.find_first_not_of("0123456789", at), text.size());
      if (end == at || end - at > 18) break;
      const std::string whole = fmt::format("{:g}", std::stod(text.substr(at, end - at)) / 1000);
      text.replace(at, end - at, whole);
      at += whole.size();
      if (text.compare(at, 4, " -> ") == 0) at += 4;
    }
  }
  return text;
}

Result<ExitCode> audit(const AppContext& context, const std::string& tenant, std::uint64_t limit, bool json,
                       Connection& connection) {
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/audit" + client::query({{"tenant", tenant}, {"limit", fmt::format("{}", limit)}}));
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  TextTable table("lllllll");
  table.add({"TIME", "USER", "ROLE", "FROM", "ACTION", "TARGET", "DETAIL"});
  for (const Json& entry : answer->at("audit"))
    table.add({entry.value("at", ""), entry.value("user", ""), entry.value("role", ""),
               entry.value("remote", ""), entry.value("action", ""), entry.value("target", ""),
               detail_text(entry.value("detail", ""))});
  fmt::print("{}", table.text());
  return ExitCode::ok;
}

constexpr const char* kNodeNames =
    "names of nodes, or of a rack, a row, a hall or a site for all its nodes; an end that only one has is "
    "enough";

void add_node_commands(CLI::App& app, AppContext& context) {
  {
    auto names = std::make_shared<std::vector<std::string>>();
    auto state = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = app.add_subcommand("nodes", "List the factory's nodes");
    command->group(kGroupOperate);
    command->add_option("NODE", *names, std::string("Only these: ") + kNodeNames)->type_name("NODE");
    command->add_option("--state", *state, "Only these")
        ->check(CLI::IsMember({"up", "down", "draining", "drained"}));
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, names, state, access](Connection& connection) {
      return nodes(context, *names, *state, access->json, connection);
    });
  }
  for (const bool drained : {true, false}) {
    auto names = std::make_shared<std::vector<std::string>>();
    auto reason = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = app.add_subcommand(drained ? "drain" : "resume",
                                           drained ? "Start nothing new on nodes; what runs there goes on"
                                                   : "Take drained nodes back into service");
    command->group(kGroupOperate);
    command->add_option("NODE", *names, std::string("Which: ") + kNodeNames)->required()->type_name("NODE");
    if (drained) command->add_option("--reason", *reason, "Why, for people")->type_name("TEXT");
    command->footer(drained
                        ? "Examples:\n"
                          "  gw drain munich/hall-2/row-01/rack-03/node-2 --reason fan\n"
                          "  gw drain row-01/rack-03    # All its nodes, where only one hall has such a rack."
                        : "Example:\n"
                          "  gw resume munich/hall-2/row-01/rack-03");
    add_server_options(*command, *access);
    set_server_action(*command, context, access,
                      [&context, names, reason, access, drained](Connection& connection) {
                        return change_nodes(context, *names, drained, *reason, access->json, connection);
                      });
  }
}

void add_tenant_commands(CLI::App& app, AppContext& context) {
  CLI::App* tenants = app.add_subcommand("tenants", "List, make and change tenants");
  tenants->group(kGroupOperate);
  {  // Without a command: as `list`.
    auto access = std::make_shared<ServerAccess>();
    add_server_options(*tenants, *access);
    set_server_action(*tenants, context, access, [&context, access](Connection& connection) {
      return list_tenants(context, "", access->json, connection);
    });
  }
  {
    auto tenant = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = tenants->add_subcommand("list", "List tenants");
    command->add_option("TENANT", *tenant, "Only this one and what is below it")->type_name("PATH");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, tenant, access](Connection& connection) {
      return list_tenants(context, *tenant, access->json, connection);
    });
  }
  for (const bool create : {true, false}) {
    auto options = std::make_shared<TenantOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command =
        tenants->add_subcommand(create ? "add" : "set", create ? "Make a tenant" : "Change a tenant");
    add_tenant_options(*command, *options);
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, options, access, create](Connection& connection) {
      return put_tenant(context, *options, create, access->json, connection);
    });
  }
}

void add_token_commands(CLI::App& app, AppContext& context) {
  CLI::App* token = app.add_subcommand("token", "List, make and revoke tokens");
  token->group(kGroupOperate);
  {
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = token->add_subcommand("list", "List tokens");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, access](Connection& connection) {
      return list_tokens(context, access->json, connection);
    });
  }
  {
    auto options = std::make_shared<TokenOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = token->add_subcommand("add", "Make a token; it is printed this once");
    command->add_option("USER", options->user, "Who acts by it")->required()->type_name("USER");
    command->add_option("--role", options->role, "What it may do (default: member)")
        ->check(CLI::IsMember({"viewer", "member", "operator", "admin"}));
    command->add_option("--tenant", options->tenant, "Its rights end here (default: the caller's own)")
        ->type_name("PATH");
    command->add_option("--expires", options->expires, "For so long: 30d, 12h (default: for ever)")
        ->type_name("TIME");
    command->add_option("--label", options->label, "What it is for")->type_name("TEXT");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      return add_token(context, *options, access->json, connection);
    });
  }
  {
    auto id = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = token->add_subcommand("revoke", "Make a token useless at once");
    command->add_option("TOKEN", *id, "Its id (see gw token list)")->required()->type_name("ID");
    add_server_options(*command, *access);
    set_server_action(
        *command, context, access, [&context, id, access](Connection& connection) -> Result<ExitCode> {
          const std::expected<Json, client::Failure> answer =
              connection.remove("/v1/tokens/" + client::escaped(*id));
          if (!answer) return report_failure(context, answer.error());
          fmt::print("{}",
                     access->json ? json_out(*answer) + "\n" : fmt::format("token {} is revoked\n", *id));
          return ExitCode::ok;
        });
  }
  token->require_subcommand(1);
}

void add_account_commands(CLI::App& app, AppContext& context) {
  {
    auto options = std::make_shared<UsageOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = app.add_subcommand("usage", "What was used, and what it costs");
    command->group(kGroupOperate);
    command->add_option("--from", options->from, "Time or date (UTC): 2026-11-01 (default: the beginning)")
        ->type_name("TIME");
    command->add_option("--to", options->to, "Time or date (UTC) (default: now)")->type_name("TIME");
    command->add_option("--by", options->by, "What to sum up by (default: tenant)")
        ->check(CLI::IsMember({"tenant", "user", "job", "gpu-type"}));
    command->add_option("--tenant", options->tenant, "Only of this tenant and what is below it")
        ->type_name("PATH");
    command
        ->add_option("--format", options->format,
                     "How to print it; focus: FinOps FOCUS rows (default: table)")
        ->check(CLI::IsMember({"table", "json", "csv", "focus"}));
    add_server_options(*command, *access);
    command->footer(
        "Examples:\n"
        "  gw usage --from 2026-11-01 --by user\n"
        "  gw usage --from 2026-11-01 --to 2026-12-01 --format focus > november.csv");
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      return usage(context, *options, access->json, connection);
    });
  }
  {
    auto tenant = std::make_shared<std::string>();
    auto limit = std::make_shared<std::uint64_t>(100);
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = app.add_subcommand("audit", "Who changed what, newest first");
    command->group(kGroupOperate);
    command->add_option("--tenant", *tenant, "Only matters of this tenant and what is below it")
        ->type_name("PATH");
    command->add_option("-n,--limit", *limit, "At most so many (default: 100)")
        ->check(whole_number(1, 1000))
        ->type_name("N");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, tenant, limit, access](Connection& connection) {
      return audit(context, *tenant, *limit, access->json, connection);
    });
    add_decision_commands(*command, context);
  }
}

}  // namespace

void add_factory_commands(CLI::App& app, AppContext& context) {
  add_node_commands(app, context);
  add_tenant_commands(app, context);
  add_quota_commands(app, context);
  add_reserve_commands(app, context);
  add_cap_commands(app, context);
  add_token_commands(app, context);
  add_account_commands(app, context);
}

}  // namespace gw
