// Large arrays: tasks that nothing has been done for share one record, and leave it one by one.
#include <algorithm>

#include "base/check.h"
#include "live/controller.h"

namespace gw::live {

/// The next of the tasks that their array keeps back is looked at; 0: it is no task.
void Controller::wake_array(std::uint64_t array_job) {
  if (array_job == 0) return;
  const auto array = book_.arrays.find(array_job);
  if (array != book_.arrays.end() && !array->second.blocked.empty())
    ready_.insert(*array->second.blocked.begin());
}

/// A task of an array has started: when few are left in the core others follow; twice as many where all could
/// start, as nothing but their number held the array up.
void Controller::note_array_start(const LiveJob& job) {
  if (job.record.array_job == 0) return;
  LiveArray& array = book_.arrays[job.record.array_job];
  if (array.blocked.empty()) return;
  constexpr std::uint32_t kMostAhead = 4096;
  const std::uint32_t waiting = array.in_core - array.running;
  if (waiting == 0) {
    array.ahead = std::max(array.ahead, std::min(2 * array.ahead, kMostAhead));
  } else if (2 * waiting > array.ahead) {
    return;
  }
  wake_array(job.record.array_job);
}

void Controller::get_in_line(LiveJob& job) {
  if (job.in_line) return;
  job.record.core = take_core_ids(job.record.stands_for);
  job.in_line = true;
  if (book_.in_line(job)) count_core(job, +1);
}

void Controller::leave_line(LiveJob& job) {
  if (!job.in_line) return;
  if (book_.in_line(job)) count_core(job, -1);
  // The last ids that were given can be given again.
  if (job.record.core.value() + job.record.stands_for == next_core_) next_core_ = job.record.core.value();
  job.in_line = false;
  job.record.core = JobId{};
}

JobId Controller::take_core_ids(std::uint32_t count) {
  const std::uint32_t first = std::max(next_core_, book_.core->state().next_job);
  GW_CHECK(first + std::uint64_t{count} < UINT32_MAX);
  next_core_ = first + count;
  return JobId{first};
}

/// Gives `indices` its text.
void Controller::name_tasks(JobRecord& record) const {
  const LiveArray& array = book_.arrays.at(record.array_job);
  const auto position = static_cast<std::uint32_t>(record.number - record.array_job);
  record.array_index = array.indices.at(position);
  record.indices = record.stands_for == 1 ? "" : array.indices.text(position, record.stands_for);
}

/// The first `count` tasks keep the record; the others get a new one, which is given. Nothing may keep the
/// job back when this is called (see unblock).
LiveJob& Controller::split(LiveJob& job, std::uint32_t count) {
  GW_CHECK(count > 0 && count < job.record.stands_for && job.blocked == BlockReason::kNone);
  LiveJob rest = job;
  rest.record.number += count;
  rest.record.stands_for -= count;
  if (rest.in_line) rest.record.core = JobId{job.record.core.value() + count};
  rest.is_new = true;
  rest.is_changed = false;
  name_tasks(rest.record);
  job.record.stands_for = count;
  name_tasks(job.record);
  mark(job);
  LiveJob& placed = book_.jobs.emplace(rest.record.number, std::move(rest)).first->second;
  mark(placed);
  return placed;
}

/// The job of that number, with a record of its own; none if it is not in the book.
LiveJob* Controller::isolate(std::uint64_t number) {
  const LiveJob* entry = book_.entry(number);
  if (entry == nullptr) return nullptr;
  LiveJob& first = *book_.job(entry->record.number);
  if (first.record.stands_for == 1) return &first;
  const BlockReason reason = first.blocked;
  const bool ready = ready_.erase(first.record.number) > 0;
  unblock(first);
  std::vector<LiveJob*> pieces{&first};
  if (number > first.record.number)
    pieces.push_back(&split(first, static_cast<std::uint32_t>(number - first.record.number)));
  LiveJob* const wanted = pieces.back();
  if (wanted->record.stands_for > 1) pieces.push_back(&split(*wanted, 1));
  for (LiveJob* piece : pieces) {
    if (piece->record.state != JobState::kBlocked) continue;
    if (ready || reason == BlockReason::kNone) {
      ready_.insert(piece->record.number);
    } else {
      block(*piece, reason, reason);
    }
  }
  return wanted;
}

}  // namespace gw::live
