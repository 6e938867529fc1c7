// The arrivals that a factory has seen of late, as a model of those to come.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "live/archive.h"
#include "model/fleet.h"
#include "twin/submissions.h"

namespace gw::serve {

struct ArrivalHistory {
  twin::SubmissionModel model;
  Nanoseconds span;               ///< That it is of: at most 7 days.
  std::uint64_t submissions = 0;  ///< In that time; an array is one.
};

/// What was submitted in the last 7 days before `now` (or since the factory began, or the last 20,000 jobs);
/// of each tenant at most the last 64 submissions are what is drawn from.
Result<ArrivalHistory> arrival_history(live::Archive& archive, const Fleet& fleet, Instant now);

}  // namespace gw::serve
