// Robust least squares with priors on the logarithms of positive constants (Levenberg-Marquardt).
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace gw::physics_fit {

/// A constant that is fitted. Its logarithm has a normal prior.
struct Constant {
  std::string name;
  double* value = nullptr;
  double prior = 1;
  double sigma = 1;  ///< Of the logarithm.
  double least = 1e-12;
  double most = 1e12;
};

/// Logarithms of predicted over measured, weighted.
using Residuals = std::function<void(std::vector<double>&)>;

/// Leaves the constants at the best values found; deterministic. `scale`: residuals beyond twice of it count
/// linearly (Huber).
void fit(std::vector<Constant>& constants, const Residuals& residuals, int rounds, double scale);

}  // namespace gw::physics_fit
