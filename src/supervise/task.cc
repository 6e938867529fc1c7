// What a task does between fork and exec.
#include "supervise/task.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string_view>
#include <vector>

#include "base/utf8.h"
#include "supervise/system.h"

namespace gw::supervise {
namespace {

const std::vector<std::string>& command_of(const LaunchRecord& record, std::size_t rank) {
  const TaskRecord& task = record.tasks[rank];
  return task.command.empty() ? record.command : task.command;
}

/// Everything happens in the new process, which ends in the command or in `give_up`.
class NewTask {
 public:
  NewTask(const TaskSetting& setting, std::size_t rank, pid_t supervisor)
      : setting_(setting),
        record_(setting.record),
        task_(setting.record.tasks[rank]),
        rank_(static_cast<std::uint32_t>(rank)),
        supervisor_(supervisor) {}

  [[noreturn]] void become_command() {
    ::setpgid(0, setting_.group);
    take_descriptors();
    take_limits();
    if (record_.working_folder.empty()) enter(kWorkFolder);  // It may lie where its user cannot go.
    if (record_.change_user) become_user();
    ::umask(022);
    // Last of what concerns the user: the kernel forgets this signal when a process changes its user.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != supervisor_) ::_exit(1);
    if (record_.no_new_privileges) ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!record_.working_folder.empty()) enter(record_.working_folder.c_str());
    open_files();
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    run();
  }

  [[noreturn]] void give_up(StartStage stage, int error) const {
    const StartFailure failure{rank_, stage, error};
    (void)!::write(setting_.status, &failure, sizeof failure);
    ::_exit(exit_code_of(failure));
  }

 private:
  void take_descriptors() const {
    if (::dup2(setting_.null, STDIN_FILENO) < 0 || ::dup2(setting_.output, STDOUT_FILENO) < 0 ||
        ::dup2(setting_.error, STDERR_FILENO) < 0)
      give_up(StartStage::kInput, errno);
    if (task_.input.empty()) return;
    constexpr int kInputDescriptor = 3;
    const int memory = ::memfd_create("input", MFD_CLOEXEC);
    if (memory < 0 || !write_all(memory, task_.input) || ::lseek(memory, 0, SEEK_SET) != 0)
      give_up(StartStage::kInput, errno);
    if (memory == kInputDescriptor) {
      ::fcntl(memory, F_SETFD, 0);
    } else if (::dup2(memory, kInputDescriptor) < 0) {
      give_up(StartStage::kInput, errno);
    }
  }

  void take_limits() const {
    if (!record_.cores.empty()) {
      cpu_set_t cores;
      CPU_ZERO(&cores);
      for (const std::uint32_t core : record_.cores) {
        if (core < CPU_SETSIZE) CPU_SET(core, &cores);
      }
      if (::sched_setaffinity(0, sizeof cores, &cores) != 0) give_up(StartStage::kLimits, errno);
    }
    if (!record_.processes_by_group && record_.processes_max > 0) {
      rlimit processes{};
      ::getrlimit(RLIMIT_NPROC, &processes);
      processes.rlim_cur = std::min<rlim_t>(record_.processes_max, processes.rlim_max);
      ::setrlimit(RLIMIT_NPROC, &processes);
    }
    rlimit files{};
    if (record_.open_files > 0 && ::getrlimit(RLIMIT_NOFILE, &files) == 0 &&
        record_.open_files < files.rlim_cur) {
      files.rlim_cur = record_.open_files;
      ::setrlimit(RLIMIT_NOFILE, &files);
    }
  }

  /// Of its data, not of its address space: CUDA, Java and Go reserve far more than they use.
  void limit_memory() const {
    if (!setting_.memory_per_process || record_.memory_bytes == 0) return;
    const rlimit limit{record_.memory_bytes, record_.memory_bytes};
    if (::setrlimit(RLIMIT_DATA, &limit) != 0) give_up(StartStage::kLimits, errno);
  }

  void become_user() const {
    const std::vector<gid_t> groups(record_.groups.begin(), record_.groups.end());
    if (::setgroups(groups.size(), groups.data()) != 0 || ::setgid(record_.group) != 0 ||
        ::setuid(record_.user) != 0)
      give_up(StartStage::kUser, errno);
    if (record_.user != 0 && ::setuid(0) == 0) give_up(StartStage::kUser, EPERM);
  }

  void enter(const char* folder) const {
    if (::chdir(folder) != 0) give_up(StartStage::kWorkingFolder, errno);
  }

  void open_file(const std::string& name, int descriptor, StartStage stage) const {
    const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOCTTY | O_CLOEXEC, 0644);
    if (file < 0 || ::dup2(file, descriptor) < 0) give_up(stage, errno);
  }

  void open_files() const {
    if (!task_.output.empty()) open_file(task_.output, STDOUT_FILENO, StartStage::kOutput);
    if (!task_.error.empty()) {
      open_file(task_.error, STDERR_FILENO, StartStage::kError);
    } else if (!task_.output.empty()) {
      ::dup2(STDOUT_FILENO, STDERR_FILENO);
    }
  }

  /// execvp, but with the task's own PATH, and without its habit to hand a file of no format to a shell.
  [[noreturn]] void run() {
    std::vector<std::string> environment = record_.environment;
    for (const auto& [index, text] : task_.environment) environment[index] = text;
    std::vector<char*> variables;
    std::string_view path = "/usr/local/bin:/usr/bin:/bin";
    constexpr std::string_view kPath = "PATH=";
    for (std::string& entry : environment) {
      if (std::string_view(entry).starts_with(kPath)) path = std::string_view(entry).substr(kPath.size());
      variables.push_back(entry.data());
    }
    variables.push_back(nullptr);
    std::vector<std::string> command = command_of(record_, rank_);
    std::vector<char*> arguments;
    for (std::string& argument : command) arguments.push_back(argument.data());
    arguments.push_back(nullptr);

    const std::string name = command.front();
    std::string candidate;
    candidate.reserve(path.size() + name.size() + 2);
    limit_memory();  // From here on we take none ourselves.
    if (name.find('/') != std::string::npos) {
      ::execve(name.c_str(), arguments.data(), variables.data());
      give_up_to_run(name, errno);
    }
    int error = ENOENT;
    while (!name.empty() && !path.empty()) {
      const std::size_t end = path.find(':');
      candidate = path.substr(0, end);
      if (candidate.empty()) candidate = ".";
      candidate += '/';
      candidate += name;
      ::execve(candidate.c_str(), arguments.data(), variables.data());
      if (errno == EACCES) {
        error = EACCES;  // Unless a later folder has it.
      } else if (errno != ENOENT && errno != ENOTDIR) {
        give_up_to_run(candidate, errno);
      } else if (::access(candidate.c_str(), F_OK) == 0) {
        give_up(StartStage::kRunScript, ENOENT);
      }
      if (end == std::string_view::npos) break;
      path.remove_prefix(end + 1);
    }
    give_up(StartStage::kRun, error);
  }

  [[noreturn]] void give_up_to_run(const std::string& file, int error) const {
    const bool exists = error == ENOENT && ::access(file.c_str(), F_OK) == 0;
    give_up(exists ? StartStage::kRunScript : StartStage::kRun, error);
  }

  const TaskSetting& setting_;
  const LaunchRecord& record_;
  const TaskRecord& task_;
  std::uint32_t rank_;
  pid_t supervisor_;
};

std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 200;
  std::string result = "'";
  const std::string_view front = utf8_front(text, kMost);
  result += front;
  if (text.size() > front.size()) result += "...";
  return result + "'";
}

}  // namespace

std::string text_of(const StartFailure& failure, const LaunchRecord& record) {
  if (failure.rank >= record.tasks.size()) return "a task could not be started";
  const TaskRecord& task = record.tasks[failure.rank];
  std::string_view name = command_of(record, failure.rank).front();
  if (const std::size_t slash = name.rfind('/');
      slash != std::string_view::npos && name.substr(slash + 1) == kScriptFile)
    name = name.substr(slash + 1);  // Its folder says nothing to its owner.
  std::string text;
  switch (failure.stage) {
    case StartStage::kRun:
      text = "cannot run " + quoted(name);
      break;
    case StartStage::kRunScript:
      return "cannot run " + quoted(name) + ": the interpreter that its first line names does not exist";
    case StartStage::kInput:
      text = "cannot prepare the task's input and output";
      break;
    case StartStage::kLimits:
      text = "cannot set the task's limits";
      break;
    case StartStage::kUser:
      text = "cannot change to the job's account";
      break;
    case StartStage::kWorkingFolder:
      text = "cannot enter the working folder";
      if (!record.working_folder.empty()) text += ' ' + quoted(record.working_folder);
      break;
    case StartStage::kOutput:
      text = "cannot open the output file " + quoted(task.output);
      break;
    case StartStage::kError:
      text = "cannot open the error file " + quoted(task.error);
      break;
  }
  text += ": ";
  text += reason(failure.error);
  return text;
}

bool is_machines(const StartFailure& failure) {
  switch (failure.stage) {
    case StartStage::kInput:
    case StartStage::kLimits:
    case StartStage::kUser:
      return true;
    default:
      return failure.error == EIO || failure.error == EAGAIN || failure.error == ENFILE;
  }
}

int exit_code_of(const StartFailure& failure) {
  constexpr int kNotFound = 127;
  constexpr int kNotRunnable = 126;
  return failure.stage == StartStage::kRun && failure.error == ENOENT ? kNotFound : kNotRunnable;
}

pid_t start_task(const TaskSetting& setting, std::size_t rank) {
  const pid_t supervisor = ::getpid();
  pid_t process = -1;
  bool in_group = setting.control_group == nullptr;
  if (!in_group) {
    // Started inside: to move a running process costs milliseconds, since all of the machine waits for it.
    clone_args arguments{};
    arguments.flags = CLONE_INTO_CGROUP;
    arguments.exit_signal = SIGCHLD;
    arguments.cgroup = static_cast<std::uint64_t>(setting.control_group->descriptor());
    process = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
    in_group = process >= 0;
  }
  if (process < 0) process = ::fork();
  if (process == 0) {
    NewTask task(setting, rank, supervisor);
    if (!in_group && !setting.control_group->join()) task.give_up(StartStage::kLimits, errno);
    task.become_command();
  }
  // Here as well, so that the group exists whichever of the two comes first.
  if (process > 0) ::setpgid(process, setting.group == 0 ? process : setting.group);
  return process;
}

}  // namespace gw::supervise
