// Draws the progress line.
#include "report/progress.h"

#include <fmt/format.h>

#include <cstdio>

#include "report/text.h"

namespace gw::report {

void ProgressLine::draw_if_due(double share, std::uint64_t jobs_done, Instant now) {
  const auto time = std::chrono::steady_clock::now();
  if (time - last_ < std::chrono::milliseconds(100)) return;
  last_ = time;
  const double elapsed = std::chrono::duration<double>(time - begin_).count();
  std::string line;
  if (share >= 0) line += fmt::format("{} {:>3.0f} %  ", bar(Style{}, share, 24), share * 100);
  line += fmt::format("{} jobs, {} simulated, {} jobs/s", format_count(jobs_done),
                      format_duration(to_seconds(now)),
                      format_count(static_cast<std::uint64_t>(static_cast<double>(jobs_done) / elapsed)));
  if (share > 0.02) line += fmt::format(", {} left", format_duration(elapsed * (1 - share) / share));
  fmt::print(stderr, "\r\033[K{}", line);
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressLine::clear() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace gw::report
