// Tells the kinds of jobs apart and reads them.
#include "cli/job_source.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "spec/job_json.h"
#include "spec/job_spec_file.h"
#include "spec/sbatch_options.h"

namespace gw {
namespace {

using spec::SbatchId;

/// Takes what one option has set in `from`; false for one that has no place in a job file.
bool take_over(SbatchId id, JobSpec& from, JobSpec& job) {
  switch (id) {
    case SbatchId::kAccount:
      job.tenant = std::move(from.tenant);
      return true;
    case SbatchId::kBegin:
      job.begin_unix = from.begin_unix;
      return true;
    case SbatchId::kComment:
      job.comment = std::move(from.comment);
      return true;
    case SbatchId::kDependency:
      job.dependencies = std::move(from.dependencies);
      job.any_dependency = from.any_dependency;
      return true;
    case SbatchId::kError:
      job.error = std::move(from.error);
      return true;
    case SbatchId::kHold:
      job.hold = true;
      return true;
    case SbatchId::kJobName:
      job.name = std::move(from.name);
      return true;
    case SbatchId::kOutput:
      job.output = std::move(from.output);
      return true;
    case SbatchId::kRequeue:
      job.requeue = true;
      return true;
    default:  // What is not supported was named; the rest is the submitting program's.
      return id == SbatchId::kUnsupported || id == SbatchId::kOpenMode || id >= SbatchId::kHelp;
  }
}

}  // namespace

bool is_script(std::string_view text) {
  return text.starts_with("#!") || text.starts_with("#SBATCH") ||
         text.find("\n#SBATCH") != std::string_view::npos;
}

bool is_job_json(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') return false;
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  return json.is_object() && (json.contains("command") || json.contains("script")) && !json.contains("job");
}

spec::Checked<JobSpec> parse_job_source(std::string_view text, const std::string& file) {
  if (!is_job_json(text)) return spec::parse_job(text, file);
  spec::Checked<JobSpec> job = spec::parse_job_json(text);
  if (!job) {
    for (spec::Diagnostic& problem : job.error()) problem.file = file;
  }
  return job;
}

spec::Checked<spec::SbatchJob> over_job(JobSpec job, const std::vector<std::string>& options,
                                        const spec::SbatchContext& context) {
  // The options alone, over a script that says nothing.
  spec::Checked<spec::SbatchJob> read = spec::parse_sbatch("#!/bin/sh\n", "job", options, context);
  if (!read) return read;
  std::vector<spec::SbatchWord> words;
  for (const std::string& option : options) words.push_back({option, {}});
  std::vector<spec::SbatchUse> uses;
  spec::SbatchFindings findings("");
  spec::read_sbatch_options(words, true, uses, findings);
  for (const spec::SbatchUse& use : uses) {
    if (use.option->id == SbatchId::kWrap) {
      findings.error(use.place, "--wrap takes the place of a file; leave one of them out");
    } else if (!take_over(use.option->id, read->job, job)) {
      findings.error(use.place,
                     fmt::format("{} is for batch scripts; a job file takes --nodes, --tasks-per-node, "
                                 "--gpus, --cpus, --mem and --priority",
                                 use.written()));
    }
  }
  if (findings.errors() > 0) return std::unexpected(findings.take_errors());
  read->job = std::move(job);
  read->warnings.clear();
  return read;
}

}  // namespace gw
