// Published cluster studies: their marginals with sources, and how far a generated workload is from them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workload/studies_marginals.h"

namespace gw::workload {

/// What a study publishes on its GPU jobs. Shares are fractions of 1.
struct Study {
  struct RunTimePoint {
    double run_s = 0;
    double share = 0;  ///< Of jobs that run at most run_s.
  };
  struct SizePoint {
    std::uint32_t gpus = 1;
    double jobs = 0;      ///< Share of jobs on at most that many GPUs.
    double gpu_time = 0;  ///< Share of GPU time that they hold.
  };
  /// Shares of completed, cancelled and failed jobs; all 0 where not published.
  struct Outcomes {
    double completed = 0;
    double cancelled = 0;
    double failed = 0;
    [[nodiscard]] bool published() const { return completed + cancelled + failed > 0; }
  };
  std::string_view name;
  std::string_view title;
  std::uint32_t gpus = 0;  ///< Of the cluster.
  double jobs = 0;         ///< GPU jobs in the study.
  std::vector<RunTimePoint> run_time;
  std::vector<SizePoint> sizes;
  Outcomes outcome_jobs;
  Outcomes outcome_gpu_time;
  double mean_run_s = 0;
  double median_run_s = 0;
  double longest_run_s = 0;
  double mean_gpus = 0;            ///< GPUs per job.
  double mean_gpus_up_to_one = 1;  ///< Of jobs on at most one GPU.
  std::string_view source;
};

/// All studies, the oldest first.
const std::vector<Study>& studies();
/// nullptr where there is none of that name.
const Study* find_study(std::string_view name);

/// One published figure beside the generated one.
struct Comparison {
  std::string what;
  double published = 0;
  double generated = 0;
  double error = 0;  ///< Absolute for shares, relative for times and sizes.
  double bound = 0;  ///< The largest error that is held to be a match.
  [[nodiscard]] bool within() const { return error <= bound; }
};

/// Every published figure of `study` against `generated`. The distributions of run times and sizes come
/// first, as the Kolmogorov-Smirnov distance over the published points (published 0, generated = error = the
/// distance).
std::vector<Comparison> compare(const Study& study, const Marginals& generated);

}  // namespace gw::workload
