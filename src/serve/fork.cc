// The snapshot and what goes with it.
#include "serve/fork.h"

#include <algorithm>

#include "live/feed_view.h"

namespace gw::serve {

std::vector<twin::TimedFact> cap_facts(const live::Book& book, Instant now, bool clocks,
                                       const std::vector<live::LiveCap>& more) {
  std::vector<twin::TimedFact> facts;
  if (!book.core->state().power.tracked()) return facts;
  for (const live::CapChange& change : live::cap_changes(book, now, more))
    facts.push_back(
        {change.when, sched::Event::feed_cap(change.feed.level, change.feed.vertex, change.cap, clocks)});
  return facts;
}

Fork fork_of(live::Factory& factory, const Forecaster& forecaster) {
  Fork fork;
  factory.read([&](const live::Book& book) {
    fork.sequence = book.journal_sequence;
    fork.as_of = std::max(book.core->now(), factory.now());
    fork.origin_unix_ns = book.origin_unix_ns;
    fork.snapshot = book.core->snapshot();
    fork.fleet = &book.fleet;
    fork.policy = book.core->state().policy;
    fork.facts = cap_facts(book, fork.as_of, factory.options().clocks);
  });
  fork.run_times = forecaster.run_times();
  fork.arrivals = forecaster.arrivals();
  return fork;
}

}  // namespace gw::serve
