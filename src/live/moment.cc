// `now+6h`, or a date as anywhere else.
#include "live/moment.h"

#include <cmath>

#include "live/time_text.h"
#include "spec/sbatch_values.h"
#include "spec/unit_text.h"

namespace gw::live {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr double kLongestNs = 100.0 * 366 * 86400 * kSecond;
constexpr std::int64_t kLastSecond = 9'200'000'000;  // What nanoseconds can say.

}  // namespace

std::optional<std::int64_t> parse_moment(std::string_view text, std::int64_t now_unix_ns) {
  if (!text.starts_with("now")) return parse_time(text);
  if (text == "now") return now_unix_ns;
  if (text.starts_with("now+")) {
    const std::optional<double> span = spec::parse_amount(text.substr(4), spec::Unit::kNanoseconds);
    if (span && *span <= kLongestNs) return now_unix_ns + std::llround(*span);
  }
  const Result<std::int64_t> second = spec::sbatch_begin(text, now_unix_ns / kSecond);
  return second && *second <= kLastSecond ? std::optional(*second * kSecond) : std::nullopt;
}

}  // namespace gw::live
