// The event loop.
#include "runtime/loop.h"

#include <algorithm>

namespace gw::runtime {

Result<void> run(sched::Core& core, const Seams& seams, const std::function<void(Instant)>& after_pass) {
  std::vector<sched::Event> events;
  std::uint64_t batches = 0;
  for (;;) {
    const Result<std::optional<Instant>> due = seams.queue.next_due();
    if (!due) return std::unexpected(due.error());
    // The core's own time counts as long as something waits that it could start.
    // Where nodes are reserved, so do jobs that must leave in time; elastic ones may grow.
    const bool waits = core.state().pending.size() > 0 || !core.state().prices.put_off.empty() ||
                       !core.state().resizable().empty() ||
                       (core.state().windows.in_use() && core.state().running_jobs() > 0);
    const Instant wish = waits ? core.next_due() : Instant::max();
    if (!due->has_value() && wish == Instant::max()) return {};
    const Instant now = std::min(due->value_or(Instant::max()), wish);
    if (!seams.clock.wait_until(now)) continue;
    events.clear();
    if (due->has_value() && **due == now) seams.queue.take(now, events);
    if (seams.store != nullptr) {
      // Before acting: replaying the store repeats every plan.
      if (Result<void> kept = seams.store->append_events(now, events); !kept) return kept;
    }
    for (const sched::Event& event : events) core.apply(event, now);
    const sched::Plan& plan = core.plan(now);
    if (seams.store != nullptr) {
      if (Result<void> kept = seams.store->append_plan(now, plan); !kept) return kept;
      const std::uint64_t interval = seams.store->snapshot_interval();
      if (interval != 0 && ++batches % interval == 0) {
        if (Result<void> kept = seams.store->append_snapshot(now, core.snapshot()); !kept) return kept;
      }
    }
    seams.engine.execute(plan, core, now);
    if (after_pass) after_pass(now);
  }
}

}  // namespace gw::runtime
