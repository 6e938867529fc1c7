// The values of job options on the command line: in Gigawerk's units, or as sbatch takes them.
//
// The errors say what is wrong with the value, not which option it stood behind.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "model/job_spec.h"

namespace gw {

/// `90s`, `2h`, `1d`: with a unit. Else as Slurm: minutes, m:s, h:m:s, d-h, d-h:m, d-h:m:s; UNLIMITED, -1 and
/// 0 are the longest limit there is.
Result<Nanoseconds> parse_job_time(std::string_view text);

/// MiB of `64G`, `64GB`, `64 GiB`, `4096` (MiB): always binary, as Slurm has it. Part of a MiB counts as one.
Result<std::int64_t> parse_job_memory(std::string_view text);

/// `USR1`, `USR1@60` (seconds), `USR1@5min`; with `B:` in front for the first process of each task alone.
Result<WarningSignal> parse_job_signal(std::string_view text);

/// Unix time of `2026-12-01T08:00:00Z` or of what Slurm takes: `now+1hour`, `16:00`, `tomorrow`, ...
Result<std::int64_t> parse_job_begin(std::string_view text, std::int64_t now_unix);

/// `afterok:12:13,afterany:14`, `12` (afterany); all of `texts` together. With `?` between them one will do.
struct JobDependencies {
  std::vector<Dependency> jobs;
  bool any = false;
};
Result<JobDependencies> parse_job_dependencies(const std::vector<std::string>& texts);

/// The folder as seen from `here`, absolute and without `.` and `..`.
Result<std::string> absolute_folder(std::string_view folder, const std::string& here);

}  // namespace gw
