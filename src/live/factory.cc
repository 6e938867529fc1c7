// The thread that turns.
#include "live/factory.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/check.h"

namespace gw::live {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kMostCommands = 4096;  // In one turn: a bound on how long it takes.
constexpr auto kLongestWait = std::chrono::seconds(1);
constexpr auto kAfterFailure = std::chrono::milliseconds(200);

}  // namespace

Factory::Factory(ControllerOptions options, std::unique_ptr<Store> store, UnixClock clock, FactoryHooks hooks)
    : store_(std::move(store)),
      controller_(std::move(options), *store_),
      clock_(std::move(clock)),
      hooks_(std::move(hooks)) {}

Factory::~Factory() {
  stop();
  engine_.reset();  // Its thread calls `now` and `wake`.
}

Result<void> Factory::open(std::unique_ptr<Engine> engine) {
  engine_ = std::move(engine);
  LoopHooks hooks;
  hooks.answer = [this](Reply reply) {
    const auto at = waiting_.find(reply.ticket);
    if (at == waiting_.end()) return;
    const std::function<void(Reply)> done = std::move(at->second);
    waiting_.erase(at);
    done(std::move(reply));
  };
  hooks.kept = hooks_.kept;
  hooks.at_point = hooks_.at_point;
  loop_ = std::make_unique<Loop>(controller_, *store_, *engine_, clock_, std::move(hooks));
  const Result<std::vector<std::string>> notes = loop_->open();
  if (!notes) return std::unexpected(notes.error());
  for (const std::string& note : *notes) {
    if (hooks_.log) hooks_.log(note);
  }
  // What the loading itself has changed is kept before anybody asks.
  if (Result<void> first = loop_->step({}); !first) return first;
  healthy_ = true;
  return {};
}

void Factory::start() {
  GW_CHECK(loop_ != nullptr && !thread_.joinable());
  thread_ = std::thread([this] { run(); });
}

void Factory::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wakeup_.notify_one();
  thread_.join();
}

void Factory::ask(Actor actor, decltype(Command::what) what, std::function<void(Reply)> done) {
  bool stopping = false;
  std::uint64_t ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    stopping = stopping_;
    ticket = next_ticket_++;
    if (!stopping) {
      inbox_.push_back({ticket, std::move(actor), std::move(what)});
      callbacks_.emplace_back(ticket, std::move(done));
    }
  }
  if (stopping) {
    done({ticket, Refusal{503, "stopping", "the server is stopping; ask again in a moment"}});
    return;
  }
  wakeup_.notify_one();
}

void Factory::reload(ControllerOptions options, std::function<void()> before_recover,
                     std::function<void(Result<std::vector<std::string>>)> done) {
  {
    const std::lock_guard lock(mutex_);
    reload_.emplace(Reload{std::move(options), std::move(before_recover), std::move(done)});
  }
  wakeup_.notify_one();
}

void Factory::wake() {
  {
    const std::lock_guard lock(mutex_);
    woken_ = true;
  }
  wakeup_.notify_one();
}

FactoryCounters Factory::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void Factory::run() {
  std::vector<Command> commands;
  for (;;) {
    commands.clear();
    bool last = false;
    std::optional<Reload> reload;
    {
      std::unique_lock lock(mutex_);
      const auto something = [this] { return !inbox_.empty() || woken_ || stopping_ || reload_; };
      if (!loop_->again() || !healthy_) {
        auto wait = std::chrono::nanoseconds(kLongestWait);
        const Instant due = loop_->next_due();
        if (due != Instant::max())
          wait = std::clamp(std::chrono::nanoseconds(static_cast<std::int64_t>(
                                static_cast<double>((due - loop_->now()).count()) / clock_rate_)),
                            std::chrono::nanoseconds(0), wait);
        if (healthy_) {
          wakeup_.wait_for(lock, wait, something);
        } else {  // Whatever is asked meanwhile: each try reads all that was kept.
          wakeup_.wait_for(lock, kAfterFailure, [this] { return stopping_; });
        }
      }
      woken_ = false;
      reload = std::exchange(reload_, std::nullopt);
      last = stopping_ && inbox_.size() <= kMostCommands;
      const std::size_t count = std::min(inbox_.size(), kMostCommands);
      for (std::size_t index = 0; index < count; ++index) {
        waiting_.emplace(callbacks_[index].first, std::move(callbacks_[index].second));
        commands.push_back(std::move(inbox_[index]));
      }
      inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(count));
      callbacks_.erase(callbacks_.begin(), callbacks_.begin() + static_cast<std::ptrdiff_t>(count));
    }
    if (reload) reload->done(loop_->reload(std::move(reload->options), reload->before_recover));
    if (last) controller_.want_snapshot();
    const std::size_t batch = commands.size();
    const SteadyClock::time_point began = SteadyClock::now();
    const Result<void> done = loop_->step(std::move(commands));
    const std::int64_t took = std::chrono::nanoseconds(SteadyClock::now() - began).count();
    if (!done && healthy_ && hooks_.log) hooks_.log("the store fails: " + done.error().message);
    if (done && !healthy_ && hooks_.log) hooks_.log("the store works again");
    healthy_ = done.has_value();
    commands = {};
    {
      const std::lock_guard lock(mutex_);
      ++counters_.turns;
      counters_.commands += batch;
      counters_.failures += !done;
      counters_.largest_batch = std::max<std::uint64_t>(counters_.largest_batch, batch);
      counters_.last_turn_ns = took;
      counters_.busy_ns += took;
    }
    if (last) break;
  }
  for (auto& [ticket, done] : waiting_) done({ticket, Refusal{503, "stopping", "the server is stopping"}});
  waiting_.clear();
}

}  // namespace gw::live
