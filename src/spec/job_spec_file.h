// Job files: a job as YAML or JSON says it, and how it becomes a JobSpec.
//
// A job file is `gigawerk: 1` and the mapping `job:`. The same mapping as JSON is the body of the HTTP API
// and what the store keeps (job_json.h).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/job_spec.h"
#include "spec/described.h"
#include "spec/diagnostic.h"

namespace gw::spec {

struct WarningRecord {
  static constexpr std::string_view kRecord = "warning";
  static constexpr std::string_view kHelp = "A signal that is sent before the time limit.";
  Located<std::string> signal;
  Nanoseconds before;
  std::string to = "all";
};

struct JobRecord {
  static constexpr std::string_view kRecord = "job";
  static constexpr std::string_view kHelp = "What to run, what it needs, and when.";
  std::string name;
  std::string tenant;
  std::vector<std::string> command;
  std::string script;
  std::vector<std::string> arguments;
  std::string working_folder;
  Texts environment;
  std::string output;
  std::string error;
  std::optional<std::string> isolation;
  std::string image;
  std::string launch = "every-task";

  std::optional<std::uint32_t> nodes;
  std::uint32_t nodes_max = 0;
  std::optional<std::uint32_t> gpus;
  std::optional<std::uint32_t> gpus_anywhere;
  std::optional<Located<double>> gpu_share;
  std::vector<std::string> gpu_types;
  std::optional<Located<double>> cpus;
  Bytes memory;
  std::uint32_t tasks_per_node = 1;
  std::string within;
  bool within_required = false;
  std::vector<std::string> residency;
  std::vector<std::string> excluded_jurisdictions;
  std::vector<std::string> certifications;
  std::vector<std::string> data;
  std::uint32_t segment = 0;
  std::string segment_level;
  std::string exclusive;
  std::string spread;
  bool spread_required = false;

  Nanoseconds limit;
  std::optional<WarningRecord> warning;
  Nanoseconds grace = JobSpec{}.grace;
  std::optional<Located<std::string>> begin;
  std::optional<Located<std::string>> deadline;
  bool flexible = false;
  std::int32_t priority = 0;
  bool hold = false;
  bool preemptible = false;
  bool requeue = true;
  std::string reservation;
  bool keep_on_failure = false;
  Nanoseconds checkpoint_interval;
  std::optional<Located<std::string>> array;
  std::vector<Located<std::string>> depends;
  bool depends_any = false;
  std::string comment;
  Mark at;
};

struct JobFile {
  static constexpr std::string_view kRecord = "job_file";
  static constexpr std::string_view kHelp = "A job to submit.";
  std::uint32_t gigawerk = 1;
  JobRecord job;
};

/// The job that `record` describes. What is wrong beyond single values is reported at `node`, the mapping
/// that the record was read from, but for what may follow from values that `findings` says could not be read.
/// The record's texts move into the job.
JobSpec build_job(JobRecord&& record, const YamlNode& node, Findings& findings);

/// Reads and checks a job file; on failure all errors, in the order of the text.
[[nodiscard]] Checked<JobSpec> read_job(const std::string& path);

/// As read_job, from memory; `file` stands in messages.
[[nodiscard]] Checked<JobSpec> parse_job(std::string_view text, const std::string& file);

/// Whether a text is meant as a job file: it has the key `job`.
bool looks_like_job(std::string_view text);

}  // namespace gw::spec
