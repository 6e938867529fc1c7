// The options that say what a job needs: the same for gw run and gw submit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/app.h"
#include "client/connection.h"
#include "model/job_spec.h"
#include "spec/sbatch.h"

namespace gw {

struct JobOptions {
  std::string name, tenant, gpus, cpus, memory, time, array, workdir, image, isolation, level, begin, signal,
      export_names;
  std::uint32_t tasks = 0;
  std::int32_t priority = 0;
  bool priority_given = false;
  std::vector<std::string> gpu_types;
  std::vector<std::string> depends;
  std::vector<std::string> residency, excluded_jurisdictions, certifications, data;
  std::vector<std::string> environment;
  std::string nodes;  ///< `4` or `4-16`.
  std::string reservation, spread, checkpoint_interval, deadline;
  bool flexible = false;
  bool hold = false, no_requeue = false, preemptible = false, keep_on_failure = false;
};

void add_job_options(CLI::App& command, JobOptions& options);

/// Puts what was given over what `spec` says already, but for the environment. The Error names the option.
/// `keeps_most`: `spec` is of a job file, whose nodes and nodes_max are two fields; one number of nodes is
/// put over the first and must not be above the second. Of a script's --nodes it is put over both, as by
/// sbatch.
Result<void> apply_job_options(const JobOptions& options, JobSpec& spec, bool keeps_most = false);

/// Gives the job its environment. Later wins: the caller's as `--export` says, without what is this program's
/// own; what `spec` says (a job file's `environment`); NAME=VALUE of `--export`; `--env`. `of_file`: what
/// counts as `--export` where it was not given.
Result<void> apply_environment(const JobOptions& options, const spec::SbatchExport& of_file, JobSpec& spec);

/// What a submission is taken in spite of, on standard error.
void print_warnings(const AppContext& context, const client::Json& answer);

}  // namespace gw
