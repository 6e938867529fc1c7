// Loop: one turn after the other: ask the engine, let the controller decide, keep it, answer, carry it out.
//
// The order is what makes a crash harmless: nothing is answered or started before it has been kept, and what
// has been kept is found and finished after a restart.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <shared_mutex>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "live/controller.h"
#include "live/engine.h"
#include "live/store.h"

namespace gw::live {

/// Unix time as the factory is to see it, in nanoseconds. It may jump; the controller's time does not go
/// back.
using UnixClock = std::function<std::int64_t()>;

struct LoopHooks {
  /// A reply to a command; called outside of the book's lock.
  std::function<void(Reply)> answer;
  /// What a turn has kept, before its orders are carried out.
  std::function<void(const Changes&)> kept;
  /// Labelled places of the path that a turn takes, for tests that end the process there: `turn.decided`,
  /// `turn.kept`, `turn.answered`, `turn.started`, `turn.done`.
  std::function<void(std::string_view)> at_point;
};

class Loop {
 public:
  Loop(Controller& controller, Store& store, Engine& engine, UnixClock clock, LoopHooks hooks);

  /// Loads what was kept and hands the running attempts to the engine. Gives notes for the log.
  Result<std::vector<std::string>> open();

  /// Goes on with other options, as after a restart with them: all is loaded anew. An Error: it cannot, and
  /// nothing has changed. `before_recover` is called once it has, before the engine takes over what runs.
  /// Gives notes for the log.
  Result<std::vector<std::string>> reload(ControllerOptions options,
                                          const std::function<void()>& before_recover = {});

  /// One turn. An Error: nothing of it was kept and its commands have been refused; all is loaded again, now
  /// or, where the store cannot even be read, before the next.
  Result<void> step(std::vector<Command> commands);

  /// Another turn is due at once.
  [[nodiscard]] bool again() const { return again_; }
  /// When a turn is due though nothing has come in; Instant::max() if none is.
  [[nodiscard]] Instant next_due() const;
  [[nodiscard]] Instant now() const;
  /// The factory's time at a moment that the system's clock calls `unix_ns`. From any thread once open.
  [[nodiscard]] Instant instant_of(std::int64_t unix_ns) const { return Instant{unix_ns - origin_.load()}; }

  /// Readers of the book hold it shared.
  [[nodiscard]] std::shared_mutex& mutex() { return mutex_; }
  [[nodiscard]] const Controller& controller() const { return controller_; }
  /// Is the last turn's work kept? False while the store fails.
  [[nodiscard]] bool healthy() const { return healthy_; }
  /// Does the book say what the store does? Not between a commit that failed and the loading that follows:
  /// it has then what may never have been. To be asked under the book's lock.
  [[nodiscard]] bool book_is_true() const { return true_; }

 private:
  /// `all_is_kept`: what the book says is what the store does.
  Result<std::vector<std::string>> load(ControllerOptions options, bool all_is_kept,
                                        const std::function<void()>& before_recover);
  void carry_out(Orders& orders);
  void point(std::string_view label) const {
    if (hooks_.at_point) hooks_.at_point(label);
  }

  Controller& controller_;
  Store& store_;
  Engine& engine_;
  UnixClock clock_;
  LoopHooks hooks_;
  std::shared_mutex mutex_;
  std::vector<Report> reports_;
  std::vector<NodeReport> nodes_;
  bool again_ = false;
  bool healthy_ = false;
  std::atomic<bool> true_{false};
  std::atomic<std::int64_t> origin_{0};
  std::atomic<std::int64_t> shift_{0};  ///< The clock was behind what had been kept: it goes on from there.
};

}  // namespace gw::live
