// Poisson counts from the seeded generator.
#pragma once

#include <cmath>

#include "base/math.h"
#include "base/rng.h"

namespace gw::physics {

/// Poisson of that mean; beyond 50 the rounded normal one, whose error is then below that of any rate here.
inline double random_count(Rng& rng, double mean) {
  if (mean <= 0) return 0;
  if (mean > 50) return std::fmax(0, std::floor(mean + std::sqrt(mean) * rng.normal() + 0.5));
  const double limit = stable_exp(-mean);
  double product = rng.uniform();
  double count = 0;
  while (product > limit) {
    product *= rng.uniform();
    ++count;
  }
  return count;
}

}  // namespace gw::physics
