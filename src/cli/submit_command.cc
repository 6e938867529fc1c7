// `gw submit`: a job file or an sbatch script into the queue.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>

#include "cli/commands.h"
#include "cli/follow_job.h"
#include "cli/job_options.h"
#include "cli/job_source.h"
#include "cli/sbatch_line.h"
#include "cli/server_access.h"
#include "cli/text_table.h"
#include "report/text.h"
#include "spec/catalog.h"
#include "spec/job_json.h"
#include "spec/sbatch.h"

namespace gw {
namespace {

struct Options {
  std::string file;
  std::vector<std::string> arguments;
  std::vector<std::string> behind_dashes;  ///< More of them.
  JobOptions job;
  std::string key;
  bool skip_unsupported = false;
  bool wait = false;
  bool print = false;
  bool dry_run = false;
  SbatchLine sbatch;
  [[nodiscard]] bool wraps() const {
    return std::ranges::any_of(sbatch_words(sbatch),
                               [](const std::string& word) { return word.starts_with("--wrap="); });
  }
};

/// The errors are complete for people.
spec::Checked<std::string> read_text(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  return spec::read_text_file(path);
}

/// What the file and sbatch's options on the command line say. Those that gw has too, and that sbatch's count
/// by, are told to the reader of scripts as well: --ntasks is spread over --nodes.
spec::Checked<spec::SbatchJob> read_job(const Options& options, const std::string& here,
                                        bool& from_job_file) {
  std::vector<std::string> words = sbatch_words(options.sbatch);
  if (!options.job.nodes.empty()) words.push_back(fmt::format("--nodes={}", options.job.nodes));
  if (options.job.tasks > 0) words.push_back(fmt::format("--ntasks-per-node={}", options.job.tasks));
  const spec::SbatchContext context{here, std::nullopt};
  if (options.file.empty()) return spec::parse_sbatch("", "", words, context);
  const spec::Checked<std::string> text = read_text(options.file);
  if (!text) return std::unexpected(text.error());
  if (is_script(*text) || options.wraps()) {
    spec::Checked<spec::SbatchJob> job = spec::parse_sbatch(*text, options.file, words, context);
    if (job) job->job.arguments = options.arguments;
    return job;
  }
  from_job_file = true;
  spec::Checked<JobSpec> job = parse_job_source(*text, options.file);
  if (!job) return std::unexpected(job.error());
  if (!options.arguments.empty()) job->arguments = options.arguments;
  spec::Checked<spec::SbatchJob> over = over_job(std::move(*job), sbatch_words(options.sbatch), context);
  // A job file says all there is: nothing of this shell's environment goes with it unless asked for.
  if (over) over->environment.all = false;
  return over;
}

/// None after printing what is wrong.
std::optional<spec::SbatchJob> parse(const AppContext& context, const Options& options, bool& from_job_file) {
  std::error_code ignored;
  const std::string here = std::filesystem::current_path(ignored).string();
  spec::Checked<spec::SbatchJob> job = read_job(options, here, from_job_file);
  if (!job) {
    for (spec::Diagnostic& finding : job.error()) {
      if (!options.skip_unsupported) finding.severity = spec::Severity::kError;
      print_error(context, finding.text());
    }
    return std::nullopt;
  }
  for (const spec::Diagnostic& warning : job->warnings) print_error(context, warning.text());
  for (spec::Diagnostic& finding : job->unsupported) {
    if (!options.skip_unsupported) finding.severity = spec::Severity::kError;
    print_error(context, finding.text());
  }
  if (!job->unsupported.empty() && !options.skip_unsupported) {
    print_error(context,
                "not submitted: take these options out, or go on without them by --skip-unsupported");
    return std::nullopt;
  }
  if (job->job.working_folder.empty()) job->job.working_folder = here;
  return std::move(*job);
}

std::string euros_text(const client::Json& micro_euros) {
  return fmt::format("{:.2f} EUR", micro_euros.get<double>() / 1e6);
}

/// Whether, when and at what cost it would run; nothing is submitted.
Result<ExitCode> dry_run(const AppContext& context, const client::Json& body, bool json,
                         client::Connection& connection) {
  const std::expected<client::Json, client::Failure> answer = connection.post("/v1/jobs/dry-run", body);
  if (!answer) return report_failure(context, answer.error());
  print_warnings(context, *answer);
  const std::string kind = answer->value("answer", "");
  const ExitCode code = kind == "never" || kind == "not-now" ? ExitCode::failed : ExitCode::ok;
  if (json) {
    fmt::print("{}\n", json_out(*answer));
    return code;
  }
  if (kind == "never" || kind == "not-now") {
    fmt::print("{}: {}\n", kind == "never" ? "never" : "not now",
               report::printable_name(answer->value("text", "")));
    if (answer->contains("nearest") && !answer->at("nearest").empty()) {
      fmt::print("it could run here with\n");
      TextTable table("ll");
      for (const client::Json& change : answer->at("nearest"))
        table.add({"  " + change.value("text", ""), change.value("options", "")});
      fmt::print("{}", table.text());
    }
    return code;
  }
  fmt::print("{}\n", report::printable_name(answer->value("text", "")));
  if (answer->contains("last_start"))
    fmt::print("task {} of {}: {}\n", answer->at("last_start").value("task", 0), answer->value("count", 0),
               answer->at("last_start").value("text", ""));
  if (answer->contains("cost"))
    fmt::print("it would cost {} an hour, at most {} (price plan {})\n",
               euros_text(answer->at("cost").at("micro_eur_per_hour")),
               euros_text(answer->at("cost").at("at_most_micro_eur")),
               answer->at("cost").value("price_plan", ""));
  fmt::print("nothing has been submitted\n");
  return code;
}

Result<ExitCode> submit(const AppContext& context, const Options& options, bool json,
                        client::Connection& connection) {
  bool from_job_file = false;
  std::optional<spec::SbatchJob> parsed = parse(context, options, from_job_file);
  if (!parsed) return ExitCode::failed;
  JobSpec& spec = parsed->job;
  Result<void> applied = apply_job_options(options.job, spec, from_job_file);
  if (applied) applied = apply_environment(options.job, parsed->environment, spec);
  if (!applied) {
    print_error(context, applied.error().message);
    return ExitCode::usage;
  }
  const client::Json body = client::Json::parse(spec::job_json(spec));
  if (options.print) {
    fmt::print("{}\n", json_out(body));
    return ExitCode::ok;
  }
  if (options.dry_run || parsed->client.test_only) return dry_run(context, body, json, connection);
  std::vector<std::pair<std::string, std::string>> headers;
  if (!options.key.empty()) headers.emplace_back("Idempotency-Key", options.key);
  const std::expected<client::Json, client::Failure> submitted = connection.post("/v1/jobs", body, headers);
  const bool wait = options.wait || parsed->client.wait;
  if (!submitted) {
    const ExitCode code = report_failure(context, submitted.error());
    return wait ? kRunFailed : code;  // All else is the job's.
  }
  print_warnings(context, *submitted);
  const std::uint64_t number = submitted->at("number");
  const std::uint32_t count = submitted->at("count");
  if (json && wait) {  // One object, when all is known.
    client::Json result = *submitted;
    result["jobs"] = client::Json::array();
    const ExitCode code = wait_for_job(context, connection, fmt::format("{}", number), true, result["jobs"]);
    fmt::print("{}\n", json_out(result));
    return code;
  }
  const bool quiet = parsed->client.quiet;
  if (json) {
    fmt::print("{}\n", json_out(*submitted));
  } else if (parsed->client.parsable) {
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
  CLI::App* command = app.add_subcommand("submit", "Submit a job file (YAML, JSON) or an sbatch script");
  command->group(kGroupFactory);
  command->add_option("FILE", options->file, "Job file or sbatch script; - reads standard input")
      ->type_name("FILE");
  command
      ->add_option("ARGUMENT", options->arguments,
                   "Arguments of the script; behind -- where they begin with -")
      ->type_name("ARGUMENT");
  command->add_option("--behind-dashes", options->behind_dashes)->expected(1)->take_all()->group("");
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
  command->add_flag("--dry-run", options->dry_run,
                    "Say whether, when and at what cost it would run; do not submit it");
  add_server_options(*command, *access);
  add_sbatch_options(*command, options->sbatch);
  command->footer(
      "Options given here win over those in the file. All options of sbatch are read, also those that are "
      "not\n"
      "listed here; those that cannot be kept are named (gw schema sbatch --markdown). -c is for each node "
      "and\n"
      "-e sets a variable. --wait gives the exit codes of gw run. --json with --wait prints one object when "
      "all\n"
      "has ended, and no output.\n\n"
      "Examples:\n"
      "  gw submit train.yaml\n"
      "  gw submit job.sbatch --time 4h\n"
      "  gw submit job.sbatch --print\n"
      "  gw submit job.sbatch --time 8h --dry-run\n"
      "  gw submit - --wait < job.sbatch\n"
      "  gw submit --parsable --wrap 'echo hello' --output hello.log");
  command->parse_complete_callback([options] {
    std::vector<std::string>& behind = options->behind_dashes;
    if (options->file.empty() && !options->wraps() && !behind.empty()) {
      options->file = behind.front();
      behind.erase(behind.begin());
    }
    options->arguments.insert(options->arguments.end(), behind.begin(), behind.end());
    if (options->file.empty() && !options->wraps()) throw CLI::RequiredError("FILE");
  });
  set_server_action(*command, context, access, [&context, options, access](client::Connection& connection) {
    return submit(context, *options, access->json, connection);
  });
}

}  // namespace gw
