// Search of /proc for processes by their environment.
#include "live/local_engine_leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>
#include <string_view>
#include <utility>

#include "supervise/control_group.h"
#include "supervise/records.h"
#include "supervise/system.h"

namespace gw::live {
namespace {

using supervise::Descriptor;

/// Whether a process carries one of the marks.
bool is_marked(const std::string& process, const std::set<std::string>& marks) {
  const std::optional<std::string> environment =
      supervise::read_file_at(AT_FDCWD, ("/proc/" + process + "/environ").c_str());
  if (!environment) return false;
  const std::string wanted = std::string(supervise::kMarkVariable) + '=';
  std::string_view left = *environment;
  while (!left.empty()) {
    const std::string_view entry = left.substr(0, left.find('\0'));
    if (entry.starts_with(wanted) && marks.contains(std::string(entry.substr(wanted.size())))) return true;
    left.remove_prefix(std::min(entry.size() + 1, left.size()));
  }
  return false;
}

/// Kills what is marked and can be seen now.
std::size_t kill_marked_once(const std::set<std::string>& marks) {
  std::size_t killed = 0;
  const std::unique_ptr<DIR, int (*)(DIR*)> processes(::opendir("/proc"), ::closedir);
  if (!processes) return 0;
  while (const dirent* entry = ::readdir(processes.get())) {
    const std::string name = entry->d_name;
    int number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc{} || end != name.data() + name.size() || number == ::getpid()) continue;
    if (!is_marked(name, marks)) continue;
    // Looked at again through a descriptor: by now the number may be another process's.
    const Descriptor process(static_cast<int>(::syscall(SYS_pidfd_open, number, 0)));
    if (!process || !is_marked(name, marks)) continue;
    if (::syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0) ++killed;
  }
  return killed;
}

void run_command(const std::vector<std::string>& command) {
  std::vector<std::string> words = command;
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  std::string path = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
  char* variables[] = {path.data(), nullptr};
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    ::posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t process = 0;
  if (::posix_spawn(&process, arguments.front(), &actions, &attributes, arguments.data(), variables) == 0) {
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
  }
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
}

}  // namespace

std::size_t kill_marked(const std::set<std::string>& marks) {
  constexpr int kMostRounds = 1000;  // Processes that cannot be killed must not hold this up for ever.
  std::size_t killed = 0;
  if (marks.empty()) return 0;
  for (int round = 0; round < kMostRounds; ++round) {
    const std::size_t now = kill_marked_once(marks);
    if (now == 0) break;
    killed += now;
    ::usleep(round < 10 ? 1'000 : 20'000);
  }
  return killed;
}

Sweeper::~Sweeper() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Sweeper::sweep(Leftovers leftovers) {
  const std::lock_guard lock(mutex_);
  waiting_.push_back(std::move(leftovers));
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  changed_.notify_all();
}

void Sweeper::work() {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // Signals are for the threads that expect them.
  while (true) {
    std::vector<Leftovers> batch;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return ending_ || !waiting_.empty(); });
      if (ending_) return;
      batch = std::exchange(waiting_, {});
    }
    std::set<std::string> marks;
    for (const Leftovers& left : batch) {
      if (!left.mark.empty()) marks.insert(left.mark);
    }
    kill_marked(marks);
    for (const Leftovers& left : batch) {
      if (!left.control_group.empty()) supervise::end_control_group(left.control_group);
      for (const std::vector<std::string>& command : left.cleanup) run_command(command);
      swept_(left.id);
    }
  }
}

}  // namespace gw::live
