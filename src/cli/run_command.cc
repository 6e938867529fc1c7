// `gw run`: a command as a job, with its output here and its exit code.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <random>

#include "cli/commands.h"
#include "cli/follow_job.h"
#include "cli/job_options.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "spec/job_json.h"

namespace gw {
namespace {

struct Options {
  JobOptions job;
  bool detach = false;
  bool quiet = false;
  std::vector<std::string> command;
};

constexpr unsigned kCallOffSeconds = 10;

/// A key that no other submission has.
std::string fresh_key() {
  std::random_device chance;
  std::string key = "gw-run-";
  for (int word = 0; word < 4; ++word) key += fmt::format("{:08x}", chance());
  return key;
}

ExitCode cancel(const AppContext& context, client::Connection& connection, std::uint64_t number) {
  const std::expected<client::Json, client::Failure> done =
      connection.remove(fmt::format("/v1/jobs/{}", number));
  if (!done) {
    report_failure(context, done.error());
    print_error(context, fmt::format("job {} was not cancelled", number));
    return kRunFailed;
  }
  print_error(context, fmt::format("cancelled job {}", number));
  return interrupted_code();
}

/// After ^C while the answer to a submission had not come: cancels the job if the server has it, and sees to
/// it that a submission which is still on its way comes to nothing.
ExitCode call_off(const AppContext& context, const client::Connection& before, client::Json body,
                  const std::string& key) {
  std::expected<std::unique_ptr<client::Connection>, client::Failure> connection =
      before.another(kCallOffSeconds);
  const auto failed = [&](const client::Failure& failure) {
    report_failure(context, failure);
    print_error(context, "whether the job was submitted is not known: see gw ps");
    return kRunFailed;
  };
  if (!connection) return failed(connection.error());
  // Impatient fingers do not end the very call that does what they ask for.
  InterruptGuard::ends(**connection, 3);
  // The key belongs to the first submission that comes with it. This one is held, so that it never runs.
  const client::Json submission = body;
  body["hold"] = true;
  std::expected<client::Json, client::Failure> job =
      (*connection)->post("/v1/jobs", body, {{"Idempotency-Key", key}});
  if (!job && job.error().code == "key_reused")
    job = (*connection)->post("/v1/jobs", submission, {{"Idempotency-Key", key}});
  const ExitCode code = job ? cancel(context, **connection, job->at("number")) : failed(job.error());
  InterruptGuard::ends_nothing();
  return code;
}

/// Whether someone means to hand something to the job: standard input is a pipe or a file.
bool has_input() {
  struct stat input{};
  return fstat(STDIN_FILENO, &input) == 0 &&
         (S_ISFIFO(input.st_mode) || S_ISREG(input.st_mode) || S_ISSOCK(input.st_mode));
}

Result<ExitCode> run(const AppContext& context, const Options& options, bool json,
                     client::Connection& connection) {
  JobSpec spec;
  spec.command = options.command;
  std::error_code ignored;
  spec.working_folder = std::filesystem::current_path(ignored).string();
  Result<void> applied = apply_job_options(options.job, spec);
  if (applied) applied = apply_environment(options.job, {}, spec);
  if (!applied) {
    print_error(context, applied.error().message);
    return ExitCode::usage;
  }
  const client::Json body = client::Json::parse(spec::job_json(spec));
  const std::string key = fresh_key();
  if (!options.quiet && !options.detach && has_input())
    print_error(context,
                "jobs read no standard input: what comes in here is not passed on; put it into a file");
  std::signal(SIGPIPE, SIG_IGN);  // Where nobody reads the output, the job is to end too.
  const InterruptGuard guard;
  InterruptGuard::ends(connection, 1);
  const std::expected<client::Json, client::Failure> submitted =
      connection.post("/v1/jobs", body, {{"Idempotency-Key", key}});
  InterruptGuard::ends_nothing();
  if (!submitted) {
    if (guard.count() > 0 && submitted.error().kind == client::Failure::Kind::kUnreachable)
      return call_off(context, connection, body, key);
    report_failure(context, submitted.error());
    return kRunFailed;
  }
  print_warnings(context, *submitted);
  const std::uint64_t number = submitted->at("number");
  if (options.detach || spec.array) {
    if (guard.count() > 0) {
      // Not by the first connection: ^C ends its next call.
      const auto fresh = connection.another(kCallOffSeconds);
      return fresh ? cancel(context, **fresh, number) : report_failure(context, fresh.error());
    }
    if (json) {
      fmt::print("{}\n", json_out(*submitted));
    } else {
      fmt::print("{}\n", number);
    }
    return ExitCode::ok;
  }
  const Followed followed =
      follow_job(context, connection, guard, number, {.cancel_on_interrupt = true, .quiet = options.quiet});
  return followed.end == Followed::End::kFailed ? kRunFailed : followed.code;
}

}  // namespace

void add_run_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  auto access = std::make_shared<ServerAccess>();
  CLI::App* command =
      app.add_subcommand("run", "Run a command as a job; its output and exit code come back here");
  command->group(kGroupFactory);
  command->add_option("COMMAND", options->command, "The command and its arguments, behind --")
      ->required()
      ->type_name("COMMAND");
  command->positionals_at_end();
  command->prefix_command(false);
  add_job_options(*command, options->job);
  command->add_flag("--detach", options->detach, "Print the job's number and return at once");
  command->add_flag("-q,--quiet", options->quiet, "Say nothing but what the job prints");
  add_server_options(*command, *access);
  command->footer(
      "The exit code is the job's; 124 at its time limit, 128+N when signal N killed it, 130 when it was "
      "cancelled,\n"
      "126 or 127 when it could not be run, 125 when gw itself failed. ^C cancels the job; so does the end "
      "of "
      "this gw\n"
      "by SIGTERM (143), SIGHUP (129), or because nobody reads its output any more (141). Jobs read no "
      "standard input.\n"
      "An array is submitted as with --detach; gw wait gives its exit code, gw logs the output of a task.\n\n"
      "Examples:\n"
      "  gw run -- hostname\n"
      "  gw run -g 1 -t 2h -- python train.py --epochs 3\n"
      "  gw run -N 2 -g 8 --tasks-per-node 8 -- python -m train\n"
      "  gw run --detach --name sweep -a 0-99%10 -- ./sweep.sh");
  set_server_action(
      *command, context, access,
      [&context, options, access](client::Connection& connection) {
        return run(context, *options, access->json, connection);
      },
      kRunFailed);
}

}  // namespace gw
