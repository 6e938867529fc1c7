// `gw run`: a command as a job, with its output here and its exit code.
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

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

Result<ExitCode> run(const AppContext& context, const Options& options, bool json,
                     client::Connection& connection) {
  JobSpec spec;
  spec.command = options.command;
  std::error_code ignored;
  spec.working_folder = std::filesystem::current_path(ignored).string();
  if (Result<void> applied = apply_job_options(options.job, spec); !applied) {
    print_error(context, applied.error().message);
    return ExitCode::usage;
  }
  if (Result<void> added = add_environment(options.job.export_names, spec); !added) {
    print_error(context, added.error().message);
    return ExitCode::usage;
  }
  const std::expected<client::Json, client::Failure> submitted =
      connection.post("/v1/jobs", client::Json::parse(spec::job_json(spec)));
  if (!submitted) {
    report_failure(context, submitted.error());
    return kRunFailed;
  }
  const std::uint64_t number = (*submitted)["number"];
  if (options.detach || spec.array) {
    if (json) {
      fmt::print("{}\n", json_out(*submitted, -1));
    } else {
      fmt::print("{}\n", number);
    }
    return ExitCode::ok;
  }
  return follow_job(context, connection, number, true, options.quiet);
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
      "126 or 127 when it could not be run, 125 when gw itself failed. ^C cancels the job.\n\n"
      "Examples:\n"
      "  gw run -- hostname\n"
      "  gw run -g 1 -t 2h -- python train.py --epochs 3\n"
      "  gw run -N 2 -g 8 --tasks-per-node 8 -- python -m train\n"
      "  gw run --detach --name sweep -a 0-99%10 -- ./sweep.sh");
  set_server_action(*command, context, access, [&context, options, access](client::Connection& connection) {
    return run(context, *options, access->json, connection);
  });
}

}  // namespace gw
