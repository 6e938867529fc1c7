// Patience: may a gang that has waited too long have the next reservation before its tenant's turn?
#pragma once

#include "sched/state.h"

namespace gw::sched {

/// The gang that has lost patience (State::impatient_gang) and has waited longer than any job of no
/// lower priority that is not a gang and could start on the same nodes; none if there is none. Patience is
/// for gangs that small jobs overtake for ever. Where small jobs wait for days as well, the site is
/// overloaded: then a gang has no claim on the turns of other tenants, and the fair order brings every
/// tenant's turn in the end. A look at the first jobs of each tenant, and that only where a gang has lost
/// patience.
[[nodiscard]] JobId gang_to_reserve(State& state, Instant now);

}  // namespace gw::sched
