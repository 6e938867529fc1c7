// Sets a generated workload beside a published study.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "workload/studies.h"

namespace gw::workload {
namespace {

// What counts as a match. Distances of distributions and shares are absolute, times and sizes relative.
constexpr double kRunTimeDistance = 0.025;
constexpr double kSizeDistance = 0.01;
constexpr double kGpuTimeDistance = 0.06;
constexpr double kOutcomeJobs = 0.01;
constexpr double kOutcomeGpuTime = 0.05;
constexpr double kMeanRun = 0.2;
constexpr double kMeanGpus = 0.3;  // Sizes between powers of two count as the power above.
constexpr double kMedianRun = 0.1;

Comparison distance(std::string what, double largest, double bound) {
  return {std::move(what), 0, largest, largest, bound};
}

Comparison share(std::string what, double published, double generated, double bound) {
  return {std::move(what), published, generated, std::abs(generated - published), bound};
}

Comparison ratio(std::string what, double published, double generated, double bound) {
  return {std::move(what), published, generated, std::abs(generated / published - 1), bound};
}

void compare_outcomes(const Study& study, const Marginals& generated, std::vector<Comparison>& all) {
  if (!study.outcome_jobs.published()) return;
  const auto tally = [&generated](JobOutcome outcome) {
    return generated.outcomes[static_cast<std::size_t>(outcome)];
  };
  struct Row {
    const char* name;
    JobOutcome outcome;
    double jobs;
    double gpu_time;
  };
  const Row rows[] = {
      {"completed", JobOutcome::kCompleted, study.outcome_jobs.completed, study.outcome_gpu_time.completed},
      {"cancelled", JobOutcome::kCancelled, study.outcome_jobs.cancelled, study.outcome_gpu_time.cancelled},
      {"failed", JobOutcome::kFailed, study.outcome_jobs.failed, study.outcome_gpu_time.failed}};
  for (const Row& row : rows)
    all.push_back(share(fmt::format("jobs that are {}", row.name), row.jobs,
                        tally(row.outcome).jobs / generated.all.jobs, kOutcomeJobs));
  for (const Row& row : rows)
    all.push_back(share(fmt::format("GPU time of {} jobs", row.name), row.gpu_time,
                        tally(row.outcome).gpu_seconds / generated.all.gpu_seconds, kOutcomeGpuTime));
}

}  // namespace

std::vector<Comparison> compare(const Study& study, const Marginals& generated) {
  std::vector<Comparison> all;
  if (generated.all.jobs <= 0) return all;
  double run = 0;
  for (const Study::RunTimePoint& point : study.run_time)
    run = std::max(run, std::abs(generated.run.share_below(point.run_s) - point.share));
  double jobs = 0;
  double gpu_time = 0;
  for (const Study::SizePoint& point : study.sizes) {
    jobs = std::max(jobs, std::abs(generated.jobs_up_to(point.gpus) - point.jobs));
    gpu_time = std::max(gpu_time, std::abs(generated.gpu_time_up_to(point.gpus) - point.gpu_time));
  }
  all.push_back(distance("run time, KS distance", run, kRunTimeDistance));
  all.push_back(distance("size, KS distance", jobs, kSizeDistance));
  all.push_back(distance("GPU time by size, KS distance", gpu_time, kGpuTimeDistance));
  all.push_back(ratio("median run time (s)", study.median_run_s, generated.run.quantile(0.5), kMedianRun));
  all.push_back(
      ratio("mean run time (s)", study.mean_run_s, generated.run_seconds / generated.all.jobs, kMeanRun));
  double gpus = 0;
  for (const auto& [milli, tally] : generated.sizes) gpus += static_cast<double>(milli) / 1000 * tally.jobs;
  all.push_back(ratio("mean GPUs of a job", study.mean_gpus, gpus / generated.all.jobs, kMeanGpus));
  compare_outcomes(study, generated, all);
  for (const Study::RunTimePoint& point : study.run_time) {
    all.push_back(share(fmt::format("run time up to {:.0f} s", point.run_s), point.share,
                        generated.run.share_below(point.run_s), kRunTimeDistance));
  }
  for (const Study::SizePoint& point : study.sizes) {
    all.push_back(share(fmt::format("jobs up to {} GPUs", point.gpus), point.jobs,
                        generated.jobs_up_to(point.gpus), kSizeDistance));
    all.push_back(share(fmt::format("GPU time up to {} GPUs", point.gpus), point.gpu_time,
                        generated.gpu_time_up_to(point.gpus), kGpuTimeDistance));
  }
  return all;
}

}  // namespace gw::workload
