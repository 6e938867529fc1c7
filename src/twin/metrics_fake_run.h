// FakeRun: for tests of metrics and reports: random jobs on a pool of GPUs, started greedily, with failures.
//
// It is no scheduler: GPUs are a number, spans are drawn. It drives a MetricsCollector as the twin does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "base/math.h"
#include "base/rng.h"
#include "twin/metrics.h"

namespace gw::twin {

class FakeRun {
 public:
  struct Options {
    std::uint64_t seed = 1;
    std::uint32_t jobs = 1000;
    std::uint32_t nodes = 16;  ///< Of 8 GPUs.
    std::uint32_t organisations = 5;
    double load = 0.9;  ///< Offered GPU-time per GPU-time existing, about.
    bool failures = false;
  };
  struct Row {
    std::string id;
    JobRecord job;  ///< `job.id` views `id`.
  };

  explicit FakeRun(Options options) : options_(options) {
    for (std::uint32_t org = 1; org <= options_.organisations; ++org) {
      const TenantId id = tenants_.add(TenantTree::root(), "org-" + std::to_string(org), 1 + org % 4,
                                       org % 3 == 0 ? "research" : "manufacturer");
      for (const char* project : {"vision", "assembly, line 2", "digital \"twin\""})
        leaves_.push_back(tenants_.add(id, project));
    }
    draw_jobs();
  }

  [[nodiscard]] const TenantTree& tenants() const { return tenants_; }
  [[nodiscard]] std::int64_t gpu_milli() const { return std::int64_t{8000} * options_.nodes; }
  [[nodiscard]] RunLabels labels() const {
    return {.name = "fake run",
            .policy = "greedy",
            .fleet = "pool of " + std::to_string(options_.nodes * 8) + " GPUs",
            .seed = options_.seed,
            .job_classes = {"pre-training", "fine-tuning", "simulation", "notebook"},
            .fabric_levels = {"rack", "leaf", "spine", "site"},
            .wait_reasons = {"none", "capacity", "fragmentation", "reservation", "fair share"},
            .reject_reasons = {"larger than the fleet", "no such GPU type"}};
  }

  /// Plays all jobs; the rows come in order of their ends.
  std::vector<Row> play(MetricsCollector& metrics) {
    std::vector<Row> rows;
    free_ = gpu_milli();
    std::size_t next_job = 0;
    while (next_job < jobs_.size() || !events_.empty()) {
      const Instant arrival = next_job < jobs_.size() ? jobs_[next_job].record.submit : Instant::max();
      now_ = events_.empty() ? arrival : std::min(arrival, events_.begin()->first.first);
      while (!events_.empty() && events_.begin()->first.first == now_) {
        const Event event = events_.begin()->second;
        events_.erase(events_.begin());
        handle(event, metrics, rows);
      }
      for (; next_job < jobs_.size() && jobs_[next_job].record.submit == now_; ++next_job) {
        Job& job = jobs_[next_job];
        metrics.submitted(now_, job.facts());
        if (job.facts().gpu_milli > gpu_milli()) {
          metrics.rejected(now_, job.facts(), 0);
          continue;
        }
        queue_.push_back(next_job);
        pending_ += job.record.gpu_milli;
      }
      start_what_fits(metrics);
      metrics.advance(now_, sample());
    }
    return rows;
  }

 private:
  enum class Kind : std::uint8_t { kEnd, kFailure, kRepair };
  struct Event {
    Kind kind = Kind::kEnd;
    std::size_t job = 0;
  };
  struct Job {
    std::string id;
    JobRecord record;
    Nanoseconds work;  ///< Left.
    Instant attempt_start;
    [[nodiscard]] JobFacts facts() const { return {record.tenant, record.gpu_milli, record.job_class}; }
  };

  void draw_jobs() {
    Rng rng(options_.seed);
    const std::vector<double> size_weight = {6, 30, 14, 12, 22, 8, 5, 3};
    double gpu_seconds = 0;
    for (std::uint32_t index = 0; index < options_.jobs; ++index) {
      Job job;
      job.id = std::to_string(1000 + index);
      const std::size_t size = rng.weighted(size_weight);
      const std::int64_t gpus = std::int64_t{1} << (size == 0 ? 0 : size - 1);
      job.record.gpu_milli = size == 0 ? 250 : std::min(gpus * 1000 * (gpus >= 16 ? 2 : 1), gpu_milli() / 2);
      job.record.job_class = static_cast<std::uint8_t>(rng.below(4));
      job.record.tenant = leaves_[std::min(rng.below(leaves_.size()), rng.below(leaves_.size()))];
      job.work = seconds(1 + static_cast<std::int64_t>(rng.lognormal(7.5, 1.4)));
      job.record.limit = job.work * 2;
      job.record.nodes_used = static_cast<std::uint32_t>((job.record.gpu_milli + 7999) / 8000);
      job.record.shape.nodes = job.record.nodes_used;
      job.record.span = job.record.nodes_used == 1 ? 0 : static_cast<std::uint8_t>(1 + rng.below(4));
      job.record.outcome =
          rng.chance(0.8) ? JobOutcome::kCompleted : static_cast<JobOutcome>(1 + rng.below(3));
      gpu_seconds += to_seconds(job.work) * static_cast<double>(job.record.gpu_milli) / 1000;
      jobs_.push_back(std::move(job));
    }
    const double horizon_s = gpu_seconds / (options_.load * static_cast<double>(gpu_milli()) / 1000);
    double at = 0;
    for (Job& job : jobs_) {
      const double rhythm = 1.0 + 0.7 * stable_cos((at / 86400 - 0.6) * 6.283185307179586);
      at += rng.exponential(horizon_s / options_.jobs) / rhythm;
      job.record.submit = Instant{} + seconds(static_cast<std::int64_t>(at));
    }
    if (!options_.failures) return;
    for (double fail_at = 0; fail_at < at; fail_at += rng.exponential(at / 40))
      schedule(Instant{} + seconds(static_cast<std::int64_t>(fail_at)), {Kind::kFailure, 0});
  }

  void schedule(Instant due, Event event) { events_.emplace(std::pair{due, sequence_++}, event); }

  void handle(Event event, MetricsCollector& metrics, std::vector<Row>& rows) {
    if (event.kind == Kind::kRepair) {
      down_ -= 8000;
      free_ += 8000;
    } else if (event.kind == Kind::kFailure) {
      fail_something(metrics);
    } else {
      Job& job = jobs_[event.job];
      release(event.job);
      job.record.held += now_ - job.attempt_start;
      job.record.end = now_;
      rows.push_back({job.id, job.record});
      rows.back().job.id = rows.back().id;
      JobRecord record = job.record;
      record.id = job.id;
      metrics.finished(record);
    }
  }

  void fail_something(MetricsCollector& metrics) {
    for (auto it = events_.begin(); it != events_.end(); ++it) {  // The next to end that has a whole node.
      if (it->second.kind != Kind::kEnd || jobs_[it->second.job].record.gpu_milli < 8000) continue;
      const std::size_t index = it->second.job;
      Job& job = jobs_[index];
      const Nanoseconds held = now_ - job.attempt_start;
      const Nanoseconds lost = std::min(held, minutes(30));
      events_.erase(it);
      release(index);
      job.work = job.work - held + lost;
      job.record.held += held;
      job.record.lost += lost;
      ++job.record.restarts;
      metrics.node_failed(now_);
      metrics.stopped(now_, job.facts(), lost);
      queue_.push_front(index);
      pending_ += job.record.gpu_milli;
      free_ -= 8000;
      down_ += 8000;
      schedule(now_ + hours(2), {Kind::kRepair, 0});
      return;
    }
  }

  void release(std::size_t index) {
    free_ += jobs_[index].record.gpu_milli;
    --running_;
  }

  void start_what_fits(MetricsCollector& metrics) {
    const std::size_t depth = std::min<std::size_t>(queue_.size(), 50);
    for (std::size_t position = 0, tries = 0; tries < depth && position < queue_.size(); ++tries) {
      const std::size_t index = queue_[position];
      Job& job = jobs_[index];
      if (job.record.gpu_milli > free_) {
        job.record.reason = static_cast<std::uint8_t>(1 + (index + position) % 4);
        ++position;
        continue;
      }
      queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(position));
      pending_ -= job.record.gpu_milli;
      free_ -= job.record.gpu_milli;
      ++running_;
      job.attempt_start = now_;
      if (job.record.restarts == 0) {
        job.record.start = now_;
        metrics.started(now_, job.facts(), job.record.submit, job.record.reason);
      } else {
        metrics.resumed(now_, job.facts());
      }
      schedule(now_ + job.work, {Kind::kEnd, index});
    }
  }

  [[nodiscard]] ClusterSample sample() const {
    ClusterSample now{.total_gpu_milli = gpu_milli(),
                      .down_gpu_milli = down_,
                      .allocated_gpu_milli = gpu_milli() - down_ - free_,
                      .running_jobs = running_,
                      .pending_jobs = static_cast<std::int64_t>(queue_.size()),
                      .pending_gpu_milli = pending_};
    if (!queue_.empty()) {
      now.unusable_gpu_milli = free_;
      now.head_gpu_milli = jobs_[queue_.front()].record.gpu_milli;
    }
    return now;
  }

  Options options_;
  TenantTree tenants_;
  std::vector<TenantId> leaves_;
  std::vector<Job> jobs_;
  std::map<std::pair<Instant, std::uint64_t>, Event> events_;
  std::uint64_t sequence_ = 0;
  std::deque<std::size_t> queue_;
  Instant now_;
  std::int64_t free_ = 0, down_ = 0, running_ = 0, pending_ = 0;
};

}  // namespace gw::twin
