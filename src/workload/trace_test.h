// What the tests of trace readers share: traces in memory, and where recorded data lies.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "workload/trace.h"

namespace gw::workload {

struct ReadTrace {
  std::vector<TraceJob> jobs;
  std::unique_ptr<TraceStream> stream;
  std::string error;  ///< Empty when all was read.
};

inline ReadTrace read_all(Result<std::unique_ptr<TraceStream>> opened) {
  ReadTrace read;
  if (!opened) {
    read.error = opened.error().message;
    return read;
  }
  read.stream = std::move(*opened);
  TraceJob job;
  for (;;) {
    const Result<bool> there = read.stream->next(job);
    if (!there) read.error = there.error().message;
    if (!there || !*there) return read;
    read.jobs.push_back(job);
  }
}

/// Reads `text`, which must outlive the result.
inline ReadTrace read_text(std::string_view text, TraceOptions options = {}, std::string name = "log") {
  return read_all(open_trace(memory_source(text, std::move(name)), options));
}

/// Refused because there is no row: what random text may come to.
inline bool holds_no_jobs(const ReadTrace& read) {
  return read.stream == nullptr && read.error.find("holds no jobs") != std::string::npos;
}

/// A file of recorded data, or empty where this machine has none.
inline std::string recorded(const std::string& name) {
  const char* given = std::getenv("GIGAWERK_DATA");
  const std::filesystem::path folder = given != nullptr
                                           ? std::filesystem::path(given)
                                           : std::filesystem::path(GW_SOURCE_DIR) / "../shared/data";
  std::error_code error;
  return std::filesystem::exists(folder / name, error) ? (folder / name).string() : std::string();
}

inline std::uint64_t total(const std::map<std::string, RowCounts::Skipped>& counts) {
  std::uint64_t sum = 0;
  for (const auto& [reason, entry] : counts) sum += entry.count;
  return sum;
}

#define GW_NEED_RECORDED(variable, name)       \
  const std::string variable = recorded(name); \
  if (variable.empty()) GTEST_SKIP() << name << " is absent; set GIGAWERK_DATA to its folder"

}  // namespace gw::workload
