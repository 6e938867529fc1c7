// Slurm's accounting as `sacct -P` (or -p) prints it, with any set of columns that suffices.
#pragma once

#include <memory>

#include "workload/job_reader.h"

namespace gw::workload {

/// Needs JobID or JobIDRaw; Submit; one of ElapsedRaw, Elapsed, Start with End; and a size (AllocTRES,
/// ReqTRES, or a number of CPUs or nodes). Where no job of the log has a GPU, a processor is a CPU.
/// docs/formats-traces.md has the rules.
std::unique_ptr<JobReader> sacct_reader(std::unique_ptr<ByteSource> source, const TraceOptions& options);

}  // namespace gw::workload
