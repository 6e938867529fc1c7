// Rng: the one seeded random generator, split per component, with distributions of our own.
//
// Library distributions and libm differ between implementations; here equal seeds give equal values on any
// machine and compiler (only IEEE + - * / sqrt are used; build with -ffp-contract=off).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace gw {

/// xoshiro256** (Blackman and Vigna 2018), seeded through splitmix64.
class Rng {
 public:
  explicit Rng(std::uint64_t seed);

  /// A generator of its own for a component: equal (seed, name) pairs give equal streams, whatever was drawn.
  [[nodiscard]] Rng split(std::string_view name) const;
  [[nodiscard]] Rng split(std::uint64_t index) const;

  std::uint64_t next();                                       ///< Uniform over all 64-bit values.
  std::uint64_t below(std::uint64_t bound);                   ///< Uniform in [0, bound); bound > 0.
  std::int64_t between(std::int64_t low, std::int64_t high);  ///< Uniform in [low, high].
  double uniform();                                           ///< Uniform in [0, 1), 53 bits.
  bool chance(double probability);
  double normal();                            ///< Mean 0, standard deviation 1.
  double lognormal(double mu, double sigma);  ///< exp(mu + sigma * normal()).
  double exponential(double mean);
  double weibull(double shape, double scale);
  /// Index drawn with the given non-negative weights; their sum must be positive.
  std::size_t weighted(std::span<const double> weights);

 private:
  std::uint64_t seed_;
  std::uint64_t state_[4];
};

}  // namespace gw
