// The training model beside published step times.
#pragma once

#include "physics/validation.h"

namespace gw::physics {

/// The null model: the median TFLOP/s per GPU of its GPU type and precision.
[[nodiscard]] ValidationReport validate_training(const std::vector<PublishedTraining>& rows,
                                                 const Calibration& calibration);

}  // namespace gw::physics
