// Factory: the live loop on a thread of its own: commands come in from any thread, replies go out by
// callback, readers look at the book under its lock.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "live/loop.h"

namespace gw::live {

struct FactoryCounters {
  std::uint64_t turns = 0;
  std::uint64_t commands = 0;
  std::uint64_t failures = 0;  ///< Turns that could not be kept.
  std::uint64_t largest_batch = 0;
  std::int64_t last_turn_ns = 0;  ///< How long it took, the keeping included.
  std::int64_t busy_ns = 0;       ///< In turns, all together.
};

struct FactoryHooks {
  std::function<void(const Changes&)>
      kept;  ///< On the factory's thread, after each turn that kept something.
  std::function<void(std::string_view)> log;
  std::function<void(std::string_view)> at_point;
};

class Factory {
 public:
  /// `engine` wakes the factory through `wake`.
  Factory(ControllerOptions options, std::unique_ptr<Store> store, UnixClock clock, FactoryHooks hooks);
  ~Factory();
  Factory(const Factory&) = delete;
  Factory& operator=(const Factory&) = delete;

  /// Loads what was kept; the engine takes over what runs. Before `start`.
  Result<void> open(std::unique_ptr<Engine> engine);
  /// How many seconds of the factory's time pass in a second (simulated factories). Before `start`.
  void set_clock_rate(double rate) { clock_rate_ = rate; }
  void start();
  /// Ends after the turn in work, keeping a last snapshot. Jobs go on.
  void stop();

  /// After `stop`: the engine ends all that runs, for the factory is led from elsewhere.
  void abandon() { engine_->recover({}); }

  /// From any thread. `done` is called once, on the factory's thread, when the command's effect has been kept
  /// or refused.
  void ask(Actor actor, decltype(Command::what) what, std::function<void(Reply)> done);
  /// Loop::reload between two turns. From any thread; `before_recover` and `done` are called on the
  /// factory's, `done` not at all where it stops before, or another reload is asked for.
  void reload(ControllerOptions options, std::function<void()> before_recover,
              std::function<void(Result<std::vector<std::string>>)> done);
  /// Something has happened at the engine. From any thread, also from a signal-free callback.
  void wake();

  /// Calls read(book) while nothing changes it.
  template <class Read>
  auto read(Read&& read) {
    const std::shared_lock lock(loop_->mutex());
    return read(controller_.book());
  }
  /// See Loop::book_is_true.
  [[nodiscard]] bool book_is_true() const { return loop_->book_is_true(); }
  [[nodiscard]] Instant now() const { return loop_->now(); }
  /// See Loop::instant_of.
  [[nodiscard]] Instant instant_of(std::int64_t unix_ns) const { return loop_->instant_of(unix_ns); }
  [[nodiscard]] bool healthy() const { return healthy_.load(std::memory_order_relaxed); }
  [[nodiscard]] FactoryCounters counters() const;
  [[nodiscard]] Store& store() { return *store_; }
  /// To be looked at within `read`: they may be others a moment later.
  [[nodiscard]] const ControllerOptions& options() const { return controller_.options(); }

 private:
  void run();

  std::unique_ptr<Store> store_;
  Controller controller_;
  UnixClock clock_;
  FactoryHooks hooks_;
  double clock_rate_ = 1;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Loop> loop_;
  std::thread thread_;

  mutable std::mutex mutex_;
  std::condition_variable wakeup_;
  std::vector<Command> inbox_;
  std::vector<std::pair<std::uint64_t, std::function<void(Reply)>>> callbacks_;  ///< By ticket, ascending.
  struct Reload {
    ControllerOptions options;
    std::function<void()> before_recover;
    std::function<void(Result<std::vector<std::string>>)> done;
  };
  std::optional<Reload> reload_;
  std::uint64_t next_ticket_ = 1;
  bool woken_ = false;
  bool stopping_ = false;
  FactoryCounters counters_;
  std::atomic<bool> healthy_{false};

  std::unordered_map<std::uint64_t, std::function<void(Reply)>> waiting_;  ///< Of the turn in work.
};

}  // namespace gw::live
