// The seams between the event loop and the world: Clock, Engine, EventQueue and Store. A twin and a live
// factory differ only in what stands behind them.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "sched/core.h"

namespace gw::runtime {

/// Tells the loop when an instant has come.
class Clock {
 public:
  virtual ~Clock() = default;
  /// True once `due` is here; false if an earlier event has arrived meanwhile (live only).
  virtual bool wait_until(Instant due) = 0;
};

/// Where events come from, in order of time.
class EventQueue {
 public:
  virtual ~EventQueue() = default;
  /// When the next events are due; none at the end of the run. An Error ends the run.
  virtual Result<std::optional<Instant>> next_due() = 0;
  /// Appends all events that are due at `due`: ends first, then changes of nodes, then arrivals.
  virtual void take(Instant due, std::vector<sched::Event>& events) = 0;
};

/// Carries plans out: starts and stops jobs.
class Engine {
 public:
  virtual ~Engine() = default;
  virtual void execute(const sched::Plan& plan, const sched::Core& core, Instant now) = 0;
};

/// Keeps what must survive: every batch of events before the core sees it, and every plan.
class Store {
 public:
  virtual ~Store() = default;
  virtual Result<void> append_events(Instant now, const std::vector<sched::Event>& events) = 0;
  virtual Result<void> append_plan(Instant now, const sched::Plan& plan) = 0;
  /// A snapshot of the core after all that was appended so far.
  virtual Result<void> append_snapshot(Instant now, std::string_view snapshot) = 0;
  /// How many batches to leave between snapshots; 0 = none are wanted.
  [[nodiscard]] virtual std::uint64_t snapshot_interval() const { return 0; }
};

/// All that a twin replaces.
struct Seams {
  Clock& clock;
  EventQueue& queue;
  Engine& engine;
  Store* store = nullptr;  ///< None: nothing is kept.
};

}  // namespace gw::runtime
