// The event loop.
#include "runtime/loop.h"

namespace gw::runtime {

Result<void> run(sched::Core& core, const Seams& seams, const std::function<void(Instant)>& after_pass) {
  std::vector<sched::Event> events;
  std::uint64_t batches = 0;
  for (;;) {
    const Result<std::optional<Instant>> due = seams.queue.next_due();
    if (!due) return std::unexpected(due.error());
    if (!due->has_value()) return {};
    const Instant now = **due;
    if (!seams.clock.wait_until(now)) continue;
    events.clear();
    seams.queue.take(now, events);
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
