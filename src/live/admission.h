// Admission: from what a user wants to what the core decides on, and the refusal where that cannot be.
#pragma once

#include <expected>
#include <vector>

#include "live/commands.h"
#include "model/fleet.h"
#include "model/job.h"
#include "model/job_spec.h"

namespace gw::live {

/// The request for the core; `submit` and `tenant` are the caller's. Refused: names that the fleet does not
/// have.
std::expected<JobRequest, Refusal> request_of(const JobSpec& spec, const Fleet& fleet);

/// The indices of an array, ascending; refused where one stands twice or there are more than a million.
std::expected<std::vector<std::uint32_t>, Refusal> array_indices(const ArraySpec& array);

}  // namespace gw::live
