// The serving model's latencies beside published ones: the most that is served within latency limits, and the
// times between tokens.
#pragma once

#include <vector>

#include "physics/published_inference.h"
#include "physics/validation.h"

namespace gw::physics {

/// The null model: the median of the GPU type, numbers and model in the same scenario (what is served within
/// limits), or of the number at once (times between tokens). Rows that say neither are passed over.
[[nodiscard]] ValidationReport validate_latency(const std::vector<PublishedInference>& rows,
                                                const ServingCalibration& calibration);

}  // namespace gw::physics
