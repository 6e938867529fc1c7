// JobsCsv: jobs.csv, one row per job that ended, written while the run goes on.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "files/output_file.h"
#include "model/tenant.h"
#include "twin/metrics.h"
#include "twin/run_summary.h"

namespace gw::report {

inline constexpr std::string_view kJobsCsvHeader =
    "job_id,submit_s,start_s,end_s,wait_s,tenant,class,gpus,nodes,span,outcome,restarts,limit_s,reason\n";

/// Comma-separated as RFC 4180 has it, with one line feed per row; fields with a comma, a quote or a line
/// break are quoted. Times are seconds from the log's own zero: whole where whole, else with as many of nine
/// decimals as are needed. docs/metrics.md describes each column. About 100 ns per row.
class JobsCsv {
 public:
  /// `tenants` and `labels` may grow while the run goes on, and must outlive the writer.
  static Result<JobsCsv> open(const std::filesystem::path& path, const TenantTree& tenants,
                              const twin::RunLabels& labels);

  void add(const twin::JobRecord& job);
  [[nodiscard]] std::uint64_t rows() const { return rows_; }
  /// Tells the first error of all writes; the file has its name only after this.
  Result<void> close();
  /// For commit_all, in place of close().
  [[nodiscard]] files::OutputFile& file() { return file_; }

 private:
  JobsCsv(files::OutputFile file, const TenantTree& tenants, const twin::RunLabels& labels);
  const std::string& tenant_field(TenantId id);

  files::OutputFile file_;
  const TenantTree* tenants_;
  const twin::RunLabels* labels_;
  std::vector<std::string> tenant_fields_;  ///< By tenant, as they stand in the file.
  std::vector<std::string> class_fields_;
  std::vector<std::string> span_fields_;
  std::vector<std::string> reason_fields_;
  std::uint64_t rows_ = 0;
};

/// `text` as an RFC 4180 field: quoted only where it must be.
std::string csv_field(std::string_view text);

}  // namespace gw::report
