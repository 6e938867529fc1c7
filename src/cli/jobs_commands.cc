// `gw cancel`, `hold`, `release`, `requeue`, `wait`, `explain`, `eta`; and where the commands on jobs stand.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/follow_job.h"
#include "cli/job_facts.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

/// A command that tells jobs something.
struct Order {
  const char* word;  ///< As the command and the route are called.
  const char* done;  ///< What then has happened to a job.
  const char* idle;  ///< Why there was nothing to be done.
  const char* description;
};
constexpr Order kOrders[] = {
    {"cancel", "cancelled", "has ended already", "Cancel jobs; of an array, all its tasks"},
    {"hold", "held", "does not wait, or is held already", "Keep waiting jobs back until gw release"},
    {"release", "released", "is not held", "Let held jobs go on"},
    {"requeue", "requeued", "does not run", "Stop running jobs and let them wait again"}};

/// Scripts read nothing of what went well, as of scancel; who sits at a terminal sees that it did.
Result<ExitCode> order(const AppContext& context, const std::vector<std::string>& ids, const Order& what,
                       bool json, Connection& connection) {
  ExitCode code = ExitCode::ok;
  Json results = Json::array();
  for (const std::string& id : ids) {
    const std::expected<Json, client::Failure> answer =
        connection.post(fmt::format("/v1/jobs/{}/{}", client::escaped(id), what.word), Json());
    if (!answer) {
      const ExitCode failed = report_failure(context, answer.error());
      if (code == ExitCode::ok) code = failed;
      results.push_back({{"id", id}, {"error", error_json(answer.error())}});
      continue;
    }
    const auto count = answer->at("count").get<std::uint64_t>();
    results.push_back({{"id", id}, {"count", count}});
    if (json) continue;
    if (count == 0) {
      fmt::print("job {} {}\n", id, what.idle);
    } else if (context.shown_out) {
      fmt::print("job {}: {}{}\n", id, count > 1 ? fmt::format("{} tasks ", count) : "", what.done);
    }
  }
  if (json) fmt::print("{}\n", json_out({{"jobs", results}}));
  return code;
}

Result<ExitCode> wait(const AppContext& context, const std::vector<std::string>& ids, bool json,
                      Connection& connection) {
  Json results = Json::array();
  ExitCode worst = ExitCode::ok;
  for (const std::string& id : ids)
    worst = std::max(worst, wait_for_job(context, connection, id, json, results));
  if (json) fmt::print("{}\n", json_out({{"jobs", results}}));
  return worst;
}

/// What would start it sooner, as found by running ahead.
void print_changes(const Json& answer) {
  fmt::print("as it is, it starts {}\n", answer.at("forecast").value("text", ""));
  const Json& changes = answer.at("changes");
  if (changes.empty()) {
    fmt::print("none of {} changes that were tried starts it sooner\n", answer.value("tried", 0));
    return;
  }
  fmt::print("\ncancelled and submitted anew, it would start sooner with\n");
  TextTable table("lll");
  for (const Json& change : changes)
    table.add(
        {"  " + change.value("text", ""), change.at("start").value("text", ""), change.value("options", "")});
  fmt::print("{}", table.text());
}

void print_history(const Json& history) {
  if (history.empty()) return;
  TextTable table("lrl");
  table.add({"SINCE", "FOR", "BOUND BY"});
  for (const Json& entry : history)
    table.add({entry.value("since", ""), report::format_duration(entry.value("for_s", 0.0)),
               entry.value("reason", "")});
  fmt::print("\n{}", table.text());
}

Result<ExitCode> explain(const AppContext& context, const std::string& id, bool reason_only, bool json,
                         Connection& connection) {
  if (const std::optional<ExitCode> code = refuse_array(context, connection, id, "explain")) return *code;
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/jobs/" + client::escaped(id) + (reason_only ? "/explain" : "/explain?changes=1"));
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  const Json& reason = answer->at("reason");
  const std::string name = reason.value("name", "");
  if (name == "none" || name == "ended") {  // Nothing binds it.
    fmt::print("job {} is {}, since {}\n", answer->value("id", ""), answer->value("status", ""),
               reason.value("since", ""));
  } else {
    fmt::print("job {} is {}: {} ({}, since {})\n", answer->value("id", ""), answer->value("status", ""),
               reason.value("text", ""), name, reason.value("since", ""));
  }
  if (answer->contains("note"))
    fmt::print("note: {}\n", report::printable_name(answer->at("note").get<std::string>()));
  if (answer->contains("facts")) {
    const Json& facts = answer->at("facts");
    const auto fact = [&](const char* key) { return fmt::format("{:g}", facts.value(key, 0.0)); };
    if (facts.value("gpus_asked", 0.0) > 0)
      fmt::print("it asks for {} GPU(s); free now: {} of its kind, {} in all{}\n", fact("gpus_asked"),
                 fact("gpus_free_of_its_kind"), fact("gpus_free"),
                 facts.value("gpus_reserved_of_its_kind", 0.0) > 0
                     ? fmt::format("; {} more of its kind are kept for others or for later",
                                   fact("gpus_reserved_of_its_kind"))
                     : "");
    if (facts.contains("cpus_asked_per_node"))
      fmt::print("it asks for {} CPU(s) on each node; free now: at most {} on one node, {} in all\n",
                 fact("cpus_asked_per_node"), fact("cpus_free_most_of_a_node"), fact("cpus_free"));
    if (facts.contains("memory_mib_asked_per_node"))
      fmt::print("it asks for {} MiB on each node; free now: at most {} MiB on one node\n",
                 fact("memory_mib_asked_per_node"), fact("memory_mib_free_most_of_a_node"));
    if (facts.value("nodes_of_its_kind_off", 0.0) > 0)
      fmt::print("{} of the {} node(s) of its kind are drained or down\n", fact("nodes_of_its_kind_off"),
                 fact("nodes_of_its_kind"));
    if (facts.value("nodes_of_its_kind_reserved", 0.0) > 0)
      fmt::print(
          "{} of the {} node(s) of its kind are kept for reservations, or for jobs that others make room "
          "for\n",
          fact("nodes_of_its_kind_reserved"), fact("nodes_of_its_kind"));
    if (facts.contains("rules")) {
      for (const Json& line : facts.at("rules"))
        fmt::print("{}\n", report::printable_name(line.get<std::string>()));
    }
    if (facts.contains("jobs_waiting")) fmt::print("{} job(s) wait in all\n", fact("jobs_waiting"));
    if (facts.contains("jobs_leaving"))
      fmt::print("{} job(s) make room for it and are saving their work\n", fact("jobs_leaving"));
    if (facts.contains("quota")) fmt::print("{}\n", facts.at("quota").value("lifted_by", ""));
    if (facts.contains("begin")) fmt::print("it may begin at {}\n", facts.value("begin", ""));
    if (facts.contains("waits_for")) {
      for (const Json& one : facts.at("waits_for"))
        fmt::print("it waits for {}{}\n", one.value("on", ""),
                   one.value("impossible", false) ? ", which can be met no more" : "");
      if (facts.value("one_will_do", false)) fmt::print("one of these will do\n");
    }
    if (facts.contains("reservation")) {
      const Json& promise = facts.at("reservation");
      fmt::print("a reservation stands for {} at {}\n",
                 promise.at("job").is_string() ? "job " + promise.at("job").get<std::string>()
                                               : "a job of another tenant",
                 promise.value("at", ""));
    }
  }
  if (answer->contains("changes")) print_changes(*answer);
  print_history(answer->at("history"));
  return ExitCode::ok;
}

Result<ExitCode> eta(const AppContext& context, const std::string& id, bool json, Connection& connection) {
  if (const std::optional<ExitCode> code = refuse_array(context, connection, id, "eta")) return *code;
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/jobs/" + client::escaped(id) + "/eta");
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  fmt::print("job {}: {}\n", answer->value("id", ""), answer->value("text", ""));
  return ExitCode::ok;
}

CLI::App* job_command(CLI::App& app, const char* name, const char* description,
                      std::vector<std::string>& ids) {
  CLI::App* command = app.add_subcommand(name, description);
  command->group(kGroupFactory);
  command->add_option("JOB", ids, "Numbers of jobs; 12_3 is task 3 of array 12")
      ->required()
      ->type_name("JOB");
  return command;
}

}  // namespace

void add_jobs_commands(CLI::App& app, AppContext& context) {
  add_ps_command(app, context);
  add_watch_command(app, context);
  add_show_command(app, context);
  add_logs_command(app, context);
  for (const Order& what : kOrders) {
    auto ids = std::make_shared<std::vector<std::string>>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = job_command(app, what.word, what.description, *ids);
    add_server_options(*command, *access);
    command->footer("In a terminal it says a line for each job; elsewhere nothing of what went well.");
    set_server_action(*command, context, access, [&context, ids, access, &what](Connection& connection) {
      return order(context, *ids, what, access->json, connection);
    });
  }
  {
    auto ids = std::make_shared<std::vector<std::string>>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command =
        job_command(app, "wait", "Wait until jobs have ended; the exit code is the largest of theirs", *ids);
    add_server_options(*command, *access);
    command->footer(
        "An array's number stands for all its tasks. Exit codes are those of gw run; 125 also where gw "
        "itself "
        "failed.\n\n"
        "Examples:\n"
        "  gw wait 12 13 && gw submit next.yaml\n"
        "  gw wait 20 --json");
    set_server_action(
        *command, context, access,
        [&context, ids, access](Connection& connection) {
          return wait(context, *ids, access->json, connection);
        },
        kRunFailed);
  }
  {
    auto id = std::make_shared<std::string>();
    auto reason_only = std::make_shared<bool>(false);
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = app.add_subcommand(
        "explain", "Say what keeps a job waiting, now and before, and what would start it sooner");
    command->group(kGroupFactory);
    command->add_option("JOB", *id, "Its number; 12_3 is task 3 of array 12")->required()->type_name("JOB");
    command->add_flag("--reason-only", *reason_only,
                      "Leave out what would start it sooner, which takes up to a second");
    add_server_options(*command, *access);
    command->footer(
        "Each change has been tried on a copy of the factory: the job cancelled, the changed one submitted, "
        "and the\nscheduler run ahead. Beside it stand the options of gw submit and gw run that make it.\n\n"
        "Examples:\n"
        "  gw explain 12\n"
        "  gw explain 12 --reason-only --json");
    set_server_action(*command, context, access, [&context, id, reason_only, access](Connection& connection) {
      return explain(context, *id, *reason_only, access->json, connection);
    });
  }
  {
    auto id = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command =
        app.add_subcommand("eta", "Forecast when a job starts, by running the scheduler ahead");
    command->group(kGroupFactory);
    command->add_option("JOB", *id, "Its number; 12_3 is task 3 of array 12")->required()->type_name("JOB");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, id, access](Connection& connection) {
      return eta(context, *id, access->json, connection);
    });
  }
}

}  // namespace gw
