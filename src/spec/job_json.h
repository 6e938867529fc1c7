// A JobSpec as JSON: the body of the HTTP API and what the store keeps. Keys and values are those of job
// files.
#pragma once

#include <string>
#include <string_view>

#include "model/job_spec.h"
#include "spec/diagnostic.h"

namespace gw::spec {

/// The job of a JSON object: what stands under `job:` in a job file. Messages name the path of the key.
[[nodiscard]] Checked<JobSpec> parse_job_json(std::string_view text);

/// `job` as one line of JSON that parse_job_json reads back as an equal job: keys in the order of the
/// reference, only those that differ from the defaults. `job` must pass check_job.
[[nodiscard]] std::string job_json(const JobSpec& job);

/// `text` as a JSON string with its quotes; it must be UTF-8. What YAML does not take raw (DEL) is escaped
/// too.
void append_json_text(std::string& out, std::string_view text);

}  // namespace gw::spec
