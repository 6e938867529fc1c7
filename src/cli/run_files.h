// What `gw replay` and `gw simulate` share: running the twin with its output files, progress and journal.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "cli/app.h"
#include "cli/job_tap.h"
#include "model/fleet.h"
#include "model/law.h"
#include "twin/twin.h"
#include "workload/job_stream.h"
#include "workload/trace.h"

namespace gw {

struct RunFiles {
  std::string out;        ///< Folder for report.json, report.html and jobs.csv; empty = none.
  std::string journal;    ///< Journal file; empty = none.
  std::string decisions;  ///< File for what the law said of each job; empty = none.
  bool json = false;      ///< Summary as JSON on standard output instead of text.
  bool quiet = false;     ///< No progress line.
};

/// What a command made of its input, beside the jobs themselves.
struct RunInput {
  JobTapOptions tap;
  std::string tenants_file;  ///< Where tap.tenants come from.
  bool generated = false;    ///< Jobs from the scenario's generator.
  bool flat = false;         ///< The machine is only a number of processors.
  Law law;                   ///< Of the scenario or fleet file.
  /// The same run without shifting for cheaper hours, for comparison; empty: it is of no interest.
  std::function<Result<twin::RunSummary>()> unshifted;
};

/// Runs the twin, writes the files, prints the summary, and reports what reading left out on standard error.
/// `total` is the expected length of the run for the progress line; 0 = not known.
Result<ExitCode> run_with_files(const AppContext& context, const Fleet& fleet, workload::JobStream& stream,
                                twin::TwinOptions options, const RunFiles& files, const RunInput& input,
                                Nanoseconds total);

/// Processors that a log may run on, as `--procs` and the like take them.
inline constexpr std::uint32_t kMostProcessors = 20'000'000;
/// `given`, or where that is 0 what the log's header says; an Error, which ends with `advice`, where it says
/// nothing.
Result<std::uint32_t> processors_for(const std::string& log, const workload::TraceInfo& info,
                                     std::uint32_t given, const std::string& advice);

/// Counts of rows left out or adjusted, by reason, as text for people; empty if there were none.
std::string row_counts_text(const workload::RowCounts& counts);

}  // namespace gw
