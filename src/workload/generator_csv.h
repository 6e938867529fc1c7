// write_job_csv: any stream of jobs as a CSV file with every column that a job has.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "workload/job_stream.h"

namespace gw::workload {

/// Writes all jobs of `jobs` to `path` (`-` = standard output) as they come, with a header line; the number
/// of jobs. A file appears when it is whole, in a folder that exists. Names with commas, quotes or line
/// breaks are quoted (RFC 4180).
[[nodiscard]] Result<std::uint64_t> write_job_csv(JobStream& jobs, const std::string& path);

}  // namespace gw::workload
