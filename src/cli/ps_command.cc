// `gw ps`: jobs in rows, waiting tasks of an array in one.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/job_facts.h"
#include "cli/server_access.h"
#include "cli/text_table.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

struct Options {
  bool all = false;
  bool tasks = false;
  std::string status, tenant, user, name, array;
  std::uint64_t limit = 100;
};

/// The list folds at most so many jobs; a longer one ends there.
constexpr std::size_t kMostFolded = 50'000;

/// Jobs that stand in one row: one job, or tasks of an array that wait for the same reason.
struct Row {
  Json job;                            ///< The newest.
  std::vector<std::uint64_t> indices;  ///< More than one where it is folded.
};

class Rows {
 public:
  explicit Rows(bool folds) : folds_(folds) {}

  void add(const Json& job) {
    const bool waits = !job.value("ended", false) && job.value("status", "") != "running" &&
                       !job.value("stopping", false) && job.contains("array");
    if (!folds_ || !waits || job.at("array").contains("rest")) {
      rows_.push_back({job, {}});
      return;
    }
    const std::uint64_t index = job.at("array").value("index", std::uint64_t{0});
    const auto [place, is_new] =
        places_.try_emplace(fmt::format("{} {} {}", job.at("array").value("job", std::uint64_t{0}),
                                        job.value("status", ""), where_text(job)),
                            rows_.size());
    if (is_new) rows_.push_back({job, {}});
    rows_[place->second].indices.push_back(index);
  }

  [[nodiscard]] std::size_t size() const { return rows_.size(); }

  /// `12`, `38_4`, `38_[3-999]`.
  static std::string id(Row& row) {
    if (row.indices.size() < 2) return row.job.value("id", "");
    std::ranges::sort(row.indices);
    return fmt::format("{}_[{}]", row.job.at("array").value("job", std::uint64_t{0}),
                       ranges_text(row.indices));
  }
  std::vector<Row>& rows() { return rows_; }

 private:
  bool folds_;
  std::vector<Row> rows_;
  std::map<std::string, std::size_t> places_;
};

bool is_number(std::string_view text) {
  return !text.empty() && text.size() < 19 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

Result<ExitCode> ps(const AppContext& context, Options options, bool json, Connection& connection) {
  std::string before;
  std::string status = !options.status.empty() ? options.status : options.all ? "" : "open";
  // One task: the list begins and ends with it.
  if (const std::size_t line = options.array.find('_'); line != std::string::npos) {
    const std::expected<Json, client::Failure> task =
        connection.get("/v1/jobs/" + client::escaped(options.array));
    if (!task) return report_failure(context, task.error());
    before = fmt::format("{}", task->at("number").get<std::uint64_t>() + 1);
    options.array.resize(line);
    options.limit = 1;
    status.clear();
  }
  Rows rows(!json && !options.tasks && options.array.empty());
  Json jobs = Json::array();
  Json now;
  bool more = false;
  std::size_t seen = 0;
  while (rows.size() < options.limit && seen < std::max<std::size_t>(kMostFolded, options.limit)) {
    const bool folds = rows.size() < seen;  // There are arrays: large pages find their ends sooner.
    const std::uint64_t page = folds ? 1000 : std::min<std::uint64_t>(1000, options.limit - rows.size());
    const std::expected<Json, client::Failure> answer =
        connection.get("/v1/jobs" + client::query({{"status", status},
                                                   {"tenant", options.tenant},
                                                   {"user", options.user},
                                                   {"name", options.name},
                                                   {"array", options.array},
                                                   {"limit", fmt::format("{}", page)},
                                                   {"before", before}}));
    if (!answer) return report_failure(context, answer.error());
    now = answer->at("now");
    for (const Json& job : answer->at("jobs")) {
      ++seen;
      if (json) jobs.push_back(job);
      rows.add(job);
    }
    more = answer->at("next").is_string();
    if (!more) break;
    before = answer->at("next");
  }
  if (json) {
    fmt::print("{}\n", json_out({{"jobs", jobs}, {"more", more}}));
    return ExitCode::ok;
  }
  if (rows.size() == 0) {
    fmt::print("no {}jobs\n", status == "open" ? "open " : "such ");
    return ExitCode::ok;
  }
  TextTable table("rllllrrrrl");
  table.add({"JOB", "NAME", "TENANT", "USER", "STATUS", "NODES", "GPUS", "LIMIT", "TIME", "WHERE OR WHY"});
  for (Row& row : rows.rows()) {
    const Json& job = row.job;
    const std::string state = job.value("status", "");
    const Json began = job.contains("started") ? job.at("started") : job.at("submitted");
    const std::string time =
        job.value("ended", false)
            ? (job.contains("started") ? age_text(job.at("ended_at"), job.at("started")) : "-")
            : age_text(now, state == "running" ? began : job.at("submitted"));
    table.add({Rows::id(row), job.value("name", ""), job.value("tenant", ""), job.value("user", ""),
               job.value("leaving", false)    ? "leaving"
               : job.value("stopping", false) ? "stopping"
                                              : state,
               number_text(job.at("nodes")), number_text(job.at("gpus")), limit_text(job), time,
               where_text(job)});
  }
  fmt::print("{}", table.text());
  if (more && options.limit > 1) fmt::print("more follow; --limit N shows them\n");
  return ExitCode::ok;
}

}  // namespace

void add_ps_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
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
  command
      ->add_option("--array", options->array,
                   "Only tasks of this array, each in a row; 38_0 is one of them, also where it has ended")
      ->check(CLI::Validator(
          [](std::string& text) -> std::string {
            const std::size_t line = text.find('_');
            if (is_number(std::string_view(text).substr(0, line)) &&
                (line == std::string::npos || is_number(std::string_view(text).substr(line + 1))))
              return "";
            return fmt::format("'{}' is no array; write its number: 38, or 38_0 for one of its tasks", text);
          },
          ""))
      ->type_name("JOB");
  command->add_flag("--tasks", options->tasks, "A row for each task that waits, not one for an array's");
  command->add_option("-n,--limit", options->limit, "At most so many rows, newest first (default: 100)")
      ->check(whole_number(1, 1'000'000))
      ->type_name("N");
  add_server_options(*command, *access);
  set_server_action(*command, context, access, [&context, options, access](Connection& connection) {
    return ps(context, *options, access->json, connection);
  });
}

}  // namespace gw
