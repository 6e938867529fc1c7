// The model of collectives beside published times.
#pragma once

#include "physics/validation.h"

namespace gw::physics {

/// The null model: nominal bandwidth of the slowest link, no latency.
[[nodiscard]] ValidationReport validate_collectives(const std::vector<PublishedCollective>& rows);

}  // namespace gw::physics
