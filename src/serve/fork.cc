// The snapshot and what goes with it.
#include "serve/fork.h"

#include <algorithm>

#include "base/check.h"
#include "live/feed_view.h"
#include "sched/core.h"

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

namespace {

/// Tasks of an array that share a record and wait in line.
struct Rest {
  JobId first;
  std::uint32_t tasks = 0;
  JobRequest request;
};

/// In a fork the first of them are in the core: who stands behind them waits for them.
void put_in(const std::vector<Rest>& rests, Fork& fork) {
  constexpr std::uint32_t kMostTasks = 20'000;
  sched::Core core(*fork.fleet, fork.policy);
  GW_CHECK(core.restore(fork.snapshot));
  std::uint32_t left = kMostTasks;
  for (const Rest& rest : rests) {
    for (std::uint32_t task = 0; task < rest.tasks && left > 0; ++task, --left)
      core.apply(sched::Event::job_submitted(JobId{rest.first.value() + task}, rest.request), fork.as_of);
  }
  fork.snapshot = core.snapshot();
}

}  // namespace

Fork fork_of(live::Factory& factory, const Forecaster& forecaster) {
  Fork fork;
  std::vector<Rest> rests;
  factory.read([&](const live::Book& book) {
    for (const auto& [number, array] : book.arrays) {
      if (array.blocked.empty()) continue;
      const live::LiveJob* job = book.job(*array.blocked.begin());
      if (job != nullptr && book.in_line(*job))
        rests.push_back({job->record.core, job->record.stands_for, job->request});
    }
    fork.sequence = book.journal_sequence;
    fork.as_of = std::max(book.core->now(), factory.now());
    fork.origin_unix_ns = book.origin_unix_ns;
    fork.snapshot = book.core->snapshot();
    fork.fleet = &book.fleet;
    fork.policy = book.core->state().policy;
    fork.facts = cap_facts(book, fork.as_of, factory.options().clocks);
  });
  std::sort(rests.begin(), rests.end(), [](const Rest& a, const Rest& b) { return a.first < b.first; });
  if (!rests.empty()) put_in(rests, fork);
  fork.run_times = forecaster.run_times();
  fork.arrivals = forecaster.arrivals();
  return fork;
}

}  // namespace gw::serve
