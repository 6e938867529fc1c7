// How near a curve of a kind can come to measurements at all: what stands below a mean error whatever the
// model.
#pragma once

#include <cstddef>
#include <vector>

namespace gw::physics {

/// A measurement at a size; both above 0.
struct SizedValue {
  double size = 0;
  double value = 0;
};

/// The least sum of |fitted - value| / value over all functions of the size that never fall; values at one
/// size are fitted by one. Exact, in time that grows with the square of the points.
[[nodiscard]] double growing_floor(std::vector<SizedValue> points);

/// The same over straight lines that never fall. Exact.
[[nodiscard]] double line_floor(const std::vector<SizedValue>& points);

/// How well points are told by their neighbours: the sum of |told - value| / value over the points that stand
/// between others in size, each read off the straight line through its two neighbours in logarithms.
struct NeighbourErrors {
  double sum = 0;
  std::size_t points = 0;
};
[[nodiscard]] NeighbourErrors neighbour_errors(std::vector<SizedValue> points);

}  // namespace gw::physics
