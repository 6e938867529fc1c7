// Patience: may a gang that has waited too long have the next reservation before its tenant's turn?
#pragma once

#include <functional>

#include "sched/state.h"

namespace gw::sched {

/// The first gang that has waited longer than the policy's patience, is not overtaken by right and may be
/// promised something; none if there is none. It is overtaken by right if a job of no lower priority, which
/// is not a gang and could start on the same nodes, or the first job in the order has waited even longer.
/// Patience is for gangs that small jobs overtake for ever. Where small jobs wait for days as well, the site
/// is overloaded: then a gang has no claim on the turns of other tenants, and the fair order brings every
/// tenant's turn in the end. `never` tells of a job that it could not start even if all others ended; it is
/// asked of the few on which the answer hangs, last of the gang that is returned. A look at the first jobs of
/// each tenant, and that only where a gang has lost patience.
[[nodiscard]] JobId gang_to_reserve(State& state, Instant now, const std::function<bool(const Job&)>& never);

}  // namespace gw::sched
