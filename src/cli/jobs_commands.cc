// `gw ps`, `show`, `logs`, `cancel`, `hold`, `release`, `requeue`, `wait`, `explain`, `eta`.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/follow_job.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "live/time_text.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

std::string number_text(const Json& json) {
  if (!json.is_number()) return "-";
  const double value = json.get<double>();
  return value == 0 ? "-" : fmt::format("{:g}", value);
}

std::string limit_text(const Json& job) { return report::format_duration(job.value("limit_s", 0.0)); }

std::string where_text(const Json& job) {
  const std::string status = job.value("status", "");
  if (status == "running") return job.value("place", "");
  if (job.contains("reason")) return "(" + job.at("reason").get<std::string>() + ")";
  if (job.value("ended", false) && status == "failed")
    return job.contains("signal") ? fmt::format("signal {}", job.at("signal").get<int>())
                                  : fmt::format("exit {}", job.value("exit_code", 0));
  return "";
}

struct PsOptions {
  bool all = false;
  std::string status, tenant, user, name;
  std::uint64_t array = 0;
  std::uint64_t limit = 100;
};

Result<ExitCode> ps(const AppContext& context, const PsOptions& options, bool json, Connection& connection) {
  Json jobs = Json::array();
  Json now;
  std::string before;
  bool more = false;
  while (jobs.size() < options.limit) {
    const std::uint64_t page = std::min<std::uint64_t>(1000, options.limit - jobs.size());
    std::expected<Json, client::Failure> answer = connection.get(
        "/v1/jobs" + client::query({{"status", !options.status.empty() ? options.status
                                               : options.all           ? ""
                                                                       : "open"},
                                    {"tenant", options.tenant},
                                    {"user", options.user},
                                    {"name", options.name},
                                    {"array", options.array == 0 ? "" : fmt::format("{}", options.array)},
                                    {"limit", fmt::format("{}", page)},
                                    {"before", before}}));
    if (!answer) return report_failure(context, answer.error());
    now = answer->at("now");
    for (Json& job : answer->at("jobs")) jobs.push_back(std::move(job));
    more = answer->at("next").is_string();
    if (!more) break;
    before = answer->at("next");
  }
  if (json) {
    fmt::print("{}\n", json_out({{"jobs", jobs}, {"more", more}}));
    return ExitCode::ok;
  }
  if (jobs.empty()) {
    fmt::print("no {}jobs\n", options.all || !options.status.empty() ? "such " : "open ");
    return ExitCode::ok;
  }
  TextTable table("rllllrrrrl");
  table.add({"JOB", "NAME", "TENANT", "USER", "STATUS", "NODES", "GPUS", "LIMIT", "TIME", "WHERE OR WHY"});
  for (const Json& job : jobs) {
    const std::string status = job.value("status", "");
    const bool ended = job.value("ended", false);
    const Json began = job.contains("started") ? job.at("started") : job.at("submitted");
    const std::string time =
        ended ? (job.contains("started") ? age_text(job.at("ended_at"), job.at("started")) : "-")
              : age_text(now, status == "running" ? began : job.at("submitted"));
    table.add({job.value("id", ""), job.value("name", ""), job.value("tenant", ""), job.value("user", ""),
               job.value("stopping", false) ? "stopping" : status, number_text(job.at("nodes")),
               number_text(job.at("gpus")), limit_text(job), time, where_text(job)});
  }
  fmt::print("{}", table.text());
  if (more) fmt::print("more follow; --limit N shows them\n");
  return ExitCode::ok;
}

void print_facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  TextTable table("ll");
  for (const auto& [name, value] : facts) {
    if (!value.empty()) table.add({name, value});
  }
  fmt::print("{}", table.text());
}

Result<ExitCode> show(const AppContext& context, const std::string& id, bool environment, bool json,
                      Connection& connection) {
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/jobs/" + client::escaped(id) + (environment ? "?environment=1" : ""));
  if (!answer) return report_failure(context, answer.error());
  const Json& job = *answer;
  if (json) {
    fmt::print("{}\n", json_out(job));
    return ExitCode::ok;
  }
  const auto text = [&](const char* key) {
    return job.contains(key) ? job[key].get<std::string>() : std::string();
  };
  std::vector<std::pair<std::string, std::string>> facts{
      {"job", job.value("id", "") + "  " + job.value("name", "")},
      {"tenant", text("tenant")},
      {"user", text("user")},
      {"status", text("status") + (job.contains("reason") ? " (" + text("reason") + ")" : "")},
      {"asks for", fmt::format("{} node(s), {} GPU(s), {} CPU(s){}, limit {}", job.value("nodes", 0),
                               number_text(job.at("gpus")), number_text(job.at("cpus")),
                               job.value("memory_mib", 0) > 0
                                   ? fmt::format(", {} MiB a node", job.at("memory_mib").get<std::int64_t>())
                                   : "",
                               limit_text(job))},
      {"submitted", text("submitted")},
      {"started", text("started")},
      {"ended", text("ended_at")},
      {"nodes", text("place")}};
  if (job.value("ended", false))
    facts.emplace_back("exit code", fmt::format("{}", job.value("exit_code", 0)));
  if (job.contains("signal")) facts.emplace_back("signal", fmt::format("{}", job.at("signal").get<int>()));
  facts.emplace_back("note", text("note"));
  if (job.contains("spec")) {
    const Json& spec = job.at("spec");
    if (spec.contains("command")) {
      std::string words;
      for (const Json& word : spec.at("command"))
        words += (words.empty() ? "" : " ") + word.get<std::string>();
      facts.emplace_back("command", words);
    }
    if (spec.contains("working_folder"))
      facts.emplace_back("folder", spec.at("working_folder").get<std::string>());
    if (environment && spec.contains("environment") && spec.at("environment").is_object()) {
      for (const auto& [name, value] : spec.at("environment").items())
        facts.emplace_back("  " + name, value.get<std::string>());
    }
  }
  print_facts(facts);
  if (job.contains("attempts") && !job.at("attempts").empty()) {
    TextTable table("rlllrl");
    table.add({"ATTEMPT", "STARTED", "TIME", "END", "CODE", "NODES"});
    for (const Json& attempt : job.at("attempts"))
      table.add({fmt::format("{}", attempt.value("attempt", 0)), attempt.value("started", ""),
                 attempt.contains("ended_at") ? age_text(attempt.at("ended_at"), attempt.at("started")) : "",
                 attempt.value("end", "runs"),
                 attempt.contains("exit_code") ? fmt::format("{}", attempt.at("exit_code").get<int>()) : "",
                 attempt.value("place", "")});
    fmt::print("\n{}", table.text());
  }
  return ExitCode::ok;
}

struct LogsOptions {
  std::string id;
  bool follow = false;
  bool error = false;
  std::uint64_t attempt = 0;
};

Result<ExitCode> logs(const AppContext& context, const LogsOptions& options, Connection& connection) {
  if (options.follow) {
    if (options.attempt != 0) {
      print_error(context,
                  "--attempt shows one attempt and --follow goes on to the job's end: leave one out");
      return ExitCode::usage;
    }
    const std::expected<Json, client::Failure> job =
        connection.get("/v1/jobs/" + client::escaped(options.id));
    if (!job) return report_failure(context, job.error());
    const InterruptGuard guard;
    const Followed followed = follow_job(context, connection, guard, job->at("number"),
                                         {.quiet = true, .silent_too = false, .only_error = options.error});
    // How the job ended is not asked here: that all of its output was shown is a success.
    return followed.end == Followed::End::kEnded ? ExitCode::ok : followed.code;
  }
  std::string offset;
  std::string attempt = options.attempt == 0 ? "" : fmt::format("{}", options.attempt);
  for (;;) {
    const std::expected<http::Answer, client::Failure> part = connection.bytes(
        fmt::format("/v1/jobs/{}/output", client::escaped(options.id)) +
        client::query({{"offset", offset}, {"stream", options.error ? "err" : ""}, {"attempt", attempt}}));
    if (!part) return report_failure(context, part.error());
    std::string next, from;
    for (const auto& [name, value] : part->headers) {
      if (name == "gigawerk-next-offset") next = value;
      if (name == "gigawerk-offset") from = value;
      // The rest is asked of the same attempt, whatever begins meanwhile.
      if (name == "gigawerk-attempt" && value != "0") attempt = value;
    }
    if (next.empty() || (next == offset && !part->body.empty())) {
      print_error(context, fmt::format("{} does not say where the output goes on; is that a Gigawerk server?",
                                       connection.server()));
      return kUnreachable;
    }
    if (offset.empty() && from != "0" && !part->body.empty())
      print_error(context, fmt::format("the first {} bytes of the output are not kept any more", from));
    std::fwrite(part->body.data(), 1, part->body.size(), stdout);
    if (part->body.empty()) return ExitCode::ok;
    offset = next;
  }
}

Result<ExitCode> order(const AppContext& context, const std::vector<std::string>& ids,
                       const std::string& word, bool json, Connection& connection) {
  ExitCode code = ExitCode::ok;
  Json results = Json::array();
  for (const std::string& id : ids) {
    const std::expected<Json, client::Failure> answer =
        connection.post(fmt::format("/v1/jobs/{}/{}", client::escaped(id), word), Json());
    if (!answer) {
      const ExitCode failed = report_failure(context, answer.error());
      if (code == ExitCode::ok) code = failed;
      results.push_back({{"id", id}, {"error", error_json(answer.error())}});
      continue;
    }
    results.push_back({{"id", id}, {"count", answer->at("count")}});
    if (!json && answer->value("count", 0) == 0) fmt::print("job {} has ended already\n", id);
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

Result<ExitCode> explain(const AppContext& context, const std::string& id, bool json,
                         Connection& connection) {
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/jobs/" + client::escaped(id) + "/explain");
  if (!answer) return report_failure(context, answer.error());
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return ExitCode::ok;
  }
  const Json& reason = answer->at("reason");
  fmt::print("job {} is {}: {} ({}, since {})\n", answer->value("id", ""), answer->value("status", ""),
             reason.value("text", ""), reason.value("name", ""), reason.value("since", ""));
  if (answer->contains("note"))
    fmt::print("note: {}\n", report::printable_name(answer->at("note").get<std::string>()));
  if (answer->contains("facts")) {
    const Json& facts = answer->at("facts");
    const auto fact = [&](const char* name) { return number_text(facts.value(name, Json(0))); };
    if (facts.value("gpus_asked", 0.0) > 0)
      fmt::print("it asks for {} GPU(s); free now: {} of its kind, {} in all\n", fact("gpus_asked"),
                 fact("gpus_free_of_its_kind"), fact("gpus_free"));
    if (facts.contains("cpus_asked_per_node"))
      fmt::print("it asks for {} CPU(s) on each node; free now: at most {} on one node, {} in all\n",
                 fact("cpus_asked_per_node"), fact("cpus_free_most_of_a_node"), fact("cpus_free"));
    if (facts.contains("memory_mib_asked_per_node"))
      fmt::print("it asks for {} MiB on each node; free now: at most {} MiB on one node\n",
                 fact("memory_mib_asked_per_node"), fact("memory_mib_free_most_of_a_node"));
    if (facts.value("nodes_of_its_kind_off", 0.0) > 0)
      fmt::print("{} of the {} node(s) of its kind are drained or down\n", fact("nodes_of_its_kind_off"),
                 fact("nodes_of_its_kind"));
    if (facts.contains("jobs_waiting")) fmt::print("{} job(s) wait in all\n", fact("jobs_waiting"));
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
  if (!answer->at("history").empty()) {
    TextTable table("ll");
    table.add({"SINCE", "BOUND BY"});
    for (const Json& entry : answer->at("history"))
      table.add({entry.value("since", ""), entry.value("reason", "")});
    fmt::print("\n{}", table.text());
  }
  return ExitCode::ok;
}

Result<ExitCode> eta(const AppContext& context, const std::string& id, bool json, Connection& connection) {
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
  {
    auto options = std::make_shared<PsOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = app.add_subcommand("ps", "List jobs");
    command->group(kGroupFactory);
    command->add_flag("-a,--all", options->all, "Also jobs that have ended");
    command
        ->add_option("-s,--status", options->status,
                     "Only of these, by commas: open, held, blocked, waiting, running, ended, or how they "
                     "ended: completed, failed, cancelled, time_limit, ...; also ended ones without --all")
        ->type_name("STATUS");
    command->add_option("--tenant", options->tenant, "Only of this tenant and what is below it")
        ->type_name("PATH");
    command->add_option("-u,--user", options->user, "Only of this user")->type_name("USER");
    command->add_option("--name", options->name, "Only of this name")->type_name("NAME");
    command->add_option("--array", options->array, "Only tasks of this array")->type_name("JOB");
    command->add_option("-n,--limit", options->limit, "At most so many, newest first (default: 100)")
        ->check(whole_number(1, 1'000'000))
        ->type_name("N");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
      return ps(context, *options, access->json, connection);
    });
  }
  {
    auto id = std::make_shared<std::string>();
    auto environment = std::make_shared<bool>(false);
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = app.add_subcommand("show", "Show a job and its attempts");
    command->group(kGroupFactory);
    command->add_option("JOB", *id, "Its number; 12_3 is task 3 of array 12")->required()->type_name("JOB");
    command->add_flag("--env", *environment, "With its environment");
    add_server_options(*command, *access);
    set_server_action(*command, context, access, [&context, id, environment, access](Connection& connection) {
      return show(context, *id, *environment, access->json, connection);
    });
  }
  {
    auto options = std::make_shared<LogsOptions>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = app.add_subcommand("logs", "Print what a job has printed");
    command->group(kGroupFactory);
    command->add_option("JOB", options->id, "Its number; 12_3 is task 3 of array 12")
        ->required()
        ->type_name("JOB");
    command->add_flag("-f,--follow", options->follow, "Go on until the job has ended, through its requeues");
    command->add_flag("--stderr", options->error, "Standard error alone, where it is kept by itself");
    command->add_option("--attempt", options->attempt, "Of this attempt (default: the latest); not with -f")
        ->check(whole_number(1, UINT32_MAX))
        ->type_name("N");
    add_server_options(*command, *access, false);
    command->footer(
        "The exit code is 0 when all there was has been printed, with -f: when the job has ended, however it "
        "did;\n"
        "130 after ^C (the job goes on), 3 when the server is gone for good, 4 when it refuses.\n\n"
        "Examples:\n"
        "  gw logs 12\n"
        "  gw logs -f 12_3");
    set_server_action(*command, context, access, [&context, options](Connection& connection) {
      return logs(context, *options, connection);
    });
  }
  for (const auto& [word, description] :
       {std::pair{"cancel", "Cancel jobs; of an array, all its tasks"},
        std::pair{"hold", "Keep waiting jobs back until gw release"},
        std::pair{"release", "Let held jobs go on"},
        std::pair{"requeue", "Stop running jobs and let them wait again"}}) {
    auto ids = std::make_shared<std::vector<std::string>>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = job_command(app, word, description, *ids);
    add_server_options(*command, *access);
    set_server_action(*command, context, access,
                      [&context, ids, access, name = std::string(word)](Connection& connection) {
                        return order(context, *ids, name, access->json, connection);
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
  for (const auto& [word, description, action] :
       {std::tuple{"explain", "Say what keeps a job waiting, now and before", &explain},
        std::tuple{"eta", "Forecast when a job starts, by running the scheduler ahead", &eta}}) {
    auto id = std::make_shared<std::string>();
    auto access = std::make_shared<ServerAccess>();
    CLI::App* command = app.add_subcommand(word, description);
    command->group(kGroupFactory);
    command->add_option("JOB", *id, "Its number; 12_3 is task 3 of array 12")->required()->type_name("JOB");
    add_server_options(*command, *access);
    set_server_action(*command, context, access,
                      [&context, id, access, action = action](Connection& connection) {
                        return action(context, *id, access->json, connection);
                      });
  }
}

}  // namespace gw
