// Usage reports: what was used in a time, summed up by whom, as JSON or CSV.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "api/json.h"
#include "live/archive.h"

namespace gw::api {

enum class UsageBy : std::uint8_t { kTenant, kUser, kJob, kGpuType };

/// One line of a report.
struct UsageLine {
  std::string tenant;
  std::string user;      ///< Where it is by user or job.
  std::string job;       ///< Where it is by job.
  std::string gpu_type;  ///< Empty: cores only.
  std::string price_plan;
  std::uint64_t attempts = 0;
  std::int64_t micro_gpu_s = 0;
  std::int64_t micro_core_s = 0;
  Joules energy;
  MicroEuros price;   ///< With credits.
  MicroEuros credit;  ///< Given back to those who had to leave; not positive.
  bool open = false;  ///< Some of it still runs: counted up to now.
};

class UsageReport {
 public:
  UsageReport(UsageBy by, std::int64_t from_unix_ns, std::int64_t to_unix_ns)
      : by_(by), from_unix_ns_(from_unix_ns), to_unix_ns_(to_unix_ns) {}
  void add(const live::UsageRow& row, const std::string& tenant, bool open);

  [[nodiscard]] std::vector<UsageLine> lines() const;
  [[nodiscard]] Json json() const;
  [[nodiscard]] std::string csv() const;

 private:
  UsageBy by_;
  std::int64_t from_unix_ns_;
  std::int64_t to_unix_ns_;
  std::map<std::vector<std::string>, UsageLine> lines_;
};

/// Millionths of something-seconds as hours, exactly as far as six decimals go.
std::string hours_text(std::int64_t micro_s);
/// Micro-euros as euros.
std::string euro_text(MicroEuros price);
/// A field of a CSV row, quoted where it must be. A text that a spreadsheet would take for a formula gets a
/// quote mark in front.
std::string csv_field(std::string_view text);

}  // namespace gw::api
