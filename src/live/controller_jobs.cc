// The life of a job in the core: its attempts, its end, what it has used.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "live/controller.h"
#include "live/job_environment_hosts.h"
#include "live/ledger.h"
#include "sched/codec.h"

namespace gw::live {
namespace {

Outcome outcome_of(const Report& report) {
  switch (report.end) {
    case AttemptEnd::kExited:
      return report.exit_code == 0 ? Outcome::kCompleted : Outcome::kFailed;
    case AttemptEnd::kSignalled:
      return Outcome::kFailed;
    case AttemptEnd::kTimeLimit:
      return Outcome::kTimeLimit;
    case AttemptEnd::kStopped:
    case AttemptEnd::kPreempted:
      return Outcome::kCancelled;
    case AttemptEnd::kOutOfMemory:
      return Outcome::kOutOfMemory;
    case AttemptEnd::kLaunchFailed:
      return Outcome::kLaunchFailed;
    case AttemptEnd::kLost:
      return Outcome::kLost;
  }
  return Outcome::kFailed;
}

/// Names of nodes as one short text: all of them as long as that is short, else the first few.
std::string place_text(const std::vector<std::string>& nodes) {
  constexpr std::size_t kLongest = 160;
  constexpr std::size_t kMostCompressed = 1024;
  if (nodes.size() <= kMostCompressed) {
    std::string all = compressed_hosts(nodes);
    if (all.size() <= kLongest) return all;
  }
  constexpr std::size_t kFirst = 2;
  return fmt::format("{},+{}", compressed_hosts({nodes.begin(), nodes.begin() + kFirst}),
                     nodes.size() - kFirst);
}

}  // namespace

void Controller::apply(const sched::Event& event) {
  GW_CHECK(!deciding_);
  sched::encode(events_, event);
  ++event_count_;
  book_.core->apply(event, book_.now);
}

void Controller::mark(LiveJob& job) {
  if (job.is_changed) return;
  job.is_changed = true;
  touched_.push_back(job.record.number);
}

void Controller::count_job(const LiveJob& job, int sign) {
  for (TenantId at = job.record.tenant; at.valid(); at = book_.tenants[at.value()].record.parent)
    book_.tenants[at.value()].jobs += static_cast<std::uint32_t>(sign) * job.record.stands_for;
}

void Controller::count_core(const LiveJob& job, int sign) {
  for (TenantId at = job.record.tenant; at.valid(); at = book_.tenants[at.value()].record.parent)
    book_.tenants[at.value()].gpu_milli += sign * job.record.gpu_milli * job.record.stands_for;
}

void Controller::count_running(const LiveJob& job, int sign) {
  for (TenantId at = job.record.tenant; at.valid(); at = book_.tenants[at.value()].record.parent) {
    book_.tenants[at.value()].running += static_cast<std::uint32_t>(sign);
    book_.tenants[at.value()].running_milli += sign * job.record.gpu_milli;
  }
  if (job.record.array_job != 0)
    book_.arrays[job.record.array_job].running += static_cast<std::uint32_t>(sign);
}

/// It is out of the core and has no attempt that runs. `ended`: when its last attempt did.
void Controller::end_job(LiveJob& job, Outcome outcome, std::string note, std::optional<Instant> ended) {
  JobRecord& record = job.record;
  record.state = JobState::kEnded;
  record.outcome = outcome;
  record.ended = ended.value_or(book_.now);
  const std::uint32_t tasks = record.stands_for;
  book_.tally.ended.at(static_cast<std::size_t>(outcome)) += tasks;
  record.stopping = record.requeueing = false;
  if (!note.empty()) {
    record.note = std::move(note);
  } else if (record.note.starts_with(kOutlawNote)) {
    record.note = "it ended where the rules forbid it";  // Why, the audit and its decision record say.
  }
  count_job(job, -1);
  const std::uint64_t number = record.number;
  const std::uint64_t array_job = record.array_job;
  const bool started = record.attempt > 0;
  (job.is_new ? ended_new_ : ended_).push_back(std::move(record));
  book_.jobs.erase(number);
  ready_.erase(number);
  tell_dependents(number, &outcome);
  if (tasks > 1) {
    std::vector<std::uint64_t> others;
    for (const auto& [each, dependents] : dependents_) {
      if (each > number && each < number + tasks) others.push_back(each);
    }
    std::sort(others.begin(), others.end());
    for (const std::uint64_t each : others) tell_dependents(each, &outcome);
  }
  if (array_job == 0) return;
  LiveArray& array = book_.arrays[array_job];
  array.tasks -= tasks;
  if (!started) array.unstarted -= tasks;
  const bool bad = outcome != Outcome::kCompleted;
  const bool first_bad = bad && array.bad == 0;
  if (bad) array.bad += tasks;
  // Only what may decide something: tasks are many.
  if (array.tasks == 0 || first_bad || (!started && array.unstarted == 0))
    tell_dependents(array_job, nullptr);
  if (array.tasks == 0) book_.arrays.erase(array_job);
}

void Controller::start_attempt(LiveJob& job, const sched::Plan::Start& start) {
  const sched::Job& core_job = *book_.core->job(start.job);
  JobRecord& record = job.record;
  const bool last_of_array =
      record.attempt == 0 && record.array_job != 0 && --book_.arrays[record.array_job].unstarted == 0;
  ++book_.tally.started;
  if (record.attempt == 0) {
    ++book_.tally.first_starts;
    book_.tally.waited_ns += (book_.now - record.submitted).count();
  }
  if (job.request.is_elastic()) take_size(job, core_job.request.shape.nodes, true);
  AttemptRecord attempt;
  attempt.id = {record.number, ++record.attempt};
  attempt.core = start.job;
  attempt.tenant = record.tenant;
  ByteWriter bytes;
  sched::encode(bytes, start.placement);
  attempt.placement = bytes.take();
  std::vector<std::string> names;
  book_.for_each_node(core_job, [&](NodeId node, std::uint64_t) { names.push_back(book_.node_name(node)); });
  attempt.place = place_text(names);
  const std::uint32_t gpu_type = book_.core->state().pools[start.placement.pool]->gpu_type();
  if (record.gpu_milli > 0 && gpu_type != NodeType::kNoGpu)
    attempt.gpu_type = book_.fleet.gpu_types[gpu_type].name;
  attempt.gpu_milli = record.gpu_milli;
  attempt.cpu_milli = record.cpu_milli;
  attempt.power = power_of(job, start.placement);
  attempt.decided = attempt.started = book_.now;
  job.clock = 1000;
  record.state = JobState::kRunning;
  record.started = book_.now;
  record.place = attempt.place;
  record.note.clear();
  turn_.changes.new_attempts.push_back(attempt);
  book_.meter.start(book_, options_.prices, attempt);
  job.attempt = std::move(attempt);
  if (job.reason != sched::Reason::kNone) job.reason_since = book_.now;
  job.reason = sched::Reason::kNone;
  count_running(job, +1);
  note_array_start(job);
  turn_.orders.starts.push_back(start_order(job));
  mark(job);
  tell_dependents(record.number, nullptr);
  if (last_of_array) tell_dependents(record.array_job, nullptr);
}

/// An elastic job has so many nodes from now on. Who is in the core counts for its tenants, and is counted
/// anew.
void Controller::take_size(LiveJob& job, std::uint32_t nodes, bool in_core) {
  if (in_core) count_core(job, -1);
  job.record.nodes = job.request.shape.nodes = nodes;
  job.record.gpu_milli = job.request.shape.total_gpu_milli();
  job.record.cpu_milli = job.request.shape.cpu_milli * nodes;
  if (in_core) count_core(job, +1);
}

/// A job that changes its size leaves for that, too: such attempts are no sign of a machine that loses jobs.
std::uint32_t Controller::most_attempts(const LiveJob& job) const {
  constexpr std::uint32_t kResizes = 100;
  return options_.most_attempts + (job.request.is_resizable() ? kResizes : 0);
}

Orders::Start Controller::start_order(const LiveJob& job) const {
  const JobRecord& record = job.record;
  const sched::Job& core_job = *book_.core->job(record.core);
  const Shape& shape = job.request.shape;
  Orders::Start order;
  order.text = record.spec;
  Launch& launch = order.launch;
  launch.id = job.attempt->id;
  launch.identity = book_.identity_of(*job.attempt);
  book_.for_each_node(core_job, [&](NodeId node, std::uint64_t gpu_mask) {
    const sched::Pool::Side side =
        sched::Pool::side_on_node(shape, static_cast<std::uint32_t>(std::popcount(gpu_mask)));
    launch.nodes.push_back(
        {book_.node_name(node), gpu_mask, shape.gpu_milli, side.cpu_milli, side.memory_mib});
  });
  if (record.array_job != 0) {
    launch.array_job = record.array_job;
    launch.array_index = record.array_index;
    launch.array_tasks = record.array_tasks;
  }
  launch.tenant = book_.path(record.tenant);
  launch.user = record.user;
  launch.unix_user = book_.unix_user(record.tenant);
  launch.gpu_type = job.attempt->gpu_type;
  launch.limit = record.limit;
  launch.decided = job.attempt->decided;
  return order;
}

void Controller::transfer(const LiveJob& job, const AttemptRecord& attempt) {
  const std::string& user = job.record.user;
  TransferRecord use = use_of(book_, options_.prices, attempt, user, attempt.ended_at);
  if (use.micro_gpu_s == 0 && use.micro_core_s == 0) return;
  post(std::move(use));
  if (attempt.end != AttemptEnd::kPreempted || !job.compensated) return;
  TransferRecord credit = credit_of(book_, options_.prices, attempt, user, job.request.checkpoint_interval,
                                    book_.core->state().policy.restart_estimate);
  if (credit.price != MicroEuros{0}) post(std::move(credit));
}

void Controller::post(TransferRecord record) {
  record.sequence = ++transfer_sequence_;
  book_.meter.post(book_, record);
  turn_.changes.transfers.push_back(std::move(record));
}

/// Nameplate power of a job's share of its nodes, which are of one kind.
Milliwatts Controller::power_of(const LiveJob& job, const sched::Placement& placement) const {
  const NodeId first = book_.core->state().fleet_node(placement, placement.pieces.front().node);
  const NodeType& type = book_.fleet.type_of(first);
  __extension__ using Wide = __int128;
  Wide milliwatts = 0;
  if (job.record.gpu_milli > 0 && type.gpus > 0) {
    milliwatts = Wide{type.power_max.count()} * job.record.gpu_milli / (std::int64_t{1000} * type.gpus);
  } else if (type.cpu_milli > 0) {
    milliwatts = Wide{type.power_max.count()} * job.record.cpu_milli / type.cpu_milli;
  }
  return Milliwatts{static_cast<std::int64_t>(milliwatts)};
}

/// Gives when it ended.
Instant Controller::close_attempt(LiveJob& job, const Report& report) {
  AttemptRecord attempt = std::move(*job.attempt);
  job.attempt.reset();
  book_.meter.stop(book_, attempt.id.job);
  // What counts is how long it ran, which its engine measured; when that was is as our own clock has it.
  if (attempt.started == attempt.decided)
    attempt.started = std::clamp(report.started, attempt.decided, book_.now);
  const Nanoseconds ran = std::max(Nanoseconds{0}, report.ended_at - report.started);
  attempt.ended_at = std::min(attempt.started + ran, book_.now);
  if (report.end == AttemptEnd::kLaunchFailed) attempt.ended_at = attempt.started;
  attempt.ended = true;
  attempt.end = report.end;
  attempt.note = report.note;
  if (job.leaving && report.end == AttemptEnd::kStopped) {
    attempt.end = AttemptEnd::kPreempted;
    if (attempt.note.empty()) attempt.note = job.leaving_why;
  }
  attempt.exit_code = report.exit_code;
  attempt.signal = report.signal;
  attempt.cpu_time = report.cpu_time;
  attempt.memory_peak = report.memory_peak;
  attempt.output_bytes = report.output_bytes;
  attempt.output_lost_bytes = report.output_lost_bytes;
  transfer(job, attempt);
  job.record.started = attempt.started;
  job.record.exit_code = report.exit_code;
  job.record.signal = report.signal;
  if (!report.note.empty()) job.record.note = report.note;
  turn_.orders.forgets.push_back(attempt.id);
  const Instant ended_at = attempt.ended_at;
  // One that was started in this very turn is new still.
  for (AttemptRecord& known : turn_.changes.new_attempts) {
    if (known.id == attempt.id) {
      known = std::move(attempt);
      return ended_at;
    }
  }
  std::erase_if(turn_.changes.changed_attempts,
                [&](const AttemptRecord& known) { return known.id == attempt.id; });
  turn_.changes.changed_attempts.push_back(std::move(attempt));
  return ended_at;
}

/// What is said of a running attempt that nobody can be asked about any more. One that was never heard to
/// have started is not charged.
Report Controller::lost(const LiveJob& job, std::string note) const {
  Report report;
  report.id = job.attempt->id;
  report.ended = true;
  report.started = job.attempt->started;
  report.ended_at = job.attempt->started == job.attempt->decided ? report.started : book_.now;
  report.end = AttemptEnd::kLost;
  report.note = std::move(note);
  return report;
}

void Controller::hear(const Report& report) {
  LiveJob* job = book_.job(report.id.job);
  if (job == nullptr || !job->attempt || job->attempt->id != report.id) {
    // An old story, told again; what still runs must not.
    if (report.ended) {
      book_.ending.remove(report.id);
      turn_.orders.forgets.push_back(report.id);
    } else {
      turn_.orders.stops.push_back({report.id, StopKind::kCancel});
    }
    return;
  }
  if (report.identity != 0 && report.identity != book_.identity_of(*job->attempt))
    return;  // Of an older store.
  if (!report.ended) {
    const Instant started = std::clamp(report.started, job->attempt->decided, book_.now);
    if (job->attempt->started == started || job->attempt->started != job->attempt->decided) return;
    job->attempt->started = job->record.started = started;
    book_.meter.start(book_, options_.prices, *job->attempt);
    turn_.changes.changed_attempts.push_back(*job->attempt);
    mark(*job);
    return;
  }
  const Instant ended_at = close_attempt(*job, report);
  const bool lost = report.end == AttemptEnd::kLost;
  if (lost && !job->record.stopping && job->record.requeue && job->record.attempt < most_attempts(*job)) {
    requeue(*job, report.note.empty() ? "its machine or supervisor failed" : report.note);
  } else if (job->record.requeueing && (lost || report.end == AttemptEnd::kStopped)) {
    requeue(*job, job->leaving ? job->leaving_why : "requeued");
  } else {
    // Its node may have been lost in this very turn: then it is in the core's queue.
    const bool runs = book_.core->job(job->record.core)->running;
    apply(runs ? sched::Event::job_ended(job->record.core) : sched::Event::job_cancelled(job->record.core));
    count_running(*job, -1);
    leave(*job);
    const bool cancelled = job->record.stopping && !job->record.requeueing && lost;
    std::string note;
    if (job->leaving && !job->record.requeue && report.end == AttemptEnd::kStopped)
      note = job->leaving_why + "; it may not be run again";
    end_job(*job, cancelled ? Outcome::kCancelled : outcome_of(report), std::move(note), ended_at);
  }
}

/// The attempt is over, the job waits again.
void Controller::requeue(LiveJob& job, std::string note) {
  if (book_.core->job(job.record.core)->running) apply(sched::Event::job_requeued(job.record.core));
  count_running(job, -1);
  job.record.state = JobState::kWaiting;
  job.record.stopping = job.record.requeueing = job.leaving = false;
  job.record.note = std::move(note);
  job.reason_since = book_.now;
  mark(job);
}

void Controller::hear(const NodeReport& report) {
  const NodeId node = book_.node(report.node);
  if (!node.valid()) return;
  NodeRecord& mark =
      book_.marks.try_emplace(report.node, NodeRecord{report.node, false, false, "", "", Instant{}})
          .first->second;
  if (mark.down == !report.up) {
    if (!mark.down && !mark.closed) book_.marks.erase(report.node);
    return;
  }
  mark.down = !report.up;
  mark.since = book_.now;
  if (mark.down) mark.reason = report.reason;
  turn_.changes.nodes.push_back(mark);
  if (!mark.down) {
    apply(sched::Event::node_up(node));
    if (!mark.closed) book_.marks.erase(report.node);
    return;
  }
  // Who runs there is told first: each may end or wait again as it wishes.
  std::vector<std::uint64_t> hit;
  for (const auto& [number, job] : book_.jobs) {
    if (job.record.state != JobState::kRunning) continue;
    bool there = false;
    book_.for_each_node(*book_.core->job(job.record.core),
                        [&](NodeId each, std::uint64_t) { there = there || each == node; });
    if (there) hit.push_back(number);
  }
  for (const std::uint64_t number : hit) {
    const LiveJob& job = *book_.job(number);
    // One that goes on with a spare node, or with fewer, is told by the plan: carry_out ends this attempt and
    // starts the next.
    const bool goes_on = job.request.keep_on_failure || job.request.is_elastic();
    if (goes_on && job.record.requeue && !job.record.stopping && job.record.attempt < most_attempts(job))
      continue;
    turn_.orders.stops.push_back({job.attempt->id, StopKind::kRequeue});
    hear(lost(job, fmt::format("node {} failed", report.node)));
  }
  apply(sched::Event::node_down(node));
}

/// A running job must make room: it waits again once it has gone, unless it may not be run twice.
void Controller::preempt(LiveJob& job, JobId for_job) {
  ++book_.tally.preemptions;
  note_leaving(job, for_job);
  // One that is being cancelled goes for good; only its grace may end sooner.
  if (!job.record.stopping) job.record.requeueing = job.record.requeue;
  job.record.stopping = true;
  mark(job);
  turn_.orders.stops.push_back(stop_order(job, StopKind::kPreempt));
}

Stop Controller::stop_order(const LiveJob& job, StopKind kind) const {
  Stop stop{job.attempt->id, kind};
  if (job.leaving) stop.most_grace = book_.core->state().policy.grace;
  return stop;
}

void Controller::note_leaving(LiveJob& job, JobId for_job) const {
  const auto next = book_.by_core.find(for_job.value());
  job.leaving = true;
  job.leaving_for = 0;
  job.compensated = next != book_.by_core.end();
  if (const auto resize = book_.core->state().resizes.find(job.record.core);
      resize != book_.core->state().resizes.end() && !job.compensated) {
    job.leaving_why = fmt::format("goes on with {} nodes", sched::node_count(resize->second.placement));
    return;
  }
  if (job.compensated) {
    const LiveJob* other = book_.job(next->second);
    if (!book_.may_name(job.record.tenant, other->record.tenant)) {
      job.leaving_why = "preempted for a job of another tenant";
      return;
    }
    job.leaving_for = other->record.number;
    job.leaving_why = fmt::format("preempted for job {}", job.leaving_for);
    return;
  }
  const sched::QuotaTree& quota = book_.core->state().quota;
  job.leaving_why = "preempted";
  for (TenantId at = job.record.tenant; at.valid(); at = book_.tenants[at.value()].record.parent) {
    if (quota.budget(at) == BudgetState::kStopAll)
      job.leaving_why = fmt::format("the budget of tenant {} is spent", book_.path(at));
  }
}

void Controller::stop_or_end(LiveJob& job) {
  if (job.record.state == JobState::kRunning) {
    job.record.stopping = true;
    job.record.requeueing = false;
    turn_.orders.stops.push_back({job.attempt->id, StopKind::kCancel});
    mark(job);
    return;
  }
  withdraw(job);
  end_job(job, Outcome::kCancelled, "");
}

std::string Controller::check() const {
  std::string problem = book_.core->check();
  if (!problem.empty()) return problem;
  std::vector<LiveTenant> count(book_.tenants.size());
  std::size_t waiting = 0, running = 0;
  std::uint64_t free_number = 0;
  std::map<std::uint64_t, LiveArray> arrays;
  for (const auto& [number, job] : book_.jobs) {
    const JobRecord& record = job.record;
    const bool in_core = record.state == JobState::kWaiting || record.state == JobState::kRunning;
    waiting += record.state == JobState::kWaiting;
    running += record.state == JobState::kRunning;
    const sched::Job* core_job = in_core ? book_.core->job(record.core) : nullptr;
    if (in_core && (core_job == nullptr || core_job->running != (record.state == JobState::kRunning)))
      return fmt::format("job {} is {} here and otherwise in the core", number, name_of(record.state));
    if (job.leaving != (record.state == JobState::kRunning && core_job->leaving))
      return fmt::format("job {} is {}leaving here and otherwise in the core", number,
                         job.leaving ? "" : "not ");
    if (job.attempt.has_value() != (record.state == JobState::kRunning))
      return fmt::format("job {} is {} with{} an attempt", number, name_of(record.state),
                         job.attempt ? "" : "out");
    if (number < free_number || record.stands_for == 0 ||
        (record.stands_for > 1 && (in_core || record.array_job == 0 || record.attempt > 0)))
      return fmt::format("job {} stands for what it may not", number);
    free_number = number + record.stands_for;
    if (job.in_line && record.state != JobState::kBlocked)
      return fmt::format("job {} is in line and should not be", number);
    if (record.array_job != 0) {
      LiveArray& array = arrays[record.array_job];
      array.tasks += record.stands_for;
      array.in_core += in_core;
      array.running += record.state == JobState::kRunning;
    }
    if (record.state == JobState::kEnded) return fmt::format("job {} has ended and is still here", number);
    for (TenantId at = record.tenant; at.valid(); at = book_.tenants[at.value()].record.parent) {
      LiveTenant& tenant = count[at.value()];
      tenant.jobs += record.stands_for;
      if (in_core || book_.in_line(job)) tenant.gpu_milli += record.gpu_milli * record.stands_for;
      if (record.state == JobState::kRunning) tenant.running_milli += record.gpu_milli, ++tenant.running;
    }
  }
  for (std::size_t index = 0; index < count.size(); ++index) {
    const LiveTenant& tenant = book_.tenants[index];
    if (tenant.jobs != count[index].jobs || tenant.gpu_milli != count[index].gpu_milli ||
        tenant.running_milli != count[index].running_milli || tenant.running != count[index].running)
      return fmt::format("tenant {} is miscounted", tenant.path);
  }
  for (const auto& [number, array] : arrays) {
    const auto known = book_.arrays.find(number);
    if (known == book_.arrays.end() || known->second.tasks != array.tasks ||
        known->second.in_core != array.in_core || known->second.running != array.running)
      return fmt::format("array {} is miscounted", number);
  }
  if (arrays.size() != book_.arrays.size()) return "there are arrays without tasks";
  if (!book_.meter.check(book_, options_.prices)) return "use of the month is miscounted";
  if (book_.core->state().jobs.size() != waiting + running) return "the core has other jobs than the book";
  if (book_.by_core.size() != waiting + running) return "a core id leads nowhere";
  return {};
}

}  // namespace gw::live
