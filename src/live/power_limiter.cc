// Orders in, runs of the command out, and the file that remembers what is limited.
#include "live/power_limiter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <system_error>

#include "files/output_file.h"
#include "live/job_environment.h"

namespace gw::live {
namespace {

constexpr std::uint32_t kFree = 1000;
constexpr auto kLook = std::chrono::milliseconds(10);

std::chrono::nanoseconds span_of(Nanoseconds span) { return std::chrono::nanoseconds(span.count()); }

}  // namespace

Result<std::unique_ptr<PowerLimiter>> PowerLimiter::open(std::unique_ptr<Engine> engine,
                                                         PowerLimiterOptions options) {
  if (::access(options.command.c_str(), X_OK) != 0)
    return fail(fmt::format("{}: cannot be run: {}; name an executable file", options.command.string(),
                            std::generic_category().message(errno)));
  std::unique_ptr<PowerLimiter> limiter(new PowerLimiter(std::move(engine), std::move(options)));
  if (Result<void> read = limiter->read_file(); !read) return std::unexpected(read.error());
  for (unsigned thread = 0; thread < std::max(1U, limiter->options_.at_a_time); ++thread)
    limiter->threads_.emplace_back([each = limiter.get()] { each->work(); });
  return limiter;
}

PowerLimiter::~PowerLimiter() {
  engine_.reset();  // Before what it may call has gone.
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

/// Lines `JOB ATTEMPT PERMILLE WATTS FREE-WATTS GPUS TYPE NODE`; TYPE is `-` where it is not known.
Result<void> PowerLimiter::read_file() {
  std::error_code error;
  if (!std::filesystem::exists(options_.file, error)) return {};
  std::ifstream file(options_.file);
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    std::istringstream words(line);
    AttemptId id;
    Place place;
    Limit limit;
    words >> id.job >> id.attempt >> limit.permille >> limit.watts >> limit.free_watts >> std::hex >>
        place.gpus >> std::dec >> limit.gpu_type >> std::ws;
    if (!std::getline(words, place.node) || place.node.empty())
      return fail(fmt::format("{}:{}: it cannot be read; free what GPUs are limited by hand, and remove it",
                              options_.file.string(), number));
    if (limit.gpu_type == "-") limit.gpu_type.clear();
    places_[id].push_back(place);
    limits_[place][id] = limit;
    doubtful_.insert(id);
  }
  if (file.bad()) return fail(fmt::format("{}: cannot be read", options_.file.string()));
  return {};
}

/// What is limited, and what is yet to be freed.
std::string PowerLimiter::file_text() const {
  std::string text;
  const auto add = [&](const Place& place, AttemptId id, const Limit& limit) {
    text +=
        fmt::format("{} {} {} {} {} {:x} {} {}\n", id.job, id.attempt, limit.permille, limit.watts,
                    limit.free_watts, place.gpus, limit.gpu_type.empty() ? "-" : limit.gpu_type, place.node);
  };
  for (const auto& [place, limits] : limits_) {
    for (const auto& [id, limit] : limits) add(place, id, limit);
  }
  for (const auto* orders : {&orders_, &in_work_}) {
    for (const auto& [place, order] : *orders) {
      if (!limits_.contains(place)) add(place, order.id, order.limit);
    }
  }
  return text;
}

void PowerLimiter::write_file() {
  const std::lock_guard one(file_);
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    if (written_ == version_) return;
    written_ = version_;
    text = file_text();
  }
  Result<files::OutputFile> file = files::OutputFile::open(options_.file);
  if (file) {
    file->write(text);
    const Result<void> written = file->commit();
    if (written || !options_.log) return;
    options_.log("power limits: " + written.error().message);
  } else if (options_.log) {
    options_.log("power limits: " + file.error().message);
  }
}

void PowerLimiter::recover(std::vector<Launch> expected) {
  {
    const std::lock_guard lock(mutex_);
    std::set<AttemptId> runs;
    for (const Launch& launch : expected) runs.insert(launch.id);
    std::vector<AttemptId> ended;
    for (const auto& [id, places] : places_) {
      runs.contains(id) ? void(doubtful_.insert(id)) : ended.push_back(id);
    }
    for (const AttemptId id : ended) release(id);
    takes_ = 0;
  }
  engine_->recover(std::move(expected));
}

void PowerLimiter::forget(AttemptId id) {
  {
    const std::lock_guard lock(mutex_);
    release(id);
  }
  engine_->forget(id);
}

void PowerLimiter::take(std::vector<Report>& reports, std::vector<NodeReport>& nodes) {
  const std::size_t known = reports.size();
  engine_->take(reports, nodes);
  const std::lock_guard lock(mutex_);
  for (std::size_t index = known; index < reports.size(); ++index) {
    if (reports[index].ended) release(reports[index].id);
  }
  // Those that are limited still are told again in the turn after the first call.
  if (++takes_ < 2) return;
  for (const AttemptId id : std::exchange(doubtful_, {})) release(id);
}

void PowerLimiter::limit_clocks(const ClockLimit& limit) {
  engine_->limit_clocks(limit);
  const std::lock_guard lock(mutex_);
  doubtful_.erase(limit.id);
  if (limit.permille >= kFree) return release(limit.id);
  const bool is_new = !places_.contains(limit.id);
  for (const NodeShare& share : limit.nodes) {
    if (share.gpu_mask == 0) continue;
    const Place place{share.node, share.gpu_mask};
    if (is_new) places_[limit.id].push_back(place);
    Limit& of = limits_[place][limit.id];
    of = {limit.permille, limit.gpu_watts, limit.gpu_free_watts, limit.gpu_type};
    order(place, limit.id, of);
  }
}

void PowerLimiter::release(AttemptId id) {
  doubtful_.erase(id);
  const auto at = places_.find(id);
  if (at == places_.end()) return;
  for (const Place& place : at->second) {
    std::map<AttemptId, Limit>& here = limits_[place];
    const Limit before = here[id];
    here.erase(id);
    if (here.empty()) limits_.erase(place);
    order(place, id, before);
  }
  places_.erase(at);
}

/// As the lowest of those who have the place wants it; free where nobody is limited any more.
void PowerLimiter::order(const Place& place, AttemptId id, const Limit& before) {
  Order order{id, before};
  order.limit.permille = kFree;
  order.limit.watts = before.free_watts;
  if (const auto at = limits_.find(place); at != limits_.end()) {
    for (const auto& [each, limit] : at->second) {
      if (limit.permille < order.limit.permille) order = {each, limit};
    }
  }
  ++version_;
  if (orders_.insert_or_assign(place, std::move(order)).second) queue_.push_back(place);
  changed_.notify_one();
}

/// The first for which nothing is in work.
std::optional<PowerLimiter::Place> PowerLimiter::next_place() const {
  const auto at = std::find_if(queue_.begin(), queue_.end(),
                               [&](const Place& place) { return !in_work_.contains(place); });
  return at == queue_.end() ? std::nullopt : std::optional(*at);
}

void PowerLimiter::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || next_place(); });
    if (stopping_) return;
    const Place place = *next_place();
    queue_.erase(std::find(queue_.begin(), queue_.end(), place));
    const Order order = orders_.extract(place).mapped();
    in_work_.emplace(place, order);
    // Once the command has run nobody may forget that it has; and not before it has that it is to be freed.
    lock.unlock();
    write_file();
    for (int tries = 1;; ++tries) {
      const std::string problem = run_command(place, order);
      if (problem.empty()) break;
      if (options_.log)
        options_.log(fmt::format("power limit of job {} on {}: {}{}", order.id.job, place.node, problem,
                                 tries < kTries ? "; it is tried again" : ""));
      if (tries == kTries) {
        ++failures_;
        break;
      }
      lock.lock();
      const bool over = changed_.wait_for(lock, span_of(options_.retry_after),
                                          [&] { return stopping_ || orders_.contains(place); });
      lock.unlock();
      if (over) break;
    }
    lock.lock();
    in_work_.erase(place);
    if (orders_.empty() && in_work_.empty() && !stopping_) {
      ++version_;
      lock.unlock();
      write_file();
      lock.lock();
    }
    changed_.notify_all();
  }
}

void PowerLimiter::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return orders_.empty() && in_work_.empty(); });
}

/// Empty, or what went wrong.
std::string PowerLimiter::run_command(const Place& place, const Order& order) const {
  std::vector<std::string> environment{
      fmt::format("GIGAWERK_JOB={}", order.id.job),
      fmt::format("GIGAWERK_ATTEMPT={}", order.id.attempt),
      "GIGAWERK_NODE=" + place.node,
      "GIGAWERK_GPUS=" + visible_gpus(place.gpus, options_.gpu_names),
      "GIGAWERK_GPU_TYPE=" + order.limit.gpu_type,
      fmt::format("GIGAWERK_POWER_PERMILLE={}", order.limit.permille),
      "GIGAWERK_POWER_WATTS=" +
          (order.limit.watts > 0 ? fmt::format("{}", order.limit.watts) : std::string())};
  for (const char* name : {"PATH", "HOME", "LANG"}) {
    if (const char* value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
  }
  std::vector<char*> variables;
  for (std::string& variable : environment) variables.push_back(variable.data());
  variables.push_back(nullptr);
  std::string name = options_.command.string();
  char* arguments[] = {name.data(), nullptr};
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, name.c_str(), &actions, &attributes, arguments, variables.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return fmt::format("cannot run {}: {}", name, std::generic_category().message(error));
  const auto end = std::chrono::steady_clock::now() + span_of(options_.patience);
  bool killed = false;
  int status = 0;
  while (true) {
    const pid_t waited = ::waitpid(child, &status, WNOHANG);
    if (waited == child) break;
    if (waited < 0 && errno != EINTR) return "it cannot be waited for";
    if (!killed && std::chrono::steady_clock::now() >= end) {
      killed = true;
      ::kill(-child, SIGKILL);
    }
    std::this_thread::sleep_for(kLook);
  }
  if (killed)
    return fmt::format("{} did not end in {:g} s and was killed", name, to_seconds(options_.patience));
  if (WIFSIGNALED(status)) return fmt::format("{} was killed by signal {}", name, WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return fmt::format("{} ended with {}", name, WEXITSTATUS(status));
  return {};
}

}  // namespace gw::live
