// How attempts come under the engine that began before: taken over, found ended or deserted, or ended because
// nobody expects them.
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <set>
#include <utility>

#include "live/local_engine_worker.h"
#include "supervise/claim.h"

namespace gw::live {

using supervise::Descriptor;
using Stage = AttemptSight::Stage;

namespace {

/// Whether what was found under a launch's number is another job's.
bool is_anothers(const Launch& launch, std::optional<std::uint64_t> identity) {
  return launch.identity != 0 && identity && *identity != launch.identity;
}

}  // namespace

/// Starts an attempt that nobody has begun, takes over one that runs, tells the end of one that has ended.
/// `recovering`: what was told of it before may not have been kept.
void LocalEngine::Worker::take_up(const Launch& launch, bool recovering) {
  const AttemptId id = launch.id;
  if (const auto found = running_.find(id); found != running_.end()) {
    const auto next = successors_.find(id);
    if (next != successors_.end() && next->second.launch.identity == launch.identity) return;
    if (is_anothers(launch, found->second.identity)) return succeed(launch, recovering);
    successors_.erase(id);
    found->second.unexpected = false;
    if (recovering) tell_start_again(id, found->second);
    return;
  }
  if (const auto held = held_.find(id); held != held_.end()) {
    if (!is_anothers(launch, held->second.exit.identity)) return;
  } else if (const auto ended = ended_.find(id); ended != ended_.end()) {
    if (!recovering && !is_anothers(launch, ended->second)) return;
    ended_.erase(ended);
  }
  held_.erase(id);
  const AttemptSight sight = look_at_attempt(folder_of(id));
  if (is_anothers(launch, sight.identity)) return succeed(launch, recovering);
  switch (sight.stage) {
    case Stage::kRunning:
      adopt(id, sight, false);
      break;
    case Stage::kEnded:
      tell_end(id, sight.exit);
      break;
    case Stage::kDeserted:
      desert(id, sight, false, launch.identity);
      break;
    case Stage::kNew:
      if (recovering && other_boot_) {  // That nothing says that it was begun proves nothing.
        desert(id, sight, false, launch.identity);
      } else {
        start_new(launch);
      }
  }
}

/// Ends what another job has in the attempt's folder, then goes on with the attempt.
void LocalEngine::Worker::succeed(const Launch& launch, bool lost) {
  const AttemptId id = launch.id;
  end_unexpected(id);
  successors_[id] = {launch, lost};
  if (!running_.contains(id)) begin_successor(id);
}

void LocalEngine::Worker::begin_successor(AttemptId id) {
  const Successor next = std::move(successors_.extract(id).mapped());
  if (const Result<void> moved = set_attempt_aside(folder_of(id)); !moved)
    return fail_start(id, next.launch.identity, {moved.error().message, true}, false);
  if (!next.lost && !next.stopped) return start_new(next.launch);
  supervise::ExitRecord exit;
  exit.identity = next.launch.identity;
  exit.ending = next.stopped ? supervise::Ending::kStopped : supervise::Ending::kLost;
  exit.started_unix_ns = supervise::unix_now();
  if (next.lost) exit.note = "another job's attempt was found in its place";
  held_.insert_or_assign(id, Held{SteadyClock::now(), std::move(exit), true});
}

void LocalEngine::Worker::tell_start_again(AttemptId id, Running& running) {
  running.started_told = false;
  // Else its supervisor will tell, or it is looked at.
  if (const AttemptSight sight = look_at_attempt(folder_of(id)); sight.started_unix_ns)
    note_started(id, *sight.started_unix_ns);
}

void LocalEngine::Worker::handle(RecoverOrder& order) {
  {
    const std::lock_guard lock(mutex_);
    reports_.clear();  // What is still true is told anew.
  }
  std::set<AttemptId> expected;
  for (const Launch& launch : order.expected) expected.insert(launch.id);
  std::erase_if(successors_, [&](const auto& next) { return !expected.contains(next.first); });
  for (const Launch& launch : order.expected) take_up(launch, true);
  std::set<AttemptId> others;
  for (const AttemptId id : live_->all()) others.insert(id);
  for (const auto& [id, running] : running_) others.insert(id);
  for (const auto& [id, held] : held_) others.insert(id);
  for (const auto& [id, identity] : ended_) others.insert(id);
  for (const AttemptId id : others) {
    if (!expected.contains(id)) end_unexpected(id);
  }
  if (other_boot_ && boot_->renew()) other_boot_ = false;
}

/// Takes over a supervisor that another server started. Its process id is trusted only together with the
/// lock.
void LocalEngine::Worker::adopt(AttemptId id, const AttemptSight& sight, bool unexpected) {
  Descriptor process = open_process(sight.supervisor);
  const bool same = supervise::lock_holder(folder_of(id).string()) == sight.supervisor;
  Running running;
  running.supervisor = same ? sight.supervisor : 0;
  running.unexpected = unexpected;
  running.identity = sight.identity;
  if (const std::optional<supervise::LaunchRecord> record = read_launch_record(folder_of(id))) {
    constexpr std::int64_t kMilliPerCore = 1000;
    running.cores = record->cores;
    running.cpu_milli = static_cast<std::int64_t>(record->cores.size()) * kMilliPerCore;
    cores_.add(running.cores, running.cpu_milli);
  }
  const auto place = running_.insert_or_assign(id, std::move(running)).first;
  if (sight.started_unix_ns) note_started(id, *sight.started_unix_ns);
  watch(id, place->second, same ? std::move(process) : Descriptor());
}

/// `identity`: where the folder does not say it.
void LocalEngine::Worker::desert(AttemptId id, const AttemptSight& sight, bool unexpected,
                                 std::uint64_t identity) {
  Running& running = running_[id];
  running.unexpected = unexpected;
  running.sweeping = true;
  if (sight.identity || !running.identity) running.identity = sight.identity.value_or(identity);
  Leftovers leftovers;
  leftovers.id = id;
  if (const std::optional<supervise::LaunchRecord> record = read_launch_record(folder_of(id));
      record && !other_boot_) {
    leftovers.mark = record->mark;
    leftovers.control_group = record->control_group;
    leftovers.cleanup = record->cleanup;
  }
  if (sight.stage == Stage::kNew) {
    // Nobody may begin it any more. Where somebody just has, the sweep ends it.
    supervise::ExitRecord exit;
    exit.ending = supervise::Ending::kLost;
    exit.identity = *running.identity;
    exit.started_unix_ns = supervise::unix_now();
    exit.note = "the machine was started anew: whether it ran before cannot be known";
    write_exit_record(folder_of(id), exit, true);
  }
  sweeper_->sweep(std::move(leftovers));
}

void LocalEngine::Worker::end_unexpected(AttemptId id) {
  if (const auto found = running_.find(id); found != running_.end()) {
    found->second.unexpected = true;
    ask_to_end(id, found->second);
    return;
  }
  held_.erase(id);
  supervise::ExitRecord exit;
  exit.ending = supervise::Ending::kLost;
  exit.started_unix_ns = supervise::unix_now();
  exit.note = "its server expected it no more, before it began";
  exit.identity = attempt_identity(folder_of(id)).value_or(0);
  const AttemptSight sight = close_new(id, exit);
  switch (sight.stage) {
    case Stage::kRunning:
      adopt(id, sight, true);
      ask_to_end(id, running_[id]);
      break;
    case Stage::kDeserted:
      desert(id, sight, true);
      break;
    case Stage::kEnded:
    case Stage::kNew:
      forget(id);
  }
}

void LocalEngine::Worker::ask_to_stop(AttemptId id, const Running& running, Nanoseconds most_grace) {
  // The file tells, also a supervisor that is yet to begin; the signal wakes.
  send(id, running, write_stop(folder_of(id), most_grace) ? SIGUSR1 : SIGTERM);
}

/// Nobody has asked for its end: should its server expect it again, it was lost.
void LocalEngine::Worker::ask_to_end(AttemptId id, const Running& running) {
  if (!running.sweeping) send(id, running, SIGTERM);
}

/// To its supervisor, which blocks all signals from its first instruction.
void LocalEngine::Worker::send(AttemptId id, const Running& running, int signal) const {
  if (running.process) {
    ::syscall(SYS_pidfd_send_signal, running.process.get(), signal, nullptr, 0);
  } else if (running.own_child) {  // Not waited for yet: the number is still its own.
    ::kill(running.supervisor, signal);
  } else if (const std::optional<pid_t> holder = supervise::lock_holder(folder_of(id).string())) {
    ::kill(*holder, signal);
  }
}

}  // namespace gw::live
