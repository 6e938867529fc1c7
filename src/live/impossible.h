// Impossible: why no part of the factory, of what the rules leave of it or of a reservation could ever hold
// a job, and what would lift it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "live/commands.h"
#include "model/fleet.h"
#include "model/job.h"
#include "model/law.h"
#include "model/window.h"
#include "sched/state.h"

namespace gw::live {

/// Nothing, or why no part of `fleet` could ever hold the shape: what is asked for and the most there is
/// (code `impossible`); where only the zones that the law leaves are too small, the rules and wishes that
/// close the others, and what would lift it (code `rule`). `decision`: by which the shape has its zones.
std::optional<Refusal> impossibility(const Shape& shape, const Fleet& fleet, const sched::State& state,
                                     const LawDecision& decision, const Law& law);

/// Nothing, or why a job that may run in this reservation only never will: its nodes could not hold it, or
/// none of its times that are left from `earliest` on is as long as the job's limit.
std::optional<Refusal> outside_reservation(const std::string& name, const WindowTerms& terms,
                                           const JobRequest& request, Instant earliest, const Fleet& fleet,
                                           const LawDecision& decision, const Law& law);

/// Of `fleet` these nodes alone (ascending, some): its fabric with what is left of each vertex, without
/// feeds, uplinks and names; types, levels and zones keep their numbers.
Fleet part_of_fleet(const Fleet& fleet, const std::vector<NodeRun>& nodes);

}  // namespace gw::live
