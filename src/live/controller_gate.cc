// The gate before the core: what keeps a job back (its begin, dependencies, its array), and its way in and
// out.
#include "base/check.h"
#include "live/controller.h"

namespace gw::live {

void Controller::settle() {
  for (;;) {
    while (!doomed_.empty()) {
      LiveJob* job = book_.job(doomed_.back());
      doomed_.pop_back();
      if (job == nullptr || (job->record.state != JobState::kBlocked && job->record.state != JobState::kHeld))
        continue;
      unblock(*job);
      wake_array(job->record.array_job);
      end_job(*job, Outcome::kDependency, "a job that it depends on has ended in another way than asked for");
    }
    if (ready_.empty()) {
      if (doomed_.empty()) return;
      continue;
    }
    const std::uint64_t number = *ready_.begin();
    ready_.erase(ready_.begin());
    LiveJob* job = book_.job(number);
    if (job == nullptr || job->record.state != JobState::kBlocked) continue;
    const BlockReason before = job->blocked;
    unblock(*job);
    const BlockReason reason = blocked_by(*job);
    if (reason != BlockReason::kNone) {
      if (reason == BlockReason::kArrayLimit && job->record.stands_for > 1) get_in_line(*job);
      block(*job, reason, before);
      continue;
    }
    if (job->record.stands_for > 1) {
      get_in_line(*job);
      ready_.insert(split(*job, 1).record.number);
    }
    enter(*job);
    wake_array(job->record.array_job);
  }
}

BlockReason Controller::blocked_by(LiveJob& job) {
  if (job.begin > book_.now) return BlockReason::kBegin;
  if (!waits_of(job).over()) return BlockReason::kDependency;
  if (job.record.array_job != 0) {
    const LiveArray& array = book_.arrays[job.record.array_job];
    if (array.most_running != 0 && array.in_core >= array.most_running) return BlockReason::kArrayLimit;
    if (job.record.stands_for > 1 && array.in_core - array.running >= array.ahead)
      return BlockReason::kArrayLimit;
  }
  return BlockReason::kNone;
}

/// `before`: what has kept it back until now; that it still does is no news.
void Controller::block(LiveJob& job, BlockReason reason, BlockReason before) {
  const std::uint64_t number = job.record.number;
  job.blocked = reason;
  switch (reason) {
    case BlockReason::kBegin:
      begins_.emplace(job.begin, number);
      break;
    case BlockReason::kArrayLimit:
      book_.arrays[job.record.array_job].blocked.insert(number);
      break;
    case BlockReason::kDependency:
    case BlockReason::kNone:
      break;
  }
  if (reason == before) return;
  job.reason_since = book_.now;
  turn_.changes.reasons.push_back({number, book_.now, std::string(name_of(reason))});
}

void Controller::note_held(LiveJob& job) {
  job.reason_since = book_.now;
  turn_.changes.reasons.push_back({job.record.number, book_.now, "held"});
}

void Controller::unblock(LiveJob& job) {
  const std::uint64_t number = job.record.number;
  switch (job.blocked) {
    case BlockReason::kBegin:
      begins_.erase({job.begin, number});
      break;
    case BlockReason::kArrayLimit:
      book_.arrays[job.record.array_job].blocked.erase(number);
      break;
    case BlockReason::kDependency:
    case BlockReason::kNone:
      break;
  }
  job.blocked = BlockReason::kNone;
}

void Controller::enter(LiveJob& job) {
  job.request.shape.zones = zones_of(job);
  const bool counted = book_.in_line(job);
  if (job.request.is_elastic()) take_size(job, job.request.nodes_min, counted);
  if (!job.in_line) job.record.core = take_core_ids(1);
  job.in_line = false;
  job.record.state = JobState::kWaiting;
  job.reason = sched::Reason::kNone;
  job.reason_since = book_.now;
  book_.by_core.emplace(job.record.core.value(), job.record.number);
  if (!counted) count_core(job, +1);
  if (job.record.array_job != 0) ++book_.arrays[job.record.array_job].in_core;
  apply(sched::Event::job_submitted(job.record.core, job.request));
  mark(job);
}

/// It is in the core no more; the event that says so is the caller's.
void Controller::leave(LiveJob& job) {
  book_.by_core.erase(job.record.core.value());
  count_core(job, -1);
  if (job.record.array_job != 0) --book_.arrays[job.record.array_job].in_core;
  wake_array(job.record.array_job);
}

/// Out of the queue or of whatever keeps it back: whoever stood behind it is looked at.
void Controller::withdraw(LiveJob& job) {
  unblock(job);
  wake_array(job.record.array_job);
  ready_.erase(job.record.number);
  leave_line(job);
  if (job.record.state != JobState::kWaiting) return;
  // Not of one that a change of the law has taken out of the core: the plan that says so comes yet.
  if (book_.core->job(job.record.core) != nullptr) apply(sched::Event::job_cancelled(job.record.core));
  leave(job);
}

}  // namespace gw::live
