// The model beside published measurements: errors by group and by cell, and those of a model that knows
// nothing.
#pragma once

#include <string>
#include <vector>

#include "physics/published.h"

namespace gw::physics {

/// Errors are (predicted - measured) / measured; means and the like are of their sizes.
struct ErrorSummary {
  std::string name;
  std::size_t points = 0;
  double mean = 0;
  double median = 0;
  double max = 0;
  double bias = 0;       ///< Mean with sign.
  double null_mean = 0;  ///< Of the null model over the same points.
  double null_max = 0;
};

struct Comparison {
  std::string id;
  std::string group;
  std::string what;  ///< Model and GPUs, or operation and size.
  std::string why;   ///< What the model's time is made of, and what was assumed.
  double measured_s = 0;
  double predicted_s = 0;
  double error = 0;
  double null_error = 0;
};

struct LeftOut {
  std::string reason;
  std::size_t rows = 0;
};

struct ValidationReport {
  std::vector<ErrorSummary> groups;  ///< In the order of the table.
  std::vector<ErrorSummary> cells;   ///< GPU type and precision, or operation and band of sizes.
  std::vector<ErrorSummary> totals;
  std::vector<Comparison> rows;  ///< Largest error first.
  std::vector<LeftOut> left_out;
  std::size_t does_not_fit = 0;  ///< Runs that were made although the memory model says that they do not fit,
  std::size_t unsaid = 0;        ///< and of them those that do not say what they recompute.
};

/// The null model of training: the median TFLOP/s per GPU of its GPU type and precision.
[[nodiscard]] ValidationReport validate_training(const std::vector<PublishedTraining>& rows,
                                                 const Calibration& calibration);
/// The null model of collectives: nominal bandwidth of the slowest link, no latency.
[[nodiscard]] ValidationReport validate_collectives(const std::vector<PublishedCollective>& rows);

}  // namespace gw::physics
