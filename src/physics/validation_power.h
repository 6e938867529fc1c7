// Compares the power model with published nodes, GPUs and plants.
#pragma once

#include "physics/published_power.h"
#include "physics/validation.h"

namespace gw::physics {

/// The null model: the median share of the nameplate (of the TDP) over the rows of that quantity and GPU
/// type.
[[nodiscard]] ValidationReport validate_power(const std::vector<PublishedPower>& rows,
                                              const PowerConstants& constants);

}  // namespace gw::physics
