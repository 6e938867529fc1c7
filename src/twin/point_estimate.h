// PointEstimate: when a scheduler that knows only time limits would say that waiting jobs start, the null
// model that a forecast must beat.
#pragma once

#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/units.h"
#include "model/fleet.h"
#include "model/policy.h"

namespace gw::twin {

struct PointEstimate {
  JobId job;
  Instant start;  ///< Instant::max(): not as things are.
};

/// First come, first served with EASY backfill from the snapshot on, whatever `policy` decides: every job
/// runs to its limit, none arrives, one past its limit ends now. By `jobs` that wait, ascending. An Error if
/// the snapshot is not of that fleet and policy.
Result<std::vector<PointEstimate>> estimate_by_limits(const Fleet& fleet, const PolicyConfig& policy,
                                                      std::string_view snapshot, Instant now,
                                                      std::vector<JobId> jobs);

}  // namespace gw::twin
