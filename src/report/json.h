// report.json: a RunSummary as JSON with keys in a fixed order, and back from a file for comparisons.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "twin/run_summary.h"

namespace gw::report {

using Json = nlohmann::ordered_json;

inline constexpr int kReportVersion = 1;

enum class Detail {
  kSummary,  ///< Without time series, and with the tenants directly below the root only: `gw replay --json`.
  kFull,     ///< report.json
};

/// docs/metrics.md lists the keys. All but `run` is equal for equal runs.
Json to_json(const twin::RunSummary& summary, Detail detail = Detail::kFull);

/// Indented text; lists of numbers and short objects stay on one line. Ends with a line feed. ASCII only.
std::string json_text(const Json& json);

/// Reads report.json, or the one in a run's folder. An Error names the file and what is wrong with it.
Result<Json> read_report(const std::filesystem::path& file_or_folder);

}  // namespace gw::report
