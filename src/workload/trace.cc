// Which reader a trace gets: named formats, and finding out from the first lines.
#include "workload/trace.h"

#include <fmt/format.h>

#include "workload/job_reader.h"
#include "workload/swf_reader.h"

namespace gw::workload {

const std::vector<TraceFormatName>& trace_format_names() {
  static const std::vector<TraceFormatName> names = {
      {TraceFormat::kSwf, "swf", "Standard Workload Format 2.2 (Parallel Workloads Archive)"},
      {TraceFormat::kSacct, "sacct", "Slurm accounting, `sacct -P` with any columns that suffice"},
      {TraceFormat::kAlibabaGpu2023, "alibaba-gpu-2023", "Alibaba cluster-trace-gpu-v2023 pod list"},
      {TraceFormat::kAlibabaPai2020, "alibaba-pai-2020", "Alibaba cluster-trace-gpu-v2020 task table"},
      {TraceFormat::kPhilly, "philly", "Microsoft Philly 2017, job log (JSON) or Pollux CSV"},
      {TraceFormat::kHelios, "helios", "SenseTime Helios 2020 cluster_log.csv"},
      {TraceFormat::kAcme, "acme", "Shanghai AI Lab Acme 2023 trace_seren.csv or trace_kalos.csv"},
  };
  return names;
}

std::optional<TraceFormat> trace_format_by_name(std::string_view name) {
  for (const TraceFormatName& entry : trace_format_names()) {
    if (entry.name == name) return entry.format;
  }
  return std::nullopt;
}

std::string_view trace_format_name(TraceFormat format) {
  return trace_format_names()[static_cast<std::size_t>(format)].name;
}

Result<std::unique_ptr<TraceStream>> open_trace(std::unique_ptr<ByteSource> source,
                                                const TraceOptions& options) {
  const TraceFormat format = options.format.value_or(TraceFormat::kSwf);
  if (format != TraceFormat::kSwf) {
    return fail(
        fmt::format("{}: reading `{}` is not built in yet", source->name(), trace_format_name(format)));
  }
  return in_order(swf_reader(std::move(source), options));
}

Result<std::unique_ptr<TraceStream>> open_trace(const std::string& path, const TraceOptions& options) {
  Result<std::unique_ptr<ByteSource>> source = open_file(path);
  if (!source) return fail(source.error().message);
  return open_trace(std::move(*source), options);
}

}  // namespace gw::workload
