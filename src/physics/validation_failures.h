// The model of failures and goodput beside published measurements.
#pragma once

#include "physics/published_failures.h"
#include "physics/validation.h"

namespace gw::physics {

/// The null model: one median rate per GPU-hour for all, each cause alike.
[[nodiscard]] ValidationReport validate_failures(const std::vector<PublishedFailure>& rows);

}  // namespace gw::physics
