// Fork: a live factory at one moment, to be run ahead in the twin.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "live/factory.h"
#include "model/fleet.h"
#include "model/policy.h"
#include "serve/forecaster.h"
#include "twin/arrivals.h"
#include "twin/forecast.h"
#include "twin/run_times.h"

namespace gw::serve {

struct Fork {
  std::uint64_t sequence = 0;  ///< Of the journal.
  Instant as_of;
  std::int64_t origin_unix_ns = 0;  ///< Unix time of Instant{}.
  std::string snapshot;
  std::shared_ptr<const Fleet> fleet;
  PolicyConfig policy;
  twin::RunTimeModel run_times;
  twin::ArrivalModel arrivals;
  std::vector<twin::TimedFact> facts;  ///< What is known of the future: known_facts.

  [[nodiscard]] twin::ForecastInput input() const {
    return {*fleet, policy, snapshot, as_of, run_times, &arrivals, facts};
  }
  [[nodiscard]] std::int64_t unix_ns(Instant when) const { return origin_unix_ns + when.count(); }
};

/// Of tasks of arrays that share records and wait in line, so many are in the core of a fork.
inline constexpr std::uint32_t kMostRestTasks = 20'000;

/// What the core will be told, in order of time: of caps that are set, and of `more` as if they were; and
/// that the budgets that are spent have money again when the next month begins.
std::vector<twin::TimedFact> known_facts(const live::Book& book, Instant now, bool clocks,
                                         const std::vector<live::LiveCap>& more = {});

/// Of the factory as it is now; nothing of it changes.
Fork fork_of(live::Factory& factory, const Forecaster& forecaster);

}  // namespace gw::serve
