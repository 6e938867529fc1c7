// What a command calls when its run is over: the machine's own figures, and all report files into one folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "files/output_file.h"
#include "report/json.h"
#include "report/run_facts.h"
#include "twin/run_summary.h"

namespace gw::report {

/// Wall time, speed and peak memory of this process, for RunSummary::run. Starts when made.
class RunStopwatch {
 public:
  [[nodiscard]] twin::RunSummary::Run stop(std::uint64_t jobs) const;

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

struct WriteOptions {
  /// share/gigawerk/report/report.html.in; empty = no HTML.
  std::filesystem::path html_template;
  /// Written into the report, too; may be none.
  const RunFacts* facts = nullptr;
};

/// What share_folders() is asked for.
inline constexpr const char* kHtmlTemplateShare = "report/report.html.in";

/// Writes DIR/report.json and, given a template, DIR/report.html; without one, removes a report.html that an
/// earlier run left there. Makes the folder. `others` (jobs.csv, a journal; null = none) belong to the run:
/// all get their names when all are finished, so a failure leaves the earlier run's files as they were.
/// Returns the files written in DIR, without `others`.
Result<std::vector<std::filesystem::path>> write_run(const std::filesystem::path& folder,
                                                     const twin::RunSummary& summary,
                                                     const WriteOptions& options,
                                                     const std::vector<files::OutputFile*>& others = {});

/// One page for `reports`, an array of one report or of two to compare.
Result<void> write_page(const std::filesystem::path& file, const std::filesystem::path& html_template,
                        const Json& reports);

}  // namespace gw::report
