// Collects the marginals of a stream; see studies_marginals.h.
#include "workload/studies_marginals.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/math.h"

namespace gw::workload {
namespace {

constexpr int kCellsPerDoubling = 32;
constexpr std::size_t kCells = std::size_t{kCellsPerDoubling} * 45;

/// Where a time >= 1 s lies on the scale of cells.
double position(double seconds_value) { return stable_log2(seconds_value) * kCellsPerDoubling; }

double gpus_of(const Shape& shape) { return static_cast<double>(shape.total_gpu_milli()) / 1000; }

}  // namespace

void TimeHistogram::add(double seconds_value, double weight) {
  total_ += weight;
  if (seconds_value <= 1) {
    zero_ += weight;
    return;
  }
  // A cell holds its upper bound, so that shares at powers of two count values equal to them.
  const double at = position(seconds_value);
  auto cell = static_cast<std::size_t>(at);
  if (cell > 0 && at - static_cast<double>(cell) < 1e-9) --cell;
  cell = std::min(cell, kCells - 1);
  if (cells_.size() <= cell) cells_.resize(cell + 1, 0.0);
  cells_[cell] += weight;
}

double TimeHistogram::share_below(double seconds_value) const {
  if (total_ <= 0) return 0;
  if (seconds_value < 1) return 0;
  double sum = zero_;
  const double at = position(seconds_value) + 1e-9;
  for (std::size_t cell = 0; cell < cells_.size() && static_cast<double>(cell) < at; ++cell)
    sum += cells_[cell] * std::min(1.0, at - static_cast<double>(cell));
  return std::min(1.0, sum / total_);
}

double TimeHistogram::quantile(double u) const {
  double rest = u * total_ - zero_;
  if (rest <= 0) return 0;
  for (std::size_t cell = 0; cell < cells_.size(); ++cell) {
    if (cells_[cell] > 0 && rest <= cells_[cell])
      return stable_exp2((static_cast<double>(cell) + rest / cells_[cell]) / kCellsPerDoubling);
    rest -= cells_[cell];
  }
  return cells_.empty() ? 0 : stable_exp2(static_cast<double>(cells_.size()) / kCellsPerDoubling);
}

double Marginals::jobs_up_to(double gpus) const {
  double sum = 0;
  for (const auto& [milli, tally] : sizes) sum += static_cast<double>(milli) <= 1000 * gpus ? tally.jobs : 0;
  return all.jobs > 0 ? sum / all.jobs : 0;
}

double Marginals::gpu_time_up_to(double gpus) const {
  double sum = 0;
  for (const auto& [milli, tally] : sizes)
    sum += static_cast<double>(milli) <= 1000 * gpus ? tally.gpu_seconds : 0;
  return all.gpu_seconds > 0 ? sum / all.gpu_seconds : 0;
}

double Marginals::most_used_limits(std::size_t count) const {
  std::vector<double> uses;
  double total = 0;
  for (const auto& [value, jobs] : limit_values) {
    uses.push_back(jobs);
    total += jobs;
  }
  std::sort(uses.begin(), uses.end(), std::greater<>());
  double sum = 0;
  for (std::size_t index = 0; index < std::min(count, uses.size()); ++index) sum += uses[index];
  return total > 0 ? sum / total : 0;
}

double Marginals::offered_gpus() const {
  const double span = last_submit_s - first_submit_s;
  return span > 0 ? all.gpu_seconds / span : 0;
}

Result<Marginals> measure(JobStream& stream, const MeasureOptions& options) {
  Marginals result;
  TraceJob job;
  const double start_h = 24.0 * (options.start_weekday % 7) + options.start_hour;
  TenantId last_tenant;
  while (options.jobs_max == 0 || result.all.jobs < static_cast<double>(options.jobs_max)) {
    const Result<bool> more = stream.next(job);
    if (!more) return std::unexpected(more.error());
    if (!*more) break;
    const double run_s = to_seconds(job.truth.run_time);
    const double limit_s = to_seconds(job.request.limit);
    const double submit_s = to_seconds(job.request.submit);
    const Tally one{1, run_s * gpus_of(job.request.shape)};
    const auto add = [&one](Tally& to) {
      to.jobs += one.jobs;
      to.gpu_seconds += one.gpu_seconds;
    };
    if (result.all.jobs == 0)
      result.first_submit_s = submit_s;
    else if (submit_s == result.last_submit_s && job.request.tenant == last_tenant)
      ++result.submitted_with_another;
    last_tenant = job.request.tenant;
    result.last_submit_s = submit_s;
    add(result.all);
    add(result.sizes[job.request.shape.total_gpu_milli()]);
    add(result.outcomes[static_cast<std::size_t>(job.truth.outcome)]);
    add(result.tenants[job.request.tenant.value()]);
    add(result.classes[job.job_class]);
    result.run.add(run_s);
    result.limit.add(limit_s);
    result.run_seconds += run_s;
    const auto hour = static_cast<std::uint64_t>(submit_s / 3600 + start_h);
    ++result.hour[hour % 24];
    ++result.weekday[hour / 24 % 7];
    if (limit_s > 0)
      ++result.accuracy[std::min<std::size_t>(19, static_cast<std::size_t>(20 * run_s / limit_s + 1e-9))];
    const auto limit = static_cast<std::int64_t>(limit_s);
    if (result.limit_values.size() < Marginals::kLimitValues || result.limit_values.contains(limit))
      ++result.limit_values[limit];
  }
  return result;
}

}  // namespace gw::workload
