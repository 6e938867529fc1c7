// write_swf: any stream of jobs as a strict 18-column Standard Workload Format 2.2 file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "workload/job_stream.h"

namespace gw::workload {

/// What the header comments say; empty strings and zeros are left out (UnixStartTime is always there).
struct SwfHeader {
  std::string computer{};
  std::string installation{};
  std::string information{};
  std::int64_t unix_start_time_s = 0;
  std::string time_zone{};  ///< As in the tz database: `Europe/Berlin`.
  std::uint64_t max_nodes = 0;
  std::uint64_t max_processors = 0;  ///< A processor of the file is one GPU.
  std::vector<std::string> notes{};
};

struct SwfWritten {
  std::uint64_t jobs = 0;
  std::uint64_t without_gpus = 0;       ///< Left out: a job without GPUs has no size in this format.
  std::uint64_t shares_rounded_up = 0;  ///< Parts of a GPU written as one.
};

/// Writes all jobs of `jobs` to `path` (`-` = standard output) as they come: one processor is one GPU; whole
/// seconds (submit rounded down, run time and limit up); user = leaf tenant, group = the tenant above it,
/// queue = job class, each named in the header as far as known before the first job. Memory does not grow
/// with the jobs.
[[nodiscard]] Result<SwfWritten> write_swf(JobStream& jobs, const std::string& path, const SwfHeader& header);

}  // namespace gw::workload
