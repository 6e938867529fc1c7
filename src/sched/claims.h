// Claims: places that running jobs are made to leave, each for one job that starts there once all have left.
//
// From the decision on the claimed nodes are closed to everyone else, and the job that claims them has left
// the queue: nothing but the loss of such a node, or its own cancellation, can keep a preemption from the
// start that it was for.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "sched/placement.h"

namespace gw::sched {

struct Claim {
  Placement placement;         ///< Where the job will start.
  std::vector<JobId> victims;  ///< Those that have not left yet, ascending.
};

/// By the job that claims.
using Claims = std::map<JobId, Claim>;

}  // namespace gw::sched
