// The serving model beside published throughputs.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "physics/published_inference.h"
#include "physics/validation.h"

namespace gw::physics {

/// The null model: the median tokens per second and GPU of its GPU type, numbers and active parameters.
[[nodiscard]] ValidationReport validate_inference(const std::vector<PublishedInference>& rows,
                                                  const ServingCalibration& calibration);

/// Notes how far measurements of one configuration lie from their own median, below which no model of
/// configurations comes. By configuration: its group, a line end, and what tells it apart.
void note_repeats(const std::map<std::string, std::vector<double>>& repeats, ReportBuilder& report);

}  // namespace gw::physics
