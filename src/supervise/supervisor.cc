// The life of an attempt: its events, and what follows from each.
#include "supervise/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

#include "supervise/process_tree.h"

namespace gw::supervise {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kWatchInterval = kSecond;
constexpr std::int64_t kLongestNoteInterval = 10 * kSecond;

}  // namespace

Supervisor::Supervisor(Claimed claimed, int reports)
    : claimed_(std::move(claimed)), record_(*claimed_.record), reports_(reports) {
  exit_.identity = record_.identity;
  exit_.note = record_.note;
  tasks_.assign(record_.tasks.size(), 0);
}

void Supervisor::run() {
  exit_.started_unix_ns = unix_now();
  started_at_ = boot_now();
  if (prepare()) {
    start_tasks();
    wait_for_the_end();
  }
  finish();
}

void Supervisor::add_note(const std::string& text) {
  if (text.empty()) return;
  if (!exit_.note.empty()) exit_.note += "; ";
  exit_.note += text;
}

void Supervisor::fail_launch(std::string note, int exit_code) {
  if (!why_) {
    why_ = Ending::kLaunchFailed;
    launch_failed_ = true;
    exit_.exit_code = exit_code;
    exit_.note = exit_.note.empty() ? std::move(note) : std::move(note) + "; " + exit_.note;
  }
}

/// What the job did not cause: it may run later or elsewhere. False, with errno as it was.
bool Supervisor::fail_machine(const char* what) {
  const int error = errno;
  if (!why_) {
    fail_launch(std::string("its machine could not start it: ") + what + ": " + reason(error), 0);
    why_ = Ending::kLost;
  }
  return false;
}

/// False: there is nothing to wait for.
bool Supervisor::prepare() {
  sigset_t wanted;
  sigemptyset(&wanted);
  for (const int signal : {SIGCHLD, SIGTERM, SIGUSR1}) sigaddset(&wanted, signal);
  signals_ = Descriptor(::signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC));
  timer_ = Descriptor(::timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!signals_ || !timer_) return fail_machine("no descriptor for signals and time");
  // After the signals are held: a request that comes later finds us waiting for it.
  if (::access(kStopFile, F_OK) == 0) {
    why_ = Ending::kStopped;
    return false;
  }
  if (record_.working_folder.empty()) {
    if (::mkdir(kWorkFolder, 0700) != 0 && errno != EEXIST)
      return fail_machine("cannot make the working folder");
    if (record_.change_user && ::chown(kWorkFolder, record_.user, record_.group) != 0)
      return fail_machine("cannot give the working folder to the job's account");
  }
  if (!record_.control_group.empty()) {
    std::string notes;
    control_group_ = ControlGroup::make(record_, notes);
    add_note(notes);
  }
  memory_watched_ = record_.memory_bytes > 0 && !(control_group_ && control_group_->limits_memory());
  return true;
}

void Supervisor::start_tasks() {
  const auto failed = [&](const char* what) {
    fail_machine(what);
    kill_processes();
  };
  std::vector<Descriptor> ends;  // Of pipes, as the tasks have them.
  const auto make_pipe = [&]() -> Descriptor {
    int pair[2] = {-1, -1};
    if (::pipe2(pair, O_CLOEXEC) != 0) return {};
    ::fcntl(pair[0], F_SETFL, O_NONBLOCK);
    ends.emplace_back(pair[1]);
    return Descriptor(pair[0]);
  };
  status_ = make_pipe();
  const bool pipes = status_ && [&] {
    for (const char* stem : {kOutputStem, kErrorStem}) {
      if (stem == kErrorStem && !record_.separate_error) break;
      Descriptor pipe = make_pipe();
      if (!pipe) return false;
      captures_.push_back(
          {std::move(pipe), OutputLog(stem, record_.segment_bytes, record_.output_cap_bytes)});
    }
    return true;
  }();
  if (!pipes) return failed("no pipe for output");

  TaskSetting setting{record_};
  setting.null = STDIN_FILENO;
  setting.status = ends[0].get();
  setting.output = ends[1].get();
  setting.error = ends.back().get();
  setting.control_group = control_group_ ? &*control_group_ : nullptr;
  setting.memory_per_process = memory_watched_;
  for (std::size_t rank = 0; rank < tasks_.size(); ++rank) {
    const pid_t process = start_task(setting, rank);
    if (process < 0) return failed("no process for a task");
    if (group_ == 0) setting.group = group_ = process;
    tasks_[rank] = process;
    ++tasks_left_;
    children_left_ = true;
  }
  set_limit();
  read_limit();
  if (memory_watched_) watch_at_ = started_at_ + kWatchInterval / 4;
}

void Supervisor::set_limit() {
  limit_at_ = later(started_at_, record_.limit_ns);
  if (record_.warning_signal > 0)
    warn_at_ = std::max(started_at_, limit_at_ - std::min(record_.warning_before_ns, limit_at_));
}

/// The limit may have become another: the job runs slower for its operator's sake, or no longer does.
void Supervisor::read_limit() {
  const std::optional<std::string> bytes = read_file_at(AT_FDCWD, kLimitFile);
  const std::optional<std::int64_t> limit = decode_limit(bytes.value_or(""));
  if (!limit || *limit == record_.limit_ns || phase_ != Phase::kRunning) return;
  record_.limit_ns = *limit;
  const bool warned = warn_at_ == 0;
  set_limit();
  if (warned && warn_at_ <= boot_now()) warn_at_ = 0;
}

void Supervisor::wait_for_the_end() {
  while (true) {
    if (tasks_left_ == 0) {
      if (!children_left_) break;
      if (phase_ != Phase::kKilling) kill_processes();  // What outlives the job's own processes.
    }
    set_timer();
    wait_once();
  }
  read_status();
  for (Capture& capture : captures_) {
    // What is in the pipe now, not more: someone else may hold its other end and write for ever.
    int left = 0;
    if (!capture.pipe || ::ioctl(capture.pipe.get(), FIONREAD, &left) != 0) continue;
    const std::uint64_t end = capture.log.bytes() + static_cast<std::uint64_t>(left);
    while (capture.log.bytes() < end && read_output(capture)) {
    }
  }
}

void Supervisor::wait_once() {
  pollfd wanted[5] = {{signals_.get(), POLLIN, 0}, {timer_.get(), POLLIN, 0}, {status_.get(), POLLIN, 0}};
  nfds_t count = 3;
  for (const Capture& capture : captures_) wanted[count++] = {capture.pipe.get(), POLLIN, 0};
  if (::poll(wanted, count, -1) < 0) return;
  for (nfds_t index = 3; index < count; ++index) {
    if (wanted[index].revents != 0) read_output(captures_[index - 3]);
  }
  if (wanted[2].revents != 0) read_status();  // Before the end of a task that could not start is seen.
  if (wanted[0].revents != 0) read_signals();
  if (wanted[1].revents != 0) act_on_time();
}

void Supervisor::read_signals() {
  signalfd_siginfo read[16];
  bool children = false;
  while (true) {
    const ssize_t got = ::read(signals_.get(), read, sizeof read);
    if (got <= 0) break;
    for (std::size_t index = 0; index < static_cast<std::size_t>(got) / sizeof read[0]; ++index) {
      const auto signal = static_cast<int>(read[index].ssi_signo);
      if (signal == SIGCHLD) children = true;
      if (signal == SIGUSR1) read_limit();
      if (signal == SIGCHLD || (signal == SIGUSR1 && ::access(kStopFile, F_OK) != 0)) continue;
      if (::access(kStopFile, F_OK) == 0) {
        begin_end(Ending::kStopped);
        shorten_grace();
      } else if (!why_) {
        add_note(
            "its supervisor was asked to end by SIGTERM, as when the machine is shut down or its server "
            "expects "
            "it no more");
        begin_end(Ending::kLost);
      }
    }
  }
  if (children) reap();
}

/// Failed starts, and the end of the pipe: every task has become its command, or has given up.
void Supervisor::read_status() {
  StartFailure failure;
  while (status_) {
    const ssize_t got = ::read(status_.get(), &failure, sizeof failure);
    if (got == static_cast<ssize_t>(sizeof failure)) {
      fail_launch(failure);
    } else if (got == 0) {
      status_.close();
      if (launch_failed_ || started_) return;
      started_ = true;
      exit_.ran = true;
      note_time(boot_now());
      if (reports_ >= 0) {
        const StartedMessage message{record_.job, record_.attempt, exit_.started_unix_ns};
        (void)!::write(reports_, &message, sizeof message);
      }
    } else if (got < 0 && errno == EINTR) {
      continue;
    } else {
      return;
    }
  }
}

void Supervisor::fail_launch(const StartFailure& failure) {
  if (why_) return;
  if (is_machines(failure)) {
    fail_launch("its machine could not start it: " + text_of(failure, record_), 0);
    why_ = Ending::kLost;
  } else {
    fail_launch(text_of(failure, record_), exit_code_of(failure));
  }
  if (tasks_.size() > 1) kill_processes();
}

/// False when there is nothing to read now; a pipe at its end is closed.
bool Supervisor::read_output(Capture& capture) {
  static char buffer[std::size_t{1} << 16];
  const ssize_t got = ::read(capture.pipe.get(), buffer, sizeof buffer);
  if (got > 0) {
    capture.log.append({buffer, static_cast<std::size_t>(got)});
    return true;
  }
  if (got == 0) capture.pipe.close();
  return got < 0 && errno == EINTR;
}

void Supervisor::reap() {
  while (true) {
    int status = 0;
    const pid_t process = ::waitpid(-1, &status, WNOHANG);
    if (process <= 0) {
      children_left_ = process == 0;
      return;
    }
    const auto task = std::find(tasks_.begin(), tasks_.end(), process);
    if (task == tasks_.end()) continue;  // An orphan of the job that came to us.
    *task = 0;
    --tasks_left_;
    task_ended(static_cast<std::size_t>(task - tasks_.begin()), status);
  }
}

void Supervisor::task_ended(std::size_t rank, int status) {
  read_status();
  if (status == 0 || failed_ || launch_failed_) return;
  failed_ = true;
  if (WIFSIGNALED(status)) {
    exit_.signal = WTERMSIG(status);
  } else {
    exit_.exit_code = WEXITSTATUS(status);
  }
  if (why_ || tasks_.size() == 1) return;
  std::string note = "task ";
  append_number(note, rank);
  add_note(note + " was the first to fail");
  if (tasks_left_ > 0) end_others();
}

void Supervisor::act_on_time() {
  std::uint64_t times = 0;
  (void)!::read(timer_.get(), &times, sizeof times);
  timer_at_ = 0;
  const std::int64_t now = boot_now();
  const auto is_due = [&](std::int64_t& at) {
    if (at == 0 || now < at) return false;
    at = 0;
    return true;
  };
  if (is_due(warn_at_) && phase_ == Phase::kRunning) {
    if (record_.warn_every_process) {
      ask_processes(record_.warning_signal);
    } else {
      for (const pid_t task : tasks_) {
        if (task > 0) ::kill(task, record_.warning_signal);
      }
    }
  }
  if (is_due(limit_at_) && phase_ == Phase::kRunning) begin_end(Ending::kTimeLimit);
  if (is_due(watch_at_)) watch_memory(now);
  if (is_due(note_at_)) note_time(now);
  if (is_due(kill_at_)) kill_processes();
}

void Supervisor::watch_memory(std::int64_t now) {
  if (phase_ == Phase::kKilling) return;
  const std::uint64_t memory = memory_of(descendants_of(::getpid()));
  exit_.memory_peak_bytes = std::max(exit_.memory_peak_bytes, memory);
  watch_at_ = now + kWatchInterval;
  if (memory <= record_.memory_bytes) return;
  if (!why_) {
    std::string note = "its processes held ";
    append_number(note, memory >> 20);
    note += " MiB together, more than its ";
    append_number(note, record_.memory_bytes >> 20);
    add_note(note + " MiB");
    why_ = Ending::kOutOfMemory;
  }
  kill_processes();
}

/// Should it be lost with its machine, it is charged for what has been noted last.
void Supervisor::note_time(std::int64_t now) {
  const std::int64_t ran = now - started_at_;
  write_start(claimed_, exit_.started_unix_ns, ran);
  note_at_ = later(now, std::clamp(ran, kSecond, kLongestNoteInterval));
}

void Supervisor::set_timer() {
  std::int64_t next = 0;
  for (const std::int64_t at : {warn_at_, limit_at_, kill_at_, watch_at_, note_at_}) {
    if (at != 0 && (next == 0 || at < next)) next = at;
  }
  if (next == timer_at_) return;
  timer_at_ = next;
  const itimerspec when{{}, {static_cast<time_t>(next / kSecond), static_cast<long>(next % kSecond)}};
  ::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
}

}  // namespace gw::supervise
