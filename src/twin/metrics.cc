// MetricsCollector's calls during the run.
#include "twin/metrics.h"

#include <algorithm>

#include "base/check.h"

namespace gw::twin {
namespace {

constexpr Nanoseconds kSlowdownBound = seconds(10);  // Feitelson and Rudolph 1998; see docs/metrics.md.

/// max(1, response / max(work, 10 s)) - 1 in millionths: 0 for the many jobs that did not wait.
std::int64_t slowdown_above_one(Nanoseconds response, Nanoseconds work) {
  const double ratio =
      static_cast<double>(response.count()) / static_cast<double>(std::max(work, kSlowdownBound).count());
  return static_cast<std::int64_t>((std::max(ratio, 1.0) - 1.0) * 1e6 + 0.5);
}

}  // namespace

MetricsCollector::MetricsCollector(const TenantTree& tenants, Nanoseconds fair_share_window)
    : tenants_(&tenants), fair_share_(fair_share_window) {
  GW_CHECK(fair_share_window.count() > 0);
}

void MetricsCollector::learn_tenants() {
  for (std::uint32_t index = static_cast<std::uint32_t>(per_tenant_.size()); index < tenants_->size();
       ++index) {
    const TenantId id{index};
    const TenantId parent = (*tenants_)[id].parent;
    Tenant tenant;
    if (!parent.valid() || parent == TenantTree::root()) {
      tenant.top = fair_share_.add_tenant((*tenants_)[id].weight);
      tops_.push_back({id, QuantileSketch{1024, 6}});
    } else {
      tenant.top = per_tenant_[parent.value()].top;
    }
    per_tenant_.push_back(tenant);
  }
}

MetricsCollector::Group& MetricsCollector::job_class(std::uint8_t index) {
  if (index >= by_class_.size()) [[unlikely]]
    by_class_.resize(std::size_t{index} + 1);
  return by_class_[index];
}

void MetricsCollector::submitted(Instant now, const JobFacts& job) {
  if (!measuring_) [[unlikely]] {
    measuring_ = true;
    first_submit_ = last_end_ = integrated_until_ = idle_until_ = in_bin_begin_ = in_bin_end_ = now;
    series_.start(now);
  }
  ++jobs_.submitted;
  last_submit_ = now;
  series_.at(now)[kSubmitted] += 1;
  Tenant& owner = tenant(job.tenant);
  ++owner.submitted;
  fair_share_.change(now, owner.top, job.gpu_milli, 0);
}

void MetricsCollector::rejected(Instant now, const JobFacts& job, std::uint8_t reason) {
  ++jobs_.rejected;
  ++rejected_by_[reason];
  Tenant& owner = tenant(job.tenant);
  ++owner.rejected;
  fair_share_.change(now, owner.top, -job.gpu_milli, 0);
}

void MetricsCollector::withdrawn(Instant now, const JobFacts& job) {
  ++jobs_.withdrawn;
  fair_share_.change(now, tenant(job.tenant).top, -job.gpu_milli, 0);
}

void MetricsCollector::started(Instant now, const JobFacts& job, Instant submit, std::uint8_t reason) {
  GW_CHECK(now >= submit);
  ++jobs_.started;
  series_.at(now)[kStarted] += 1;
  const std::int64_t wait = (now - submit).count();
  wait_.add(wait);
  Group& size = by_size_[size_class_of(job.gpu_milli)];
  ++size.started;
  size.wait.add(wait);
  Group& kind = job_class(job.job_class);
  ++kind.started;
  kind.wait.add(wait);
  if (wait > 0) {
    ++reasons_[reason].jobs;
    reasons_[reason].wait_sum += wait;
  }
  Tenant& owner = tenant(job.tenant);
  ++owner.started;
  owner.wait_sum += wait;
  owner.wait_max = std::max(owner.wait_max, wait);
  tops_[owner.top].wait.add(wait);
  fair_share_.change(now, owner.top, -job.gpu_milli, job.gpu_milli);
}

void MetricsCollector::stopped(Instant now, const JobFacts& job, Nanoseconds lost) {
  GW_CHECK(lost.count() >= 0 && now - lost >= first_submit_);
  ++jobs_.restarts;
  lost_ += Int128{lost.count()} * job.gpu_milli;
  series_.integrate_channel(now - lost, now, kLost, job.gpu_milli);
  fair_share_.change(now, tenant(job.tenant).top, job.gpu_milli, -job.gpu_milli);
}

void MetricsCollector::preempted(const JobFacts& job) {
  ++jobs_.preemptions;
  jobs_.preempted_gpus += static_cast<double>(job.gpu_milli) / 1000;
}

void MetricsCollector::reloaded(Instant begin, Instant end, const JobFacts& job) {
  lost_ += Int128{(end - begin).count()} * job.gpu_milli;
  series_.integrate_channel(begin, end, kLost, job.gpu_milli);
}

void MetricsCollector::resumed(Instant now, const JobFacts& job) {
  fair_share_.change(now, tenant(job.tenant).top, -job.gpu_milli, job.gpu_milli);
}

void MetricsCollector::resized(Instant now, const JobFacts& before, std::int64_t gpu_milli) {
  fair_share_.change(now, tenant(before.tenant).top, gpu_milli - before.gpu_milli, 0);
}

void MetricsCollector::finished(const JobRecord& job) {
  GW_CHECK(job.end >= job.start && job.start >= job.submit && job.end >= last_end_);
  const Nanoseconds held = job.time_held();
  const Int128 gpu_time = Int128{held.count()} * job.gpu_milli;
  const std::int64_t slowdown = slowdown_above_one(job.end - job.submit, held - job.lost);
  last_end_ = job.end;
  ++jobs_.finished;
  ++outcomes_[static_cast<std::size_t>(job.outcome)];
  jobs_.restarted_jobs += job.restarts != 0;
  series_.at(job.end)[kFinished] += 1;
  slowdown_.add(slowdown);
  for (Group* group : {&by_size_[size_class_of(job.gpu_milli)], &job_class(job.job_class)}) {
    ++group->finished;
    group->gpu_time += gpu_time;
    group->slowdown.add(slowdown);
  }
  GW_CHECK(job.span < spans_.size());
  Span& span = spans_[job.span];
  ++span.jobs;
  span.gpu_time += gpu_time;
  if (job.nodes_used > 1) {
    ++span.gang_jobs;
    span.gang_gpu_time += gpu_time;
  }
  Tenant& owner = tenant(job.tenant);
  ++owner.finished;
  owner.gpu_time += gpu_time;
  owner.slowdown_sum += slowdown;
  fair_share_.change(job.end, owner.top, 0, -job.gpu_milli);
}

void MetricsCollector::node_failed(Instant now) {
  if (!measuring_) return;
  ++node_failures_;
  series_.at(now)[kNodeFailures] += 1;
}

void MetricsCollector::advance(Instant now, const ClusterSample& sample) {
  if (measuring_) {
    GW_CHECK(now >= integrated_until_);
    if (empty()) {
      const std::int64_t span = (now - idle_until_).count();
      idle_total_ += Int128{levels_[kTotal]} * span;
      idle_down_ += Int128{levels_[kDown]} * span;
      idle_until_ = now;
    } else if (now > integrated_until_) {
      integrate(now);
    }
  }
  const bool fragmented = sample.head_gpu_milli > 0 && sample.unusable_gpu_milli >= sample.head_gpu_milli;
  levels_ = {sample.total_gpu_milli,     sample.down_gpu_milli,
             sample.allocated_gpu_milli, sample.running_jobs,
             sample.pending_jobs,        sample.pending_gpu_milli,
             sample.unusable_gpu_milli,  fragmented ? sample.unusable_gpu_milli : 0};
  head_waits_ = sample.head_gpu_milli > 0;
  if (!empty() && measuring_ && integrated_until_ < idle_until_) end_idle_time();
  if (measuring_ && last_submit_ == now) {
    arrivals_existing_ = totals_[kTotal] + in_bin_[kTotal];
    arrivals_allocated_ = totals_[kAllocated] + in_bin_[kAllocated];
  }
}

/// The levels held since integrated_until_; something runs or waits.
void MetricsCollector::integrate(Instant until) {
  const std::int64_t span = (until - integrated_until_).count();
  for (const Channel level : {kRunning, kPending, kPendingGpus})  // A state that lasts no time is none.
    maxima_[level] = std::max(maxima_[level], levels_[level]);
  if (head_waits_) {
    head_wait_time_ += span;
    head_wait_existing_ += Int128{levels_[kTotal]} * span;
  }
  if (until <= in_bin_end_) [[likely]] {
    for (std::size_t level = 0; level < kLevels; ++level) in_bin_[level] += Int128{levels_[level]} * span;
  } else {
    flush_bin();
    for (std::size_t level = 0; level < kLevels; ++level) totals_[level] += Int128{levels_[level]} * span;
    series_.integrate(integrated_until_, until, levels_);
    in_bin_begin_ = until;
    in_bin_end_ = series_.end_of_bin(until);
  }
  integrated_until_ = idle_until_ = until;
}

/// Moves what was integrated inside one bin to the totals and the series.
void MetricsCollector::flush_bin() {
  auto& bin = series_.at(in_bin_begin_);
  for (std::size_t level = 0; level < kLevels; ++level) {
    totals_[level] += in_bin_[level];
    bin[level] += static_cast<double>(in_bin_[level]);
    in_bin_[level] = 0;
  }
  in_bin_begin_ = in_bin_end_ = integrated_until_;
}

/// Work has come: the time held back counts, at its mean levels.
void MetricsCollector::end_idle_time() {
  flush_bin();
  const std::int64_t span = (idle_until_ - integrated_until_).count();
  totals_[kTotal] += idle_total_;
  totals_[kDown] += idle_down_;
  Levels mean{};
  mean[kTotal] = static_cast<std::int64_t>(idle_total_ / span);
  mean[kDown] = static_cast<std::int64_t>(idle_down_ / span);
  series_.integrate(integrated_until_, idle_until_, mean);
  idle_total_ = idle_down_ = 0;
  integrated_until_ = in_bin_begin_ = in_bin_end_ = idle_until_;
}

}  // namespace gw::twin
