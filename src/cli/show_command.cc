// `gw show`: all there is to know of a job, or of an array as a whole.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/job_facts.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "report/text.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

void print_facts(const std::vector<std::pair<std::string, std::string>>& facts) {
  TextTable table("ll");
  for (const auto& [name, value] : facts) {
    if (!value.empty()) table.add({name, value});
  }
  fmt::print("{}", table.text());
}

const Json* in_spec(const Json& job, const char* key) {
  return job.contains("spec") && job.at("spec").contains(key) ? &job.at("spec").at(key) : nullptr;
}

/// Names of its description, or nothing.
std::string list_text(const Json& job, const char* key) {
  std::string text;
  const Json* names = in_spec(job, key);
  for (const Json& name : names == nullptr ? Json::array() : *names)
    text += (text.empty() ? "" : ", ") + name.get<std::string>();
  return text;
}

bool spec_flag(const Json& job, const char* key) {
  const Json* flag = in_spec(job, key);
  return flag != nullptr && flag->is_boolean() && flag->get<bool>();
}

std::string spec_text(const Json& job, const char* key) {
  const Json* text = in_spec(job, key);
  return text != nullptr && text->is_string() ? text->get<std::string>() : std::string();
}

/// ` of 2 to 8`, where it takes as many as are free.
std::string range_text(const Json& job) {
  const Json* most = in_spec(job, "nodes_max");
  if (most == nullptr) return "";
  const Json* least = in_spec(job, "nodes");
  return fmt::format(" of {} to {}", least == nullptr ? 1 : least->get<std::uint64_t>(),
                     most->get<std::uint64_t>());
}

std::string asks_text(const Json& job) {
  return fmt::format("{}{} node(s), {} GPU(s), {} CPU(s){}, limit {}", job.value("nodes", 0), range_text(job),
                     number_text(job.at("gpus")), number_text(job.at("cpus")),
                     job.value("memory_mib", 0) > 0
                         ? fmt::format(", {} MiB a node", job.at("memory_mib").get<std::int64_t>())
                         : "",
                     limit_text(job));
}

/// The tasks of an array by how they stand; `first` is its first.
Result<ExitCode> show_array(const AppContext& context, const Json& first, bool json, Connection& connection) {
  const std::uint64_t number = first.at("number");
  std::map<std::string, std::uint64_t> statuses;
  std::vector<std::string> bad;  // Ended, but not as they should.
  std::string before;
  do {
    const std::expected<Json, client::Failure> page = connection.get(
        "/v1/jobs" +
        client::query({{"array", fmt::format("{}", number)}, {"limit", "1000"}, {"before", before}}));
    if (!page) return report_failure(context, page.error());
    for (const Json& task : page->at("jobs")) {
      const std::string status = task.value("status", "");
      statuses[status] += task.at("array").contains("rest")
                              ? task.at("array").at("rest").value("tasks", std::uint64_t{1})
                              : 1;
      if (task.value("ended", false) && status != "completed" && status != "cancelled")
        bad.push_back(fmt::format("{} {}", task.value("id", ""), status) +
                      (where_text(task).empty() ? "" : ": " + where_text(task)));
    }
    before = page->at("next").is_string() ? page->at("next").get<std::string>() : "";
  } while (!before.empty());
  const std::uint64_t tasks = first.at("array").at("tasks");
  const Json spec = first.contains("spec") ? first.at("spec") : Json::object();
  const std::string indices = spec.value("array", "");
  if (json) {
    Json counts = Json::object();
    for (const auto& [status, count] : statuses) counts[status] = count;
    fmt::print("{}\n", json_out({{"job", number},
                                 {"name", first.value("name", "")},
                                 {"tenant", first.value("tenant", "")},
                                 {"user", first.value("user", "")},
                                 {"tasks", tasks},
                                 {"statuses", counts},
                                 {"spec", spec}}));
    return ExitCode::ok;
  }
  std::string states;
  for (const auto& [status, count] : statuses)
    states += (states.empty() ? "" : ", ") + fmt::format("{} {}", count, status);
  const std::size_t percent = indices.find('%');
  print_facts(
      {{"array", fmt::format("{}  {}", number, first.value("name", ""))},
       {"tasks", fmt::format("{} ({}){}", tasks, indices.substr(0, percent),
                             percent == std::string::npos
                                 ? ""
                                 : fmt::format(", at most {} at a time", indices.substr(percent + 1)))},
       {"status", states},
       {"tenant", first.value("tenant", "")},
       {"user", first.value("user", "")},
       {"each asks for", asks_text(first)},
       {"GPU types", list_text(first, "gpu_types")},
       {"preemptible", spec_flag(first, "preemptible") ? "yes" : ""},
       {"reservation", spec_text(first, "reservation")},
       {"submitted", first.value("submitted", "")},
       {"output", spec.value("output", "")},
       {"error", spec.value("error", "")}});
  constexpr std::size_t kShown = 10;
  std::reverse(bad.begin(), bad.end());  // The list is newest first.
  if (!bad.empty()) fmt::print("\n");
  for (std::size_t index = 0; index < std::min(bad.size(), kShown); ++index)
    fmt::print("{}\n", report::printable(bad[index]));
  if (bad.size() > kShown)
    fmt::print("and {} more: gw ps --array {} -s ended\n", bad.size() - kShown, number);
  fmt::print("\none task: gw show {}; a row for each: gw ps --all --array {}\n", first.value("id", ""),
             number);
  return ExitCode::ok;
}

Result<ExitCode> show(const AppContext& context, const std::string& id, bool environment, bool json,
                      Connection& connection) {
  const std::expected<Json, client::Failure> answer =
      connection.get("/v1/jobs/" + client::escaped(id) + (environment ? "?environment=1" : ""));
  if (!answer) return report_failure(context, answer.error());
  const Json& job = *answer;
  if (is_whole_array(id, job)) return show_array(context, job, json, connection);
  if (json) {
    fmt::print("{}\n", json_out(job));
    return ExitCode::ok;
  }
  const auto text = [&](const char* key) {
    return job.contains(key) ? job[key].get<std::string>() : std::string();
  };
  std::vector<std::pair<std::string, std::string>> facts{
      {"job", job.value("id", "") + "  " + job.value("name", "")},
      {"status", text("status") + (job.contains("reason")        ? " (" + text("reason") + ")"
                                   : job.value("leaving", false) ? " (" + leaving_text(job) + ")"
                                                                 : "")},
      {"note", text("note")},
      {"tenant", text("tenant")},
      {"user", text("user")},
      {"asks for", asks_text(job)},
      {"GPU types", list_text(job, "gpu_types")},
      {"preemptible", spec_flag(job, "preemptible") ? "yes" : ""},
      {"reservation", spec_text(job, "reservation")},
      {"residency", list_text(job, "residency")},
      {"not under", list_text(job, "excluded_jurisdictions")},
      {"certified to", list_text(job, "certifications")},
      {"data", list_text(job, "data")},
      {"submitted", text("submitted")},
      {"started", text("started")},
      {"ended", text("ended_at")},
      {"nodes", text("place")}};
  if (job.value("ended", false))
    facts.emplace_back("exit code", fmt::format("{}", job.value("exit_code", 0)));
  if (job.contains("signal")) facts.emplace_back("signal", fmt::format("{}", job.at("signal").get<int>()));
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
    facts.emplace_back("output", output_file(job, "output"));
    facts.emplace_back("error", output_file(job, "error"));
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

}  // namespace

void add_show_command(CLI::App& app, AppContext& context) {
  auto id = std::make_shared<std::string>();
  auto environment = std::make_shared<bool>(false);
  auto access = std::make_shared<ServerAccess>();
  CLI::App* command =
      app.add_subcommand("show", "Show a job and its attempts, or how the tasks of an array stand");
  command->group(kGroupFactory);
  command->add_option("JOB", *id, "Its number; 12_3 is task 3 of array 12, and 12 the array as a whole")
      ->required()
      ->type_name("JOB");
  command->add_flag("--env", *environment, "With its environment");
  add_server_options(*command, *access);
  set_server_action(*command, context, access, [&context, id, environment, access](Connection& connection) {
    return show(context, *id, *environment, access->json, connection);
  });
}

}  // namespace gw
