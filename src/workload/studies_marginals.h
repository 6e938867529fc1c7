// Marginals: what a stream of jobs looks like in sizes, run times, outcomes, rhythm and limits; one pass, and
// memory that does not grow with the jobs.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "model/job.h"
#include "workload/job_stream.h"

namespace gw::workload {

/// Counts of times by magnitude: 32 cells in each doubling, from 1 second to over a million years.
class TimeHistogram {
 public:
  void add(double seconds_value, double weight = 1);
  [[nodiscard]] double total() const { return total_; }
  /// Share of the weight at or below `seconds_value`, in [0, 1]; exact at powers of two.
  [[nodiscard]] double share_below(double seconds_value) const;
  /// The time below which the share `u` lies (linear inside a cell, 2 % wide); 0 when empty.
  [[nodiscard]] double quantile(double u) const;

 private:
  std::vector<double> cells_;
  double zero_ = 0;  ///< Times up to one second.
  double total_ = 0;
};

/// Jobs and the GPU time they hold.
struct Tally {
  double jobs = 0;
  double gpu_seconds = 0;
};

struct Marginals {
  Tally all;
  std::map<std::int64_t, Tally> sizes;  ///< By thousandths of a GPU.
  std::array<Tally, 4> outcomes;        ///< By JobOutcome.
  std::map<std::uint32_t, Tally> tenants;
  std::map<std::uint8_t, Tally> classes;
  TimeHistogram run;
  TimeHistogram limit;
  double run_seconds = 0;
  std::array<double, 24> hour{};  ///< Jobs by hour of day, from the start given to `measure`.
  std::array<double, 7> weekday{};
  std::array<double, 20> accuracy{};  ///< Jobs by run time over limit, in twentieths.
  std::map<std::int64_t, double>
      limit_values;  ///< Jobs by limit in seconds; at most kLimitValues different ones.
  double first_submit_s = 0;
  double last_submit_s = 0;
  double submitted_with_another = 0;  ///< Jobs of the same tenant and second as the one before.

  static constexpr std::size_t kLimitValues = 100'000;

  /// Share of jobs of at most that many GPUs, and of their GPU time.
  [[nodiscard]] double jobs_up_to(double gpus) const;
  [[nodiscard]] double gpu_time_up_to(double gpus) const;
  /// Share of jobs whose limit is among the `count` most used values.
  [[nodiscard]] double most_used_limits(std::size_t count) const;
  /// Mean GPUs kept busy between the first and the last submission; 0 for less than two jobs.
  [[nodiscard]] double offered_gpus() const;
};

struct MeasureOptions {
  std::uint32_t start_weekday = 0;  ///< Of the stream's zero; 0 = Monday.
  double start_hour = 0;
  std::uint64_t jobs_max = 0;  ///< Stop after that many; 0 = all.
};

/// Reads `stream` to its end.
Result<Marginals> measure(JobStream& stream, const MeasureOptions& options = {});

}  // namespace gw::workload
