// A turn: hear what has happened, obey what is asked, decide, and write down what follows.
#include "live/controller.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "sched/codec.h"

namespace gw::live {

Controller::Controller(ControllerOptions options, Store& store)
    : options_(std::move(options)), store_(&store) {}

Turn Controller::turn(Instant now, std::vector<Command> commands, std::span<const Report> reports,
                      std::span<const NodeReport> nodes) {
  GW_CHECK(book_.core != nullptr);
  // Events of the loading belong to the moment of the loading, in the journal as in the core.
  if (event_count_ == 0) book_.now = std::max(book_.now, now);
  for (const Report& report : reports) hear(report);
  for (const NodeReport& report : nodes) hear(report);
  turn_page();
  for (const Command& command : commands) turn_.replies.push_back(obey(command));
  if (!powerless_.empty()) end_powerless();
  if (std::exchange(law_due_, false)) review_law();
  if (std::exchange(reservation_over_, false)) hold_what_names_past_reservations();
  while (!begins_.empty() && begins_.begin()->first <= book_.now) {
    ready_.insert(begins_.begin()->second);
    begins_.erase(begins_.begin());
  }
  settle_budgets();
  settle_caps();
  if (book_.now >= prices_due_) tell_prices();
  settle();
  bool planned = false;
  if (event_count_ > 0 || book_.core->next_due() <= book_.now || plan_due_) {
    plan_due_ = false;
    const sched::Plan plan = book_.core->plan(book_.now);
    JournalRow row;
    row.sequence = ++book_.journal_sequence;
    row.now = book_.now;
    row.count = event_count_;
    row.events = events_.take();
    ByteWriter bytes;
    sched::encode(bytes, plan);
    row.plan = bytes.take();
    turn_.changes.journal = std::move(row);
    events_since_snapshot_ += event_count_;
    event_count_ = 0;
    deciding_ = true;
    carry_out(plan);
    deciding_ = false;
    planned = true;
  }
  note_unmet(planned);
  forget_past_reservations();
  plan_budgets();
  keep_snapshot_if_due();
  sample_reasons();
  collect_changes();
  turn_.again = !ready_.empty() || !doomed_.empty() || !powerless_.empty();
  return std::exchange(turn_, Turn{});
}

Instant Controller::next_due() const {
  if (!ready_.empty() || !doomed_.empty() || !powerless_.empty() || plan_due_ || law_due_ ||
      reservation_over_)
    return book_.now;
  return std::min({book_.core->next_due(), budgets_due_, caps_due_, prices_due_,
                   begins_.empty() ? Instant::max() : begins_.begin()->first, next_law()});
}

void Controller::carry_out(const sched::Plan& plan) {
  for (const JobId core_id : plan.interrupted) {
    // Its nodes failed though nobody said so before: the core has put it back in line already.
    LiveJob* job = book_.job_of(core_id);
    GW_CHECK(job != nullptr);
    if (!job->attempt) continue;  // Its end was told in this turn, too.
    turn_.orders.stops.push_back({job->attempt->id, StopKind::kRequeue});
    close_attempt(*job, lost(*job, "its nodes failed"));
    count_running(*job, -1);
    job->leaving = false;
    job->record.stopping = job->record.requeueing = false;
    job->record.state = JobState::kWaiting;
    mark(*job);
  }
  for (const JobId core_id : plan.stopped) {  // The same, for want of power.
    LiveJob* job = book_.job_of(core_id);
    GW_CHECK(job != nullptr && job->attempt);
    turn_.orders.stops.emplace_back(job->attempt->id, StopKind::kRequeue);
    note_ending(*job);
    close_attempt(*job, lost(*job, std::string(kNoPower)));
    count_running(*job, -1);
    // One that was being cancelled, or that may not be run twice, ends in the next turn.
    const bool for_good = !job->record.requeue || (job->record.stopping && !job->record.requeueing);
    if (for_good) powerless_.push_back(job->record.number);
    job->leaving = false;
    job->record.stopping = for_good;
    job->record.requeueing = false;
    job->record.state = JobState::kWaiting;
    mark(*job);
  }
  for (const sched::Plan::Rejection& rejection : plan.rejections) {
    LiveJob* job = book_.job_of(rejection.job);
    if (job == nullptr) continue;  // It was withdrawn before the plan.
    leave(*job);
    end_job(*job, Outcome::kNever,
            rejection.reason == sched::Reason::kRule ? law_text(*job)
                                                     : std::string(sched::reason_text(rejection.reason)));
  }
  for (const sched::Plan::Start& start : plan.starts) {
    LiveJob* job = book_.job_of(start.job);
    GW_CHECK(job != nullptr);
    start_attempt(*job, start);
  }
  std::erase_if(turn_.orders.starts, [&](const Orders::Start& start) {
    return std::find(powerless_.begin(), powerless_.end(), start.launch.id.job) != powerless_.end();
  });
  set_clocks(plan);
  for (const sched::Plan::Preemption& preemption : plan.preemptions) {
    // One that was told before the plan was made may have gone since.
    const sched::Job* core_job = book_.core->job(preemption.job);
    if (core_job != nullptr && core_job->leaving) preempt(*book_.job_of(preemption.job), preemption.for_job);
  }
}

/// Looks at some waiting jobs, one after the other over the turns, and keeps what has changed.
void Controller::sample_reasons() {
  const std::size_t most_steps = std::size_t{8} * options_.reasons_per_turn;
  std::uint32_t looked = 0;
  auto at = book_.jobs.lower_bound(reason_cursor_);
  for (std::size_t step = 0; step < most_steps && looked < options_.reasons_per_turn; ++step, ++at) {
    if (at == book_.jobs.end()) {
      at = book_.jobs.begin();
      if (at == book_.jobs.end()) break;
    }
    reason_cursor_ = at->first + 1;
    LiveJob& job = at->second;
    if (job.record.state != JobState::kWaiting) continue;
    ++looked;
    const sched::Reason reason = book_.core->binding_reason(job.record.core);
    if (reason == job.reason) continue;
    job.reason = reason;
    job.reason_since = book_.now;
    turn_.changes.reasons.push_back({job.record.number, book_.now, std::string(sched::reason_name(reason))});
  }
}

void Controller::keep_snapshot_if_due() {
  const std::uint64_t due =
      std::max<std::uint64_t>(options_.snapshot_events, book_.core->state().jobs.size());
  if (turn_.changes.snapshot || (!snapshot_wanted_ && events_since_snapshot_ < due)) return;
  if (std::exchange(snapshot_wanted_, false) && events_since_snapshot_ == 0) return;  // There is one.
  events_since_snapshot_ = 0;
  turn_.changes.snapshot = snapshot_row(true);
}

/// The states of all jobs that the turn has touched, as they are at its end.
void Controller::collect_changes() {
  std::sort(touched_.begin(), touched_.end());
  for (const std::uint64_t number : touched_) {
    LiveJob* job = book_.job(number);
    if (job == nullptr) continue;  // It has ended: below.
    (job->is_new ? turn_.changes.new_jobs : turn_.changes.changed_jobs).push_back(job->record);
    job->is_new = job->is_changed = false;
  }
  touched_.clear();
  for (JobRecord& record : ended_) turn_.changes.changed_jobs.push_back(std::move(record));
  ended_.clear();
  if (!ended_new_.empty()) {
    for (JobRecord& record : ended_new_) turn_.changes.new_jobs.push_back(std::move(record));
    ended_new_.clear();
    std::sort(turn_.changes.new_jobs.begin(), turn_.changes.new_jobs.end(),
              [](const JobRecord& a, const JobRecord& b) { return a.number < b.number; });
  }
}

}  // namespace gw::live
