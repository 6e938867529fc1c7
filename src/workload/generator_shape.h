// Gives a class's gang sizes the form that the fleet's nodes can hold.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "model/fleet.h"
#include "model/job.h"
#include "model/workload_mix.h"

namespace gw::workload {

/// The shape of a job of `job_class` that asks for `gpus` GPUs:
/// - the pool is the first of the class's GPU types (of the fleet's, where the class names none) that holds
/// the
///   gang; types further down the list whose nodes take the same form are allowed too;
/// - up to one node's worth sits on one node; more is a gang of whole nodes, rounded up;
/// - a gang larger than every pool becomes the largest power of two of GPUs that the largest pool holds;
/// - a required fabric level too small for the gang gives way to the next one that holds it;
/// - a class's blocks round the gang up to whole ones; what the pool cannot give of blocks, spread and
/// exclusive use
///   is left out;
/// - CPU and memory are the class's per-GPU wishes, at most what the smallest allowed node has.
/// An error only where the fleet has none of the class's GPU types, or no GPU at all.
Result<Shape> fit_shape(const JobClass& job_class, const Fleet& fleet, std::uint32_t gpus);

}  // namespace gw::workload
