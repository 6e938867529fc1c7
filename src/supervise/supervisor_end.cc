// What remains to do for an attempt when all its processes have gone.
#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <ctime>

#include "base/utf8.h"
#include "supervise/supervisor.h"

namespace gw::supervise {
namespace {

std::int64_t nanoseconds_of(const timeval& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + std::int64_t{time.tv_usec} * 1'000;
}

}  // namespace

/// Each command gets a few seconds: what it removes is out of our reach.
void Supervisor::run_cleanup() {
  constexpr int kSeconds = 20;
  for (std::vector<std::string>& command : record_.cleanup) {
    const pid_t process = ::fork();
    if (process < 0) continue;
    if (process == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::dup2(STDIN_FILENO, STDOUT_FILENO);
      ::dup2(STDIN_FILENO, STDERR_FILENO);
      ::alarm(kSeconds);
      if (record_.change_user) {  // What the account's own tool made, that tool removes.
        const std::vector<gid_t> groups(record_.groups.begin(), record_.groups.end());
        if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(record_.group) != 0 ||
            ::setuid(record_.user) != 0)
          ::_exit(1);
      }
      sigset_t none;
      sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      std::vector<char*> arguments;
      for (std::string& argument : command) arguments.push_back(argument.data());
      arguments.push_back(nullptr);
      std::vector<char*> variables;
      for (std::string& variable : record_.environment) variables.push_back(variable.data());
      variables.push_back(nullptr);
      ::execve(arguments[0], arguments.data(), variables.data());
      ::_exit(1);
    }
    int status = 0;
    ::waitpid(process, &status, 0);
  }
}

std::string Supervisor::output_note() const {
  std::string note;
  for (const Capture& capture : captures_) {
    if (capture.log.lost_bytes() > 0) {
      if (!note.empty()) note += "; ";
      append_number(note, capture.log.lost_bytes());
      note += " bytes of its output could not be written: ";
      note += reason(capture.log.error());
    }
    if (capture.log.dropped_bytes() > 0) {
      if (!note.empty()) note += "; ";
      note += "the oldest ";
      append_number(note, capture.log.dropped_bytes());
      note += " bytes of its output were dropped: it printed more than is kept";
    }
  }
  return note;
}

void Supervisor::finish() {
  // What the machine could not start has cost its owner nothing.
  if (!launch_failed_ || why_ != Ending::kLost) exit_.duration_ns = boot_now() - started_at_;
  if (why_) {
    exit_.ending = *why_;
  } else if (failed_) {
    exit_.ending = exit_.signal != 0 ? Ending::kSignalled : Ending::kExited;
  }
  if (!record_.cleanup.empty()) run_cleanup();

  rusage usage{};
  ::getrusage(RUSAGE_CHILDREN, &usage);
  exit_.cpu_ns = nanoseconds_of(usage.ru_utime) + nanoseconds_of(usage.ru_stime);
  exit_.memory_peak_bytes =
      std::max(exit_.memory_peak_bytes, static_cast<std::uint64_t>(usage.ru_maxrss) * 1024);
  if (control_group_) {
    exit_.cpu_ns = std::max(exit_.cpu_ns, control_group_->cpu_ns());
    if (const std::uint64_t peak = control_group_->memory_peak_bytes(); peak > 0)
      exit_.memory_peak_bytes = peak;
    if (!why_ && exit_.signal == SIGKILL && control_group_->out_of_memory_kills() > 0) {
      exit_.ending = Ending::kOutOfMemory;
      add_note("the kernel killed it for its memory");
    }
    control_group_->remove();
  }
  for (const Capture& capture : captures_) {
    exit_.output_bytes += capture.log.bytes();
    exit_.output_lost_bytes += capture.log.lost_bytes() + capture.log.dropped_bytes();
  }
  add_note(output_note());
  exit_.note = clean_line(exit_.note, kExitRecordBytes);  // Names that a job chose stand in it.
  write_exit(AT_FDCWD, claimed_.claim.get(), exit_);
}

}  // namespace gw::supervise
