// TimedFact: what the core will be told at a time that is known beforehand: a cap that has been scheduled.
#pragma once

#include "base/units.h"
#include "sched/events.h"

namespace gw::twin {

struct TimedFact {
  Instant when;
  sched::Event event;
};

}  // namespace gw::twin
