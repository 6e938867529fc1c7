// From MetricsCollector's counters to the figures of RunSummary.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "twin/metrics.h"

namespace gw::twin {
namespace {

constexpr double kGpuMilliNanosecondsPerGpuHour = 1000.0 * 3600e9;

double gpu_hours(Int128 gpu_time) { return static_cast<double>(gpu_time) / kGpuMilliNanosecondsPerGpuHour; }

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0; }

/// `offset + value / per_unit` of each figure; all zero where there is no sample.
Distribution distribution(QuantileSketch& sketch, double per_unit, double offset) {
  Distribution result;
  result.count = sketch.count();
  if (result.count == 0) return result;
  const auto scaled = [&](std::int64_t value) { return offset + static_cast<double>(value) / per_unit; };
  result.mean = offset + sketch.mean() / per_unit;
  result.p50 = scaled(sketch.quantile(0.5));
  result.p90 = scaled(sketch.quantile(0.9));
  result.p99 = scaled(sketch.quantile(0.99));
  result.max = scaled(sketch.max());
  return result;
}

Distribution in_seconds(QuantileSketch& nanoseconds) { return distribution(nanoseconds, 1e9, 0); }
Distribution as_slowdown(QuantileSketch& above_one) { return distribution(above_one, 1e6, 1); }

std::string name_or_number(const std::vector<std::string>& names, std::size_t index, const char* what) {
  return index < names.size() ? names[index] : fmt::format("{} {}", what, index);
}

}  // namespace

RunSummary MetricsCollector::summarize(RunLabels labels) {
  RunSummary summary;
  summary.labels = std::move(labels);
  const Instant end = empty() ? last_end_ : integrated_until_;
  fair_share_.close(end);
  if (measuring_) flush_bin();

  summary.jobs = jobs_;
  summary.jobs.completed = outcomes_[static_cast<std::size_t>(JobOutcome::kCompleted)];
  summary.jobs.failed = outcomes_[static_cast<std::size_t>(JobOutcome::kFailed)];
  summary.jobs.cancelled = outcomes_[static_cast<std::size_t>(JobOutcome::kCancelled)];
  summary.jobs.timed_out = outcomes_[static_cast<std::size_t>(JobOutcome::kTimeout)];
  for (std::size_t reason = 0; reason < rejected_by_.size(); ++reason) {
    if (rejected_by_[reason] == 0) continue;
    const std::string name = name_or_number(summary.labels.reject_reasons, reason, "reason");
    summary.jobs.rejected_by.push_back({name, rejected_by_[reason]});
  }

  summary.wait_s = in_seconds(wait_);
  summary.slowdown = as_slowdown(slowdown_);
  summary.quantile_error = std::max(wait_.relative_error(), slowdown_.relative_error());
  summary.first_submit_s = to_seconds(first_submit_);
  summary.last_end_s = to_seconds(last_end_);
  summary.makespan_s = to_seconds(last_end_ - first_submit_);

  const auto mean_of = [&](Channel level) {
    return ratio(static_cast<double>(totals_[level]), static_cast<double>((end - first_submit_).count()));
  };
  RunSummary::GpuHours& time = summary.gpu_hours;
  time.existing = gpu_hours(totals_[kTotal]);
  time.down = gpu_hours(totals_[kDown]);
  time.allocated = gpu_hours(totals_[kAllocated]);
  time.lost = gpu_hours(lost_);
  time.useful = gpu_hours(totals_[kAllocated] - lost_);
  time.idle = gpu_hours(totals_[kTotal] - totals_[kDown] - totals_[kAllocated]);
  summary.utilization = ratio(time.allocated, time.existing);
  summary.utilization_until_last_submit =
      arrivals_existing_ > 0
          ? ratio(static_cast<double>(arrivals_allocated_), static_cast<double>(arrivals_existing_))
          : summary.utilization;
  summary.last_submit_s = to_seconds(last_submit_);
  summary.offered_load =
      arrivals_existing_ > 0 ? ratio(time.useful, gpu_hours(arrivals_existing_)) : summary.offered_load;
  summary.useful_utilization = ratio(time.useful, time.existing);
  summary.gpus = mean_of(kTotal) / 1000;

  summary.queue.running_jobs_mean = mean_of(kRunning);
  summary.queue.pending_jobs_mean = mean_of(kPending);
  summary.queue.pending_gpus_mean = mean_of(kPendingGpus) / 1000;
  summary.queue.running_jobs_max = static_cast<double>(maxima_[kRunning]);
  summary.queue.pending_jobs_max = static_cast<double>(maxima_[kPending]);
  summary.queue.pending_gpus_max = static_cast<double>(maxima_[kPendingGpus]) / 1000;

  const auto head_wait = static_cast<double>(head_wait_time_);
  const auto existing = static_cast<double>(head_wait_existing_);
  summary.fragmentation.head_wait_share =
      ratio(head_wait, static_cast<double>((end - first_submit_).count()));
  summary.fragmentation.unusable_gpus_mean = ratio(static_cast<double>(totals_[kUnusable]), head_wait) / 1000;
  summary.fragmentation.unusable_share = ratio(static_cast<double>(totals_[kUnusable]), existing);
  summary.fragmentation.fragmented_gpus_mean =
      ratio(static_cast<double>(totals_[kFragmented]), head_wait) / 1000;
  summary.fragmentation.fragmented_share = ratio(static_cast<double>(totals_[kFragmented]), existing);

  summary.fair_share.window_s = to_seconds(fair_share_.window());
  summary.fair_share.windows = fair_share_.windows();
  summary.fair_share.misallocated_share = fair_share_.misallocated_share();
  summary.fair_share.mean_absolute_error = fair_share_.mean_absolute_error();

  summary.failures.node_failures = node_failures_;
  summary.failures.stopped_jobs = jobs_.restarts;
  summary.failures.lost_gpu_hours = time.lost;

  summarize_groups(summary);
  summarize_tenants(summary);
  if (measuring_) summarize_series(summary, end);
  return summary;
}

void MetricsCollector::summarize_groups(RunSummary& summary) {
  const auto add = [](std::vector<GroupSummary>& rows, Group& group, std::string name) {
    rows.push_back({std::move(name), group.started, group.finished, gpu_hours(group.gpu_time),
                    in_seconds(group.wait), as_slowdown(group.slowdown)});
  };
  for (std::size_t size = 0; size < by_size_.size(); ++size)
    add(summary.by_size, by_size_[size], std::string(kSizeClassNames[size]));
  for (std::size_t kind = 0; kind < by_class_.size(); ++kind) {
    if (by_class_[kind].started != 0)
      add(summary.by_class, by_class_[kind], name_or_number(summary.labels.job_classes, kind, "class"));
  }

  std::size_t spans = summary.labels.fabric_levels.size() + 1;
  for (std::size_t span = 0; span < spans_.size(); ++span) {
    if (spans_[span].jobs != 0) spans = std::max(spans, span + 1);
  }
  for (std::size_t span = 0; span < spans; ++span) {
    const Span& from = spans_[span];
    const std::string name =
        span == 0 ? "node" : name_or_number(summary.labels.fabric_levels, span - 1, "level");
    summary.spans.push_back(
        {name, from.jobs, from.gang_jobs, gpu_hours(from.gpu_time), gpu_hours(from.gang_gpu_time)});
  }

  for (std::size_t reason = 0; reason < reasons_.size(); ++reason) {
    if (reasons_[reason].jobs == 0) continue;
    summary.reasons.push_back({name_or_number(summary.labels.wait_reasons, reason, "reason"),
                               reasons_[reason].jobs,
                               static_cast<double>(reasons_[reason].wait_sum) / 3600e9});
  }
  std::stable_sort(
      summary.reasons.begin(), summary.reasons.end(),
      [](const ReasonSummary& a, const ReasonSummary& b) { return a.wait_hours > b.wait_hours; });
}

void MetricsCollector::summarize_tenants(RunSummary& summary) {
  std::vector<Tenant> sum = per_tenant_;  // Of each tenant and all below it: parents come before children.
  for (std::size_t index = sum.size(); index-- > 1;) {
    const TenantId parent = (*tenants_)[TenantId{static_cast<std::uint32_t>(index)}].parent;
    if (parent == TenantTree::root()) continue;  // The root's row is for jobs that belong to nobody else.
    Tenant& above = sum[parent.value()];
    above.submitted += sum[index].submitted;
    above.started += sum[index].started;
    above.finished += sum[index].finished;
    above.rejected += sum[index].rejected;
    above.gpu_time += sum[index].gpu_time;
    above.wait_sum += sum[index].wait_sum;
    above.slowdown_sum += sum[index].slowdown_sum;
    above.wait_max = std::max(above.wait_max, sum[index].wait_max);
  }
  for (std::uint32_t index = 0; index < sum.size(); ++index) {
    const Tenant& tenant = sum[index];
    if (tenant.submitted == 0) continue;
    const TenantId id{index};
    TenantSummary row;
    row.path = tenants_->path(id);
    row.kind = (*tenants_)[id].kind;
    row.weight = (*tenants_)[id].weight;
    row.depth = 1 + static_cast<std::uint32_t>(std::count(row.path.begin(), row.path.end(), '/'));
    row.submitted = tenant.submitted;
    row.started = tenant.started;
    row.finished = tenant.finished;
    row.rejected = tenant.rejected;
    row.gpu_hours = gpu_hours(tenant.gpu_time);
    row.wait_mean_s = ratio(static_cast<double>(tenant.wait_sum), static_cast<double>(tenant.started)) / 1e9;
    row.wait_max_s = static_cast<double>(tenant.wait_max) / 1e9;
    if (tenant.finished != 0)
      row.slowdown_mean =
          1 + static_cast<double>(tenant.slowdown_sum) / static_cast<double>(tenant.finished) / 1e6;
    if (tops_[tenant.top].id == id) {
      row.wait_s = in_seconds(tops_[tenant.top].wait);
      row.entitled_gpu_hours = fair_share_.entitled(tenant.top) / kGpuMilliNanosecondsPerGpuHour;
    }
    if (row.path.empty()) row.path = "(no tenant)";
    summary.tenants.push_back(std::move(row));
  }
  std::sort(summary.tenants.begin(), summary.tenants.end(),
            [](const TenantSummary& a, const TenantSummary& b) {
              return a.gpu_hours != b.gpu_hours ? a.gpu_hours > b.gpu_hours : a.path < b.path;
            });
}

void MetricsCollector::summarize_series(RunSummary& summary, Instant end) const {
  RunSeries& series = summary.series;
  series.begin_s = to_seconds(series_.origin());
  series.width_s = to_seconds(series_.width());
  const auto duration_of = [&](std::size_t bin) {
    const Instant begin = series_.origin() + series_.width() * static_cast<std::int64_t>(bin);
    return static_cast<double>((std::min(begin + series_.width(), end) - begin).count());
  };
  std::size_t bins = 0;  // Those with any time in them.
  while (bins < series_.bins().size() && duration_of(bins) > 0) ++bins;
  for (std::size_t index = 0; index < bins; ++index) {
    auto bin = series_.bins()[index];
    if (index + 1 == bins) {  // What happened at the very end opened a bin without time: it counts here.
      for (std::size_t next = bins; next < series_.bins().size(); ++next) {
        for (std::size_t channel = kLevels; channel < kChannels; ++channel)
          bin[channel] += series_.bins()[next][channel];
      }
    }
    const double duration = duration_of(index);
    const auto level = [&](Channel channel, double unit) { return bin[channel] / duration / unit; };
    series.total_gpus.push_back(level(kTotal, 1000));
    series.down_gpus.push_back(level(kDown, 1000));
    series.allocated_gpus.push_back(level(kAllocated, 1000));
    series.useful_gpus.push_back(std::max(level(kAllocated, 1000) - level(kLost, 1000), 0.0));
    series.running_jobs.push_back(level(kRunning, 1));
    series.pending_jobs.push_back(level(kPending, 1));
    series.pending_gpus.push_back(level(kPendingGpus, 1000));
    series.unusable_gpus.push_back(level(kUnusable, 1000));
    series.fragmented_gpus.push_back(level(kFragmented, 1000));
    series.submitted.push_back(bin[kSubmitted]);
    series.started.push_back(bin[kStarted]);
    series.finished.push_back(bin[kFinished]);
    series.node_failures.push_back(bin[kNodeFailures]);
    series.lost_gpu_hours.push_back(bin[kLost] / kGpuMilliNanosecondsPerGpuHour);
  }
}

}  // namespace gw::twin
