// The engine's thread: orders in, ends of supervisors in, reports out.
#include "live/local_engine_worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <utility>

#include "base/utf8.h"
#include "live/job_output.h"

namespace gw::live {

namespace fs = std::filesystem;
using supervise::Descriptor;

namespace {

constexpr std::uint64_t kOrdersKey = 1;
constexpr std::uint64_t kReportsKey = 2;

std::string reason(int error) { return std::generic_category().message(error); }

std::uint64_t processes_of_machine() {
  const std::optional<std::string> text = supervise::read_file_at(AT_FDCWD, "/proc/sys/kernel/pid_max");
  return text ? std::strtoull(text->c_str(), nullptr, 10) : 0;
}

/// A server that was just killed may hold the lock for a moment, through a child that it was starting.
bool lock_soon(int descriptor) {
  constexpr int kTries = 50;
  for (int number = 0; number < kTries; ++number) {
    if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK) return false;
    ::usleep(10'000);
  }
  return false;
}

}  // namespace

Result<void> LocalEngine::Worker::open() {
  const fs::path& folder = options_.folder;
  live_ = std::make_unique<LiveList>(folder / "live");
  if (Result<void> made = live_->make(); !made) return made;
  folder_lock_ = Descriptor(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!folder_lock_)
    return fail(fmt::format("{}: cannot write: {}", (folder / "lock").string(), reason(errno)));
  if (!lock_soon(folder_lock_.get())) {
    return fail(fmt::format("{}: another server uses this folder; stop it, or choose another folder",
                            folder.string()));
  }
  boot_ = std::make_unique<BootNote>(folder / "boot");
  other_boot_ = !boot_->is_current() && (boot_->exists() || !live_->all().empty());
  if (!other_boot_ && !boot_->is_current()) {  // A full disk must not keep a server from what it left.
    if (Result<void> noted = boot_->renew(); !noted) return noted;
  }
  if (options_.control_groups) {
    groups_ = prepare_control_groups(options_.control_root);
  } else {
    groups_.missing = "control groups are turned off";
  }
  own_account_ = own_account();
  if (const std::uint64_t most = processes_of_machine(); most > 0)
    options_.rules.processes_max = std::min(options_.rules.processes_max, most / 2);
  // One descriptor for each running attempt; jobs get the limit that we had.
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    open_files_ = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  events_ = Descriptor(::epoll_create1(EPOLL_CLOEXEC));
  orders_signal_ = Descriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  int pair[2] = {-1, -1};
  if (::pipe2(pair, O_CLOEXEC | O_NONBLOCK) == 0) {
    reports_read_ = Descriptor(pair[0]);
    reports_write_ = Descriptor(pair[1]);
  }
  epoll_event orders{EPOLLIN, {.u64 = kOrdersKey}};
  epoll_event started{EPOLLIN, {.u64 = kReportsKey}};
  if (!events_ || !orders_signal_ || !reports_read_ ||
      ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, orders_signal_.get(), &orders) != 0 ||
      ::epoll_ctl(events_.get(), EPOLL_CTL_ADD, reports_read_.get(), &started) != 0)
    return fail(fmt::format("no descriptors for the engine: {}; raise the limit (ulimit -n)", reason(errno)));
  sweeper_ = std::make_unique<Sweeper>([this](AttemptId id) { order(SweptOrder{id}); });
  thread_ = std::thread([this] { run(); });
  return {};
}

LocalEngine::Worker::~Worker() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  const std::uint64_t one = 1;
  if (orders_signal_) (void)!::write(orders_signal_.get(), &one, sizeof one);
  if (thread_.joinable()) thread_.join();
}

void LocalEngine::Worker::order(Order order) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = orders_.empty();
    orders_.push_back(std::move(order));
  }
  const std::uint64_t one = 1;
  if (first) (void)!::write(orders_signal_.get(), &one, sizeof one);
}

void LocalEngine::Worker::take(std::vector<Report>& reports) {
  const std::lock_guard lock(mutex_);
  std::move(reports_.begin(), reports_.end(), std::back_inserter(reports));
  reports_.clear();
}

void LocalEngine::Worker::push(Report report) {
  constexpr std::size_t kLongestNote = 4096;
  report.note = clean_line(report.note, kLongestNote);  // A store refuses what is no text.
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = reports_.empty();
    reports_.push_back(std::move(report));
  }
  if (first && options_.wake) options_.wake();
}

void LocalEngine::Worker::fetch_orders() {
  std::uint64_t count = 0;
  (void)!::read(orders_signal_.get(), &count, sizeof count);
  const std::lock_guard lock(mutex_);
  std::move(orders_.begin(), orders_.end(), std::back_inserter(queue_));
  orders_.clear();
}

/// Until there is something to do even if nothing happens; -1: never.
int LocalEngine::Worker::wait_ms() const {
  constexpr std::int64_t kLookAgainMs = 50;
  if (!queue_.empty()) return 0;
  std::int64_t wait = unwatched_.empty() ? -1 : kLookAgainMs;
  for (const auto& [id, held] : held_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(held.due - SteadyClock::now());
    const std::int64_t until = std::max<std::int64_t>(left.count(), 0);
    wait = wait < 0 ? until : std::min(wait, until);
  }
  return static_cast<int>(wait);
}

void LocalEngine::Worker::run() {
  constexpr int kOrdersAtATime = 8;  // So that ends are told while many starts wait.
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);  // Signals are for the threads that expect them.
  std::array<epoll_event, 64> events{};
  while (true) {
    const int count = ::epoll_wait(events_.get(), events.data(), static_cast<int>(events.size()), wait_ms());
    for (int index = 0; index < count; ++index) {
      const std::uint64_t key = events[static_cast<std::size_t>(index)].data.u64;
      if (key == kOrdersKey) {
        fetch_orders();
      } else if (key == kReportsKey) {
        read_started();
      } else if (const auto found = keys_.find(key); found != keys_.end()) {
        const AttemptId id = found->second;  // `found` goes with the attempt.
        supervisor_ended(id);
      }
    }
    if (count <= 0) look_at_unwatched();
    for (int number = 0; number < kOrdersAtATime && !queue_.empty(); ++number) {
      Order order = std::move(queue_.front());
      queue_.pop_front();
      std::visit([this](auto& each) { handle(each); }, order);
    }
    if (!held_.empty()) tell_held();
    const std::lock_guard lock(mutex_);
    if (ending_ && orders_.empty() && queue_.empty()) return;
  }
}

void LocalEngine::Worker::handle(StartOrder& order) { take_up(order.launch, false); }

void LocalEngine::Worker::handle(StopOrder& order) {
  if (const auto next = successors_.find(order.id); next != successors_.end()) {
    next->second.stopped = true;
    return;
  }
  if (const auto held = held_.find(order.id); held != held_.end()) held->second.due = {};
  const auto found = running_.find(order.id);
  if (found != running_.end() && !found->second.sweeping)
    ask_to_stop(order.id, found->second, order.most_grace);
}

void LocalEngine::Worker::handle(ForgetOrder& order) {
  if (!running_.contains(order.id) && !held_.contains(order.id)) forget(order.id);
}

void LocalEngine::Worker::handle(LimitOrder& order) {
  const auto found = running_.find(order.id);
  if (found == running_.end() || found->second.sweeping) return;
  // A supervisor that is yet to begin reads it then; one of an older version knows nothing of it.
  if (write_limit(folder_of(order.id), order.limit)) send(order.id, found->second, SIGUSR1);
}

void LocalEngine::Worker::handle(SweptOrder& order) {
  const auto found = running_.find(order.id);
  if (found == running_.end()) return;
  const AttemptSight sight = look_at_attempt(folder_of(order.id));
  supervise::ExitRecord exit = sight.exit;
  if (sight.stage != AttemptSight::Stage::kEnded) {
    exit.ending = supervise::Ending::kLost;
    exit.identity = found->second.identity.value_or(0);
    exit.ran = sight.started_unix_ns.has_value();
    exit.started_unix_ns = sight.started_unix_ns.value_or(supervise::unix_now());
    exit.duration_ns = std::max<std::int64_t>(sight.ran_ns, 0);  // Not up to now: nobody knows for how long.
    exit.note = "its supervisor was killed, or its machine went down; what was left of it has been ended";
    write_exit_record(folder_of(order.id), exit, false);
  }
  finish(order.id, exit);
}

void LocalEngine::Worker::forget(AttemptId id) {
  tidy_attempt(folder_of(id));
  live_->remove(id);
  ended_.erase(id);
}

fs::path LocalEngine::Worker::folder_of(AttemptId id) const { return attempt_folder(options_.folder, id); }

void LocalEngine::Worker::read_started() {
  std::array<supervise::StartedMessage, 64> messages{};
  while (true) {
    const ssize_t got = ::read(reports_read_.get(), messages.data(), sizeof messages);
    if (got <= 0) return;
    for (std::size_t index = 0; index < static_cast<std::size_t>(got) / sizeof messages[0]; ++index) {
      const supervise::StartedMessage& message = messages[index];
      note_started({message.job, static_cast<std::uint32_t>(message.attempt)}, message.unix_ns);
    }
  }
}

/// For an attempt that runs: once.
void LocalEngine::Worker::note_started(AttemptId id, std::int64_t unix_ns) {
  const auto found = running_.find(id);
  if (found == running_.end() || found->second.started_told) return;
  found->second.started_told = true;
  fault_delay_ = {};
  if (!found->second.unexpected) tell_started(id, found->second.identity.value_or(0), unix_ns);
}

void LocalEngine::Worker::tell_started(AttemptId id, std::uint64_t identity, std::int64_t unix_ns) {
  Report report;
  report.id = id;
  report.identity = identity;
  report.started = options_.to_instant(unix_ns);
  push(std::move(report));
}

/// Of one that does not run any more.
void LocalEngine::Worker::tell_end(AttemptId id, const supervise::ExitRecord& exit) {
  ended_[id] = exit.identity;
  if (exit.ran) tell_started(id, exit.identity, exit.started_unix_ns);
  tell_ended(id, exit);
}

void LocalEngine::Worker::tell_ended(AttemptId id, const supervise::ExitRecord& exit) {
  using supervise::Ending;
  static_assert(static_cast<int>(Ending::kExited) == static_cast<int>(AttemptEnd::kExited) &&
                static_cast<int>(Ending::kSignalled) == static_cast<int>(AttemptEnd::kSignalled) &&
                static_cast<int>(Ending::kTimeLimit) == static_cast<int>(AttemptEnd::kTimeLimit) &&
                static_cast<int>(Ending::kStopped) == static_cast<int>(AttemptEnd::kStopped) &&
                static_cast<int>(Ending::kOutOfMemory) == static_cast<int>(AttemptEnd::kOutOfMemory) &&
                static_cast<int>(Ending::kLaunchFailed) == static_cast<int>(AttemptEnd::kLaunchFailed) &&
                static_cast<int>(Ending::kLost) == static_cast<int>(AttemptEnd::kLost));
  Report report;
  report.id = id;
  report.identity = exit.identity;
  report.ended = true;
  report.started = options_.to_instant(exit.started_unix_ns);
  report.ended_at = report.started + Nanoseconds{exit.duration_ns};
  report.end = static_cast<AttemptEnd>(exit.ending);
  report.exit_code = exit.exit_code;
  report.signal = exit.signal;
  report.note = exit.note;
  report.cpu_time = Nanoseconds{exit.cpu_ns};
  report.memory_peak = Bytes{static_cast<std::int64_t>(exit.memory_peak_bytes)};
  report.output_bytes = exit.output_bytes;
  report.output_lost_bytes = exit.output_lost_bytes;
  push(std::move(report));
}

/// A running attempt has ended. `failed_start`: as one that its machine could not start.
void LocalEngine::Worker::finish(AttemptId id, const supervise::ExitRecord& exit, bool failed_start) {
  const auto found = running_.find(id);
  if (found == running_.end()) return;
  Running& running = found->second;
  cores_.give_back(running.cores, running.cpu_milli);
  if (exit.ran) note_started(id, exit.started_unix_ns);
  const bool unexpected = running.unexpected;
  keys_.erase(running.key);
  unwatched_.erase(id);
  running_.erase(found);
  if (unexpected) {
    forget(id);
    if (successors_.contains(id)) begin_successor(id);
  } else if (failed_start) {
    hold(id, exit, false);
  } else {
    ended_[id] = exit.identity;
    tell_ended(id, exit);
  }
}

}  // namespace gw::live
