// Checks that make an option's value wrong on the command line.
#include "cli/time_values.h"

#include <fmt/format.h>

#include "live/moment.h"
#include "spec/unit_text.h"

namespace gw {

CLI::Validator moment() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        // Whether it is one does not depend on the clock: the server has its own.
        constexpr std::int64_t kSomeTime = 1'700'000'000'000'000'000;
        if (live::parse_moment(text, kSomeTime)) return "";
        return fmt::format("{} is no time; write {}", text, live::kMomentExamples);
      },
      "");
}

CLI::Validator span() {
  return CLI::Validator(
      [](std::string& text) -> std::string {
        const std::optional<double> span = spec::parse_amount(text, spec::Unit::kNanoseconds);
        if (span && *span > 0) return "";
        return fmt::format("{} is no span of time; write it with its unit: 90min, 4h, 2d", text);
      },
      "");
}

}  // namespace gw
