// The simulated event queue and engine, and the run around them.
#include "twin/twin.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "base/check.h"
#include "base/id_table.h"
#include "runtime/loop.h"
#include "twin/budgets.h"
#include "twin/faults.h"
#include "twin/pacer.h"
#include "twin/power_meter.h"
#include "twin/reservations.h"

namespace gw::twin {
namespace {

constexpr std::uint32_t kFullSpeed = 1000;
constexpr std::uint32_t kMostRestarts = 1000;  // A job that fails this often is given up.

/// What the simulation knows about a job in the system.
struct SimJob {
  JobId id;
  std::string name;
  JobRequest request;
  JobTruth truth;
  std::uint8_t job_class = 0;
  std::uint8_t work_class = PhysicsSetup::kNoClass;  ///< In TwinOptions::physics.
  std::uint8_t span = 0;
  std::uint8_t reason = 0;
  std::uint32_t nodes = 0;
  std::uint32_t restarts = 0;
  std::uint32_t failures = 0;  ///< Restarts that a node's failure caused.
  std::uint32_t attempt = 0;
  bool leaving = false;
  bool resizing = false;  ///< It leaves to come back with another number of nodes.
  bool paced = false;     ///< Physics says how fast it works.
  Instant told;           ///< To leave.
  Nanoseconds told_work;  ///< Of a paced job: what it had done by then.
  bool running = false;
  bool gave_up = false;
  std::uint32_t ends = 0;      ///< Entries of its end that the queue was given; only the last one counts.
  std::uint32_t speed = 1000;  ///< Thousandths.
  std::uint32_t width =
      1000;  ///< Work in a time at full speed, against that on an elastic job's least nodes.
  std::uint32_t gpu_type = NodeType::kNoGpu;
  Instant end;     ///< As foreseen.
  Instant queued;  ///< When that entry comes up: not after the end.
  Instant speed_since;
  Nanoseconds slowed;  ///< Of this attempt, without work for slow clocks.
  Instant first_start;
  Instant start;      ///< Of this attempt.
  Nanoseconds saved;  ///< Work that a checkpoint keeps; as time on an elastic job's least nodes.
  Nanoseconds held;
  Nanoseconds lost;
  sched::Placement placement;  ///< Kept only where nodes are reserved.

  [[nodiscard]] JobFacts facts() const {
    return {request.tenant, request.shape.total_gpu_milli(), job_class};
  }
};

/// Simulated time comes at once.
class SimulatedClock final : public runtime::Clock {
 public:
  bool wait_until(Instant /*due*/) override { return true; }
};

class Simulation final : public runtime::EventQueue, public runtime::Engine {
 public:
  Simulation(const Fleet& fleet, workload::JobStream& stream, const TwinOptions& options,
             const sched::Core& core)
      : fleet_(fleet),
        stream_(stream),
        options_(options),
        metrics_(stream.tenants()),
        budgets_(stream.tenants()),
        reservations_(options.reservations, core),
        faults_(options.faults, fleet, Rng(options.seed).split("faults")),
        cap_steps_(cap_steps(fleet, options.power)),
        power_(fleet, options.power) {
    if (options.physics != nullptr) pacer_.emplace(fleet, *options.physics);
  }

  Result<std::optional<Instant>> next_due() override {
    if (failure_) return std::unexpected(*failure_);
    if (!next_job_ready_ && !stream_done_) {
      if (Result<void> read = read_next(); !read) return std::unexpected(read.error());
    }
    Instant due = Instant::max();
    if (next_end_holds()) due = ends_.front().when;
    if (next_job_ready_) due = std::min(due, next_job_.request.submit);
    // Without jobs that run or come, only a repair can let a waiting job start.
    if (due == Instant::max() && jobs_.size() > 0) {
      due = std::min({faults_.next_repair(), next_cap_step(), reservations_.next_due()});
      if (budgets_.any_spent()) due = std::min(due, budgets_.next_due());
    }
    if (due == Instant::max()) return std::optional<Instant>{};
    due = std::min({due, faults_.next_due(), budgets_.next_due(), next_cap_step(), reservations_.next_due()});
    due = std::max(due, now_);  // While nothing ran and none came the core has gone on by itself.
    if (due > sched::kLastInstant)
      return fail("the simulated time passes 146 years; check the jobs' run times");
    return std::optional<Instant>{due};
  }

  void take(Instant due, std::vector<sched::Event>& events) override {
    tell_prices(events);
    if (reservations_.next_due() <= due) {  // Alone: what comes with it comes in the next batch.
      tell_tenants(events, due);
      if (std::optional<sched::Event> made = reservations_.take(due)) events.push_back(std::move(*made));
      return;
    }
    while (next_end_holds() && ends_.front().when == due) {
      const End end = ends_.front();
      pop_end();
      if (end.leaves) {
        events.push_back(sched::Event::job_requeued(end.job));
        leave(jobs_[end.job], due);
        continue;
      }
      events.push_back(sched::Event::job_ended(end.job));
      finish(end.job, due);
    }
    if (budgets_.next_due() <= due) budgets_.take(due, events);
    while (faults_.next_due() <= due) {
      const FaultProcess::Change change = faults_.take();
      if (!change.node.valid()) continue;
      if (!change.up) metrics_.node_failed(due);
      events.push_back(change.up ? sched::Event::node_up(change.node) : sched::Event::node_down(change.node));
    }
    for (; next_cap_step() <= due; ++next_step_) {
      const CapStep& step = cap_steps_[next_step_];
      events.push_back(sched::Event::feed_cap(step.level, step.vertex, step.cap));
      ++cap_changes_;
    }
    while (next_job_ready_ && next_job_.request.submit == due) {
      submit(events, due);
      if (Result<void> read = read_next(); !read) failure_ = read.error();
    }
  }

  void execute(const sched::Plan& plan, const sched::Core& core, Instant now) override {
    now_ = now;
    if (!rulings_.empty()) tell_rulings(plan);
    for (const JobId id : plan.interrupted) interrupt(jobs_[id], now);
    for (const JobId id : plan.stopped) stop(jobs_[id], saved_by(jobs_[id], now), now);
    stopped_ += plan.stopped.size();
    for (const sched::Plan::Clock& clock : plan.clocks) set_clock(jobs_[clock.job], clock.permille, now);
    std::set<JobId> replaced;  // One may have lost several nodes.
    for (const sched::Plan::Replacement& each : plan.replacements) {
      if (replaced.insert(each.job).second) metrics_.replaced();
    }
    for (const sched::Plan::Rejection& rejection : plan.rejections) {
      metrics_.rejected(now, jobs_[rejection.job].facts(), static_cast<std::uint8_t>(rejection.reason));
      jobs_.remove(rejection.job);
    }
    for (const sched::Plan::Preemption& preemption : plan.preemptions) tell(jobs_[preemption.job], now);
    for (const sched::Plan::Resize& resize : plan.resizes) {
      jobs_[resize.job].resizing = true;
      resize.grows ? metrics_.grown() : metrics_.shrunk();
    }
    for (const sched::Plan::Start& start : plan.starts) {
      // Whatever the core did: a rule is never broken.
      GW_CHECK(
          allowed_zone(jobs_[start.job].request.shape, core.state().pools[start.placement.pool]->zone()));
      jobs_[start.job].gpu_type = core.state().pools[start.placement.pool]->gpu_type();
      begin(jobs_[start.job], start.placement, static_cast<std::uint8_t>(core.job(start.job)->reason), now,
            *core.state().pools[start.placement.pool]);
    }
    if (pacer_) repace(now);
    measure(core, now);
    const bool ordered = !plan.stopped.empty() || !plan.clocks.empty();
    power_.advance(now, core.state().power, ordered);
    clock_orders_ += plan.clocks.size();
  }

  [[nodiscard]] RunSummary summary() {
    RunSummary summary = metrics_.summarize(run_labels(fleet_, stream_, options_));
    summary.power = power_.summarize(last_end_);
    summary.power.cap_changes = cap_changes_;
    summary.power.clock_orders = clock_orders_;
    summary.power.stopped_jobs = stopped_;
    summary.energy = power_.energy(last_end_);
    summary.energy.flexible_jobs = energy_.flexible_jobs;
    summary.energy.shifted_jobs = energy_.shifted_jobs;
    summary.energy.shifted_hours = energy_.shifted_hours;
    summary.energy.late_jobs = energy_.late_jobs;
    if (pacer_) summary.physics = pacer_->summary();
    summary.reservations = reservations_.summary(stream_.tenants(), last_end_);
    return summary;
  }

 private:
  struct End {
    Instant when;
    JobId job;
    std::uint32_t attempt;
    bool leaves = false;       ///< It is preempted then, unless it has ended.
    std::uint32_t number = 0;  ///< SimJob::ends; of no meaning where it leaves.
    bool operator>(const End& other) const {
      if (when != other.when) return when > other.when;
      return job != other.job ? job > other.job : leaves && !other.leaves;
    }
  };

  Result<void> read_next() {
    next_job_ready_ = false;
    if (stream_done_) return {};
    Result<bool> more = stream_.next(next_job_);
    if (!more) return std::unexpected(more.error());
    if (!*more || next_job_.request.submit >= options_.until) {
      stream_done_ = true;
      return {};
    }
    next_job_ready_ = true;
    return {};
  }

  /// The fleet's GPU types that the stream's mask names; a bit without a type where it has none of them.
  std::uint64_t fleet_types(std::uint64_t mask) {
    if (mask == 0 || fleet_.gpu_types.empty()) return 0;
    const std::vector<std::string>& names = stream_.gpu_types();
    while (type_map_.size() < names.size()) {
      const std::string& name = names[type_map_.size()];
      std::uint64_t bits = 0;
      for (std::size_t type = 0; type < fleet_.gpu_types.size(); ++type) {
        if (fleet_.gpu_types[type].name == name) bits |= std::uint64_t{1} << type;
      }
      type_map_.push_back(bits);
    }
    std::uint64_t bits = 0;
    for (std::size_t name = 0; name < type_map_.size() && name < 64; ++name) {
      if ((mask >> name) & 1U) bits |= type_map_[name];
    }
    return bits != 0 ? bits : std::uint64_t{1} << 63;
  }

  /// Once, before anything else.
  void tell_prices(std::vector<sched::Event>& events) {
    if (prices_told_ || !options_.power.shift) return;
    prices_told_ = true;
    for (const SiteEnergy& site : options_.power.energy) {
      const auto steps = [&](const EnergyCurve& curve) {
        return curve.expand(Nanoseconds{0}, options_.power.energy_until);
      };
      events.push_back(sched::Event::feed_price(
          site.level, site.vertex,
          priced_curve(steps(site.price), steps(site.carbon), options_.power.euros_per_tonne)));
    }
  }

  void tell_tenants(std::vector<sched::Event>& events, Instant now) {
    const TenantTree& tenants = stream_.tenants();
    for (; known_tenants_ < tenants.size(); ++known_tenants_) {
      const Tenant& tenant = tenants[TenantId{known_tenants_}];
      events.push_back(sched::Event::tenant_added(tenant.parent, tenant.weight));
      for (const auto& [resource, terms] : tenant.quota)
        events.push_back(sched::Event::tenant_quota(TenantId{known_tenants_}, resource, terms));
      budgets_.add(TenantId{known_tenants_}, now);
    }
  }

  void submit(std::vector<sched::Event>& events, Instant now) {
    tell_tenants(events, now);
    const JobId id{submitted_++};
    SimJob& job = jobs_.add(id);
    job.name = next_job_.id;
    job.request = next_job_.request;
    job.request.shape.gpu_types = fleet_types(next_job_.request.shape.gpu_types);
    job.truth = next_job_.truth;
    job.job_class = next_job_.job_class;
    if (options_.law != nullptr) judge(job, now);
    metrics_.submitted(now, job.facts());
    events.push_back(sched::Event::job_submitted(id, job.request));
  }

  /// Where the job may be, by the law in force now.
  void judge(SimJob& job, Instant now) {
    std::optional<Day> day;
    if (options_.date) {
      day = *options_.date + static_cast<Day>((now - Instant{}).count() / days(1).count());
      if (!law_until_ || *day >= *law_until_) {
        decisions_.clear();
        law_until_ = options_.law->next_change(*day).value_or(std::numeric_limits<Day>::max());
      }
    }
    std::shared_ptr<const LawDecision>& known = decisions_[{job.request.tenant, job.job_class}];
    if (known == nullptr || options_.on_ruling) {
      const LegalWishes facts =
          job.job_class < options_.class_facts.size() ? options_.class_facts[job.job_class] : LegalWishes{};
      TenantFacts of_tenant = tenant_facts(stream_.tenants(), job.request.tenant);
      if (known == nullptr)
        known = std::make_shared<const LawDecision>(decide(*options_.law, fleet_, of_tenant, facts, day));
      if (options_.on_ruling)
        rulings_.push_back({now, job.id, job.name, std::move(of_tenant), facts, known, day, {}});
    }
    job.request.shape.zones = known->mask;
  }

  void tell_rulings(const sched::Plan& plan) {
    for (Ruling& ruling : rulings_) {
      for (const sched::Plan::Rejection& rejection : plan.rejections) {
        if (rejection.job == ruling.job) ruling.refused = rejection.reason;
      }
      if (Result<void> kept = options_.on_ruling(ruling); !kept) failure_ = kept.error();
    }
    rulings_.clear();
  }

  void begin(SimJob& job, const sched::Placement& placement, std::uint8_t reason, Instant now,
             const sched::Pool& pool) {
    job.running = true;
    job.start = now;
    job.span = placement.span;
    if (reservations_.in_use()) job.placement = placement;
    job.nodes = 0;
    for (const sched::Piece& piece : placement.pieces) job.nodes += piece.count;
    job.resizing = false;
    if (job.request.is_elastic()) set_nodes(job, now);
    if (pacer_) job.work_class = work_class_of(job.job_class);
    job.paced =
        pacer_ && job.gpu_type != NodeType::kNoGpu && pacer_->paces(job.work_class, job.request.shape);
    if (job.paced) pace(job, placement, pool, now);
    Nanoseconds span = time_for(job, job.truth.run_time - job.saved);
    if (job.attempt == 0) {
      job.first_start = now;
      job.reason = now > job.request.submit ? reason : std::uint8_t{0};
      metrics_.started(now, job.facts(), job.request.submit, job.reason);
      if (job.request.flexible) ++energy_.flexible_jobs;
      if (job.reason == static_cast<std::uint8_t>(sched::Reason::kCheaperLater)) {
        ++energy_.shifted_jobs;
        energy_.shifted_hours += to_seconds(now - job.request.submit) / 3600;
      }
    } else {
      span += options_.faults.restart_time;
      metrics_.resumed(now, job.facts());
    }
    ++job.attempt;
    budgets_.started(job.request.tenant, job.request.shape.total_gpu_milli(), now);
    job.speed = kFullSpeed;
    job.speed_since = now;
    job.slowed = Nanoseconds{0};
    foresee_end(job, job.paced ? pacer_->end(job.id) : now + std::min(span, kLongestSpan), true);
  }

  void pace(SimJob& job, const sched::Placement& placement, const sched::Pool& pool, Instant now) {
    const Shape& shape = job.request.shape;
    const std::uint32_t least = job.request.is_elastic() ? job.request.nodes_min : std::max(1U, shape.nodes);
    const Result<void> started = pacer_->start({.job = job.id,
                                                .job_class = job.work_class,
                                                .gpu_types = shape.gpu_types,
                                                .least_gpus = least * shape.gpus,
                                                .gpu_type = job.gpu_type,
                                                .works_from = now + overhead_of(job),
                                                .work = job.truth.run_time - job.saved,
                                                .first = job.attempt == 0},
                                               placement, pool);
    if (started) return;
    job.paced = false;  // The run ends before this is of any effect.
    if (!failure_) failure_ = started.error();
  }

  /// Streams may name further classes while they are read.
  std::uint8_t work_class_of(std::uint8_t job_class) {
    const std::vector<std::string>& names = stream_.classes();
    while (work_classes_.size() < names.size())
      work_classes_.push_back(options_.physics->find(names[work_classes_.size()]));
    return job_class < work_classes_.size() ? work_classes_[job_class] : PhysicsSetup::kNoClass;
  }

  /// Until the attempt that is about to start works.
  [[nodiscard]] Nanoseconds overhead_of(const SimJob& job) const {
    return job.attempt == 0 ? Nanoseconds{0} : options_.faults.restart_time;
  }

  /// Those whose links carry more or less of them now, end sooner or later.
  void repace(Instant now) {
    for (const JobId id : pacer_->settle(now)) foresee_end(jobs_[id], pacer_->end(id));
  }

  /// What it held and lost before counts as time on as many nodes as it has now.
  void set_nodes(SimJob& job, Instant now) {
    const std::uint32_t before = job.request.shape.nodes;
    const JobFacts facts = job.facts();
    job.request.shape.nodes = job.nodes;
    const std::uint32_t least = job.request.nodes_min;
    job.width = static_cast<std::uint32_t>(std::uint64_t{1000} + std::uint64_t{job.truth.scaling_permille} *
                                                                     (job.nodes - least) / least);
    if (before == job.nodes) return;
    metrics_.resized(now, facts, job.facts().gpu_milli);
    for (Nanoseconds* span : {&job.held, &job.lost})
      *span = Nanoseconds{static_cast<std::int64_t>(Int128{span->count()} * before / job.nodes)};
  }

  /// How long it takes for so much work at full clocks, and how much it does in a time.
  static Nanoseconds time_for(const SimJob& job, Nanoseconds work) {
    if (job.width == kFullSpeed) return work;
    const Int128 scaled = (Int128{work.count()} * kFullSpeed + job.width - 1) / job.width;
    return Nanoseconds{static_cast<std::int64_t>(scaled)};
  }
  static Nanoseconds work_in(const SimJob& job, Nanoseconds time) {
    if (job.width == kFullSpeed) return time;
    return Nanoseconds{static_cast<std::int64_t>(Int128{time.count()} * job.width / kFullSpeed)};
  }

  void push_end(const End& end) {
    ends_.push_back(end);
    std::push_heap(ends_.begin(), ends_.end(), std::greater<>());
  }
  void pop_end() {
    std::pop_heap(ends_.begin(), ends_.end(), std::greater<>());
    ends_.pop_back();
  }

  /// Whether there is one. What was interrupted or has moved is put right before time gets there, so that no
  /// plan is made for an instant at which nothing happens.
  bool next_end_holds() {
    while (!ends_.empty()) {
      const End& next = ends_.front();
      SimJob* const job = jobs_.find(next.job);
      const bool counts = job != nullptr && job->running && job->attempt == next.attempt &&
                          (next.leaves || job->ends == next.number);
      if (counts && (next.leaves || job->end == next.when)) return true;
      pop_end();
      if (counts) queue_end(*job);
    }
    return false;
  }

  /// It is told to go: one that keeps checkpoints writes another, any other ends at once.
  void tell(SimJob& job, Instant now) {
    constexpr Nanoseconds kCheckpointWrite = seconds(30);
    const bool saves = job.request.checkpoint_interval > Nanoseconds{0};
    job.leaving = true;
    job.told = now;
    if (job.paced) job.told_work = worked(job, now);
    push_end({now + (saves ? std::min(options_.policy.grace, kCheckpointWrite) : Nanoseconds{0}), job.id,
              job.attempt, true});
  }

  /// How much work it has done by `now`, in this attempt and in those before as far as it was saved.
  [[nodiscard]] Nanoseconds worked(const SimJob& job, Instant now) const {
    if (job.paced) return job.saved + pacer_->done(job.id, now);
    return job.saved + work_in(job, std::max(working_time(job, now) - slow_time(job, now), Nanoseconds{0}));
  }

  /// The attempt is over; `kept` of its work is saved. What it spent beyond that is lost, reloading too.
  void stop(SimJob& job, Nanoseconds kept, Instant now) {
    const Nanoseconds spent = now - job.start;
    const Nanoseconds useful = job.paced ? paced_time(job, kept, now) : time_for(job, kept - job.saved);
    const Nanoseconds lost = spent - std::min(spent, useful);
    if (job.paced) pacer_->stop(job.id, now);
    job.paced = false;
    job.saved = kept;
    job.held += spent;
    job.lost += lost;
    left(job, now);
    job.running = job.leaving = false;
    ++job.restarts;
    budgets_.stopped(job.request.tenant, job.request.shape.total_gpu_milli(), now);
    metrics_.stopped(now, job.facts(), lost);
  }

  /// Of the time in which a paced job worked, the part that did what it keeps.
  [[nodiscard]] Nanoseconds paced_time(const SimJob& job, Nanoseconds kept, Instant now) const {
    const Nanoseconds done = worked(job, now) - job.saved;
    if (done <= Nanoseconds{0}) return Nanoseconds{0};
    return Nanoseconds{static_cast<std::int64_t>(Int128{working_time(job, now).count()} *
                                                 std::min(kept - job.saved, done).count() / done.count())};
  }

  /// Since its restart, in this attempt.
  [[nodiscard]] Nanoseconds working_time(const SimJob& job, Instant now) const {
    const Nanoseconds spent = now - job.start;
    return job.attempt > 1 ? spent - std::min(spent, options_.faults.restart_time) : spent;
  }

  /// It is off its nodes.
  void left(const SimJob& job, Instant now) {
    last_end_ = now;
    if (reservations_.in_use())
      reservations_.used(job.placement, job.request.shape.total_gpu_milli(), job.start, now);
  }

  void leave(SimJob& job, Instant now) {
    const bool saves = job.request.checkpoint_interval > Nanoseconds{0};
    const JobFacts facts = job.facts();
    const Nanoseconds kept = job.paced ? job.told_work : worked(job, job.told);
    stop(job, saves ? kept : Nanoseconds{0}, now);
    if (!job.resizing) metrics_.preempted(facts);
  }

  /// One that moves away keeps its entry until this comes up: links that are full move most of them often.
  void foresee_end(SimJob& job, Instant end, bool is_new = false) {
    job.end = end;
    if (is_new || end < job.queued) queue_end(job);
  }
  void queue_end(SimJob& job) {
    job.queued = job.end;
    push_end({job.end, job.id, job.attempt, false, ++job.ends});
  }

  /// What is left of the job takes longer, or less long again.
  void set_clock(SimJob& job, std::uint32_t permille, Instant now) {
    if (job.gpu_type == NodeType::kNoGpu) return;
    const std::uint32_t speed = fleet_.gpu_types[job.gpu_type].speed_permille(permille);
    if (job.paced) {
      pacer_->set_clock(job.id, speed, now);
      return foresee_end(job, pacer_->end(job.id));
    }
    job.slowed = slow_time(job, now);
    job.speed_since = now;
    const Int128 left = Int128{(job.end - now).count()} * job.speed + (speed - 1);
    const Int128 stretched = std::min<Int128>(left / speed, kLongestSpan.count());
    job.speed = speed;
    foresee_end(job, now + Nanoseconds{static_cast<std::int64_t>(stretched)});
  }

  /// Of this attempt until `now`: without work for slow clocks.
  static Nanoseconds slow_time(const SimJob& job, Instant now) {
    const Nanoseconds since = std::max(now - job.speed_since, Nanoseconds{0});
    const Int128 slow = Int128{since.count()} * (kFullSpeed - job.speed) / kFullSpeed;
    return job.slowed + Nanoseconds{static_cast<std::int64_t>(slow)};
  }

  /// What its last whole checkpoint interval has saved; one that was written when it was told to go counts
  /// too.
  [[nodiscard]] Nanoseconds saved_by(const SimJob& job, Instant now) const {
    const Nanoseconds interval = job.request.checkpoint_interval;
    if (job.paced && interval > Nanoseconds{0}) {  // They are written by the clock, however fast it works.
      const Nanoseconds time = working_time(job, now);
      const Nanoseconds done = worked(job, now) - job.saved;
      const Nanoseconds until_last = interval * (time / interval);
      return job.saved + (time > Nanoseconds{0}
                              ? Nanoseconds{static_cast<std::int64_t>(Int128{done.count()} *
                                                                      until_last.count() / time.count())}
                              : Nanoseconds{0});
    }
    const Nanoseconds whole =
        interval > Nanoseconds{0} ? interval * (worked(job, now) / interval) : Nanoseconds{0};
    return std::max(whole, job.saved);
  }

  [[nodiscard]] Instant next_cap_step() const {
    return next_step_ < cap_steps_.size() ? cap_steps_[next_step_].at : Instant::max();
  }

  /// Its nodes are gone: what is saved is the last whole checkpoint interval of work.
  void interrupt(SimJob& job, Instant now) {
    stop(job, saved_by(job, now), now);
    if (++job.failures < kMostRestarts) return;
    job.truth.run_time = job.saved;  // Given up: it ends as soon as it starts again.
    job.truth.outcome = JobOutcome::kFailed;
  }

  void finish(JobId id, Instant now) {
    SimJob& job = jobs_[id];
    const Nanoseconds spent = now - job.start;
    job.held += spent;
    if (job.paced) pacer_->stop(id, now);
    left(job, now);
    budgets_.stopped(job.request.tenant, job.request.shape.total_gpu_milli(), now);
    if (job.attempt > 1) {
      const Nanoseconds reload = std::min(spent, options_.faults.restart_time);
      job.lost += reload;
      metrics_.reloaded(job.start, job.start + reload, job.facts());
    }
    JobRecord record;
    record.id = job.name;
    record.tenant = job.request.tenant;
    record.job_class = job.job_class;
    record.outcome = job.truth.outcome;
    record.span = job.span;
    record.reason = job.reason;
    record.restarts = job.restarts;
    record.nodes_used = job.nodes;
    record.shape = job.request.shape;
    record.gpu_milli = job.request.shape.total_gpu_milli();
    record.submit = job.request.submit;
    record.start = job.first_start;
    record.end = now;
    last_end_ = now;
    record.limit = job.request.limit;
    if (job.request.flexible && job.request.deadline != Instant{} && now > job.request.deadline)
      ++energy_.late_jobs;
    record.held = job.held;
    record.lost = job.lost;
    metrics_.finished(record);
    if (options_.on_job) {
      if (Result<void> kept = options_.on_job(record, stream_.tenants()); !kept) failure_ = kept.error();
    }
    jobs_.remove(id);
  }

  void measure(const sched::Core& core, Instant now) {
    const sched::State& state = core.state();
    ClusterSample sample;
    if (total_milli_ == 0) total_milli_ = static_cast<std::int64_t>(fleet_.gpus()) * 1000;
    sample.total_gpu_milli = total_milli_;
    sample.down_gpu_milli = state.down_gpus() * 1000;
    sample.allocated_gpu_milli = state.allocated_milli();
    sample.running_jobs = static_cast<std::int64_t>(state.running_jobs());
    sample.pending_jobs = static_cast<std::int64_t>(state.pending.size());
    sample.pending_gpu_milli = state.pending.waiting_gpu_milli();
    if (sample.pending_jobs > 0) {
      sample.unusable_gpu_milli = core.unusable_for_head() * 1000;
      sample.head_gpu_milli = core.job(core.head())->request.shape.total_gpu_milli();
    }
    metrics_.advance(now, sample);
    if (options_.on_progress && ++passes_ % 4096 == 0) options_.on_progress(submitted_, now);
  }

  const Fleet& fleet_;
  workload::JobStream& stream_;
  const TwinOptions& options_;
  MetricsCollector metrics_;
  Budgets budgets_;
  Reservations reservations_;
  FaultProcess faults_;
  std::vector<CapStep> cap_steps_;
  std::size_t next_step_ = 0;
  PowerMeter power_;
  Instant now_;  ///< Of the last plan.
  Instant last_end_;
  std::uint64_t cap_changes_ = 0;
  std::uint64_t clock_orders_ = 0;
  std::uint64_t stopped_ = 0;
  bool prices_told_ = false;
  std::optional<Pacer> pacer_;              ///< With physics.
  std::vector<std::uint8_t> work_classes_;  ///< By class of the stream.
  EnergySummary energy_;                    ///< What is counted by jobs.
  IdTable<SimJob> jobs_;
  std::vector<End> ends_;  ///< A heap, earliest first.
  TraceJob next_job_;
  bool next_job_ready_ = false;
  bool stream_done_ = false;
  std::optional<Error> failure_;
  std::uint32_t submitted_ = 0;
  std::uint32_t known_tenants_ = 1;
  std::uint64_t passes_ = 0;
  std::int64_t total_milli_ = 0;
  std::vector<std::uint64_t> type_map_;
  /// By tenant and job class, until the law changes.
  std::map<std::pair<TenantId, std::uint8_t>, std::shared_ptr<const LawDecision>> decisions_;
  std::optional<Day> law_until_;
  std::vector<Ruling> rulings_;  ///< That no plan has answered yet.
};

}  // namespace

RunLabels run_labels(const Fleet& fleet, const workload::JobStream& stream, const TwinOptions& options) {
  RunLabels labels;
  labels.name = options.name;
  labels.policy = options.policy.name;
  labels.fleet = fleet.name;
  labels.seed = options.seed;
  labels.job_classes = stream.classes();
  for (const Partition& level : fleet.fabric) labels.fabric_levels.push_back(level.level);
  for (std::uint8_t reason = 0; reason < sched::kReasons; ++reason)
    labels.wait_reasons.emplace_back(sched::reason_name(static_cast<sched::Reason>(reason)));
  labels.reject_reasons = labels.wait_reasons;
  return labels;
}

Result<RunSummary> run_twin(const Fleet& fleet, workload::JobStream& stream, const TwinOptions& options) {
  sched::Core core(fleet, options.policy);
  Simulation simulation(fleet, stream, options, core);
  SimulatedClock clock;
  std::uint64_t passes = 0;
  std::function<void(Instant)> after_pass;
  if (options.check_every != 0) {
    after_pass = [&](Instant /*now*/) {
      if (++passes % options.check_every == 0) GW_CHECK(core.check().empty());
    };
  }
  const Result<void> done = runtime::run(core, {clock, simulation, simulation, options.store}, after_pass);
  if (!done) return std::unexpected(done.error());
  return simulation.summary();
}

}  // namespace gw::twin
