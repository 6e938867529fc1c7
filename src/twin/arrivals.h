// ArrivalModel: which jobs have come of late, and draws of those that may come next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/rng.h"
#include "base/units.h"
#include "model/job.h"

namespace gw::twin {

/// The last arrivals as they came.
class ArrivalModel {
 public:
  static constexpr std::size_t kKept = 8192;
  static constexpr std::size_t kEnough = 32;  ///< From fewer, none are drawn.
  static constexpr std::int64_t kMostDays = 21;

  /// A job has been submitted at `now`; not before the last one.
  void observe(Instant now, const JobRequest& request);

  /// Where the history begins; later than this model's start once kKept arrivals have been seen.
  [[nodiscard]] Instant since() const { return past_.empty() ? Instant{} : past_.front().when; }
  /// Calls visit(request) for all that are kept, oldest first.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Arrival& arrival : past_) visit(arrival.request);
  }

 private:
  friend class ArrivalDraw;
  struct Arrival {
    Instant when;
    JobRequest request;
  };
  std::deque<Arrival> past_;  ///< Newest last.
};

/// One possible future of arrivals: stretches of a day each, each as on a past day that is drawn, from the
/// same time of day on (a block bootstrap: bursts, tenants' habits and the rhythm of the day stay as they
/// were). With less than two days of history the stretch is that history itself, once and again.
class ArrivalDraw {
 public:
  struct Arrival {
    Instant when;
    const JobRequest* request;  ///< Of the model; `submit` is the past one's.
  };

  /// `model` must outlive this and stay as it is.
  ArrivalDraw(const ArrivalModel& model, Instant now, Rng rng);

  /// The next arrival, after `now` and never before the last; none: no more come.
  std::optional<Arrival> next();

 private:
  void begin_stretch();

  const ArrivalModel& model_;
  Instant now_;
  Rng rng_;
  Nanoseconds length_;        ///< Of a stretch; 0 = there is too little history.
  std::int64_t choices_ = 1;  ///< Past stretches to choose from.
  Instant stretch_;           ///< Where the present stretch begins in the future.
  Instant from_, until_;      ///< Its part of the past.
  std::size_t at_ = 0;        ///< The next of the past.
};

}  // namespace gw::twin
