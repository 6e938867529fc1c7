// Two reports side by side: figures, their difference, and which run is better.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "report/json.h"
#include "report/text.h"

namespace gw::report {

enum class Unit { kCount, kShare, kSeconds, kHours, kFactor };
enum class Better { kNeither, kA, kB };

struct ComparedFigure {
  std::string key;    ///< Where it stands in report.json: `wait_s.mean`.
  std::string title;  ///< For people: `wait, mean`.
  Unit unit = Unit::kCount;
  double a = 0;
  double b = 0;
  Better better = Better::kNeither;  ///< kNeither where equal, or where neither direction is good by itself.

  [[nodiscard]] double difference() const { return b - a; }
};

/// A table by size: mean waits and slowdowns of both.
struct ComparedSize {
  std::string gpus;
  std::uint64_t started_a = 0, started_b = 0;
  double wait_mean_a_s = 0, wait_mean_b_s = 0;
  double wait_p90_a_s = 0, wait_p90_b_s = 0;
};

struct Comparison {
  std::string name_a, name_b;  ///< Run and policy, and the folder where both are called the same.
  std::vector<ComparedFigure> figures;
  std::vector<ComparedSize> sizes;
  bool same_jobs = true;              ///< As far as the reports tell; if not, neither run is better.
  bool chance = false;                ///< Both are one sample of a generated workload.
  std::vector<std::string> warnings;  ///< Why the two may not be comparable: other workload, other fleet.
};

/// An Error names the figure that a report lacks or holds in another form. `path_a`, `path_b` only name the
/// files.
Result<Comparison> compare_reports(const Json& a, const std::string& path_a, const Json& b,
                                   const std::string& path_b);

std::string comparison_text(const Comparison& comparison, const Style& style);
Json comparison_json(const Comparison& comparison);

}  // namespace gw::report
