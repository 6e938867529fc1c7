// Gigawerk's readers first, sbatch's where there is no unit of Gigawerk.
#include "cli/job_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "spec/job_check.h"
#include "spec/job_text.h"
#include "spec/sbatch_values.h"
#include "spec/unit_text.h"

namespace gw {
namespace {

/// Whole seconds of `90s`, `5min`, ...; nothing where that is no amount of time.
std::optional<double> whole_seconds(std::string_view text) {
  const std::optional<double> amount = spec::parse_amount(text, spec::Unit::kNanoseconds);
  if (!amount || std::fmod(*amount, 1e9) != 0) return std::nullopt;
  return *amount / 1e9;
}

}  // namespace

Result<Nanoseconds> parse_job_time(std::string_view text) {
  if (spec::parse_amount(text, spec::Unit::kNanoseconds)) {
    const std::optional<double> amount = whole_seconds(text);
    if (!amount || *amount < 1 || *amount > static_cast<double>(spec::job_limits::kLongestSeconds))
      return fail(fmt::format("\"{}\" is not from 1s to a hundred years in whole seconds", text));
    return seconds(static_cast<std::int64_t>(*amount));
  }
  const Result<Nanoseconds> limit = spec::sbatch_time(text);
  if (limit) return *limit;
  return fail(
      fmt::format("\"{}\" is no time; write 90s, 30min, 2h, 1d, or as Slurm does: minutes, mm:ss, hh:mm:ss, "
                  "d-hh, d-hh:mm, "
                  "d-hh:mm:ss, UNLIMITED",
                  text));
}

Result<std::int64_t> parse_job_memory(std::string_view text) {
  const auto bad = [&] {
    return fail(fmt::format("\"{}\" is no size; write for example 16G, 512M, 1.5 GiB or 4096 (MiB)", text));
  };
  if (text.find('i') != std::string_view::npos) {
    const std::optional<double> mib = spec::parse_amount(text, spec::Unit::kMebibytes);
    if (!mib) return bad();
    if (*mib <= 0 || *mib > static_cast<double>(spec::job_limits::kMemoryMib))
      return fail(fmt::format("\"{}\" is not more than nothing and at most 1 EiB", text));
    return static_cast<std::int64_t>(std::ceil(*mib));
  }
  std::string closed(text);
  std::erase(closed, ' ');
  const Result<std::int64_t> mib = spec::sbatch_memory(closed);
  if (!mib) return bad();
  if (*mib == 0) return fail("all memory of a node cannot be asked for; say how much, such as 16G");
  return *mib;
}

Result<WarningSignal> parse_job_signal(std::string_view text) {
  const std::size_t at = text.find('@');
  // Only the time may have a unit of Gigawerk.
  std::optional<double> before;
  if (at != std::string_view::npos) before = whole_seconds(text.substr(at + 1));
  const Result<spec::SbatchSignal> wanted = spec::sbatch_signal(before ? text.substr(0, at) : text);
  if (!wanted)
    return fail(
        fmt::format("{}; write for example USR1, USR1@60 (seconds) or USR1@5min", wanted.error().message));
  if (wanted->within_reservation)
    return fail("R: has no meaning, as reservations are made by Gigawerk itself; leave it out");
  if (before && (*before < 1 || *before > static_cast<double>(spec::job_limits::kLongestSeconds)))
    return fail(fmt::format("\"{}\" is not from 1s to a hundred years", text.substr(at + 1)));
  const std::int64_t span = before ? static_cast<std::int64_t>(*before) : wanted->before_s;
  return WarningSignal{wanted->signal, seconds(span), !wanted->shell_only};
}

Result<std::int64_t> parse_job_begin(std::string_view text, std::int64_t now_unix) {
  if (const Result<std::int64_t> point = spec::parse_time_point(text)) return *point;
  return spec::sbatch_begin(text, now_unix);
}

Result<JobDependencies> parse_job_dependencies(const std::vector<std::string>& texts) {
  JobDependencies all;
  for (const std::string& text : texts) {
    const Result<spec::SbatchDependencies> wanted = spec::sbatch_dependencies(text);
    if (!wanted) return fail(wanted.error().message);
    if (!wanted->unsupported.empty())
      return fail(fmt::format(
          "there is no dependency {}; write afterok, afternotok, afterany or after and numbers of whole jobs",
          wanted->unsupported.front()));
    if (wanted->any && texts.size() > 1)
      return fail("where one of several will do (`?`), all stand in one text");
    all.any = wanted->any;
    all.jobs.insert(all.jobs.end(), wanted->jobs.begin(), wanted->jobs.end());
  }
  return all;
}

Result<std::string> absolute_folder(std::string_view folder, const std::string& here) {
  if (!folder.starts_with('/') && here.empty())
    return fail(fmt::format("\"{}\": the present folder is not known; write an absolute path", folder));
  std::string absolute = (std::filesystem::path(here) / folder).lexically_normal().string();
  while (absolute.size() > 1 && absolute.ends_with('/')) absolute.pop_back();
  return absolute;
}

}  // namespace gw
