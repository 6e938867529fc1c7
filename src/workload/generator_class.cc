// Draws the jobs of one class and integrates their mean GPU time; see docs/workload-generator.md for the
// model.
#include "workload/generator_class.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "base/check.h"
#include "base/math.h"

namespace gw::workload {
namespace {

/// Tasks of one burst have durations within this share of the class's law (a sweep runs alike, not equally).
constexpr double kBurstSpread = 0.2;

/// Shares of one GPU that tasks ask for, in thousandths: the values asked most in Alibaba's 2023 GPU trace
/// (cluster-trace-gpu-v2023, openb_pod_list_default: 3,078 pods ask for a part of one GPU).
struct PartOfGpu {
  std::uint32_t milli;
  double share;
};
constexpr std::array kPartsOfGpu = {PartOfGpu{810, 1078}, PartOfGpu{470, 750}, PartOfGpu{320, 328},
                                    PartOfGpu{650, 253},  PartOfGpu{230, 140}, PartOfGpu{460, 128},
                                    PartOfGpu{590, 75},   PartOfGpu{160, 74},  PartOfGpu{550, 72},
                                    PartOfGpu{220, 62},   PartOfGpu{370, 47},  PartOfGpu{110, 24}};

constexpr std::uint32_t kMostElasticNodes = 1'000'000;

constexpr double total_parts() {
  double total = 0;
  for (const PartOfGpu& part : kPartsOfGpu) total += part.share;
  return total;
}

constexpr double mean_part() {
  double sum = 0;
  for (const PartOfGpu& part : kPartsOfGpu) sum += part.share * part.milli / 1000;
  return sum / total_parts();
}

bool is_one_gpu(const Shape& shape) { return shape.nodes == 1 && shape.gpus == 1; }

/// The nearest whole second, at least one.
Nanoseconds whole_seconds(double value_s) {
  return seconds(std::max<std::int64_t>(1, static_cast<std::int64_t>(value_s + 0.5)));
}

}  // namespace

ClassLaw::ClassLaw(const JobClass& job_class)
    : limit_(job_class.limit),
      failed_share_(std::clamp(job_class.failed_share, 0.0, 1.0)),
      failed_early_(std::max(job_class.failed_early, 0.0)),
      burst_mean_(std::max(job_class.burst_mean, 1.0)),
      gpu_milli_share_(std::clamp(job_class.gpu_milli_share, 0.0, 1.0)),
      priority_(job_class.priority),
      checkpoint_interval_(seconds(static_cast<std::int64_t>(job_class.checkpoint_interval_s))),
      preemptible_(job_class.preemptible),
      keep_on_failure_(job_class.keep_on_failure),
      elastic_factor_(std::max(job_class.elastic_factor, 1.0)),
      scaling_permille_(static_cast<std::uint32_t>(
          std::clamp<std::int64_t>(std::llround(job_class.elastic_scaling * 1000), 1, 1000))),
      flexible_share_(std::clamp(job_class.flexible_share, 0.0, 1.0)),
      slack_(seconds(static_cast<std::int64_t>(job_class.slack_s))),
      power_permille_(static_cast<std::uint32_t>(
          std::clamp<std::int64_t>(std::llround(job_class.power_peak * 1000), 1, 1000))) {
  if (burst_mean_ > 1) log_burst_continues_ = stable_log(1 - 1 / burst_mean_);
}

Result<ClassLaw> ClassLaw::make(const JobClass& job_class, const Fleet& fleet) {
  GW_CHECK(!job_class.sizes.empty());
  ClassLaw law(job_class);
  double total = 0;
  for (const SizeShare& size : job_class.sizes) total += size.share;
  GW_CHECK(total > 0);
  const double low = std::max(job_class.duration_min_s, 1.0);
  const double high = std::max(job_class.duration_max_s, low);
  double cumulative = 0;
  for (const SizeShare& wish : job_class.sizes) {
    if (wish.share <= 0) continue;
    const Result<Shape> shape = fit_shape(job_class, fleet, wish.gpus);
    if (!shape) return std::unexpected(shape.error());
    cumulative += wish.share;
    const bool scaled = job_class.duration_size_exponent != 0;
    if (wish.run_s > 0) {  // The amount of work says it, whatever its longest and shortest.
      const DurationComponent fixed{wish.run_s, 0, 1};
      law.durations_.emplace_back(std::span(&fixed, 1), 1, std::max(1.0, wish.run_s / 2),
                                  std::max(1.0, wish.run_s * 2));
    } else if (scaled || law.durations_.empty()) {
      if (job_class.durations.empty())
        return fail("class \"" + job_class.name +
                    "\" says how much its jobs do, not how long they take: its work must be sized first");
      const double gpus = static_cast<double>(shape->total_gpu_milli()) / 1000;
      const double factor = scaled ? stable_pow(gpus, job_class.duration_size_exponent) : 1;
      law.durations_.emplace_back(job_class.durations, factor, low, high);
    }
    law.sizes_.push_back({*shape, cumulative / total, static_cast<std::uint32_t>(law.durations_.size() - 1)});
  }
  law.sizes_.back().cumulative_share = 1;
  law.calibrate_cancellation(job_class.cancelled_share);
  law.integrate_load();
  return law;
}

double ClassLaw::share_of(std::size_t size) const {
  return sizes_[size].cumulative_share - (size == 0 ? 0 : sizes_[size - 1].cumulative_share);
}

double ClassLaw::cancelled_probability(double hazard) const {
  double sum = 0;
  for (std::size_t size = 0; size < sizes_.size(); ++size) {
    const bool same_table = size > 0 && sizes_[size].table == sizes_[size - 1].table;
    if (same_table) continue;
    double share = share_of(size);
    for (std::size_t next = size + 1; next < sizes_.size() && sizes_[next].table == sizes_[size].table;
         ++next)
      share += share_of(next);
    sum += share * durations_[sizes_[size].table].expect([hazard](double duration_s) {
      return 1 - stable_exp(-std::min(hazard * duration_s, 600.0));
    });
  }
  return (1 - failed_share_) * sum;
}

void ClassLaw::calibrate_cancellation(double share) {
  if (share <= 0) return;
  double low = -30;  // ln of the hazard per second; the probability grows with it.
  double high = 3;
  for (int step = 0; step < 32; ++step) {
    const double middle = (low + high) / 2;
    (cancelled_probability(stable_exp(middle)) < share ? low : high) = middle;
  }
  cancel_hazard_ = stable_exp(high);
}

/// Mean time held by a job that would run `duration_s` and is cut at `cut_s`.
double ClassLaw::mean_run_s(double duration_s, double cut_s) const {
  const double run_s = std::min(duration_s, cut_s);
  // Failed: at duration x u^early, u uniform.
  double failed = duration_s / (failed_early_ + 1);
  if (duration_s > cut_s && failed_early_ > 0) {
    const double u = stable_pow(cut_s / duration_s, 1 / failed_early_);
    failed = failed * stable_pow(u, failed_early_ + 1) + cut_s * (1 - u);
  } else if (duration_s > cut_s) {
    failed = cut_s;
  }
  // Others: until done, cut or cancelled, which comes at a constant hazard.
  double others = run_s;
  if (cancel_hazard_ * run_s > 1e-9)
    others = (1 - stable_exp(-std::min(cancel_hazard_ * run_s, 600.0))) / cancel_hazard_;
  return failed_share_ * failed + (1 - failed_share_) * others;
}

double ClassLaw::mean_run_s(double duration_s) const {
  const double overrun = limit_.overrun_probability(duration_s);
  const double regular = mean_run_s(duration_s, limit_.max_s());
  return overrun > 0 ? (1 - overrun) * regular + overrun * mean_run_s(duration_s, limit_.default_s())
                     : regular;
}

void ClassLaw::integrate_load() {
  mean_gpu_seconds_ = 0;
  double mean_run = 0;
  for (std::size_t size = 0; size < sizes_.size(); ++size) {
    if (size == 0 || sizes_[size].table != sizes_[size - 1].table)
      mean_run =
          durations_[sizes_[size].table].expect([this](double duration_s) { return mean_run_s(duration_s); });
    double gpus = static_cast<double>(sizes_[size].shape.total_gpu_milli()) / 1000;
    if (is_one_gpu(sizes_[size].shape)) gpus = 1 - gpu_milli_share_ * (1 - mean_part());
    mean_gpu_seconds_ += share_of(size) * gpus * mean_run;
  }
}

Burst ClassLaw::draw_burst(Rng& rng) const {
  Burst burst;
  burst.left = 1;
  if (log_burst_continues_ < 0)
    burst.left += static_cast<std::uint64_t>(stable_log(1 - rng.uniform()) / log_burst_continues_);
  const double size = rng.uniform();
  while (burst.size + 1 < sizes_.size() && size >= sizes_[burst.size].cumulative_share) ++burst.size;
  burst.rank = rng.uniform();
  burst.habit = limit_.draw(rng);
  return burst;
}

void ClassLaw::draw_part_of_gpu(Rng& rng, Shape& shape) const {
  double draw = rng.uniform() * total_parts();
  std::size_t part = 0;
  while (part + 1 < kPartsOfGpu.size() && draw >= kPartsOfGpu[part].share) draw -= kPartsOfGpu[part++].share;
  shape.gpus = 0;
  shape.gpu_milli = kPartsOfGpu[part].milli;
  shape.cpu_milli = shape.cpu_milli * shape.gpu_milli / 1000;
  shape.memory_mib = shape.memory_mib * shape.gpu_milli / 1000;
}

void ClassLaw::draw_task(Burst& burst, Rng& rng, TraceJob& job) const {
  GW_CHECK(burst.left > 0);
  --burst.left;
  const Size& size = sizes_[burst.size];
  job.request.shape = size.shape;
  if (gpu_milli_share_ > 0 && is_one_gpu(size.shape) && rng.chance(gpu_milli_share_))
    draw_part_of_gpu(rng, job.request.shape);

  double rank = burst.rank;
  if (burst_mean_ > 1) {  // A uniform step, reflected at 0 and 1, keeps each task's rank uniform.
    rank += kBurstSpread * (rng.uniform() - 0.5);
    rank = rank < 0 ? -rank : rank;
    rank = rank > 1 ? 2 - rank : rank;
  }
  const double duration_s = durations_[size.table].quantile(rank);

  double run_s = duration_s;
  job.truth.outcome = JobOutcome::kCompleted;
  if (failed_share_ > 0 && rng.chance(failed_share_)) {
    run_s = duration_s * (failed_early_ > 0 ? stable_pow(1 - rng.uniform(), failed_early_) : 1);
    job.truth.outcome = JobOutcome::kFailed;
  } else if (cancel_hazard_ > 0) {
    const double cancelled_at_s = rng.exponential(1 / cancel_hazard_);
    if (cancelled_at_s < duration_s) {
      run_s = cancelled_at_s;
      job.truth.outcome = JobOutcome::kCancelled;
    }
  }
  double limit_s = limit_.limit_s(burst.habit, duration_s);
  const bool may_share = burst.limit_s >= duration_s;
  if (burst.limit_s > 0 && may_share)
    limit_s = burst.limit_s;
  else
    burst.limit_s = std::max(burst.limit_s, limit_s);
  if (run_s > limit_s) {
    run_s = limit_s;
    job.truth.outcome = JobOutcome::kTimeout;
  }
  job.request.limit = seconds(static_cast<std::int64_t>(limit_s));
  job.truth.run_time = std::min(whole_seconds(run_s), job.request.limit);
  job.request.priority = priority_;
  job.request.checkpoint_interval = checkpoint_interval_;
  job.request.preemptible = preemptible_;
  job.request.power_permille = power_permille_;
  job.request.keep_on_failure = keep_on_failure_;
  const Shape& shape = job.request.shape;
  if (elastic_factor_ > 1 && shape.nodes > 0 && shape.gpus > 0 && !shape.is_grouped()) {
    const double most = std::min(elastic_factor_ * shape.nodes, static_cast<double>(kMostElasticNodes));
    job.request.nodes_min = shape.nodes;
    job.request.nodes_max = std::max(shape.nodes, static_cast<std::uint32_t>(most));
    job.truth.scaling_permille = scaling_permille_;
  }
  // Drawn only where it matters: other classes' jobs stay what they were.
  job.request.flexible = flexible_share_ >= 1 || (flexible_share_ > 0 && rng.chance(flexible_share_));
}

Instant ClassLaw::deadline_of(const JobRequest& request) const {
  return request.flexible ? request.submit + request.limit + slack_ : Instant{};
}

}  // namespace gw::workload
