// Times of the model of collectives beside published ones.
#include "physics/validation_collectives.h"

#include <fmt/format.h>

#include <utility>

namespace gw::physics {

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
  return std::move(report).finish();
}

}  // namespace gw::physics
