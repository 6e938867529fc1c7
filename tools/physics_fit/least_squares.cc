// Levenberg-Marquardt by numerical derivatives: some fifty constants, some hundreds of rows, a second.
#include "least_squares.h"

#include <algorithm>
#include <cmath>

namespace gw::physics_fit {

namespace {

constexpr double kHuber = 2;

double cost_of(const std::vector<Constant>& constants, const std::vector<double>& residuals, double scale) {
  double cost = 0;
  for (const double residual : residuals) {
    const double size = std::abs(residual) / scale;
    cost += size <= kHuber ? size * size / 2 : kHuber * (size - kHuber / 2);
  }
  for (const Constant& each : constants) {
    const double away = std::log(*each.value / each.prior) / each.sigma;
    cost += away * away / 2;
  }
  return cost;
}

/// Solves a x = b in place of b, by elimination with pivots.
void solve(std::vector<std::vector<double>> a, std::vector<double>& b) {
  const std::size_t size = b.size();
  for (std::size_t i = 0; i < size; ++i) {
    std::size_t pivot = i;
    for (std::size_t j = i + 1; j < size; ++j) {
      if (std::abs(a[j][i]) > std::abs(a[pivot][i])) pivot = j;
    }
    std::swap(a[i], a[pivot]);
    std::swap(b[i], b[pivot]);
    for (std::size_t j = i + 1; j < size; ++j) {
      const double factor = a[j][i] / a[i][i];
      for (std::size_t k = i; k < size; ++k) a[j][k] -= factor * a[i][k];
      b[j] -= factor * b[i];
    }
  }
  for (std::size_t i = size; i-- > 0;) {
    for (std::size_t k = i + 1; k < size; ++k) b[i] -= a[i][k] * b[k];
    b[i] /= a[i][i];
  }
}

}  // namespace

void fit(std::vector<Constant>& constants, const Residuals& residuals, int rounds, double scale) {
  const std::size_t count = constants.size();
  std::vector<double> at;
  std::vector<double> near;
  residuals(at);
  double cost = cost_of(constants, at, scale);
  double damping = 1e-2;
  for (int round = 0; round < rounds; ++round) {
    constexpr double kStep = 1.003;
    std::vector<std::vector<double>> slope(count, std::vector<double>(at.size()));
    for (std::size_t i = 0; i < count; ++i) {
      const double before = *constants[i].value;
      *constants[i].value = before * kStep;
      residuals(near);
      *constants[i].value = before;
      for (std::size_t row = 0; row < at.size(); ++row)
        slope[i][row] = (near[row] - at[row]) / std::log(kStep);
    }
    std::vector<std::vector<double>> normal(count, std::vector<double>(count));
    std::vector<double> gradient(count);
    for (std::size_t row = 0; row < at.size(); ++row) {
      const double size = std::abs(at[row]) / scale;
      const double weight = (size <= kHuber ? 1 : kHuber / size) / (scale * scale);
      for (std::size_t i = 0; i < count; ++i) {
        gradient[i] += weight * slope[i][row] * at[row];
        for (std::size_t j = 0; j <= i; ++j) normal[i][j] += weight * slope[i][row] * slope[j][row];
      }
    }
    for (std::size_t i = 0; i < count; ++i) {
      const double inverse = 1 / (constants[i].sigma * constants[i].sigma);
      gradient[i] += std::log(*constants[i].value / constants[i].prior) * inverse;
      normal[i][i] += inverse;
      for (std::size_t j = 0; j < i; ++j) normal[j][i] = normal[i][j];
    }
    bool better = false;
    double gained = 0;
    for (int tries = 0; tries < 8 && !better; ++tries) {
      std::vector<std::vector<double>> damped = normal;
      std::vector<double> step = gradient;
      for (std::size_t i = 0; i < count; ++i) damped[i][i] *= 1 + damping;
      solve(std::move(damped), step);
      std::vector<double> before(count);
      for (std::size_t i = 0; i < count; ++i) {
        before[i] = *constants[i].value;
        *constants[i].value = std::clamp(before[i] * std::exp(std::clamp(-step[i], -0.5, 0.5)),
                                         constants[i].least, constants[i].most);
      }
      residuals(near);
      const double then = cost_of(constants, near, scale);
      better = then < cost;
      if (better) {
        gained = cost - then;
        cost = then;
        at = near;
        damping = std::max(1e-5, damping / 3);
      } else {
        for (std::size_t i = 0; i < count; ++i) *constants[i].value = before[i];
        damping *= 4;
      }
    }
    if (!better || (round > 3 && gained < 1e-4 * cost)) return;
  }
}

}  // namespace gw::physics_fit
