// EtaScore: how good forecasts were, by what came.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "twin/eta_bench.h"

namespace gw::twin {

/// How often starts came by the time said, with the 95 % interval of a share of so many (Wilson, JASA 1927).
struct Coverage {
  std::uint64_t hits = 0;
  std::uint64_t of = 0;
  double share = 0;
  double low = 0;
  double high = 1;
};
Coverage coverage_of(std::uint64_t hits, std::uint64_t of);

/// Of a single time against the truth, in seconds; early is negative.
struct PointError {
  double median_absolute_s = 0;
  double mean_absolute_s = 0;
  double bias_s = 0;  ///< Mean of said minus came.
  double median_bias_s = 0;
};

/// Of one set of samples. Samples without an end of their own (a bound only, never) count as said where they
/// stand.
struct EtaScore {
  std::string name;
  std::uint64_t samples = 0;
  double median_wait_s = 0;
  Coverage p50, p90;          ///< Of what was told.
  Coverage raw_p50, raw_p90;  ///< Of the ensemble alone.
  PointError error;           ///< Of the told P50.
  PointError raw_error;
  PointError by_limits;
  double error_ratio = 0;      ///< Median absolute error over that of the estimate by limits.
  double median_spread_s = 0;  ///< P90 - P50 as told.
  double raw_median_spread_s = 0;
};

/// Of the samples whose jobs have started. `name` is kept.
EtaScore score_of(std::span<const EtaSample> samples, std::string name);

/// The same by the wait that the ensemble's median foretold: `up to 1 h`, ...; bands without samples are
/// left out.
std::vector<EtaScore> scores_by_band(std::span<const EtaSample> samples);

}  // namespace gw::twin
