// Writes jobs as CSV; see generator_csv.h.
#include "workload/generator_csv.h"

#include <fmt/format.h>

#include <iterator>
#include <string_view>

#include "files/output_file.h"

namespace gw::workload {
namespace {

constexpr std::string_view kHeader =
    "job_id,submit_s,tenant,class,nodes,gpus_per_node,gpu_milli,total_gpus,gpu_types,cpu_milli_per_node,"
    "memory_mib_per_node,level,level_required,limit_s,run_s,outcome,priority,checkpoint_s,preemptible\n";

std::string_view outcome_name(JobOutcome outcome) {
  switch (outcome) {
    case JobOutcome::kCompleted:
      return "completed";
    case JobOutcome::kFailed:
      return "failed";
    case JobOutcome::kCancelled:
      return "cancelled";
    case JobOutcome::kTimeout:
      return "timeout";
  }
  return "";
}

std::string in_quotes(std::string_view text) {
  if (text.find_first_of(",\"\n\r") == std::string_view::npos) return std::string(text);
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

std::string type_names(std::uint64_t types, const std::vector<std::string>& names) {
  std::string result;
  for (std::size_t type = 0; type < names.size() && type < 64; ++type) {
    if ((types >> type & 1) == 0) continue;
    if (!result.empty()) result += '|';
    result += names[type];
  }
  return in_quotes(result);
}

void append_row(const TraceJob& job, const JobStream& stream, std::string& out) {
  const JobRequest& request = job.request;
  const Shape& shape = request.shape;
  fmt::format_to(
      std::back_inserter(out), "{},{:.0f},{},{},{},{},{},{},{},{},{},{},{},{:.0f},{:.0f},{},{},{:.0f},{}\n",
      in_quotes(job.id), to_seconds(request.submit), in_quotes(stream.tenants().path(request.tenant)),
      in_quotes(stream.classes()[job.job_class]), shape.nodes, shape.gpus, shape.gpu_milli,
      static_cast<double>(shape.total_gpu_milli()) / 1000, type_names(shape.gpu_types, stream.gpu_types()),
      shape.cpu_milli, shape.memory_mib, shape.level == Shape::kAnyLevel ? "" : std::to_string(shape.level),
      shape.level_required ? 1 : 0, to_seconds(request.limit), to_seconds(job.truth.run_time),
      outcome_name(job.truth.outcome), request.priority, to_seconds(request.checkpoint_interval),
      request.preemptible ? 1 : 0);
}

}  // namespace

Result<std::uint64_t> write_job_csv(JobStream& jobs, const std::string& path) {
  Result<files::OutputFile> file = path == "-" ? files::OutputFile::standard_output()
                                               : files::OutputFile::open(path, files::Folder::kMustExist);
  if (!file) return std::unexpected(std::move(file.error()));
  file->write(kHeader);
  std::string row;
  std::uint64_t written = 0;
  TraceJob job;
  for (;;) {
    const Result<bool> more = jobs.next(job);
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    row.clear();
    append_row(job, jobs, row);
    file->write(row);
    ++written;
    if (Result<void> so_far = file->status(); !so_far) return std::unexpected(std::move(so_far.error()));
  }
  if (Result<void> done = file->commit(); !done) return std::unexpected(std::move(done.error()));
  return written;
}

}  // namespace gw::workload
