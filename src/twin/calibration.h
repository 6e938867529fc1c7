// Calibration: corrects the P50 and P90 of forecasts by what came of earlier ones.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

#include "base/ids.h"
#include "base/units.h"
#include "twin/forecast_quantiles.h"

namespace gw::twin {

/// Adaptive conformal prediction (Gibbs and Candes, "Adaptive conformal inference under distribution shift",
/// NeurIPS 2021) of waits, by wait band. What came of a forecast gives a score: by what factor the job waited
/// longer than the ensemble said. A quantile is corrected by the factor that the share `level` of the band's
/// last scores stayed below, and `level` itself moves up a little after each start that came later than said
/// and down after each that came in time, so that the shares said are the shares that come, also where the
/// past is no guide to the next. A start that is late is known to be late once its time has passed, not only
/// when it starts at last.
///
/// Deterministic: it depends on the calls and their order alone.
class Calibration {
 public:
  static constexpr std::size_t kBands = 3;
  static constexpr std::size_t kKept = 300;   ///< Scores of a band.
  static constexpr std::size_t kEnough = 16;  ///< With fewer, all bands' together; with fewer of those, none.

  /// The band of a forecast: by the wait that the ensemble's median says.
  static std::size_t band(Nanoseconds wait);
  /// The upper ends of the bands but the last.
  static const std::array<Nanoseconds, kBands - 1>& band_ends();

  /// The forecast as it is to be told. What has no end (kNever) or is only a bound (`..._or_later`) stays.
  [[nodiscard]] StartForecast corrected(const StartForecast& raw, Instant now) const;

  /// A forecast has been made whose outcome will be learned: `told` is corrected(raw).
  void made(const StartForecast& raw, const StartForecast& told, Instant now);
  /// The job has started; one that nothing was made for is passed over.
  void started(JobId job, Instant now);
  /// The job will never start: it was cancelled or refused.
  void gone(JobId job);
  /// Time passes: what should have started by now is late. `now` never goes back.
  void advance(Instant now);

  [[nodiscard]] std::size_t open() const { return open_.size(); }
  /// Starts that were learned from, since the beginning.
  [[nodiscard]] std::uint64_t outcomes() const { return outcomes_; }

 private:
  enum Which : std::uint8_t { kP50, kP90 };
  static constexpr std::size_t kWhich = 2;
  struct Open {
    JobId job;
    Instant made;
    std::array<Instant, kWhich> raw;
    std::array<Instant, kWhich> told;
    std::array<bool, kWhich> usable;  ///< A time that can be late.
    std::array<bool, kWhich> late{};
  };
  struct Track {
    std::deque<double> scores;  ///< Newest last.
    double level = 0;
  };
  [[nodiscard]] double correction(std::size_t band, Which which) const;
  void judged(const Open& open, Which which, bool in_time);

  std::vector<Open> open_;  ///< In order of making.
  std::array<std::array<Track, kWhich>, kBands> tracks_{
      {{{{{}, 0.5}, {{}, 0.9}}}, {{{{}, 0.5}, {{}, 0.9}}}, {{{{}, 0.5}, {{}, 0.9}}}}};
  std::array<std::deque<double>, kWhich> all_scores_;
  std::uint64_t outcomes_ = 0;
};

}  // namespace gw::twin
