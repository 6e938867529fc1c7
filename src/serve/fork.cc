// The snapshot and what goes with it.
#include "serve/fork.h"

#include <algorithm>

namespace gw::serve {

Fork fork_of(live::Factory& factory, const Forecaster& forecaster) {
  Fork fork;
  factory.read([&](const live::Book& book) {
    fork.sequence = book.journal_sequence;
    fork.as_of = std::max(book.core->now(), factory.now());
    fork.origin_unix_ns = book.origin_unix_ns;
    fork.snapshot = book.core->snapshot();
    fork.fleet = &book.fleet;
    fork.policy = book.core->state().policy;
  });
  fork.run_times = forecaster.run_times();
  fork.arrivals = forecaster.arrivals();
  return fork;
}

}  // namespace gw::serve
