// Forecaster: answers "when does my job start?" on a live factory by running its scheduler ahead.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>

#include "api/json.h"
#include "live/archive.h"
#include "live/factory.h"
#include "twin/forecast.h"
#include "twin/run_times.h"

namespace gw::serve {

/// One forecast serves all who ask as long as nothing has been decided since, or it is fresh enough. All
/// calls may come from any thread.
class Forecaster {
 public:
  explicit Forecaster(live::Factory& factory) : factory_(factory) {}

  /// What earlier jobs have run; newest first.
  void learn(const std::vector<live::Archive::RunFraction>& fractions);
  /// Jobs that have ended.
  void learn(const live::Changes& changes);

  std::expected<api::Json, live::Refusal> eta(std::uint64_t number);

 private:
  struct Kept {
    std::uint64_t sequence = 0;  ///< Of the journal.
    Instant as_of;
    std::int64_t made_ns = 0;  ///< By the machine's own clock.
    twin::Forecast forecast;
  };
  /// One that tells of the job; made anew if need be.
  std::expected<std::shared_ptr<const Kept>, live::Refusal> forecast_for(JobId job);

  live::Factory& factory_;
  std::mutex learning_;
  twin::RunTimeModel run_times_;
  std::mutex making_;  ///< One forecast is made at a time; the others wait for it.
  std::shared_ptr<const Kept> kept_;
};

}  // namespace gw::serve
