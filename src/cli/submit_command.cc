// `gw submit`: a job file or an sbatch script into the queue.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "cli/commands.h"
#include "cli/follow_job.h"
#include "cli/job_options.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "spec/job_json.h"
#include "spec/job_spec_file.h"
#include "spec/sbatch.h"

namespace gw {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> arguments;
  JobOptions job;
  std::string key;
  bool skip_unsupported = false;
  bool wait = false;
  bool print = false;
};

Result<std::string> read_text(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad()) return fail(fmt::format("{}: cannot be read", path));
  return text;
}

struct Parsed {
  JobSpec spec;
  spec::SbatchExport environment;
  spec::SbatchClient client;
};

/// None after printing what is wrong.
Result<std::optional<Parsed>> parse(const AppContext& context, const Options& options) {
  Result<std::string> text = read_text(options.file);
  if (!text) return std::unexpected(text.error());
  Parsed parsed;
  std::error_code ignored;
  const std::string here = std::filesystem::current_path(ignored).string();
  const auto complain = [&](const std::vector<spec::Diagnostic>& findings) {
    for (const spec::Diagnostic& finding : findings) print_error(context, finding.text());
  };
  if (!text->starts_with("#!")) {
    spec::Checked<JobSpec> job = spec::parse_job(*text, options.file);
    if (!job) {
      complain(job.error());
      return std::nullopt;
    }
    parsed.spec = std::move(*job);
    // A job file says all there is: nothing of this shell's environment goes with it unless asked for.
    parsed.environment.all = false;
    if (!options.arguments.empty()) parsed.spec.arguments = options.arguments;
  } else {
    spec::Checked<spec::SbatchJob> job = spec::parse_sbatch(*text, options.file, {}, {here, std::nullopt});
    if (!job) {
      complain(job.error());
      return std::nullopt;
    }
    for (const spec::Diagnostic& warning : job->warnings) print_error(context, warning.text());
    for (const spec::Diagnostic& finding : job->unsupported) print_error(context, finding.text());
    if (!job->unsupported.empty() && !options.skip_unsupported) {
      print_error(context,
                  "not submitted: take these options out, or go on without them by --skip-unsupported");
      return std::nullopt;
    }
    parsed.spec = std::move(job->job);
    parsed.client = job->client;
    parsed.spec.arguments = options.arguments;
    parsed.environment = std::move(job->environment);
  }
  if (parsed.spec.working_folder.empty()) parsed.spec.working_folder = here;
  return parsed;
}

Result<ExitCode> submit(const AppContext& context, const Options& options, bool json,
                        client::Connection& connection) {
  Result<std::optional<Parsed>> parsed = parse(context, options);
  if (!parsed) return std::unexpected(parsed.error());
  if (!*parsed) return ExitCode::failed;
  JobSpec& spec = (*parsed)->spec;
  Result<void> applied = apply_job_options(options.job, spec);
  if (applied) applied = apply_environment(options.job, (*parsed)->environment, spec);
  if (!applied) {
    print_error(context, applied.error().message);
    return ExitCode::usage;
  }
  const client::Json body = client::Json::parse(spec::job_json(spec));
  if (options.print || (*parsed)->client.test_only) {
    fmt::print("{}\n", json_out(body));
    return ExitCode::ok;
  }
  std::vector<std::pair<std::string, std::string>> headers;
  if (!options.key.empty()) headers.emplace_back("Idempotency-Key", options.key);
  const std::expected<client::Json, client::Failure> submitted = connection.post("/v1/jobs", body, headers);
  const bool wait = options.wait || (*parsed)->client.wait;
  if (!submitted) {
    const ExitCode code = report_failure(context, submitted.error());
    return wait ? kRunFailed : code;  // All else is the job's.
  }
  const std::uint64_t number = submitted->at("number");
  const std::uint32_t count = submitted->at("count");
  if (json && wait) {  // One object, when all is known.
    client::Json result = *submitted;
    result["jobs"] = client::Json::array();
    const ExitCode code = wait_for_job(context, connection, fmt::format("{}", number), true, result["jobs"]);
    fmt::print("{}\n", json_out(result, -1));
    return code;
  }
  const bool quiet = (*parsed)->client.quiet;
  if (json) {
    fmt::print("{}\n", json_out(*submitted, -1));
  } else if ((*parsed)->client.parsable) {
    fmt::print("{}\n", number);
  } else if (!quiet) {
    if (count == 1) {
      fmt::print("submitted job {}\n", number);
    } else {
      fmt::print("submitted job array {} with {} tasks\n", number, count);
    }
  }
  std::fflush(stdout);
  if (!wait) return ExitCode::ok;
  if (spec.array) {
    client::Json results = client::Json::array();
    return wait_for_job(context, connection, fmt::format("{}", number), quiet, results);
  }
  const InterruptGuard guard;
  const Followed followed = follow_job(context, connection, guard, number, {.quiet = quiet});
  return followed.end == Followed::End::kFailed ? kRunFailed : followed.code;
}

}  // namespace

void add_submit_command(CLI::App& app, AppContext& context) {
  auto options = std::make_shared<Options>();
  auto access = std::make_shared<ServerAccess>();
  CLI::App* command = app.add_subcommand("submit", "Submit a job file (YAML) or an sbatch script");
  command->group(kGroupFactory);
  command->add_option("FILE", options->file, "Job file or sbatch script; - reads standard input")
      ->required()
      ->type_name("FILE");
  command
      ->add_option("ARGUMENT", options->arguments,
                   "Arguments of the script; behind -- where they begin with -")
      ->type_name("ARGUMENT");
  add_job_options(*command, options->job);
  command
      ->add_option("--key", options->key,
                   "Idempotency key: submitting again with the same key gives the same job again")
      ->type_name("KEY");
  command->add_flag("--skip-unsupported", options->skip_unsupported,
                    "Go on without sbatch options that Gigawerk does not know how to keep");
  command->add_flag(
      "-W,--wait", options->wait,
      "Show the output, and return the job's exit code when it has ended; of an array, wait for "
      "all tasks, and return the largest");
  command->add_flag("--print", options->print, "Print the job as JSON; do not submit it");
  add_server_options(*command, *access);
  command->footer(
      "Options given here win over those in the file. --wait gives the exit codes of gw run. --json with\n"
      "--wait prints one object when all has ended, and no output.\n\n"
      "Examples:\n"
      "  gw submit train.yaml\n"
      "  gw submit job.sbatch --time 4h\n"
      "  gw submit job.sbatch --print\n"
      "  gw submit - --wait < job.sbatch");
  set_server_action(*command, context, access, [&context, options, access](client::Connection& connection) {
    return submit(context, *options, access->json, connection);
  });
}

}  // namespace gw
