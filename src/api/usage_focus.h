// FocusReport: what was used as rows of FOCUS 1.1 (FinOps Open Cost and Usage Specification,
// https://focus.finops.org), by calendar months in UTC, which are the billing periods.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "api/usage_report.h"
#include "live/archive.h"

namespace gw::api {

class FocusReport {
 public:
  /// `by` is what every row has a billing account with: tenant, user or job. `origin_unix_ns`: of Instant{}.
  FocusReport(UsageBy by, std::int64_t from_unix_ns, std::int64_t to_unix_ns, std::int64_t origin_unix_ns)
      : by_(by), from_unix_ns_(from_unix_ns), to_unix_ns_(to_unix_ns), origin_unix_ns_(origin_unix_ns) {}

  /// Its part inside the asked time, divided among the months that it runs in: together they are the whole
  /// exactly.
  void add(const live::TransferRecord& transfer, const std::string& tenant, const live::UsedJob& job,
           bool open);

  /// CSV with a header line; NULL is an empty field. Costs are euros, quantities seconds: both exact.
  [[nodiscard]] std::string csv(const std::string& provider) const;

 private:
  /// Month, tenant, user, job, GPU type, price plan, kind.
  using Key = std::tuple<std::int64_t, std::string, std::string, std::uint64_t, std::string, std::string,
                         live::TransferKind>;
  struct Row {
    UsageLine line;
    std::string job_name;
    bool credit = false;
  };
  [[nodiscard]] std::string row_text(std::int64_t month, const Row& row, const std::string& provider) const;

  UsageBy by_;
  std::int64_t from_unix_ns_;
  std::int64_t to_unix_ns_;
  std::int64_t origin_unix_ns_;
  std::map<Key, Row> rows_;
};

}  // namespace gw::api
