// `gw logs`: what a job has printed, or why there is nothing to see.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/follow_job.h"
#include "cli/job_facts.h"
#include "cli/server_access.h"
#include "cli/text_table.h"

namespace gw {
namespace {

using client::Connection;
using client::Json;

struct LogsOptions {
  std::string id;
  bool follow = false;
  bool error = false;
  std::uint64_t attempt = 0;
};

bool has_run(const Json& job) {
  return job.value("attempt", 0) > 0 && job.value("status", "") != "launch_failed";
}

/// Says why there is nothing to see; the exit code is ExitCode::failed for a job that did not run.
ExitCode explain_silence(const AppContext& context, const LogsOptions& options, const Json& job) {
  const std::string id = job.value("id", "");
  const std::string status = job.value("status", "");
  const bool ended = job.value("ended", false);
  const std::string why = where_text(job);
  if (!has_run(job)) {
    print_error(
        context,
        ended ? fmt::format("job {} never ran: {}{}", id, status, why.empty() ? "" : ": " + why)
              : fmt::format("job {} has not run yet: it is {}{}", id, status, why.empty() ? "" : " " + why));
    return ExitCode::failed;
  }
  const std::string file = output_file(job, options.error ? "error" : "output");
  if (!file.empty()) {
    print_error(context, fmt::format("job {} writes that to a file on {}: {}", id,
                                     job.value("place", "its node"), file));
  } else if (options.error) {
    print_error(context,
                fmt::format("job {} has nothing on standard error by itself{}", id, ended ? "" : " yet"));
  } else {
    print_error(context, fmt::format("job {} has printed nothing{}", id, ended ? "" : " yet"));
  }
  return ExitCode::ok;
}

Result<ExitCode> logs(const AppContext& context, const LogsOptions& options, bool json,
                      Connection& connection) {
  const std::string path = "/v1/jobs/" + client::escaped(options.id);
  const std::expected<Json, client::Failure> job = connection.get(path);
  if (!job) return report_failure(context, job.error());
  if (is_whole_array(options.id, *job)) {
    print_error(context,
                fmt::format("{} is an array of {} tasks; ask for one of them: gw logs {}", options.id,
                            job->at("array").value("tasks", std::uint64_t{0}), job->value("id", "")));
    return ExitCode::usage;
  }
  if (options.follow) {
    if (options.attempt != 0) {
      print_error(context,
                  "--attempt shows one attempt and --follow goes on to the job's end: leave one out");
      return ExitCode::usage;
    }
    if (const std::string file = output_file(*job, options.error ? "error" : "output"); !file.empty())
      print_error(context, fmt::format("job {} writes that to a file: {}", job->value("id", ""), file));
    const InterruptGuard guard;
    const Followed followed = follow_job(context, connection, guard, job->at("number"),
                                         {.quiet = true, .silent_too = false, .only_error = options.error});
    if (followed.end != Followed::End::kEnded) return followed.code;
    // How the job ended is not asked here: that all of its output was shown is a success.
    const std::expected<Json, client::Failure> after = connection.get(path);
    return !after || has_run(*after) ? ExitCode::ok : explain_silence(context, options, *after);
  }
  std::string offset, all, first;
  std::string attempt = options.attempt == 0 ? "" : fmt::format("{}", options.attempt);
  for (;;) {
    const std::expected<http::Answer, client::Failure> part = connection.bytes(
        path + "/output" +
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
    if (json && part->body.empty()) {
      // Bytes that are no UTF-8 are shown as U+FFFD: JSON has no others. gw logs without --json gives them.
      fmt::print("{}\n", json_out({{"id", job->value("id", "")},
                                   {"attempt", attempt.empty() ? 0 : std::stoull(attempt)},
                                   {"stream", options.error ? "err" : "out"},
                                   {"offset", first.empty() ? 0 : std::stoull(first)},
                                   {"bytes", all.size()},
                                   {"exact", is_utf8(all)},
                                   {"text", all}}));
      return ExitCode::ok;
    }
    if (first.empty()) first = from;
    if (json) {
      all += part->body;
      offset = next;
      continue;
    }
    if (offset.empty() && from != "0" && !part->body.empty())
      print_error(context, fmt::format("the first {} bytes of the output are not kept any more", from));
    std::fwrite(part->body.data(), 1, part->body.size(), stdout);
    if (part->body.empty()) return offset.empty() ? explain_silence(context, options, *job) : ExitCode::ok;
    offset = next;
  }
}

}  // namespace

void add_logs_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<LogsOptions>();
  auto access = std::make_shared<ServerAccess>();
  CLI::App* command = app.add_subcommand("logs", "Print what a job has printed");
  command->group(kGroupFactory);
  command->add_option("JOB", options->id, "Its number; 12_3 is task 3 of array 12")
      ->required()
      ->type_name("JOB");
  CLI::Option* follow = command->add_flag("-f,--follow", options->follow,
                                          "Go on until the job has ended, through its requeues");
  command->add_flag("--stderr", options->error, "Standard error alone, where it is kept by itself");
  command->add_option("--attempt", options->attempt, "Of this attempt (default: the latest); not with -f")
      ->check(whole_number(1, UINT32_MAX))
      ->type_name("N");
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON: what there is, as one text; not with -f")->excludes(follow);
  add_server_options(*command, *access, false);
  command->footer(
      "The exit code is 0 when all there was has been printed, with -f: when the job has ended, however it "
      "did;\n"
      "1 where the job did not run, as standard error says; 130 after ^C (the job goes on), 3 when the "
      "server is gone for good, 4 when it refuses.\n\n"
      "Examples:\n"
      "  gw logs 12\n"
      "  gw logs -f 12_3");
  set_server_action(*command, context, access, [&context, options, json](Connection& connection) {
    return logs(context, *options, *json, connection);
  });
}

}  // namespace gw
