// Which reader a trace gets: named formats, and finding out from the first lines.
#include "workload/trace.h"

#include <span>

#include "workload/alibaba_reader.h"
#include "workload/detect.h"
#include "workload/helios_reader.h"
#include "workload/job_reader.h"
#include "workload/philly_reader.h"
#include "workload/sacct_reader.h"
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

namespace {

/// The first bytes of `source`, which is then back at its beginning.
Result<std::string> beginning_of(ByteSource& source) {
  std::string bytes(kDetectBytes, '\0');
  std::size_t size = 0;
  while (size < bytes.size()) {
    const Result<std::size_t> got = source.read(std::span(bytes).subspan(size));
    if (!got) return fail(got.error().message);
    if (*got == 0) break;
    size += *got;
  }
  bytes.resize(size);
  if (const Result<void> back = source.rewind(); !back) return fail(back.error().message);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<TraceStream>> open_trace(std::unique_ptr<ByteSource> source,
                                                const TraceOptions& options) {
  const Result<std::string> beginning = beginning_of(*source);
  if (!beginning) return fail(beginning.error().message);
  Result<TraceFormat> format = options.format ? *options.format : detect_format(*beginning, source->name());
  if (!format) return fail(format.error().message);
  switch (*format) {
    case TraceFormat::kSwf:
      return in_order(swf_reader(std::move(source), options));
    case TraceFormat::kSacct:
      return in_order(sacct_reader(std::move(source), options));
    case TraceFormat::kAlibabaGpu2023:
      return in_order(alibaba_gpu_2023_reader(std::move(source), options));
    case TraceFormat::kAlibabaPai2020:
      return in_order(alibaba_pai_2020_reader(std::move(source), options));
    case TraceFormat::kPhilly:
      return in_order(begins_like_json(*beginning) ? philly_log_reader(std::move(source), options)
                                                   : philly_table_reader(std::move(source), options));
    case TraceFormat::kHelios:
    case TraceFormat::kAcme:
      return in_order(helios_reader(std::move(source), options, *format));
  }
  return fail("unknown trace format");
}

Result<std::unique_ptr<TraceStream>> open_trace(const std::string& path, const TraceOptions& options) {
  Result<std::unique_ptr<ByteSource>> source = open_file(path);
  if (!source) return fail(source.error().message);
  return open_trace(std::move(*source), options);
}

}  // namespace gw::workload
