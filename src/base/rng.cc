// The generator and its distributions; see rng.h for why they are our own.
#include "base/rng.h"

#include <bit>
#include <cmath>

#include "base/check.h"
#include "base/math.h"

namespace gw {
namespace {

std::uint64_t splitmix64(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

constexpr double kTwoPi = 6.28318530717958647692528676656;

}  // namespace

Rng::Rng(std::uint64_t seed) : seed_(seed) {
  std::uint64_t mix = seed;
  for (std::uint64_t& word : state_) word = splitmix64(mix);
}

Rng Rng::split(std::string_view name) const {
  std::uint64_t hash = 0xcbf29ce484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return split(hash);
}

Rng Rng::split(std::uint64_t index) const {
  std::uint64_t mix = seed_ ^ std::rotl(index * 0xd1342543de82ef95ULL, 29);
  return Rng{splitmix64(mix)};
}

std::uint64_t Rng::next() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

std::uint64_t Rng::below(std::uint64_t bound) {
  GW_CHECK(bound > 0);
  const std::uint64_t threshold = (0 - bound) % bound;  // Values under it would make low residues likelier.
  for (;;) {
    const std::uint64_t value = next();
    if (value >= threshold) return value % bound;
  }
}

std::int64_t Rng::between(std::int64_t low, std::int64_t high) {
  GW_CHECK(low <= high);
  const std::uint64_t width = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
  const std::uint64_t offset = width == 0 ? next() : below(width);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + offset);
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

bool Rng::chance(double probability) { return uniform() < probability; }

double Rng::normal() {
  const double radius = std::sqrt(-2.0 * stable_log(1.0 - uniform()));
  return radius * stable_cos(kTwoPi * uniform());
}

double Rng::lognormal(double mu, double sigma) { return stable_exp(mu + sigma * normal()); }

double Rng::exponential(double mean) { return -mean * stable_log(1.0 - uniform()); }

double Rng::weibull(double shape, double scale) {
  const double hazard = -stable_log(1.0 - uniform());
  return hazard > 0 ? scale * stable_pow(hazard, 1.0 / shape) : 0.0;
}

std::size_t Rng::weighted(std::span<const double> weights) {
  double total = 0;
  for (const double weight : weights) {
    GW_CHECK(weight >= 0);
    total += weight;
  }
  GW_CHECK(total > 0);
  double draw = uniform() * total;
  std::size_t last = 0;
  for (std::size_t index = 0; index < weights.size(); ++index) {
    if (weights[index] <= 0) continue;
    last = index;
    if (draw < weights[index]) return index;
    draw -= weights[index];
  }
  return last;
}

}  // namespace gw
