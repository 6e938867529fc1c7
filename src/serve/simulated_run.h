// SimulatedRun: how long an attempt of a simulated factory runs and how it ends, from its command or by
// chance.
#pragma once

#include <cstdint>

#include "base/units.h"
#include "live/engine.h"

namespace gw::serve {

/// What an attempt would do if nobody interfered. Counts from its start.
struct SimulatedRun {
  Nanoseconds startup;   ///< From the decision to the start.
  Nanoseconds run_time;  ///< At most the limit.
  live::AttemptEnd end = live::AttemptEnd::kExited;
  int exit_code = 0;
};

/// Draws depend on `seed` and the attempt's id alone, so an engine that comes back repeats them. In this
/// order:
///
/// - Environment GIGAWERK_SIM_RUN_TIME (`90s`, `1h 30min`) and GIGAWERK_SIM_EXIT_CODE (0 to 255): so.
/// - The command, or all that a script does, is `sleep`, `true` or `false`: as these do. `sh -c` and `bash
/// -c` are
///   scripts.
/// - Else its limit times a log-normal fraction of median 0.4 and sigma 0.8, so that one job in eight would
/// run past
///   its limit; 4 in 100 fail instead, with exit code 1, at a uniform part of that time.
///
/// What would run past the limit ends there, with kTimeLimit. It starts one to three seconds after the
/// decision.
SimulatedRun simulate_run(const live::Launch& launch, std::uint64_t seed);

}  // namespace gw::serve
