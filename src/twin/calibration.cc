// Scores, levels and the factors that follow from them.
#include "twin/calibration.h"

#include <algorithm>
#include <cmath>

#include "base/math.h"

namespace gw::twin {
namespace {

constexpr std::array kTargets = {0.5, 0.9};
constexpr double kStep = 0.02;        // By how much one outcome moves a level.
constexpr double kShortestWait = 60;  // Seconds: what differs by less than this differs little.
constexpr double kLargestScore = 12;  // e^12 is 160,000.

double log_wait(Nanoseconds wait) { return stable_log(std::max(to_seconds(wait), 0.0) + kShortestWait); }

/// The p quantile, between the k-th and the next smallest for k = p (n + 1), as conformal prediction has it.
double quantile(const std::deque<double>& scores, double p) {
  std::vector<double> sorted(scores.begin(), scores.end());
  std::sort(sorted.begin(), sorted.end());
  const double at =
      std::clamp(p * static_cast<double>(sorted.size() + 1), 1.0, static_cast<double>(sorted.size())) - 1;
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - static_cast<double>(low));
}

}  // namespace

const std::array<Nanoseconds, Calibration::kBands - 1>& Calibration::band_ends() {
  static constexpr std::array<Nanoseconds, kBands - 1> kEnds = {hours(1), hours(6)};
  return kEnds;
}

std::size_t Calibration::band(Nanoseconds wait) {
  const auto& ends = band_ends();
  return static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), wait) - ends.begin());
}

double Calibration::correction(std::size_t band, Which which) const {
  const Track& track = tracks_[band][which];
  if (track.scores.size() >= kEnough) return quantile(track.scores, track.level);
  if (all_scores_[which].size() >= kEnough) return quantile(all_scores_[which], kTargets[which]);
  return 0;
}

StartForecast Calibration::corrected(const StartForecast& raw, Instant now) const {
  StartForecast told = raw;
  if (raw.p50 == StartForecast::kNever) return told;
  const std::size_t in = band(raw.p50 - now);
  const auto correct = [&](Instant when, Which which) {
    const double wait = stable_exp(log_wait(when - now) + correction(in, which)) - kShortestWait;
    constexpr double kMost = 1e9;  // Seconds: thirty years.
    return now + Nanoseconds{std::llround(std::clamp(wait, 0.0, kMost) * 1e9)};
  };
  if (!raw.p50_or_later) told.p50 = correct(raw.p50, kP50);
  if (raw.p90 != StartForecast::kNever && !raw.p90_or_later) told.p90 = correct(raw.p90, kP90);
  told.p90 = std::max(told.p90, told.p50);
  return told;
}

void Calibration::made(const StartForecast& raw, const StartForecast& told, Instant now) {
  Open open{raw.job, now, {raw.p50, raw.p90}, {told.p50, told.p90}, {}, {}};
  open.usable = {raw.p50 != StartForecast::kNever && !raw.p50_or_later,
                 raw.p90 != StartForecast::kNever && !raw.p90_or_later};
  if (open.usable[kP50]) open_.push_back(open);
}

void Calibration::judged(const Open& open, Which which, bool in_time) {
  double& level = tracks_[band(open.raw[kP50] - open.made)][which].level;
  level += kStep * (in_time ? kTargets[which] - 1 : kTargets[which]);
  constexpr double kEdge = 0.005;
  level = std::clamp(level, kEdge, 1 - kEdge);
}

void Calibration::started(JobId job, Instant now) {
  const auto at = std::find_if(open_.begin(), open_.end(), [&](const Open& open) { return open.job == job; });
  if (at == open_.end()) return;
  for (const Which which : {kP50, kP90}) {
    if (!at->usable[which]) continue;
    if (!at->late[which]) judged(*at, which, now <= at->told[which]);
    const double score = std::clamp(log_wait(now - at->made) - log_wait(at->raw[which] - at->made),
                                    -kLargestScore, kLargestScore);
    Track& track = tracks_[band(at->raw[kP50] - at->made)][which];
    for (std::deque<double>* scores : {&track.scores, &all_scores_[which]}) {
      scores->push_back(score);
      if (scores->size() > kKept) scores->pop_front();
    }
  }
  ++outcomes_;
  open_.erase(at);
}

void Calibration::gone(JobId job) {
  std::erase_if(open_, [&](const Open& open) { return open.job == job; });
}

void Calibration::advance(Instant now) {
  for (Open& open : open_) {
    for (const Which which : {kP50, kP90}) {
      if (!open.usable[which] || open.late[which] || now <= open.told[which]) continue;
      open.late[which] = true;
      judged(open, which, false);
    }
  }
}

}  // namespace gw::twin
