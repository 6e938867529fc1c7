// Forecaster: answers "when does my job start?" on a live factory by running its scheduler ahead.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "api/json.h"
#include "base/ids.h"
#include "live/archive.h"
#include "live/factory.h"
#include "twin/arrivals.h"
#include "twin/calibration.h"
#include "twin/forecast.h"
#include "twin/run_times.h"

namespace gw::serve {

/// A forecast is made for the job that somebody asks about: its members end when that has started. It serves
/// all who ask about jobs that start before it, as long as nothing has been decided since, or it is fresh
/// enough; if meanwhile somebody asks about another, one is made for all jobs. All calls may come from any
/// thread.
///
/// A thread of its own makes a forecast of a job that has just come and waits, now and then and unasked, and
/// compares it with what comes: that is how answers are calibrated. Users' own questions are not used for
/// that: who is anxious asks often. What parts of their limits tenants use is learned again from the archive
/// after a restart; what jobs of one kind use, arrivals and calibration begin anew.
class Forecaster {
 public:
  explicit Forecaster(live::Factory& factory) : factory_(factory) {}
  ~Forecaster() { stop(); }
  Forecaster(const Forecaster&) = delete;
  Forecaster& operator=(const Forecaster&) = delete;

  /// Begins to ask unasked. The factory must outlive the end of that.
  void start();
  void stop();

  /// What earlier jobs have run; newest first.
  void learn(const std::vector<live::Archive::RunFraction>& fractions);
  /// Jobs that have ended.
  void learn(const live::Changes& changes);

  std::expected<api::Json, live::Refusal> eta(std::uint64_t number);

  /// What is told of a job: the ensemble's quantiles, corrected by what came of earlier forecasts. Whoever
  /// says when a job starts as it is says this, so that all answers agree.
  struct Told {
    Instant as_of;
    std::uint32_t members = 0;
    std::uint64_t learned_from = 0;            ///< Starts that the correction rests on.
    std::optional<twin::StartForecast> start;  ///< None: it is about to start, or stands too far behind.
  };
  std::expected<Told, live::Refusal> told(JobId job);

  /// A forecast that somebody else has made, as it is to be told.
  [[nodiscard]] twin::StartForecast corrected(const twin::StartForecast& raw, Instant as_of) const {
    const std::lock_guard lock(learning_);
    return calibration_.corrected(raw, as_of);
  }
  /// All that has been learnt so far.
  [[nodiscard]] twin::RunTimeModel run_times() const {
    const std::lock_guard lock(learning_);
    return run_times_;
  }
  [[nodiscard]] twin::ArrivalModel arrivals() const {
    const std::lock_guard lock(learning_);
    return arrivals_;
  }

 private:
  struct Kept {
    std::uint64_t sequence = 0;  ///< Of the journal.
    Instant as_of;
    std::int64_t made_ns = 0;  ///< By the machine's own clock.
    JobId asked;               ///< Until this one has started; none: until all have.
    twin::Forecast forecast;
    /// Of a job beside the one asked about: does it start so far before that that its quantiles are known?
    [[nodiscard]] bool tells_of(JobId job) const;
  };
  /// One that tells of the job; made anew if need be.
  std::expected<std::shared_ptr<const Kept>, live::Refusal> forecast_for(JobId job);

  void sample(const std::stop_token& stop);
  /// The last of the jobs that have come since the last call and wait; none if there is none.
  JobId take_arrivals();

  live::Factory& factory_;
  mutable std::mutex learning_;  ///< Of what follows, to `making_`.
  twin::RunTimeModel run_times_;
  twin::ArrivalModel arrivals_;
  twin::Calibration calibration_;
  std::uint32_t arrivals_to_ = 0;  ///< Jobs of the core below this one are in arrivals_.
  Instant last_arrival_;
  bool changed_ = false;
  std::condition_variable_any changes_;
  std::jthread sampler_;
  std::mutex making_;  ///< One forecast is made at a time; the others wait for it.
  std::shared_ptr<const Kept> kept_;
};

}  // namespace gw::serve
