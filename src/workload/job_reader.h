// JobReader: the jobs of one recorded format in the order of its file; what every format implements.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "workload/job_stream.h"
#include "workload/row_tally.h"
#include "workload/trace.h"

namespace gw::workload {

class JobReader {
 public:
  JobReader(std::string file, const TraceOptions& options)
      : options_(options), tally_(std::move(file), options.strict) {}
  virtual ~JobReader() = default;

  /// Fills every field of `job` with the next one that makes sense, in file order; false at the end.
  virtual Result<bool> next(TraceJob& job) = 0;
  /// Back before the first job, counts at zero; tenants, types and classes keep their numbers.
  virtual Result<void> rewind() = 0;

  /// What a first pass over the file must find out.
  struct Order {
    bool sorted = true;            ///< Submit times of accepted jobs never decrease.
    std::optional<Instant> first;  ///< The earliest submit time; none without a job.
    std::uint64_t rows = 0;        ///< As `counts().rows` is at the end of any further pass.
  };
  /// Reads from the beginning to the end. Formats with a cheaper way than `next` override it; they may call a
  /// sorted file unsorted, never the reverse.
  virtual Result<Order> find_order();

  /// True where submit times are dates, so that the run's zero is the earliest of them.
  [[nodiscard]] virtual bool zero_is_first() const { return false; }

  [[nodiscard]] const TraceOptions& options() const { return options_; }
  [[nodiscard]] const TraceInfo& info() const { return info_; }
  [[nodiscard]] TraceInfo& info() { return info_; }
  [[nodiscard]] const TenantTree& tenants() const { return tenants_; }
  [[nodiscard]] const std::vector<std::string>& gpu_types() const { return gpu_types_; }
  [[nodiscard]] const std::vector<std::string>& classes() const { return classes_; }
  [[nodiscard]] const RowCounts& counts() const { return tally_.counts(); }
  [[nodiscard]] const std::string& file() const { return tally_.file(); }

 protected:
  /// Sets the limit of a job whose run time and outcome are set: the one requested (0 = none: the run time,
  /// at least a second, and counted as an adjustment); a run beyond the limit ends there.
  void take_limit(Nanoseconds requested, std::uint64_t line, TraceJob& job);

  TraceOptions options_;
  RowTally tally_;
  TraceInfo info_;
  TenantTree tenants_;
  std::vector<std::string> gpu_types_;
  std::vector<std::string> classes_{"job"};
};

/// The reader's jobs in order of submission: as they come where the file is sorted, else through an external
/// sort.
Result<std::unique_ptr<TraceStream>> in_order(std::unique_ptr<JobReader> reader);

}  // namespace gw::workload
