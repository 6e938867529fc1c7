// What gw submit is given: a job file (YAML or JSON) or a batch script, with sbatch's options over it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "spec/sbatch.h"

namespace gw {

/// Whether a text is a batch script: it begins with `#!`, or has `#SBATCH` lines and lacks that.
bool is_script(std::string_view text);

/// Whether a text is the JSON object of a job without the `job:` around it, as `gw submit --print` prints it.
bool is_job_json(std::string_view text);

/// The job of a job file: YAML, or JSON with or without the `job:` around it.
spec::Checked<JobSpec> parse_job_source(std::string_view text, const std::string& file);

/// Puts sbatch's options over the job of a job file. Those that say how much a job needs have another meaning
/// there and are errors, with what to say instead.
spec::Checked<spec::SbatchJob> over_job(JobSpec job, const std::vector<std::string>& options,
                                        const spec::SbatchContext& context);

}  // namespace gw
