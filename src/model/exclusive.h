// Exclusive use: the shape of a job that has whole nodes, or whole parts of the fabric, to itself.
#pragma once

#include "base/result.h"
#include "model/fleet.h"
#include "model/job.h"

namespace gw {

/// `shape` rounded up until nobody else fits beside it: all GPUs, CPUs and memory of its nodes and, where
/// `level` is a fabric level (-1: nodes only), so many nodes that they fill whole vertices of it, one block
/// each. So the job pays for all that it keeps from others, and the core need not know why it is so large.
///
/// Of several kinds of nodes that would do, the one that costs the fewest GPUs (then nodes) is taken; it must
/// be one that nothing else of the fleet could stand in for. Vertices with fewer nodes than the largest are
/// not used. An Error where no kind will do, for instance where there is nothing countable to take.
///
/// `shape` is a gang of nodes, whole GPUs or none; with a fabric level, without blocks or spread of its own.
[[nodiscard]] Result<Shape> exclusive_shape(const Shape& shape, const Fleet& fleet, int level);

}  // namespace gw
