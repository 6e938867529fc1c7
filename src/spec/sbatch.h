// sbatch scripts: a batch script of Slurm with its options, as a job.
//
// `#SBATCH` lines are read as sbatch reads them (Slurm 22.05 to 26.05). Every option that sbatch knows is
// either mapped to the job, given to the caller (what concerns the submitting program), or named as not
// supported with a reason: none is ignored. The tables stand in sbatch_options.cc and docs/formats-jobs.md.
// SBATCH_* environment variables are not read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/job_spec.h"
#include "spec/diagnostic.h"

namespace gw::spec {

/// `--export`: which of the submitter's environment variables the job gets. The caller applies it to
/// `job.environment`, as it knows the environment.
struct SbatchExport {
  bool all = true;                 ///< Every variable; those of the submitter win over `values`, as in Slurm.
  std::vector<std::string> names;  ///< Where not all: these, if they are set.
  std::vector<std::pair<std::string, std::string>> values;  ///< Set to these values.
  friend bool operator==(const SbatchExport&, const SbatchExport&) = default;
};

/// What concerns the program that submits.
struct SbatchClient {
  bool parsable = false;   ///< Print the job's number alone.
  bool quiet = false;      ///< Print errors only.
  bool wait = false;       ///< Return when the job has ended, with its exit code.
  bool test_only = false;  ///< Do not submit; say what would happen.
  bool verbose = false;
  bool help = false;  ///< Also --usage.
  bool version = false;
  friend bool operator==(const SbatchClient&, const SbatchClient&) = default;
};

/// Where and when sbatch runs.
struct SbatchContext {
  std::string working_folder;  ///< Absolute; the job's where no --chdir says otherwise. Empty: not known.
  std::optional<std::int64_t> now_unix;  ///< For --begin; absent: the system's clock.
};

struct SbatchJob {
  JobSpec job;  ///< `job.script` is the whole text. `arguments` are the caller's to set.
  SbatchExport environment;
  SbatchClient client;
  std::vector<Diagnostic> unsupported;  ///< Options without effect, each with a reason and advice.
  std::vector<Diagnostic> warnings;     ///< What is probably not meant.
};

/// The job of a batch script; on failure all errors, and as warnings the options that are not supported.
/// Options in `command_line_options` win over the script's; with --wrap among them, `text` must be empty.
/// `file` stands in messages and names the job, `-` being standard input.
[[nodiscard]] Checked<SbatchJob> parse_sbatch(std::string_view text, const std::string& file,
                                              const std::vector<std::string>& command_line_options = {},
                                              const SbatchContext& context = {});

/// The parts of `sbatch OPTIONS SCRIPT ARGUMENTS`.
struct SbatchCommandLine {
  std::vector<std::string> options;
  std::string script;  ///< Empty: standard input, or --wrap.
  std::vector<std::string> arguments;
};

/// Takes the words after `sbatch` apart; unknown options are errors.
[[nodiscard]] Checked<SbatchCommandLine> split_sbatch_command_line(const std::vector<std::string>& words);

/// Whether a text is meant as a batch script: it begins with `#!` and has a line `#SBATCH`.
bool looks_like_sbatch(std::string_view text);

/// Markdown tables of the options that are mapped, handed to the caller, and not supported.
std::string sbatch_markdown();

}  // namespace gw::spec
