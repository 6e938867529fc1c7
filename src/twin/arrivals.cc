// The block bootstrap of arrivals.
#include "twin/arrivals.h"

#include <algorithm>

#include "base/check.h"

namespace gw::twin {

void ArrivalModel::observe(Instant now, const JobRequest& request) {
  GW_CHECK(past_.empty() || past_.back().when <= now);
  past_.push_back({now, request});
  if (past_.size() > kKept) past_.pop_front();
}

ArrivalDraw::ArrivalDraw(const ArrivalModel& model, Instant now, Rng rng)
    : model_(model), now_(now), rng_(rng), stretch_(now) {
  if (model.past_.size() < ArrivalModel::kEnough) return;
  const Nanoseconds history = now - model.since();
  if (history <= Nanoseconds{0}) return;
  const std::int64_t whole_days = history / days(1);
  length_ = whole_days >= 2 ? days(1) : history;
  choices_ = std::clamp<std::int64_t>(whole_days >= 2 ? whole_days : 1, 1, ArrivalModel::kMostDays);
  begin_stretch();
}

void ArrivalDraw::begin_stretch() {
  const auto back = static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>(choices_))) + 1;
  from_ = now_ - length_ * back;
  until_ = from_ + length_;
  const auto after = [](Instant when, const ArrivalModel::Arrival& arrival) { return when < arrival.when; };
  at_ = static_cast<std::size_t>(std::upper_bound(model_.past_.begin(), model_.past_.end(), from_, after) -
                                 model_.past_.begin());
}

std::optional<ArrivalDraw::Arrival> ArrivalDraw::next() {
  if (length_ <= Nanoseconds{0}) return std::nullopt;
  constexpr int kMostEmpty = 400;  // Stretches without an arrival: the factory is deserted.
  for (int empty = 0; empty < kMostEmpty; ++empty) {
    if (at_ < model_.past_.size() && model_.past_[at_].when <= until_) {
      const ArrivalModel::Arrival& past = model_.past_[at_++];
      return Arrival{stretch_ + (past.when - from_), &past.request};
    }
    stretch_ = stretch_ + length_;
    begin_stretch();
  }
  return std::nullopt;
}

}  // namespace gw::twin
