// ProgressLine: one line on a terminal's standard error that says how far a long run is.
#pragma once

#include <chrono>
#include <cstdint>
#include <string_view>

#include "base/units.h"

namespace gw::report {

/// Redraws at most ten times a second; does nothing where it is not wanted. Cheap enough to call for every
/// event.
class ProgressLine {
 public:
  /// `wanted`: standard error is a terminal (AppContext::progress).
  explicit ProgressLine(bool wanted) : wanted_(wanted) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  ~ProgressLine() { clear(); }

  /// `share` of the work that is done, 0 to 1; negative = not known.
  void update(double share, std::uint64_t jobs_done, Instant now) {
    if (wanted_) draw_if_due(share, jobs_done, now);
  }
  /// Removes the line, so that other text can follow.
  void clear();

 private:
  void draw_if_due(double share, std::uint64_t jobs_done, Instant now);

  bool wanted_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_ = begin_;
};

}  // namespace gw::report
