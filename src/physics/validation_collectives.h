// The model of collectives beside published times.
#pragma once

#include <string>
#include <vector>

#include "physics/validation.h"

namespace gw::physics {

/// Operation and band of sizes: `all-reduce, 64 MB and more`.
[[nodiscard]] std::string collective_cell(const PublishedCollective& row);

/// The null model: nominal bandwidth of the slowest link, no latency.
[[nodiscard]] ValidationReport validate_collectives(const std::vector<PublishedCollective>& rows);

}  // namespace gw::physics
