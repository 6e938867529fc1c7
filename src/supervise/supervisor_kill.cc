// How a supervisor asks the processes of its attempt to end, and how it makes them.
#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "supervise/process_tree.h"
#include "supervise/supervisor.h"

namespace gw::supervise {
namespace {

constexpr std::int64_t kMillisecond = 1'000'000;
constexpr std::int64_t kFirstKillInterval = 20 * kMillisecond;
constexpr std::int64_t kLongestKillInterval = 1'000 * kMillisecond;

}  // namespace

/// One task has failed: the rest is asked to end.
void Supervisor::end_others() {
  if (phase_ != Phase::kRunning) return;
  phase_ = Phase::kEnding;
  ask_processes(SIGTERM);
  kill_at_ = later(boot_now(), record_.grace_ns);
}

void Supervisor::begin_end(Ending why) {
  if (!why_ && !failed_) why_ = why;
  end_others();
}

/// Whoever asks for the end may want it sooner than the job's own grace.
void Supervisor::shorten_grace() {
  if (phase_ != Phase::kEnding) return;
  const std::optional<std::string> bytes = read_file_at(AT_FDCWD, kStopFile);
  if (const std::optional<std::int64_t> most = decode_stop(bytes.value_or("")))
    kill_at_ = std::min(kill_at_, later(boot_now(), *most));
}

/// The tasks' process group, or 0. Its number is safe to use only while one of our own children is in it,
/// whom nobody else can reap.
pid_t Supervisor::living_group() const {
  for (const pid_t child : children_of(::getpid())) {
    if (group_ > 0 && ::getpgid(child) == group_) return group_;
  }
  return 0;
}

/// Sends a signal that a process may act on.
void Supervisor::ask_processes(int signal) {
  const auto is_task = [&](pid_t process) {
    return std::find(tasks_.begin(), tasks_.end(), process) != tasks_.end();
  };
  if (record_.reach == SignalReach::kTasksOnly) {
    for (const pid_t task : tasks_) {
      if (task > 0) ::kill(task, signal);
    }
    return;
  }
  // The whole group at once, so that what forks just now is not missed.
  const pid_t group = record_.reach == SignalReach::kEveryProcess ? living_group() : 0;
  if (group > 0) ::kill(-group, signal);
  for (const pid_t process : descendants_of(::getpid())) {
    if (record_.reach == SignalReach::kBelowTasks && is_task(process)) continue;
    if (group == 0 || ::getpgid(process) != group) ::kill(process, signal);
  }
}

/// Before the job's processes in line for a core, where we may: among thousands that fork, our turn would
/// come too late each time.
void Supervisor::get_ahead() {
  const sched_param priority{1};
  if (::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) != 0)
    ::setpriority(PRIO_PROCESS, 0, -20);
}

/// Kills all there is, at once and then again until nothing is left.
void Supervisor::kill_processes() {
  if (phase_ != Phase::kKilling) get_ahead();
  phase_ = Phase::kKilling;
  if (control_group_) control_group_->kill();
  if (const pid_t group = living_group(); group > 0) ::kill(-group, SIGKILL);
  kill_descendants(::getpid());
  kill_again_after_ =
      kill_again_after_ == 0 ? kFirstKillInterval : std::min(2 * kill_again_after_, kLongestKillInterval);
  kill_at_ = boot_now() + kill_again_after_;
}

}  // namespace gw::supervise
