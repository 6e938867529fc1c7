// The serving model beside published throughputs.
#pragma once

#include <vector>

#include "physics/published_inference.h"
#include "physics/validation.h"

namespace gw::physics {

/// The null model: the median tokens per second and GPU of its GPU type, numbers and active parameters.
[[nodiscard]] ValidationReport validate_inference(const std::vector<PublishedInference>& rows,
                                                  const ServingCalibration& calibration);

}  // namespace gw::physics
