// The options that say what a job needs: the same for gw run and gw submit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/app.h"
#include "model/job_spec.h"

namespace gw {

struct JobOptions {
  std::string name, tenant, gpus, cpus, memory, time, array, workdir, image, isolation, level, begin, signal,
      export_names;
  std::uint32_t nodes = 0;
  std::uint32_t tasks = 0;
  std::int32_t priority = 0;
  bool priority_given = false;
  std::vector<std::string> gpu_types;
  std::vector<std::string> depends;
  std::vector<std::string> environment;
  bool hold = false, no_requeue = false, preemptible = false;
};

void add_job_options(CLI::App& command, JobOptions& options);

/// Puts what was given over what `spec` says already. The Error names the option.
Result<void> apply_job_options(const JobOptions& options, JobSpec& spec);

/// Adds the caller's environment as `--export` says (ALL by default; NONE; names and NAME=value), without
/// what is this program's own; what `spec` sets itself wins.
Result<void> add_environment(const std::string& export_names, JobSpec& spec);

}  // namespace gw
