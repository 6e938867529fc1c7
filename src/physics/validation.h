// A model beside published measurements: errors by group and by cell, and those of a model that knows
// nothing.
#pragma once

#include <cstddef>
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
  std::size_t with_interval = 0;    ///< Points whose measurement has an interval of 95 %.
  std::size_t inside = 0;           ///< Of those, predicted inside it,
  std::size_t null_inside = 0;      ///< and by the null model.
  std::size_t with_prediction = 0;  ///< Points whose prediction has an interval of 95 %.
  std::size_t covered = 0;          ///< Of those, measured inside it.
  /// Where the mean lies with 95 % if the points are a sample of their kind; of less than two points: as
  /// `mean`, and no statement. See mean_interval().
  double mean_low = 0;
  double mean_high = 0;
};

/// Below this many points a mean is told with its interval.
inline constexpr std::size_t kFewPoints = 20;

struct Comparison {
  std::string id;
  std::string group;
  std::string cell;        ///< Set by ReportBuilder::add.
  std::string what;        ///< Model and GPUs, or operation and size.
  std::string why;         ///< What the model's value is made of, and what was assumed.
  std::string unit = "s";  ///< Of the two values.
  double measured = 0;
  double predicted = 0;
  double error = 0;
  double null_error = 0;
  double measured_low = 0;  ///< Of 95 %; as high as low: it has none.
  double measured_high = 0;
  double predicted_low = 0;
  double predicted_high = 0;
};

struct LeftOut {
  std::string reason;
  std::size_t rows = 0;
};

struct ValidationReport {
  std::string heading;               ///< What is compared with what, in one line.
  std::vector<ErrorSummary> groups;  ///< In the order of the table.
  std::vector<ErrorSummary> cells;   ///< GPU type and precision, or operation and band of sizes.
  std::vector<ErrorSummary> totals;
  std::vector<Comparison> rows;  ///< Largest error first.
  std::vector<LeftOut> left_out;
  std::vector<std::string> notes;  ///< Whole sentences on what the numbers do not show.
};

/// Puts a report together, row by row in the order of the table.
class ReportBuilder {
 public:
  explicit ReportBuilder(std::string heading);

  /// `error` and `null_error` are set. The row counts in the summaries of these three names.
  void add(const std::string& group, const std::string& cell, const std::string& total, Comparison row);
  void leave_out(const std::string& reason);
  void note(std::string sentence);
  [[nodiscard]] ValidationReport finish() &&;

 private:
  struct Named {
    std::string name;
    std::vector<double> errors;
    std::vector<double> null_errors;
    ErrorSummary counts;  ///< Those of intervals.
  };
  static void add_to(std::vector<Named>& list, const std::string& name, const Comparison& row);
  static std::vector<ErrorSummary> summaries(const std::vector<Named>& list);

  ValidationReport report_;
  std::vector<Named> groups_;
  std::vector<Named> cells_;
  std::vector<Named> totals_;
};

/// Of no values: 0.
[[nodiscard]] double median_of(std::vector<double> values);

struct MeanInterval {
  double low = 0;
  double high = 0;
};

/// The 95 % interval of the mean of the population that `sizes` (not negative) are a sample of, by Student's
/// t with its lower end cut at 0; of less than two values: the mean twice. Neighbouring rows of a table err
/// alike, so that the true interval is wider.
[[nodiscard]] MeanInterval mean_interval(const std::vector<double>& sizes);

}  // namespace gw::physics
