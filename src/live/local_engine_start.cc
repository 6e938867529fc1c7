// How attempts start, and what becomes of those that do not.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "live/job_output.h"
#include "live/local_engine_worker.h"
#include "supervise/claim.h"

namespace gw::live {

namespace fs = std::filesystem;
using supervise::Descriptor;

namespace {

using Stage = AttemptSight::Stage;

/// Descriptor on which a supervisor finds the engine's pipe.
constexpr int kReportsDescriptor = 3;

std::string random_mark() {
  std::array<unsigned char, 16> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) return {};
  std::string mark;
  for (const unsigned char byte : bytes) mark += fmt::format("{:02x}", byte);
  return mark;
}

/// Why a supervisor ended that had not claimed its attempt.
std::string failed_supervisor(int status) {
  if (WIFSIGNALED(status))
    return fmt::format("its supervisor was killed by signal {} before it began", WTERMSIG(status));
  const int code = WEXITSTATUS(status);
  if (code > supervise::kFailedStatus) {
    const int error = code - supervise::kFailedStatus;
    return fmt::format("its supervisor could not begin: {}{}", std::generic_category().message(error),
                       error == ENOSPC ? "; free some space" : "");
  }
  return fmt::format("its supervisor could not begin (status {})", code);
}

}  // namespace

const LocalEngine::Worker::FoundAccount& LocalEngine::Worker::account_of(const std::string& name) {
  constexpr std::chrono::seconds kFresh(30);  // A look-up may ask a server somewhere.
  constexpr std::chrono::seconds kFailed(1);
  const auto now = SteadyClock::now();
  auto found = accounts_.find(name);
  if (found == accounts_.end() || found->second.until < now) {
    FoundAccount account = find_account(name);
    const auto until = now + (account || account.error().unknown ? kFresh : kFailed);
    found = accounts_.insert_or_assign(name, CachedAccount{std::move(account), until}).first;
  }
  return found->second.account;
}

std::expected<LaunchSite, LocalEngine::Worker::StartError> LocalEngine::Worker::make_site(
    const Launch& launch) {
  LaunchSite site;
  site.folder = folder_of(launch.id);
  site.account = own_account_;
  if (!launch.unix_user.empty()) {
    const FoundAccount& account = account_of(launch.unix_user);
    if (!account) return std::unexpected(StartError{account.error().message, !account.error().unknown});
    site.account = *account;
    if (account->user != own_account_.user) {
      if (::geteuid() != 0) {
        return std::unexpected(StartError{
            fmt::format("jobs cannot run as '{}': the server runs as '{}', and only root can change",
                        launch.unix_user, own_account_.name),
            false});
      }
      site.change_user = true;
    }
  }
  site.mark = random_mark();
  if (site.mark.empty()) return std::unexpected(StartError{"the system gives no random numbers", true});
  site.groups = groups_;
  if (!groups_.cpu) site.cores = cores_.take(total_cpu_milli(launch));
  site.open_files = open_files_;
  site.now_unix_ns = supervise::unix_now();
  return site;
}

void LocalEngine::Worker::start_new(const Launch& launch) {
  const AttemptId id = launch.id;
  const fs::path folder = folder_of(id);
  Running running;
  running.identity = launch.identity;
  running.cpu_milli = total_cpu_milli(launch);
  const auto failed = [&](const Error& error, bool machine = true) {
    cores_.give_back(running.cores, running.cpu_milli);
    fail_start(id, launch.identity, {error.message, machine}, running.prepared_before);
  };
  if (std::optional<supervise::LaunchRecord> before = read_launch_record(folder)) {
    // Prepared by a server that was killed; its supervisor may be about to begin.
    running.prepared_before = true;
    running.cores = std::move(before->cores);
    cores_.add(running.cores, running.cpu_milli);
  } else {
    const std::expected<LaunchSite, StartError> site = make_site(launch);
    if (!site) return failed({site.error().message}, site.error().machine);
    running.cores = site->cores;
    const Result<supervise::LaunchRecord> record = make_launch_record(launch, options_.rules, *site);
    if (!record) return failed(record.error(), false);
    const std::optional<Owner> owner =
        site->change_user ? std::optional(Owner{site->account.user, site->account.group}) : std::nullopt;
    if (const Result<void> written = write_attempt(folder, *record, launch.spec->script, owner); !written)
      return failed(written.error());
  }
  if (const Result<void> added = live_->add(id, folder / supervise::kLaunchFile); !added)
    return failed(added.error());
  if (const Result<void> spawned = spawn(id, running); !spawned) return failed(spawned.error());
  Descriptor process = open_process(running.supervisor);
  watch(id, running_.emplace(id, std::move(running)).first->second, std::move(process));
}

Descriptor LocalEngine::Worker::open_process(pid_t process) {
  return Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)));
}

Result<void> LocalEngine::Worker::spawn(AttemptId id, Running& running) {
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t all;
  sigfillset(&all);
  // Blocked from its first instruction, so that no request to stop is lost or deadly before it listens.
  ::posix_spawnattr_setsigmask(&attributes, &all);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, reports_write_.get(), kReportsDescriptor);
  std::string name = options_.supervisor.filename().string();
  std::string folder = folder_of(id).string();
  std::string descriptor = fmt::format("{}", kReportsDescriptor);
  std::array<char*, 4> arguments = {name.data(), folder.data(), descriptor.data(), nullptr};
  std::array<char*, 1> variables = {nullptr};
  const int error = ::posix_spawn(&running.supervisor, options_.supervisor.c_str(), &actions, &attributes,
                                  arguments.data(), variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error == 0) {
    running.own_child = true;
    return {};
  }
  return fail(
      fmt::format("cannot run {}: {}", options_.supervisor.string(), std::generic_category().message(error)));
}

void LocalEngine::Worker::watch(AttemptId id, Running& running, Descriptor process) {
  keys_.erase(running.key);
  running.key = next_key_++;
  running.process = std::move(process);
  epoll_event event{EPOLLIN, {.u64 = running.key}};
  if (!options_.process_descriptors) running.process.close();
  if (running.process && ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, running.process.get(), &event) == 0) {
    keys_[running.key] = id;
  } else {
    running.process.close();
  }
  if (!running.process || (!running.own_child && !running.started_told)) unwatched_.insert(id);
}

/// Attempts without a descriptor to wait on, and those whose start nobody tells us.
void LocalEngine::Worker::look_at_unwatched() {
  const std::set<AttemptId> ids = unwatched_;
  for (const AttemptId id : ids) {
    const auto found = running_.find(id);
    if (found == running_.end()) {
      unwatched_.erase(id);
      continue;
    }
    Running& running = found->second;
    if (running.sweeping) continue;
    const AttemptSight sight = look_at_attempt(folder_of(id));
    if (sight.started_unix_ns) note_started(id, *sight.started_unix_ns);
    if (running.process) {
      if (running.started_told) unwatched_.erase(id);
      continue;
    }
    siginfo_t info{};
    const bool starting =
        sight.stage == Stage::kNew && running.own_child &&
        ::waitid(P_PID, static_cast<id_t>(running.supervisor), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid == 0;
    if (sight.stage != Stage::kRunning && !starting) supervisor_ended(id);
  }
}

void LocalEngine::Worker::supervisor_ended(AttemptId id) {
  const auto found = running_.find(id);
  if (found == running_.end() || found->second.sweeping) return;
  Running& running = found->second;
  read_started();
  siginfo_t info{};
  int status = 0;
  if (running.own_child &&
      ::waitid(P_PID, static_cast<id_t>(running.supervisor), &info, WEXITED | WNOHANG) == 0 &&
      info.si_pid == running.supervisor) {
    status = info.si_code == CLD_EXITED ? W_EXITCODE(info.si_status, 0) : W_EXITCODE(0, info.si_status);
  }
  keys_.erase(running.key);
  running.process.close();
  const AttemptSight sight = look_at_attempt(folder_of(id));
  switch (sight.stage) {
    case Stage::kEnded:
      finish(id, sight.exit, sight.exit.ending == supervise::Ending::kLost && !sight.exit.ran);
      break;
    case Stage::kRunning: {  // Under another supervisor, which came first.
      const bool unexpected = running.unexpected;
      cores_.give_back(running.cores, running.cpu_milli);
      adopt(id, sight, unexpected);
      if (unexpected) ask_to_end(id, running_[id]);
      break;
    }
    case Stage::kDeserted:
      desert(id, sight, running.unexpected);
      break;
    case Stage::kNew: {
      const std::uint64_t identity = running.identity.value_or(0);
      const bool unexpected = running.unexpected;
      cores_.give_back(running.cores, running.cpu_milli);
      unwatched_.erase(id);
      running_.erase(found);
      // Or what it left cannot be read now.
      fail_start(id, identity, {failed_supervisor(status), true}, true);
      if (!unexpected) break;
      end_unexpected(id);
      if (successors_.contains(id) && !running_.contains(id)) begin_successor(id);
    }
  }
}

/// It never ran. Where its machine is to blame, it is lost, so that it may run later or elsewhere.
/// `maybe_begun`: some supervisor may be about to begin it.
void LocalEngine::Worker::fail_start(AttemptId id, std::uint64_t identity, StartError error,
                                     bool maybe_begun) {
  supervise::ExitRecord exit;
  exit.identity = identity;
  exit.started_unix_ns = supervise::unix_now();
  if (error.machine) {
    exit.ending = supervise::Ending::kLost;
    exit.note = "its machine could not start it: " + error.message;
    hold(id, std::move(exit), maybe_begun);
    return;
  }
  exit.ending = supervise::Ending::kLaunchFailed;
  exit.note = std::move(error.message);
  write_exit_record(folder_of(id), exit, true);
  tell_end(id, exit);
}

/// Told too soon, a failure of the machine would eat up one job after the other: each is told later than the
/// one before, until one starts.
void LocalEngine::Worker::hold(AttemptId id, supervise::ExitRecord exit, bool maybe_begun) {
  using std::chrono::seconds;
  held_.insert_or_assign(id, Held{SteadyClock::now() + fault_delay_, std::move(exit), maybe_begun});
  fault_delay_ = std::clamp(2 * fault_delay_, seconds(1), seconds(30));
}

void LocalEngine::Worker::tell_held() {
  const SteadyClock::time_point now = SteadyClock::now();
  std::vector<AttemptId> due;
  for (const auto& [id, held] : held_) {
    if (held.due <= now) due.push_back(id);
  }
  for (const AttemptId id : due) {
    Held held = std::move(held_.extract(id).mapped());
    const AttemptSight sight = close_new(id, held.exit);
    switch (sight.stage) {
      case Stage::kNew:  // Even that could not be written.
        if (held.maybe_begun) {
          hold(id, std::move(held.exit), true);
          break;
        }
        tell_end(id, held.exit);
        break;
      case Stage::kEnded:
        // Or it is still another job's, that could not be moved out of the way.
        tell_end(id, sight.exit.identity == held.exit.identity ? sight.exit : held.exit);
        break;
      case Stage::kRunning:
        adopt(id, sight, false);
        break;
      case Stage::kDeserted:
        desert(id, sight, false);
    }
  }
}

/// Sees to it that nobody begins an attempt any more that nobody has begun; gives what its folder says then.
AttemptSight LocalEngine::Worker::close_new(AttemptId id, const supervise::ExitRecord& exit) const {
  AttemptSight sight = look_at_attempt(folder_of(id));
  if (sight.stage != Stage::kNew) return sight;
  write_exit_record(folder_of(id), exit, true);
  return look_at_attempt(folder_of(id));
}

}  // namespace gw::live
