// Times of the model of collectives beside published ones.
#include "physics/validation_collectives.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "physics/error_floor.h"

namespace gw::physics {

namespace {

/// Measured alike but for the size: one curve of any model.
using Configuration = std::tuple<std::string, double, double, double>;

/// How far the runs of one row lie from their median.
struct Runs {
  std::size_t rows = 0;
  std::size_t apart = 0;  // Rows whose longest run takes so many times the shortest:
  double distance = 0;    // Sum over rows of the mean distance of those two from the median, over it.
  static constexpr double kApart = 1.5;

  void add(const PublishedCollective& row) {
    ++rows;
    if (row.most_s > kApart * row.least_s) ++apart;
    distance += (row.most_s - row.least_s) / (2 * row.measured_s);
  }
};

/// A sentence on each band of sizes in which the measurements themselves do not grow with the size.
void note_floors(const std::vector<PublishedCollective>& rows, ReportBuilder& report) {
  constexpr std::size_t kMostPoints = 1000;  // Of a configuration: the floors cost their square.
  constexpr double kWorthAWord = 0.05;
  std::map<std::string, std::map<Configuration, std::vector<SizedValue>>> cells;
  std::map<std::string, Runs> runs;
  for (const PublishedCollective& row : rows) {
    if (!row.reason.empty()) continue;
    if (row.least_s > 0) runs[collective_cell(row)].add(row);
    cells[collective_cell(row)]
         [{row.group, row.members.gpus, row.members.per_domain, row.fabric.scaleup.switch_efficiency}]
             .push_back({row.bytes, row.measured_s});
  }
  for (const auto& [cell, configurations] : cells) {
    double growing = 0;
    double line = 0;
    NeighbourErrors told;
    std::size_t points = 0;
    std::size_t out_of_order = 0;
    for (const auto& [configuration, curve] : configurations) {
      if (curve.size() > kMostPoints) continue;
      const double own = growing_floor(curve);
      growing += own;
      line += line_floor(curve);
      const NeighbourErrors of_curve = neighbour_errors(curve);
      told.sum += of_curve.sum;
      told.points += of_curve.points;
      points += curve.size();
      out_of_order += own > kWorthAWord * static_cast<double>(curve.size()) ? 1 : 0;
    }
    const Runs& told_runs = runs[cell];
    if (told_runs.apart > 0) {
      report.note(
          fmt::format("{}: {} rows tell their shortest and longest run. In {} of them the longest takes more "
                      "than {} times the "
                      "shortest; another run of the very same operation is {:.1f} % from the row on average.",
                      cell, told_runs.rows, told_runs.apart, Runs::kApart,
                      100 * told_runs.distance / static_cast<double>(told_runs.rows)));
    }
    const auto count = static_cast<double>(points);
    if (out_of_order == 0 || line < kWorthAWord * count) continue;
    report.note(fmt::format(
        "{}: {} of {} configurations are not in order of size. A line through each of them, "
        "drawn anew, errs by "
        "{:.1f} % on average; each point told by its two neighbours in size, by {:.1f} %; no model "
        "at all in which more bytes are never faster does better than {:.1f} %.",
        cell, out_of_order, configurations.size(), 100 * line / count,
        100 * told.sum / std::max(1.0, static_cast<double>(told.points)), 100 * growing / count));
  }
}

}  // namespace

std::string collective_cell(const PublishedCollective& row) {
  constexpr double kLarge = 64e6;
  constexpr double kSmall = 1e6;
  const char* band = row.bytes >= kLarge  ? "64 MB and more"
                     : row.bytes < kSmall ? "under 1 MB"
                                          : "1 to 64 MB";
  return fmt::format("{}, {}", collective_name(row.collective), band);
}

ValidationReport validate_collectives(const std::vector<PublishedCollective>& rows) {
  ReportBuilder report("Collectives: error of the model, and of bytes over nominal bandwidth");
  for (const PublishedCollective& row : rows) {
    if (!row.reason.empty()) {
      report.leave_out(row.reason);
      continue;
    }
    const double seconds = collective_seconds(row.collective, row.bytes, row.members, row.fabric);
    Fabric ideal = row.fabric;
    ideal.scaleup = {};
    ideal.network = {};
    Comparison comparison;
    comparison.id = row.id;
    comparison.group = row.group;
    comparison.what = fmt::format("{} of {:.0f} bytes, {:.0f} GPUs", collective_name(row.collective),
                                  row.bytes, row.members.gpus);
    comparison.why = row.fabric_name;
    comparison.measured = row.measured_s;
    comparison.predicted = seconds;
    comparison.error = seconds / row.measured_s - 1;
    comparison.null_error =
        collective_seconds(row.collective, row.bytes, row.members, ideal) / row.measured_s - 1;
    report.add(row.group, collective_cell(row), "all operations", std::move(comparison));
  }
  note_floors(rows, report);
  return std::move(report).finish();
}

}  // namespace gw::physics
