// Energy of a token by the models of serving and of power together, beside published measurements.
#pragma once

#include <vector>

#include "physics/power.h"
#include "physics/published_inference.h"
#include "physics/validation.h"

namespace gw::physics {

/// Rows that measured power, too: joules of the GPUs for one output token. The null model: the median of
/// those with the same GPU type, numbers and active parameters.
[[nodiscard]] ValidationReport validate_served_energy(const std::vector<PublishedInference>& rows,
                                                      const ServingCalibration& calibration,
                                                      const PowerConstants& constants);

}  // namespace gw::physics
