// Paces from the table of speeds, shares from the links, and the accounts of what was lost to which.
#include "twin/pacer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace gw::twin {

namespace {

constexpr std::uint32_t kWhole = 1000;
constexpr double kNsPerHour = 3.6e12;

/// How many of a job's GPUs below a link send across it: of rings and pipelines those of the domain at the
/// edge (two of them where stages and replicas both cross), of all-to-all each with the part that goes out.
double ring_gpus(const physics::Work& work, const physics::WorkPlan& plan, const Lie& lie,
                 const CrossedLink& crossed) {
  const bool stages = work.profile.kind == WorkKind::kTraining && plan.layout.pipeline > 1;
  return std::min<double>(crossed.gpus, double{1} * lie.per_domain * (stages ? 2 : 1));
}

double exchange_gpus(const Lie& lie, const CrossedLink& crossed) {
  const double beyond = std::max(1.0, double{1} * lie.gpus - lie.per_domain);
  return crossed.gpus * std::min(1.0, (double{1} * lie.gpus - crossed.gpus) / beyond);
}

}  // namespace

Nanoseconds run_time_at(double work, double pace) {
  GW_CHECK(pace > 0);
  constexpr double kExact = 4e18;  // Below kLongestSpan, and representable.
  const double time = std::ceil(std::max(0.0, work) / pace);
  return time < kExact ? Nanoseconds{static_cast<std::int64_t>(time)} : kLongestSpan;
}

Pacer::Pacer(const Fleet& fleet, const PhysicsSetup& setup)
    : fabric_(fleet),
      setup_(setup),
      table_(setup_, fabric_),
      links_(fabric_.capacities()),
      sums_(setup.classes.size()) {}

Result<void> Pacer::start(const Attempt& attempt, const sched::Placement& placement,
                          const sched::Pool& pool) {
  const Lie lie = fabric_.lie_of(placement, pool);
  const std::uint8_t job_class = attempt.job_class;
  const std::uint32_t type = attempt.gpu_type;
  const Result<double> reference = table_.reference(job_class, attempt.gpu_types, attempt.least_gpus);
  const Result<double> best = table_.best(job_class, type, lie.gpus);
  for (const Result<double>* each : {&reference, &best}) {
    if (!*each)
      return fail(fmt::format(
          "class \"{}\" on {} GPUs of the type {}: {}; change its `work`, `sizes` or `gpu_types`",
          setup_.class_names[job_class], lie.gpus, setup_.gpus[type].name, each->error().message));
  }
  const physics::WorkPlan& plan = **table_.plan(job_class, type, lie.gpus);
  const physics::Work& work = table_.work(job_class);

  Paced& job = jobs_.add(attempt.job);
  job.job_class = job_class;
  job.gpu_type = type;
  job.gpus = lie.gpus;
  job.per_domain = lie.per_domain;
  job.reference = *reference;
  job.best = *best / *reference;
  // What the narrowest link carries of it while it has that for itself.
  const double port = table_.network_bytes_s(type);
  const physics::WorkSpeed& free = table_.speed(job_class, type, lie.gpus, lie.per_domain, kWhole, kWhole);
  double carried = 1;
  for (const CrossedLink& link : lie.links) {
    double sending = free.ring_bytes_s > 0 ? ring_gpus(work, plan, lie, link) : 0;
    if (free.exchange_bytes_s > 0) sending = std::max(sending, exchange_gpus(lie, link));
    if (sending > 0) carried = std::min(carried, fabric_.capacities()[link.link] / (port * sending));
  }
  job.alone_share = std::max<std::uint32_t>(1, static_cast<std::uint32_t>(carried * kWhole));
  const physics::WorkSpeed& placed =
      table_.speed(job_class, type, lie.gpus, lie.per_domain, job.alone_share, kWhole);
  job.placed = placed.units_s / job.reference;
  job.clocked = job.placed;
  job.work = job.left = static_cast<double>(std::max(attempt.work, Nanoseconds{0}).count());
  job.since = attempt.works_from;
  if (attempt.first) ++sums_[job_class].jobs;

  std::vector<physics::LinkUse> uses;
  for (const CrossedLink& link : lie.links) {
    const double load = placed.ring_bytes_s * ring_gpus(work, plan, lie, link) +
                        placed.exchange_bytes_s * exchange_gpus(lie, link);
    if (load > 0) uses.push_back({link.link, load});
  }
  links_.add(attempt.job, std::move(uses));
  return {};
}

void Pacer::advance(Paced& job, Instant now) {
  if (now <= job.since) return;  // It restarts.
  const auto time = static_cast<double>((now - job.since).count());
  const double gpu_ns = time * job.gpus;
  job.left = std::max(0.0, job.left - time * job.pace());
  job.since = now;
  Sums& sums = sums_[job.job_class];
  sums.gpu_ns += gpu_ns;
  sums.span += gpu_ns * (job.best - job.placed) / job.best;
  sums.caps += gpu_ns * (job.placed - job.clocked) / job.best;
  sums.contention += gpu_ns * (job.clocked - job.pace()) / job.best;
}

void Pacer::set_clock(JobId id, std::uint32_t permille, Instant now) {
  Paced& job = jobs_[id];
  advance(job, now);
  job.clock = permille;
  job.clocked =
      table_.speed(job.job_class, job.gpu_type, job.gpus, job.per_domain, job.alone_share, permille).units_s /
      job.reference;
}

void Pacer::stop(JobId id, Instant now) {
  Paced* job = jobs_.find(id);
  if (job == nullptr) return;
  advance(*job, now);
  links_.remove(id);
  jobs_.remove(id);
}

const std::vector<JobId>& Pacer::settle(Instant now) {
  moved_.clear();
  for (const LinkShares::Change& change : links_.settle()) {
    Paced& job = jobs_[change.job];
    advance(job, now);
    job.share = change.share;
    moved_.push_back(change.job);
  }
  return moved_;
}

Instant Pacer::end(JobId id) const {
  const Paced& job = jobs_[id];
  return job.since + std::min(run_time_at(job.left, job.pace()), kLongestSpan - (job.since - Instant{}));
}

Nanoseconds Pacer::done(JobId id, Instant now) const {
  const Paced& job = jobs_[id];
  const double time = now > job.since ? static_cast<double>((now - job.since).count()) : 0;
  const double left = std::max(0.0, job.left - time * job.pace());
  return Nanoseconds{static_cast<std::int64_t>(job.work - left)};
}

PhysicsSummary Pacer::summary() const {
  PhysicsSummary summary;
  summary.used = true;
  summary.all.name = "all";
  Sums all;
  const auto fill = [](const Sums& from, PhysicsSummary::Class& into) {
    into.jobs = from.jobs;
    into.gpu_hours = from.gpu_ns / kNsPerHour;
    into.lost_span = from.span / kNsPerHour;
    into.lost_contention = from.contention / kNsPerHour;
    into.lost_caps = from.caps / kNsPerHour;
    const double lost = from.span + from.contention + from.caps;
    into.speed = from.gpu_ns > 0 ? 1 - lost / from.gpu_ns : 0;
  };
  for (std::size_t index = 0; index < sums_.size(); ++index) {
    const Sums& sums = sums_[index];
    if (sums.jobs == 0) continue;
    PhysicsSummary::Class& each = summary.classes.emplace_back();
    each.name = setup_.class_names[index];
    fill(sums, each);
    all.jobs += sums.jobs;
    all.gpu_ns += sums.gpu_ns;
    all.span += sums.span;
    all.contention += sums.contention;
    all.caps += sums.caps;
  }
  fill(all, summary.all);
  return summary;
}

}  // namespace gw::twin
