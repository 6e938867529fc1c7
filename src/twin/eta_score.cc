// Sums over samples.
#include "twin/eta_score.h"

#include <algorithm>
#include <cmath>

namespace gw::twin {
namespace {

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

PointError error_of(const std::vector<double>& errors) {
  PointError found;
  if (errors.empty()) return found;
  std::vector<double> absolute;
  double sum = 0, absolute_sum = 0;
  for (const double error : errors) {
    sum += error;
    absolute_sum += std::fabs(error);
    absolute.push_back(std::fabs(error));
  }
  found.bias_s = sum / static_cast<double>(errors.size());
  found.mean_absolute_s = absolute_sum / static_cast<double>(errors.size());
  found.median_bias_s = median(errors);
  found.median_absolute_s = median(std::move(absolute));
  return found;
}

/// A century stands for never, so that sums stay finite.
double seconds_between(Instant from, Instant to) {
  constexpr double kCentury = 3.2e9;
  return to == Instant::max() ? kCentury : to_seconds(to - from);
}

}  // namespace

Coverage coverage_of(std::uint64_t hits, std::uint64_t of) {
  Coverage found{hits, of};
  if (of == 0) return found;
  constexpr double kZ = 1.959964;
  const auto n = static_cast<double>(of);
  const double p = static_cast<double>(hits) / n;
  const double centre = (p + kZ * kZ / (2 * n)) / (1 + kZ * kZ / n);
  const double half = kZ / (1 + kZ * kZ / n) * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  found.share = p;
  found.low = std::max(0.0, centre - half);
  found.high = std::min(1.0, centre + half);
  return found;
}

EtaScore score_of(std::span<const EtaSample> samples, std::string name) {
  EtaScore score;
  score.name = std::move(name);
  std::uint64_t p50 = 0, p90 = 0, raw_p50 = 0, raw_p90 = 0;
  std::vector<double> waits, told, raw, by_limits, spread, raw_spread;
  for (const EtaSample& sample : samples) {
    if (sample.started == Instant::max()) continue;
    ++score.samples;
    p50 += sample.started <= sample.told.p50;
    p90 += sample.started <= sample.told.p90;
    raw_p50 += sample.started <= sample.raw.p50;
    raw_p90 += sample.started <= sample.raw.p90;
    waits.push_back(to_seconds(sample.started - sample.asked));
    told.push_back(seconds_between(sample.started, sample.told.p50));
    raw.push_back(seconds_between(sample.started, sample.raw.p50));
    by_limits.push_back(seconds_between(sample.started, sample.by_limits));
    spread.push_back(seconds_between(sample.asked, sample.told.p90) -
                     seconds_between(sample.asked, sample.told.p50));
    raw_spread.push_back(seconds_between(sample.asked, sample.raw.p90) -
                         seconds_between(sample.asked, sample.raw.p50));
  }
  score.median_wait_s = median(std::move(waits));
  score.p50 = coverage_of(p50, score.samples);
  score.p90 = coverage_of(p90, score.samples);
  score.raw_p50 = coverage_of(raw_p50, score.samples);
  score.raw_p90 = coverage_of(raw_p90, score.samples);
  score.error = error_of(told);
  score.raw_error = error_of(raw);
  score.by_limits = error_of(by_limits);
  if (score.by_limits.median_absolute_s > 0)
    score.error_ratio = score.error.median_absolute_s / score.by_limits.median_absolute_s;
  score.median_spread_s = median(std::move(spread));
  score.raw_median_spread_s = median(std::move(raw_spread));
  return score;
}

std::vector<EtaScore> scores_by_band(std::span<const EtaSample> samples) {
  static constexpr const char* kNames[Calibration::kBands] = {"up to 1 h", "1 h to 6 h", "over 6 h"};
  std::vector<EtaScore> scores;
  for (std::size_t band = 0; band < Calibration::kBands; ++band) {
    std::vector<EtaSample> in_band;
    for (const EtaSample& sample : samples) {
      if (Calibration::band(sample.raw.p50 - sample.asked) == band) in_band.push_back(sample);
    }
    EtaScore score = score_of(in_band, kNames[band]);
    if (score.samples > 0) scores.push_back(std::move(score));
  }
  return scores;
}

}  // namespace gw::twin
