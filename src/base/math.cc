// Polynomial and series evaluations behind math.h; coefficients are those of the exact Taylor series.
#include "base/math.h"

#include <bit>
#include <cstdint>

#include "base/check.h"

namespace gw {
namespace {

constexpr double kLn2 = 0.693147180559945309417232121458;
constexpr double kLn2High = 0x1.62e42fefa3800p-1;  // Leading bits of ln 2, so that n * kLn2High is exact.
constexpr double kLn2Low = 0x1.ef35793c76730p-45;
constexpr double kPi = 3.14159265358979323846264338328;

double scale_by_power_of_two(double value, int exponent) {
  while (exponent > 1000) value *= 0x1p1000, exponent -= 1000;
  while (exponent < -1000) value *= 0x1p-1000, exponent += 1000;
  return value * std::bit_cast<double>(static_cast<std::uint64_t>(exponent + 1023) << 52);
}

double nearest_integer(double x) {
  const auto truncated = static_cast<std::int64_t>(x + (x < 0 ? -0.5 : 0.5));
  return static_cast<double>(truncated);
}

/// e^r for |r| <= ln(2)/2 by its Taylor series (18 terms: below 1e-19).
double exp_small(double r) {
  double sum = 1.0;
  for (int term = 18; term >= 1; --term) sum = 1.0 + sum * r / term;
  return sum;
}

}  // namespace

double stable_exp(double x) {
  GW_CHECK(x > -700 && x < 700);
  const double n = nearest_integer(x / kLn2);
  const double r = (x - n * kLn2High) - n * kLn2Low;
  return scale_by_power_of_two(exp_small(r), static_cast<int>(n));
}

double stable_exp2(double x) {
  GW_CHECK(x > -1000 && x < 1000);
  const double n = nearest_integer(x);
  return scale_by_power_of_two(exp_small((x - n) * kLn2), static_cast<int>(n));
}

double stable_log(double x) {
  GW_CHECK(x > 0 && x < 0x1p1023);
  const auto bits = std::bit_cast<std::uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  GW_CHECK(exponent > -1023);
  double mantissa = std::bit_cast<double>((bits & 0x000fffffffffffffULL) | 0x3ff0000000000000ULL);
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    ++exponent;
  }
  // log(m) = 2 atanh(s), s = (m-1)/(m+1), |s| < 0.1716: 12 odd terms are below 1e-19.
  const double s = (mantissa - 1.0) / (mantissa + 1.0);
  const double square = s * s;
  double sum = 0.0;
  for (int k = 23; k >= 3; k -= 2) sum = (sum + 1.0 / k) * square;
  const double log_mantissa = 2.0 * s + 2.0 * s * sum;
  return exponent * kLn2High + (exponent * kLn2Low + log_mantissa);
}

double stable_log2(double x) { return stable_log(x) / kLn2; }

double stable_pow(double base, double exponent) { return stable_exp(exponent * stable_log(base)); }

double stable_cos(double x) {
  GW_CHECK(x > -1000 && x < 1000);
  const double turns = x / (2 * kPi);
  double r = (turns - nearest_integer(turns)) * 2 * kPi;  // [-pi, pi]
  if (r < 0) r = -r;
  const bool negate = r > kPi / 2;
  if (negate) r = kPi - r;  // [0, pi/2]
  const double square = r * r;
  double sum = 1.0;
  for (int k = 24; k >= 2; k -= 2) sum = 1.0 - sum * square / (k * (k - 1));
  return negate ? -sum : sum;
}

}  // namespace gw
