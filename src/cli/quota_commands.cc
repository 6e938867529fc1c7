// `gw quota`: what tenants are guaranteed, may borrow, lend and spend, and where they stand.
#include <fmt/format.h>

#include <cstdlib>
#include <memory>

#include "cli/commands.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

std::string amount_text(const Json& json) {
  return json.is_number() ? fmt::format("{:g}", json.get<double>()) : "-";
}

/// `120 of 500 GPU h, spent 2026-11-28T10:00:00Z`; a budget may be of hours, of euros, or of both.
std::string budget_text(const Json& budget) {
  if (!budget.is_object()) return "";
  std::string text;
  const auto add = [&](const char* spent, const char* whole, const char* unit) {
    if (!budget.at(whole).is_number()) return;
    text += fmt::format("{}{:.2f} of {:g} {}", text.empty() ? "" : ", ", budget.at(spent).get<double>(),
                        budget.at(whole).get<double>(), unit);
  };
  add("spent_gpu_hours", "gpu_hours", "GPU h");
  add("spent_euros", "euros", "EUR");
  const std::string state = budget.value("state", ""), action = budget.value("action", "");
  text += state == "spent" ? fmt::format("; spent ({})", action) : state == "warned" ? "; warned" : "";
  if (budget.at("spent_at").is_string())
    text += "; at this rate until " + budget.at("spent_at").get<std::string>();
  return text;
}

Result<ExitCode> show(const AppContext& context, const std::string& tenant, const std::string& type,
                      bool json, Connection& connection) {
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/quota" + client::query({{"tenant", tenant}, {"gpu_type", type}}));
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  bool budgets = false, guarantees = false, beyond = false;
  for (const Json& each : answer->at("tenants")) {
    budgets = budgets || each.at("budget").is_object();
    guarantees = guarantees || each.value("guaranteed", 0.0) > 0;
    beyond = beyond || each.value("borrowed", 0.0) > 0;
  }
  TextTable table("lrrrrrrrrrrrl");
  table.add({"TENANT", "DESERVED", "GUARANTEED", "USED", "BEYOND", "LENT", "OWED", "WAITING", "PAST",
             "BORROW", "LEND", "LIMIT", budgets ? "BUDGET" : ""});
  for (const Json& each : answer->at("tenants"))
    table.add({each.value("path", ""), amount_text(each.at("deserved")), amount_text(each.at("guaranteed")),
               amount_text(each.at("used")), amount_text(each.at("borrowed")), amount_text(each.at("lent")),
               amount_text(each.at("owed")), amount_text(each.at("waiting")),
               fmt::format("{:.1f} %", 100 * each.value("past_share", 0.0)), amount_text(each.at("borrow")),
               amount_text(each.at("lend")), amount_text(each.at("limit")), budget_text(each.at("budget"))});
  fmt::print("{}", table.text());
  if (beyond && !guarantees)
    fmt::print(
        "nothing is guaranteed to these tenants (gw quota set --guaranteed): all that they use is beyond "
        "that\n");
  if (answer->contains("warnings")) {
    for (const Json& warning : answer->at("warnings")) print_error(context, warning.get<std::string>());
  }
  return ExitCode::ok;
}

struct SetOptions {
  std::string path, type, guaranteed, borrow, lend, limit, jobs;
  std::uint32_t weight = 0;
};

Result<ExitCode> set(const AppContext& context, const SetOptions& options, bool json,
                     Connection& connection) {
  Json quota = Json::object(), tenant = Json::object();
  for (const auto& [name, text] :
       {std::pair{"guaranteed", &options.guaranteed}, std::pair{"borrow", &options.borrow},
        std::pair{"lend", &options.lend}, std::pair{"limit", &options.limit}}) {
    if (!text->empty()) quota[name] = *text == "none" ? -1 : std::atof(text->c_str());
  }
  if (!options.jobs.empty()) tenant["jobs"] = std::strtoull(options.jobs.c_str(), nullptr, 10);
  if (options.weight > 0) tenant["weight"] = options.weight;
  if (quota.empty() && tenant.empty()) {
    print_error(context,
                "nothing to change: say --guaranteed, --borrow, --lend, --limit, --jobs or --weight");
    return ExitCode::usage;
  }
  const std::string path = client::escaped(options.path, true);
  if (!quota.empty()) {
    if (!options.type.empty()) quota["gpu_type"] = options.type;
    const std::expected<Json, client::Failure> answer = connection.patch("/v1/quota/" + path, quota);
    if (!answer) return report_failure(context, answer.error());
  }
  if (!tenant.empty()) {
    const std::expected<Json, client::Failure> answer = connection.patch("/v1/tenants/" + path, tenant);
    if (!answer) return report_failure(context, answer.error());
  }
  return show(context, options.path, options.type, json, connection);
}

struct BudgetOptions {
  std::string path, gpu_hours, euros, action;
  std::uint32_t warn = 0;
  bool none = false;
};

Result<ExitCode> set_budget(const AppContext& context, const BudgetOptions& options, bool json,
                            Connection& connection) {
  Json budget = Json::object();
  for (const auto& [name, text] :
       {std::pair{"gpu_hours", &options.gpu_hours}, std::pair{"euros", &options.euros}}) {
    if (!text->empty()) budget[name] = *text == "none" ? 0 : std::atof(text->c_str());
  }
  if (!options.action.empty()) budget["action"] = options.action;
  if (options.warn > 0) budget["warn_percent"] = options.warn;
  if (options.none != budget.empty()) {
    print_error(context,
                "say what may be spent in a month (--gpu-hours, --euros), or what is to change of it "
                "(--action, --warn), or --none alone");
    return ExitCode::usage;
  }
  if (options.none) budget = {{"gpu_hours", 0}, {"euros", 0}};
  const std::expected<Json, client::Failure> answer =
      connection.patch("/v1/quota/" + client::escaped(options.path, true), {{"budget", budget}});
  if (!answer) return report_failure(context, answer.error());
  return show(context, options.path, "", json, connection);
}

CLI::Validator amount_or_none(double least = 0) {
  return CLI::Validator(
      [least](std::string& text) -> std::string {
        if (text == "none") return {};
        char* end = nullptr;
        const double amount = std::strtod(text.c_str(), &end);
        return *end == '\0' && !text.empty() && amount >= least && amount <= 1e9
                   ? std::string()
                   : fmt::format("{} is neither a number from {:g} to 1e9 nor none", text, least);
      },
      "", "amount or none");
}

}  // namespace

void add_quota_commands(CLI::App& app, AppContext& context) {
  CLI::App* quota = app.add_subcommand("quota", "Show or set what tenants may use, lend and spend");
  quota->group(kGroupOperate);
  {  // Without a command: as `show`.
    auto type = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    quota->add_option("--type", *type, "GPUs of this type (default: all, in GPU-equivalents)")
        ->type_name("TYPE");
    add_server_options(*quota, *access);
    set_server_action(*quota, context, access, [&context, type, access](Connection& connection) {
      return show(context, "", *type, access->json, connection);
    });
  }
  {
    auto path = std::make_shared<std::string>();
    auto type = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = quota->add_subcommand("show", "Where tenants stand: deserved, used, lent, owed");
    command->add_option("TENANT", *path, "Only this one and what is below it")->type_name("PATH");
    command->add_option("--type", *type, "GPUs of this type (default: all, in GPU-equivalents)")
        ->type_name("TYPE");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, path, type, access](Connection& connection) {
      return show(context, *path, *type, access->json, connection);
    });
  }
  {
    auto options = std::make_shared<SetOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = quota->add_subcommand("set", "Set a tenant's quota");
    command->add_option("TENANT", options->path, "Its path: org/project/user")->required()->type_name("PATH");
    command->add_option("--type", options->type, "GPUs of this type (default: all, in GPU-equivalents)")
        ->type_name("TYPE");
    command->add_option("--guaranteed", options->guaranteed, "GPUs that are its own whenever it asks")
        ->check(number(0, 1e9))
        ->type_name("GPUS");
    command->add_option("--borrow", options->borrow, "Beyond what is guaranteed, at most this; or none")
        ->check(amount_or_none())
        ->type_name("GPUS");
    command->add_option("--lend", options->lend, "Of what it leaves unused others get at most this; or none")
        ->check(amount_or_none())
        ->type_name("GPUS");
    command->add_option("--limit,--gpus", options->limit, "Never more than this in all; or none")
        ->check(amount_or_none())
        ->type_name("GPUS");
    command->add_option("--jobs", options->jobs, "Jobs in the system at a time; 0 = no limit")
        ->check(whole_number(0, 4'000'000'000))
        ->type_name("N");
    command->add_option("--weight", options->weight, "Fair share relative to its siblings")
        ->check(whole_number(1, 1'000'000))
        ->type_name("N");
    add_server_options(*command, *access);
    command->footer(
        "none takes a bound away. Only jobs that may be preempted (gw submit --preemptible) use what others "
        "lend.\n\n"
        "Examples:\n"
        "  gw quota set acme --guaranteed 64 --limit 128\n"
        "  gw quota set acme --type h100 --guaranteed 32\n"
        "  gw quota set acme/lab --type h100 --guaranteed 16 --lend 8");
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      return set(context, *options, access->json, connection);
    });
  }
  {
    auto options = std::make_shared<BudgetOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = quota->add_subcommand("budget", "Set what a tenant may spend in a calendar month");
    command->add_option("TENANT", options->path, "Its path: org/project/user")->required()->type_name("PATH");
    command->add_option("--gpu-hours", options->gpu_hours, "GPU-hours a month (UTC); or none")
        ->check(amount_or_none(0.001))
        ->type_name("HOURS");
    command->add_option("--euros", options->euros, "Euros a month (UTC), by the price table; or none")
        ->check(amount_or_none(0.01))
        ->type_name("EUROS");
    command
        ->add_option("--action", options->action,
                     "Once it is spent: warn, start nothing new, or stop all that runs (default: stop-new)")
        ->check(CLI::IsMember({"warn", "stop-new", "stop-all"}));
    command->add_option("--warn", options->warn, "Warn from this part of it on, in percent (default: 80)")
        ->check(whole_number(1, 100))
        ->type_name("PERCENT");
    command->add_flag("--none", options->none, "No budget any more");
    add_server_options(*command, *access);
    command->footer(
        "What is not named stays.\n\n"
        "Examples:\n"
        "  gw quota budget acme --gpu-hours 20000 --action stop-new\n"
        "  gw quota budget acme --euros 50000    # The GPU-hours stay: what is spent first counts.\n"
        "  gw quota budget acme --gpu-hours none");
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      return set_budget(context, *options, access->json, connection);
    });
  }
}

}  // namespace gw
