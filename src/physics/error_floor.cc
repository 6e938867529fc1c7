// Least sums of relative errors: a best function that never falls, and a best line.
#include "physics/error_floor.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace gw::physics {

double growing_floor(std::vector<SizedValue> points) {
  std::sort(points.begin(), points.end(),
            [](const SizedValue& a, const SizedValue& b) { return a.size < b.size; });
  // A best function takes measured values only: between two of them the sum is linear in each of its levels.
  std::vector<double> levels;
  levels.reserve(points.size());
  for (const SizedValue& each : points) levels.push_back(each.value);
  std::sort(levels.begin(), levels.end());
  levels.erase(std::unique(levels.begin(), levels.end()), levels.end());
  // Least sum so far of functions that have not passed a level.
  std::vector<double> least(levels.size(), 0.0);
  for (std::size_t first = 0; first < points.size();) {
    std::size_t last = first;
    while (last < points.size() && points[last].size == points[first].size) ++last;
    double before = 0;
    for (std::size_t level = 0; level < levels.size(); ++level) {
      double sum = least[level];
      for (std::size_t i = first; i < last; ++i) sum += std::abs(levels[level] / points[i].value - 1);
      before = level == 0 ? sum : std::min(before, sum);
      least[level] = before;
    }
    first = last;
  }
  return least.empty() ? 0 : least.back();
}

double line_floor(const std::vector<SizedValue>& points) {
  double best = -1;
  // A best line passes through a point. Of those through one, the sum is convex in the slope, and its kinks
  // are the lines to the other points: the least is at their weighted median, or at 0 where that is below.
  for (const SizedValue& anchor : points) {
    struct Kink {
      double slope;
      double weight;
    };
    std::vector<Kink> kinks;
    double all = 0;
    for (const SizedValue& each : points) {
      const double run = each.size - anchor.size;
      if (run == 0) continue;
      kinks.push_back({(each.value - anchor.value) / run, std::abs(run) / each.value});
      all += kinks.back().weight;
    }
    std::sort(kinks.begin(), kinks.end(), [](const Kink& a, const Kink& b) { return a.slope < b.slope; });
    double slope = 0;
    double passed = 0;
    for (const Kink& each : kinks) {
      passed += each.weight;
      if (2 * passed < all) continue;
      slope = std::max(0.0, each.slope);
      break;
    }
    double sum = 0;
    for (const SizedValue& each : points)
      sum += std::abs((anchor.value + slope * (each.size - anchor.size)) / each.value - 1);
    if (best < 0 || sum < best) best = sum;
  }
  return std::max(0.0, best);
}

NeighbourErrors neighbour_errors(std::vector<SizedValue> points) {
  std::sort(points.begin(), points.end(), [](const SizedValue& a, const SizedValue& b) {
    return std::pair(a.size, a.value) < std::pair(b.size, b.value);
  });
  NeighbourErrors errors;
  for (std::size_t i = 1; i + 1 < points.size(); ++i) {
    const SizedValue& before = points[i - 1];
    const SizedValue& after = points[i + 1];
    const double run = std::log(after.size / before.size);
    const double share = run > 0 ? std::log(points[i].size / before.size) / run : 0.5;
    const double told = before.value * std::pow(after.value / before.value, share);
    errors.sum += std::abs(told / points[i].value - 1);
    ++errors.points;
  }
  return errors;
}

}  // namespace gw::physics
