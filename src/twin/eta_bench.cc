// Questions, answers and what is learned between them.
#include "twin/eta_bench.h"

#include <algorithm>

#include "base/check.h"
#include "twin/point_estimate.h"

namespace gw::twin {

EtaBench::EtaBench(const Fleet& fleet, const PolicyConfig& policy, EtaBenchOptions options)
    : fleet_(fleet), policy_(policy), options_(std::move(options)) {}

Result<void> EtaBench::append_events(Instant now, const std::vector<sched::Event>& events) {
  arrived_.clear();
  asked_.clear();
  calibration_.advance(now);
  for (const sched::Event& event : events) {
    if (event.kind == sched::EventKind::kJobSubmitted) {
      Known& job = jobs_.add(event.job);
      job.request = event.request;
      arrivals_.observe(now, event.request);
      arrived_.push_back(event.job);
      ++counts_.submitted;
      ++waiting_now_;
    } else if (event.kind == sched::EventKind::kJobEnded) {
      const Known& job = jobs_[event.job];
      if (!job.interrupted)
        run_times_.observe(kind_of(job.request),
                           std::max(work_in(job.request, now - job.started), Nanoseconds{1}));
      jobs_.remove(event.job);
    }
  }
  return {};
}

Result<void> EtaBench::append_plan(Instant now, const sched::Plan& plan) {
  for (const JobId id : plan.interrupted) {
    Known& job = jobs_[id];
    job.running = false;
    job.interrupted = true;
    ++waiting_now_;
  }
  for (const sched::Plan::Rejection& rejection : plan.rejections) {
    jobs_.remove(rejection.job);
    ++counts_.rejected;
    --waiting_now_;
  }
  for (const sched::Plan::Start& start : plan.starts) {
    Known& job = jobs_[start.job];
    job.running = true;
    --waiting_now_;
    if (job.interrupted) continue;
    job.started = now;
    if (job.sample == kNone) continue;
    samples_[job.sample].started = now;
    calibration_.started(start.job, now);
  }
  for (const JobId id : arrived_) {
    const Known* job = jobs_.find(id);
    if (job == nullptr) continue;
    if (job->running) {
      ++counts_.at_once;
    } else if (wanted(now)) {
      asked_.push_back(id);
    }
  }
  arrived_.clear();
  return {};
}

bool EtaBench::wanted(Instant now) {
  const std::uint64_t index = counts_.waiting++;
  if (options_.every > Nanoseconds{0}) {
    if (now < next_due_) return false;
    next_due_ = now + options_.every;
    return true;
  }
  if (options_.samples == 0 || options_.waiting == 0) return false;
  return options_.samples >= options_.waiting ||
         (index + 1) * options_.samples / options_.waiting > index * options_.samples / options_.waiting;
}

Result<void> EtaBench::append_snapshot(Instant now, std::string_view snapshot) {
  ForecastOptions options = options_.forecast;
  options.jobs = asked_;
  const double begun = options_.wall_s ? options_.wall_s() : 0;
  const Result<Forecast> forecast =
      forecast_starts({fleet_, policy_, snapshot, now, run_times_, &arrivals_}, options);
  if (!forecast) return std::unexpected(forecast.error());
  const double cost = options_.wall_s ? options_.wall_s() - begun : 0;
  const Result<std::vector<PointEstimate>> estimates =
      estimate_by_limits(fleet_, policy_, snapshot, now, asked_);
  if (!estimates) return std::unexpected(estimates.error());
  counts_.events += forecast->events();
  for (const StartForecast& raw : forecast->jobs()) {
    Known& job = jobs_[raw.job];
    job.sample = static_cast<std::uint32_t>(samples_.size());
    EtaSample& sample = samples_.emplace_back();
    sample.job = raw.job;
    sample.kind = kind_of(job.request);
    sample.asked = now;
    sample.waiting = waiting_now_;
    sample.raw = raw;
    sample.told = calibration_.corrected(raw, now);
    const auto by_limits = std::find_if(estimates->begin(), estimates->end(),
                                        [&](const PointEstimate& each) { return each.job == raw.job; });
    sample.by_limits = by_limits == estimates->end() ? Instant::max() : by_limits->start;
    calibration_.made(raw, sample.told, now);
  }
  if (options_.on_answers) options_.on_answers(cost, forecast->jobs().size(), now);
  asked_.clear();
  return {};
}

}  // namespace gw::twin
