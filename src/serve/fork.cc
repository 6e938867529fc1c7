// The snapshot and what goes with it.
#include "serve/fork.h"

#include <algorithm>

#include "live/feed_view.h"
#include "sched/core.h"

namespace gw::serve {

std::vector<twin::TimedFact> known_facts(const live::Book& book, Instant now, bool clocks,
                                         const std::vector<live::LiveCap>& more) {
  std::vector<twin::TimedFact> facts;
  const sched::State& state = book.core->state();
  if (state.power.tracked()) {
    for (const live::CapChange& change : live::cap_changes(book, now, more))
      facts.push_back(
          {change.when, sched::Event::feed_cap(change.feed.level, change.feed.vertex, change.cap, clocks)});
  }
  if (!book.meter.in_use()) return facts;
  const Instant month_end = std::max(book.meter.month_end(), now);
  std::vector<twin::TimedFact> openings;
  for (const live::LiveTenant& tenant : book.tenants) {
    if (state.quota.budget(tenant.record.id) == BudgetState::kOpen) continue;
    openings.push_back({month_end, sched::Event::tenant_budget(tenant.record.id, BudgetState::kOpen)});
  }
  const auto at =
      std::upper_bound(facts.begin(), facts.end(), month_end,
                       [](Instant when, const twin::TimedFact& fact) { return when < fact.when; });
  facts.insert(at, openings.begin(), openings.end());
  return facts;
}

namespace {

/// Tasks of an array that share a record and wait in line.
struct Rest {
  JobId first;  ///< In the core.
  std::uint32_t tasks = 0;
  JobRequest request;
};

std::vector<Rest> rests_of(const live::Book& book) {
  std::vector<Rest> rests;
  for (const auto& [number, array] : book.arrays) {
    if (array.blocked.empty()) continue;
    for (const std::uint64_t entry : array.blocked) {
      const live::LiveJob* job = book.job(entry);
      if (job != nullptr && book.in_line(*job))
        rests.push_back({job->record.core, job->record.stands_for, job->request});
    }
  }
  std::sort(rests.begin(), rests.end(), [](const Rest& a, const Rest& b) { return a.first < b.first; });
  return rests;
}

/// The snapshot with the first kMostRestTasks of them in the core: who stands behind them waits for them.
/// Those that the core would refuse by now are left out.
std::string with_rests(const Fleet& fleet, const PolicyConfig& policy, const std::string& snapshot,
                       std::vector<Rest> rests, Instant now) {
  while (!rests.empty()) {
    sched::Core core(fleet, policy);
    if (!core.restore(snapshot)) return snapshot;  // Whoever asks says so.
    std::uint32_t left = kMostRestTasks;
    auto refused = rests.end();
    for (auto rest = rests.begin(); rest != rests.end() && refused == rests.end(); ++rest) {
      for (std::uint32_t task = 0; task < rest->tasks && left > 0; ++task, --left) {
        const JobId id{rest->first.value() + task};
        core.apply(sched::Event::job_submitted(id, rest->request), now);
        if (core.job(id) != nullptr) continue;
        refused = rest;  // A limit or a rule has changed: it ends when its turn comes.
        break;
      }
    }
    if (refused == rests.end()) return core.snapshot();
    rests.erase(refused);
  }
  return snapshot;
}

}  // namespace

Fork fork_of(live::Factory& factory, const Forecaster& forecaster) {
  Fork fork;
  std::vector<Rest> rests;
  factory.read([&](const live::Book& book) {
    rests = rests_of(book);
    fork.sequence = book.journal_sequence;
    fork.as_of = std::max(book.core->now(), factory.now());
    fork.origin_unix_ns = book.origin_unix_ns;
    fork.snapshot = book.core->snapshot();
    fork.fleet = book.shared_fleet();
    fork.policy = book.core->state().policy;
    fork.facts = known_facts(book, fork.as_of, factory.options().clocks);
  });
  fork.snapshot = with_rests(*fork.fleet, fork.policy, fork.snapshot, std::move(rests), fork.as_of);
  fork.run_times = forecaster.run_times();
  fork.arrivals = forecaster.arrivals();
  return fork;
}

}  // namespace gw::serve
