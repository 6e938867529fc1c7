// Rows of published failures: what each counted, on what, and for how long.
#include "physics/published_failures.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "physics/published_fields.h"

namespace gw::physics {

namespace {

using Quantity = PublishedFailure::Quantity;
using Bound = PublishedFailure::Bound;

/// A cause of the model for one of the table's; NVLink counts with the GPU.
std::optional<FailureCause> cause_of(std::string_view category, std::string_view component) {
  if (category == "GPU") return contains(component, "HBM") ? FailureCause::kMemory : FailureCause::kGpu;
  if (category == "software" || category == "unknown") return FailureCause::kSoftware;
  if (category == "network") return FailureCause::kNetwork;
  if (category == "unplanned maintenance") return FailureCause::kMaintenance;
  if (category == "host") return FailureCause::kHost;
  if (category == "dependency" || category == "storage") return FailureCause::kStorage;
  return std::nullopt;
}

const std::vector<FailureCause>& gpu_causes() {
  static const std::vector<FailureCause> causes = {FailureCause::kGpu, FailureCause::kMemory,
                                                   FailureCause::kScaleup};
  return causes;
}

/// What a metric asks for, or why it cannot be answered.
struct Asked {
  Quantity quantity = Quantity::kCount;
  Bound bound = Bound::kNone;
  std::vector<FailureCause> causes = {};
  const char* reason = "";
};

Asked asked_by(std::string_view metric, std::string_view unit) {
  const auto at_least =
      contains(unit, "greater than") || contains(unit, "more than") ? Bound::kAtLeast : Bound::kNone;
  if (metric == "unexpected interruptions") return {};
  if (metric == "unexpected interruptions total" || metric == "restarts total (about)") return {};
  if (metric == "restarts in two weeks") return {.bound = at_least};
  if (metric == "restarts in one multi-week run") return {.reason = "does not say over which time"};
  if (metric == "manual restarts" || metric == "estimated automatic restarts")
    return {.reason = "a part of restarts that depends on who restarts"};
  if (metric == "interruptions total") return {.reason = "with planned interruptions"};
  if (metric == "GPU hardware failures") return {.causes = gpu_causes()};
  if (metric == "MTBF unexpected" || metric == "MTTF of jobs") return {.quantity = Quantity::kMtbf};
  if (metric == "MTTF projected" || metric == "system MTBF assumed by RAPS")
    return {.reason = "a projection or an assumption, not a measurement"};
  if (metric == "interruption rate" || metric == "node failure rate")
    return {.quantity = Quantity::kNodeRate};
  if (metric == "machines down" || metric == "hosts cycled")
    return {.quantity = Quantity::kNodesTaken, .bound = at_least};
  if (metric == "hardware share of unexpected") {
    Asked asked = {.quantity = Quantity::kShare, .causes = gpu_causes()};
    asked.causes.push_back(FailureCause::kNetwork);
    asked.causes.push_back(FailureCause::kHost);
    return asked;
  }
  if (metric == "GPU share of unexpected") return {.quantity = Quantity::kShare, .causes = gpu_causes()};
  if (metric == "effective training time") return {.quantity = Quantity::kGoodput, .bound = at_least};
  if (metric == "detection + diagnosis time")
    return {.quantity = Quantity::kDetection, .bound = Bound::kAtMost};
  if (metric == "catch-up to pre-crash step")
    return {.quantity = Quantity::kCatchUp, .bound = Bound::kAtMost};
  if (metric == "checkpoint size" || metric == "checkpoint read on restart")
    return {.quantity = Quantity::kCheckpoint};
  if (contains(metric, "checkpoint") || contains(metric, "storage") || contains(metric, "buffer nodes"))
    return {.reason = "a choice of the operators, or an input of the model"};
  if (contains(metric, "job state") || contains(metric, "jobs") || contains(metric, "runtime affected") ||
      contains(metric, "job failure"))
    return {.reason = "of jobs of many sizes together, or from which screening was taken"};
  if (contains(metric, "share") || contains(metric, "root cause"))
    return {.reason = "shares of a taxonomy without size or time"};
  return {.reason = "not a rate, a time or a share that the model has"};
}

/// Clusters whose jobs failed on nodes that fail again and again, as their reports say.
bool is_unscreened(std::string_view group, Quantity quantity) {
  if (group == "opt175b") return true;
  return group == "meta-rsc" && quantity == Quantity::kMtbf;
}

/// Parameters of the model that a group trained, or 0.
double parameters_of(std::string_view group, const KnownTypes& known) {
  const std::string_view name = group == "bloom" ? "bloom-176b" : group == "opt175b" ? "opt-175b" : group;
  for (const ModelShape& model : known.models) {
    if (model.name == name) return model.parameters();
  }
  return 0;
}

}  // namespace

Result<std::vector<PublishedFailure>> read_published_failures(const PublishedTable& table,
                                                              const KnownTypes& known) {
  if (const Result<void> named = require_columns(table, "failures.csv",
                                                 {"id", "group", "system", "gpus", "gpu_type", "period_days",
                                                  "category", "component", "metric", "value", "unit"});
      !named)
    return std::unexpected(named.error());
  std::vector<PublishedFailure> rows;
  rows.reserve(table.rows.size());
  for (std::size_t at = 0; at < table.rows.size(); ++at) {
    PublishedFailure row;
    row.id = table.field(at, "id");
    row.group = table.field(at, "group");
    row.what = fmt::format("{}{}{}", table.field(at, "component"),
                           table.field(at, "component").empty() ? "" : ": ", table.field(at, "metric"));
    const auto give = [&](std::string reason) {
      row.reason = std::move(reason);
      rows.push_back(std::move(row));
    };
    const std::string_view metric = table.field(at, "metric");
    const std::string_view unit = table.field(at, "unit");
    Asked asked = asked_by(metric, unit);
    if (*asked.reason != '\0') {
      give(asked.reason);
      continue;
    }
    row.quantity = asked.quantity;
    row.bound = asked.bound;
    row.causes = std::move(asked.causes);
    row.measured = leading_number(table.field(at, "value"));
    row.days = leading_number(table.field(at, "period_days"));
    row.setting.gpus = leading_number(table.field(at, "gpus"));
    row.setting.screened = !is_unscreened(row.group, row.quantity);
    if (!row.setting.screened) row.assumed = "nodes that fail again and again were not taken out";
    if (row.measured <= 0 || row.setting.gpus <= 0) {
      give("no value or no number of GPUs");
      continue;
    }
    const std::string_view type = table.field(at, "gpu_type");
    row.setting.generation = Generation::kAmpere;
    if (const Accelerator* gpu = find_accelerator(known, type)) {
      row.setting.generation = gpu->generation;
      row.setting.gpus_per_node = usual_gpus_per_node(*gpu);
    } else if (!contains(type, "A100") && !type.empty()) {
      give("GPU type not in the catalog");
      continue;
    } else if (type.empty()) {
      row.assumed += "; A100";
    }
    if (table.has("ci95_low")) {
      row.low = leading_number(table.field(at, "ci95_low"));
      row.high = leading_number(table.field(at, "ci95_high"));
    }
    if (row.quantity == Quantity::kMtbf && contains(unit, "days")) row.measured *= 24;
    if (contains(unit, "per week")) row.measured *= row.days / 7;
    if (contains(unit, "per day") && row.quantity == Quantity::kNodesTaken) row.days = 1;
    if ((row.quantity == Quantity::kCount || row.quantity == Quantity::kNodesTaken) && row.days <= 0) {
      give("does not say over which time");
      continue;
    }
    if (row.quantity == Quantity::kNodeRate && row.group == "meta-rsc") {
      row.setting.gpus = row.setting.gpus_per_node;  // Of nodes, whatever ran on them.
      row.assumed = "no large job";
    }
    if (row.quantity == Quantity::kCheckpoint) {
      row.parameters = parameters_of(row.group, known);
      if (row.parameters == 0) {
        give("does not say of which model");
        continue;
      }
    }
    if (metric == "unexpected interruptions") {
      const std::optional<FailureCause> cause =
          cause_of(table.field(at, "category"), table.field(at, "component"));
      if (!cause) {
        give("a cause that the model does not have");
        continue;
      }
      row.causes = {*cause};
      if (cause == FailureCause::kGpu) row.causes.push_back(FailureCause::kScaleup);
      const auto same = std::find_if(rows.begin(), rows.end(), [&](const PublishedFailure& other) {
        return other.reason.empty() && other.group == row.group && other.quantity == Quantity::kCount &&
               other.causes == row.causes && other.days == row.days && other.setting.gpus == row.setting.gpus;
      });
      row.what = fmt::format("{}: interruptions", failure_cause_name(*cause));
      row.low = row.high = 0;
      if (same != rows.end()) {
        same->measured += row.measured;
        give("added to the first row of the same cause");
        continue;
      }
    }
    give("");
  }
  for (PublishedFailure& row : rows) {
    // Counts have the interval of Poisson where the table gives none.
    if (!row.reason.empty() || row.quantity != Quantity::kCount || row.bound != Bound::kNone || row.high > 0)
      continue;
    const Estimate interval = poisson_interval(row.measured);
    row.low = interval.low;
    row.high = interval.high;
  }
  return rows;
}

}  // namespace gw::physics
