// Commands whose run time is known, and draws for the others.
#include "serve/simulated_run.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/math.h"
#include "base/rng.h"
#include "spec/unit_text.h"

namespace gw::serve {
namespace {

constexpr double kMedianFraction = 0.4;
constexpr double kSigma = 0.8;
constexpr double kFailing = 0.04;

/// What a command or a wish says about a run; none where it says nothing.
struct Known {
  std::optional<Nanoseconds> run_time;
  std::optional<int> exit_code;
};

/// Where a computed time enters the simulation: rounded to whole nanoseconds once, cut to the longest span.
Nanoseconds round_nanoseconds(double nanoseconds) {
  const auto most = static_cast<double>(kLongestSpan.count());
  if (!(nanoseconds < most)) return kLongestSpan;
  return Nanoseconds{std::llround(std::max(nanoseconds, 0.0))};
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// An argument of sleep: `5`, `1.5m`, `infinity`.
std::optional<double> sleep_seconds(std::string_view text) {
  if (text == "infinity" || text == "inf") return 1e18;
  double factor = 1;
  if (!text.empty()) {
    constexpr std::string_view kSuffixes = "smhd";
    constexpr double kSeconds[] = {1, 60, 3600, 86400};
    const std::size_t at = kSuffixes.find(text.back());
    if (at != std::string_view::npos) {
      factor = kSeconds[at];
      text.remove_suffix(1);
    }
  }
  const std::string whole = text.starts_with('.') ? "0" + std::string(text) : std::string(text);
  const std::optional<double> number = spec::parse_number(whole);
  if (!number || *number < 0) return std::nullopt;
  return *number * factor;
}

Known of_words(std::span<const std::string_view> words);

std::vector<std::string_view> split_words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos || line[first] == '#') return words;
    line.remove_prefix(first);
    const std::size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

/// Of a script whose one command says it; any second command makes it an unknown one.
Known of_script(std::string_view script) {
  std::vector<std::string_view> only;
  while (!script.empty()) {
    const std::size_t end = std::min(script.find('\n'), script.size());
    std::vector<std::string_view> words = split_words(script.substr(0, end));
    script.remove_prefix(std::min(end + 1, script.size()));
    if (words.empty()) continue;
    if (!only.empty()) return {};
    only = std::move(words);
  }
  return of_words(only);
}

Known of_words(std::span<const std::string_view> words) {
  if (words.empty()) return {};
  const std::string_view program = base_name(words[0]);
  if (program == "true" && words.size() == 1) return {Nanoseconds{0}, 0};
  if (program == "false" && words.size() == 1) return {Nanoseconds{0}, 1};
  if (program == "sleep" && words.size() > 1) {
    double seconds = 0;
    for (const std::string_view word : words.subspan(1)) {
      const std::optional<double> part = sleep_seconds(word);
      if (!part) return {};
      seconds += *part;
    }
    return {round_nanoseconds(seconds * 1e9), 0};
  }
  if ((program == "sh" || program == "bash") && words.size() == 3 && words[1] == "-c")
    return of_script(words[2]);
  return {};
}

Known of_command(const JobSpec& spec) {
  if (!spec.script.empty()) return of_script(spec.script);
  const std::vector<std::string_view> words(spec.command.begin(), spec.command.end());
  return of_words(words);
}

Known of_environment(const JobSpec& spec) {
  Known known;
  for (const auto& [name, value] : spec.environment) {
    if (name == "GIGAWERK_SIM_RUN_TIME") {
      const std::optional<double> span = spec::parse_amount(value, spec::Unit::kNanoseconds);
      if (span) known.run_time = round_nanoseconds(*span);
    } else if (name == "GIGAWERK_SIM_EXIT_CODE") {
      const std::optional<double> code = spec::parse_number(value);
      if (code && *code >= 0 && *code <= 255) known.exit_code = static_cast<int>(*code);
    }
  }
  return known;
}

}  // namespace

SimulatedRun simulate_run(const live::Launch& launch, std::uint64_t seed) {
  Rng rng = Rng(seed).split("attempt").split(launch.id.job).split(launch.id.attempt);
  SimulatedRun run;
  run.startup = seconds(1) + round_nanoseconds(rng.uniform() * 2e9);
  const double fraction = rng.lognormal(stable_log(kMedianFraction), kSigma);
  const bool fails = rng.chance(kFailing);
  const double share = fails ? rng.uniform() : 1.0;
  const Known wish = of_environment(*launch.spec);
  const Known known = of_command(*launch.spec);
  if (wish.run_time || known.run_time) {
    run.run_time = wish.run_time ? *wish.run_time : *known.run_time;
    run.exit_code = known.exit_code.value_or(0);
  } else {
    run.run_time = round_nanoseconds(static_cast<double>(launch.limit.count()) * fraction * share);
    run.exit_code = fails ? 1 : 0;
  }
  if (wish.exit_code) run.exit_code = *wish.exit_code;
  if (run.run_time > launch.limit) {
    run.run_time = launch.limit;
    run.end = live::AttemptEnd::kTimeLimit;
    run.exit_code = 0;
  }
  return run;
}

}  // namespace gw::serve
