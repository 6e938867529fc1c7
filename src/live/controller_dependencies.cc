// Dependencies between jobs: which are met, which can be met no more, and who waits for whom.
#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "live/controller.h"

namespace gw::live {
namespace {

bool holds_for(DependencyKind kind, Outcome outcome) {
  switch (kind) {
    case DependencyKind::kAfterOk:
      return outcome == Outcome::kCompleted;
    case DependencyKind::kAfterNotOk:
      return outcome != Outcome::kCompleted;
    case DependencyKind::kAfterAny:
    case DependencyKind::kAfterStart:
      return true;
  }
  return false;
}

}  // namespace

Waits& Controller::waits_of(LiveJob& job) {
  return job.record.array_job != 0 ? book_.arrays[job.record.array_job].waits : job.waits;
}

/// Whether a dependency on what is in the book is met (true), can be met no more (false), or not yet decided.
/// `ended`: how the job that it names has just ended, if it has.
std::optional<bool> Controller::holds(const Dependency& dependency, const Outcome* ended) const {
  if (const auto at = book_.arrays.find(dependency.job); at != book_.arrays.end()) {
    const LiveArray& array = at->second;
    if (dependency.kind == DependencyKind::kAfterStart)
      return array.unstarted == 0 ? std::optional(true) : std::nullopt;
    if (dependency.kind == DependencyKind::kAfterOk && array.bad > 0) return false;
    if (array.tasks > 0) return std::nullopt;
    return dependency.kind != DependencyKind::kAfterNotOk || array.bad > 0;
  }
  if (ended != nullptr) return holds_for(dependency.kind, *ended);
  const LiveJob* job = book_.job(dependency.job);
  GW_CHECK(job != nullptr);
  if (dependency.kind == DependencyKind::kAfterStart && job->record.state == JobState::kRunning) return true;
  return std::nullopt;
}

/// A job that is in the book no more: who has it, and how it ended (an array: as its tasks did, together).
std::expected<EndedJob, Refusal> Controller::ended_job(std::uint64_t number) {
  for (const std::vector<JobRecord>* list : {&ended_, &ended_new_}) {
    for (const JobRecord& job : *list) {
      if (job.number <= number && number < job.number + job.stands_for && job.array_job != number)
        return EndedJob{number, job.array_job, job.array_tasks, job.tenant, job.outcome};
    }
  }
  Result<std::optional<EndedJob>> found = store_->ended_job(number);
  if (!found) return std::unexpected(Refusal{503, "store", found.error().message});
  // Of an array whose last task has ended in this turn the store does not know all yet.
  Outcome last = Outcome::kCompleted;
  for (const std::vector<JobRecord>* list : {&ended_, &ended_new_}) {
    for (const JobRecord& job : *list) {
      if (job.array_job != number) continue;
      if (!*found) *found = EndedJob{number, number, job.array_tasks, job.tenant, job.outcome};
      if (job.outcome != Outcome::kCompleted) last = Outcome::kFailed;
    }
  }
  if (!*found)
    return std::unexpected(
        Refusal{422, "unknown_dependency", fmt::format("there is no job {} to depend on", number)});
  EndedJob job = **found;
  if (job.array_job == number) {
    const Result<Store::EndedTasks> tasks = store_->ended_tasks(number);
    if (!tasks) return std::unexpected(Refusal{503, "store", tasks.error().message});
    job.outcome = tasks->bad == 0 ? last : Outcome::kFailed;
  }
  return job;
}

/// What is left to wait for. `actor`: the jobs must be among those that it may know of; null: no matter
/// whose.
std::expected<Waits, Refusal> Controller::waits_for(const std::vector<Dependency>& dependencies, bool any,
                                                    const Actor* actor) {
  Waits waits;
  waits.any = any;
  bool met = false;
  for (const Dependency& dependency : dependencies) {
    const auto same = [&](const Waits::One& one) { return one.on == dependency; };
    if (std::any_of(waits.open.begin(), waits.open.end(), same)) continue;
    std::optional<bool> now;
    TenantId owner;
    const auto task = book_.jobs.lower_bound(dependency.job);
    if (task != book_.jobs.end() &&
        (task->first == dependency.job || task->second.record.array_job == dependency.job)) {
      owner = task->second.record.tenant;
      now = holds(dependency, nullptr);
    } else if (const LiveJob* shared = book_.entry(dependency.job)) {
      owner = shared->record.tenant;  // With others in one record: nothing has been done for it yet.
    } else {
      const std::expected<EndedJob, Refusal> ended = ended_job(dependency.job);
      if (!ended) return std::unexpected(ended.error());
      owner = ended->tenant;
      now = holds_for(dependency.kind, ended->outcome);
    }
    if (actor != nullptr && !book_.is_within(owner, actor->tenant))
      return std::unexpected(
          Refusal{422, "unknown_dependency", fmt::format("there is no job {} to depend on", dependency.job)});
    if (now && *now) {
      met = true;
    } else {
      waits.open.push_back({dependency, now.has_value()});
    }
  }
  if (any && met) waits.open.clear();
  return waits;
}

/// `number`, a job or an array, is told when something happens that it waits for.
void Controller::depend(std::uint64_t number, const Waits& waits) {
  for (const Waits::One& one : waits.open) {
    if (one.impossible) continue;
    std::vector<std::uint64_t>& dependents = dependents_[one.on.job];
    if (dependents.empty() || dependents.back() != number) dependents.push_back(number);
  }
  if (waits.doomed()) for_each_of(number, [this](LiveJob& job) { doomed_.push_back(job.record.number); });
}

/// The job (or array) has started, or ended as `ended` says.
void Controller::tell_dependents(std::uint64_t number, const Outcome* ended) {
  const auto found = dependents_.find(number);
  if (found == dependents_.end()) return;
  std::vector<std::uint64_t> still;
  for (const std::uint64_t each : found->second) {
    const auto array = book_.arrays.find(each);
    LiveJob* job = book_.job(each);
    if (job == nullptr && array == book_.arrays.end()) continue;
    Waits& waits = array != book_.arrays.end() ? array->second.waits : job->waits;
    bool open = false;
    for (std::size_t index = 0; index < waits.open.size();) {
      Waits::One& one = waits.open[index];
      const bool asked = one.on.job == number && !one.impossible;
      const std::optional<bool> now = asked ? holds(one.on, ended) : std::nullopt;
      if (now && *now) {
        if (waits.any) {
          waits.open.clear();
          open = false;
          break;
        }
        waits.open.erase(waits.open.begin() + static_cast<std::ptrdiff_t>(index));
        continue;
      }
      one.impossible = one.impossible || now.has_value();
      open = open || (asked && !now);
      ++index;
    }
    if (open) still.push_back(each);
    if (waits.over()) {
      for_each_of(each, [this](LiveJob& one) {
        if (one.record.state == JobState::kBlocked) ready_.insert(one.record.number);
      });
    } else if (waits.doomed()) {
      for_each_of(each, [this](LiveJob& one) { doomed_.push_back(one.record.number); });
    }
  }
  if (still.empty()) {
    dependents_.erase(number);
  } else {
    dependents_[number] = std::move(still);
  }
}

/// After loading: what the jobs and arrays that still wait are waiting for by now.
Result<void> Controller::link_dependencies() {
  const auto link = [&](std::uint64_t number, Waits& waits) -> Result<void> {
    if (waits.over()) return {};
    std::vector<Dependency> dependencies;
    for (const Waits::One& one : waits.open) dependencies.push_back(one.on);
    std::expected<Waits, Refusal> now = waits_for(dependencies, waits.any, nullptr);
    if (!now) return fail(fmt::format("what job {} waits for: {}", number, now.error().message));
    waits = std::move(*now);
    depend(number, waits);
    return {};
  };
  std::vector<std::uint64_t> waiting;  // Others may get records of their own meanwhile.
  for (const auto& [number, job] : book_.jobs) {
    if (!job.waits.over()) waiting.push_back(number);
  }
  for (const std::uint64_t number : waiting) {
    if (Result<void> done = link(number, book_.jobs[number].waits); !done) return done;
  }
  for (auto& [number, array] : book_.arrays) {
    if (Result<void> done = link(number, array.waits); !done) return done;
  }
  return {};
}

}  // namespace gw::live
